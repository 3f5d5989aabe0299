/* The batches that are still in the log: read once more, frame by frame. */
#include <inttypes.h>

#include "failure.h"
#include "store.h"

static void count_frame(const LogScan *scan, hearth_batch *batch) {
  LogOps ops;
  LogOp op;
  log_ops(&ops, scan->payload, scan->frame.length, scan->frame_at + LOG_FRAME_SIZE);
  while (log_decode_op(&ops, &op)) batch->operations++;
  batch->bytes += LOG_FRAME_SIZE + scan->frame.length;
  batch->sequence = scan->frame.sequence;
  batch->time = scan->frame.time;
}

static hearth_status walk(hearth_backend_store *store, LogScan *scan, hearth_batch_found found, void *ud, int *answer,
                          hearth_error *err) {
  hearth_batch batch = {.size = sizeof batch};
  LogHeaderState state;
  LogStep step = log_scan_header(scan, &state);
  while (step == LOG_STEP_FRAME && *answer == 0 && scan->end < scan->source.length) {
    step = log_scan_next(scan);
    if (step != LOG_STEP_FRAME) break;
    count_frame(scan, &batch);
    if (scan->frame.kind != LOG_BATCH) continue;
    *answer = found(ud, &batch);
    batch = (hearth_batch){.size = sizeof batch};
  }
  if (step == LOG_STEP_BAD)
    return hearth_fail_at(err, HEARTH_DAMAGED, scan->at,
                          "%s: damaged at byte %" PRIu64 ": a frame has changed since it was read", store->names.path,
                          scan->at);
  return logfile_step_status(store->names.path, scan, step, err);
}

hearth_status history_list(hearth_backend_store *store, hearth_batch_found found, void *ud, int *result,
                           hearth_error *err) {
  int answer = 0;
  LogScan scan;
  LogInput input = {store->env, store->file};
  LogSource source = logfile_source(&input, store->batch_at); /* behind it a batch may be half written */
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK) status = read_current(store, false, err);
  if (status != HEARTH_OK) return status;
  log_scan_init(&scan, &source, &store->allocator);
  if (source.length > 0) status = walk(store, &scan, found, ud, &answer, err);
  log_scan_free(&scan);
  if (status == HEARTH_IO && !store->readonly) store_die(store, err);
  if (result != NULL) *result = answer;
  return status;
}
