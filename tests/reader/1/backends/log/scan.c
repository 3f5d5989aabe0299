#include "scan.h"

#include <errno.h>

#define WINDOW ((size_t)256 << 10)

void log_scan_init(LogScan *scan, const LogSource *source, const hearth_allocator *allocator) {
  memset(scan, 0, sizeof *scan);
  scan->source = *source;
  buffer_init(&scan->window, allocator);
}

void log_scan_free(LogScan *scan) {
  buffer_free(&scan->window);
}

/* `n` bytes at `offset`, which the log has: in scan->window from *p on. */
static LogStep look(LogScan *scan, uint64_t offset, size_t n, const unsigned char **p) {
  Buffer *w = &scan->window;
  uint64_t skipped = offset - scan->window_at; /* huge when the window begins behind it */
  if (w->data == NULL || skipped > w->size || w->size - skipped < n) {
    uint64_t left = scan->source.length - offset;
    size_t want = n > WINDOW ? n : WINDOW;
    if (want > left) want = (size_t)left;
    buffer_clear(w);
    scan->window_at = offset;
    unsigned char *to = buffer_reserve(w, want > 0 ? want : 1);
    if (to == NULL) {
      buffer_clear(w);
      return LOG_STEP_NOMEM;
    }
    size_t got = 0;
    scan->failure = scan->source.read(scan->source.ud, offset, to, want, &got);
    if (scan->failure == 0 && got < n) scan->failure = EIO; /* shorter than it said it was */
    if (scan->failure != 0) return LOG_STEP_IO;
    w->size = got;
  }
  *p = w->data + (offset - scan->window_at);
  return LOG_STEP_FRAME;
}

LogStep log_scan_header(LogScan *scan, LogHeaderState *state) {
  const unsigned char *bytes;
  size_t size = scan->source.length < LOG_HEADER_SIZE ? (size_t)scan->source.length : LOG_HEADER_SIZE;
  LogStep step = look(scan, 0, size, &bytes);
  if (step != LOG_STEP_FRAME) return step;
  *state = log_decode_header(bytes, size, &scan->header);
  scan->at = scan->end = LOG_HEADER_SIZE;
  scan->chain = scan->end_chain = scan->header.check;
  scan->sequence = scan->header.first - 1;
  scan->synced = scan->header.synced;
  return LOG_STEP_FRAME;
}

void log_scan_resume(LogScan *scan, const LogHeader *h, uint64_t end, uint64_t end_chain, uint64_t sequence,
                     uint64_t synced) {
  scan->header = *h;
  scan->at = scan->end = end;
  scan->chain = scan->end_chain = end_chain;
  scan->sequence = sequence;
  scan->synced = synced;
}

/* Is there room for the payload of the frame at `at`? Where size_t has 32 bits, in memory too. */
static bool fits(const LogScan *scan, uint64_t at, const LogFrame *f) {
#if SIZE_MAX < UINT64_MAX
  if (f->length > SIZE_MAX - LOG_FRAME_SIZE) return false;
#endif
  return f->length <= scan->source.length - at - LOG_FRAME_SIZE;
}

/* A frame header is whole; does it stand where it should? */
static bool in_order(const LogScan *scan, const LogFrame *f) {
  if (f->chain != scan->chain || !fits(scan, scan->at, f)) return false;
  if (f->kind == LOG_SYNCED || f->kind == LOG_CLOSED) /* not inside a batch of parts */
    return f->sequence == scan->sequence && scan->at == scan->end;
  return f->sequence == scan->sequence + 1;
}

static void accept_frame(LogScan *scan, const LogFrame *f) {
  scan->frame = *f;
  scan->frame_at = scan->at;
  scan->at += LOG_FRAME_SIZE + f->length;
  if (f->synced > scan->synced) scan->synced = f->synced;
  if (f->kind == LOG_SYNCED || f->kind == LOG_CLOSED) {
    scan->marked = true;
    scan->closed = f->kind == LOG_CLOSED;
    return; /* the next frame takes the mark's place, and its place in the chain */
  }
  scan->chain = f->check;
  if (f->kind == LOG_BATCH) {
    scan->sequence = f->sequence;
    scan->end = scan->at;
    scan->end_chain = scan->chain;
  }
}

LogStep log_scan_next(LogScan *scan) {
  if (scan->at == scan->source.length) return LOG_STEP_END;
  if (scan->marked || scan->source.length - scan->at < LOG_FRAME_SIZE) return LOG_STEP_BAD; /* nothing follows a mark */
  const unsigned char *bytes;
  LogFrame f;
  LogStep step = look(scan, scan->at, LOG_FRAME_SIZE, &bytes);
  if (step != LOG_STEP_FRAME) return step;
  if (!log_decode_frame(bytes, scan->header.salt, scan->at, &f) || !in_order(scan, &f)) return LOG_STEP_BAD;
  step = look(scan, scan->at, LOG_FRAME_SIZE + (size_t)f.length, &bytes);
  if (step != LOG_STEP_FRAME) return step;
  if (!log_check_payload(&f, bytes + LOG_FRAME_SIZE, scan->header.salt, scan->at)) return LOG_STEP_BAD;
  scan->payload = bytes + LOG_FRAME_SIZE;
  accept_frame(scan, &f);
  return LOG_STEP_FRAME;
}

LogStep log_scan_search(LogScan *scan, uint64_t from, uint64_t *found, LogFrame *f) {
  for (uint64_t at = from; at <= scan->source.length && scan->source.length - at >= LOG_FRAME_SIZE;) {
    const unsigned char *bytes;
    LogStep step = look(scan, at, LOG_FRAME_SIZE, &bytes);
    if (step != LOG_STEP_FRAME) return step;
    /* all places of the window where a whole header fits */
    size_t places = scan->window.size - (size_t)(at - scan->window_at) - LOG_FRAME_SIZE + 1;
    for (size_t i = 0; i < places; i++) {
      const unsigned char *p = memchr(bytes + i, (unsigned char)LOG_FRAME_MAGIC[0], places - i);
      if (p == NULL) break;
      i = (size_t)(p - bytes);
      if (log_decode_frame(p, scan->header.salt, at + i, f)) {
        *found = at + i;
        return LOG_STEP_FRAME;
      }
    }
    at += places;
  }
  return LOG_STEP_END;
}

LogStep log_scan_resync(LogScan *scan, uint64_t from, uint64_t *found) {
  for (;;) {
    LogFrame f;
    const unsigned char *bytes;
    LogStep step = log_scan_search(scan, from, found, &f);
    if (step != LOG_STEP_FRAME) return step;
    from = *found + 1;
    if (!fits(scan, *found, &f)) continue;
    step = look(scan, *found, LOG_FRAME_SIZE + (size_t)f.length, &bytes);
    if (step != LOG_STEP_FRAME) return step;
    if (!log_check_payload(&f, bytes + LOG_FRAME_SIZE, scan->header.salt, *found)) continue;
    bool mark = f.kind == LOG_SYNCED || f.kind == LOG_CLOSED;
    scan->at = scan->end = *found;
    scan->chain = scan->end_chain = f.chain;
    scan->sequence = mark ? f.sequence : f.sequence - 1;
    scan->marked = false;
    return LOG_STEP_FRAME;
  }
}

LogStep log_scan_proof(LogScan *scan, bool *proven) {
  uint64_t missing = scan->sequence + 1;
  *proven = scan->header.synced >= missing;
  for (uint64_t from = scan->at; !*proven;) {
    LogFrame f;
    uint64_t found;
    LogStep step = log_scan_search(scan, from, &found, &f);
    if (step == LOG_STEP_END) return LOG_STEP_FRAME;
    if (step != LOG_STEP_FRAME) return step;
    *proven = f.synced >= missing;
    from = found + 1;
  }
  return LOG_STEP_FRAME;
}
