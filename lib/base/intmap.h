/*
** A hash map from 64-bit keys (pointers, numbers, halves of hashes) to 32-bit
** indices. Open addressing with linear probing; key 0 is not allowed.
*/
#ifndef HEARTH_BASE_INTMAP_H
#define HEARTH_BASE_INTMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

#define INTMAP_NONE UINT32_MAX

typedef struct IntMapEntry {
  uint64_t key; /* 0: free */
  uint32_t value;
} IntMapEntry;

typedef struct IntMap {
  IntMapEntry *entries;
  size_t capacity; /* a power of two, or 0 */
  size_t count;
  hearth_allocator allocator;
} IntMap;

void intmap_init(IntMap *m, const hearth_allocator *allocator);
void intmap_free(IntMap *m);

/* Makes room so that `more` puts cannot fail. False: memory exhausted, nothing changed. */
bool intmap_reserve(IntMap *m, size_t more);

/* Sets key to value. False: memory exhausted, nothing changed. */
bool intmap_put(IntMap *m, uint64_t key, uint32_t value);
/* The same for a key that is not there, when room was reserved. */
void intmap_add(IntMap *m, uint64_t key, uint32_t value);
void intmap_remove(IntMap *m, uint64_t key);

static inline size_t intmap_home(const IntMap *m, uint64_t key) {
  return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (m->capacity - 1); /* Fibonacci hashing, Knuth 6.4 */
}

/* INTMAP_NONE when absent, as 0 is. */
static inline uint32_t intmap_get(const IntMap *m, uint64_t key) {
  if (m->capacity == 0) return INTMAP_NONE;
  for (size_t i = intmap_home(m, key);; i = (i + 1) & (m->capacity - 1)) {
    if (m->entries[i].key == 0) return INTMAP_NONE; /* first: 0 is never there */
    if (m->entries[i].key == key) return m->entries[i].value;
  }
}

#endif
