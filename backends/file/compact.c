/*
** Compaction: what lives is written to a new file beside the old one, synced,
** read back, and given the old one's name. Until then the old file is untouched.
*/
#include <errno.h>
#include <inttypes.h>

#include "failure.h"
#include "store.h"

typedef struct Compaction {
  hearth_backend_store *store;
  hearth_file file;
  LogWriter writer;
  LogHeader header;
  Index past;        /* the state at the end of the base, when batches after it are kept */
  LogScan old;       /* the old log, when batches are kept */
  LogInput from;
  Index index;       /* of the new file */
  LogScan scan;
  LogInput fresh;
} Compaction;

static int sink_write(void *ud, uint64_t offset, const void *bytes, size_t size) {
  Compaction *c = ud;
  const hearth_environment *env = c->store->env;
  int failure = env->pwrite(env->ud, c->file, offset, bytes, size);
  if (failure_is_full(failure) && ballast_release(c->store))
    failure = env->pwrite(env->ud, c->file, offset, bytes, size);
  if (failure == 0) c->store->written += size;
  return failure;
}

static hearth_status written(Compaction *c, LogResult result, hearth_error *err) {
  if (result == LOG_WRITTEN) return HEARTH_OK;
  if (result == LOG_NO_MEMORY) return failure_nomem(err, c->store->names.path);
  return failure_status(err, c->store->names.fresh, "write", c->writer.failure);
}

/* One batch with all entries of an index: what was there after batch `sequence`, and as if it were that. */
static hearth_status write_base(Compaction *c, const Index *index, uint64_t sequence, uint64_t time,
                                hearth_error *err) {
  hearth_backend_store *store = c->store;
  Stretch stretch = {.at = 0};
  MapRange all;
  hearth_status status = HEARTH_OK;
  buffer_init(&stretch.bytes, &store->allocator);
  c->writer.sequence = sequence;
  c->writer.time = time;
  c->writer.synced = sequence - 1;
  map_from(&index->map, 0, NULL, 0, &all);
  for (MapEntry *e; status == HEARTH_OK && (e = map_range_next(&all)) != NULL;) {
    LogOp op = {.kind = HEARTH_PUT, .table = e->table, .key = map_key(e), .key_size = e->key_size};
    status = read_value(store, e, &stretch, &op.value, err);
    op.value_size = index_place(e).size;
    if (status == HEARTH_OK) status = written(c, log_writer_op(&c->writer, &op), err);
  }
  buffer_free(&stretch.bytes);
  return status == HEARTH_OK ? written(c, log_writer_end(&c->writer, false), err) : status;
}

/* The frame that the old scan stands on, written again in its new place. */
static hearth_status write_kept(Compaction *c, hearth_error *err) {
  const LogFrame *f = &c->old.frame;
  LogOps ops;
  LogOp op;
  hearth_status status = HEARTH_OK;
  c->writer.sequence = f->sequence;
  c->writer.time = f->time;
  c->writer.synced = f->sequence - 1;
  log_ops(&ops, c->old.payload, f->length, c->old.frame_at + LOG_FRAME_SIZE);
  while (status == HEARTH_OK && log_decode_op(&ops, &op)) status = written(c, log_writer_op(&c->writer, &op), err);
  if (status == HEARTH_OK && f->kind == LOG_BATCH) status = written(c, log_writer_end(&c->writer, false), err);
  return status;
}

static hearth_status old_step(Compaction *c, LogStep step, hearth_error *err) {
  if (step == LOG_STEP_BAD || step == LOG_STEP_END)
    return hearth_fail_at(err, HEARTH_DAMAGED, c->old.at,
                          "%s: damaged at byte %" PRIu64 ": a frame has changed since it was read",
                          c->store->names.path, c->old.at);
  return logfile_step_status(c->store->names.path, &c->old, step, err);
}

/* The base is the state before batch `first_kept`; the batches from there on follow it. */
static hearth_status write_with_kept(Compaction *c, uint64_t first_kept, hearth_error *err) {
  hearth_backend_store *store = c->store;
  LogSource source = logfile_source(&c->from, store->batch_at);
  LogHeaderState state;
  LogStep step;
  hearth_status status = HEARTH_OK;
  c->from = (LogInput){store->env, store->file};
  log_scan_init(&c->old, &source, &store->allocator);
  step = log_scan_header(&c->old, &state);
  if (step != LOG_STEP_FRAME) return old_step(c, step, err);
  while (c->old.sequence + 1 < first_kept) {
    step = log_scan_next(&c->old);
    if (step == LOG_STEP_FRAME) step = index_replay(&c->past, &c->old);
    if (step != LOG_STEP_FRAME) return old_step(c, step, err);
  }
  if (c->header.first < first_kept) status = write_base(c, &c->past, c->header.first, c->old.frame.time, err);
  while (status == HEARTH_OK && c->old.sequence < store->sequence) {
    step = log_scan_next(&c->old);
    if (step != LOG_STEP_FRAME) return old_step(c, step, err);
    status = write_kept(c, err);
  }
  return status;
}

static hearth_status write_log(Compaction *c, unsigned keep, hearth_error *err) {
  hearth_backend_store *store = c->store;
  uint64_t sequence = store->sequence, first = store->header.first;
  uint64_t first_kept = keep < sequence ? sequence - keep + 1 : 1;
  if (first_kept < first) first_kept = first;
  c->header = (LogHeader){.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION,
                          .first = first_kept > first ? first_kept - 1 : first, .synced = sequence};
  int failure = store->env->random(store->env->ud, &c->header.salt, sizeof c->header.salt);
  if (failure != 0) return failure_status(err, store->names.path, "get random bytes", failure);
  c->header.time = store->env->clock(store->env->ud);
  hearth_status status = written(c, log_writer_header(&c->writer, &c->header), err);
  if (status != HEARTH_OK || sequence == 0) return status;
  if (keep == 0) return write_base(c, &store->index, sequence, store->time, err);
  return write_with_kept(c, first_kept, err);
}

/* What is in the new file is what counts: its index comes from reading it. */
static hearth_status read_back(Compaction *c, hearth_error *err) {
  hearth_backend_store *store = c->store;
  LogHeaderState state;
  c->fresh = (LogInput){store->env, c->file};
  LogSource source = logfile_source(&c->fresh, c->writer.at);
  log_scan_init(&c->scan, &source, &store->allocator);
  LogStep step = log_scan_header(&c->scan, &state);
  while (step == LOG_STEP_FRAME) {
    step = log_scan_next(&c->scan);
    if (step == LOG_STEP_FRAME) step = index_replay(&c->index, &c->scan);
  }
  if (step == LOG_STEP_END && c->scan.end == c->writer.at && c->scan.sequence == store->sequence &&
      c->index.map.count == store->index.map.count)
    return HEARTH_OK;
  if (step == LOG_STEP_IO || step == LOG_STEP_NOMEM)
    return logfile_step_status(store->names.fresh, &c->scan, step, err);
  return hearth_fail_at(err, HEARTH_IO, c->scan.at, "%s: cannot be read back at byte %" PRIu64, store->names.fresh,
                        c->scan.at);
}

/* From here on a failure leaves it open which file has the name: the store is dead then. */
static hearth_status rename_over(Compaction *c, hearth_error *err) {
  hearth_backend_store *store = c->store;
  const hearth_environment *env = store->env;
  hearth_file_info now, fresh;
  int failure = env->file_stat(env->ud, c->file, &fresh);
  if (failure != 0) return failure_io(err, store->names.fresh, "look at it", failure);
  failure = env->stat(env->ud, store->names.path, &now);
  bool same = failure == 0 && now.device == store->was.device && now.inode == store->was.inode &&
              now.length == store->was.length;
  if (failure == 0 && !same) failure = ESTALE;
  if (failure != 0) return store_io(store, "find the file as it was left", failure, err);
  failure = env->rename(env->ud, store->names.fresh, store->names.path);
  if (failure != 0) return store_io(store, "put the compacted file in place", failure, err);
  (void)env->close(env->ud, store->file);
  store->file = c->file;
  store->was = fresh;
  failure = env->sync_folder(env->ud, store->names.folder);
  return failure == 0 ? HEARTH_OK : store_io(store, "flush the folder to the device", failure, err);
}

static void take_over(Compaction *c) {
  hearth_backend_store *store = c->store;
  index_free(&store->index);
  cache_clear(&store->cache);
  store->index = c->index;
  store->index.batch.map = &store->index.map;
  index_init(&c->index, &store->allocator);
  store_adopt(store, &c->scan);
  store->durable = store->sequence;
  store->synced++;
  store->spilled = false;
  store->compact_above = 0;
}

static hearth_status run(Compaction *c, unsigned keep, bool *placed, hearth_error *err) {
  hearth_backend_store *store = c->store;
  hearth_status status = write_log(c, keep, err);
  if (status != HEARTH_OK) return status;
  int failure = store->env->sync(store->env->ud, c->file);
  if (failure != 0) return failure_status(err, store->names.fresh, "flush to the device", failure);
  status = read_back(c, err);
  if (status != HEARTH_OK) return status;
  status = rename_over(c, err);
  *placed = store->file == c->file;
  if (*placed) take_over(c);
  /* the mark says that the name is on the device too: opening would sync the folder otherwise */
  return status == HEARTH_OK ? append_mark(store, LOG_SYNCED, err) : status;
}

hearth_status compact_store(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  const hearth_environment *env = store->env;
  hearth_status status = store_writable(store, err);
  if (status != HEARTH_OK) return status;
  if (store->in_batch)
    return hearth_fail(err, HEARTH_BUSY, "%s: cannot be compacted while a batch in parts is open", store->names.path);
  (void)env->unlink(env->ud, store->names.fresh); /* one that a crash left behind */
  Compaction c = {.store = store};
  int failure = logfile_make(env, store->names.fresh, &store->file, &c.file);
  if (failure != 0) {
    status = failure_status(err, store->names.fresh, "make it", failure);
    return status == HEARTH_IO ? store_die(store, err) : status;
  }
  LogSink sink = {&c, sink_write};
  LogSource none = {0};
  log_writer_init(&c.writer, &sink, &store->allocator);
  index_init(&c.past, &store->allocator);
  index_init(&c.index, &store->allocator);
  log_scan_init(&c.old, &none, &store->allocator);
  log_scan_init(&c.scan, &none, &store->allocator);
  bool placed = false;
  status = run(&c, keep, &placed, err);
  log_writer_free(&c.writer);
  index_free(&c.past);
  index_free(&c.index);
  log_scan_free(&c.old);
  log_scan_free(&c.scan);
  if (!placed) {
    (void)env->close(env->ud, c.file);
    if (!store->dead) (void)env->unlink(env->ud, store->names.fresh); /* dead: the rename may have happened */
  }
  if (status == HEARTH_IO) return store_die(store, err);
  store->ballast_tried = false;
  ballast_make(store);
  return status;
}

static uint64_t dead_bytes(const hearth_backend_store *store) {
  return store->batch_at - LOG_HEADER_SIZE - store->index.live_log;
}

/* Small stores and small gains are not worth it, unless the disk is full and each byte counts. */
static uint64_t dead_limit(const hearth_backend_store *store) {
  uint64_t live = store->index.live_log;
  return store->ballast_given || live > STORE_LEAST_DEAD ? live : STORE_LEAST_DEAD;
}

/* What is kept counts as dead: only when as many batches can go as stay is a compaction worth it. */
static bool has_enough_batches(const hearth_backend_store *store) {
  return store->keep == 0 || store->sequence - store->header.first >= 2 * (uint64_t)store->keep;
}

void compact_when_due(hearth_backend_store *store) {
  hearth_error err;
  uint64_t dead = dead_bytes(store);
  if (dead <= dead_limit(store) || dead <= store->compact_above || !has_enough_batches(store)) return;
  if (compact_store(store, store->keep, &err) == HEARTH_OK) return;
  store->compact_above = dead + dead_limit(store) / 4; /* not again at every batch */
  file_warn(store, "compaction failed and will be tried later: %s", err.message);
}
