/* One connection to the server: making it, statements one at a time, and what their failures mean. */
#ifndef HEARTH_POSTGRES_CONNECTION_H
#define HEARTH_POSTGRES_CONNECTION_H

#include <libpq-fe.h>

#include "location.h"
#include "params.h"
#include "statements.h"

typedef struct Connection {
  PGconn *pq;           /* NULL: none */
  const Location *location;
  const char *schema;   /* where the tables are, quoted */
  hearth_warn warn;
  void *warn_ud;
  unsigned prepared;    /* a bit for each Statement */
  char state[6];        /* SQLSTATE of the last failure; "": the connection itself failed */
} Connection;

/*
** Within connect_timeout. BUSY (too many connections, starting up), INVALID (who, password), NOTFOUND (database), IO,
** NOMEM.
*/
hearth_status postgres_connect(Connection *c, hearth_error *err);

/* `ours` false: in a forked child, where nothing may be sent over what the parent uses. */
void postgres_disconnect(Connection *c, bool ours);

/* As far as is known without asking. */
bool postgres_is_connected(const Connection *c);

/* Runs a statement that is prepared first when need be. *result is to be cleared; on failure there is none. */
hearth_status postgres_run(Connection *c, Statement s, const Params *p, PGresult **result, hearth_error *err);

/* The same for a text without parameters; `result` may be NULL. */
hearth_status postgres_command(Connection *c, const char *text, PGresult **result, hearth_error *err);

/* Sends a query whose rows PQgetResult then gives one by one. */
hearth_status postgres_send_rows(Connection *c, Statement s, const Params *p, hearth_error *err);

/* Fills `err` with what a failed result says (NULL: the connection). */
hearth_status postgres_failure(Connection *c, const PGresult *result, hearth_error *err);

/* Milliseconds of a clock that only goes forward. */
uint64_t postgres_clock(void);

#endif
