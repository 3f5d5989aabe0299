/*
** A store in an SQLite database. Two connections: what can be read is one committed state, a transaction for reading
** that stays open until the next batch, while the other connection writes.
*/
#ifndef HEARTH_SQLITE_STORE_H
#define HEARTH_SQLITE_STORE_H

#include "check.h"
#include "connection.h"
#include "contract.h"
#include "hearth_environment.h"
#include "hearth_sqlite.h"
#include "names.h"
#include "owner.h"
#include "walk.h"

/* Of an open batch: the table that it changes at the moment, and the digest with all others that it changed. */
typedef struct BatchTotals {
  uint64_t digest;
  bool open;       /* `table` has been looked at */
  uint64_t table;
  Total was, now;
} BatchTotals;

struct hearth_backend_store {
  hearth_allocator allocator;
  const hearth_environment *env; /* the system's: for the owner file, the clock, names */
  Names names;
  Owner owner;
  uint64_t process;
  Connection read;  /* shows one committed state */
  Connection write; /* a writer's batches; a reader looks with it for news */
  uint64_t sequence, durable;
  uint64_t digest;  /* of the totals, after the last batch; `shown` is that of what `read` shows */
  uint64_t shown;
  BatchTotals batch;
  Walk walk;        /* the last scan that could become one of a whole table */
  uint64_t last_sync; /* milliseconds */
  uint64_t synced;
  unsigned callbacks; /* of reads that are running: nothing changes under them */
  int frames;         /* in the log, after the last commit */
  bool readonly, dead;
  bool in_batch;      /* parts were submitted, and the last not yet */
  bool changed;       /* they changed something: a transaction is open */
  bool unchanging;    /* on a device that nobody can write */
};

/* DEAD, also in a process that was forked from the store's: SQLite's locks stay behind. */
hearth_status sqlite_alive(hearth_backend_store *store, hearth_error *err);

/* The same, and READONLY. */
hearth_status sqlite_writable(hearth_backend_store *store, hearth_error *err);

/* What the connection's last error means; IO makes a writer's store dead. */
hearth_status sqlite_trouble(hearth_backend_store *store, Connection *c, const char *doing, hearth_error *err);

/* Something that leaves the store dead: always IO. */
hearth_status sqlite_lost(hearth_backend_store *store, const char *what, hearth_error *err);

/* Does the name mean another file by now, or none? */
bool sqlite_moved(Connection *c);

/* Did somebody remove the log that we write? He can when this process has closed any descriptor of the database. */
bool sqlite_log_lost(hearth_backend_store *store);

/* ------------------------------------------------------ making, opening */

/* Makes the store's file, whole or not at all. */
hearth_status sqlite_create(hearth_backend_store *store, hearth_error *err);

#define SQLITE_HEADER 100 /* bytes at the beginning of a database */

/* The header, with zeros where the file is not that long. */
hearth_status sqlite_header(Connection *c, const char *path, unsigned char header[SQLITE_HEADER], bool *whole,
                            hearth_error *err);

/* Is this a store, of a format that we know? Looks at the header alone: nothing is locked, made or mended. */
hearth_status sqlite_identify(Connection *c, const char *path, hearth_error *err);

/* Are its tables those that sqlite_create made? */
hearth_status sqlite_identify_tables(Connection *c, const char *path, hearth_error *err);

/* ------------------------------------------------------------- reading */

/* A transaction for reading is open afterwards, and for a reader its numbers are the store's. */
hearth_status sqlite_snapshot_begin(hearth_backend_store *store, hearth_error *err);

/* DAMAGED where the file's end is missing, as far as SQLite would not notice. */
hearth_status sqlite_check_length(hearth_backend_store *store, hearth_error *err);

/* The next read begins another one. */
void sqlite_snapshot_end(hearth_backend_store *store);

/* The numbers as the connection sees them. */
hearth_status sqlite_snapshot_numbers(hearth_backend_store *store, Connection *c, Numbers *numbers, hearth_error *err);

hearth_status sqlite_read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                       hearth_found found, void *ud, hearth_error *err);
hearth_status sqlite_read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                               const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                               hearth_error *err);
hearth_status sqlite_read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                 hearth_error *err);
hearth_status sqlite_read_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err);

/* DAMAGED when the store is small, and reading all of it is not what its totals say. */
hearth_status sqlite_check_small(hearth_backend_store *store, hearth_error *err);

/* Does a check of a batch hold, in the state before it? CONFLICT. */
hearth_status sqlite_read_check(hearth_backend_store *store, const hearth_op *op, size_t number, hearth_error *err);

/* -------------------------------------------------------------- totals */

/* "table N ..." in words: DAMAGED. */
hearth_status sqlite_damaged(hearth_backend_store *store, uint64_t table, const char *what, hearth_error *err);

/* What the table's entries must be together, as the connection sees it. */
hearth_status sqlite_total_get(hearth_backend_store *store, Connection *c, uint64_t table, Total *total,
                               hearth_error *err);

/* All of them, in the order of the tables; DAMAGED in the end when they are not those of the store's numbers. */
hearth_status sqlite_totals(hearth_backend_store *store, int (*found)(void *ud, uint64_t table, const Total *total),
                            void *ud, int *answer, hearth_error *err);

/* The batch begins. */
void sqlite_batch_begin(hearth_backend_store *store);

/* An entry comes (its check and the bytes of key and value), goes, or all of a table go. */
hearth_status sqlite_batch_add(hearth_backend_store *store, uint64_t table, uint64_t check, uint64_t bytes,
                               hearth_error *err);
hearth_status sqlite_batch_remove(hearth_backend_store *store, uint64_t table, uint64_t check, uint64_t bytes,
                                  hearth_error *err);
hearth_status sqlite_batch_drop(hearth_backend_store *store, uint64_t table, hearth_error *err);

/* The table that was changed last is written too: the batch's digest is complete. */
hearth_status sqlite_batch_end(hearth_backend_store *store, hearth_error *err);

/* ------------------------------------------------------------- writing */

hearth_status sqlite_write(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                           hearth_durability level, uint64_t *sequence, hearth_error *err);

/* Forgets the parts submitted so far. */
hearth_status sqlite_abandon(hearth_backend_store *store, hearth_error *err);

/* ------------------------------------------------------------ flushing */

/* Every batch so far is on the device afterwards. */
hearth_status sqlite_flush_log(hearth_backend_store *store, hearth_error *err);

/* The same at COMPLETE, but only every few seconds. */
hearth_status sqlite_flush_when_due(hearth_backend_store *store, hearth_error *err);

/* Takes what is in the log into the database when it has grown; a failure is one of later batches. */
void sqlite_flush_into_database(hearth_backend_store *store);

/* All of it, and cuts the log to nothing; readers may prevent that, which is no failure. Everything is durable then. */
hearth_status sqlite_flush_everything(hearth_backend_store *store, hearth_error *err);

hearth_status sqlite_flush_compact(hearth_backend_store *store, unsigned keep, hearth_error *err);

#endif
