/*
** Opening what is there: the log is read into the index; a torn tail is cut off,
** and refused when it had been on the device; and what may be in the page cache only is
** written again and synced before anybody builds on it.
*/
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "encode.h"
#include "failure.h"
#include "store.h"

#define COPY ((size_t)256 << 10)
#define TRIES 4      /* how often a reader starts again while a writer changes the file */
#define TAIL_NAMES 100

/* Where a batch ends and the next begins. */
typedef struct BatchEnd {
  uint64_t at, chain, sequence;
} BatchEnd;

typedef struct Recovery {
  hearth_backend_store *store;
  LogInput from;
  LogScan scan;
  BatchEnd proven;    /* every frame before it is on the device */
  bool named;         /* and so is the name of the file: something was written after the folder was synced */
  bool torn;          /* the log does not end where the last whole batch and its mark do */
} Recovery;

/* ----------------------------------------------------------- creating */

/* A whole header under another name first, so that a crash never leaves half a header under this one. */
static int write_fresh(hearth_backend_store *store, hearth_file file) {
  const hearth_environment *env = store->env;
  unsigned char bytes[LOG_HEADER_SIZE];
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .first = 1};
  int failure = env->random(env->ud, &h.salt, sizeof h.salt);
  if (failure != 0) return failure;
  h.time = env->clock(env->ud);
  log_encode_header(bytes, &h);
  failure = env->pwrite(env->ud, file, 0, bytes, sizeof bytes);
  if (failure == 0) store->written += sizeof bytes;
  return failure == 0 ? env->sync(env->ud, file) : failure;
}

/* Takes the name, so that nothing that appeared there meanwhile is overwritten. */
static int claim(const hearth_environment *env, const char *path) {
  hearth_file file;
  int failure = env->open(env->ud, path, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file);
  return failure == 0 ? env->close(env->ud, file) : failure;
}

/* Who may not open an empty file may not open the store that it becomes. */
static int make_fresh(hearth_backend_store *store, bool exists, hearth_file *file) {
  const hearth_environment *env = store->env;
  hearth_file empty;
  if (!exists) return logfile_make(env, store->names.fresh, NULL, file);
  int failure = env->open(env->ud, store->names.path, 0, &empty);
  if (failure != 0) return failure;
  failure = logfile_make(env, store->names.fresh, &empty, file);
  (void)env->close(env->ud, empty);
  return failure;
}

hearth_status recover_create(hearth_backend_store *store, bool exists, hearth_error *err) {
  const hearth_environment *env = store->env;
  const Names *names = &store->names;
  hearth_file file;
  if (exists) file_warn(store, "%s: was an empty file: it becomes a new store", names->path);
  int failure = make_fresh(store, exists, &file);
  if (failure != 0) return failure_status(err, names->path, "make it", failure);
  failure = write_fresh(store, file);
  bool claimed = false;
  if (failure == 0 && !exists) {
    failure = claim(env, names->path);
    claimed = failure == 0;
  }
  if (failure == 0) failure = env->rename(env->ud, names->fresh, names->path);
  if (failure == 0) failure = env->sync_folder(env->ud, names->folder);
  if (failure != 0) {
    (void)env->close(env->ud, file);
    (void)env->unlink(env->ud, names->fresh);
    if (claimed) (void)env->unlink(env->ud, names->path);
    return failure_status(err, names->path, "make it", failure);
  }
  store->synced++;
  store->named = true;
  store->file = file;
  store->is_open = true;
  return HEARTH_OK;
}

/* ------------------------------------------------------------- judging */

static hearth_status damaged(const hearth_backend_store *store, uint64_t at, const char *what, hearth_error *err) {
  return hearth_fail_at(err, HEARTH_DAMAGED, at,
                        "%s: damaged at byte %" PRIu64 ": %s; the file was not changed; see hearth salvage",
                        store->names.path, at, what);
}

static BatchEnd batch_end(const LogScan *scan) {
  return (BatchEnd){scan->end, scan->end_chain, scan->sequence};
}

static hearth_status judge_header(Recovery *r, hearth_error *err) {
  const hearth_backend_store *store = r->store;
  LogHeaderState state;
  LogStep step = log_scan_header(&r->scan, &state);
  if (step != LOG_STEP_FRAME) return logfile_step_status(store->names.path, &r->scan, step, err);
  r->proven = batch_end(&r->scan);
  return logfile_judge_header(store->names.path, &r->scan.header, state, !store->readonly, err);
}

/*
** Where do the frames end that what was read so far proves to be on the device? At `start` the
** batch of the last frame begins.
*/
static void note_proof(Recovery *r, const BatchEnd *start) {
  const LogScan *scan = &r->scan;
  const LogFrame *f = &scan->frame;
  bool mark = f->kind == LOG_SYNCED || f->kind == LOG_CLOSED;
  if (f->synced == (mark ? f->sequence : f->sequence - 1)) r->proven = *start;
  if (scan->sequence <= scan->header.synced) r->proven = batch_end(scan);
}

/* The scan stopped before the end of the file: a torn tail, or damage? */
static hearth_status judge_end(Recovery *r, LogStep step, hearth_error *err) {
  LogScan *scan = &r->scan;
  bool proven = scan->sequence < scan->header.synced;
  if (step == LOG_STEP_BAD && !proven) {
    step = log_scan_proof(scan, &proven);
    if (step != LOG_STEP_FRAME) return logfile_step_status(r->store->names.path, scan, step, err);
    r->torn = true;
  }
  if (proven) return damaged(r->store, scan->at, "these bytes were confirmed on the device", err);
  if (!scan->marked && scan->end != scan->source.length) r->torn = true; /* parts without their last */
  return HEARTH_OK;
}

/*
** Reads frames into the index from where the scan stands. A batch that is not in the index then is not behind the scan.
*/
static hearth_status read_frames(Recovery *r, Index *index, hearth_error *err) {
  LogScan *scan = &r->scan;
  LogStep step = LOG_STEP_FRAME;
  while (step == LOG_STEP_FRAME) {
    BatchEnd start = batch_end(scan);
    step = log_scan_next(scan);
    if (step != LOG_STEP_FRAME) break;
    note_proof(r, &start);
    if (scan->frame.kind != LOG_BATCH && scan->frame.kind != LOG_PART) continue;
    step = index_replay(index, scan);
    if (step == LOG_STEP_FRAME && scan->frame.kind == LOG_BATCH) {
      r->store->time = scan->frame.time;
      if (scan->sequence == r->store->at) return HEARTH_OK; /* what follows is not looked at */
    }
    if (step == LOG_STEP_FRAME) continue;
    scan->end = start.at;
    scan->end_chain = start.chain;
    scan->sequence = start.sequence;
    if (step == LOG_STEP_BAD) return damaged(r->store, scan->frame_at, "the frame there makes no sense", err);
  }
  if (step == LOG_STEP_IO || step == LOG_STEP_NOMEM) return logfile_step_status(r->store->names.path, scan, step, err);
  map_batch_discard(&index->batch);
  return judge_end(r, step, err);
}

/* ------------------------------------------------------------- mending */

/* What stands behind the last whole batch and its mark. */
typedef struct Tail {
  uint64_t at, length;
  bool whole; /* frames are in it that are whole, behind what is not */
} Tail;

static hearth_status look_at_tail(const Recovery *r, Tail *tail, hearth_error *err) {
  LogScan scan;
  uint64_t found;
  tail->at = r->scan.marked ? r->scan.at : r->scan.end;
  tail->length = r->scan.source.length - tail->at;
  log_scan_init(&scan, &r->scan.source, &r->store->allocator);
  log_scan_resume(&scan, &r->scan.header, tail->at, 0, 0, 0);
  LogStep step = log_scan_resync(&scan, r->scan.at, &found);
  tail->whole = step == LOG_STEP_FRAME;
  hearth_status status = logfile_step_status(r->store->names.path, &scan, step, err);
  log_scan_free(&scan);
  return status;
}

/* Copies `length` bytes at `at` to the beginning of another file. */
static int copy_out(const hearth_backend_store *store, uint64_t at, uint64_t length, hearth_file to) {
  const hearth_environment *env = store->env;
  Buffer buffer;
  int failure = 0;
  buffer_init(&buffer, &store->allocator);
  unsigned char *bytes = buffer_reserve(&buffer, COPY);
  if (bytes == NULL) return ENOMEM;
  for (uint64_t done = 0; failure == 0 && done < length;) {
    size_t n = length - done < COPY ? (size_t)(length - done) : COPY, got = 0;
    failure = env->pread(env->ud, store->file, at + done, bytes, n, &got);
    if (failure == 0 && got < n) failure = EIO;
    if (failure == 0) failure = env->pwrite(env->ud, to, done, bytes, n);
    done += n;
  }
  buffer_free(&buffer);
  return failure;
}

/* NAME.tail-SEQ, or NAME.tail-SEQ-2 and so on when there is one already. */
static int make_tail_file(const hearth_backend_store *store, char name[NAMES_SIZE], hearth_file *file) {
  const hearth_environment *env = store->env;
  int failure = EEXIST;
  for (int i = 1; i < TAIL_NAMES && failure == EEXIST; i++) {
    char suffix[64], again[16] = "";
    if (i > 1) (void)snprintf(again, sizeof again, "-%d", i);
    (void)snprintf(suffix, sizeof suffix, "tail-%" PRIu64 "%s", store->sequence + 1, again);
    names_beside(store->names.path, suffix, name);
    failure = logfile_make(env, name, &store->file, file);
  }
  return failure;
}

static int keep_tail(hearth_backend_store *store, const Tail *tail, char name[NAMES_SIZE]) {
  const hearth_environment *env = store->env;
  hearth_file file;
  int failure = make_tail_file(store, name, &file);
  if (failure != 0) return failure;
  failure = copy_out(store, tail->at, tail->length, file);
  if (failure == 0) failure = env->sync(env->ud, file);
  int close_failure = env->close(env->ud, file);
  if (failure == 0) failure = close_failure;
  if (failure == 0) failure = env->sync_folder(env->ud, store->names.folder);
  if (failure != 0) (void)env->unlink(env->ud, name);
  return failure;
}

/* Copies the bytes of a torn tail to a file of their own, and says so. */
static hearth_status rescue_tail(Recovery *r, hearth_error *err) {
  hearth_backend_store *store = r->store;
  const char *path = store->names.path;
  char name[NAMES_SIZE];
  Tail tail;
  hearth_status status = look_at_tail(r, &tail, err);
  if (status != HEARTH_OK) return status;
  int failure = keep_tail(store, &tail, name);
  if (failure_is_full(failure) && ballast_release(store)) failure = keep_tail(store, &tail, name);
  if (failure == EEXIST)
    return hearth_fail(err, HEARTH_EXISTS,
                       "%s: cannot keep the bytes of its torn tail: all names up to %s are taken; remove those files "
                       "that nobody needs", path, name);
  if (failure != 0) return failure_status(err, path, "keep the bytes of its torn tail", failure);
  file_warn(store, "%s: a torn tail of %" PRIu64 " bytes at byte %" PRIu64 " was cut off and kept in %s%s", path,
            tail.length, tail.at, name,
            tail.whole ? "; whole batches are in it: put back behind the bytes before it, in a copy, hearth salvage "
                         "reads them" : "");
  return HEARTH_OK;
}

/* Keeps the bytes of a torn tail beside the store, then cuts them off. */
static hearth_status cut_tail(Recovery *r, bool keep, hearth_error *err) {
  hearth_backend_store *store = r->store;
  const hearth_environment *env = store->env;
  hearth_status status = keep ? rescue_tail(r, err) : HEARTH_OK;
  if (status != HEARTH_OK) return status;
  int failure = env->truncate(env->ud, store->file, r->scan.end);
  if (failure != 0) return failure_io(err, store->names.path, "cut off a torn tail", failure);
  store->was.length = r->scan.end;
  store->mark = (LogKind)0;
  return HEARTH_OK;
}

/*
** The page cache may hold frames that a failed sync left behind as clean: only writing them again brings them to the
** device. It may also let go of such a page at any time, and show what the device has: each frame is checked once more,
** so that nothing but what was found is written.
*/
static hearth_status write_again(Recovery *r, hearth_error *err) {
  hearth_backend_store *store = r->store;
  const hearth_environment *env = store->env;
  const BatchEnd *from = &r->proven;
  LogSource source = logfile_source(&r->from, store->batch_at);
  LogScan scan;
  LogStep step = LOG_STEP_FRAME;
  int failure = 0;
  log_scan_init(&scan, &source, &store->allocator);
  log_scan_resume(&scan, &r->scan.header, from->at, from->chain, from->sequence, 0);
  while (failure == 0 && (step = log_scan_next(&scan)) == LOG_STEP_FRAME)
    failure = env->pwrite(env->ud, store->file, scan.frame_at, scan.payload - LOG_FRAME_SIZE,
                          (size_t)(scan.at - scan.frame_at));
  hearth_status status = HEARTH_OK;
  if (step == LOG_STEP_NOMEM || step == LOG_STEP_IO) status = logfile_step_status(store->names.path, &scan, step, err);
  log_scan_free(&scan);
  if (status != HEARTH_OK) return status;
  if (step == LOG_STEP_BAD) failure = EIO; /* it reads otherwise than before */
  if (failure == 0) failure = env->sync(env->ud, store->file);
  if (failure == 0 && !r->named) failure = env->sync_folder(env->ud, store->names.folder);
  if (failure != 0) return failure_io(err, store->names.path, "flush to the device what it found", failure);
  store->written += store->batch_at - from->at;
  store->synced++;
  store->durable = store->sequence;
  return append_mark(store, LOG_SYNCED, err);
}

static hearth_status mend(Recovery *r, bool bad, hearth_error *err) {
  hearth_backend_store *store = r->store;
  hearth_status status = HEARTH_OK;
  if (!r->torn && r->proven.at == store->batch_at && r->named) return HEARTH_OK; /* all there, all synced */
  if (r->torn) status = cut_tail(r, bad, err);
  return status == HEARTH_OK ? write_again(r, err) : status;
}

/* ------------------------------------------------------------- loading */

static void recovery_init(Recovery *r, hearth_backend_store *store, hearth_file file, uint64_t length) {
  r->store = store;
  r->from = (LogInput){store->env, file};
  r->proven = (BatchEnd){0};
  r->torn = r->named = false;
  LogSource source = logfile_source(&r->from, length);
  log_scan_init(&r->scan, &source, &store->allocator);
}

/* Did the reading end where a reader wants it to? */
static hearth_status judge_batch(const Recovery *r, hearth_error *err) {
  const LogScan *scan = &r->scan;
  const hearth_backend_store *store = r->store;
  if (store->at == 0) return HEARTH_OK;
  if (scan->end <= LOG_HEADER_SIZE)
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no batch %" PRIu64 ", nor any other", store->names.path,
                       store->at);
  if (scan->sequence == store->at) return HEARTH_OK;
  return hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no batch %" PRIu64 ", but those from %" PRIu64 " to %" PRIu64,
                     store->names.path, store->at, scan->header.first, scan->sequence);
}

/* An empty file, seen by a reader, is a store without entries. */
static hearth_status load_once(Recovery *r, Index *index, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  if (r->scan.source.length > 0 || !r->store->readonly) {
    status = judge_header(r, err);
    if (status == HEARTH_OK) status = read_frames(r, index, err);
  }
  return status == HEARTH_OK ? judge_batch(r, err) : status;
}

static hearth_status load_writer(hearth_backend_store *store, hearth_error *err) {
  Recovery r;
  recovery_init(&r, store, store->file, store->was.length);
  hearth_status status = load_once(&r, &store->index, err);
  if (status == HEARTH_OK) {
    store_adopt(store, &r.scan);
    /* a file that was just made, or compacted, has nothing behind what it was made with */
    r.named = store->named || r.scan.marked || r.scan.sequence > r.scan.header.synced;
    bool bad = r.torn && r.scan.at != store->was.length;
    status = mend(&r, bad, err);
  }
  log_scan_free(&r.scan);
  return status;
}

/* What a writer would cut off, unless one is just writing it. */
static hearth_status tell_reader(const Recovery *r, hearth_error *err) {
  const hearth_backend_store *store = r->store;
  Tail tail;
  if (!r->torn || r->scan.at == r->scan.source.length || owner_lives(store->env, store->names.owner)) return HEARTH_OK;
  hearth_status status = look_at_tail(r, &tail, err);
  if (status == HEARTH_OK)
    file_warn(store, "%s: %" PRIu64 " bytes at byte %" PRIu64 " are a torn tail, or damaged, and are left out%s",
              store->names.path, tail.length, tail.at,
              tail.whole ? "; whole batches are in them, which hearth salvage reads" : "");
  return status;
}

/*
** While a reader reads, the writer may cut off an abandoned batch and write another: then what
** looks damaged is only new.
*/
static hearth_status load_reader(hearth_backend_store *store, hearth_file file, hearth_file_info *info, Index *index,
                                 hearth_error *err) {
  const hearth_environment *env = store->env;
  hearth_status status = HEARTH_OK;
  for (int i = 0; i < TRIES; i++) {
    Recovery r;
    hearth_file_info after;
    int failure = env->file_stat(env->ud, file, info);
    if (failure != 0) return failure_status(err, store->names.path, "look at it", failure);
    index_free(index);
    index_init(index, &store->allocator);
    recovery_init(&r, store, file, info->length);
    status = load_once(&r, index, err);
    if (status == HEARTH_OK) status = tell_reader(&r, err);
    if (status == HEARTH_OK) store_adopt(store, &r.scan);
    log_scan_free(&r.scan);
    if (status != HEARTH_DAMAGED) break;
    if (env->file_stat(env->ud, file, &after) != 0 || after.length == info->length) break;
  }
  return status;
}

hearth_status recover_load(hearth_backend_store *store, hearth_error *err) {
  if (store->readonly) return load_reader(store, store->file, &store->was, &store->index, err);
  int failure = store->env->file_stat(store->env->ud, store->file, &store->was);
  if (failure != 0) return failure_status(err, store->names.path, "look at it", failure);
  return load_writer(store, err);
}

/* The same file has grown: only what is new is read. */
static hearth_status read_on(hearth_backend_store *store, uint64_t length, hearth_error *err) {
  Recovery r;
  recovery_init(&r, store, store->file, length);
  log_scan_resume(&r.scan, &store->header, store->batch_at, store->batch_chain, store->sequence, store->durable);
  hearth_status status = read_frames(&r, &store->index, err);
  map_batch_discard(&store->index.batch);
  store_adopt(store, &r.scan); /* the batches that were read are in the index, whatever came after them */
  log_scan_free(&r.scan);
  if (status == HEARTH_OK) store->was.length = length;
  return status;
}

/* Another file has the name: read it whole, and only then let go of the old one. */
static hearth_status read_anew(hearth_backend_store *store, hearth_error *err) {
  const hearth_environment *env = store->env;
  hearth_file file;
  hearth_file_info info;
  Index index;
  int failure = env->open(env->ud, store->names.path, 0, &file);
  if (failure != 0) return failure_status(err, store->names.path, "open it", failure);
  index_init(&index, &store->allocator);
  hearth_status status = load_reader(store, file, &info, &index, err);
  if (status != HEARTH_OK) {
    (void)env->close(env->ud, file);
    index_free(&index);
    return status;
  }
  (void)env->close(env->ud, store->file);
  index_free(&store->index);
  cache_clear(&store->cache);
  store->file = file;
  store->was = info;
  store->index = index;
  store->index.batch.map = &store->index.map;
  return HEARTH_OK;
}

hearth_status recover_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_file_info now;
  hearth_status status = store_alive(store, err);
  if (status != HEARTH_OK || !store->readonly) return status;
  int failure = store->env->stat(store->env->ud, store->names.path, &now);
  if (failure != 0) return failure_status(err, store->names.path, "look at it", failure);
  bool same = now.device == store->was.device && now.inode == store->was.inode;
  if (same && store->at != 0) return HEARTH_OK; /* what was appended is nothing to it */
  if (same && store->header.first != 0 && now.length >= store->batch_at) {
    status = read_on(store, now.length, err);
    if (status != HEARTH_DAMAGED) return status;
  }
  return read_anew(store, err);
}
