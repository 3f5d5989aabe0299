/*
** Types registered by name: objects known by their metatable, encoded and
** decoded by a pair of functions.
*/
#include <lauxlib.h>

#include "error.h"
#include "permanents_table.h"

bool permanents_type_of(lua_State *L, int perms, int index) {
  luaL_checkstack(L, 3, NULL);
  const int type = lua_type(L, index);
  if (type != LUA_TUSERDATA && type != LUA_TTABLE) return false;
  perms = lua_absindex(L, perms);
  if (!lua_getmetatable(L, index)) return false;
  lua_rawgeti(L, perms, PERMS_TYPE_NAMES);
  lua_insert(L, -2);
  if (lua_rawget(L, -2) != LUA_TNIL) {
    lua_remove(L, -2);
    return true;
  }
  lua_pop(L, 2);
  return false;
}

bool permanents_type(lua_State *L, int perms, int name) {
  luaL_checkstack(L, 3, NULL);
  name = lua_absindex(L, name);
  lua_rawgeti(L, perms, PERMS_TYPES);
  lua_pushvalue(L, name);
  if (lua_rawget(L, -2) != LUA_TTABLE) {
    lua_pop(L, 2);
    return false;
  }
  lua_remove(L, -2);
  lua_rawgeti(L, -1, 2);
  lua_rawgeti(L, -2, 3);
  lua_remove(L, -3);
  return true;
}

/* (metatable, encode, decode, name as light userdata) */
static int register_type(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 4));
  lua_replace(L, 4);
  permanents_push(L);
  const int name = 4, perms = 5, type = 6;
  lua_createtable(L, 3, 0);
  for (int i = 1; i <= 3; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, type, i);
  }
  permanents_put(L, perms, PERMS_TYPES, name, type);
  permanents_put(L, perms, PERMS_TYPE_NAMES, 1, name);
  return 0;
}

hearth_status hearth_register_type_at(lua_State *L, const char *name, int metatable, int encode, int decode,
                                      hearth_error *err) {
  if (!lua_istable(L, metatable))
    return hearth_fail(err, HEARTH_INVALID, "the metatable of type '%s' is a %s", name, luaL_typename(L, metatable));
  if (!lua_isfunction(L, encode) || !lua_isfunction(L, decode))
    return hearth_fail(err, HEARTH_INVALID, "type '%s' needs an encode and a decode function", name);
  if (!lua_checkstack(L, 5)) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  metatable = lua_absindex(L, metatable);
  encode = lua_absindex(L, encode);
  decode = lua_absindex(L, decode);
  lua_pushcfunction(L, register_type);
  lua_pushvalue(L, metatable);
  lua_pushvalue(L, encode);
  lua_pushvalue(L, decode);
  lua_pushlightuserdata(L, (void *)(uintptr_t)name);
  return permanents_protect(L, 4, 0, err);
}

hearth_status hearth_register_type(lua_State *L, const char *name, int metatable, lua_CFunction encode,
                                   lua_CFunction decode, hearth_error *err) {
  if (!lua_checkstack(L, 2)) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  metatable = lua_absindex(L, metatable);
  lua_pushcfunction(L, encode); /* without upvalues: allocates nothing */
  lua_pushcfunction(L, decode);
  const hearth_status status = hearth_register_type_at(L, name, metatable, -2, -1, err);
  lua_pop(L, 2);
  return status;
}
