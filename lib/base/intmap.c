#include "intmap.h"

#include <assert.h>

#define GROWS_FAST 32768 /* entries: below it is worth more to move them a third as often than to keep a map small */

void intmap_init(IntMap *m, const hearth_allocator *allocator) {
  memset(m, 0, sizeof *m);
  m->allocator = *allocator;
}

void intmap_free(IntMap *m) {
  hearth_free(&m->allocator, m->entries, m->capacity * sizeof *m->entries);
  m->entries = NULL;
  m->capacity = m->count = 0;
}

static size_t place_of(const IntMap *m, uint64_t key) {
  size_t i = intmap_home(m, key);
  while (m->entries[i].key != 0 && m->entries[i].key != key) i = (i + 1) & (m->capacity - 1);
  return i;
}

bool intmap_reserve(IntMap *m, size_t more) {
  size_t capacity = m->capacity == 0 ? 32 : m->capacity;
  while ((m->count + more) > capacity - capacity / 4) capacity *= capacity < GROWS_FAST ? 4 : 2;
  if (capacity == m->capacity) return true;
  IntMap larger = *m;
  larger.capacity = capacity;
  larger.entries = hearth_realloc(&m->allocator, NULL, 0, capacity * sizeof *m->entries);
  if (larger.entries == NULL) return false;
  memset(larger.entries, 0, capacity * sizeof *m->entries);
  for (size_t i = 0; i < m->capacity; i++)
    if (m->entries[i].key != 0) larger.entries[place_of(&larger, m->entries[i].key)] = m->entries[i];
  hearth_free(&m->allocator, m->entries, m->capacity * sizeof *m->entries);
  *m = larger;
  return true;
}

bool intmap_put(IntMap *m, uint64_t key, uint32_t value) {
  assert(key != 0);
  if (!intmap_reserve(m, 1)) return false;
  size_t i = place_of(m, key);
  if (m->entries[i].key == 0) m->count++;
  m->entries[i] = (IntMapEntry){key, value};
  return true;
}

void intmap_add(IntMap *m, uint64_t key, uint32_t value) {
  assert(key != 0 && m->count < m->capacity - 1);
  m->entries[place_of(m, key)] = (IntMapEntry){key, value};
  m->count++;
}

void intmap_remove(IntMap *m, uint64_t key) {
  if (m->capacity == 0) return;
  size_t mask = m->capacity - 1;
  size_t hole = place_of(m, key);
  if (m->entries[hole].key == 0) return;
  m->count--;
  m->entries[hole].key = 0;
  /* Entries behind the hole move into it where they would otherwise become unreachable (Knuth 6.4, algorithm R). */
  for (size_t i = (hole + 1) & mask; m->entries[i].key != 0; i = (i + 1) & mask) {
    size_t home = intmap_home(m, m->entries[i].key);
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      m->entries[hole] = m->entries[i];
      m->entries[i].key = 0;
      hole = i;
    }
  }
}
