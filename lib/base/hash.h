/*
** XXH3 from xxHash's single header, behind two names. 64 bits guard frames and values; 128 bits, which are never
** written anywhere, decide "unchanged" and "the same". Contents of one hash are easily made for a seed that is known, so
** theirs is one that nobody knows.
*/
#ifndef HEARTH_BASE_HASH_H
#define HEARTH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct Hash128 {
  uint64_t low, high;
} Hash128;

uint64_t hash64(const void *bytes, size_t size, uint64_t seed);
Hash128 hash128(const void *bytes, size_t size, uint64_t seed);

/* A seed that whoever makes the contents cannot know. */
uint64_t hash_seed(void);

static inline int hash128_equal(Hash128 a, Hash128 b) {
  return a.low == b.low && a.high == b.high;
}

#endif
