/*
** What every backend here shares of the contract in hearth_backend.h: reading
** the caller's structs, judging operations, and a batch that is made completely
** before it changes anything.
*/
#ifndef HEARTH_BACKENDS_CONTRACT_H
#define HEARTH_BACKENDS_CONTRACT_H

#include "hearth_backend.h"
#include "map.h"

/* Copies the fields that the caller's struct has; the rest is zero, the allocator is always set. */
void contract_config(hearth_backend_config *out, const hearth_backend_config *in);

/* Copies the fields that the caller's struct has room for. */
void contract_stat(hearth_backend_stat *out, const hearth_backend_stat *full);

/* INVALID or TOOBIG when the operations break a limit of hearth_backend.h or the flags contradict the count. */
hearth_status contract_check(const hearth_op *ops, size_t count, unsigned flags, hearth_error *err);

/* DEFAULT becomes the backend's best; UNSUPPORTED for a level beyond it. */
hearth_status contract_level(const hearth_backend *backend, hearth_durability *level, hearth_error *err);

/* Called when an entry comes into the map (sign 1) or leaves it (sign -1). */
typedef void (*MapBatchCount)(void *ud, MapEntry *e, int sign);

/*
** A batch being made: entries that are allocated but not in the map yet,
** in the order of the operations, over all parts.
*/
typedef struct MapBatch {
  Map *map;
  MapEntry *first, *last; /* linked through `right`; `mark` is the operation's kind */
} MapBatch;

void map_batch_init(MapBatch *b, Map *map);

/* Forgets everything added so far. */
void map_batch_discard(MapBatch *b);

/* Adds an operation (PUT, DEL or DROP) with `value` as what the map will hold. False: memory exhausted. */
bool map_batch_add(MapBatch *b, const hearth_op *op, const void *value, size_t value_size);

/*
** By how many bytes the batch would make the map grow, each entry counted by `size`. An estimate: an entry that one
** batch names twice counts as freed twice.
*/
int64_t map_batch_growth(const MapBatch *b, int64_t (*size)(MapEntry *e));

/* Changes the map; cannot fail. The batch is empty afterwards. */
void map_batch_apply(MapBatch *b, MapBatchCount count, void *ud);

#endif
