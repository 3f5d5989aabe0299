/*
** The backend that keeps everything in memory: each open is a new, empty
** store, and closing it forgets it. The location is not looked at.
*/
#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "contract.h"
#include "error.h"

struct hearth_backend_store {
  hearth_allocator allocator;
  Map map;
  MapBatch batch; /* the parts submitted so far */
  uint64_t sequence;
  uint64_t live_bytes;
  bool readonly;
  bool in_batch;  /* parts were submitted, and the last not yet */
};

static hearth_status memory_open(const hearth_backend_config *given, hearth_backend_store **out,
                                 hearth_error *err) {
  hearth_backend_config config;
  contract_config(&config, given);
  *out = NULL;
  if ((config.flags & HEARTH_OPEN_NO_CREATE) != 0)
    return hearth_fail(err, HEARTH_NOTFOUND, "memory: a store in memory is always new");
  hearth_backend_store *store = hearth_realloc(&config.allocator, NULL, 0, sizeof *store);
  if (store == NULL) return hearth_fail(err, HEARTH_NOMEM, "memory: out of memory");
  memset(store, 0, sizeof *store);
  store->allocator = config.allocator;
  store->readonly = (config.flags & HEARTH_OPEN_READONLY) != 0;
  map_init(&store->map, &store->allocator);
  map_batch_init(&store->batch, &store->map);
  *out = store;
  return hearth_ok(err);
}

static hearth_status memory_close(hearth_backend_store *store, hearth_error *err) {
  if (store != NULL) {
    hearth_allocator allocator = store->allocator;
    map_batch_discard(&store->batch);
    map_free(&store->map);
    hearth_free(&allocator, store, sizeof *store);
  }
  return hearth_ok(err);
}

static hearth_status memory_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                hearth_found found, void *ud, hearth_error *err) {
  MapEntry *e = map_find(&store->map, table, key, key_size);
  if (e == NULL)
    return hearth_fail(err, HEARTH_NOTFOUND, "memory: no such key in table %llu", (unsigned long long)table);
  (void)found(ud, table, map_key(e), e->key_size, map_value(e), e->value_size);
  return hearth_ok(err);
}

static hearth_status memory_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                 const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                 int *result, hearth_error *err) {
  int answer = 0;
  MapRange range;
  map_range(&store->map, table, from, from_size, to, to_size, reverse, &range);
  for (MapEntry *e; answer == 0 && (e = map_range_next(&range)) != NULL;)
    answer = found(ud, table, map_key(e), e->key_size, map_value(e), e->value_size);
  if (result != NULL) *result = answer;
  return hearth_ok(err);
}

static bool check_holds(hearth_backend_store *store, const hearth_op *op) {
  MapEntry *e = map_find(&store->map, op->table, op->key, op->key_size);
  if (op->kind == HEARTH_CHECK_ABSENT) return e == NULL;
  return e != NULL && e->value_size == op->value_size &&
         (op->value_size == 0 || memcmp(map_value(e), op->value, op->value_size) == 0);
}

/* The operations join the batch, or the whole batch is forgotten. */
static hearth_status add_part(hearth_backend_store *store, const hearth_op *ops, size_t count, hearth_error *err) {
  for (size_t i = 0; i < count; i++) {
    const hearth_op *op = &ops[i];
    if (op->kind == HEARTH_CHECK_EQUAL || op->kind == HEARTH_CHECK_ABSENT) {
      if (!check_holds(store, op))
        return hearth_fail(err, HEARTH_CONFLICT, "memory: the check of operation %zu failed", i + 1);
    } else if (!map_batch_add(&store->batch, op, op->value, op->value_size)) {
      return hearth_fail(err, HEARTH_NOMEM, "memory: out of memory");
    }
  }
  return HEARTH_OK;
}

static void count_entry(void *ud, MapEntry *e, int sign) {
  hearth_backend_store *store = ud;
  uint64_t bytes = (uint64_t)e->key_size + e->value_size;
  store->live_bytes += sign > 0 ? bytes : 0 - bytes;
}

static hearth_status memory_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                   hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = contract_level(&hearth_memory_backend, &level, err);
  if (status == HEARTH_OK) status = contract_check(ops, count, flags, err);
  if (status == HEARTH_OK && store->readonly)
    status = hearth_fail(err, HEARTH_READONLY, "memory: the store was opened read-only");
  if (status == HEARTH_OK) status = add_part(store, ops, count, err);
  if (status != HEARTH_OK || (flags & HEARTH_BATCH_ABANDON) != 0) {
    map_batch_discard(&store->batch);
    store->in_batch = false;
    return status != HEARTH_OK ? status : hearth_ok(err);
  }
  store->in_batch = (flags & HEARTH_BATCH_MORE) != 0;
  if (!store->in_batch) {
    if (store->batch.first != NULL) store->sequence++; /* a batch that changes nothing has no number */
    map_batch_apply(&store->batch, count_entry, store);
    if (sequence != NULL) *sequence = store->sequence;
  }
  return hearth_ok(err);
}

static hearth_status memory_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  (void)store;
  hearth_status status = contract_level(&hearth_memory_backend, &level, err);
  return status != HEARTH_OK ? status : hearth_ok(err);
}

static hearth_status memory_poll(hearth_backend_store *store, hearth_error *err) {
  (void)store;
  return hearth_ok(err);
}

/* Nothing dead is ever kept, and no earlier batch either. */
static hearth_status memory_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  (void)keep;
  if (store->readonly) return hearth_fail(err, HEARTH_READONLY, "memory: the store was opened read-only");
  if (store->in_batch) return hearth_fail(err, HEARTH_BUSY, "memory: a batch in parts is open");
  return hearth_ok(err);
}

static hearth_status memory_refresh(hearth_backend_store *store, hearth_error *err) {
  (void)store;
  return hearth_ok(err);
}

static hearth_status memory_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_backend_stat full = {0};
  full.sequence = store->sequence;
  full.entries = store->map.count;
  full.live_bytes = store->live_bytes;
  full.total_bytes = store->map.bytes;
  full.index_bytes = store->map.bytes + sizeof *store;
  contract_stat(stat, &full);
  return hearth_ok(err);
}

static hearth_status memory_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                   hearth_error *err) {
  int answer = 0;
  for (MapEntry *e = map_table(&store->map, 0); e != NULL && answer == 0; e = map_table(&store->map, e->table + 1))
    answer = found(ud, e->table, NULL, 0, NULL, 0);
  if (result != NULL) *result = answer;
  return hearth_ok(err);
}

const hearth_backend hearth_memory_backend = {
    .size = sizeof(hearth_backend),
    .abi = HEARTH_BACKEND_ABI,
    .name = "memory",
    .max_durability = HEARTH_VISIBLE,
    .open = memory_open,
    .close = memory_close,
    .get = memory_get,
    .scan = memory_scan,
    .submit = memory_submit,
    .barrier = memory_barrier,
    .poll = memory_poll,
    .compact = memory_compact,
    .refresh = memory_refresh,
    .stat = memory_stat,
    .tables = memory_tables,
};
