/*
** All entries of a store, in memory: the complete state, overlaid by what is pending.
** What a pending batch changed can be undone without memory, the newest first.
*/
#ifndef HEARTH_INDEXEDDB_MIRROR_H
#define HEARTH_INDEXEDDB_MIRROR_H

#include "contract.h"
#include "scan.h"

typedef struct Mirror {
  Map map;
  MapBatch batch;      /* what comes into the map when the batch is whole */
  size_t operations;   /* in the batch */
  uint64_t live_bytes; /* of keys and values */
  uint64_t live_log;   /* of the operations that put them: the rest of the log is dead */
} Mirror;

/* What one operation did. */
typedef struct Undo {
  MapEntry *added;   /* by a PUT; it is in the map, or was taken out by a later operation */
  MapEntry *removed; /* taken out of the map, linked through `right` */
} Undo;

typedef struct UndoList {
  Undo *items;
  size_t count;
} UndoList;

void idb_mirror_init(Mirror *m, const hearth_allocator *allocator);
void idb_mirror_free(Mirror *m);

/* Adds an operation to the batch. False: memory exhausted. */
bool idb_mirror_add(Mirror *m, const hearth_op *op);
void idb_mirror_discard(Mirror *m);

/* By how many bytes of the log the batch would make the live entries grow, about; negative when it shrinks them. */
int64_t idb_mirror_growth(const Mirror *m);

/* Takes in the scan's current frame for good. FRAME, NOMEM, or BAD when its payload makes no sense. */
LogStep idb_mirror_replay(Mirror *m, const LogScan *scan);

/* Makes room for what idb_mirror_apply notes about the batch. False: memory exhausted. */
bool idb_mirror_prepare(const Mirror *m, UndoList *undo);

/* The operations of the batch happen; cannot fail. */
void idb_mirror_apply(Mirror *m, UndoList *undo);

/* They did not happen. All that were applied later must have been undone before. Frees the list. */
void idb_mirror_undo(Mirror *m, UndoList *undo);

/*
** They happened for good. Frees the list and what they removed, but entries with a mark go to *marked (when it
** is not NULL), linked through `right`.
*/
void idb_mirror_settle(Mirror *m, UndoList *undo, MapEntry **marked);

#endif
