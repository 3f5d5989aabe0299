/*
** Walking a log frame by frame, and judging where it ends: the part of recovery
** that needs no file, only something to read from.
*/
#ifndef HEARTH_LOG_SCAN_H
#define HEARTH_LOG_SCAN_H

#include "buffer.h"
#include "decode.h"

/* Where the log's bytes are. `read` answers 0 or an errno value; *got is less than size only at the end. */
typedef struct LogSource {
  void *ud;
  int (*read)(void *ud, uint64_t offset, void *bytes, size_t size, size_t *got);
  uint64_t length;
} LogSource;

typedef enum LogStep {
  LOG_STEP_FRAME, /* scan->frame and scan->payload hold the next frame */
  LOG_STEP_END,   /* the log ends here, whole */
  LOG_STEP_BAD,   /* what stands at scan->at is no frame of this log */
  LOG_STEP_IO,    /* scan->failure is an errno value */
  LOG_STEP_NOMEM
} LogStep;

typedef struct LogScan {
  LogSource source;
  LogHeader header;
  uint64_t at;       /* offset of the next frame */
  uint64_t chain;    /* check of the frame before */
  uint64_t sequence; /* of the last whole batch */
  uint64_t synced;   /* the last batch proven to be on the device by what was read so far */
  uint64_t end;      /* where the last whole batch ends: the next frame belongs here */
  uint64_t end_chain;
  bool marked;       /* a mark follows the last whole batch */
  bool closed;       /* and says that the store was closed */
  LogFrame frame;
  uint64_t frame_at; /* offset of frame */
  const unsigned char *payload; /* valid until the next step */
  int failure;
  Buffer window;     /* bytes of the log from window_at on */
  uint64_t window_at;
} LogScan;

/* Nothing is read yet. `source` is copied. */
void log_scan_init(LogScan *scan, const LogSource *source, const hearth_allocator *allocator);
void log_scan_free(LogScan *scan);

/* Reads the header: FRAME when it was read (*state says what it is), else IO or NOMEM. */
LogStep log_scan_header(LogScan *scan, LogHeaderState *state);

/* Instead of reading the header: goes on behind the last whole batch of an earlier scan. */
void log_scan_resume(LogScan *scan, const LogHeader *h, uint64_t end, uint64_t end_chain, uint64_t sequence,
                     uint64_t synced);

/* Reads the next frame. After BAD, END, IO or NOMEM the scan stands where it stood. */
LogStep log_scan_next(LogScan *scan);

/*
** After BAD: looks from `from` on for the next frame header of this log: FRAME (its place is
** *found, its fields in *f), END when there is none, IO or NOMEM.
*/
LogStep log_scan_search(LogScan *scan, uint64_t from, uint64_t *found, LogFrame *f);

/*
** After BAD: goes on at the next frame, at `from` or later, that is whole by itself; the next step
** gives it. FRAME (*found is its offset), END when there is none, IO or NOMEM.
*/
LogStep log_scan_resync(LogScan *scan, uint64_t from, uint64_t *found);

/*
** After BAD: was the batch that should stand here on the device once? *proven when the log's header says so, or
** that of a later frame. FRAME, or IO, NOMEM.
*/
LogStep log_scan_proof(LogScan *scan, bool *proven);

#endif
