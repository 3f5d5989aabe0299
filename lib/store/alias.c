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

/* Fields of the alias table. Its room is there from the start: what ends the alias must not need memory. */
enum {
  ALIAS_NAME = 1, /* the string "Memory" */
  ALIAS_PLACES,   /* list of "source:line" */
  ALIAS_SEEN,     /* the same as keys */
  ALIAS_TRACKED,  /* the metatable at work */
  ALIAS_MADE,     /* the environment that it was made for, or nil: the environment had one */
  ALIAS_LAST = ALIAS_MADE
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

/* ----------------------------------------------------------------- a use */

/*
** The level of the function that used the name: it made Lua call a metamethod, ours or one that calls ours. What C
** code makes Lua call has no such name.
*/
static int user_level(lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar) && lua_getinfo(L, "nSt", &ar) && *ar.what != 'C'; level++)
    if (ar.istailcall || strcmp(ar.namewhat, "metamethod") == 0) return level + 1;
  return 2;
}

/* Pushes where the name was used: "source:line", or what is known of that. */
static void push_place(lua_State *L) {
  lua_Debug ar;
  const char *from = "";
  for (int level = user_level(L); lua_getstack(L, level, &ar) && lua_getinfo(L, "Sl", &ar); level++) {
    if (*ar.what == 'C') {
      from = "[C] called from ";
      continue;
    }
    if (ar.currentline > 0)
      lua_pushfstring(L, "%s%s:%d", from, ar.short_src, ar.currentline);
    else /* without debug information: the lines of the function */
      lua_pushfstring(L, "%s%s:%d-%d", from, ar.short_src, ar.linedefined, ar.lastlinedefined);
    return;
  }
  lua_pushliteral(L, "[C]");
}

/* Remembers the place at the top, and warns of it once. */
static void note_place(lua_State *L, hearth_store *S) {
  int place = lua_gettop(L);
  store_push_value(L, S, STORE_ALIAS);
  lua_rawgeti(L, place + 1, ALIAS_PLACES);
  lua_rawgeti(L, place + 1, ALIAS_SEEN);
  lua_Integer count = (lua_Integer)lua_rawlen(L, place + 2);
  lua_pushvalue(L, place);
  if (lua_rawget(L, place + 3) == LUA_TNIL && count < MOST_PLACES) {
    lua_pushvalue(L, place);
    lua_pushboolean(L, 1);
    lua_rawset(L, place + 3);
    lua_pushvalue(L, place);
    lua_rawseti(L, place + 2, ++count);
    store_warn(L, S, "%s: " NAME " is the old name of _home", lua_tostring(L, place));
    if (count == MOST_PLACES) store_warn(L, S, NAME " is used at %d places: others are counted only", MOST_PLACES);
  }
  lua_settop(L, place);
}

/*
** What the hooks ask with the table, and the value that is assigned: the home table where the name means it here,
** nothing where it does not. A metatable may serve other tables too, and the program may have kept a hook.
*/
static int use(lua_State *L) {
  hearth_store *S = lua_touserdata(L, lua_upvalueindex(1)); /* keeps the userdata, not the store open */
  bool assigned = lua_gettop(L) > 1;
  if (S->closed || S->alias != HEARTH_ALIAS_TRACK) return 0;
  store_push_value(L, S, STORE_ENVIRONMENT);
  if (!lua_rawequal(L, 1, -1)) return 0;
  S->alias_uses++;
  push_place(L);
  note_place(L, S);
  store_push_value(L, S, STORE_HOME);
  if (assigned && !lua_rawequal(L, 2, -1)) {
    lua_pushfstring(L, "%s: " NAME " is a name of the home table and cannot be replaced", lua_tostring(L, -2));
    return lua_error(L);
  }
  return 1;
}

/* ------------------------------------------------------------- the hooks */

/*
** They are Lua functions and end in tail calls: what was in the metatable is called as if they were not there, so that
** it may yield, and one that looks for its caller finds it.
*/
static const char hooks[] =
  "local use, rawset, index, index_called, newindex, newindex_called = ...\n"
  "return function(t, k)\n"
  "  local home = k == '" NAME "' and use(t)\n"
  "  if home then return home end\n"
  "  if index_called then return index(t, k) end\n"
  "  if index ~= nil then return index[k] end\n"
  "end, function(t, k, v)\n"
  "  if k == '" NAME "' and use(t, v) then return end\n"
  "  if newindex_called then return newindex(t, k, v) end\n"
  "  if newindex ~= nil then newindex[k] = v else rawset(t, k, v) end\n"
  "end";

/* The upvalues of both, in the order in which they are met. */
enum { HOOK_USE = 1, HOOK_CALLED, HOOK_OLD };

static int set_raw(lua_State *L) {
  lua_rawset(L, 1);
  return 0;
}

/* Pushes what a field of the metatable is, and whether it is called. */
static void push_old(lua_State *L, int metatable, const char *field) {
  lua_pushstring(L, field);
  lua_rawget(L, metatable);
  lua_pushboolean(L, lua_isfunction(L, -1));
}

/* Pushes both hooks. */
static void push_hooks(lua_State *L, const hearth_store *S, int metatable) {
  if (luaL_loadbufferx(L, hooks, sizeof hooks - 1, "=hearth", "t") != LUA_OK) lua_error(L);
  store_push(L, S);
  lua_pushcclosure(L, use, 1);
  lua_pushcfunction(L, set_raw);
  push_old(L, metatable, "__index");
  push_old(L, metatable, "__newindex");
  lua_call(L, 6, 2);
}

/* The store whose hook the value at the top is, or NULL. */
static const hearth_store *owner_of(lua_State *L) {
  const hearth_store *owner = NULL;
  if (lua_getupvalue(L, -1, HOOK_USE) == NULL) return NULL;
  if (lua_tocfunction(L, -1) == use) {
    lua_getupvalue(L, -1, 1);
    owner = lua_touserdata(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return owner;
}

/* Takes the hook out: of the metatable, or from behind the hooks of other stores. Behind the program's own it stays. */
static void unhook(lua_State *L, const hearth_store *S, int metatable, const char *field) {
  const hearth_store *owner;
  int before = lua_gettop(L) + 1;
  lua_pushnil(L);
  lua_pushstring(L, field);
  lua_rawget(L, metatable);
  while ((owner = owner_of(L)) != NULL && owner != S) {
    lua_replace(L, before);
    lua_getupvalue(L, before, HOOK_OLD);
  }
  if (owner != NULL && lua_isnil(L, before)) {
    lua_pushstring(L, field);
    lua_getupvalue(L, before + 1, HOOK_OLD);
    lua_rawset(L, metatable);
  } else if (owner != NULL) {
    for (int i = HOOK_CALLED; i <= HOOK_OLD; i++) {
      lua_getupvalue(L, before + 1, i);
      lua_setupvalue(L, before, i);
    }
  }
  lua_settop(L, before - 1);
}

/* A metatable that was made for tracking goes again, unless somebody uses it. */
static void remove_made(lua_State *L, int metatable, int alias) {
  int top = lua_gettop(L);
  if (lua_rawgeti(L, alias, ALIAS_MADE) == LUA_TTABLE && lua_getmetatable(L, top + 1) &&
      lua_rawequal(L, top + 2, metatable)) {
    lua_pushnil(L);
    if (!lua_next(L, metatable)) {
      lua_pushnil(L);
      lua_setmetatable(L, top + 1);
    }
  }
  lua_settop(L, top);
}

static void end_tracking(lua_State *L, const hearth_store *S, int alias) {
  if (lua_rawgeti(L, alias, ALIAS_TRACKED) == LUA_TTABLE) {
    int metatable = lua_gettop(L);
    unhook(L, S, metatable, "__index");
    unhook(L, S, metatable, "__newindex");
    remove_made(L, metatable, alias);
    lua_pushnil(L);
    lua_rawseti(L, alias, ALIAS_TRACKED);
    lua_pushnil(L);
    lua_rawseti(L, alias, ALIAS_MADE);
  }
  lua_pop(L, 1);
}

/* Was the metatable made for the environment, by this store or by one that tracks there already? */
static bool is_made(lua_State *L, int environment, int metatable) {
  bool made = false;
  int top = lua_gettop(L);
  lua_pushliteral(L, "__index");
  lua_rawget(L, metatable);
  const hearth_store *owner = owner_of(L);
  if (owner != NULL) store_push_value(L, owner, STORE_ALIAS);
  if (owner != NULL && lua_istable(L, -1)) {
    lua_rawgeti(L, -1, ALIAS_MADE);
    made = lua_rawequal(L, -1, environment);
  }
  lua_settop(L, top);
  return made;
}

/* Stack: [1] the metatable, [2] __index, [3] __newindex. */
static int set_hooks(lua_State *L) {
  lua_pushliteral(L, "__newindex");
  lua_insert(L, 3);
  lua_rawset(L, 1);
  lua_pushliteral(L, "__index");
  lua_insert(L, 2);
  lua_rawset(L, 1);
  return 0;
}

/* All or nothing: a metatable that only half is ours would stay so. */
static void begin_tracking(lua_State *L, hearth_store *S, int environment, int alias) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bool has_metatable = lua_getmetatable(L, environment);
  if (!has_metatable) lua_newtable(L);
  int metatable = lua_gettop(L);
  bool made = !has_metatable || is_made(L, environment, metatable);
  lua_pushcfunction(L, set_hooks);
  lua_pushvalue(L, metatable);
  push_hooks(L, S, metatable);
  lua_pushvalue(L, metatable);
  lua_rawseti(L, alias, ALIAS_TRACKED);
  if (made) {
    lua_pushvalue(L, environment);
    lua_rawseti(L, alias, ALIAS_MADE);
  }
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
    end_tracking(L, S, alias);
    lua_error(L);
  }
  if (!has_metatable) {
    lua_pushvalue(L, metatable);
    lua_setmetatable(L, environment);
  }
  lua_settop(L, metatable - 1);
}

/* Does a field of the metatable hold the store's hook? */
static bool is_hooked(lua_State *L, const hearth_store *S, int metatable, const char *field) {
  lua_pushstring(L, field);
  lua_rawget(L, metatable);
  bool hooked = owner_of(L) == S;
  lua_pop(L, 1);
  return hooked;
}

/* Is the name resolved by the environment's metatable already? */
static bool is_tracked(lua_State *L, const hearth_store *S, int environment, int alias) {
  if (!lua_getmetatable(L, environment)) return false;
  int metatable = lua_gettop(L);
  lua_rawgeti(L, alias, ALIAS_TRACKED);
  bool tracked = lua_rawequal(L, -1, metatable) && is_hooked(L, S, metatable, "__index") &&
                 is_hooked(L, S, metatable, "__newindex");
  lua_settop(L, metatable - 1);
  return tracked;
}

/* ------------------------------------------------------------ the policy */

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
