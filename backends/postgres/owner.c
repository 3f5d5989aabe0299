/*
** One writer. A session's advisory lock tells a second opener at once, and goes when the session ends. What protects
** the store is the token in its row, which each opener changes and each batch compares.
*/
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "store.h"

#define TAKE_WAIT "10s" /* for an earlier transaction of the store to end */
#define LOCK_TRIES 10   /* for a session to end whose client has gone */
#define LOCK_PAUSE 30   /* milliseconds between them */

static hearth_status find(hearth_backend_store *store, bool *there, hearth_error *err) {
  Params p = {0};
  PGresult *r;
  postgres_params_bytes(&p, store->location.name, strlen(store->location.name));
  hearth_status status = postgres_run(&store->main, FIND, &p, &r, err);
  if (status != HEARTH_OK) return status;
  *there = PQntuples(r) == 1;
  if (*there) {
    store->id = postgres_number(PQgetvalue(r, 0, 0), 8);
    uint64_t format = postgres_number(PQgetvalue(r, 0, 1), 4);
    if (format != STORE_FORMAT)
      status = hearth_fail(err, HEARTH_VERSION, "%s: has the format %llu, this library knows %d", store->location.label,
                           (unsigned long long)format, STORE_FORMAT);
  }
  PQclear(r);
  return status;
}

/* Numbers are random, so that the stores of a sharded database are spread. Somebody may be faster: then it is there. */
static hearth_status add(hearth_backend_store *store, bool *added, hearth_error *err) {
  Params p = {0};
  PGresult *r;
  uint64_t random;
  if (getentropy(&random, sizeof random) != 0)
    return hearth_fail(err, HEARTH_IO, "%s: the system gives no random numbers", store->location.label);
  postgres_params_number(&p, random >> 1);
  postgres_params_bytes(&p, store->location.name, strlen(store->location.name));
  postgres_params_small(&p, STORE_FORMAT);
  hearth_status status = postgres_run(&store->main, ADD, &p, &r, err);
  if (status != HEARTH_OK) return status;
  *added = strcmp(PQcmdTuples(r), "1") == 0;
  PQclear(r);
  return HEARTH_OK;
}

static hearth_status exists(const hearth_backend_store *store, hearth_error *err) {
  return hearth_fail(err, HEARTH_EXISTS, "%s: there is a store already", store->location.label);
}

hearth_status postgres_owner_find(hearth_backend_store *store, unsigned flags, hearth_error *err) {
  bool there, added = false, create = (flags & (HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_READONLY)) == 0;
  hearth_status status = find(store, &there, err);
  if (status != HEARTH_OK) return status;
  if (there) return (flags & HEARTH_OPEN_EXCLUSIVE) != 0 ? exists(store, err) : HEARTH_OK;
  if (!create) return hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no such store", store->location.label);
  status = add(store, &added, err);
  if (status == HEARTH_OK) status = find(store, &there, err);
  if (status == HEARTH_OK && !added && there && (flags & HEARTH_OPEN_EXCLUSIVE) != 0) return exists(store, err);
  if (status == HEARTH_OK && !there) /* its number was taken: 1 in 2^63 for each store */
    status = hearth_fail(err, HEARTH_BUSY, "%s: cannot be made now, try again", store->location.label);
  return status;
}

/* Locks belong to a database: two schemas in it may hold stores of the same number, e.g. a copy. */
static int64_t lock_number(const hearth_backend_store *store) {
  char text[80];
  int size = snprintf(text, sizeof text, "hearth store %llu %llu", (unsigned long long)store->tables,
                      (unsigned long long)store->id);
  return (int64_t)hash64(text, (size_t)size, 0);
}

/* Asks something whose answer is one word. */
static hearth_status ask(hearth_backend_store *store, const char *text, char *answer, size_t size, hearth_error *err) {
  PGresult *r;
  hearth_status status = postgres_command(&store->main, text, &r, err);
  if (status != HEARTH_OK) return status;
  (void)snprintf(answer, size, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
  PQclear(r);
  return HEARTH_OK;
}

static hearth_status taken(hearth_backend_store *store, int64_t number, hearth_error *err) {
  char text[200], process[24];
  (void)snprintf(text, sizeof text, "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
                 " AND classid = %u AND objid = %u LIMIT 1", (unsigned)((uint64_t)number >> 32), (unsigned)number);
  hearth_status status = ask(store, text, process, sizeof process, err);
  if (status != HEARTH_OK) return status;
  return hearth_fail(err, HEARTH_BUSY, "%s: busy, another session has it open (process %s of the server)",
                     store->location.label, process);
}

static void pause_between(void) {
  const struct timespec t = {0, LOCK_PAUSE * 1000000L};
  (void)nanosleep(&t, NULL);
}

/* The session of a client that was killed may need a moment to end. */
static hearth_status lock(hearth_backend_store *store, hearth_error *err) {
  char text[80], answer[8];
  const int64_t number = lock_number(store);
  (void)snprintf(text, sizeof text, "SELECT pg_try_advisory_lock(%lld)", (long long)number);
  for (int i = 0; i < LOCK_TRIES; i++) {
    if (i > 0) pause_between();
    hearth_status status = ask(store, text, answer, sizeof answer, err);
    if (status != HEARTH_OK) return status;
    if (answer[0] == 't') return HEARTH_OK;
  }
  return taken(store, number, err);
}

/* The row is locked by whatever transaction of an earlier owner is still under way: this waits for its end. */
static hearth_status rotate(hearth_backend_store *store, bool ours, uint64_t *sequence, hearth_error *err) {
  Params p = {0};
  PGresult *r;
  hearth_status status = postgres_command(&store->main, "BEGIN ISOLATION LEVEL READ COMMITTED;"
                                                        " SET LOCAL lock_timeout = '"
                                          TAKE_WAIT "'", NULL, err);
  if (status != HEARTH_OK) return status;
  postgres_params_number(&p, store->id);
  postgres_params_bytes(&p, ours ? store->owner : NULL, TOKEN_SIZE);
  status = postgres_run(&store->main, TAKE, &p, &r, err);
  if (status != HEARTH_OK) {
    (void)postgres_command(&store->main, "ROLLBACK", NULL, NULL);
    return status;
  }
  bool there = PQntuples(r) == 1;
  if (there) {
    *sequence = postgres_number(PQgetvalue(r, 0, 0), 8);
    memcpy(store->owner, PQgetvalue(r, 0, 1), TOKEN_SIZE);
  }
  PQclear(r);
  if (there) return postgres_submit_commit(store, &store->main, HEARTH_DURABLE, err);
  (void)postgres_command(&store->main, "ROLLBACK", NULL, NULL);
  return postgres_store_lost(store, err);
}

hearth_status postgres_owner_take(hearth_backend_store *store, bool ours, uint64_t *sequence, hearth_error *err) {
  hearth_status status = lock(store, err);
  return status == HEARTH_OK ? rotate(store, ours, sequence, err) : status;
}
