#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

Hash128 hash128(const void *bytes, size_t size, uint64_t seed) {
  XXH128_hash_t h = XXH3_128bits_withSeed(bytes, size, seed);
  return (Hash128){h.low64, h.high64};
}
