/*
** One connection. It has at most one request at a time: nothing more is read from it before the answer to that was
** taken, so that neither a fast nor a slow client needs more memory than this.
*/
#ifndef EXAMPLE_CLIENT_H
#define EXAMPLE_CLIENT_H

#include <poll.h>

#include "session.h"

#define LINE_SIZE 4096 /* the longest request, its line end included */

typedef struct Client {
  int fd; /* -1: this place is free */
  char in[LINE_SIZE], out[ANSWER_SIZE + 1];
  size_t in_size, line_size, out_size, out_sent; /* line_size: of the request in `in`; 0: there is none */
  Request request;
  bool tried, leaving;         /* leaving: when the answer is sent */
  long long try_at, give_up_at, delay; /* milliseconds */
} Client;

void client_begin(Client *c, int fd);

void client_end(Client *c);

/* What to wait for. */
short client_events(const Client *c);

/* Reads and writes what can be without waiting. The client may be gone afterwards. */
void client_move(Client *c, short events);

/* True when a request has just been found in what was read. Lines that are none are answered here. */
bool client_next(Client *c);

/* The answer to the request, which is over with that. */
void client_answer(Client *c, const char *answer);

#endif
