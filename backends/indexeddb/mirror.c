#include "mirror.h"

#include "buffer.h"

void idb_mirror_init(Mirror *m, const hearth_allocator *allocator) {
  map_init(&m->map, allocator);
  map_batch_init(&m->batch, &m->map);
  m->operations = 0;
  m->live_bytes = m->live_log = 0;
}

void idb_mirror_free(Mirror *m) {
  idb_mirror_discard(m);
  map_free(&m->map);
}

bool idb_mirror_add(Mirror *m, const hearth_op *op) {
  if (!map_batch_add(&m->batch, op, op->value, op->kind == HEARTH_PUT ? op->value_size : 0)) return false;
  m->operations++;
  return true;
}

void idb_mirror_discard(Mirror *m) {
  map_batch_discard(&m->batch);
  m->operations = 0;
}

static void count_entry(void *ud, MapEntry *e, int sign) {
  Mirror *m = ud;
  uint64_t bytes = (uint64_t)e->key_size + e->value_size;
  uint64_t log = log_put_size(e->table, e->key_size, e->value_size);
  m->live_bytes += sign > 0 ? bytes : 0 - bytes;
  m->live_log += sign > 0 ? log : 0 - log;
}

static int64_t log_size(MapEntry *e) {
  return (int64_t)log_put_size(e->table, e->key_size, e->value_size);
}

int64_t idb_mirror_growth(const Mirror *m) {
  return map_batch_growth(&m->batch, log_size);
}

LogStep idb_mirror_replay(Mirror *m, const LogScan *scan) {
  LogOps ops;
  LogOp op;
  log_ops(&ops, scan->payload, scan->frame.length, scan->frame_at + LOG_FRAME_SIZE);
  while (log_decode_op(&ops, &op)) {
    hearth_op plain = {.kind = op.kind, .table = op.table, .key = op.key, .key_size = op.key_size,
                       .value = op.value, .value_size = op.value_size};
    if (!idb_mirror_add(m, &plain)) return LOG_STEP_NOMEM;
  }
  if (ops.bad) return LOG_STEP_BAD;
  if (scan->frame.kind == LOG_BATCH) {
    map_batch_apply(&m->batch, count_entry, m);
    m->operations = 0;
  }
  return LOG_STEP_FRAME;
}

/* ------------------------------------------------------ apply and undo */

bool idb_mirror_prepare(const Mirror *m, UndoList *undo) {
  undo->count = m->operations;
  undo->items = NULL;
  if (undo->count == 0) return true;
  if (undo->count > SIZE_MAX / sizeof *undo->items) return false;
  undo->items = hearth_realloc(&m->map.allocator, NULL, 0, undo->count * sizeof *undo->items);
  return undo->items != NULL;
}

static void free_list(Mirror *m, UndoList *undo) {
  hearth_free(&m->map.allocator, undo->items, undo->count * sizeof *undo->items);
  undo->items = NULL;
  undo->count = 0;
}

static void take_out(Mirror *m, MapEntry *e, Undo *u) {
  map_unlink(&m->map, e);
  count_entry(m, e, -1);
  e->right = u->removed;
  u->removed = e;
}

static void apply_put(Mirror *m, MapEntry *e, Undo *u) {
  e->mark = 0;
  u->added = e;
  u->removed = map_link(&m->map, e);
  count_entry(m, e, 1);
  if (u->removed != NULL) count_entry(m, u->removed, -1);
}

static void apply_del(Mirror *m, const MapEntry *named, Undo *u) {
  MapEntry *e = map_find(&m->map, named->table, map_key(named), named->key_size);
  if (e != NULL) take_out(m, e, u);
}

static void apply_drop(Mirror *m, uint64_t table, Undo *u) {
  for (MapEntry *e; (e = map_table(&m->map, table)) != NULL && e->table == table;) take_out(m, e, u);
}

void idb_mirror_apply(Mirror *m, UndoList *undo) {
  MapEntry *e = m->batch.first;
  m->batch.first = m->batch.last = NULL;
  m->operations = 0;
  for (size_t i = 0; e != NULL; i++) {
    MapEntry *next = e->right;
    Undo *u = &undo->items[i];
    u->added = u->removed = NULL;
    if (e->mark == HEARTH_PUT) {
      apply_put(m, e, u);
    } else {
      if (e->mark == HEARTH_DEL) apply_del(m, e, u);
      else apply_drop(m, e->table, u);
      map_discard(&m->map, e); /* it only named what to take out */
    }
    e = next;
  }
}

static void undo_one(Mirror *m, Undo *u) {
  if (u->added != NULL && u->removed == NULL) map_unlink(&m->map, u->added);
  for (MapEntry *e = u->removed, *next; e != NULL; e = next) {
    next = e->right;
    (void)map_link(&m->map, e); /* takes the place of u->added, if there is one */
    count_entry(m, e, 1);
  }
  if (u->added != NULL) {
    count_entry(m, u->added, -1);
    map_discard(&m->map, u->added);
  }
}

void idb_mirror_undo(Mirror *m, UndoList *undo) {
  for (size_t i = undo->count; i > 0; i--) undo_one(m, &undo->items[i - 1]);
  free_list(m, undo);
}

void idb_mirror_settle(Mirror *m, UndoList *undo, MapEntry **marked) {
  for (size_t i = 0; i < undo->count; i++)
    for (MapEntry *e = undo->items[i].removed, *next; e != NULL; e = next) {
      next = e->right;
      if (e->mark != 0 && marked != NULL) {
        e->right = *marked;
        *marked = e;
      } else {
        map_discard(&m->map, e);
      }
    }
  free_list(m, undo);
}
