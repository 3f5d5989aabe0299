/* Writing the log's bytes. Each function has its mirror in decode.h. */
#ifndef HEARTH_LOG_ENCODE_H
#define HEARTH_LOG_ENCODE_H

#include "buffer.h"
#include "format.h"

/* Sets h->check as well. */
void log_encode_header(unsigned char out[LOG_HEADER_SIZE], LogHeader *h);

/*
** A frame is made in an empty buffer: begin, operations, end. When memory runs
** out the buffer says so (failed) and the bytes are not to be used.
*/
void log_encode_begin(Buffer *out);

/* `at` is the offset of the frame. op->value_check and op->value_at are filled. */
void log_encode_op(Buffer *out, uint64_t salt, uint64_t at, LogOp *op);

/*
** Fills the frame's header; f->length, f->chain and the checks are set from the buffer and `chain`,
** the check of the frame before.
*/
void log_encode_end(Buffer *out, uint64_t salt, uint64_t at, uint64_t chain, LogFrame *f);

/* A mark: a frame without payload. */
void log_encode_mark(unsigned char out[LOG_FRAME_SIZE], uint64_t salt, uint64_t at, uint64_t chain, LogFrame *f);

#endif
