/*
** Values read lately, by their offset in the file. Bounded: CACHE_SETS sets of CACHE_WAYS values of at most
** CACHE_LONGEST bytes with their checks; in a set the one that was used longest ago gives way.
*/
#ifndef HEARTH_FILE_CACHE_H
#define HEARTH_FILE_CACHE_H

#include "buffer.h"

#define CACHE_SETS 64
#define CACHE_WAYS 4
#define CACHE_LONGEST ((size_t)16 << 10)

typedef struct CacheSlot {
  uint64_t offset; /* of what is in `bytes`; 0: nothing is */
  uint64_t used;   /* when, by the cache's clock */
  unsigned char *bytes;
  uint32_t capacity; /* of `bytes`, which stays when its value goes */
  uint32_t pins;     /* > 0: in use by a callback */
} CacheSlot;

typedef struct Cache {
  CacheSlot slots[CACHE_SETS][CACHE_WAYS];
  size_t bytes; /* held by all slots */
  uint64_t clock;
  hearth_allocator allocator;
} Cache;

void cache_init(Cache *cache, const hearth_allocator *allocator);

/* Forgets everything; no slot may be pinned. */
void cache_clear(Cache *cache);

/* The slot that holds the value at `offset`, or NULL. */
CacheSlot *cache_find(Cache *cache, uint64_t offset);

/*
** A slot with room for `size` bytes and with offset 0: who fills it sets that. NULL: too long, no
** memory, or all are in use.
*/
CacheSlot *cache_make(Cache *cache, uint64_t offset, size_t size);

#endif
