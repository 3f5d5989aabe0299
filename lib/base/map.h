/*
** An ordered map from (table number, key bytes) to value bytes: a balanced
** (AVL) tree whose nodes hold key and value in one allocation. A larger one also
** has a hash table of chains: finding a key of a million misses the processor's caches
** twice with it, and at every level of the tree without.
**
** Order: by table, then by memcmp, a shorter key before a longer one that it
** begins. An entry never moves while it is in the map, so a pointer to one is
** a cursor that survives changes to other entries. One entry costs MAP_ENTRY_BYTES
** and its key and value: with a key of 24 bytes and a value of 12 that is 84 bytes
** on a 64-bit machine, and 4 to 8 in the hash table: 92 at most; a C library's malloc adds 8 to 16.
**
** Only map_make allocates, for the hash table too. Linking and unlinking cannot fail, so a caller that
** makes all its entries first can change the map all or nothing.
*/
#ifndef HEARTH_BASE_MAP_H
#define HEARTH_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hearth_status.h"

typedef struct MapEntry MapEntry;

struct MapEntry {
  MapEntry *parent, *left, *right;
  MapEntry *chain;     /* the next one in its bucket */
  uint64_t table;
  uint32_t value_size;
  uint16_t key_size;
  int8_t balance;      /* height of the right subtree minus that of the left */
  uint8_t mark;        /* the map's user may keep a byte here; map_make sets 0 */
  unsigned char bytes[]; /* key, then value; never less than 8, so that the key's first 8 can be read at once */
};

#define MAP_ENTRY_BYTES offsetof(MapEntry, bytes)
#define MAP_MAX_KEY UINT16_MAX

typedef struct Map {
  MapEntry *root;
  size_t count;
  uint64_t bytes;      /* allocated for the entries in the map, and for the buckets */
  size_t spare;        /* entries made, and not in the map now: there is to be room for them */
  MapEntry **buckets;  /* NULL in a small map */
  size_t bucket_count; /* a power of two */
  uint64_t seed;       /* of the hash, odd: who chooses the keys does not know it */
  unsigned shift;      /* of a hash, to a bucket's number */
  hearth_allocator allocator;
} Map;

static inline const unsigned char *map_key(const MapEntry *e) {
  return e->bytes;
}

/* Not aligned: read and write it by memcpy. */
static inline unsigned char *map_value(MapEntry *e) {
  return e->bytes + e->key_size;
}

void map_init(Map *m, const hearth_allocator *allocator);
void map_free(Map *m); /* empty and usable again afterwards */

/* NULL when absent. */
MapEntry *map_find(const Map *m, uint64_t table, const void *key, size_t key_size);

/* The first entry at or after the key; NULL: none. With (0, NULL, 0): the first of all. */
MapEntry *map_lower(const Map *m, uint64_t table, const void *key, size_t key_size);

/* The last entry before the key; NULL: none. */
MapEntry *map_before(const Map *m, uint64_t table, const void *key, size_t key_size);

/* Neighbours in order, across tables; NULL at the ends. */
MapEntry *map_next(const MapEntry *e);
MapEntry *map_prev(const MapEntry *e);

/* The first entry of the first table numbered `from` or higher; NULL: none. Next table: from e->table + 1. */
MapEntry *map_table(const Map *m, uint64_t from);

/*
** The entries of one table with from <= key < to; from NULL: from the first, to
** NULL: to the last. The map must not change while a range is used.
*/
typedef struct MapRange {
  MapEntry *next, *stop; /* stop is the first entry that is not delivered any more */
  bool reverse;
} MapRange;

void map_range(const Map *m, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,
               bool reverse, MapRange *range);
MapEntry *map_range_next(MapRange *range); /* NULL at the end */

/*
** Makes an entry that is not in the map yet; it is linked or discarded later. NULL
** when memory is exhausted. `value` NULL leaves the value's bytes to the caller to fill.
*/
MapEntry *map_make(Map *m, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size);

/* Frees an entry that is not in the map. */
void map_discard(Map *m, MapEntry *e);

/* Puts a made entry in its place. The entry that it replaced, now the caller's to discard, or NULL. */
MapEntry *map_link(Map *m, MapEntry *e);

/* Takes an entry out; it becomes the caller's to discard. */
void map_unlink(Map *m, MapEntry *e);

/* Inserts or replaces. False, with the map as it was, when memory is exhausted. */
bool map_put(Map *m, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size);

/* Removes and frees; false when the key is absent. */
bool map_remove(Map *m, uint64_t table, const void *key, size_t key_size);

/* Removes and frees every entry of a table: how many. */
size_t map_drop(Map *m, uint64_t table);

#endif
