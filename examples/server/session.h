/* One user: a Lua state of its own, limited in memory and instructions, and the user's store in it. */
#ifndef EXAMPLE_SESSION_H
#define EXAMPLE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include <hearth.h>

#define NAME_SIZE 65            /* of users and requests: at most 64 bytes and a 0 */
#define ANSWER_SIZE 4200        /* "ID ok TEXT" and a 0 */
#define STATE_BYTES (64u << 20) /* what a state may allocate */
#define INSTRUCTIONS 50000000   /* what a request may execute */

typedef struct Session {
  char user[NAME_SIZE];
  lua_State *L; /* NULL: this place is free */
  hearth_store *store;
  size_t allocated;
  uint64_t used_at; /* the pool's clock */
} Session;

typedef struct Request {
  const char *user, *id, *text;
} Request;

/* Opens the user's store in a new state and loads the app. On failure nothing is left open. */
hearth_status session_open(Session *s, const char *user, const char *uri, const char *app, hearth_error *err);

/*
** Runs the request in a transaction, unless it was the last one that was committed. OK: `answer` is committed,
** durably; *again: it was there already. RAISED: the app raised, and nothing is changed. Else the session must be
** closed; after IO and DEAD nobody knows whether the commit happened, until a session that is opened later is asked
** the same.
*/
hearth_status session_ask(Session *s, const Request *r, char answer[ANSWER_SIZE], bool *again, hearth_error *err);

/* Whatever was not committed is forgotten. */
void session_close(Session *s);

#endif
