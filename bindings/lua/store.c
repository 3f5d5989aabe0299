#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <lauxlib.h>

#include "backend.h"
#include "hearth.h"
#include "option.h"
#include "result.h"

#define STORE_TYPE "hearth.store"

enum { STORE_URI = 1, STORE_SEAL = 2, STORE_WARN = 3, STORE_USER_VALUES = 3 };

typedef struct Store {
  hearth_store *store; /* NULL: closed */
  unsigned calls;      /* of the library on this store that are running: it cannot be closed under them */
} Store;

static const char current_key = 0;   /* registry: the store that the library works on, or false */
static const char installed_key = 0; /* registry: environment (weak) -> store */

static Store *store_check(lua_State *L) {
  Store *s = luaL_checkudata(L, 1, STORE_TYPE);
  if (s->store == NULL) luaL_error(L, "attempt to use a closed store");
  return s;
}

/*
** Marks the store at `index` as the one that the library works on, so that the
** hooks below know which store "this store" is. Pushes the one before, which
** store_leave takes from index `previous`. Neither allocates: the key is there.
*/
static void store_enter(lua_State *L, Store *s, int index) {
  index = lua_absindex(L, index);
  s->calls++;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &current_key);
  lua_pushvalue(L, index);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &current_key);
}

static void store_leave(lua_State *L, Store *s, int previous) {
  lua_pushvalue(L, previous);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &current_key);
  s->calls--;
}

/* A store inside a store: its functions may have it as an upvalue. It stands for itself, whatever its URI. */
static int store_encode_hook(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &current_key);
  if (!lua_rawequal(L, 1, -1)) return luaL_error(L, "a store can be stored in itself only");
  lua_pushboolean(L, 1);
  return 1;
}

static int store_decode_hook(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &current_key) != LUA_TUSERDATA)
    return luaL_error(L, "a store can be read from itself only");
  return 1;
}

/* ------------------------------------------------------------- methods */

/* store:commit([durability]) */
static int store_commit(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  int level = lua_isnoneornil(L, 2) ? HEARTH_DEFAULT_DURABILITY : option_check_choice(L, 2, option_durability);
  lua_settop(L, 1);
  store_enter(L, s, 1);
  hearth_status status = hearth_commit(L, s->store, (hearth_durability)level, &err);
  store_leave(L, s, 2);
  return result_status(L, status, &err);
}

/* store:poll() */
static int store_poll(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  return result_status(L, hearth_poll(L, s->store, &err), &err);
}

/* store:rollback() */
static int store_rollback(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  lua_settop(L, 1);
  store_enter(L, s, 1);
  hearth_status status = hearth_rollback(L, s->store, &err);
  store_leave(L, s, 2);
  return result_status(L, status, &err);
}

/* store:refresh() */
static int store_refresh(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  lua_settop(L, 1);
  store_enter(L, s, 1);
  hearth_status status = hearth_refresh(L, s->store, &err);
  store_leave(L, s, 2);
  return result_status(L, status, &err);
}

/* store:transaction(f, ...) */
static int store_transaction(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checkstack(L, 4, "transaction");
  if (s->calls > 0) return luaL_error(L, "a transaction inside a transaction or a hook of the same store");
  int nargs = lua_gettop(L) - 2;
  store_enter(L, s, 1);
  lua_insert(L, 2); /* store, previous, f, ... */
  hearth_status status = hearth_transaction(L, s->store, nargs, LUA_MULTRET, &err);
  luaL_checkstack(L, 4, "transaction");
  store_leave(L, s, 2);
  if (status >= 0) { /* true first: a storage failure is nil, and f may return anything */
    lua_pushboolean(L, 1);
    lua_replace(L, 2);
    return lua_gettop(L) - 1;
  }
  if (status == HEARTH_RAISED && lua_gettop(L) > 2) return lua_error(L); /* what the function raised */
  return result_failure(L, &err);
}

/* store:table() */
static int store_table(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  if (hearth_push_table(L, s->store, &err) < 0) return result_failure(L, &err);
  return 1;
}

/* store:compact{keep = N} */
static int store_compact(lua_State *L) {
  hearth_error err;
  Settings settings = {0};
  Store *s = store_check(L);
  lua_settop(L, 2);
  option_read(L, 2, option_compact, &settings);
  lua_settop(L, 1);
  store_enter(L, s, 1);
  hearth_status status = hearth_compact(L, s->store, (unsigned)settings.keep, &err);
  store_leave(L, s, 2);
  return result_status(L, status, &err);
}

/* store:install([env]): an installed store lives as long as its environment, until it is closed. */
static int store_install(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pushglobaltable(L);
    lua_replace(L, 2);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &installed_key);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  lua_rawset(L, 3);
  store_enter(L, s, 1);
  hearth_status status = hearth_install_at(L, s->store, 2, &err);
  store_leave(L, s, 4);
  return result_status(L, status, &err);
}

/* store:alias(policy) */
static int store_alias(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  int policy = option_check_choice(L, 2, option_alias);
  return result_status(L, hearth_set_alias(L, s->store, (hearth_alias)policy, &err), &err);
}

/* store:alias_places() */
static int store_alias_places(lua_State *L) {
  hearth_error err;
  Store *s = store_check(L);
  if (hearth_push_alias_places(L, s->store, &err) < 0) return result_failure(L, &err);
  return 1;
}

typedef struct StatField {
  const char *name;
  size_t offset; /* of a uint64_t */
} StatField;

static const StatField store_fields[] = {
  {"home_id", offsetof(hearth_stat, home_id)},
  {"memory_id", offsetof(hearth_stat, memory_id)},
  {"next_id", offsetof(hearth_stat, next_id)},
  {"saved_at", offsetof(hearth_stat, saved_at)},
  {"objects", offsetof(hearth_stat, objects)},
  {"externals", offsetof(hearth_stat, externals)},
  {"committed_entries", offsetof(hearth_stat, committed_entries)},
  {"committed_bytes", offsetof(hearth_stat, committed_bytes)},
  {"alias_uses", offsetof(hearth_stat, alias_uses)},
  {NULL, 0},
};

static const StatField storage_fields[] = {
  {"sequence", offsetof(hearth_backend_stat, sequence)},
  {"durable", offsetof(hearth_backend_stat, durable)},
  {"entries", offsetof(hearth_backend_stat, entries)},
  {"live_bytes", offsetof(hearth_backend_stat, live_bytes)},
  {"total_bytes", offsetof(hearth_backend_stat, total_bytes)},
  {"index_bytes", offsetof(hearth_backend_stat, index_bytes)},
  {"synced", offsetof(hearth_backend_stat, synced)},
  {"written", offsetof(hearth_backend_stat, written)},
  {NULL, 0},
};

/* Pushes a table with the fields of the record. */
static void store_push_record(lua_State *L, const void *record, const StatField *fields) {
  lua_newtable(L);
  for (const StatField *field = fields; field->name != NULL; field++) {
    uint64_t value = *(const uint64_t *)(const void *)((const char *)record + field->offset);
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field->name);
  }
}

/* store:stat() */
static int store_stat(lua_State *L) {
  hearth_error err;
  hearth_stat stat = {.size = sizeof stat, .storage = {.size = sizeof stat.storage}};
  Store *s = store_check(L);
  if (hearth_store_stat(s->store, &stat, &err) < 0) return result_failure(L, &err);
  store_push_record(L, &stat, store_fields);
  lua_pushinteger(L, (lua_Integer)stat.page_size);
  lua_setfield(L, -2, "page_size");
  lua_pushstring(L, stat.backend);
  lua_setfield(L, -2, "backend");
  store_push_record(L, &stat.storage, storage_fields);
  lua_setfield(L, -2, "storage");
  if (hearth_push_alias_places(L, s->store, &err) < 0) return result_failure(L, &err);
  lua_setfield(L, -2, "alias_places");
  return 1;
}

/* Forgets the environments that the store at index 1 is installed in. */
static void store_forget_installed(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &installed_key);
  int installed = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, installed) != 0) {
    bool mine = lua_rawequal(L, -1, 1);
    lua_pop(L, 1);
    if (!mine) continue;
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, installed); /* an existing field: the traversal goes on */
  }
  lua_settop(L, installed - 1);
}

/* store:close(); also __close and __gc. Never commits; closing again is no error. */
static int store_close(lua_State *L) {
  hearth_error err;
  Store *s = luaL_checkudata(L, 1, STORE_TYPE);
  if (s->store != NULL && s->calls > 0)
    return luaL_error(L, "attempt to close a store inside its own transaction or hook");
  hearth_store *store = s->store;
  s->store = NULL;
  store_forget_installed(L);
  err.code = hearth_close(L, store);
  if (err.code >= 0) return result_status(L, HEARTH_OK, &err);
  luaL_pushfail(L);
  lua_pushstring(L, hearth_status_text(err.code));
  lua_pushstring(L, hearth_status_name(err.code));
  return 3;
}

/* Two fields, and methods: the upvalue. */
static int store_index(lua_State *L) {
  Store *s = luaL_checkudata(L, 1, STORE_TYPE);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(name, "home") == 0) {
    if (s->store == NULL) return luaL_error(L, "attempt to use a closed store");
    hearth_push_home(L, s->store);
  } else if (strcmp(name, "uri") == 0) {
    lua_getiuservalue(L, 1, STORE_URI);
  } else {
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
  }
  return 1;
}

static int store_tostring(lua_State *L) {
  Store *s = luaL_checkudata(L, 1, STORE_TYPE);
  lua_getiuservalue(L, 1, STORE_URI);
  lua_pushfstring(L, s->store == NULL ? "hearth.store (%s, closed)" : "hearth.store (%s)", lua_tostring(L, -1));
  return 1;
}

static const luaL_Reg store_methods[] = {
  {"commit", store_commit},
  {"poll", store_poll},
  {"rollback", store_rollback},
  {"refresh", store_refresh},
  {"transaction", store_transaction},
  {"table", store_table},
  {"compact", store_compact},
  {"stat", store_stat},
  {"install", store_install},
  {"alias", store_alias},
  {"alias_places", store_alias_places},
  {"close", store_close},
  {NULL, NULL},
};

static const luaL_Reg store_metamethods[] = {
  {"__gc", store_close},
  {"__close", store_close},
  {"__tostring", store_tostring},
  {NULL, NULL},
};

/* --------------------------------------------------------------- opening */

/* Stack: [1] the function, [2] its line as a light userdata. */
static int store_call_warn(lua_State *L) {
  const char *line = lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushstring(L, line);
  lua_call(L, 1, 0);
  return 0;
}

/* What the function raises ends here, in Lua's warn, with the line that it did not take. */
static void store_warn(void *ud, const char *line) {
  lua_State *L = ud; /* the function's own: it lies at 1 */
  if (!lua_checkstack(L, LUA_MINSTACK)) {
    lua_warning(L, "hearth: ", 1);
    lua_warning(L, line, 0);
    return;
  }
  lua_pushcfunction(L, store_call_warn);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, (void *)(uintptr_t)line);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
  lua_warning(L, "hearth: ", 1);
  lua_warning(L, line, 0);
  lua_warning(L, "hearth: the function warn raised: ", 1);
  lua_warning(L, message, 0);
  lua_pop(L, 1);
}

/*
** The function at `warn` on a thread that lives as long as the store at `index`: it is called from where no state is.
*/
static lua_State *store_warn_thread(lua_State *L, int index, int warn) {
  lua_State *thread = lua_newthread(L);
  lua_pushvalue(L, warn);
  lua_xmove(L, thread, 1);
  lua_setiuservalue(L, index, STORE_WARN);
  return thread;
}

int store_open(lua_State *L) {
  hearth_error err;
  Settings settings = {0};
  const hearth_backend *others[2] = {NULL, NULL};
  const char *uri = result_check_text(L, 1);
  lua_settop(L, 2);
  option_read(L, 2, option_open, &settings);
  if (!backend_find(L, uri, &others[0], &err)) return result_failure(L, &err);

  Store *s = lua_newuserdatauv(L, sizeof *s, STORE_USER_VALUES);
  int index = lua_gettop(L);
  s->store = NULL;
  s->calls = 0;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, index, STORE_URI);
  if (settings.seal != 0) { /* borrowed by the store until it is closed */
    lua_pushvalue(L, settings.seal);
    lua_setiuservalue(L, index, STORE_SEAL);
  }
  hearth_options options = {
    .size = sizeof options,
    .flags = settings.flags,
    .durability = (hearth_durability)settings.durability,
    .alias = (hearth_alias)settings.alias,
    .seal = settings.seal != 0 ? lua_touserdata(L, settings.seal) : NULL,
    .page_size = (uint32_t)settings.page_size,
    .at = settings.at,
    .keep = (unsigned)settings.keep,
    .backends = others,
  };
  if (settings.warn != 0) {
    options.warn = store_warn;
    options.warn_ud = store_warn_thread(L, index, settings.warn);
  }
  store_enter(L, s, index);
  int previous = lua_gettop(L);
  luaL_getmetatable(L, STORE_TYPE);
  hearth_status status = hearth_open_uri(L, uri, &options, &s->store, &err);
  if (status < 0) s->store = NULL;
  /* The finalizer comes last: Lua runs finalizers in reverse, so the state's end closes through this one first. */
  if (status >= 0) lua_setmetatable(L, index);
  store_leave(L, s, previous);
  if (status < 0) return result_failure(L, &err);
  lua_settop(L, index);
  return 1;
}

void store_setup(lua_State *L) {
  hearth_error err;
  if (luaL_newmetatable(L, STORE_TYPE) == 0) { /* the module was loaded before, in this state */
    lua_pop(L, 1);
    return;
  }
  luaL_setfuncs(L, store_metamethods, 0);
  luaL_newlib(L, store_methods);
  lua_pushcclosure(L, store_index, 1);
  lua_setfield(L, -2, "__index");
  if (hearth_register_type(L, STORE_TYPE, lua_gettop(L), store_encode_hook, store_decode_hook, &err) < 0)
    result_raise(L, &err);
  lua_pop(L, 1);

  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &current_key);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &installed_key);
}
