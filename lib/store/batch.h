/*
** The operations of one commit, gathered and submitted, in parts when they are
** many, so that a large commit does not need its bytes twice.
*/
#ifndef HEARTH_STORE_BATCH_H
#define HEARTH_STORE_BATCH_H

#include "hearth_backend.h"

#include "buffer.h"
#include "layout.h"

/* Bytes after which a part is submitted. */
#define BATCH_PART (4u << 20)

typedef struct Batch {
  const hearth_backend *backend;
  hearth_backend_store *storage;
  Buffer ops, bytes;
  uint64_t entries, size; /* operations and bytes so far, parts submitted included */
  bool partial;           /* parts were submitted */
} Batch;

void batch_init(Batch *b, const hearth_backend *backend, hearth_backend_store *storage, const hearth_allocator *a);
void batch_free(Batch *b);

/* Adds one operation; copies key and value. NOMEM, or what submitting a part answered. */
hearth_status batch_put(Batch *b, uint64_t table, const void *key, size_t key_size, const void *value,
                        size_t value_size, hearth_error *err);
hearth_status batch_del(Batch *b, uint64_t table, const void *key, size_t key_size, hearth_error *err);
hearth_status batch_drop(Batch *b, uint64_t table, hearth_error *err);

/* The same for keys of the layout's table. */
hearth_status batch_put_at(Batch *b, const LayoutKey *key, const void *value, size_t value_size, hearth_error *err);
hearth_status batch_del_at(Batch *b, const LayoutKey *key, hearth_error *err);

/* Submits the rest as the last part; *sequence gets the batch's number. */
hearth_status batch_submit(Batch *b, hearth_durability level, uint64_t *sequence, hearth_error *err);

/* Gives up: tells the backend if it has parts. */
void batch_abandon(Batch *b);

#endif
