/* hearth dump --frames: the log of a file, frame by frame, damaged or not. */
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "dump.h"
#include "external_entry.h"
#include "logfile.h"

typedef struct Frames {
  DumpSink *sink;
  bool in_frame;
} Frames;

static void end_frame(Frames *f) {
  if (f->in_frame) {
    f->sink->writer->frame_end(f->sink);
    f->sink->items++;
  }
  f->in_frame = false;
}

static int on_header(void *ud, const LogHeader *h, LogHeaderState state) {
  Frames *f = ud;
  if (state == LOG_HEADER_FOREIGN) return 0;
  f->sink->writer->log(f->sink, h, state);
  f->sink->items++;
  return 0;
}

static int on_frame(void *ud, uint64_t at, const LogFrame *frame) {
  Frames *f = ud;
  end_frame(f);
  f->in_frame = true;
  f->sink->fields = 0;
  f->sink->writer->frame(f->sink, at, frame);
  return ferror(stdout);
}

static int on_op(void *ud, const LogOp *op) {
  Frames *f = ud;
  f->sink->writer->op(f->sink, op);
  f->sink->fields++;
  return 0;
}

static int on_gap(void *ud, uint64_t at, uint64_t length, bool last) {
  Frames *f = ud;
  end_frame(f);
  f->sink->writer->gap(f->sink, at, length, last);
  f->sink->items++;
  return 0;
}

void dump_put_key(Buffer *out, uint64_t table, const void *key, size_t size) {
  LayoutKey k = layout_get_key(key, size);
  Cursor c = cursor_over(key, size);
  Value v;
  if (table != LAYOUT_TABLE) {
    external_get_key(&c, &v);
    if (c.why == NULL)
      view_put_scalar(out, &v, 0);
    else
      view_put_quoted(out, key, size, 0);
    return;
  }
  unsigned long long number = k.number;
  switch (k.kind) {
    case LAYOUT_METADATA: view_print(out, "metadata"); break;
    case LAYOUT_CONSTANT: view_print(out, "constant %llu", number); break;
    case LAYOUT_CHUNK: view_print(out, "constant %llu part %lu", number, (unsigned long)k.chunk); break;
    case LAYOUT_OBJECT: view_print(out, "object %llu", number); break;
    case LAYOUT_PAGE:
      view_print(out, "object %llu page %u.%016" PRIx64 "/%u", number, k.section, k.prefix, k.depth);
      break;
    case LAYOUT_EXTERNAL: view_print(out, "external table %llu", number); break;
    case LAYOUT_NONE: view_put_quoted(out, key, size, 0); break;
  }
}

/* What is wrong with a log that was walked; nothing is printed for a whole one. */
static int judge(const char *path, LogStep step, const LogReport *report) {
  if (report->header_state == LOG_HEADER_FOREIGN)
    return complain(STATUS_NO_STORE, "%s: not a Hearth store", path);
  if (report->header_state == LOG_HEADER_NEWER)
    return complain(STATUS_NO_STORE, "%s: written by a newer Hearth", path);
  if (step == LOG_STEP_NOMEM) return complain(STATUS_FAILED, "%s: %s", path, hearth_status_text(HEARTH_NOMEM));
  if (step == LOG_STEP_IO) return complain(STATUS_FAILED, "%s: cannot read: %s", path, strerror(report->failure));
  if (report->header_state == LOG_HEADER_DAMAGED)
    return complain(STATUS_FAILED, "%s: damaged: its header does not pass its check", path);
  if (report->gaps > 0)
    return complain(STATUS_FAILED, "%s: damaged at byte %" PRIu64 ": %" PRIu64 " bytes belong to no whole frame", path,
                    report->first_gap, report->gap_bytes);
  return STATUS_OK;
}

int dump_frames(DumpSink *s, const char *path) {
  hearth_error err;
  LogInput input;
  LogSource source;
  LogReport report;
  Frames frames = {s, false};
  const LogVisitor visitor = {&frames, on_header, on_frame, on_op, on_gap};
  if (logfile_open(&input, &hearth_system_environment, path, &source, &err) != HEARTH_OK)
    return complain_about(STATUS_NO_STORE, path, &err);
  s->writer->begin(s);
  LogStep step = log_inspect(&source, &hearth_libc_allocator, &visitor, &report);
  end_frame(&frames);
  (void)input.env->close(input.env->ud, input.file);
  if (step == LOG_STEP_END) s->writer->end(s);
  int status = judge(path, step, &report);
  return status == STATUS_OK ? finish_output() : status;
}
