/*
** The postgres backend: opening, closing, and the table of its functions.
*/
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "store.h"

#define OPEN_FLAGS (HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_EXCLUSIVE)

static void release(hearth_backend_store *store) {
  hearth_allocator allocator = store->allocator;
  const bool ours = store->process == getpid();
  postgres_disconnect(&store->beside, ours);
  postgres_disconnect(&store->main, ours);
  postgres_location_free(&store->location);
  hearth_free(&allocator, store, sizeof *store);
}

static void prepare_connection(hearth_backend_store *store, Connection *c) {
  c->location = &store->location;
  c->schema = store->schema;
  c->warn = store->warn;
  c->warn_ud = store->warn_ud;
}

static hearth_status open_store(hearth_backend_store *store, unsigned flags, hearth_error *err) {
  const bool create = !store->readonly && (flags & HEARTH_OPEN_NO_CREATE) == 0;
  hearth_status status = postgres_connect(&store->main, err);
  if (status == HEARTH_OK) status = postgres_schema_find(store, create, err);
  if (status == HEARTH_OK) status = postgres_owner_find(store, flags, err);
  if (status != HEARTH_OK) return status;
  if (store->readonly) return postgres_reader_refresh(store, err);
  status = postgres_owner_take(store, false, &store->sequence, err);
  store->complete = store->durable = store->sequence; /* taking it waited for the device */
  return status;
}

static hearth_status postgres_open(const hearth_backend_config *given, hearth_backend_store **out, hearth_error *err) {
  hearth_backend_config config;
  hearth_error local;
  if (err == NULL) err = &local;
  contract_config(&config, given);
  *out = NULL;
  if ((config.flags & ~OPEN_FLAGS) != 0) return hearth_fail(err, HEARTH_INVALID, "unknown flags 0x%x", config.flags);
  hearth_backend_store *store = hearth_realloc(&config.allocator, NULL, 0, sizeof *store);
  if (store == NULL) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  memset(store, 0, sizeof *store);
  store->allocator = config.allocator;
  store->warn = config.warn;
  store->warn_ud = config.warn_ud;
  store->process = getpid();
  store->readonly = (config.flags & HEARTH_OPEN_READONLY) != 0;
  prepare_connection(store, &store->main);
  prepare_connection(store, &store->beside);
  hearth_status status =
      postgres_location_parse(&store->location, config.location, !store->readonly, &store->allocator, err);
  if (status == HEARTH_OK) status = open_store(store, config.flags, err);
  if (status != HEARTH_OK) {
    release(store);
    return status;
  }
  *out = store;
  return hearth_ok(err);
}

/* What was answered is with the server; what was asked for less than durable is flushed by it within a second. */
static hearth_status postgres_close(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  hearth_status status = HEARTH_OK;
  if (err == NULL) err = &local;
  if (store == NULL) return hearth_ok(err);
  if (!store->readonly && !store->dead && store->process == getpid()) {
    postgres_submit_abandon(store);
    status = postgres_submit_barrier(store, HEARTH_DURABLE, err);
  }
  release(store);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status done(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  return status == HEARTH_OK ? hearth_ok(err) : postgres_store_failed(store, status, err);
}

static hearth_status postgres_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                  hearth_found found, void *ud, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK) status = postgres_read_get(store, table, key, key_size, found, ud, err);
  return done(store, status, err);
}

static hearth_status postgres_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                   const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                   int *result, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK)
    status = postgres_read_scan(store, table, from, from_size, to, to_size, reverse, found, ud, result, err);
  return done(store, status, err);
}

static hearth_status postgres_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                     hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(store, postgres_submit_batch(store, ops, count, flags, level, sequence, err), err);
}

static hearth_status postgres_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK) status = contract_level(&hearth_postgres_backend, &level, err);
  if (status == HEARTH_OK) status = postgres_submit_barrier(store, level, err);
  return done(store, status, err);
}

/* Nothing is ever pending here. */
static hearth_status postgres_poll(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK && store->readonly) status = postgres_reader_poll(store, err);
  return done(store, status, err);
}

/* The server gives space back by itself (autovacuum); earlier batches are gone. */
static hearth_status postgres_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_writable(store, err);
  if (status == HEARTH_OK && store->in_batch)
    status = hearth_fail(err, HEARTH_BUSY, "%s: a batch in parts is open", store->location.label);
  if (status == HEARTH_OK && keep > 0)
    status = hearth_fail(err, HEARTH_UNSUPPORTED, "%s: earlier batches are not kept", store->location.label);
  return done(store, status, err);
}

static hearth_status postgres_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK && store->readonly) status = postgres_reader_refresh(store, err);
  return done(store, status, err);
}

static hearth_status postgres_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_backend_stat full = {0};
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK && stat->size > offsetof(hearth_backend_stat, entries))
    status = postgres_read_count(store, &full, err);
  if (status != HEARTH_OK) return done(store, status, err);
  full.sequence = store->sequence;
  full.durable = store->durable;
  full.index_bytes = sizeof *store;
  full.synced = store->synced;
  full.written = store->written;
  contract_stat(stat, &full);
  return hearth_ok(err);
}

static hearth_status postgres_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                     hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK) status = postgres_read_tables(store, found, ud, result, err);
  return done(store, status, err);
}

const hearth_backend hearth_postgres_backend = {
    .size = sizeof(hearth_backend),
    .abi = HEARTH_BACKEND_ABI,
    .name = "postgresql",
    .max_durability = HEARTH_DURABLE,
    .open = postgres_open,
    .close = postgres_close,
    .get = postgres_get,
    .scan = postgres_scan,
    .submit = postgres_submit,
    .barrier = postgres_barrier,
    .poll = postgres_poll,
    .compact = postgres_compact,
    .refresh = postgres_refresh,
    .stat = postgres_stat,
    .tables = postgres_tables,
};
