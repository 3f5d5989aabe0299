/*
** External tables as Lua sees them: the handle, a userdata with the metamethods of a table, and
** the functions of `ext`.
*/
#include <lauxlib.h>

#include "pending.h"
#include "protect.h"

/* Its user values: the store's userdata, and the store's table of caches. */
typedef struct Handle {
  hearth_store *S; /* lives as long */
  uint64_t number;
} Handle;

/* Its address is the metatable's key in the registry. */
static const char metatable_key = 0;

static const char stale_text[] = "a stale external table: it was made in a transaction that was rolled back";

/* --------------------------------------------------------------- checking */

static bool is_open(const hearth_store *S) {
  return !S->closed && S->externals != NULL;
}

static void check_status(lua_State *L, hearth_status status, const hearth_error *err) {
  if (status != HEARTH_OK) luaL_error(L, "%s", err->message);
}

void externals_check_store(lua_State *L, hearth_store *S, bool writing) {
  hearth_error err;
  if (!is_open(S)) luaL_error(L, "%s", hearth_status_text(HEARTH_CLOSED));
  check_status(L, pending_settle(S, &err), &err); /* what is open and what the backend holds fit together again */
  if (!writing) return;
  if (S->readonly) luaL_error(L, "%s", hearth_status_text(HEARTH_READONLY));
  if (S->busy) luaL_error(L, "the store is busy: external tables cannot be changed while it is loaded or committed");
}

ExternalTable *externals_check_table(lua_State *L, const hearth_store *S, uint64_t number) {
  Externals *X = S->externals;
  if (X->recent < X->count && X->tables[X->recent].number == number) return &X->tables[X->recent];
  ExternalTable *t = externals_find(X, number);
  if (t == NULL) luaL_error(L, "%s", stale_text);
  X->recent = (uint32_t)(t - X->tables);
  return t;
}

/* The handle at `index`, or NULL. */
static Handle *to_handle(lua_State *L, int index) {
  Handle *h = lua_touserdata(L, index);
  if (h == NULL || !lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  bool same = lua_rawequal(L, -1, -2) && !lua_isnil(L, -1);
  lua_pop(L, 2);
  return same ? h : NULL;
}

/* The handle that is the argument; its store is open and its table there. */
static Handle *check_handle(lua_State *L, int arg) {
  Handle *h = to_handle(L, arg);
  if (h == NULL) luaL_typeerror(L, arg, "external table");
  externals_check_store(L, h->S, false);
  (void)externals_check_table(L, h->S, h->number);
  return h;
}

/*
** The handle that a metamethod is called with: its upvalue is the metatable, which is quicker than asking the registry.
*/
static Handle *own_handle(lua_State *L, int nargs) {
  if (lua_gettop(L) != nargs) lua_settop(L, nargs); /* Lua calls it with as many */
  Handle *h = lua_touserdata(L, 1);
  if (h == NULL || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(1)))
    luaL_typeerror(L, 1, "external table");
  return h; /* what is above the arguments harms nobody */
}

bool external_is_handle(lua_State *L, int index, uint64_t *number, const hearth_store **owner, bool *stale) {
  const Handle *h = to_handle(L, index);
  if (h == NULL) return false;
  *number = h->number;
  *owner = is_open(h->S) ? h->S : NULL;
  *stale = *owner == NULL || !externals_has(h->S->externals, h->number);
  return true;
}

/* ------------------------------------------------------------ metamethods */

/* Reads t[key], which no cache has. */
static void push_entry(lua_State *L, const Handle *h, const ExternalKey *key) {
  Externals *X = h->S->externals;
  const unsigned char *value;
  size_t size;
  hearth_error err;
  uint64_t changes = X->cache.changes;
  check_status(L, externals_get(X, externals_check_table(L, h->S, h->number), key->bytes, key->size, &value, &size,
                                &err), &err);
  if (value == NULL)
    lua_pushnil(L);
  else
    externals_push_value(L, h->S, value, size);
  if (is_open(h->S)) external_cache_keep(L, h->S, h->number, key->bytes, key->size, changes);
}

static int handle_index(lua_State *L) {
  const Handle *h = own_handle(L, 2);
  const hearth_store *S = h->S;
  if (is_open(S) && !S->unsettled && S->externals->cache.valid && external_cache_find(L, h->number)) return 1;
  ExternalKey key;
  externals_check_store(L, h->S, false);
  lua_settop(L, 2);
  if (externals_to_key(L, 2, &key) == EXTERNAL_KEY_OK)
    push_entry(L, h, &key);
  else
    lua_pushnil(L); /* as in a table: what can be no key is not there */
  return 1;
}

static int handle_newindex(lua_State *L) {
  const Handle *h = own_handle(L, 3);
  const hearth_store *S = h->S;
  if (!is_open(S) || S->unsettled || S->readonly || S->busy) externals_check_store(L, h->S, true);
  externals_assign(L, h->S, h->number, 2, 3);
  external_cache_assign(L, h->S, h->number);
  return 0;
}

/* Is there an entry t[n]? */
static bool has_integer(lua_State *L, const Handle *h, lua_Unsigned n) {
  ExternalKey key;
  const unsigned char *value;
  size_t size;
  hearth_error err;
  Externals *X = h->S->externals;
  Value v = {.kind = VALUE_INTEGER, .as.integer = (int64_t)n};
  key.size = external_put_key(key.bytes, &v);
  check_status(L, externals_get(X, externals_find(X, h->number), key.bytes, key.size, &value, &size, &err), &err);
  return value != NULL;
}

/* A border, as Lua's luaH_getn finds one: n doubled until t[n] is nil, then by halves. */
static int handle_len(lua_State *L) {
  const Handle *h = own_handle(L, 1);
  externals_check_store(L, h->S, false);
  (void)externals_check_table(L, h->S, h->number);
  lua_Unsigned low = 0, high = 1; /* t[low] is there, or low is 0 */
  while (has_integer(L, h, high)) {
    low = high;
    if (high == LUA_MAXINTEGER) {
      lua_pushinteger(L, LUA_MAXINTEGER);
      return 1;
    }
    high = high <= (lua_Unsigned)LUA_MAXINTEGER / 2 ? high * 2 : (lua_Unsigned)LUA_MAXINTEGER;
  }
  while (high - low > 1) {
    lua_Unsigned middle = low + (high - low) / 2;
    if (has_integer(L, h, middle))
      low = middle;
    else
      high = middle;
  }
  lua_pushinteger(L, (lua_Integer)low);
  return 1;
}

static int handle_tostring(lua_State *L) {
  const Handle *h = own_handle(L, 1);
  lua_pushfstring(L, "external table: %I", (LUAI_UACINT)h->number);
  return 1;
}

/* --------------------------------------------------------------- iterating */

/* Upvalues: the cursor, the handle. Its arguments are not looked at: the cursor knows where it is. */
static int iterate(lua_State *L) {
  ExternalCursor *c = lua_touserdata(L, lua_upvalueindex(1));
  const Handle *h = lua_touserdata(L, lua_upvalueindex(2)); /* nobody else sets it but the debug library */
  externals_check_store(L, h->S, false);
  (void)externals_check_table(L, h->S, h->number);
  const unsigned char *value;
  size_t size;
  hearth_error err;
  luaL_checkstack(L, 4, "external tables");
  check_status(L, externals_cursor_next(h->S->externals, c, &value, &size, &err), &err);
  if (value == NULL) {
    lua_pushnil(L);
    return 1;
  }
  unsigned char key[EXTERNAL_MAX_KEY]; /* `value` is not valid for long, and neither is the position */
  size_t key_size = c->position.size;
  memcpy(key, c->position.bytes, key_size);
  externals_push_value(L, h->S, value, size);
  externals_push_key(L, key, key_size);
  lua_insert(L, -2);
  return 2;
}

/* Pushes an iterator over the handle at `index`; its cursor is to be set up. */
static ExternalCursor *push_iterator(lua_State *L, int index, bool reverse) {
  const Handle *h = lua_touserdata(L, index);
  ExternalCursor *c = lua_newuserdatauv(L, sizeof *c, 0);
  externals_cursor_init(c, h->number, reverse);
  lua_pushvalue(L, index);
  lua_pushcclosure(L, iterate, 2);
  return c;
}

static int handle_pairs(lua_State *L) {
  const Handle *h = own_handle(L, 1);
  externals_check_store(L, h->S, false);
  (void)externals_check_table(L, h->S, h->number);
  push_iterator(L, 1, false);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* ------------------------------------------------------------- the handle */

static const luaL_Reg metamethods[] = {
    {"__index", handle_index},       {"__newindex", handle_newindex}, {"__len", handle_len},
    {"__tostring", handle_tostring}, {"__pairs", handle_pairs},       {NULL, NULL},
};

static void push_metatable(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  luaL_newlibtable(L, metamethods);
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, metamethods, 1);
  lua_pushliteral(L, "hearth.external");
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "hearth.external"); /* getmetatable tells no more */
  lua_setfield(L, -2, "__metatable");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key) == LUA_TTABLE) { /* a finalizer was here meanwhile */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key); /* last: a failure before leaves nothing half done */
}

/* Pushes the store's weak table of handles. */
static void push_handles(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_HANDLES);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  store_push_value(L, S, STORE_HANDLES);
  if (lua_istable(L, -1)) { /* a finalizer was here meanwhile */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  store_set_value(L, S, STORE_HANDLES);
}

void externals_push(lua_State *L, hearth_store *S, uint64_t number) {
  luaL_checkstack(L, LUA_MINSTACK, "external tables");
  push_handles(L, S);
  if (lua_rawgeti(L, -1, (lua_Integer)number) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    Handle *h = lua_newuserdatauv(L, sizeof *h, EXTERNAL_CACHES);
    h->S = S;
    h->number = number;
    store_push(L, S);
    lua_setiuservalue(L, -2, 1);
    external_cache_push(L, S);
    lua_setiuservalue(L, -2, EXTERNAL_CACHES);
    push_metatable(L);
    lua_setmetatable(L, -2);
    if (lua_rawgeti(L, -2, (lua_Integer)number) == LUA_TUSERDATA) { /* a finalizer was here meanwhile */
      lua_remove(L, -2);
    } else {
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      lua_rawseti(L, -3, (lua_Integer)number);
    }
  }
  lua_remove(L, -2);
}

/* ------------------------------------------------------------ new tables */

typedef struct TableCall {
  hearth_store *S;
  hearth_error *error;
} TableCall;

/* Stack: [1] the call. The handle comes first, the table last: nothing can fail after it. */
static int table_protected(lua_State *L) {
  const TableCall *call = lua_touserdata(L, 1);
  hearth_store *S = call->S;
  uint64_t number = S->heap.next_number++;
  externals_push(L, S, number);
  if (store_enter(S, call->error) != HEARTH_OK) return luaL_error(L, "%s", call->error->message); /* a finalizer ran */
  if (!externals_reserve(S->externals, 1)) {
    hearth_fail(call->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
    return luaL_error(L, "%s", call->error->message);
  }
  externals_add(S->externals, number);
  return 1;
}

hearth_status hearth_push_table(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status != HEARTH_OK) return status;
  if (S->readonly) return hearth_fail(err, HEARTH_READONLY, "%s", hearth_status_text(HEARTH_READONLY));
  TableCall call = {S, err};
  return protect(L, table_protected, &call, 0, 1, err);
}

/* -------------------------------------------------------------------- ext */

static int ext_table(lua_State *L) {
  hearth_store *S = lua_touserdata(L, lua_upvalueindex(1));
  hearth_error err;
  check_status(L, hearth_push_table(L, S, &err), &err);
  return 1;
}

static int ext_is(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, to_handle(L, 1) != NULL);
  return 1;
}

static void check_bound(lua_State *L, int arg, ExternalKey *out) {
  if (!lua_isnoneornil(L, arg)) externals_check_key(L, arg, externals_to_key(L, arg, out));
}

/* ext.scan(t, from, to [, reverse]): an iterator over from <= key <= to in the order of keys; nil: an open end. */
static int ext_scan(lua_State *L) {
  lua_settop(L, 4);
  (void)check_handle(L, 1);
  ExternalCursor *c = push_iterator(L, 1, lua_toboolean(L, 4));
  check_bound(L, 2, &c->from);
  check_bound(L, 3, &c->to);
  return 1;
}

static const luaL_Reg ext_functions[] = {{"table", ext_table}, {"scan", ext_scan}, {"is", ext_is}, {NULL, NULL}};

void externals_push_ext(lua_State *L, hearth_store *S) {
  luaL_checkstack(L, LUA_MINSTACK, "external tables");
  store_push_value(L, S, STORE_EXT);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  luaL_newlibtable(L, ext_functions);
  lua_pushlightuserdata(L, S);
  store_push(L, S); /* it lives as long as the functions */
  luaL_setfuncs(L, ext_functions, 2);
  lua_pushvalue(L, -1);
  store_set_value(L, S, STORE_EXT);
}
