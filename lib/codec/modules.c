/*
** Modules: their functions, and their tables that hold functions or serve as
** metatables, named by the shortest path from the module.
*/
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "error.h"
#include "permanents_table.h"

/* The stack of register_module. */
enum {
  MODULE = 1, /* the table */
  NAME,       /* its name */
  PERMS,
  BEST,  /* object -> its shortest name here */
  QUEUE, /* tables whose fields are to be named; again when the table got a better name */
  STACK_BASE = QUEUE
};

/* ------------------------------------------------------------------ names */

static bool is_identifier(const char *s, size_t size) {
  if (size == 0 || isdigit((unsigned char)s[0])) return false;
  for (size_t i = 0; i < size; i++)
    if (!(s[i] == '_' || (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z')))
      return false;
  return true;
}

/* Two keys never give one name: what is no identifier is quoted, and quotes in it escaped. */
static void push_quoted(lua_State *L, const char *s, size_t size) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '"');
  for (size_t i = 0; i < size; i++) {
    if (s[i] == '"' || s[i] == '\\') luaL_addchar(&b, '\\');
    luaL_addchar(&b, s[i]);
  }
  luaL_addchar(&b, '"');
  luaL_pushresult(&b);
}

/* [-0, +(0|1), m] table name .. key, for keys that are strings or integers. */
static bool push_field_name(lua_State *L, int table_name, int key) {
  lua_pushvalue(L, table_name);
  if (lua_isinteger(L, key)) {
    lua_pushfstring(L, "[%I]", (LUAI_UACINT)lua_tointeger(L, key));
    lua_concat(L, 2);
    return true;
  }
  if (lua_type(L, key) != LUA_TSTRING) {
    lua_pop(L, 1);
    return false;
  }
  size_t size;
  const char *s = lua_tolstring(L, key, &size);
  if (is_identifier(s, size)) {
    lua_pushliteral(L, ".");
    lua_pushvalue(L, key);
    lua_concat(L, 3);
  } else {
    lua_pushliteral(L, "[");
    push_quoted(L, s, size);
    lua_pushliteral(L, "]");
    lua_concat(L, 4);
  }
  return true;
}

/* Was the name given by this module? Then it goes with the module's earlier contents. */
static bool is_own(lua_State *L, int name) {
  size_t size, module_size;
  const char *s = lua_tolstring(L, name, &size), *module = lua_tolstring(L, NAME, &module_size);
  while (strncmp(s, "getmetatable(", 13) == 0) {
    s += 13;
    size -= 13;
  }
  return size >= module_size && memcmp(s, module, module_size) == 0 &&
         (size == module_size || strchr(".[)", s[module_size]) != NULL);
}

/* -------------------------------------------------------------- the walk */

/* Does the table hold a function, or an event of a metatable? */
static bool is_code(lua_State *L, int table) {
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    const bool event = lua_type(L, -2) == LUA_TSTRING && strncmp(lua_tostring(L, -2), "__", 2) == 0;
    if (event || lua_isfunction(L, -1)) {
      lua_pop(L, 2);
      return true;
    }
  }
  return false;
}

static bool is_standard(lua_State *L, int object) {
  lua_rawgeti(L, PERMS, PERMS_STANDARD);
  lua_pushvalue(L, object);
  const bool standard = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return standard;
}

/* [-1, +0, m] The object may be called by the name on the top. */
static void offer(lua_State *L, int object) {
  const int name = lua_gettop(L);
  if (is_standard(L, object)) {
    permanents_bind(L, PERMS, object, name); /* it may have been a function of the module when it was saved */
  } else {
    lua_pushvalue(L, object);
    if (lua_rawget(L, BEST) == LUA_TNIL || permanents_better(L, name, name + 1)) {
      lua_pushvalue(L, object);
      lua_pushvalue(L, name);
      lua_rawset(L, BEST);
      if (lua_istable(L, object)) {
        lua_pushvalue(L, object);
        lua_rawseti(L, QUEUE, (lua_Integer)lua_rawlen(L, QUEUE) + 1);
      }
    }
  }
  lua_settop(L, name - 1);
}

static void offer_metatable(lua_State *L, int object, int name) {
  if (!lua_getmetatable(L, object)) return;
  lua_pushfstring(L, "getmetatable(%s)", lua_tostring(L, name));
  offer(L, lua_gettop(L) - 1);
  lua_pop(L, 1);
}

/* The fields of the table on the top, whose name is below it. */
static void offer_fields(lua_State *L) {
  const int table = lua_gettop(L), table_name = table - 1;
  offer_metatable(L, table, table_name);
  for (lua_pushnil(L); lua_next(L, table); lua_settop(L, table + 1)) {
    const int key = table + 1, value = table + 2;
    const bool is_table = lua_istable(L, value);
    if ((!is_table && !lua_isfunction(L, value)) || !push_field_name(L, table_name, key)) continue;
    if (is_table && !is_standard(L, value)) offer_metatable(L, value, table + 3);
    if (!is_table || is_code(L, value)) offer(L, value);
  }
}

/* First every name gets its meaning, then every object its name: a name that moved to another object is taken then. */
static void register_best(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, BEST); lua_pop(L, 1)) permanents_bind(L, PERMS, lua_gettop(L) - 1, lua_gettop(L));
  for (lua_pushnil(L); lua_next(L, BEST); lua_settop(L, STACK_BASE + 1)) {
    const int object = STACK_BASE + 1, name = STACK_BASE + 2;
    lua_rawgeti(L, PERMS, PERMS_NAMES);
    lua_pushvalue(L, object);
    const bool own = lua_rawget(L, -2) == LUA_TSTRING && is_own(L, lua_gettop(L));
    permanents_label(L, PERMS, object, name, own);
    if (lua_istable(L, object)) permanents_snapshot(L, PERMS, object, false);
  }
}

/* (module, name as light userdata) */
static int register_module(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 2));
  lua_replace(L, NAME);
  permanents_push(L);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushvalue(L, NAME);
  offer(L, MODULE);
  for (lua_Integer i = 1; lua_rawgeti(L, QUEUE, i) != LUA_TNIL; i++) {
    lua_pushvalue(L, -1);
    lua_rawget(L, BEST);
    lua_insert(L, -2);
    offer_fields(L);
    lua_settop(L, STACK_BASE);
  }
  lua_settop(L, STACK_BASE);
  register_best(L);
  return 0;
}

hearth_status hearth_register_module(lua_State *L, int index, const char *name, hearth_error *err) {
  if (!lua_istable(L, index))
    return hearth_fail(err, HEARTH_INVALID, "the module '%s' is a %s, not a table", name, luaL_typename(L, index));
  if (!lua_checkstack(L, 3)) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  index = lua_absindex(L, index);
  lua_pushcfunction(L, register_module);
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, (void *)(uintptr_t)name);
  return permanents_protect(L, 2, 0, err);
}

/* ----------------------------------------------------- unregistered modules */

void permanents_push_modules(lua_State *L) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  permanents_push(L);
  lua_newtable(L);
  const int perms = lua_gettop(L) - 1, modules = perms + 1, loaded = modules + 1;
  if (lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE) == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, loaded); lua_settop(L, loaded + 1)) {
      const int name = loaded + 1, module = loaded + 2;
      if (lua_type(L, name) != LUA_TSTRING || (!lua_istable(L, module) && !lua_isfunction(L, module))) continue;
      lua_pushvalue(L, module);
      if (lua_rawget(L, modules) != LUA_TNIL && !permanents_better(L, name, module + 1)) continue;
      permanents_note(L, perms, lua_topointer(L, module));
      lua_pushvalue(L, module);
      lua_pushvalue(L, name);
      lua_rawset(L, modules);
    }
  }
  lua_settop(L, modules);
  lua_remove(L, perms);
}

bool permanents_module_of(lua_State *L, int modules, int index) {
  modules = lua_absindex(L, modules);
  if (!lua_checkstack(L, 1)) return false;
  lua_pushvalue(L, index);
  if (lua_rawget(L, modules) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}
