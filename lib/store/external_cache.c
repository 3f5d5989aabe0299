/*
** The cache of what was read from external tables.
*/
#include "external_cache.h"

#include <lauxlib.h>

#include "external_table.h"

/* Stands for "there is no value": its address, as a light userdata, which no entry can be. */
static const char absent = 0;

enum { ENTRY_WEIGHT = 64 }; /* bytes that Lua's table takes for an entry, at most */

void external_cache_push(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_CACHE);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  store_push_value(L, S, STORE_CACHE);
  if (lua_istable(L, -1)) { /* a finalizer was here meanwhile */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  store_set_value(L, S, STORE_CACHE);
}

/* Pushes what the handle's table of caches has for the number: its type. */
static int push_own(lua_State *L, uint64_t number) {
  lua_getiuservalue(L, 1, EXTERNAL_CACHES);
  return lua_rawgeti(L, -1, (lua_Integer)number);
}

bool external_cache_find(lua_State *L, uint64_t number) {
  if (push_own(L, number) != LUA_TTABLE) return false;
  lua_pushvalue(L, 2);
  int type = lua_rawget(L, -2);
  if (type == LUA_TLIGHTUSERDATA) lua_pushnil(L);
  return type != LUA_TNIL;
}

/* Is the value kept, and how many bytes does it count beside an entry's own? */
static bool fits(lua_State *L, int index, int type, size_t *weight) {
  *weight = type == LUA_TSTRING ? (size_t)lua_rawlen(L, index) : 0;
  return type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER ||
         (type == LUA_TSTRING && *weight <= EXTERNAL_CACHE_LONGEST);
}

static void push_kept(lua_State *L, int index, int type) {
  if (type == LUA_TNIL)
    lua_pushlightuserdata(L, (void *)(uintptr_t)&absent);
  else
    lua_pushvalue(L, index);
}

/* Was the key read before, as far as its hash tells? */
static bool seen(ExternalCache *cache, uint64_t number, const void *key, size_t key_size) {
  uint64_t bit = hash64(key, key_size, number) % (EXTERNAL_SEEN_BYTES * 8);
  unsigned char *byte = &cache->seen[bit / 8], mask = (unsigned char)(1u << bit % 8);
  if (*byte & mask) return true;
  if (cache->marks == EXTERNAL_SEEN_MOST) {
    memset(cache->seen, 0, sizeof cache->seen);
    cache->marks = 0;
  }
  *byte |= mask;
  cache->marks++;
  return false;
}

/* Empties the table of caches on the top. Takes no memory. */
static void clear(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
}

void external_cache_keep(lua_State *L, hearth_store *S, uint64_t number, const void *key, size_t key_size,
                         uint64_t changes) {
  ExternalCache *cache = &S->externals->cache;
  int value = lua_gettop(L), type = lua_type(L, value);
  size_t weight;
  if (S->readonly || !fits(L, value, type, &weight) || !seen(cache, number, key, key_size)) return;
  weight += key_size + ENTRY_WEIGHT;
  lua_getiuservalue(L, 1, EXTERNAL_CACHES);
  if (!cache->valid || cache->bytes + weight > EXTERNAL_CACHE_BYTES) {
    clear(L);
    cache->valid = true;
    cache->bytes = 0;
  }
  if (lua_rawgeti(L, -1, (lua_Integer)number) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L); /* a finalizer may run */
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)number);
  }
  if (S->externals != NULL && S->externals->cache.changes == changes && S->externals->cache.valid) {
    lua_pushvalue(L, 2);
    push_kept(L, value, type);
    lua_rawset(L, -3); /* runs no finalizer, even if it takes memory */
    S->externals->cache.bytes += weight;
  }
  lua_settop(L, value);
}

void external_cache_assign(lua_State *L, hearth_store *S, uint64_t number) {
  ExternalCache *cache = &S->externals->cache;
  if (!cache->valid || push_own(L, number) != LUA_TTABLE) return;
  lua_pushvalue(L, 2);
  int before = lua_rawget(L, -2), type = lua_type(L, 3);
  if (before == LUA_TNIL) return; /* else setting it takes no memory */
  size_t weight;
  bool kept = fits(L, 3, type, &weight);
  if (before == LUA_TSTRING) cache->bytes -= (size_t)lua_rawlen(L, -1);
  if (cache->bytes + weight > EXTERNAL_CACHE_BYTES) kept = false;
  lua_pushvalue(L, 2);
  if (kept) {
    cache->bytes += weight;
    push_kept(L, 3, type);
  } else {
    lua_pushnil(L);
  }
  lua_rawset(L, -4);
}
