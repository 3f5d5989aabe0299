/* Writing: a batch becomes frames behind the last one, and the index changes when the last frame is there. */
#include <errno.h>
#include <inttypes.h>

#include "failure.h"
#include "store.h"

#define MOVED ESTALE /* what the sink answers when the file is not as we left it */

static const char *doing(int failure) {
  return failure == MOVED ? "write: another program has changed or replaced the file" : "write";
}

/* The file's inode and length must be what we left. */
static int check_unmoved(hearth_backend_store *store) {
  hearth_file_info now;
  int failure = store->env->stat(store->env->ud, store->names.path, &now);
  if (failure == ENOENT) return MOVED;
  if (failure != 0) return failure;
  bool same = now.device == store->was.device && now.inode == store->was.inode && now.length == store->was.length;
  return same ? 0 : MOVED;
}

static int sink_write(void *ud, uint64_t offset, const void *bytes, size_t size) {
  hearth_backend_store *store = ud;
  const hearth_environment *env = store->env;
  int failure = check_unmoved(store);
  if (failure != 0) return failure;
  store->spilled = true; /* a failed write may have written a part */
  store->mark = (LogKind)0;
  failure = env->pwrite(env->ud, store->file, offset, bytes, size);
  if (failure_is_full(failure) && index_growth(&store->index) < 0 && ballast_release(store))
    failure = env->pwrite(env->ud, store->file, offset, bytes, size); /* it frees more than it takes */
  if (failure != 0) return failure;
  store->written += size;
  if (offset + size > store->was.length) store->was.length = offset + size;
  return 0;
}

LogSink append_sink(hearth_backend_store *store) {
  return (LogSink){store, sink_write};
}

/* Cuts the file where the last whole batch ends. */
static hearth_status cut(hearth_backend_store *store, hearth_error *err) {
  int failure = store->env->truncate(store->env->ud, store->file, store->batch_at);
  if (failure != 0) return store_io(store, "cut off an unfinished batch", failure, err);
  store->was.length = store->batch_at;
  store->spilled = false;
  store->mark = (LogKind)0;
  return HEARTH_OK;
}

hearth_status append_mark(hearth_backend_store *store, LogKind kind, hearth_error *err) {
  LogWriter *w = &store->writer;
  w->sequence = store->sequence;
  w->synced = store->durable;
  w->time = store->env->clock(store->env->ud);
  if (log_writer_mark(w, kind) == LOG_WRITTEN) {
    store->spilled = false;
    store->mark = kind;
    return HEARTH_OK;
  }
  if (!failure_is_full(w->failure)) return store_io(store, doing(w->failure), w->failure, err);
  return cut(store, err); /* part of it may be there */
}

hearth_status append_abandon(hearth_backend_store *store, hearth_error *err) {
  map_batch_discard(&store->index.batch);
  log_writer_forget(&store->writer);
  store->writer.at = store->batch_at;
  store->writer.chain = store->batch_chain;
  store->in_batch = false;
  if (!store->spilled || store->dead) return HEARTH_OK;
  hearth_status status = cut(store, err);
  if (status == HEARTH_OK && store->durable == store->sequence) status = append_mark(store, LOG_SYNCED, err);
  return status;
}

/* The batch failed with `status`, which `err` tells: leave the store as it was before. */
static hearth_status undo(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  hearth_error worse;
  if (append_abandon(store, &worse) == HEARTH_OK) return status;
  *err = worse;
  return worse.code;
}

static hearth_status writer_status(hearth_backend_store *store, LogResult result, hearth_error *err) {
  int failure = store->writer.failure;
  if (result == LOG_WRITTEN) return HEARTH_OK;
  if (result == LOG_NO_MEMORY) return failure_nomem(err, store->names.path);
  if (failure_is_full(failure)) return failure_status(err, store->names.path, "write", failure);
  (void)store_io(store, doing(failure), failure, err);
  return err->code = failure == MOVED ? HEARTH_DEAD : err->code; /* known not to be there: not open, as after IO */
}

typedef struct Comparison {
  const hearth_op *op;
  bool equal;
} Comparison;

static int compare_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                         size_t value_size) {
  Comparison *c = ud;
  (void)table;
  (void)key;
  (void)key_size;
  c->equal = value_size == c->op->value_size && (value_size == 0 || memcmp(value, c->op->value, value_size) == 0);
  return 0;
}

/* A check looks at the store before this batch. */
static hearth_status check(hearth_backend_store *store, const hearth_op *op, size_t number, hearth_error *err) {
  Comparison c = {op, false};
  bool holds = map_find(&store->index.map, op->table, op->key, op->key_size) == NULL;
  if (op->kind == HEARTH_CHECK_EQUAL) {
    hearth_status status =
        holds ? HEARTH_OK : read_get(store, op->table, op->key, op->key_size, compare_value, &c, err);
    if (status != HEARTH_OK) return status;
    holds = c.equal;
  }
  if (holds) return HEARTH_OK;
  return hearth_fail(err, HEARTH_CONFLICT, "%s: the check of operation %zu failed", store->names.path, number);
}

static void begin(hearth_backend_store *store) {
  LogWriter *w = &store->writer;
  if (store->in_batch) return;
  store->in_batch = true;
  w->sequence = store->sequence + 1;
  w->synced = store->durable;
  w->time = store->env->clock(store->env->ud);
}

static hearth_status add_ops(hearth_backend_store *store, const hearth_op *ops, size_t count, hearth_error *err) {
  for (size_t i = 0; i < count; i++) {
    const hearth_op *op = &ops[i];
    if (op->kind == HEARTH_CHECK_EQUAL || op->kind == HEARTH_CHECK_ABSENT) {
      hearth_status status = check(store, op, i + 1, err);
      if (status != HEARTH_OK) return status;
      continue;
    }
    LogOp logged = {.kind = op->kind, .table = op->table, .key = op->key, .key_size = op->key_size,
                    .value = op->value, .value_size = op->value_size};
    hearth_status status = writer_status(store, log_writer_op(&store->writer, &logged), err);
    if (status != HEARTH_OK) return status;
    if (!index_add(&store->index, op, logged.value_at)) return failure_nomem(err, store->names.path);
  }
  return HEARTH_OK;
}

/* The last part is there: its frame commits the batch. */
static hearth_status finish(hearth_backend_store *store, hearth_error *err) {
  if (store->index.batch.first == NULL) { /* nothing but checks: nothing to write, and no number for it */
    store->in_batch = false;
    return HEARTH_OK;
  }
  hearth_status status = writer_status(store, log_writer_end(&store->writer, false), err);
  if (status != HEARTH_OK) return status;
  index_apply(&store->index);
  store->sequence++;
  store->time = store->writer.time;
  store->batch_at = store->writer.at;
  store->batch_chain = store->writer.chain;
  store->in_batch = store->spilled = false;
  return HEARTH_OK;
}

/* Inside an unfinished batch its next frame will say that the batches before are safe; until then a mark does. */
static hearth_status prove_inside(hearth_backend_store *store, hearth_error *err) {
  LogWriter *w = &store->writer;
  hearth_status status = HEARTH_OK;
  if (!store->spilled) status = append_mark(store, LOG_SYNCED, err); /* behind parts a mark has no place */
  w->sequence = store->sequence + 1;
  w->synced = store->durable;
  return status;
}

hearth_status append_sync(hearth_backend_store *store, hearth_error *err) {
  if (store->durable == store->sequence) return HEARTH_OK;
  int failure = store->env->sync(store->env->ud, store->file);
  if (failure != 0) return store_io(store, "flush to the device", failure, err);
  store->synced++;
  store->durable = store->sequence;
  store->last_sync = store->env->clock(store->env->ud);
  return store->in_batch ? prove_inside(store, err) : append_mark(store, LOG_SYNCED, err);
}

static bool sync_is_due(const hearth_backend_store *store) {
  uint64_t now = store->env->clock(store->env->ud);
  return now < store->last_sync || now - store->last_sync >= STORE_SYNC_EVERY; /* the clock may have been set back */
}

hearth_status append_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                            hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = store_writable(store, err);
  if (status != HEARTH_OK) return status;
  status = contract_level(&hearth_file_backend, &level, err);
  if (status == HEARTH_OK) status = contract_check(ops, count, flags, err);
  if (status != HEARTH_OK) return undo(store, status, err);
  if ((flags & HEARTH_BATCH_ABANDON) != 0) return append_abandon(store, err);
  uint64_t before = store->sequence;
  begin(store);
  status = add_ops(store, ops, count, err);
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) != 0) return HEARTH_OK;
  if (status == HEARTH_OK) status = finish(store, err);
  if (status != HEARTH_OK) return undo(store, status, err);
  if (sequence != NULL) *sequence = store->sequence;
  if (level == HEARTH_DURABLE || sync_is_due(store)) status = append_sync(store, err);
  if (status != HEARTH_OK) return status;
  if (store->sequence != before) {
    ballast_make(store);
    compact_when_due(store);
  }
  return HEARTH_OK;
}

hearth_status append_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK) status = contract_level(&hearth_file_backend, &level, err);
  if (status == HEARTH_OK && level == HEARTH_DURABLE && !store->readonly) status = append_sync(store, err);
  return status;
}
