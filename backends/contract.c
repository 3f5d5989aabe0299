#include "contract.h"

#include <string.h>

#include "buffer.h"
#include "error.h"

void contract_config(hearth_backend_config *out, const hearth_backend_config *in) {
  memset(out, 0, sizeof *out);
  if (in != NULL) memcpy(out, in, in->size < sizeof *out ? in->size : sizeof *out);
  out->size = sizeof *out;
  if (out->allocator.alloc == NULL) out->allocator = hearth_libc_allocator;
}

void contract_stat(hearth_backend_stat *out, const hearth_backend_stat *full) {
  size_t size = out->size;
  memcpy(out, full, size < sizeof *full ? size : sizeof *full);
  out->size = size;
}

static hearth_status check_op(const hearth_op *op, size_t number, hearth_error *err) {
  bool has_key = op->kind != HEARTH_DROP;
  bool has_value = op->kind == HEARTH_PUT || op->kind == HEARTH_CHECK_EQUAL;
  if (op->kind < HEARTH_PUT || op->kind > HEARTH_CHECK_ABSENT)
    return hearth_fail(err, HEARTH_INVALID, "operation %zu of the batch has the unknown kind %d", number,
                       (int)op->kind);
  if (op->table > HEARTH_MAX_TABLE)
    return hearth_fail(err, HEARTH_INVALID, "operation %zu of the batch names a table beyond 2^53", number);
  if (has_key && op->key_size > HEARTH_MAX_KEY)
    return hearth_fail(err, HEARTH_TOOBIG, "operation %zu of the batch has a key of %zu bytes, the limit is %d",
                       number, op->key_size, HEARTH_MAX_KEY);
  if (has_value && op->value_size > HEARTH_MAX_VALUE)
    return hearth_fail(err, HEARTH_TOOBIG, "operation %zu of the batch has a value of %zu bytes, the limit is %d",
                       number, op->value_size, HEARTH_MAX_VALUE);
  return HEARTH_OK;
}

hearth_status contract_check(const hearth_op *ops, size_t count, unsigned flags, hearth_error *err) {
  if ((flags & ~(HEARTH_BATCH_MORE | HEARTH_BATCH_ABANDON)) != 0)
    return hearth_fail(err, HEARTH_INVALID, "unknown flags 0x%x for a batch", flags);
  if ((flags & HEARTH_BATCH_ABANDON) != 0 && (count != 0 || (flags & HEARTH_BATCH_MORE) != 0))
    return hearth_fail(err, HEARTH_INVALID, "a batch is abandoned without operations and without more");
  for (size_t i = 0; i < count; i++) {
    hearth_status status = check_op(&ops[i], i + 1, err);
    if (status != HEARTH_OK) return status;
  }
  return HEARTH_OK;
}

hearth_status contract_level(const hearth_backend *backend, hearth_durability *level, hearth_error *err) {
  if (*level == HEARTH_DEFAULT_DURABILITY) *level = backend->max_durability;
  if (*level < HEARTH_VISIBLE || *level > HEARTH_DURABLE)
    return hearth_fail(err, HEARTH_INVALID, "unknown durability %d", (int)*level);
  if (*level > backend->max_durability)
    return hearth_fail(err, HEARTH_UNSUPPORTED, "the %s backend cannot make a batch %s", backend->name,
                       *level == HEARTH_DURABLE ? "durable" : "complete");
  return HEARTH_OK;
}

void map_batch_init(MapBatch *b, Map *map) {
  b->map = map;
  b->first = b->last = NULL;
}

void map_batch_discard(MapBatch *b) {
  for (MapEntry *e = b->first; e != NULL;) {
    MapEntry *next = e->right;
    map_discard(b->map, e);
    e = next;
  }
  b->first = b->last = NULL;
}

bool map_batch_add(MapBatch *b, const hearth_op *op, const void *value, size_t value_size) {
  MapEntry *e = op->kind == HEARTH_DROP ? map_make(b->map, op->table, NULL, 0, NULL, 0)
                                        : map_make(b->map, op->table, op->key, op->key_size, value, value_size);
  if (e == NULL) return false;
  e->mark = (uint8_t)op->kind;
  if (b->last == NULL) b->first = e;
  else b->last->right = e;
  b->last = e;
  return true;
}

static void leave(MapBatch *b, MapEntry *e, MapBatchCount count, void *ud) {
  count(ud, e, -1);
  map_discard(b->map, e);
}

static void apply_drop(MapBatch *b, uint64_t table, MapBatchCount count, void *ud) {
  for (MapEntry *e; (e = map_table(b->map, table)) != NULL && e->table == table;) {
    map_unlink(b->map, e);
    leave(b, e, count, ud);
  }
}

static void apply_put(MapBatch *b, MapEntry *e, MapBatchCount count, void *ud) {
  e->mark = 0;
  MapEntry *old = map_link(b->map, e);
  count(ud, e, 1);
  if (old != NULL) leave(b, old, count, ud);
}

void map_batch_apply(MapBatch *b, MapBatchCount count, void *ud) {
  MapEntry *e = b->first;
  b->first = b->last = NULL;
  while (e != NULL) {
    MapEntry *next = e->right;
    if (e->mark == HEARTH_PUT) {
      apply_put(b, e, count, ud);
    } else {
      MapEntry *old = e->mark == HEARTH_DEL ? map_find(b->map, e->table, map_key(e), e->key_size) : NULL;
      if (old != NULL) {
        map_unlink(b->map, old);
        leave(b, old, count, ud);
      }
      if (e->mark == HEARTH_DROP) apply_drop(b, e->table, count, ud);
      map_discard(b->map, e);
    }
    e = next;
  }
}

int64_t map_batch_growth(const MapBatch *b, int64_t (*size)(MapEntry *e)) {
  int64_t growth = 0;
  for (MapEntry *e = b->first; e != NULL; e = e->right) {
    if (e->mark == HEARTH_DROP) {
      MapRange range;
      map_range(b->map, e->table, NULL, 0, NULL, 0, false, &range);
      for (MapEntry *old; (old = map_range_next(&range)) != NULL;) growth -= size(old);
      continue;
    }
    MapEntry *old = map_find(b->map, e->table, map_key(e), e->key_size);
    if (e->mark == HEARTH_PUT) growth += size(e);
    if (old != NULL) growth -= size(old);
  }
  return growth;
}
