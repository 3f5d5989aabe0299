/*
** Making batches and handing their frames to a sink, at most about a megabyte
** at a time: a larger batch becomes parts.
*/
#ifndef HEARTH_LOG_WRITER_H
#define HEARTH_LOG_WRITER_H

#include "buffer.h"
#include "format.h"

#ifndef LOG_CHUNK /* tests make it small */
#define LOG_CHUNK ((size_t)1 << 20) /* decides where an export has its frames: the same everywhere */
#endif

/* Takes bytes for an offset: 0 or an errno value. */
typedef struct LogSink {
  void *ud;
  int (*write)(void *ud, uint64_t offset, const void *bytes, size_t size);
} LogSink;

typedef enum LogResult {
  LOG_WRITTEN,
  LOG_SINK_FAILED, /* writer->failure is the errno value */
  LOG_NO_MEMORY
} LogResult;

/*
** Set sink, salt, at and chain before the first batch; sequence, time and
** synced before each. After a failure at and chain are to be set again.
*/
typedef struct LogWriter {
  LogSink sink;
  uint64_t salt;
  uint64_t at;    /* offset of the frame that is being made */
  uint64_t chain; /* check of the frame before it */
  uint64_t sequence, time, synced;
  Buffer frame;   /* empty between frames */
  int failure;
} LogWriter;

void log_writer_init(LogWriter *w, const LogSink *sink, const hearth_allocator *allocator);
void log_writer_free(LogWriter *w);

/* Writes the header at offset 0 and starts the chain. */
LogResult log_writer_header(LogWriter *w, LogHeader *h);

/* Adds an operation; op->value_at is set. Writes a part when enough has come together. */
LogResult log_writer_op(LogWriter *w, LogOp *op);

/* Writes what has come together: as a part when `more`, else as the end of the batch. */
LogResult log_writer_end(LogWriter *w, bool more);

/* Writes a mark at the writer's place; at and chain stay, since the next frame overwrites it. */
LogResult log_writer_mark(LogWriter *w, LogKind kind);

/* Forgets the frame that is being made. */
void log_writer_forget(LogWriter *w);

#endif
