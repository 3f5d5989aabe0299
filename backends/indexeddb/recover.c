/* Opening: the whole log is read and checked, and what it says fills the mirror. */
#include <errno.h>
#include <inttypes.h>

#include "failure.h"
#include "logfile.h"
#include "store.h"

static int source_read(void *ud, uint64_t offset, void *bytes, size_t size, size_t *got) {
  const hearth_backend_store *store = ud;
  int n = idb_host_read(store->handle, (double)offset, bytes, size);
  *got = n < 0 ? 0 : (size_t)n;
  return n < 0 ? EIO : 0;
}

static hearth_status damaged(const hearth_backend_store *store, uint64_t at, hearth_error *err) {
  return hearth_fail_at(err, HEARTH_DAMAGED, at,
                        "%s: damaged at byte %" PRIu64 " of its log; nothing was changed", store->name, at);
}

static hearth_status judge(const hearth_backend_store *store, const LogScan *scan, LogHeaderState state,
                           hearth_error *err) {
  /* under this name in our database nobody else's log can be */
  if (state != LOG_HEADER_NEWER && (state != LOG_HEADER_GOOD || scan->header.first == 0)) return damaged(store, 0, err);
  return logfile_judge_header(store->name, &scan->header, state, !store->readonly, err);
}

/* Up to the end, into `mirror`. */
static hearth_status walk(hearth_backend_store *store, LogScan *scan, Mirror *mirror, hearth_error *err) {
  LogHeaderState state = LOG_HEADER_FOREIGN;
  LogStep step = log_scan_header(scan, &state);
  if (step == LOG_STEP_FRAME) {
    hearth_status status = judge(store, scan, state, err);
    if (status != HEARTH_OK) return status;
  }
  while (step == LOG_STEP_FRAME) {
    step = log_scan_next(scan);
    if (step != LOG_STEP_FRAME) break;
    step = idb_mirror_replay(mirror, scan);
    if (step == LOG_STEP_BAD) return damaged(store, scan->frame_at, err);
  }
  bool short_of = step == LOG_STEP_END && scan->sequence < scan->header.synced; /* a compacted log says what it holds */
  if (step == LOG_STEP_BAD || short_of) return damaged(store, scan->at, err);
  if (step == LOG_STEP_IO) return idb_store_refused(store, "read", HEARTH_IO, err);
  if (step == LOG_STEP_NOMEM) return failure_nomem(err, store->name);
  idb_mirror_discard(mirror); /* parts without their last */
  return HEARTH_OK;
}

static void adopt(hearth_backend_store *store, const LogScan *scan) {
  store->place = (Place){.salt = scan->header.salt, .at = scan->end, .chain = scan->end_chain};
  store->writer.salt = scan->header.salt;
  store->writer.at = scan->end;
  store->writer.chain = scan->end_chain;
  store->sequence = store->submitted = scan->sequence;
  store->durable = scan->synced < scan->sequence ? scan->synced : scan->sequence;
}

hearth_status idb_recover_load(hearth_backend_store *store, double length, hearth_error *err) {
  if (length <= 0) return HEARTH_OK; /* the first batch brings the header */
  LogSource source = {store, source_read, (uint64_t)length};
  LogScan scan;
  log_scan_init(&scan, &source, &store->allocator);
  hearth_status status = walk(store, &scan, &store->mirror, err);
  if (status == HEARTH_OK) adopt(store, &scan);
  log_scan_free(&scan);
  return status;
}

hearth_status idb_recover_refresh(hearth_backend_store *store, hearth_error *err) {
  double length = 0;
  int answer = store->readonly ? idb_host_reload(store->handle, &length) : 0;
  if (answer < 0) return idb_store_refused(store, "read again", answer, err);
  if (answer == 0) return HEARTH_OK; /* what is here is what was there */
  Mirror before = store->mirror;
  idb_mirror_init(&store->mirror, &store->allocator);
  hearth_status status = idb_recover_load(store, length, err);
  if (status == HEARTH_OK && length <= 0) store->sequence = store->submitted = store->durable = 0;
  Mirror *gone = status == HEARTH_OK ? &before : &store->mirror;
  idb_mirror_free(gone);
  if (status != HEARTH_OK) store->mirror = before;
  (void)idb_host_opened(store->handle, length);
  return status;
}
