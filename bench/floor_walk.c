#include "floor.h"

#include <lauxlib.h>
#include <stdbool.h>

enum { FLAT_FALSE, FLAT_TRUE, FLAT_INTEGER, FLAT_FLOAT, FLAT_STRING, FLAT_TABLE, FLAT_END };

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

/* Writes the key below the value at the top, unless it is the next of a sequence. */
static inline unsigned char *put_key(lua_State *L, lua_Integer *sequence, unsigned char *out) {
  if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != *sequence) return put_scalar(L, -2, lua_type(L, -2), out);
  ++*sequence;
  return out;
}

/* Is the table at the top new? Writes which it is. */
static inline bool meet(lua_State *L, Seen *seen, unsigned char **out) {
  SeenSlot *slot = seen_meet(seen, lua_topointer(L, -1));
  *out = put(*out, FLAT_TABLE, &slot->number, sizeof slot->number);
  return slot->count++ == 0;
}

#define MOST_LEVELS 1000

/* On Lua's stack, for each level: the table and the key where it is; in levels the next of its sequence. */
unsigned char *floor_walk(lua_State *L, int index, unsigned char *out, Seen *seen) {
  lua_Integer levels[MOST_LEVELS];
  size_t depth = 1;
  lua_pushvalue(L, index);
  if (seen != NULL) (void)meet(L, seen, &out);
  levels[0] = 1;
  lua_pushnil(L);
  while (depth > 0) {
    if (!lua_next(L, -2)) {
      *out++ = FLAT_END;
      lua_pop(L, 1);
      depth--;
      continue;
    }
    out = put_key(L, &levels[depth - 1], out);
    int type = lua_type(L, -1);
    if (type != LUA_TTABLE) {
      out = put_scalar(L, -1, type, out);
      lua_pop(L, 1);
      continue;
    }
    if (seen != NULL && !meet(L, seen, &out)) {
      lua_pop(L, 1);
      continue;
    }
    if (depth == MOST_LEVELS) luaL_error(L, "too deep");
    luaL_checkstack(L, LUA_MINSTACK, "levels");
    *out++ = FLAT_TABLE;
    levels[depth++] = 1;
    lua_pushnil(L);
  }
  return out;
}

/* The tables queue up on Lua's stack. */
unsigned char *floor_walk_graph(lua_State *L, int index, unsigned char *out, Seen *seen) {
  lua_pushvalue(L, index);
  (void)meet(L, seen, &out);
  for (int t = lua_gettop(L); t <= lua_gettop(L); t++) {
    lua_Integer sequence = 1;
    lua_pushnil(L);
    while (lua_next(L, t)) {
      out = put_key(L, &sequence, out);
      int type = lua_type(L, -1);
      if (type == LUA_TTABLE && meet(L, seen, &out)) {
        lua_insert(L, -2);
        continue;
      }
      if (type != LUA_TTABLE) out = put_scalar(L, -1, type, out);
      lua_pop(L, 1);
    }
    *out++ = FLAT_END;
  }
  return out;
}
