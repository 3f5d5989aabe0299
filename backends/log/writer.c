#include "writer.h"

#include "encode.h"

void log_writer_init(LogWriter *w, const LogSink *sink, const hearth_allocator *allocator) {
  memset(w, 0, sizeof *w);
  w->sink = *sink;
  buffer_init(&w->frame, allocator);
}

void log_writer_free(LogWriter *w) {
  buffer_free(&w->frame);
}

void log_writer_forget(LogWriter *w) {
  if (w->frame.capacity > 2 * LOG_CHUNK) buffer_free(&w->frame); /* one huge value shall not cost memory for ever */
  buffer_clear(&w->frame);
}

static LogResult hand_over(LogWriter *w, const void *bytes, size_t size) {
  w->failure = w->sink.write(w->sink.ud, w->at, bytes, size);
  return w->failure == 0 ? LOG_WRITTEN : LOG_SINK_FAILED;
}

LogResult log_writer_header(LogWriter *w, LogHeader *h) {
  unsigned char bytes[LOG_HEADER_SIZE];
  log_encode_header(bytes, h);
  w->at = 0;
  LogResult result = hand_over(w, bytes, sizeof bytes);
  w->at = LOG_HEADER_SIZE;
  w->chain = h->check;
  w->salt = h->salt;
  return result;
}

LogResult log_writer_op(LogWriter *w, LogOp *op) {
  if (w->frame.size == 0) log_encode_begin(&w->frame);
  log_encode_op(&w->frame, w->salt, w->at, op);
  if (w->frame.failed) return LOG_NO_MEMORY;
  return w->frame.size >= LOG_CHUNK ? log_writer_end(w, true) : LOG_WRITTEN;
}

LogResult log_writer_end(LogWriter *w, bool more) {
  if (w->frame.size == 0) log_encode_begin(&w->frame); /* a batch without operations */
  LogFrame f = {.kind = more ? LOG_PART : LOG_BATCH,
                .sequence = w->sequence,
                .time = w->time,
                .synced = w->synced};
  log_encode_end(&w->frame, w->salt, w->at, w->chain, &f);
  LogResult result = w->frame.failed ? LOG_NO_MEMORY : hand_over(w, w->frame.data, w->frame.size);
  if (result == LOG_WRITTEN) {
    w->at += w->frame.size;
    w->chain = f.check;
  }
  log_writer_forget(w);
  return result;
}

LogResult log_writer_mark(LogWriter *w, LogKind kind) {
  unsigned char bytes[LOG_FRAME_SIZE];
  LogFrame f = {.kind = kind, .sequence = w->sequence, .time = w->time, .synced = w->synced};
  log_encode_mark(bytes, w->salt, w->at, w->chain, &f);
  return hand_over(w, bytes, sizeof bytes);
}
