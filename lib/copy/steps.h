/* Between the files of this folder: one batch at a time. */
#ifndef HEARTH_COPY_STEPS_H
#define HEARTH_COPY_STEPS_H

#include "copy.h"
#include "error.h"

/* Submits; a batch that is accepted is awaited by the next copy_settle. */
hearth_status copy_submit(Copy *c, const hearth_op *ops, size_t count, unsigned flags, hearth_durability level,
                          hearth_error *err);

/* Whether what was submitted has arrived: PENDING, OK, or its failure. */
hearth_status copy_settle(Copy *c, hearth_error *err);

/* Everything so far is to be as safe as the destination can make it. */
hearth_status copy_secure(Copy *c, hearth_error *err);

/* The last operation of all: the source's metadata record, or that there is none. */
hearth_op copy_last_op(const Copy *c);

/* For batches that others follow. */
hearth_durability copy_level(const Copy *c);

/* STALE unless the source is what it was at the beginning. A reader who is not told so reads one commit. */
hearth_status copy_check_source(Copy *c, hearth_error *err);

hearth_status copy_no_memory(hearth_error *err);

#endif
