/*
** Values read lately, by their offset in the file. Bounded: CACHE_SLOTS values
** of at most CACHE_LONGEST bytes.
*/
#ifndef HEARTH_FILE_CACHE_H
#define HEARTH_FILE_CACHE_H

#include "buffer.h"

#define CACHE_SLOTS 256
#define CACHE_LONGEST ((size_t)16 << 10)

typedef struct CacheSlot {
  uint64_t offset; /* 0: empty; no value stands there */
  unsigned char *bytes;
  uint32_t size;
  uint32_t pins; /* > 0: in use by a callback */
} CacheSlot;

typedef struct Cache {
  CacheSlot slots[CACHE_SLOTS];
  size_t bytes; /* held by all slots */
  hearth_allocator allocator;
} Cache;

void cache_init(Cache *cache, const hearth_allocator *allocator);

/* Forgets everything; no slot may be pinned. */
void cache_clear(Cache *cache);

/* The slot that holds the value at `offset`, or NULL. */
CacheSlot *cache_find(Cache *cache, uint64_t offset);

/* A slot with room for a value at `offset`, to be filled at once; NULL: too long, no memory, or the place is in use. */
CacheSlot *cache_make(Cache *cache, uint64_t offset, size_t size);

/* Forgets one slot, when what was read into it turned out wrong. */
void cache_drop(Cache *cache, CacheSlot *slot);

#endif
