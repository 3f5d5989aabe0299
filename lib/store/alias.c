/*
** `Memory`, the legacy name of the home table, by policy. While uses are
** tracked the name is resolved by the metatable of the globals table; one that
** is there already is chained to.
*/
#include <lauxlib.h>

#include "protect.h"
#include "store.h"

#define NAME "Memory"
#define MOST_PLACES 100

/* Fields of the alias table (STORE_ALIAS). */
#define PLACES "places"     /* list of "source:line" */
#define SEEN "seen"         /* the same as keys */
#define OLD_INDEX "index"   /* what __index and __newindex were */
#define OLD_NEWINDEX "newindex"
#define TRACKED "tracked"   /* the metatable at work */

static hearth_store *store_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1)); /* light: after close the store is not asked */
}

static bool is_open(lua_State *L, const hearth_store *S) {
  store_push(L, S);
  bool open = lua_type(L, -1) == LUA_TUSERDATA;
  lua_pop(L, 1);
  return open;
}

/* Remembers where the name was used, once a place. */
static void note_use(lua_State *L, hearth_store *S) {
  lua_Debug ar;
  S->alias_uses++;
  if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "Sl", &ar)) return;
  store_push_value(L, S, STORE_ALIAS);
  int alias = lua_gettop(L);
  lua_getfield(L, alias, PLACES);
  lua_getfield(L, alias, SEEN);
  const char *place = lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  lua_pushvalue(L, -1);
  lua_Integer count = (lua_Integer)lua_rawlen(L, alias + 1);
  if (lua_rawget(L, alias + 2) == LUA_TNIL && count < MOST_PLACES) {
    lua_pushvalue(L, alias + 3);
    lua_pushboolean(L, 1);
    lua_rawset(L, alias + 2);
    lua_pushvalue(L, alias + 3);
    lua_rawseti(L, alias + 1, count + 1);
    store_warn(L, S, "%s: " NAME " is the old name of _home", place);
  }
  lua_settop(L, alias - 1);
}

/* Goes on to what the metatable had before: at upvalue 2, a function, a table or nil. */
static int chain_index(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(2));
  if (lua_isnil(L, -1)) return 1;
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(2));
  if (lua_isfunction(L, -1)) {
    lua_insert(L, 1);
    lua_call(L, 2, 1);
  } else {
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
  }
  return 1;
}

static bool is_name(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), NAME) == 0;
}

static int tracked_index(lua_State *L) {
  hearth_store *S = store_of(L);
  if (!is_name(L, 2) || !is_open(L, S)) return chain_index(L);
  note_use(L, S);
  store_push_value(L, S, STORE_HOME);
  return 1;
}

static int tracked_newindex(lua_State *L) {
  hearth_store *S = store_of(L);
  if (is_name(L, 2) && is_open(L, S)) {
    note_use(L, S);
    store_push_value(L, S, STORE_HOME);
    if (!lua_rawequal(L, 3, -1)) return luaL_error(L, NAME " is a name of the home table and cannot be replaced");
    return 0;
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_rawset(L, 1);
  } else if (lua_isfunction(L, -1)) {
    lua_insert(L, 1);
    lua_call(L, 3, 0);
  } else {
    lua_insert(L, 1);
    lua_remove(L, 2);
    lua_settable(L, 1);
  }
  return 0;
}

/* Puts our function in front of a field of the metatable at `metatable`; the old value is kept in the alias table. */
static void hook_field(lua_State *L, hearth_store *S, int metatable, const char *field, int alias, const char *old,
                       lua_CFunction f) {
  lua_pushstring(L, field);
  lua_rawget(L, metatable);
  lua_pushvalue(L, -1);
  lua_setfield(L, alias, old);
  lua_pushstring(L, field);
  lua_pushlightuserdata(L, S);
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, f, 2);
  lua_rawset(L, metatable);
  lua_pop(L, 1);
}

static void begin_tracking(lua_State *L, hearth_store *S, int environment, int alias) {
  if (!lua_getmetatable(L, environment)) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setmetatable(L, environment);
  }
  int metatable = lua_gettop(L);
  hook_field(L, S, metatable, "__index", alias, OLD_INDEX, tracked_index);
  hook_field(L, S, metatable, "__newindex", alias, OLD_NEWINDEX, tracked_newindex);
  lua_pushvalue(L, metatable);
  lua_setfield(L, alias, TRACKED);
  lua_getfield(L, alias, PLACES);
  if (lua_isnil(L, -1)) {
    lua_newtable(L);
    lua_setfield(L, alias, PLACES);
    lua_newtable(L);
    lua_setfield(L, alias, SEEN);
  }
  lua_settop(L, metatable - 1);
}

static void end_tracking(lua_State *L, int alias) {
  lua_getfield(L, alias, TRACKED);
  int metatable = lua_gettop(L);
  if (lua_istable(L, metatable)) {
    lua_pushliteral(L, "__index");
    lua_getfield(L, alias, OLD_INDEX);
    lua_rawset(L, metatable);
    lua_pushliteral(L, "__newindex");
    lua_getfield(L, alias, OLD_NEWINDEX);
    lua_rawset(L, metatable);
    lua_pushnil(L);
    lua_setfield(L, alias, TRACKED);
  }
  lua_settop(L, metatable - 1);
}

void alias_apply(lua_State *L, hearth_store *S, hearth_alias policy) {
  int top = lua_gettop(L);
  store_push_value(L, S, STORE_ENVIRONMENT);
  store_push_value(L, S, STORE_ALIAS);
  store_push_value(L, S, STORE_HOME);
  int environment = top + 1, alias = top + 2, home = top + 3;
  S->alias = policy;
  if (lua_istable(L, environment)) {
    end_tracking(L, alias);
    lua_pushliteral(L, NAME);
    lua_rawget(L, environment);
    bool ours = lua_rawequal(L, -1, home);
    lua_pushliteral(L, NAME);
    if (policy == HEARTH_ALIAS_ON)
      lua_pushvalue(L, home);
    else
      lua_pushnil(L);
    if (ours || policy != HEARTH_ALIAS_OFF) lua_rawset(L, environment); /* a Memory of the program's own stays */
    if (policy == HEARTH_ALIAS_TRACK) begin_tracking(L, S, environment, alias);
  }
  lua_settop(L, top);
}

typedef struct AliasCall {
  hearth_store *S;
  hearth_alias policy;
} AliasCall;

static int set_protected(lua_State *L) {
  const AliasCall *call = lua_touserdata(L, 1);
  alias_apply(L, call->S, call->policy);
  return 0;
}

hearth_status hearth_set_alias(lua_State *L, hearth_store *S, hearth_alias alias, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status != HEARTH_OK) return status;
  if ((int)alias < 0 || alias > HEARTH_ALIAS_TRACK) return hearth_fail(err, HEARTH_INVALID, "an unknown alias policy");
  AliasCall call = {S, alias};
  return protect(L, set_protected, &call, 0, 0, err);
}

static int push_places(lua_State *L) {
  hearth_store *S = lua_touserdata(L, 1);
  lua_newtable(L);
  store_push_value(L, S, STORE_ALIAS);
  lua_getfield(L, -1, PLACES);
  for (lua_Integer i = 1; lua_istable(L, -1) && lua_rawgeti(L, -1, i) != LUA_TNIL; i++) lua_rawseti(L, 2, i);
  lua_settop(L, 2);
  return 1;
}

hearth_status hearth_push_alias_places(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status != HEARTH_OK) return status;
  return protect(L, push_places, S, 0, 1, err);
}
