/*
** legacy.lua as a C interface: its text is loaded, and its functions are given
** a store's home table, globals and warnings.
*/
#include "hearth_legacy.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "legacy_text.h"
#include "protect.h"
#include "store.h"

/* load_chunk(bytes, globals) -> function, or nil, message */
static int load_chunk(lua_State *L) {
  hearth_error err;
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  hearth_status status = hearth_load_chunk(L, bytes, size, 2, &err);
  if (status == HEARTH_OK) return 1;
  if (status == HEARTH_NOMEM) {
    lua_pushliteral(L, "not enough memory"); /* Lua's own text: lua_error raises a memory error for it */
    return lua_error(L);
  }
  lua_pushnil(L);
  lua_pushstring(L, err.message);
  return 2;
}

static _Noreturn void fail(lua_State *L, const hearth_error *err) {
  lua_pushstring(L, err->message);
  lua_error(L);
  abort();
}

/* Pushes the table of import and export. Raises after filling `err`, or without for want of memory. */
static void push_functions(lua_State *L, hearth_error *err) {
  static const char *const libraries[] = {"string", "table", "math", "utf8", "debug"};
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    if (lua_getglobal(L, libraries[i]) != LUA_TTABLE) {
      hearth_fail(err, HEARTH_UNSUPPORTED, "legacy data needs Lua's library '%s', which this state has not",
                  libraries[i]);
      fail(L, err);
    }
    lua_pop(L, 1);
  }
  int status = luaL_loadbufferx(L, (const char *)legacy_text, sizeof legacy_text, "=hearth.legacy", "t");
  if (status != LUA_OK) lua_error(L); /* the text is constant: only memory can fail */
  lua_pushcfunction(L, load_chunk);
  lua_call(L, 1, 1);
}

static int push_protected(lua_State *L) {
  push_functions(L, lua_touserdata(L, 1));
  return 1;
}

hearth_status hearth_push_legacy(lua_State *L, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  return protect(L, push_protected, err, 0, 1, err);
}

/* ------------------------------------------------------------- with a store */

typedef struct LegacyCall {
  hearth_store *S;
  hearth_error *error;
} LegacyCall;

static int warn_of_store(lua_State *L) {
  hearth_store *S = lua_touserdata(L, lua_upvalueindex(1));
  store_warn(L, S, "%s", luaL_checkstring(L, 1));
  return 0;
}

/* Pushes a copy of the options at `index` (nil: none) with the globals of the store where there are none. */
static void push_options(lua_State *L, hearth_store *S, int index) {
  lua_newtable(L);
  int copy = lua_gettop(L);
  if (lua_istable(L, index)) {
    lua_pushnil(L);
    while (lua_next(L, index)) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, copy);
    }
  }
  lua_pushliteral(L, "globals");
  if (lua_rawget(L, copy) == LUA_TNIL) {
    store_push_value(L, S, STORE_ENVIRONMENT);
    if (!lua_istable(L, -1)) lua_pushglobaltable(L);
    lua_setfield(L, copy, "globals");
  }
  lua_settop(L, copy);
}

static void check_options(lua_State *L, const LegacyCall *call, int index) {
  if (lua_isnil(L, index) || lua_istable(L, index)) return;
  hearth_fail(call->error, HEARTH_INVALID, "options: a table expected, got a %s", luaL_typename(L, index));
  fail(L, call->error);
}

static hearth_status status_of(const char *name) {
  static const hearth_status answers[] = {HEARTH_DAMAGED, HEARTH_EXISTS};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
    if (strcmp(hearth_status_name(answers[i]), name) == 0) return answers[i];
  return HEARTH_INVALID;
}

/* Stack before: the table of functions, arguments; after: the function's two results, unless it answers a failure. */
static void call_function(lua_State *L, const LegacyCall *call, const char *name, int nargs) {
  int table = lua_gettop(L) - nargs;
  lua_getfield(L, table, name);
  lua_replace(L, table);
  lua_call(L, nargs, 3);
  if (lua_isnil(L, -3)) {
    hearth_fail(call->error, status_of(lua_tostring(L, -1)), "%s", lua_tostring(L, -2));
    fail(L, call->error);
  }
  lua_pop(L, 1);
}

/* Stack: [1] the call, [2] the records, [3] the options. */
static int import_protected(lua_State *L) {
  const LegacyCall *call = lua_touserdata(L, 1);
  check_options(L, call, 3);
  push_functions(L, call->error);
  lua_pushvalue(L, 2);
  push_options(L, call->S, 3);
  int options = lua_gettop(L);
  store_push_value(L, call->S, STORE_HOME);
  lua_setfield(L, options, "home_table");
  lua_pushliteral(L, "warn");
  if (lua_rawget(L, options) == LUA_TNIL) {
    lua_pushlightuserdata(L, call->S);
    lua_pushcclosure(L, warn_of_store, 1);
    lua_setfield(L, options, "warn");
  }
  lua_settop(L, options);
  call_function(L, call, "import", 2);
  return 1;
}

static bool is_empty(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_HOME);
  lua_pushnil(L);
  bool empty = !lua_next(L, -2);
  lua_pop(L, empty ? 1 : 3);
  return empty;
}

/* Needs no memory: the keys are there. */
static void clear(lua_State *L, int table) {
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, table);
  }
}

/* Pushes the value at `index`, or nil for 0. */
static void push_argument(lua_State *L, int index) {
  if (index != 0)
    lua_pushvalue(L, index);
  else
    lua_pushnil(L);
}

hearth_status hearth_import_legacy(lua_State *L, hearth_store *S, int records, int options, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status != HEARTH_OK) return status;
  if (!lua_checkstack(L, LUA_MINSTACK)) return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  if (!is_empty(L, S))
    return hearth_fail(err, HEARTH_EXISTS, "the home table is not empty: legacy data is imported into an empty one");
  LegacyCall call = {S, err};
  records = lua_absindex(L, records);
  if (options != 0) options = lua_absindex(L, options);
  lua_pushvalue(L, records);
  push_argument(L, options);
  status = protect(L, import_protected, &call, 2, 1, err);
  if (status == HEARTH_OK) return status;
  store_push_value(L, S, STORE_HOME);
  clear(L, lua_gettop(L));
  lua_pop(L, 1);
  return status;
}

/* Stack: [1] the call, [2] the options. */
static int export_protected(lua_State *L) {
  const LegacyCall *call = lua_touserdata(L, 1);
  check_options(L, call, 2);
  push_functions(L, call->error);
  store_push_value(L, call->S, STORE_HOME);
  push_options(L, call->S, 2);
  call_function(L, call, "export", 2);
  return 2;
}

hearth_status hearth_export_legacy(lua_State *L, hearth_store *S, int options, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status != HEARTH_OK) return status;
  if (!lua_checkstack(L, LUA_MINSTACK)) return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  LegacyCall call = {S, err};
  push_argument(L, options != 0 ? lua_absindex(L, options) : 0);
  return protect(L, export_protected, &call, 1, 2, err);
}
