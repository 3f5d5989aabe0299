/*
** Batches by number, and what must be in a store after each of them: a model of a few lines, which shares nothing with
** the library. A state is a list of (table, key, number made of the value), summed up in one number.
*/
#ifndef HEARTH_TESTS_HISTORY_H
#define HEARTH_TESTS_HISTORY_H

#include "hearth_backend.h"

#define HISTORY_OPS 6
#define HISTORY_ENTRIES 40
#define HISTORY_LARGEST 10000 /* bytes of a value */

typedef struct HistoryEntry {
  uint64_t table;
  char key[16];
  uint64_t sum; /* of table, key and value */
} HistoryEntry;

typedef struct HistoryState {
  HistoryEntry entries[HISTORY_ENTRIES];
  size_t count;
  uint64_t sum; /* of all entries, in whatever order */
} HistoryState;

typedef struct HistoryBatch { /* do not copy: the ops point into it */
  hearth_op ops[HISTORY_OPS];
  size_t count;
  char keys[HISTORY_OPS][16];
  unsigned char values[HISTORY_OPS][HISTORY_LARGEST];
} HistoryBatch;

/* Variants whose numbers differ by this have the same sizes and other bytes. */
#define HISTORY_TWIN 1000

/* Batch n of history `seed`, in one of its variants; now and then with a value of up to `largest` bytes. */
void history_batch(uint64_t seed, uint64_t n, unsigned variant, size_t largest, HistoryBatch *batch);

/* What the batch makes of a state. `to` may be `from`. */
void history_apply(const HistoryState *from, const HistoryBatch *batch, HistoryState *to);

/* Submits it, `parts` operations at a time; 0: all at once. */
hearth_status history_submit(const hearth_backend *backend, hearth_backend_store *store, const HistoryBatch *batch,
                             size_t parts, hearth_durability level, hearth_error *err);

/* Sums up what a store has, as HistoryState.sum does. */
hearth_status history_sum(const hearth_backend *backend, hearth_backend_store *store, uint64_t *sum, hearth_error *err);

#endif
