#include "index.h"

void index_init(Index *index, const hearth_allocator *allocator) {
  map_init(&index->map, allocator);
  map_batch_init(&index->batch, &index->map);
  index->live_bytes = index->live_log = 0;
}

void index_free(Index *index) {
  map_batch_discard(&index->batch);
  map_free(&index->map);
}

static void count_entry(void *ud, MapEntry *e, int sign) {
  Index *index = ud;
  Place place = index_place(e);
  uint64_t bytes = (uint64_t)e->key_size + place.size;
  uint64_t log = log_put_size(e->table, e->key_size, place.size);
  index->live_bytes += sign > 0 ? bytes : 0 - bytes;
  index->live_log += sign > 0 ? log : 0 - log;
}

bool index_add(Index *index, const hearth_op *op, uint64_t at) {
  unsigned char place[PLACE_BYTES];
  uint32_t size = (uint32_t)op->value_size;
  if (op->kind != HEARTH_PUT) return map_batch_add(&index->batch, op, NULL, 0);
  memcpy(place, &at, sizeof at);
  memcpy(place + sizeof at, &size, sizeof size);
  return map_batch_add(&index->batch, op, place, sizeof place);
}

void index_apply(Index *index) {
  map_batch_apply(&index->batch, count_entry, index);
}

LogStep index_replay(Index *index, const LogScan *scan) {
  LogOps ops;
  LogOp op;
  log_ops(&ops, scan->payload, scan->frame.length, scan->frame_at + LOG_FRAME_SIZE);
  while (log_decode_op(&ops, &op)) {
    hearth_op plain = {.kind = op.kind, .table = op.table, .key = op.key, .key_size = op.key_size,
                       .value = op.value, .value_size = op.value_size};
    if (!index_add(index, &plain, op.value_at)) return LOG_STEP_NOMEM;
  }
  if (ops.bad) return LOG_STEP_BAD;
  if (scan->frame.kind == LOG_BATCH) index_apply(index);
  return LOG_STEP_FRAME;
}

static int64_t entry_bytes(MapEntry *e) {
  return (int64_t)e->key_size + index_place(e).size;
}

int64_t index_growth(const Index *index) {
  return map_batch_growth(&index->batch, entry_bytes);
}
