/*
** What was read from external tables lately, as Lua's own values: reading it again is one look into a Lua table.
**
** A store has one table of caches (its user value STORE_CACHE, and one of each handle): number -> (key -> value). Kept
** are booleans, numbers, short strings, and that there is no value; nothing with an identity. A value comes in when its
** key is read a second time, so a walk through a large table brings nothing in; when EXTERNAL_CACHE_BYTES are reached
** all go.
**
** An assignment through any handle changes what is kept with it. Commits leave it: what is read does not change by
** them. What else changes entries ends it (external_cache_end). A store that was opened read-only keeps nothing, since
** only its backend knows whether another program has written.
*/
#ifndef HEARTH_STORE_EXTERNAL_CACHE_H
#define HEARTH_STORE_EXTERNAL_CACHE_H

#include "store.h"

#define EXTERNAL_CACHE_BYTES ((size_t)1 << 20) /* of a store: keys, values, and 64 bytes each for Lua's table */
#define EXTERNAL_CACHE_LONGEST 4096            /* a longer string is not kept */

#define EXTERNAL_SEEN_BYTES 4096
#define EXTERNAL_SEEN_MOST (EXTERNAL_SEEN_BYTES * 8 / 8) /* marks, then forgotten: one key in 16 passes for seen */

typedef struct ExternalCache {
  bool valid;       /* false: what is there is old, and goes before anything comes in */
  size_t bytes;     /* at most so many are held */
  uint64_t changes; /* of entries, and ends of what was kept */
  size_t marks;     /* set in `seen` */
  unsigned char seen[EXTERNAL_SEEN_BYTES]; /* a bit for keys that were read once, by their hash */
} ExternalCache;

/* [-0, +1, m] Pushes the store's table of caches. */
void external_cache_push(lua_State *L, hearth_store *S);

/* What is kept counts no more. */
static inline void external_cache_end(ExternalCache *cache) {
  cache->valid = false;
  cache->changes++;
}

/*
** [-0, +2..4, -] Is t[key] kept? Then the value is on the top. For a metamethod: the handle is at index 1, with the
** table of caches as its user value EXTERNAL_CACHES, and the key at index 2.
*/
bool external_cache_find(lua_State *L, uint64_t number);

/*
** [-0, +0, m] Keeps the value on the top, which was read under the key at index 2, if that was read before. `changes`
** is what cache.changes was before reading. As external_cache_find.
*/
void external_cache_keep(lua_State *L, hearth_store *S, uint64_t number, const void *key, size_t key_size,
                         uint64_t changes);

/*
** [-0, +0..5, -] t[key] = value, for what is kept under the key: key and value are at indices 2 and
** 3. As external_cache_find.
*/
void external_cache_assign(lua_State *L, hearth_store *S, uint64_t number);

#define EXTERNAL_CACHES 2 /* user value of a handle */

#endif
