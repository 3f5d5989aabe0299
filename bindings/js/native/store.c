/*
** The store of a bridge: opening it, and what hearth.h offers on it.
*/
#include <lauxlib.h>

#include "error.h"
#include "transfer.h"

/* Writes the seal's 32 bytes. Not 0: JavaScript's function threw, and they are no seal. */
IMPORT("hearth", "seal") int js_seal(const void *bytes, size_t size, unsigned char *out);

static int seal_hash(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  (void)ud;
  return js_seal(bytes, size, out);
}

const hearth_seal bridge_seal = {seal_hash, NULL};

static void warn_line(void *ud, const char *text) {
  (void)ud;
  js_warn(text, strlen(text), 0);
}

typedef struct Flag {
  const char *name;
  bool when; /* set where the option has this value */
  unsigned flag;
} Flag;

static const Flag flags[] = {
    {"readonly", true, HEARTH_OPEN_READONLY},
    {"create", false, HEARTH_OPEN_NO_CREATE},
    {"exclusive", true, HEARTH_OPEN_EXCLUSIVE},
    {"strip", true, HEARTH_STORE_STRIP},
    {"functions", false, HEARTH_STORE_NO_FUNCTIONS},
    {"placeholders", true, HEARTH_STORE_PLACEHOLDERS},
};

/* [-0, +0, e] The fields of the table at `index`; JavaScript has checked their names and types. */
static void read_options(lua_State *L, int index, hearth_options *o) {
  *o = (hearth_options){.size = sizeof *o, .warn = warn_line, .backend_ud = bridge_of(L)};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    if (lua_getfield(L, index, flags[i].name) == LUA_TBOOLEAN && lua_toboolean(L, -1) == flags[i].when)
      o->flags |= flags[i].flag;
    lua_pop(L, 1);
  }
  lua_getfield(L, index, "durability");
  o->durability = (hearth_durability)lua_tointeger(L, -1);
  lua_getfield(L, index, "alias");
  o->alias = (hearth_alias)lua_tointeger(L, -1);
  lua_getfield(L, index, "pageSize");
  o->page_size = (uint32_t)lua_tointeger(L, -1);
  lua_getfield(L, index, "seal");
  if (lua_toboolean(L, -1)) o->seal = &bridge_seal;
  lua_pop(L, 4);
}

/* Opens what js_import made. */
static hearth_status take_imported(const hearth_backend_config *config, hearth_backend_store **out, hearth_error *err) {
  Bridge *b = config->ud;
  *out = b->imported;
  b->imported = NULL;
  return hearth_ok(err);
}

static const hearth_backend *const browser[] = {&hearth_indexeddb_backend, NULL};

/* Stack: URI, options. */
static int open_store(lua_State *L) {
  Bridge *b = bridge_of(L);
  const char *location;
  hearth_options options;
  read_options(L, 2, &options);
  b->sealed = options.seal != NULL;
  const hearth_backend *backend = hearth_backend_for_uri(luaL_checkstring(L, 1), browser, &location, &b->error);
  if (backend == NULL) return bridge_fail(L);
  if (b->imported != NULL) {
    b->taking = *backend;
    b->taking.open = take_imported;
    backend = &b->taking;
  }
  bridge_check(L, hearth_open(L, backend, location, &options, &b->store, &b->error));
  hearth_status status = hearth_install(L, b->store);
  if (status < 0) hearth_fail(&b->error, status, "%s", hearth_status_text(status));
  bridge_check(L, status);
  return 0;
}

int EXPORT(js_open)(Bridge *b) {
  return bridge_enter(b, open_store, false);
}

int EXPORT(js_close)(Bridge *b) {
  hearth_ok(&b->error);
  hearth_status status = hearth_close(b->current, b->store);
  if (status < 0) hearth_fail(&b->error, status, "%s", hearth_status_text(status));
  if (status != HEARTH_BUSY) b->store = NULL;
  return bridge_answer(b, status);
}

/* OK, or CLOSED with the error filled. */
static hearth_status opened(Bridge *b) {
  hearth_ok(&b->error);
  return b->store != NULL ? HEARTH_OK : hearth_fail(&b->error, HEARTH_CLOSED, "the store is closed");
}

int EXPORT(js_commit)(Bridge *b, int level) {
  hearth_status status = opened(b);
  if (status == HEARTH_OK) status = hearth_commit(b->current, b->store, (hearth_durability)level, &b->error);
  return bridge_answer(b, status);
}

int EXPORT(js_poll)(Bridge *b) {
  hearth_status status = opened(b);
  if (status == HEARTH_OK) status = hearth_poll(b->current, b->store, &b->error);
  return bridge_answer(b, status);
}

/* A program that replaced the global _home gets it back with the rest. */
static void reinstall(Bridge *b) {
  if (b->store != NULL) (void)hearth_install(b->current, b->store);
}

int EXPORT(js_rollback)(Bridge *b) {
  hearth_status status = opened(b);
  if (status == HEARTH_OK) status = hearth_rollback(b->current, b->store, &b->error);
  if (status == HEARTH_OK) reinstall(b);
  return bridge_answer(b, status);
}

int EXPORT(js_refresh)(Bridge *b) {
  hearth_status status = opened(b);
  if (status == HEARTH_OK) status = hearth_refresh(b->current, b->store, &b->error);
  return bridge_answer(b, status);
}

int EXPORT(js_compact)(Bridge *b, unsigned keep) {
  hearth_status status = opened(b);
  if (status == HEARTH_OK) status = hearth_compact(b->current, b->store, keep, &b->error);
  return bridge_answer(b, status);
}

int EXPORT(js_alias)(Bridge *b, int policy) {
  hearth_status status = opened(b);
  if (status == HEARTH_OK) status = hearth_set_alias(b->current, b->store, (hearth_alias)policy, &b->error);
  return bridge_answer(b, status);
}

/* Stack: a function. */
static int transaction(lua_State *L) {
  Bridge *b = bridge_of(L);
  bridge_check(L, opened(b));
  hearth_status status = hearth_transaction(L, b->store, lua_gettop(L) - 1, LUA_MULTRET, &b->error);
  if (status < 0 && b->error.code != HEARTH_BUSY) reinstall(b);
  if (status == HEARTH_RAISED && lua_gettop(L) > 0) return lua_error(L); /* what the function raised */
  bridge_check(L, status);
  return lua_gettop(L);
}

int EXPORT(js_transaction)(Bridge *b) {
  return bridge_enter(b, transaction, true);
}

/* ------------------------------------------------------------------- stat */

static void set_count(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static int stat(lua_State *L) {
  Bridge *b = bridge_of(L);
  hearth_stat s = {.size = sizeof s, .storage = {.size = sizeof s.storage}};
  bridge_check(L, opened(b));
  bridge_check(L, hearth_store_stat(b->store, &s, &b->error));
  lua_newtable(L);
  lua_pushstring(L, s.backend);
  lua_setfield(L, -2, "backend");
  set_count(L, "homeId", s.home_id);
  set_count(L, "memoryId", s.memory_id);
  set_count(L, "nextId", s.next_id);
  set_count(L, "savedAt", s.saved_at);
  set_count(L, "objects", s.objects);
  set_count(L, "externals", s.externals);
  set_count(L, "committedEntries", s.committed_entries);
  set_count(L, "committedBytes", s.committed_bytes);
  set_count(L, "pageSize", s.page_size);
  set_count(L, "luaBytes", (uint64_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (uint64_t)lua_gc(L, LUA_GCCOUNTB));
  lua_newtable(L);
  set_count(L, "sequence", s.storage.sequence);
  set_count(L, "durable", s.storage.durable);
  set_count(L, "entries", s.storage.entries);
  set_count(L, "liveBytes", s.storage.live_bytes);
  set_count(L, "totalBytes", s.storage.total_bytes);
  set_count(L, "indexBytes", s.storage.index_bytes);
  set_count(L, "synced", s.storage.synced);
  set_count(L, "written", s.storage.written);
  lua_setfield(L, -2, "storage");
  set_count(L, "aliasUses", s.alias_uses);
  bridge_check(L, hearth_push_alias_places(L, b->store, &b->error));
  lua_setfield(L, -2, "aliasPlaces");
  return 1;
}

int EXPORT(js_stat)(Bridge *b) {
  return bridge_enter(b, stat, true);
}
