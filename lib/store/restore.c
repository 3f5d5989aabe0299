/*
** Putting live objects back to what was read: the same tables, closures and cells, in
** which only what differs is assigned, so that a loop over a table skips and repeats nothing.
*/
#include <lauxlib.h>

#include "loader.h"

static bool is_same(lua_State *L, int a, int b) {
  if (!lua_rawequal(L, a, b)) return false;
  if (lua_type(L, a) != LUA_TNUMBER) return true;
  if (lua_isinteger(L, a) != lua_isinteger(L, b)) return false;
  lua_Number x = lua_tonumber(L, a), y = lua_tonumber(L, b);
  return lua_isinteger(L, a) || memcmp(&x, &y, sizeof x) == 0; /* 0.0 is not -0.0 */
}

static void clear_others(lua_State *L, int live, int wanted) {
  lua_pushnil(L);
  while (lua_next(L, live)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, wanted) == LUA_TNIL) {
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, live); /* clearing a field is allowed in a traversal */
    }
    lua_pop(L, 1);
  }
}

void restore_table(lua_State *L, int live, int wanted) {
  lua_pushnil(L);
  while (lua_next(L, wanted)) {
    int value = lua_gettop(L);
    if (lua_rawequal(L, value, wanted)) {
      lua_pushvalue(L, live);
      lua_replace(L, value);
    }
    lua_pushvalue(L, value - 1);
    lua_rawget(L, live);
    if (!is_same(L, value, -1)) {
      lua_pushvalue(L, value - 1);
      lua_pushvalue(L, value);
      lua_rawset(L, live);
    }
    lua_settop(L, value - 1);
  }
  clear_others(L, live, wanted);
}

static bool is_live(Loader *l, uint32_t index) {
  return loader_slot(l, index) != HEAP_NONE;
}

static bool is_table(Loader *l, uint32_t index) {
  uint8_t kind = decoder_part(&l->D, index)->kind;
  return kind == OBJECT_TABLE || kind == OBJECT_PAGED;
}

/* --------------------------------------------------------- missing keys */

/* Lists the keys of `wanted` that `live` lacks. */
static void list_keys(Loader *l, uint32_t index) {
  lua_State *L = l->D.L;
  lua_rawgeti(L, l->D.objects, (lua_Integer)index + 1);
  lua_rawgeti(L, l->temporary, (lua_Integer)index + 1);
  lua_pushnil(L); /* the list, if there is one */
  int live = lua_gettop(L) - 2, wanted = live + 1, list = live + 2;
  lua_Integer count = 0;
  lua_pushnil(L);
  while (lua_next(L, wanted)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    bool missing = lua_rawget(L, live) == LUA_TNIL;
    lua_pop(L, 1);
    if (!missing) continue;
    if (count == 0) {
      lua_newtable(L);
      lua_replace(L, list);
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, list, ++count);
  }
  if (count > 0) lua_rawseti(L, l->temporary, -(lua_Integer)index - 1);
  lua_settop(L, live - 1);
}

/* Stack: [1] the loader, [2] the objects, [3] what they should hold. */
static int insert_keys(lua_State *L) {
  Loader *l = lua_touserdata(L, 1);
  for (uint32_t i = 0; i < l->object_count; i++) {
    if (!is_live(l, i) || lua_rawgeti(L, 3, -(lua_Integer)i - 1) != LUA_TTABLE) {
      lua_settop(L, 3);
      continue;
    }
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    lua_rawgeti(L, 3, (lua_Integer)i + 1);
    for (lua_Integer k = 1; lua_rawgeti(L, 4, k) != LUA_TNIL; k++) {
      lua_pushvalue(L, -1);
      lua_rawget(L, 6);
      lua_rawset(L, 5);
    }
    lua_settop(L, 3);
  }
  return 0;
}

/* Takes out those that were inserted: their values are nil again. */
static void take_out_keys(Loader *l) {
  lua_State *L = l->D.L;
  int top = lua_gettop(L);
  for (uint32_t i = 0; i < l->object_count; i++) {
    if (is_live(l, i) && lua_rawgeti(L, l->temporary, -(lua_Integer)i - 1) == LUA_TTABLE) {
      lua_rawgeti(L, l->D.objects, (lua_Integer)i + 1);
      for (lua_Integer k = 1; lua_rawgeti(L, top + 1, k) != LUA_TNIL; k++) {
        lua_pushvalue(L, -1);
        if (lua_rawget(L, top + 2) != LUA_TNIL) {
          lua_pushvalue(L, -2);
          lua_pushnil(L);
          lua_rawset(L, top + 2);
        }
        lua_settop(L, top + 2);
      }
    }
    lua_settop(L, top);
  }
}

void restore_keys(Loader *l) {
  lua_State *L = l->D.L;
  for (uint32_t i = 0; i < l->object_count; i++)
    if (is_live(l, i) && is_table(l, i)) list_keys(l, i);
  lua_pushcfunction(L, insert_keys);
  lua_pushlightuserdata(L, l);
  lua_pushvalue(L, l->D.objects);
  lua_pushvalue(L, l->temporary);
  int result = lua_pcall(L, 3, 0, 0);
  if (result == LUA_OK) return;
  take_out_keys(l);
  if (result == LUA_ERRMEM) decoder_fail_memory(&l->D);
  decoder_fail(&l->D, HEARTH_RAISED, "a debug hook raised"); /* no other code of the program's runs there */
}

/* -------------------------------------------------------------- contents */

static void restore_live_table(Loader *l, uint32_t index) {
  lua_State *L = l->D.L;
  lua_rawgeti(L, l->D.objects, (lua_Integer)index + 1);
  lua_rawgeti(L, l->temporary, (lua_Integer)index + 1);
  int live = lua_gettop(L) - 1;
  restore_table(L, live, live + 1);
  if (!(decoder_part(&l->D, index)->flags & HEAD_METATABLE) && lua_getmetatable(L, live)) {
    lua_pushnil(L);
    lua_setmetatable(L, live);
  }
  lua_settop(L, live - 1);
}

/* One whose value is still to be rebuilt holds nil so long. */
static void restore_cell(Loader *l, uint32_t index) {
  lua_State *L = l->D.L;
  lua_rawgeti(L, l->D.objects, (lua_Integer)index + 1);
  lua_rawgeti(L, l->temporary, (lua_Integer)index + 1);
  lua_setupvalue(L, -2, decoder_part(&l->D, index)->upvalue);
  lua_pop(L, 1);
}

static void restore_closure(Loader *l, uint32_t index) {
  loader_look_at_body(l, index);
  decode_body(&l->D, index); /* it was checked */
}

void restore_contents(Loader *l) {
  for (uint32_t i = 0; i < l->object_count; i++) {
    if (!is_live(l, i)) continue;
    if (is_table(l, i)) restore_live_table(l, i);
    if (decoder_part(&l->D, i)->kind == OBJECT_CELL) restore_cell(l, i);
    if (decoder_part(&l->D, i)->kind == OBJECT_CLOSURE) restore_closure(l, i);
  }
}
