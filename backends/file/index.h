/*
** The index in memory: where in the file the value of each key stands. Filled by
** replaying frames when a store is opened, and by each batch afterwards.
*/
#ifndef HEARTH_FILE_INDEX_H
#define HEARTH_FILE_INDEX_H

#include <string.h>

#include "contract.h"
#include "scan.h"

typedef struct Place { /* of a value */
  uint64_t at;
  uint32_t size;
} Place;

#define PLACE_BYTES (sizeof(uint64_t) + sizeof(uint32_t)) /* as an entry of the map holds it */

typedef struct Index {
  Map map;
  MapBatch batch;         /* what comes into the map when the batch is whole */
  uint64_t live_bytes; /* of keys and values */
  uint64_t live_log;   /* of the operations that put them: the rest of the log is dead */
} Index;

static inline Place index_place(MapEntry *e) {
  Place place;
  memcpy(&place.at, map_value(e), sizeof place.at);
  memcpy(&place.size, map_value(e) + sizeof place.at, sizeof place.size);
  return place;
}

void index_init(Index *index, const hearth_allocator *allocator);
void index_free(Index *index);

/* Adds an operation to the batch; `at` is where a PUT's value stands. False: no memory. */
bool index_add(Index *index, const hearth_op *op, uint64_t at);

/* The batch is whole: its operations happen. Cannot fail. */
void index_apply(Index *index);

/* Takes in the scan's current frame, a part or a batch. FRAME, NOMEM, or BAD when its payload makes no sense. */
LogStep index_replay(Index *index, const LogScan *scan);

/* By how many bytes the batch so far would make the live entries grow; negative when it shrinks them. */
int64_t index_growth(const Index *index);

#endif
