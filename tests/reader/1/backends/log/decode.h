/* Reading the log's bytes. Each function has its mirror in encode.h. */
#ifndef HEARTH_LOG_DECODE_H
#define HEARTH_LOG_DECODE_H

#include "format.h"

typedef enum LogHeaderState {
  LOG_HEADER_GOOD,
  LOG_HEADER_FOREIGN, /* the magic is not there: some other file */
  LOG_HEADER_DAMAGED, /* cut short, or the check fails */
  LOG_HEADER_NEWER    /* whole, but this code must not read it */
} LogHeaderState;

/* `size` may be less than LOG_HEADER_SIZE. FOREIGN leaves *h alone; otherwise it holds what the bytes say. */
LogHeaderState log_decode_header(const unsigned char *bytes, size_t size, LogHeader *h);

/* The second copy of the salt in LOG_HEADER_SIZE bytes. */
uint64_t log_decode_second_salt(const unsigned char *bytes);

/* False unless LOG_FRAME_SIZE bytes are a frame header written for this salt and offset. */
bool log_decode_frame(const unsigned char *bytes, uint64_t salt, uint64_t at, LogFrame *f);

/* Is this the payload of the frame that stands at `at`? */
bool log_check_payload(const LogFrame *f, const unsigned char *payload, uint64_t salt, uint64_t at);

/* Walks the operations of a payload. */
typedef struct LogOps {
  const unsigned char *payload, *next, *end;
  uint64_t at; /* offset of the payload */
  bool bad;    /* set where the bytes are no operation */
} LogOps;

void log_ops(LogOps *ops, const unsigned char *payload, uint64_t length, uint64_t at);

/* False at the end, or where the payload makes no sense (ops->bad). Key and value point into the payload. */
bool log_decode_op(LogOps *ops, LogOp *op);

/* The check that stands before a value. */
uint64_t log_decode_value_check(const unsigned char bytes[LOG_VALUE_CHECK_SIZE]);

/* Is a PUT, with its table and key, what was written here? */
bool log_check_op(const LogOp *op, uint64_t salt);

#endif
