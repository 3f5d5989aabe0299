/*
** Walking everything in a log, whole or damaged, with a callback per frame and
** per operation: what dump, verify and salvage are made of.
*/
#ifndef HEARTH_LOG_INSPECT_H
#define HEARTH_LOG_INSPECT_H

#include "scan.h"

/* Any of them may be NULL; a result other than 0 stops the walk. What they are passed is valid during the call. */
typedef struct LogVisitor {
  void *ud;
  /* Once, first. A header that is not GOOD holds what its bytes say. */
  int (*header)(void *ud, const LogHeader *h, LogHeaderState state);
  /* A frame that is whole; its operations follow. It takes LOG_FRAME_SIZE + f->length bytes at `at`. */
  int (*frame)(void *ud, uint64_t at, const LogFrame *f);
  int (*op)(void *ud, const LogOp *op);
  /* Bytes that belong to no whole frame. `last`: nothing whole follows, so that they may be a torn tail. */
  int (*gap)(void *ud, uint64_t at, uint64_t length, bool last);
} LogVisitor;

typedef struct LogReport {
  LogHeader header;
  LogHeaderState header_state;
  uint64_t frames;      /* whole ones, marks among them */
  uint64_t batches;     /* whole ones */
  uint64_t operations;
  uint64_t sequence;    /* the highest number of a batch */
  uint64_t synced;      /* the highest number that a frame says is on the device */
  uint64_t gaps, gap_bytes;
  uint64_t first_gap;   /* offset, HEARTH_NO_POSITION when there is none */
  uint64_t tail_at;     /* offset of a gap with nothing whole behind it, HEARTH_NO_POSITION when there is none */
  bool tail_synced;     /* a frame header says that what stood in that gap had been on the device:
                           known when it is visited */
  uint64_t first_disorder; /* offset of a whole frame that is not what follows the one before it, or whose payload is no
                              operations; HEARTH_NO_POSITION when there is none */
  uint64_t behind;      /* bytes behind the last whole batch and its marks: a torn tail, or
                           damaged; known when all was walked */
  bool closed;          /* ends with a mark that says so */
  bool stopped;         /* a visitor stopped the walk */
  int failure;          /* errno value after IO; a visitor that stops the walk may set it */
  uint64_t salt;        /* the one that the frames were found with */
} LogReport;

/*
** Answers END when the log was walked or a visitor stopped it, BAD when it is no
** log (header_state FOREIGN or NEWER), IO or NOMEM. `visitor` may be NULL.
*/
LogStep log_inspect(const LogSource *source, const hearth_allocator *allocator, const LogVisitor *visitor,
                    LogReport *report);

#endif
