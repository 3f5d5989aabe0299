/*
** Hashes: XXH3 from xxHash's single header guards frames and values against damage, and SipHash decides "unchanged" and
** "the same". Two contents with one XXH3 are easily made; with one SipHash of 128 bits nobody can make them who does
** not know the key, so that is one that nobody knows, and neither the key nor a hash under it is written anywhere.
*/
#ifndef HEARTH_BASE_HASH_H
#define HEARTH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct Hash128 {
  uint64_t low, high;
} Hash128;

typedef struct HashKey {
  uint64_t low, high;
} HashKey;

/* XXH3-64. */
uint64_t hash64(const void *bytes, size_t size, uint64_t seed);

/* SipHash-2-4-128. */
Hash128 hash128(const void *bytes, size_t size, HashKey key);

/* A key that whoever makes the contents cannot know. */
HashKey hash_key(void);

static inline int hash128_equal(Hash128 a, Hash128 b) {
  return a.low == b.low && a.high == b.high;
}

#endif
