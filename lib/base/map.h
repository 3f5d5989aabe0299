/*
** An ordered map from (table number, key bytes) to value bytes: a balanced
** (AVL) tree whose nodes hold key and value in one allocation. A larger one also
** has a hash table of hints: finding a key of a million misses the processor's caches
** two or three times with it, and at every level of the tree without.
**
** Order: by table, then by memcmp, a shorter key before a longer one that it
** begins. An entry never moves while it is in the map, so a pointer to one is
** a cursor that survives changes to other entries. One entry costs MAP_ENTRY_BYTES
** and its key and value, and at most MAP_HINT_BYTES in the hash table: with a key of 24 bytes and a value
** of 12 that is 80 bytes on a 64-bit machine, and 96 with what a C library's malloc adds.
**
** Only map_make allocates. Linking and unlinking cannot fail, so a caller that makes all its entries
** first can change the map all or nothing. Without memory for the hash table the tree alone serves.
*/
#ifndef HEARTH_BASE_MAP_H
#define HEARTH_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "hearth_status.h"

typedef struct MapEntry MapEntry;

struct MapEntry {
  MapEntry *left, *right;
  uint64_t table;
  uint32_t value_size;
  uint16_t key_size;
  int8_t balance;      /* height of the right subtree minus that of the left */
  uint8_t mark;        /* the map's user may keep a byte here; map_make sets 0 */
  unsigned char bytes[]; /* key, then value; never less than 8, so that the key's first 8 can be read at once */
};

#define MAP_ENTRY_BYTES offsetof(MapEntry, bytes)
#define MAP_HINT_BYTES 12 /* of the hash table, for each entry: at most, unless most of a map's entries have gone */
#define MAP_MAX_KEY UINT16_MAX

/*
** More levels than a tree can have: below 1.4405 log2(entries + 2) (Knuth, The Art of Computer Programming 3, 6.2.3,
** theorem A), and memory holds fewer than 2^59 entries, or 2^27 with addresses of 32 bits.
*/
#define MAP_MAX_LEVELS (11 * sizeof(void *))

typedef struct MapSet MapSet;

typedef struct Map {
  MapEntry *root;
  size_t count;
  uint64_t bytes;      /* allocated for the entries in the map, and for the hash table */
  size_t spare;        /* entries made, and not in the map now: there is to be room for them */
  MapSet *sets;        /* the hash table; NULL in a small map */
  size_t set_count;
  void *allocated;     /* what the sets stand in */
  unsigned searched;   /* of them, for one key */
  size_t unhinted;     /* entries in the map that found no place in the hash table */
  size_t most, least;  /* entries, beyond which the hash table is made anew */
  HashKey seed;        /* of the hash, two odd numbers: who chooses the keys does not know them */
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

/* The first entry behind the key; NULL: none. */
MapEntry *map_after(const Map *m, uint64_t table, const void *key, size_t key_size);

/* The first entry of the first table numbered `from` or higher; NULL: none. Next table: from e->table + 1. */
MapEntry *map_table(const Map *m, uint64_t from);

/* A walk through entries in order. The map must not change while a range is used. */
typedef struct MapRange {
  const MapEntry *stop; /* the first entry that is not delivered any more */
  bool reverse;
  unsigned waiting;
  MapEntry *path[MAP_MAX_LEVELS]; /* the entries above the next one, and itself, whose turn is still to come */
} MapRange;

/* The entries of one table with from <= key < to; from NULL: from the first, to NULL: to the last. */
void map_range(const Map *m, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,
               bool reverse, MapRange *range);

/* All entries at or after the key, across tables. With (0, NULL, 0): the whole map. */
void map_from(const Map *m, uint64_t table, const void *key, size_t key_size, MapRange *range);

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
