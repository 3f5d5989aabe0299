/* At most so many sessions at once; the one that was used least recently makes room. */
#ifndef EXAMPLE_POOL_H
#define EXAMPLE_POOL_H

#include "session.h"

typedef struct Pool {
  const char *template, *app; /* borrowed; a URI with "{user}" in it, and the file of the app */
  Session *sessions;
  size_t limit;
  uint64_t clock;
  uint64_t requests, from_store, openings, made_room, failed; /* counts */
} Pool;

bool pool_begin(Pool *p, const char *template, const char *app, size_t limit);

/*
** True: `answer` is "ID ok TEXT" (committed, durably), "ID error TEXT" or "ID unavailable TEXT" (nothing is changed).
** False: the store cannot be had now, or it broke, and whether the request was committed is not known: ask the same
** again later; `answer` says "ID unavailable TEXT".
*/
bool pool_ask(Pool *p, const Request *r, char answer[ANSWER_SIZE]);

void pool_end(Pool *p);

#endif
