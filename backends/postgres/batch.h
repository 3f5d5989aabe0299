/*
** The operations of a part as the server gets them: each key once, what a later drop makes void left out, in key
** order.
*/
#ifndef HEARTH_POSTGRES_BATCH_H
#define HEARTH_POSTGRES_BATCH_H

#include <stdbool.h>

#include "buffer.h"
#include "hearth_backend.h"

typedef struct Batch {
  hearth_allocator allocator;
  const hearth_op **ops; /* four runs: drops, deletions, puts, checks */
  size_t capacity;
  size_t drops, dels, puts, checks;
} Batch;

/* Borrows `ops` until batch_free. False: no memory. */
bool postgres_batch_make(Batch *b, const hearth_op *ops, size_t count, const hearth_allocator *allocator);
void postgres_batch_free(Batch *b);

#endif
