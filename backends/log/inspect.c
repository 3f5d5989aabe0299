#include "inspect.h"

typedef struct Inspection {
  LogScan scan;
  const LogVisitor *visitor;
  LogReport *report;
} Inspection;

/* Stops the walk when the visitor says so. */
static bool goes_on(Inspection *in, int answer) {
  if (answer != 0) in->report->stopped = true;
  return answer == 0;
}

static LogStep begin(Inspection *in) {
  LogReport *r = in->report;
  const LogVisitor *v = in->visitor;
  LogStep step = log_scan_header(&in->scan, &r->header_state);
  if (step != LOG_STEP_FRAME) return step;
  r->header = in->scan.header;
  if (r->header_state == LOG_HEADER_FOREIGN || r->header_state == LOG_HEADER_NEWER) return LOG_STEP_BAD;
  if (v->header != NULL && !goes_on(in, v->header(v->ud, &r->header, r->header_state))) return LOG_STEP_END;
  return LOG_STEP_FRAME;
}

/* A damaged header: either copy of the salt may still be right, which shows when a frame is found with it. */
static LogStep choose_salt(Inspection *in) {
  LogScan *scan = &in->scan;
  unsigned char bytes[LOG_HEADER_SIZE];
  size_t got = 0;
  uint64_t found;
  LogFrame f;
  scan->failure = scan->source.read(scan->source.ud, 0, bytes, sizeof bytes, &got);
  if (scan->failure != 0) return LOG_STEP_IO;
  if (got < sizeof bytes) return LOG_STEP_END;
  LogStep step = log_scan_search(scan, LOG_HEADER_SIZE, &found, &f);
  if (step != LOG_STEP_END) return step;
  scan->header.salt = log_decode_second_salt(bytes);
  return log_scan_search(scan, LOG_HEADER_SIZE, &found, &f);
}

static void note_disorder(Inspection *in, uint64_t at) {
  if (in->report->first_disorder == HEARTH_NO_POSITION) in->report->first_disorder = at;
}

static bool visit_frame(Inspection *in) {
  const LogFrame *f = &in->scan.frame;
  const LogVisitor *v = in->visitor;
  LogReport *r = in->report;
  LogOps ops;
  LogOp op;
  r->frames++;
  if (f->kind != LOG_PART) r->behind = in->scan.source.length - in->scan.at;
  r->batches += f->kind == LOG_BATCH;
  if (f->sequence > r->sequence && f->kind != LOG_PART) r->sequence = f->sequence;
  if (f->synced > r->synced) r->synced = f->synced;
  r->closed = f->kind == LOG_CLOSED;
  if (v->frame != NULL && !goes_on(in, v->frame(v->ud, in->scan.frame_at, f))) return false;
  log_ops(&ops, in->scan.payload, f->length, in->scan.frame_at + LOG_FRAME_SIZE);
  while (log_decode_op(&ops, &op)) {
    r->operations++;
    if (v->op != NULL && !goes_on(in, v->op(v->ud, &op))) return false;
  }
  if (ops.bad) note_disorder(in, in->scan.frame_at);
  return true;
}

static bool visit_gap(Inspection *in, uint64_t at, uint64_t length, bool last) {
  const LogVisitor *v = in->visitor;
  LogReport *r = in->report;
  if (length == 0) return true;
  r->gaps++;
  r->gap_bytes += length;
  r->closed = false;
  if (r->first_gap == HEARTH_NO_POSITION) r->first_gap = at;
  if (last) r->tail_at = at;
  return v->gap == NULL || goes_on(in, v->gap(v->ud, at, length, last));
}

static LogStep walk(Inspection *in) {
  LogScan *scan = &in->scan;
  for (;;) {
    LogStep step = log_scan_next(scan);
    if (step == LOG_STEP_FRAME) {
      if (!visit_frame(in)) return LOG_STEP_END;
      continue;
    }
    if (step != LOG_STEP_BAD) return step;
    uint64_t gap = scan->at, found;
    step = log_scan_resync(scan, gap, &found);
    if (step == LOG_STEP_END) {
      step = log_scan_proof(scan, &in->report->tail_synced);
      if (step != LOG_STEP_FRAME) return step;
      (void)visit_gap(in, gap, scan->source.length - gap, true);
      return LOG_STEP_END;
    }
    if (step != LOG_STEP_FRAME) return step;
    if (found == gap) note_disorder(in, gap);
    if (!visit_gap(in, gap, found - gap, false)) return LOG_STEP_END;
  }
}

LogStep log_inspect(const LogSource *source, const hearth_allocator *allocator, const LogVisitor *visitor,
                    LogReport *report) {
  static const LogVisitor nobody = {0};
  Inspection in = {.visitor = visitor != NULL ? visitor : &nobody, .report = report};
  memset(report, 0, sizeof *report);
  report->first_gap = report->tail_at = report->first_disorder = HEARTH_NO_POSITION;
  if (source->length > LOG_HEADER_SIZE) report->behind = source->length - LOG_HEADER_SIZE;
  log_scan_init(&in.scan, source, allocator);
  LogStep step = begin(&in);
  if (step == LOG_STEP_FRAME && report->header_state == LOG_HEADER_DAMAGED) {
    step = choose_salt(&in);
    in.scan.chain = 0; /* unknown: the walk finds its way in at the first whole frame */
    if (step == LOG_STEP_END && source->length > LOG_HEADER_SIZE) /* nothing can be made out */
      (void)visit_gap(&in, LOG_HEADER_SIZE, source->length - LOG_HEADER_SIZE, true);
  }
  report->salt = in.scan.header.salt;
  if (step == LOG_STEP_FRAME) step = walk(&in);
  if (step == LOG_STEP_IO) report->failure = in.scan.failure; /* else it is what a visitor says */
  log_scan_free(&in.scan);
  return step;
}
