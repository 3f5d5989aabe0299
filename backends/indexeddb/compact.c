/*
** Compaction: what lives is written as a new generation, one record of about a megabyte
** after the other, while the store goes on. The new log is one batch that holds every
** entry and has the number that was current when compaction began, the base. Batches that were submitted
** since follow it in the last record: the last of them carries all that changed, those before it are
** empty, so that the numbers are right.
**
** An entry of the mirror with a mark has been written to the new generation. A marked entry that
** leaves the mirror for good is kept as `deleted`; one that a pending batch took out is in its undo
** list and comes back with its mark when the batch fails.
*/
#include <inttypes.h>

#include "failure.h"
#include "store.h"

static int sink_collect(void *ud, uint64_t offset, const void *bytes, size_t size) {
  Compaction *c = ud;
  (void)offset;
  buffer_put(&c->record, bytes, size);
  return 0; /* the buffer remembers when memory runs out */
}

void idb_compact_init(hearth_backend_store *store) {
  Compaction *c = &store->compaction;
  LogSink sink = {c, sink_collect};
  log_writer_init(&c->writer, &sink, &store->allocator);
  buffer_init(&c->record, &store->allocator);
}

void idb_compact_free(hearth_backend_store *store) {
  Compaction *c = &store->compaction;
  for (MapEntry *e = c->deleted, *next; e != NULL; e = next) {
    next = e->right;
    map_discard(&store->mirror.map, e);
  }
  c->deleted = NULL;
  log_writer_free(&c->writer);
  buffer_free(&c->record);
  c->running = c->asked = c->replacing = c->waiting = c->walking = false;
  c->ticket = 0;
}

static uint64_t dead_bytes(const hearth_backend_store *store) {
  return store->place.at < LOG_HEADER_SIZE ? 0 : store->place.at - LOG_HEADER_SIZE - store->mirror.live_log;
}

/* Small stores and small gains are not worth it, unless the database is full and each byte counts. */
static uint64_t dead_limit(const hearth_backend_store *store) {
  uint64_t live = store->mirror.live_log;
  return store->full || live > STORE_LEAST_DEAD ? live : STORE_LEAST_DEAD;
}

/* -------------------------------------------------------------- writing */

static void write_op(Compaction *c, hearth_op_kind kind, MapEntry *e) {
  LogOp op = {.kind = kind, .table = e->table, .key = map_key(e), .key_size = e->key_size,
              .value = map_value(e), .value_size = e->value_size};
  if (log_writer_op(&c->writer, &op) == LOG_NO_MEMORY) c->record.failed = true;
  e->mark = 1;
}

static void end_batch(Compaction *c) {
  if (log_writer_end(&c->writer, false) == LOG_NO_MEMORY) c->record.failed = true;
}

/* Where the walk goes on: the map may have changed since. */
static MapEntry *walk_on(hearth_backend_store *store, MapRange *range) {
  const Compaction *c = &store->compaction;
  MapEntry *e = c->walking ? map_after(&store->mirror.map, c->table, c->key, c->key_size)
                           : map_table(&store->mirror.map, 0);
  if (e != NULL) map_from(&store->mirror.map, e->table, map_key(e), e->key_size, range);
  return e != NULL ? map_range_next(range) : NULL;
}

/* Writes entries until a frame is full: true when none is left. */
static bool walk(hearth_backend_store *store) {
  Compaction *c = &store->compaction;
  size_t before = c->record.size;
  MapEntry *last = NULL;
  MapRange range;
  MapEntry *e = walk_on(store, &range);
  for (; e != NULL && c->record.size == before && !c->record.failed; e = map_range_next(&range)) {
    if (e->mark == 0) write_op(c, HEARTH_PUT, e);
    last = e;
  }
  if (last != NULL) {
    c->walking = true;
    c->table = last->table;
    c->key_size = last->key_size;
    if (last->key_size > 0) memcpy(c->key, map_key(last), last->key_size);
  }
  return e == NULL;
}

static void write_deleted(Compaction *c, MapEntry *list) {
  for (MapEntry *e = list; e != NULL; e = e->right)
    if (e->mark != 0) write_op(c, HEARTH_DEL, e);
}

/* What changed since it was written, as the last of the batches that were submitted since. */
static void write_changes(hearth_backend_store *store) {
  Compaction *c = &store->compaction;
  while (c->writer.sequence + 1 < store->submitted) {
    c->writer.sequence++;
    end_batch(c);
  }
  c->writer.sequence = store->submitted;
  write_deleted(c, c->deleted);
  for (Pending *p = store->first; p != NULL; p = p->next)
    for (size_t i = 0; i < p->undo.count; i++) write_deleted(c, p->undo.items[i].removed);
  MapRange all;
  map_from(&store->mirror.map, 0, NULL, 0, &all);
  for (MapEntry *e; (e = map_range_next(&all)) != NULL;)
    if (e->mark == 0) write_op(c, HEARTH_PUT, e);
  end_batch(c);
}

/* --------------------------------------------------------------- steps */

static hearth_status hand_piece(hearth_backend_store *store, hearth_error *err) {
  Compaction *c = &store->compaction;
  int ticket = idb_host_piece(store->handle, c->record.data, c->record.size);
  if (ticket < 0) return idb_store_refused(store, "write while compacting", ticket, err);
  c->ticket = ticket;
  store->written += c->record.size;
  return HEARTH_OK;
}

/* From here on the log goes on in the new generation, unless this fails. */
static hearth_status hand_last(hearth_backend_store *store, hearth_error *err) {
  Compaction *c = &store->compaction;
  Pending *p = idb_pending_make(store, PENDING_REPLACE);
  if (p == NULL) return failure_nomem(err, store->name);
  int ticket = idb_host_replace(store->handle, c->record.data, c->record.size);
  if (ticket < 0) {
    idb_pending_free(store, p);
    return idb_store_refused(store, "end compacting", ticket, err);
  }
  p->durable = true;
  idb_pending_add(store, p, ticket);
  store->written += c->record.size;
  store->place = (Place){.salt = c->writer.salt, .at = c->writer.at, .chain = c->writer.chain};
  store->writer.salt = c->writer.salt;
  store->writer.at = c->writer.at;
  store->writer.chain = c->writer.chain;
  c->replacing = true;
  c->ticket = 0;
  return HEARTH_OK;
}

static hearth_status step(hearth_backend_store *store, hearth_error *err) {
  Compaction *c = &store->compaction;
  bool all = walk(store);
  if (all) {
    end_batch(c);
    if (store->submitted > c->base) write_changes(store);
  }
  if (c->record.failed) return failure_nomem(err, store->name);
  hearth_status status = all ? hand_last(store, err) : hand_piece(store, err);
  buffer_clear(&c->record);
  return status;
}

static void clear_marks(hearth_backend_store *store) {
  MapRange all;
  map_from(&store->mirror.map, 0, NULL, 0, &all);
  for (MapEntry *e; (e = map_range_next(&all)) != NULL;) e->mark = 0;
  for (Pending *p = store->first; p != NULL; p = p->next)
    for (size_t i = 0; i < p->undo.count; i++)
      for (MapEntry *e = p->undo.items[i].removed; e != NULL; e = e->right) e->mark = 0;
}

static hearth_status begin(hearth_backend_store *store, hearth_error *err) {
  Compaction *c = &store->compaction;
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .first = store->submitted,
                 .time = idb_store_clock(store), .synced = store->submitted};
  hearth_status status = idb_store_random(store, &h.salt, sizeof h.salt, err);
  if (status != HEARTH_OK) return status;
  int answer = idb_host_compact(store->handle);
  if (answer < 0) return idb_store_refused(store, "compact", answer, err);
  clear_marks(store);
  c->running = true;
  c->base = store->submitted;
  c->writer.sequence = c->base;
  c->writer.time = h.time;
  c->writer.synced = c->base - 1;
  (void)log_writer_header(&c->writer, &h);
  return step(store, err);
}

/* ---------------------------------------------------------------- ends */

void idb_compact_failed(hearth_backend_store *store, hearth_status status, const char *reason) {
  bool asked = store->compaction.asked;
  (void)idb_host_stay(store->handle);
  idb_compact_free(store);
  uint64_t dead = dead_bytes(store);
  store->compact_above = dead + dead_limit(store) / 4; /* not again at every batch */
  if (status == HEARTH_FULL) store->full = true;
  if (asked) idb_pending_note(store, status, reason);
  else if (!store->dead) idb_store_warn(store, "compaction failed and will be tried later: %s", reason);
}

void idb_compact_replaced(hearth_backend_store *store) {
  idb_compact_free(store);
  store->compact_above = 0;
  store->full = false;
}

/* A step failed: nobody waits for its answer but poll. */
static void give_up(hearth_backend_store *store, const hearth_error *err) {
  if (store->dead) idb_pending_note(store, err->code, err->message);
  if (store->dead) store->failed = store->first;
  idb_compact_failed(store, err->code, err->message);
}

void idb_compact_settled(hearth_backend_store *store, hearth_status status, const char *reason) {
  store->compaction.ticket = 0;
  store->compaction.waiting = true;
  if (status < 0) idb_compact_failed(store, status, reason);
  else idb_compact_go_on(store);
}

void idb_compact_go_on(hearth_backend_store *store) {
  hearth_error err;
  if (!store->compaction.waiting || store->in_batch) return;
  store->compaction.waiting = false;
  if (step(store, &err) != HEARTH_OK) give_up(store, &err);
}

void idb_compact_when_due(hearth_backend_store *store) {
  hearth_error err;
  uint64_t dead = dead_bytes(store);
  if (store->readonly || store->compaction.running || store->in_batch || store->failure.code != HEARTH_OK) return;
  if (dead <= dead_limit(store) || dead <= store->compact_above) return;
  if (begin(store, &err) != HEARTH_OK) give_up(store, &err);
}

hearth_status idb_compact_store(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  hearth_status status = idb_store_writable(store, err);
  if (status != HEARTH_OK) return status;
  if (store->in_batch)
    return hearth_fail(err, HEARTH_BUSY, "%s: cannot be compacted while a batch in parts is open", store->name);
  if (keep > 0)
    return hearth_fail(err, HEARTH_UNSUPPORTED, "%s: compaction in IndexedDB keeps no earlier batches", store->name);
  if (store->submitted == 0) return HEARTH_OK;
  if (!store->compaction.running) status = begin(store, err);
  if (status != HEARTH_OK) {
    if (store->compaction.running) (void)idb_host_stay(store->handle);
    idb_compact_free(store);
    return status;
  }
  store->compaction.asked = true;
  return idb_store_pending(err);
}
