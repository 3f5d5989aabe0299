#include "cache.h"

void cache_init(Cache *cache, const hearth_allocator *allocator) {
  memset(cache, 0, sizeof *cache);
  cache->allocator = *allocator;
}

static CacheSlot *set_of(Cache *cache, uint64_t offset) {
  return cache->slots[(offset * UINT64_C(0x9e3779b97f4a7c15) >> 32) % CACHE_SETS];
}

void cache_clear(Cache *cache) {
  CacheSlot *slots = cache->slots[0];
  for (size_t i = 0; i < CACHE_SETS * CACHE_WAYS; i++)
    hearth_free(&cache->allocator, slots[i].bytes, slots[i].capacity);
  memset(cache->slots, 0, sizeof cache->slots);
  cache->bytes = 0;
}

CacheSlot *cache_find(Cache *cache, uint64_t offset) {
  CacheSlot *set = set_of(cache, offset);
  for (int i = 0; i < CACHE_WAYS; i++) {
    if (set[i].offset != offset) continue;
    set[i].used = ++cache->clock;
    return &set[i];
  }
  return NULL;
}

/* The slot is to have room for `size` bytes, and not for many times as much. */
static bool fit(Cache *cache, CacheSlot *slot, size_t size) {
  if (slot->capacity >= size && slot->capacity / 4 <= size) return true;
  size_t capacity = (size + 63) / 64 * 64;
  unsigned char *bytes = hearth_realloc(&cache->allocator, NULL, 0, capacity);
  if (bytes == NULL) return false;
  hearth_free(&cache->allocator, slot->bytes, slot->capacity);
  cache->bytes += capacity;
  cache->bytes -= slot->capacity;
  slot->bytes = bytes;
  slot->capacity = (uint32_t)capacity;
  return true;
}

CacheSlot *cache_make(Cache *cache, uint64_t offset, size_t size) {
  CacheSlot *set = set_of(cache, offset), *slot = NULL;
  if (size > CACHE_LONGEST) return NULL;
  for (int i = 0; i < CACHE_WAYS; i++)
    if (set[i].pins == 0 && (slot == NULL || set[i].used < slot->used)) slot = &set[i];
  if (slot == NULL || !fit(cache, slot, size)) return NULL;
  slot->offset = 0;
  slot->used = ++cache->clock;
  return slot;
}
