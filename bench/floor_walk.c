#include "floor.h"

#include <lauxlib.h>

enum { FLAT_FALSE, FLAT_TRUE, FLAT_INTEGER, FLAT_FLOAT, FLAT_STRING, FLAT_TABLE, FLAT_AGAIN, FLAT_END };

static inline unsigned char *put(unsigned char *out, int tag, const void *bytes, size_t size) {
  *out = (unsigned char)tag;
  memcpy(out + 1, bytes, size);
  return out + 1 + size;
}

static inline unsigned char *put_string(lua_State *L, int index, unsigned char *out) {
  size_t size;
  const char *s = lua_tolstring(L, index, &size);
  uint32_t length = (uint32_t)size;
  out = put(out, FLAT_STRING, &length, sizeof length);
  memcpy(out, s, size);
  return out + size;
}

static inline unsigned char *put_scalar(lua_State *L, int index, int type, unsigned char *out) {
  switch (type) {
    case LUA_TBOOLEAN: *out = lua_toboolean(L, index) ? FLAT_TRUE : FLAT_FALSE; return out + 1;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        lua_Integer i = lua_tointeger(L, index);
        return put(out, FLAT_INTEGER, &i, sizeof i);
      }
      lua_Number n = lua_tonumber(L, index);
      return put(out, FLAT_FLOAT, &n, sizeof n);
    default: return put_string(L, index, out);
  }
}

#define MOST_LEVELS 100000 /* Lua's stack is not deeper */

/* Depth first. On Lua's stack, for each level: the table and the key where it is; in levels the next of a sequence. */
static unsigned char *walk(lua_State *L, unsigned char *out, Seen *seen, lua_Integer *levels) {
  size_t depth = 1;
  levels[0] = 1;
  lua_pushnil(L);
  while (depth > 0) {
    if (!lua_next(L, -2)) {
      *out++ = FLAT_END;
      lua_pop(L, 1);
      depth--;
      continue;
    }
    if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == levels[depth - 1])
      levels[depth - 1]++;
    else
      out = put_scalar(L, -2, lua_type(L, -2), out);
    int type = lua_type(L, -1);
    if (type != LUA_TTABLE) {
      out = put_scalar(L, -1, type, out);
      lua_pop(L, 1);
      continue;
    }
    if (seen != NULL) {
      SeenSlot *slot = seen_meet(seen, lua_topointer(L, -1));
      if (slot->count++ > 0) {
        out = put(out, FLAT_AGAIN, &slot->number, sizeof slot->number);
        lua_pop(L, 1);
        continue;
      }
    }
    if (depth == MOST_LEVELS) luaL_error(L, "too deep");
    luaL_checkstack(L, LUA_MINSTACK, "levels");
    *out++ = FLAT_TABLE;
    levels[depth++] = 1;
    lua_pushnil(L);
  }
  return out;
}

unsigned char *floor_walk(lua_State *L, int index, unsigned char *out, Seen *seen) {
  static lua_Integer levels[MOST_LEVELS];
  lua_pushvalue(L, index);
  if (seen != NULL) seen_meet(seen, lua_topointer(L, -1))->count++;
  return walk(L, out, seen, levels);
}
