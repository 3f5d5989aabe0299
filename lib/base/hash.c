#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

/*
** Two hashes with seeds that have little in common, since XXH3 is no cryptographic hash: it only adds the seed to its secret,
** and of two contents that were made to have one hash for one seed a few in 100,000 have one for another seed as well.
*/
Hash128 hash128(const void *bytes, size_t size, uint64_t seed) {
  return (Hash128){hash64(bytes, size, seed), hash64(bytes, size, (seed ^ seed >> 32) * UINT64_C(0x9E3779B97F4A7C15))};
}
