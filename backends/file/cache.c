#include "cache.h"

void cache_init(Cache *cache, const hearth_allocator *allocator) {
  memset(cache, 0, sizeof *cache);
  cache->allocator = *allocator;
}

static CacheSlot *slot_for(Cache *cache, uint64_t offset) {
  return &cache->slots[(offset * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}

void cache_drop(Cache *cache, CacheSlot *slot) {
  hearth_free(&cache->allocator, slot->bytes, slot->size);
  cache->bytes -= slot->size;
  memset(slot, 0, sizeof *slot);
}

void cache_clear(Cache *cache) {
  for (size_t i = 0; i < CACHE_SLOTS; i++) cache_drop(cache, &cache->slots[i]);
}

CacheSlot *cache_find(Cache *cache, uint64_t offset) {
  CacheSlot *slot = slot_for(cache, offset);
  return slot->offset == offset ? slot : NULL;
}

CacheSlot *cache_make(Cache *cache, uint64_t offset, size_t size) {
  CacheSlot *slot = slot_for(cache, offset);
  if (size == 0 || size > CACHE_LONGEST || slot->pins > 0) return NULL;
  unsigned char *bytes = hearth_realloc(&cache->allocator, NULL, 0, size);
  if (bytes == NULL) return NULL;
  cache_drop(cache, slot);
  slot->bytes = bytes;
  slot->size = (uint32_t)size;
  slot->offset = offset;
  cache->bytes += size;
  return slot;
}
