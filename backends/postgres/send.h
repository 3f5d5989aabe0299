/* The operations of a part as statements, a few megabytes of arrays at a time. */
#ifndef HEARTH_POSTGRES_SEND_H
#define HEARTH_POSTGRES_SEND_H

#include "batch.h"
#include "pipeline.h"

typedef struct Send {
  Pipeline *pipeline;
  uint64_t id;              /* of the store */
  Buffer tables, keys, values, checks;
  bool failed;              /* no memory */
  uint64_t written;         /* bytes of keys and values */
} Send;

void postgres_send_init(Send *s, Pipeline *p, uint64_t id, const hearth_allocator *allocator);
void postgres_send_free(Send *s);

/*
** What is there before the batch must be what its checks say. *wrong: the check that fails, as it was given; NULL:
** none.
*/
void postgres_send_checks(Send *s, const Batch *b, const hearth_op **wrong);

void postgres_send_changes(Send *s, const Batch *b);

#endif
