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

/* Fields of the alias table. Numbers and a string that it keeps: what ends the alias must not need memory. */
enum {
  ALIAS_NAME = 1,  /* the string "Memory" */
  ALIAS_PLACES,    /* list of "source:line" */
  ALIAS_SEEN,      /* the same as keys */
  ALIAS_INDEX,     /* what __index and __newindex were */
  ALIAS_NEWINDEX,
  ALIAS_TRACKED,   /* the metatable at work */
  ALIAS_LAST = ALIAS_TRACKED
};

void alias_push(lua_State *L) {
  lua_createtable(L, ALIAS_LAST, 0);
  lua_pushliteral(L, NAME);
  lua_rawseti(L, -2, ALIAS_NAME);
  lua_newtable(L);
  lua_rawseti(L, -2, ALIAS_PLACES);
  lua_newtable(L);
  lua_rawseti(L, -2, ALIAS_SEEN);
}

/* The functions in the metatable keep the store's userdata, not the store open. */
static hearth_store *store_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

static bool is_tracking(const hearth_store *S) {
  return !S->closed && S->alias == HEARTH_ALIAS_TRACK;
}

/* Remembers where the name was used, once a place. */
static void note_use(lua_State *L, hearth_store *S) {
  lua_Debug ar;
  S->alias_uses++;
  if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "Sl", &ar)) return;
  store_push_value(L, S, STORE_ALIAS);
  int alias = lua_gettop(L);
  lua_rawgeti(L, alias, ALIAS_PLACES);
  lua_rawgeti(L, alias, ALIAS_SEEN);
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
  if (!is_name(L, 2) || !is_tracking(S)) return chain_index(L);
  note_use(L, S);
  store_push_value(L, S, STORE_HOME);
  return 1;
}

static int tracked_newindex(lua_State *L) {
  hearth_store *S = store_of(L);
  if (is_name(L, 2) && is_tracking(S)) {
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

/* Is the function at the top the one that stands for this store in a metatable? */
static bool is_ours(lua_State *L, const hearth_store *S, lua_CFunction f) {
  if (lua_tocfunction(L, -1) != f || lua_getupvalue(L, -1, 1) == NULL) return false;
  bool ours = lua_touserdata(L, -1) == S;
  lua_pop(L, 1);
  return ours;
}

/* Gives a field of the metatable its old value back, unless the program has set another meanwhile. */
static void unhook_field(lua_State *L, const hearth_store *S, int metatable, const char *field, int alias, int old,
                         lua_CFunction f) {
  lua_pushstring(L, field);
  lua_rawget(L, metatable);
  if (is_ours(L, S, f)) {
    lua_pushstring(L, field);
    lua_rawgeti(L, alias, old);
    lua_rawset(L, metatable);
  }
  lua_pop(L, 1);
}

static void unhook(lua_State *L, const hearth_store *S, int metatable, int alias) {
  unhook_field(L, S, metatable, "__index", alias, ALIAS_INDEX, tracked_index);
  unhook_field(L, S, metatable, "__newindex", alias, ALIAS_NEWINDEX, tracked_newindex);
}

static void end_tracking(lua_State *L, const hearth_store *S, int alias) {
  if (lua_rawgeti(L, alias, ALIAS_TRACKED) == LUA_TTABLE) {
    unhook(L, S, lua_gettop(L), alias);
    lua_pushnil(L);
    lua_rawseti(L, alias, ALIAS_TRACKED);
  }
  lua_pop(L, 1);
}

/* Keeps the field's old value in the alias table, and pushes the function that is to stand before it. */
static void push_hook(lua_State *L, const hearth_store *S, int metatable, const char *field, int alias, int old,
                      lua_CFunction f) {
  lua_pushstring(L, field);
  lua_rawget(L, metatable);
  lua_pushvalue(L, -1);
  lua_rawseti(L, alias, old);
  store_push(L, S);
  lua_insert(L, -2);
  lua_pushcclosure(L, f, 2);
}

/* Stack: [1] the metatable, [2] __index, [3] __newindex. */
static int set_hooks(lua_State *L) {
  lua_setfield(L, 1, "__newindex");
  lua_setfield(L, 1, "__index");
  return 0;
}

/* All or nothing: a metatable that only half is ours would stay so. */
static void begin_tracking(lua_State *L, hearth_store *S, int environment, int alias) {
  bool has_metatable = lua_getmetatable(L, environment);
  if (!has_metatable) lua_newtable(L);
  int metatable = lua_gettop(L);
  lua_pushcfunction(L, set_hooks);
  lua_pushvalue(L, metatable);
  push_hook(L, S, metatable, "__index", alias, ALIAS_INDEX, tracked_index);
  push_hook(L, S, metatable, "__newindex", alias, ALIAS_NEWINDEX, tracked_newindex);
  lua_pushvalue(L, metatable);
  lua_rawseti(L, alias, ALIAS_TRACKED);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
    end_tracking(L, S, alias);
    lua_error(L);
  }
  if (!has_metatable) lua_setmetatable(L, environment);
  lua_settop(L, metatable - 1);
}

/* Is the name resolved by the environment's metatable already? */
static bool is_tracked(lua_State *L, const hearth_store *S, int environment, int alias) {
  if (!lua_getmetatable(L, environment)) return false;
  lua_rawgeti(L, alias, ALIAS_TRACKED);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  lua_pushliteral(L, "__index");
  lua_rawget(L, -2);
  same = same && is_ours(L, S, tracked_index);
  lua_pop(L, 2);
  return same;
}

static void set_name(lua_State *L, int environment, int alias, int home) {
  lua_rawgeti(L, alias, ALIAS_NAME);
  if (home != 0)
    lua_pushvalue(L, home);
  else
    lua_pushnil(L);
  lua_rawset(L, environment);
}

static bool has_name(lua_State *L, int environment, int alias, int home) {
  lua_rawgeti(L, alias, ALIAS_NAME);
  lua_rawget(L, environment);
  bool ours = lua_rawequal(L, -1, home);
  lua_pop(L, 1);
  return ours;
}

/* What needs memory comes first; then nothing fails any more. */
static void apply(lua_State *L, hearth_store *S, hearth_alias policy, int environment, int alias, int home) {
  bool tracked = is_tracked(L, S, environment, alias);
  if (!tracked) end_tracking(L, S, alias); /* in another environment, or another metatable */
  switch (policy) {
    case HEARTH_ALIAS_OFF: /* a Memory of the program's own stays */
      if (has_name(L, environment, alias, home)) set_name(L, environment, alias, 0);
      break;
    case HEARTH_ALIAS_ON: set_name(L, environment, alias, home); break;
    case HEARTH_ALIAS_TRACK:
      if (!tracked) begin_tracking(L, S, environment, alias);
      set_name(L, environment, alias, 0);
  }
  if (policy != HEARTH_ALIAS_TRACK) end_tracking(L, S, alias);
}

void alias_apply(lua_State *L, hearth_store *S, hearth_alias policy) {
  int top = lua_gettop(L);
  store_push_value(L, S, STORE_ENVIRONMENT);
  store_push_value(L, S, STORE_ALIAS);
  store_push_value(L, S, STORE_HOME);
  if (lua_istable(L, top + 1)) apply(L, S, policy, top + 1, top + 2, top + 3);
  S->alias = policy;
  lua_settop(L, top);
}

void alias_end(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_ALIAS);
  if (lua_istable(L, -1)) end_tracking(L, S, lua_gettop(L));
  lua_pop(L, 1);
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
  lua_rawgeti(L, -1, ALIAS_PLACES);
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
