/* Writing: a batch becomes frames for the host, and the mirror changes when the last one was handed over. */
#include <errno.h>

#include "failure.h"
#include "store.h"

static int sink_write(void *ud, uint64_t offset, const void *bytes, size_t size) {
  hearth_backend_store *store = ud;
  (void)offset; /* the host appends, and counts as we do */
  store->answer = idb_host_append(store->handle, bytes, size, store->last, store->level);
  if (store->answer < 0) {
    store->handed = false; /* the host has forgotten them */
    return EIO;
  }
  store->handed = store->last == IDB_MORE;
  store->written += size;
  return 0;
}

LogSink idb_append_sink(hearth_backend_store *store) {
  return (LogSink){store, sink_write};
}

void idb_append_abandon(hearth_backend_store *store) {
  idb_mirror_discard(&store->mirror);
  log_writer_forget(&store->writer);
  if (store->handed) (void)idb_host_forget(store->handle);
  store->writer.salt = store->place.salt;
  store->writer.at = store->place.at;
  store->writer.chain = store->place.chain;
  store->in_batch = store->handed = false;
  store->broken = HEARTH_OK;
}

static hearth_status writer_status(hearth_backend_store *store, LogResult result, hearth_error *err) {
  if (result == LOG_WRITTEN) return HEARTH_OK;
  if (result == LOG_NO_MEMORY) return failure_nomem(err, store->name);
  return idb_store_refused(store, "write", store->answer, err);
}

/* A check looks at the store before this batch, what is pending included. */
static hearth_status check(hearth_backend_store *store, const hearth_op *op, size_t number, hearth_error *err) {
  MapEntry *e = map_find(&store->mirror.map, op->table, op->key, op->key_size);
  bool holds = e == NULL;
  if (op->kind == HEARTH_CHECK_EQUAL)
    holds = e != NULL && e->value_size == op->value_size &&
            (op->value_size == 0 || memcmp(map_value(e), op->value, op->value_size) == 0);
  if (holds) return HEARTH_OK;
  return hearth_fail(err, HEARTH_CONFLICT, "%s: the check of operation %zu failed", store->name, number);
}

/* The header goes with the first batch, in its transaction. */
static hearth_status begin_log(hearth_backend_store *store, hearth_error *err) {
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .first = 1,
                 .time = store->writer.time};
  hearth_status status = idb_store_random(store, &h.salt, sizeof h.salt, err);
  return status == HEARTH_OK ? writer_status(store, log_writer_header(&store->writer, &h), err) : status;
}

static hearth_status begin(hearth_backend_store *store, hearth_error *err) {
  LogWriter *w = &store->writer;
  if (store->in_batch) return HEARTH_OK;
  store->in_batch = true;
  store->last = IDB_MORE;
  w->sequence = store->submitted + 1;
  w->synced = store->durable;
  w->time = idb_store_clock(store);
  return w->at == 0 ? begin_log(store, err) : HEARTH_OK;
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
    if (!idb_mirror_add(&store->mirror, op)) return failure_nomem(err, store->name);
  }
  return HEARTH_OK;
}

/* Is the last thing under way going to bring everything to the device? */
static bool durable_ahead(const hearth_backend_store *store) {
  for (const Pending *p = store->latest; p != NULL; p = p->prev)
    if (p->kind != PENDING_REPLACE) return p->durable;
  return false;
}

hearth_status idb_append_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_status status = store->readonly ? idb_store_alive(store, err) : idb_store_writable(store, err);
  if (status == HEARTH_OK) status = contract_level(&hearth_indexeddb_backend, &level, err);
  if (status != HEARTH_OK || store->readonly || level == HEARTH_VISIBLE) return status;
  bool complete = store->sequence == store->submitted;
  store->awaited = store->submitted;
  if (complete && (level == HEARTH_COMPLETE || store->durable == store->submitted)) return HEARTH_OK;
  if (level == HEARTH_COMPLETE || durable_ahead(store)) return idb_store_pending(err);
  Pending *p = idb_pending_make(store, PENDING_FLUSH);
  if (p == NULL) return failure_nomem(err, store->name);
  int ticket = idb_host_flush(store->handle, HEARTH_DURABLE);
  if (ticket < 0) {
    idb_pending_free(store, p);
    return idb_store_refused(store, "flush", ticket, err);
  }
  p->durable = true;
  idb_pending_add(store, p, ticket);
  return idb_store_pending(err);
}

static bool sync_is_due(const hearth_backend_store *store) {
  uint64_t now = idb_store_clock(store);
  return now < store->last_sync || now - store->last_sync >= STORE_SYNC_EVERY; /* the clock may have been set back */
}

/* The last part is there: its frame commits the batch. */
static hearth_status finish(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  if (store->mirror.operations == 0) { /* nothing but checks: nothing to write, and no number for it */
    idb_append_abandon(store);
    return idb_append_barrier(store, level, err);
  }
  Pending *p = idb_pending_make(store, PENDING_BATCH);
  if (p == NULL) return failure_nomem(err, store->name);
  p->durable = level == HEARTH_DURABLE || sync_is_due(store);
  store->level = p->durable ? HEARTH_DURABLE : HEARTH_COMPLETE;
  store->last = idb_mirror_growth(&store->mirror) < 0 ? IDB_LAST_SHRINKS : IDB_LAST;
  hearth_status status = idb_mirror_prepare(&store->mirror, &p->undo)
                             ? writer_status(store, log_writer_end(&store->writer, false), err)
                             : failure_nomem(err, store->name);
  store->last = IDB_MORE;
  if (status != HEARTH_OK) {
    if (p->undo.items == NULL) p->undo.count = 0;
    idb_pending_free(store, p);
    return status;
  }
  idb_mirror_apply(&store->mirror, &p->undo);
  store->submitted++;
  store->place = (Place){.salt = store->writer.salt, .at = store->writer.at, .chain = store->writer.chain};
  store->in_batch = false;
  idb_pending_add(store, p, store->answer);
  if (level > HEARTH_VISIBLE) store->awaited = store->submitted;
  idb_compact_when_due(store);
  return level > HEARTH_VISIBLE ? HEARTH_PENDING : HEARTH_OK;
}

static hearth_status broken(hearth_backend_store *store, hearth_error *err) {
  return hearth_fail(err, store->broken, "%s: a batch that this one was stacked on failed", store->name);
}

static hearth_status submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                            hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = idb_store_writable(store, err);
  if (status == HEARTH_OK) status = contract_level(&hearth_indexeddb_backend, &level, err);
  if (status == HEARTH_OK) status = contract_check(ops, count, flags, err);
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_ABANDON) != 0) {
    idb_append_abandon(store);
    return HEARTH_OK;
  }
  if (status == HEARTH_OK && store->broken != HEARTH_OK) status = broken(store, err);
  if (status == HEARTH_OK) status = begin(store, err);
  if (status == HEARTH_OK) status = add_ops(store, ops, count, err);
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) != 0) return HEARTH_OK;
  if (status == HEARTH_OK) status = finish(store, level, err);
  if (status < 0) {
    idb_append_abandon(store);
    return status;
  }
  if (sequence != NULL) *sequence = store->submitted;
  return status == HEARTH_PENDING ? idb_store_pending(err) : HEARTH_OK;
}

hearth_status idb_append_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = submit(store, ops, count, flags, level, sequence, err);
  idb_compact_go_on(store);
  return status;
}
