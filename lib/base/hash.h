/*
** XXH3 from xxHash's single header, behind two names. 64 bits guard frames and
** values, 128 bits decide "unchanged".
*/
#ifndef HEARTH_BASE_HASH_H
#define HEARTH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct Hash128 {
  uint64_t low, high;
} Hash128;

uint64_t hash64(const void *bytes, size_t size, uint64_t seed);
Hash128 hash128(const void *bytes, size_t size);

static inline int hash128_equal(Hash128 a, Hash128 b) {
  return a.low == b.low && a.high == b.high;
}

#endif
