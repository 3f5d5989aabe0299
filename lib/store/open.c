/*
** Opening and closing.
*/
#include <assert.h>

#include <lauxlib.h>

#include "external.h"
#include "pending.h"
#include "prototype.h"
#include "protect.h"
#include "store.h"

#define DEFAULT_PAGE_SIZE 4096
#define LEAST_PAGE_SIZE 64
#define MOST_PAGE_SIZE (1u << 20)

#define KNOWN_FLAGS                                                                                           \
  (HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_EXCLUSIVE | HEARTH_STORE_STRIP |                \
   HEARTH_STORE_NO_FUNCTIONS | HEARTH_STORE_MODULES_BY_VALUE | HEARTH_STORE_PLACEHOLDERS)
#define BACKEND_FLAGS (HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_EXCLUSIVE)

typedef struct OpenCall {
  const hearth_backend *backend;
  const char *location;
  const hearth_options *options;
  hearth_error *error;
  hearth_store *S;
} OpenCall;

const char *hearth_version(void) {
  return HEARTH_VERSION_STRING;
}

/* ----------------------------------------------------------------- close */

static void free_memory(hearth_store *S) {
  pending_free_all(S);
  externals_free(S->externals);
  store_free_saved(S, S->saved, S->saved_capacity);
  heap_free(&S->heap);
  if (S->location != NULL) hearth_free(&S->allocator, S->location, strlen(S->location) + 1);
  S->externals = NULL;
  S->saved = NULL;
  S->saved_capacity = 0;
  S->location = NULL;
}

static hearth_status close_store(hearth_store *S, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  if (S->closed) return HEARTH_OK;
  S->closed = true;
  if (S->storage != NULL) status = S->backend->close(S->storage, err);
  S->storage = NULL;
  free_memory(S);
  return status;
}

static int collect(lua_State *L) {
  (void)close_store(lua_touserdata(L, 1), NULL);
  return 0;
}

static int plain_alias(lua_State *L) {
  alias_apply(L, lua_touserdata(L, 1), HEARTH_ALIAS_ON);
  return 0;
}

/* Memory, too, is a plain table now; only where there is no memory for it, it is gone. */
static void leave_alias(lua_State *L, hearth_store *S) {
  hearth_error ignored;
  if (protect(L, plain_alias, S, 0, 0, &ignored) != HEARTH_OK) alias_end(L, S);
}

hearth_status hearth_close(lua_State *L, hearth_store *S) {
  if (S == NULL || S->closed) return HEARTH_OK;
  if (S->busy || S->in_transaction) return HEARTH_BUSY;
  if (!lua_checkstack(L, LUA_MINSTACK)) return HEARTH_NOMEM;
  if (S->alias == HEARTH_ALIAS_TRACK) leave_alias(L, S);
  hearth_status status = close_store(S, NULL);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, S); /* clearing a field allocates nothing */
  return status;
}

/* ------------------------------------------------------------------ open */

/* By this name the true globals table is stored where another table is _G; it is known before that one is installed. */
#define GLOBALS_NAME "package.loaded._G"

static void know_globals(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_VALUES);
  lua_pushglobaltable(L);
  lua_setfield(L, -2, GLOBALS_NAME);
  lua_pop(L, 1);
}

static void make_lua_side(lua_State *L, hearth_store *S, hearth_error *err) {
  static const int tables[] = {STORE_OBJECTS, STORE_LARGE, STORE_NAMES, STORE_VALUES, STORE_HANDLES};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    lua_newtable(L);
    if (tables[i] == STORE_HANDLES) {
      lua_createtable(L, 0, 1);
      lua_pushliteral(L, "v");
      lua_setfield(L, -2, "__mode");
      lua_setmetatable(L, -2);
    }
    store_set_value(L, S, tables[i]);
  }
  lua_createtable(L, 2, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  store_set_value(L, S, STORE_WATCHED);
  alias_push(L);
  store_set_value(L, S, STORE_ALIAS);
  if (prototype_push_cell_maker(L, err) != HEARTH_OK) {
    lua_pushnil(L);
    lua_error(L);
  }
  store_set_value(L, S, STORE_CELL_MAKER);
}

/* Names the object at `value` for this store alone. */
static void name_value(lua_State *L, hearth_store *S, const char *name, int value) {
  store_push_value(L, S, STORE_NAMES);
  lua_pushvalue(L, value);
  lua_pushstring(L, name);
  lua_rawset(L, -3);
  store_push_value(L, S, STORE_VALUES);
  lua_pushvalue(L, value);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

/* `ext` and its functions are permanents of the store. */
static void make_ext(lua_State *L, hearth_store *S) {
  externals_push_ext(L, S);
  int ext = lua_gettop(L);
  name_value(L, S, "ext", ext);
  lua_pushnil(L);
  while (lua_next(L, ext)) {
    int field = lua_gettop(L);
    const char *name = lua_pushfstring(L, "ext.%s", lua_tostring(L, field - 1));
    name_value(L, S, name, field);
    lua_settop(L, field - 1);
  }
  store_set_value(L, S, STORE_EXT);
}

/* Without a warn of the host's, what the backend has to say goes to Lua's, too. */
static void warn_of_backend(void *ud, const char *text) {
  hearth_store *S = ud;
  store_warn_line(S->L, S, text);
}

static hearth_status open_backend(hearth_store *S, const OpenCall *call) {
  const hearth_options *o = call->options;
  if ((o->at != 0 || o->keep != 0) && !hearth_backend_keeps_batches(S->backend))
    return hearth_fail(call->error, HEARTH_UNSUPPORTED, "the %s backend keeps no earlier commits", S->backend->name);
  hearth_backend_config config = {sizeof config,
                                  call->location,
                                  o->flags & BACKEND_FLAGS,
                                  hearth_libc_allocator, /* it may outlive a failing Lua allocation */
                                  o->environment,
                                  warn_of_backend,
                                  S,
                                  o->backend_ud,
                                  o->at,
                                  o->keep};
  return S->backend->open(&config, &S->storage, call->error);
}

static void set_up(lua_State *L, hearth_store *S, const OpenCall *call) {
  const hearth_options *o = call->options;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  S->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  S->backend = call->backend;
  S->allocator = protect_allocator(L);
  S->warn = o->warn;
  S->warn_ud = o->warn_ud;
  S->seal = o->seal;
  S->flags = o->flags;
  S->durability = o->durability;
  S->alias = o->alias;
  S->environment = o->environment;
  S->readonly = (o->flags & HEARTH_OPEN_READONLY) != 0;
  S->metadata.page_size = o->page_size != 0 ? o->page_size : DEFAULT_PAGE_SIZE;
  heap_init(&S->heap, &S->allocator, hash_key());
}

static char *copy_text(const hearth_allocator *a, const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = hearth_realloc(a, NULL, 0, size);
  if (copy != NULL) memcpy(copy, text, size);
  return copy;
}

/* Stack: [1] the call. */
static int open_protected(lua_State *L) {
  OpenCall *call = lua_touserdata(L, 1);
  hearth_store *S = lua_newuserdatauv(L, sizeof *S, STORE_USER_VALUES);
  memset(S, 0, sizeof *S);
  S->closed = true; /* until there is something to close */
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "hearth.open store");
  lua_setfield(L, -2, "__name");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, S);
  call->S = S;
  set_up(L, S, call);
  S->closed = false;
  S->location = copy_text(&S->allocator, call->location != NULL ? call->location : "");
  S->externals = S->location != NULL ? externals_new(S) : NULL;
  if (S->externals == NULL) {
    hearth_fail(call->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
    return luaL_error(L, "nomem");
  }
  make_lua_side(L, S, call->error);
  make_ext(L, S);
  know_globals(L, S);
  if (open_backend(S, call) != HEARTH_OK) {
    lua_pushnil(L);
    return lua_error(L);
  }
  return 0;
}

static hearth_status read_options(const hearth_options *options, hearth_options *out, hearth_error *err) {
  memset(out, 0, sizeof *out);
  out->size = sizeof *out;
  if (options == NULL) return HEARTH_OK;
  if (options->size > sizeof *out || options->size < sizeof options->size)
    return hearth_fail(err, HEARTH_INVALID, "hearth_options.size is %zu, this library knows up to %zu", options->size,
                       sizeof *out);
  memcpy(out, options, options->size);
  if ((out->flags & ~KNOWN_FLAGS) != 0)
    return hearth_fail(err, HEARTH_INVALID, "unknown flags %#x in hearth_options", out->flags & ~KNOWN_FLAGS);
  if (out->page_size != 0 && (out->page_size < LEAST_PAGE_SIZE || out->page_size > MOST_PAGE_SIZE))
    return hearth_fail(err, HEARTH_INVALID, "page_size is %u, not from %u to %u", (unsigned)out->page_size,
                       LEAST_PAGE_SIZE, MOST_PAGE_SIZE);
  if ((int)out->durability < 0 || out->durability > HEARTH_DURABLE || (int)out->alias < 0 ||
      out->alias > HEARTH_ALIAS_TRACK)
    return hearth_fail(err, HEARTH_INVALID, "an unknown durability or alias policy in hearth_options");
  return HEARTH_OK;
}

hearth_status hearth_open(lua_State *L, const hearth_backend *backend, const char *location,
                          const hearth_options *options, hearth_store **out, hearth_error *err) {
  hearth_error own;
  hearth_options o;
  if (err == NULL) err = &own;
  *out = NULL;
  assert(backend->abi == HEARTH_BACKEND_ABI);
  hearth_status status = read_options(options, &o, err);
  if (status != HEARTH_OK) return status;
  OpenCall call = {backend, location, &o, err, NULL};
  status = protect(L, open_protected, &call, 0, 0, err);
  if (status == HEARTH_OK) status = store_load(L, call.S, err);
  if (status != HEARTH_OK) {
    (void)hearth_close(L, call.S);
    return status;
  }
  *out = call.S;
  return HEARTH_OK;
}

/* --------------------------------------------------------------- install */

typedef struct InstallCall {
  hearth_store *S;
  bool other; /* the environment is not the globals table */
} InstallCall;

static const char *const global_names[] = {"_home", "ext", "Memory"};

#define GLOBAL_NAMES (sizeof global_names / sizeof *global_names)

/* Stack: [1] the call, [2] the table. Pushes what it holds under our names: names and values. */
static int look_at_globals(lua_State *L) {
  for (size_t i = 0; i < GLOBAL_NAMES; i++) {
    lua_pushstring(L, global_names[i]);
    lua_pushvalue(L, -1);
    lua_rawget(L, 2);
  }
  return 2 * (int)GLOBAL_NAMES;
}

/* Replaces a table among the user values by a copy, and pushes that. */
static void copy_value(lua_State *L, hearth_store *S, int which) {
  lua_newtable(L);
  int copy = lua_gettop(L);
  store_push_value(L, S, which);
  lua_pushnil(L);
  while (lua_next(L, copy + 1)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, copy);
  }
  lua_pushvalue(L, copy);
  store_set_value(L, S, which);
  lua_settop(L, copy);
}

/* Gives the value at `value` the name, or none. */
static void set_store_name(lua_State *L, int names, int value, const char *name) {
  lua_pushvalue(L, value);
  if (name != NULL)
    lua_pushstring(L, name);
  else
    lua_pushnil(L);
  lua_rawset(L, names);
}

/* The table at `environment` is _G; what was it before has no name any more. */
static void name_environment(lua_State *L, int names, int values, int environment, int globals) {
  bool other = !lua_rawequal(L, environment, globals);
  lua_getfield(L, values, "_G");
  if (!lua_isnil(L, -1)) set_store_name(L, names, lua_gettop(L), NULL);
  lua_pop(L, 1);
  set_store_name(L, names, globals, other ? GLOBALS_NAME : NULL);
  if (other) set_store_name(L, names, environment, "_G");
  if (other)
    lua_pushvalue(L, environment);
  else
    lua_pushnil(L);
  lua_setfield(L, values, "_G");
}

/* Stack: [1] the call, [2] the table. */
static int install_protected(lua_State *L) {
  InstallCall *call = lua_touserdata(L, 1);
  hearth_store *S = call->S;
  lua_pushglobaltable(L);
  copy_value(L, S, STORE_NAMES);
  copy_value(L, S, STORE_VALUES);
  call->other = !lua_rawequal(L, 2, 3);
  name_environment(L, 4, 5, 2, 3);
  lua_pushvalue(L, 2);
  store_set_value(L, S, STORE_ENVIRONMENT);
  lua_pushliteral(L, "_home");
  store_push_value(L, S, STORE_HOME);
  lua_rawset(L, 2);
  lua_pushliteral(L, "ext");
  store_push_value(L, S, STORE_EXT);
  lua_rawset(L, 2);
  alias_apply(L, S, S->alias);
  return 0;
}

static int apply_alias(lua_State *L) {
  hearth_store *S = lua_touserdata(L, 1);
  alias_apply(L, S, S->alias);
  return 0;
}

/* Puts everything back. From `saved` on the stack has the user values, then names and values of the globals. */
static void uninstall(lua_State *L, hearth_store *S, int environment, int saved) {
  static const int which[] = {STORE_NAMES, STORE_VALUES, STORE_ENVIRONMENT};
  hearth_error ignored;
  alias_end(L, S);
  for (int i = 0; i < 3; i++) {
    lua_pushvalue(L, saved + i);
    store_set_value(L, S, which[i]);
  }
  for (int i = 0; i < (int)GLOBAL_NAMES; i++) { /* a key that is there, or nil: no memory is needed */
    lua_pushvalue(L, saved + 3 + 2 * i);
    lua_pushvalue(L, -1);
    bool set = lua_rawget(L, environment) != LUA_TNIL;
    lua_pop(L, 1);
    lua_pushvalue(L, saved + 4 + 2 * i);
    if (set)
      lua_rawset(L, environment);
    else
      lua_pop(L, 2);
  }
  if (S->alias == HEARTH_ALIAS_TRACK) (void)protect(L, apply_alias, S, 0, 0, &ignored);
}

/* Stack: at `environment` the table. */
static hearth_status install(lua_State *L, hearth_store *S, int environment, hearth_error *err) {
  InstallCall call = {S, false};
  int saved = lua_gettop(L) + 1;
  store_push_value(L, S, STORE_NAMES);
  store_push_value(L, S, STORE_VALUES);
  store_push_value(L, S, STORE_ENVIRONMENT);
  lua_pushglobaltable(L);
  bool was_other = lua_istable(L, saved + 2) && !lua_rawequal(L, saved + 2, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, environment);
  hearth_status status = protect(L, look_at_globals, &call, 1, 2 * (int)GLOBAL_NAMES, err);
  if (status != HEARTH_OK) return status;
  lua_pushvalue(L, environment);
  status = protect(L, install_protected, &call, 1, 0, err);
  if (status == HEARTH_OK && (call.other || was_other) && S->metadata.written_by != 0) status = store_load(L, S, err);
  if (status != HEARTH_OK) uninstall(L, S, environment, saved);
  return status;
}

hearth_status hearth_install_at(lua_State *L, hearth_store *S, int index, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status == HEARTH_OK) status = pending_settle(S, err);
  if (status != HEARTH_OK) return status;
  if (!lua_istable(L, index))
    return hearth_fail(err, HEARTH_INVALID, "a store is installed in a table, not in a %s", luaL_typename(L, index));
  int top = lua_gettop(L);
  index = lua_absindex(L, index);
  if (!lua_checkstack(L, 2 * LUA_MINSTACK))
    return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  status = install(L, S, index, err);
  lua_settop(L, top);
  return status;
}

hearth_status hearth_install(lua_State *L, hearth_store *S) {
  if (!lua_checkstack(L, LUA_MINSTACK)) return HEARTH_NOMEM;
  lua_pushglobaltable(L);
  hearth_status status = hearth_install_at(L, S, -1, NULL);
  lua_pop(L, 1);
  return status;
}

const hearth_backend *hearth_store_backend(hearth_store *S, hearth_backend_store **storage) {
  *storage = S->storage;
  return S->closed ? NULL : S->backend;
}

void hearth_push_home(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_HOME);
}
