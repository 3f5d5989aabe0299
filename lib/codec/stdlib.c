/*
** The standard library's permanents: a fixed list, never a walk over _G. An
** entry that this host did not open is skipped, and so is one that the
** program replaced by something of its own before the first use: only C
** functions count, and only under one name.
*/
#include <lauxlib.h>
#include <string.h>

#include "permanents_table.h"

typedef struct Library {
  const char *name;
  const char *functions; /* separated by spaces; those of every 5.4, with its compatibility options */
} Library;

/* The globals come last: a global that was replaced by a library's function is not that function's name. */
static const Library libraries[] = {
    {"coroutine", "close create isyieldable resume running status wrap yield"},
    {"debug",
     "debug gethook getinfo getlocal getmetatable getregistry getupvalue getuservalue setcstacklimit sethook setlocal "
     "setmetatable setupvalue setuservalue traceback upvalueid upvaluejoin"},
    {"io", "close flush input lines open output popen read tmpfile type write"},
    {"math",
     "abs acos asin atan ceil cos cosh deg exp floor fmod frexp ldexp log log10 max min modf pow rad random randomseed "
     "sin sinh sqrt tan tanh tointeger type ult"},
    {"os", "clock date difftime execute exit getenv remove rename setlocale time tmpname"},
    {"package", "loadlib searchpath"},
    {"string", "byte char dump find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper"},
    {"table", "concat insert move pack remove sort unpack"},
    {"utf8", "char codepoint codes len offset"},
};

static const char globals[] =
    "assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall print rawequal rawget "
    "rawlen rawset require select setmetatable tonumber tostring type warn xpcall";

#define STRING_METATABLE "getmetatable(\"\")" /* the names of what no field reaches are the expressions that give it */
static const char string_events[] = "__add __sub __mul __mod __pow __div __idiv __unm";
static const char file_events[] = "__gc __close __tostring __index"; /* __gc and __close are one function */
static const char file_methods[] = "close flush lines read seek setvbuf write";

/* [-1, +0, m] The object on the top gets a name, unless it has one. */
static void add(lua_State *L, int perms, const char *name, bool growing) {
  const int object = lua_gettop(L);
  lua_rawgeti(L, perms, PERMS_NAMES);
  lua_pushvalue(L, object);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pushstring(L, name);
    const int name_index = lua_gettop(L);
    permanents_bind(L, perms, object, name_index);
    permanents_put(L, perms, PERMS_NAMES, object, name_index);
    lua_pushboolean(L, 1);
    permanents_put(L, perms, PERMS_STANDARD, object, lua_gettop(L));
    if (lua_istable(L, object)) permanents_snapshot(L, perms, object, growing);
  }
  lua_settop(L, object - 1);
}

static void add_function(lua_State *L, int perms, const char *name) {
  if (lua_iscfunction(L, -1))
    add(L, perms, name, false);
  else
    lua_pop(L, 1);
}

/* The listed C functions in the table on the top; each is named prefix .. field. */
static void add_functions(lua_State *L, int perms, const char *prefix, const char *fields) {
  const int table = lua_gettop(L);
  while (*fields != '\0') {
    const size_t size = strcspn(fields, " ");
    lua_pushlstring(L, fields, size);
    const char *name = lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, -1));
    lua_pushvalue(L, -2);
    lua_rawget(L, table);
    add_function(L, perms, name);
    lua_settop(L, table);
    fields += size + (fields[size] == ' ');
  }
}

/* [-0, +1, m] A field of the table at `table`, raw. */
static int get_field(lua_State *L, int table, const char *name) {
  lua_pushstring(L, name);
  return lua_rawget(L, table);
}

/* [-0, +(0|1), m] A library's table: where require keeps it, else the global. */
static bool push_library(lua_State *L, const char *name) {
  const int top = lua_gettop(L);
  if (lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE) == LUA_TTABLE &&
      get_field(L, top + 1, name) == LUA_TTABLE) {
    lua_remove(L, top + 1);
    return true;
  }
  lua_settop(L, top);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  if (get_field(L, top + 1, name) == LUA_TTABLE) {
    lua_remove(L, top + 1);
    return true;
  }
  lua_settop(L, top);
  return false;
}

/* [-0, +0, m] What a generic for gets from library.function(argument...): its iterator, named as that expression. */
static void add_iterator(lua_State *L, int perms, const char *name, const char *expression, int nargs) {
  const int arguments = lua_gettop(L) - nargs + 1;
  lua_pushstring(L, name);
  lua_rawgeti(L, perms, PERMS_VALUES);
  lua_insert(L, -2);
  if (lua_rawget(L, -2) == LUA_TFUNCTION) {
    lua_replace(L, -2);
    lua_insert(L, arguments);
    lua_call(L, nargs, 1);
    if (lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1) == NULL) add(L, perms, expression, false);
  }
  lua_settop(L, arguments - 1);
}

static void add_string_metatable(lua_State *L, int perms) {
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) {
    add_functions(L, perms, STRING_METATABLE ".", string_events);
    add(L, perms, STRING_METATABLE, false);
  }
  lua_pop(L, 1);
}

static void add_files(lua_State *L, int perms) {
  static const char *const streams[] = {"stdin", "stdout", "stderr"};
  if (luaL_getmetatable(L, LUA_FILEHANDLE) == LUA_TTABLE) {
    const int metatable = lua_gettop(L);
    add_functions(L, perms, LUA_FILEHANDLE ".", file_events);
    if (get_field(L, metatable, "__index") == LUA_TTABLE) {
      add_functions(L, perms, LUA_FILEHANDLE ".__index.", file_methods);
      lua_pushvalue(L, -1);
      add(L, perms, LUA_FILEHANDLE ".__index", false);
    }
    lua_settop(L, metatable);
    add(L, perms, LUA_FILEHANDLE, false);
  } else {
    lua_pop(L, 1);
  }
  if (!push_library(L, "io")) return;
  for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
    const char *name = lua_pushfstring(L, "io.%s", streams[i]);
    get_field(L, lua_gettop(L) - 1, streams[i]);
    if (luaL_testudata(L, -1, LUA_FILEHANDLE) != NULL)
      add(L, perms, name, false);
    else
      lua_pop(L, 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void add_package(lua_State *L, int perms) {
  static const char *const tables[] = {"loaded", "preload", "searchers"};
  if (!push_library(L, "package")) return;
  const int package = lua_gettop(L);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    const char *name = lua_pushfstring(L, "package.%s", tables[i]);
    if (get_field(L, package, tables[i]) == LUA_TTABLE) add(L, perms, name, strcmp(tables[i], "loaded") == 0);
    lua_settop(L, package);
  }
  if (get_field(L, package, "searchers") == LUA_TTABLE) {
    const int searchers = lua_gettop(L);
    for (int i = 1; i <= 4; i++) { /* preload, Lua, C, C in one */
      const char *name = lua_pushfstring(L, "package.searchers[%d]", i);
      lua_rawgeti(L, searchers, i);
      add_function(L, perms, name);
      lua_settop(L, searchers);
    }
  }
  lua_settop(L, package - 1);
}

void permanents_add_standard(lua_State *L, int perms) {
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    if (!push_library(L, libraries[i].name)) continue;
    const char *prefix = lua_pushfstring(L, "%s.", libraries[i].name);
    lua_pushvalue(L, -2);
    add_functions(L, perms, prefix, libraries[i].functions);
    add(L, perms, libraries[i].name, false);
    lua_pop(L, 2);
  }
  add_string_metatable(L, perms);
  add_files(L, perms);
  add_package(L, perms);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  add_functions(L, perms, "", globals);
  add(L, perms, "_G", true);
  lua_newtable(L);
  add_iterator(L, perms, "ipairs", "ipairs{}", 1);
  lua_pushliteral(L, "");
  add_iterator(L, perms, "utf8.codes", "utf8.codes(\"\")", 1);
  lua_pushliteral(L, "");
  lua_pushboolean(L, 1);
  add_iterator(L, perms, "utf8.codes", "utf8.codes(\"\",true)", 2);
}
