/* A connection to a database, its settings, and its prepared statements. */
#ifndef HEARTH_SQLITE_CONNECTION_H
#define HEARTH_SQLITE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>

#include "hearth_status.h"

typedef enum StatementKind {
  BEGIN_READING,
  BEGIN_WRITING,
  COMMIT,
  ROLLBACK,
  GET_NUMBERS,
  SET_NUMBERS,
  GET,
  HAS,
  ADD,          /* nothing where the key is there */
  OLD,
  REPLACE,
  DEL,
  DROP,
  SCAN,         /* `to` is absent: up to the last */
  SCAN_TO,
  SCAN_REVERSE, /* from the last down */
  SCAN_REVERSE_TO,
  GET_TOTAL,
  SET_TOTAL,
  DEL_TOTAL,
  SCAN_TOTALS,
  STATEMENTS
} StatementKind;

typedef struct Connection {
  sqlite3 *db;
  sqlite3_stmt *kept[STATEMENTS]; /* prepared; NULL: not yet, or in use */
  bool in_snapshot;               /* a transaction for reading is open */
  bool began;                     /* of a reader: what it shows is settled */
  bool full_sync;                 /* PRAGMA synchronous is FULL, else NORMAL */
} Connection;

typedef enum ConnectionKind {
  TO_WRITE,
  TO_READ,
  TO_READ_UNCHANGING /* on a device that nobody can write: SQLite takes no locks and looks for no log */
} ConnectionKind;

/* Opens what is there; the database's header alone is read. A failure leaves the connection closed. */
hearth_status sqlite_connection_open(Connection *c, const char *path, ConnectionKind kind, hearth_error *err);

/* The settings that all connections have; reads the schema. */
hearth_status sqlite_connection_set_up(Connection *c, const char *path, hearth_error *err);

void sqlite_connection_close(Connection *c);

/* Runs statements that answer nothing. */
hearth_status sqlite_connection_run(Connection *c, const char *path, const char *sql, const char *doing,
                                    hearth_error *err);

/* Sets how a commit is synced: FULL or NORMAL. Not inside a transaction. */
hearth_status sqlite_connection_sync_fully(Connection *c, const char *path, bool fully, hearth_error *err);

/* A statement, ready to be bound; NULL: the connection has an error. Give it back. */
sqlite3_stmt *sqlite_statement_take(Connection *c, StatementKind kind);
void sqlite_statement_give_back(Connection *c, StatementKind kind, sqlite3_stmt *statement);

/* Bytes that are borrowed until the statement is given back. SQLite takes NULL for no value at all. */
int sqlite_statement_bind(sqlite3_stmt *statement, int index, const void *bytes, size_t size);

/* Takes, steps once and gives back a statement without parameters and rows: SQLITE_OK or a failure. */
int sqlite_statement_run(Connection *c, StatementKind kind);

#endif
