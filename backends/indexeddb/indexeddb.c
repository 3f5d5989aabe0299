/*
** The indexeddb backend: opening, closing, reading, and the table of its functions.
*/
#include "buffer.h"
#include "failure.h"
#include "store.h"

#define OPEN_FLAGS (HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_EXCLUSIVE)

static void release(hearth_backend_store *store) {
  hearth_allocator allocator = store->allocator;
  if (store->handle > 0) idb_host_detach(store->handle);
  idb_pending_clear(store);
  idb_compact_free(store);
  idb_mirror_free(&store->mirror);
  log_writer_free(&store->writer);
  hearth_free(&allocator, store->name, store->name_size);
  hearth_free(&allocator, store, sizeof *store);
}

/* There is a store once something was committed. */
static hearth_status judge_existence(const hearth_backend_store *store, unsigned flags, double length,
                                     hearth_error *err) {
  bool exists = length > 0;
  if (!exists && (flags & (HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_READONLY)) != 0)
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no such store", store->name);
  if (exists && (flags & HEARTH_OPEN_EXCLUSIVE) != 0)
    return hearth_fail(err, HEARTH_EXISTS, "%s: there is a store already", store->name);
  return HEARTH_OK;
}

static hearth_status open_store(hearth_backend_store *store, const char *name, unsigned flags, hearth_error *err) {
  double length = 0;
  size_t size = strlen(name) + 1;
  store->name = hearth_realloc(&store->allocator, NULL, 0, size);
  if (store->name == NULL) return failure_nomem(err, name);
  store->name_size = size;
  memcpy(store->name, name, size);
  int handle = idb_host_attach(name, size - 1, flags, store, &length);
  if (handle <= 0) return idb_store_refused(store, "open it", handle < 0 ? handle : HEARTH_NOTFOUND, err);
  store->handle = handle;
  hearth_status status = judge_existence(store, flags, length, err);
  if (status == HEARTH_OK) status = idb_recover_load(store, length, err);
  if (status != HEARTH_OK) return status;
  int answer = idb_host_opened(handle, (double)store->place.at);
  if (answer < 0) return idb_store_refused(store, "open it", answer, err);
  store->last_sync = idb_store_clock(store);
  idb_compact_when_due(store);
  return HEARTH_OK;
}

static hearth_status indexeddb_open(const hearth_backend_config *given, hearth_backend_store **out,
                                    hearth_error *err) {
  hearth_backend_config config;
  hearth_error local;
  if (err == NULL) err = &local;
  contract_config(&config, given);
  *out = NULL;
  const char *name = config.location != NULL ? config.location : "";
  if ((config.flags & ~OPEN_FLAGS) != 0)
    return hearth_fail(err, HEARTH_INVALID, "%s: unknown flags 0x%x", name, config.flags);
  hearth_backend_store *store = hearth_realloc(&config.allocator, NULL, 0, sizeof *store);
  if (store == NULL) return failure_nomem(err, name);
  memset(store, 0, sizeof *store);
  store->allocator = config.allocator;
  store->env = config.environment;
  store->warn = config.warn;
  store->warn_ud = config.warn_ud;
  store->readonly = (config.flags & HEARTH_OPEN_READONLY) != 0;
  idb_mirror_init(&store->mirror, &store->allocator);
  LogSink sink = idb_append_sink(store);
  log_writer_init(&store->writer, &sink, &store->allocator);
  idb_compact_init(store);
  hearth_status status = open_store(store, name, config.flags, err);
  if (status != HEARTH_OK) {
    release(store);
    return status;
  }
  *out = store;
  return hearth_ok(err);
}

/* What was appended is still written; whoever wants to know how it ends waits for poll first. */
static hearth_status indexeddb_close(hearth_backend_store *store, hearth_error *err) {
  if (store != NULL) {
    if (store->in_batch) idb_append_abandon(store);
    release(store);
  }
  return hearth_ok(err);
}

static hearth_status indexeddb_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                   hearth_found found, void *ud, hearth_error *err) {
  hearth_status status = idb_store_alive(store, err);
  if (status != HEARTH_OK) return status;
  MapEntry *e = map_find(&store->mirror.map, table, key, key_size);
  if (e == NULL)
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: no such key in table %llu", store->name, (unsigned long long)table);
  (void)found(ud, table, map_key(e), e->key_size, map_value(e), e->value_size);
  return hearth_ok(err);
}

static hearth_status indexeddb_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                    const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                    int *result, hearth_error *err) {
  hearth_status status = idb_store_alive(store, err);
  if (status != HEARTH_OK) return status;
  int answer = 0;
  MapRange range;
  map_range(&store->mirror.map, table, from, from_size, to, to_size, reverse, &range);
  for (MapEntry *e; answer == 0 && (e = map_range_next(&range)) != NULL;)
    answer = found(ud, table, map_key(e), e->key_size, map_value(e), e->value_size);
  if (result != NULL) *result = answer;
  return hearth_ok(err);
}

static hearth_status indexeddb_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                      hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = idb_append_submit(store, ops, count, flags, level, sequence, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status indexeddb_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = idb_append_barrier(store, level, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status indexeddb_poll(hearth_backend_store *store, hearth_error *err) {
  if (store->readonly && idb_host_moved(store->handle) > 0)
    return hearth_fail(err, HEARTH_STALE, "%s: has changed since it was read, refresh it", store->name);
  bool told = store->failure.code == HEARTH_OK;
  hearth_status status = told ? idb_store_alive(store, err) : HEARTH_OK;
  if (status == HEARTH_OK) status = idb_pending_poll(store, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status indexeddb_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = idb_compact_store(store, keep, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status indexeddb_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = idb_store_alive(store, err);
  if (status == HEARTH_OK) status = idb_recover_refresh(store, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status indexeddb_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_backend_stat full = {0};
  double occupied = idb_host_occupied(store->handle);
  full.sequence = store->sequence;
  full.durable = store->durable;
  full.entries = store->mirror.map.count;
  full.live_bytes = store->mirror.live_bytes;
  full.total_bytes = occupied > 0 ? (uint64_t)occupied : 0;
  full.index_bytes = store->mirror.map.bytes + sizeof *store;
  full.synced = store->synced;
  full.written = store->written;
  contract_stat(stat, &full);
  return hearth_ok(err);
}

static hearth_status indexeddb_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                      hearth_error *err) {
  hearth_status status = idb_store_alive(store, err);
  if (status != HEARTH_OK) return status;
  int answer = 0;
  const Map *map = &store->mirror.map;
  for (MapEntry *e = map_table(map, 0); e != NULL && answer == 0; e = map_table(map, e->table + 1))
    answer = found(ud, e->table, NULL, 0, NULL, 0);
  if (result != NULL) *result = answer;
  return hearth_ok(err);
}

const hearth_backend hearth_indexeddb_backend = {
    .size = sizeof(hearth_backend),
    .abi = HEARTH_BACKEND_ABI,
    .name = "indexeddb",
    .max_durability = HEARTH_DURABLE,
    .open = indexeddb_open,
    .close = indexeddb_close,
    .get = indexeddb_get,
    .scan = indexeddb_scan,
    .submit = indexeddb_submit,
    .barrier = indexeddb_barrier,
    .poll = indexeddb_poll,
    .compact = indexeddb_compact,
    .refresh = indexeddb_refresh,
    .stat = indexeddb_stat,
    .tables = indexeddb_tables,
};
