/* A store in a PostgreSQL database, and what the parts of this backend ask of each other. */
#ifndef HEARTH_POSTGRES_STORE_H
#define HEARTH_POSTGRES_STORE_H

#include <sys/types.h>

#include "connection.h"
#include "contract.h"
#include "error.h"
#include "hearth_postgres.h"

#define STORE_FORMAT 1 /* of the rows; a store with a greater one is refused */
#define STORE_MAX_VALUE ((size_t)512 << 20) /* PostgreSQL's messages have less than 1 GiB */

struct hearth_backend_store {
  hearth_allocator allocator;
  hearth_warn warn;
  void *warn_ud;
  Location location;
  char *text;             /* the location as it was given */
  size_t text_size;
  pid_t process;          /* who opened it; a forked child is somebody else */
  bool readonly;
  bool scanning;          /* the callback of a scan is running: it must not call the store */
  bool dead;
  char dead_reason[512];

  Connection main;        /* the writer's transactions; a reader's one transaction */
  Connection beside;      /* sees what is committed while `main` is inside a transaction; made when it is needed */
  char schema[140];       /* where the tables are, quoted */
  uint64_t tables;        /* the server's number of the table of stores */
  char synchronous[16];   /* the session's own synchronous_commit */

  uint64_t id;
  unsigned char owner[TOKEN_SIZE]; /* the token that this opener put into the store's row */
  bool in_batch;          /* parts were submitted, and the last not yet: `main` is inside their transaction */
  uint64_t changes;       /* operations of the batch so far, without checks */
  uint64_t sequence;
  uint64_t complete;      /* the last batch in the server's files */
  uint64_t durable;
  uint64_t synced, written;
};

/* ------------------------------------------------------------ store.c */

void postgres_store_warn(const hearth_backend_store *store, const char *format, ...) HEARTH_PRINTF(2, 3);

/* From now on every call but close answers DEAD. Answers `err`'s code. */
hearth_status postgres_store_die(hearth_backend_store *store, hearth_error *err);

/* The status of a call that failed: IO ends a writer, nothing ends a reader. */
hearth_status postgres_store_failed(hearth_backend_store *store, hearth_status status, hearth_error *err);

/* The store's row is not what it was: IO and dead for a writer, STALE for a reader. */
hearth_status postgres_store_lost(hearth_backend_store *store, hearth_error *err);

/* DEAD when it is, or when this is a forked child; BUSY inside a scan. */
hearth_status postgres_store_alive(hearth_backend_store *store, hearth_error *err);

/* The same, and READONLY for a reader. */
hearth_status postgres_store_writable(hearth_backend_store *store, hearth_error *err);

/* Makes a connection to the store's tables, when it is not there or was lost. */
hearth_status postgres_store_connect(hearth_backend_store *store, Connection *c, hearth_error *err);

/* The connection for reading what is committed: `main`, or `beside` while a batch in parts is open. */
hearth_status postgres_store_reading(hearth_backend_store *store, Connection **out, hearth_error *err);

/* Parameters id, seq and owner of a statement that reads. */
void postgres_store_held(const hearth_backend_store *store, Params *p);

/* After an empty answer: lost, unless the row is what it was. */
hearth_status postgres_store_holds(hearth_backend_store *store, Connection *c, hearth_error *err);

/* ----------------------------------------------------------- schema.c */

/* Finds the tables by the connection's search path, makes them if `create`, and says what is wrong with them.
** NOTFOUND, NOTSTORE, READONLY (the role may not make them), UNSUPPORTED (the server is too old), IO. */
hearth_status postgres_schema_find(hearth_backend_store *store, bool create, hearth_error *err);

/* Settings of a connection: what is not ours is never found by our names. */
hearth_status postgres_schema_pin(Connection *c, hearth_error *err);

/* ------------------------------------------------------------ owner.c */

/* Finds the store's row, or makes it. NOTFOUND, EXISTS, VERSION. */
hearth_status postgres_owner_find(hearth_backend_store *store, unsigned flags, hearth_error *err);

/*
** Takes the lock and puts a new token into the row, after whatever transaction holds it. BUSY. `ours`: only if the
** token is still ours. *sequence gets the number of the last batch.
*/
hearth_status postgres_owner_take(hearth_backend_store *store, bool ours, uint64_t *sequence, hearth_error *err);

/* ----------------------------------------------------------- reader.c */

/* Makes sure that a transaction is there to read in; not that it shows the batch that the reader knows. */
hearth_status postgres_reader_ready(hearth_backend_store *store, hearth_error *err);

/* A reader's transaction begins anew, with what is there now. */
hearth_status postgres_reader_refresh(hearth_backend_store *store, hearth_error *err);

/* STALE when the store has moved on. */
hearth_status postgres_reader_poll(hearth_backend_store *store, hearth_error *err);

/* ------------------------------------------------------------- read.c */

hearth_status postgres_read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                hearth_found found, void *ud, hearth_error *err);
hearth_status postgres_read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                 const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                 int *result, hearth_error *err);
hearth_status postgres_read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                   hearth_error *err);

/* Counts the entries and their bytes. */
hearth_status postgres_read_count(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err);

/* ----------------------------------------------------------- submit.c */

hearth_status postgres_submit_batch(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                    hearth_durability level, uint64_t *sequence, hearth_error *err);
hearth_status postgres_submit_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err);

/* Ends the transaction that a connection is in. */
hearth_status postgres_submit_commit(hearth_backend_store *store, Connection *c, hearth_durability level,
                                     hearth_error *err);

/* Forgets an unfinished batch. */
void postgres_submit_abandon(hearth_backend_store *store);

#endif
