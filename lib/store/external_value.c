/*
** Lua's keys and values to bytes and back, and the assignment of an entry.
**
** An assignment copies plain tables into new external tables. Everything is made
** first, out of sight, and then put in place by what cannot fail.
*/
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "external_table.h"
#include "permanents.h"
#include "protect.h"
#include "prototype.h"

/* ------------------------------------------------------------------- keys */

/* The boolean, number or string at `index`. */
static Value scalar_at(lua_State *L, int index) {
  Value v = {.kind = VALUE_STRING};
  lua_Number n;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: v.kind = lua_toboolean(L, index) ? VALUE_TRUE : VALUE_FALSE; break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        v.kind = VALUE_INTEGER;
        v.as.integer = (int64_t)lua_tointeger(L, index);
        break;
      }
      n = lua_tonumber(L, index);
      v.kind = VALUE_FLOAT;
      memcpy(&v.as.bits, &n, sizeof n);
      break;
    default: v.as.bytes = (const unsigned char *)lua_tolstring(L, index, &v.size);
  }
  return v;
}

ExternalKeyFault externals_to_key(lua_State *L, int index, ExternalKey *out) {
  Value v;
  int is_integer;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
    case LUA_TSTRING: v = scalar_at(L, index); break;
    case LUA_TNUMBER:
      v.kind = VALUE_INTEGER;
      v.as.integer = (int64_t)lua_tointegerx(L, index, &is_integer); /* as Lua normalises keys */
      if (is_integer) break;
      v = scalar_at(L, index);
      if (lua_tonumber(L, index) != lua_tonumber(L, index)) return EXTERNAL_KEY_NAN;
      break;
    case LUA_TNIL:
    case LUA_TNONE: return EXTERNAL_KEY_NIL;
    default: return EXTERNAL_KEY_TYPE;
  }
  out->size = external_put_key(out->bytes, &v);
  if (out->size == 0) return EXTERNAL_KEY_TOOBIG;
  out->bytes[out->size] = 0;
  return EXTERNAL_KEY_OK;
}

/* What is wrong with a key, in words. */
static const char *key_fault_text(ExternalKeyFault fault) {
  switch (fault) {
    case EXTERNAL_KEY_NIL: return "a key is nil";
    case EXTERNAL_KEY_NAN: return "a key is NaN";
    case EXTERNAL_KEY_TOOBIG: return "too big: a key of an external table has at most 1,024 encoded bytes";
    default: return "a key of an external table must be a boolean, a number or a string";
  }
}

void externals_check_key(lua_State *L, int index, ExternalKeyFault fault) {
  if (fault == EXTERNAL_KEY_OK) return;
  if (fault == EXTERNAL_KEY_TYPE)
    luaL_error(L, "%s, not a %s", key_fault_text(fault), luaL_typename(L, index));
  luaL_error(L, "%s", key_fault_text(fault));
}

static void push_scalar(lua_State *L, const Value *v) {
  lua_Number n;
  switch (v->kind) {
    case VALUE_FALSE: lua_pushboolean(L, 0); break;
    case VALUE_TRUE: lua_pushboolean(L, 1); break;
    case VALUE_INTEGER: lua_pushinteger(L, (lua_Integer)v->as.integer); break;
    case VALUE_FLOAT:
      memcpy(&n, &v->as.bits, sizeof n);
      lua_pushnumber(L, n);
      break;
    default: lua_pushlstring(L, (const char *)v->as.bytes, v->size);
  }
}

static void check_cursor(lua_State *L, const Cursor *c) {
  if (c->why != NULL) luaL_error(L, "an external table is damaged: %s", c->why);
}

void externals_push_key(lua_State *L, const void *bytes, size_t size) {
  Value key;
  Cursor c = cursor_over(bytes, size);
  external_get_key(&c, &key);
  check_cursor(L, &c);
  push_scalar(L, &key);
}

/* ----------------------------------------------------------- reading values */

/* [-1, +1, v] Replaces the blob on the top by its value. */
static void decode_blob(lua_State *L, const hearth_store *S) {
  hearth_error err;
  hearth_codec_options o = {.size = sizeof o, .flags = HEARTH_TRUSTED, .seal = S->seal};
  size_t size;
  const char *bytes = lua_tolstring(L, -1, &size);
  if (S->flags & HEARTH_STORE_NO_FUNCTIONS) o.flags &= ~(unsigned)HEARTH_ALLOW_FUNCTIONS;
  store_push_value(L, S, STORE_VALUES);
  if (lua_istable(L, -1)) o.permanents = lua_gettop(L);
  if (hearth_decode(L, bytes, size, &o, &err) != HEARTH_OK) luaL_error(L, "%s", err.message);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

void externals_push_value(lua_State *L, hearth_store *S, const unsigned char *bytes, size_t size) {
  ExternalValue v;
  Cursor c = cursor_over(bytes, size);
  luaL_checkstack(L, 4, "external tables");
  external_get_value(&c, &v);
  check_cursor(L, &c);
  if (v.blob) {
    lua_pushlstring(L, (const char *)v.bytes, v.size); /* decoding may run Lua, which may read other entries */
    decode_blob(L, S);
  } else if (v.value.kind == VALUE_REF) {
    if (!externals_has(S->externals, v.value.as.number))
      luaL_error(L, "an external table is damaged: it refers to table %I, which is not there",
                 (LUAI_UACINT)v.value.as.number);
    externals_push(L, S, v.value.as.number);
  } else {
    push_scalar(L, &v.value);
  }
}

/* ----------------------------------------------------------- the assignment */

/* What must be freed if Lua raises: the entries that are not in the overlay yet. */
typedef struct Staging {
  Map entries;
  Buffer copies; /* Copy, one a new table */
} Staging;

/* A new external table that a plain table is copied to. */
typedef struct Copy {
  uint64_t number;
  uint32_t parent; /* the copy from which it was first reached; UINT32_MAX: the assigned value itself */
} Copy;

#define COPY_NONE UINT32_MAX

typedef struct Assignment {
  lua_State *L;
  hearth_store *S;
  uint64_t number;  /* the table assigned to */
  uint32_t current; /* the copy whose entries are made; COPY_NONE: the assigned value itself */
  Staging *staging; /* NULL while there is no copy */
  MapEntry *entry;  /* without copies: the one entry that was made */
  const ExternalKey *k; /* of the entry at work */
  /* Stack indices, absolute; 0: not there yet. */
  int sources; /* list: copy + 1 -> the plain table */
  int keys;    /* list: copy + 1 -> the key under which it was first reached */
  int seen;    /* plain table -> copy + 1 */
  int permanents, names, modules;
} Assignment;

static const Copy *copy_at(const Assignment *A, uint32_t index) {
  return (const Copy *)(const void *)A->staging->copies.data + index; /* the allocator's memory is aligned for it */
}

static uint32_t copy_count(const Assignment *A) {
  return (uint32_t)(A->staging->copies.size / sizeof(Copy));
}

/* Pushes `t.players[3].on_hit`: the value under the key at `key` in the current copy. */
static void push_path(const Assignment *A, int key) {
  enum { MOST_STEPS = 64 };
  lua_State *L = A->L;
  uint32_t at = A->current;
  int steps = 1;
  luaL_checkstack(L, LUA_MINSTACK, "path");
  path_push_key(L, key);
  for (; at != COPY_NONE && steps < MOST_STEPS; steps++) {
    lua_rawgeti(L, A->keys, (lua_Integer)at + 1);
    path_push_key(L, lua_gettop(L));
    lua_remove(L, -2);
    lua_insert(L, -2);
    lua_concat(L, 2);
    at = copy_at(A, at)->parent;
  }
  lua_pushstring(L, at == COPY_NONE ? "t" : "...");
  lua_insert(L, -2);
  lua_concat(L, 2);
}

static _Noreturn void refuse(const Assignment *A, int key, const char *format, ...) HEARTH_PRINTF(3, 4);

static _Noreturn void refuse(const Assignment *A, int key, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  push_path(A, key);
  luaL_error(A->L, "%s: %s", lua_tostring(A->L, -1), text);
  abort(); /* it does not return */
}

static _Noreturn void raise_memory(lua_State *L) {
  luaL_error(L, "%s", hearth_status_text(HEARTH_NOMEM));
  abort();
}

/* Stays on the stack until the assignment ends. */
static void need_permanents(Assignment *A) {
  if (A->permanents != 0) return;
  permanents_push(A->L);
  A->permanents = lua_gettop(A->L);
  store_push_value(A->L, A->S, STORE_NAMES);
  A->names = lua_istable(A->L, -1) ? lua_gettop(A->L) : 0;
}

static bool is_permanent(Assignment *A, int key, int index) {
  int kind = permanents_name(A->L, A->permanents, A->names, index);
  if (kind == PERMANENT_BAD_NAME) refuse(A, key, "its name as a permanent is no string, number or boolean");
  if (kind == PERMANENT_NONE) return false;
  lua_pop(A->L, 1);
  return true;
}

/* A copy would have another identity than what the home graph holds. */
static void refuse_home(const Assignment *A, int key, int index) {
  uint64_t pointer = (uint64_t)(uintptr_t)lua_topointer(A->L, index);
  store_push_value(A->L, A->S, STORE_HOME);
  bool is_home = lua_rawequal(A->L, -1, index);
  lua_pop(A->L, 1);
  if (is_home || heap_find(&A->S->heap, pointer) != HEAP_NONE)
    refuse(A, key, "it is an object of the home graph; an external table keeps no references to those");
}

static void check_upvalues(Assignment *A, int key, int function) {
  lua_State *L = A->L;
  const char *name;
  for (int i = 1; (name = lua_getupvalue(L, function, i)) != NULL; i++) {
    bool known = is_permanent(A, key, lua_gettop(L));
    lua_pop(L, 1);
    if (!known && permanents_cell_name(L, A->permanents, lua_upvalueid(L, function, i))) {
      lua_pop(L, 1);
      known = true;
    }
    if (!known)
      refuse(A, key,
             "a function with upvalues other than permanents has no place in an external table (its upvalue '%s')",
             name);
  }
}

static void check_function(Assignment *A, int key, int index) {
  lua_State *L = A->L;
  bool stand_in = prototype_placeholder_record(L, index, NULL) != NULL;
  if (lua_iscfunction(L, index) && !stand_in) refuse(A, key, "a C function without a name cannot be stored");
  if (A->S->flags & HEARTH_STORE_NO_FUNCTIONS) refuse(A, key, "functions are refused in this store");
  refuse_home(A, key, index);
  if (!stand_in) check_upvalues(A, key, index);
}

/* Pushes the blob of the function or permanent at `index`. */
static void push_blob(Assignment *A, int key, int index) {
  hearth_error err;
  hearth_codec_options o = {.size = sizeof o, .flags = HEARTH_CANONICAL, .seal = A->S->seal, .permanents = A->names};
  if (A->S->flags & HEARTH_STORE_STRIP) o.flags |= HEARTH_STRIP;
  if (hearth_encode(A->L, index, &o, &err) == HEARTH_OK) return;
  if (strncmp(err.message, "root", 4) != 0) refuse(A, key, "%s", err.message);
  push_path(A, key); /* in place of "root" */
  luaL_error(A->L, "%s%s", lua_tostring(A->L, -1), err.message + 4);
}

/*
** The place where a value's head is written. Finalizers that ran since the assignment began may have closed the store.
*/
static Buffer *clear_head(Assignment *A) {
  externals_check_store(A->L, A->S, true);
  buffer_clear(&A->S->externals->head);
  return &A->S->externals->head;
}

/* Makes the entry of a table: head, then bytes. It is kept where an error frees it, or nothing raises any more. */
static void make_entry(Assignment *A, uint64_t table, int key, const Buffer *head, const void *bytes, size_t size) {
  Map *map = A->staging != NULL ? &A->staging->entries : &A->S->externals->overlay;
  if (size > HEARTH_MAX_VALUE - head->size) refuse(A, key, "too big: a value has at most 2^31 - 1 bytes");
  MapEntry *e = map_make(map, table, A->k->bytes, A->k->size, NULL, head->size + size);
  if (e == NULL) raise_memory(A->L);
  memcpy(map_value(e), head->data, head->size);
  if (size > 0) memcpy(map_value(e) + head->size, bytes, size);
  if (A->staging != NULL)
    map_discard(map, map_link(map, e));
  else
    A->entry = e;
}

static void put_value(Assignment *A, uint64_t table, int key, const Value *v) {
  Buffer *head = clear_head(A);
  external_put_plain(head, v);
  make_entry(A, table, key, head, NULL, 0);
}

static void put_string(Assignment *A, uint64_t table, int key, int index) {
  Value v = scalar_at(A->L, index);
  Buffer *head = clear_head(A);
  external_put_string_head(head, v.size);
  make_entry(A, table, key, head, v.as.bytes, v.size);
}

static void put_blob(Assignment *A, uint64_t table, int key, int index) {
  size_t size;
  push_blob(A, key, index);
  const char *bytes = lua_tolstring(A->L, -1, &size);
  Buffer *head = clear_head(A);
  buffer_byte(head, EXTERNAL_BLOB);
  make_entry(A, table, key, head, bytes, size);
  lua_pop(A->L, 1);
}

static void put_userdata(Assignment *A, uint64_t table, int key, int index) {
  Value v = {.kind = VALUE_REF};
  const hearth_store *owner;
  bool stale;
  if (external_is_handle(A->L, index, &v.as.number, &owner, &stale)) {
    if (owner == NULL) refuse(A, key, "an external table whose store is closed");
    if (owner != A->S) refuse(A, key, "an external table of another store: it %s", hearth_status_text(HEARTH_FOREIGN));
    if (stale) refuse(A, key, "a stale external table: it was made in a transaction that was rolled back");
    put_value(A, table, key, &v);
    return;
  }
  need_permanents(A);
  if (!is_permanent(A, key, index)) refuse(A, key, "a userdata cannot be kept in an external table");
  put_blob(A, table, key, index);
}

static void put_function(Assignment *A, uint64_t table, int key, int index) {
  need_permanents(A);
  if (!is_permanent(A, key, index)) check_function(A, key, index);
  put_blob(A, table, key, index);
}

/* ------------------------------------------------------- copies of tables */

static int release_staging(lua_State *L) {
  Staging *staging = lua_touserdata(L, 1);
  map_free(&staging->entries);
  buffer_free(&staging->copies);
  return 0;
}

/* What copies need; it stays on the stack until the assignment ends. */
static void need_staging(Assignment *A) {
  lua_State *L = A->L;
  if (A->staging != NULL) return;
  Staging *staging = lua_newuserdatauv(L, sizeof *staging, 0);
  map_init(&staging->entries, &A->S->allocator);
  buffer_init(&staging->copies, &A->S->allocator);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, release_staging);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_newtable(L);
  A->sources = lua_gettop(L);
  lua_newtable(L);
  A->keys = lua_gettop(L);
  lua_newtable(L);
  A->seen = lua_gettop(L);
  if (!(A->S->flags & HEARTH_STORE_MODULES_BY_VALUE)) {
    permanents_push_modules(L);
    A->modules = lua_gettop(L);
  }
  A->staging = staging;
}

/* Numbers the plain table at `index`, first met under the key at `key`, and queues it. */
static uint64_t add_copy(Assignment *A, int key, int index) {
  lua_State *L = A->L;
  Copy copy = {A->S->heap.next_number, A->current};
  uint32_t at = copy_count(A);
  if (lua_getmetatable(L, index)) refuse(A, key, "a table with a metatable cannot be kept in an external table");
  if (A->modules != 0 && permanents_module_of(L, A->modules, index))
    refuse(A, key, "the module '%s' is not registered", lua_tostring(L, -1));
  refuse_home(A, key, index);
  lua_pushvalue(L, index);
  lua_rawseti(L, A->sources, (lua_Integer)at + 1);
  lua_pushvalue(L, key);
  lua_rawseti(L, A->keys, (lua_Integer)at + 1);
  lua_pushvalue(L, index);
  lua_pushinteger(L, (lua_Integer)at + 1);
  lua_rawset(L, A->seen);
  copy.number = A->S->heap.next_number++; /* not before: a finalizer may have taken one */
  buffer_put(&A->staging->copies, &copy, sizeof copy);
  if (A->staging->copies.failed) raise_memory(L);
  return copy.number;
}

static void put_table(Assignment *A, uint64_t table, int key, int index) {
  lua_State *L = A->L;
  Value v = {.kind = VALUE_REF};
  need_permanents(A);
  if (is_permanent(A, key, index)) {
    put_blob(A, table, key, index);
    return;
  }
  need_staging(A);
  lua_pushvalue(L, index);
  lua_rawget(L, A->seen);
  lua_Integer seen = lua_tointeger(L, -1);
  lua_pop(L, 1);
  v.as.number = seen > 0 ? copy_at(A, (uint32_t)(seen - 1))->number : add_copy(A, key, index);
  put_value(A, table, key, &v);
}

/* Makes the entry table[key] = value; key and value are absolute indices. */
static void put(Assignment *A, uint64_t table, int key, int value) {
  Value v;
  switch (lua_type(A->L, value)) {
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
      v = scalar_at(A->L, value);
      put_value(A, table, key, &v);
      break;
    case LUA_TSTRING: put_string(A, table, key, value); break;
    case LUA_TTABLE: put_table(A, table, key, value); break;
    case LUA_TFUNCTION: put_function(A, table, key, value); break;
    case LUA_TUSERDATA: put_userdata(A, table, key, value); break;
    case LUA_TTHREAD: refuse(A, key, "a coroutine cannot be stored"); break;
    default: refuse(A, key, "a light userdata cannot be stored");
  }
}

/* The entries of every copy; new copies join while this goes on. */
static void fill_copies(Assignment *A) {
  lua_State *L = A->L;
  ExternalKey k;
  const ExternalKey *assigned = A->k;
  A->k = &k;
  for (uint32_t i = 0; i < copy_count(A); i++) {
    A->current = i;
    lua_rawgeti(L, A->sources, (lua_Integer)i + 1);
    int source = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, source)) {
      int key = lua_gettop(L) - 1;
      ExternalKeyFault fault = externals_to_key(L, key, &k);
      if (fault != EXTERNAL_KEY_OK) refuse(A, key, "%s", key_fault_text(fault));
      put(A, copy_at(A, i)->number, key, key + 1);
      lua_settop(L, key);
    }
    lua_settop(L, source - 1);
  }
  A->k = assigned;
}

static void check_status(lua_State *L, hearth_status status, const hearth_error *err) {
  if (status != HEARTH_OK) luaL_error(L, "%s", err->message);
}

/* Everything is made. What can fail comes first, so that all is put in place or nothing. */
static void put_staged(Assignment *A, uint64_t generation, const ExternalKey *k) {
  lua_State *L = A->L;
  Map *staged = &A->staging->entries;
  hearth_error err;
  uint64_t old;
  externals_check_store(L, A->S, true);
  Externals *X = A->S->externals;
  if (X->generation != generation) luaL_error(L, "the store was committed or rolled back during the assignment");
  if (!externals_reserve(X, copy_count(A))) raise_memory(L);
  check_status(L, externals_old_reference(X, externals_check_table(L, A->S, A->number), k->bytes, k->size, &old, &err),
               &err);
  for (uint32_t i = 0; i < copy_count(A); i++) externals_add(X, copy_at(A, i)->number);
  for (MapEntry *e; (e = staged->root) != NULL;) {
    map_unlink(staged, e);
    externals_put(X, externals_find(X, e->table), e, e->table == A->number ? old : 0);
  }
}

/* A value that is no plain table: the entry belongs to nobody yet. */
static void put_single(Assignment *A, const ExternalKey *k) {
  Externals *X = A->S->externals;
  hearth_error err;
  uint64_t old;
  ExternalTable *t = externals_find(X, A->number);
  hearth_status status = HEARTH_STALE;
  if (t != NULL) status = externals_old_reference(X, t, k->bytes, k->size, &old, &err);
  if (status == HEARTH_OK) {
    externals_put(X, t, A->entry, old);
    return;
  }
  map_discard(&X->overlay, A->entry);
  (void)externals_check_table(A->L, A->S, A->number);
  check_status(A->L, status, &err);
}

static void delete(lua_State *L, hearth_store *S, uint64_t number, const ExternalKey *k) {
  hearth_error err;
  ExternalTable *t = externals_check_table(L, S, number);
  check_status(L, externals_delete(S->externals, t, k->bytes, k->size, &err), &err);
}

/*
** t[key] = a boolean, number or string of few bytes: nothing here runs Lua. False: the value is another, or no entry of
** its size is in the open batch; where one is, it is written over, without taking and giving back memory.
*/
static bool overwrite(lua_State *L, Externals *X, uint64_t number, const ExternalKey *k, int value, int type) {
  Value v = {.kind = VALUE_STRING};
  if (type != LUA_TBOOLEAN && type != LUA_TNUMBER && type != LUA_TSTRING) return false;
  MapEntry *e = map_find(&X->overlay, number, k->bytes, k->size);
  if (e == NULL || e->mark == EXTERNAL_DELETED) return false;
  buffer_clear(&X->head);
  if (type == LUA_TSTRING) {
    v.as.bytes = (const unsigned char *)lua_tolstring(L, value, &v.size);
    external_put_string_head(&X->head, v.size);
  } else {
    v = scalar_at(L, value);
    v.size = 0;
    external_put_plain(&X->head, &v);
  }
  if (v.size > e->value_size || X->head.size + v.size != e->value_size) return false;
  externals_overwrite(X, externals_check_table(L, X->S, number), e, X->head.data, v.as.bytes, v.size);
  return true;
}

void externals_assign(lua_State *L, hearth_store *S, uint64_t number, int key, int value) {
  ExternalKey k;
  ExternalKeyFault fault = externals_to_key(L, key, &k);
  int type = lua_type(L, value);
  if (fault != EXTERNAL_KEY_OK) externals_check_key(L, key, fault);
  if (type == LUA_TNIL) {
    delete(L, S, number, &k);
    return;
  }
  if (overwrite(L, S->externals, number, &k, value, type)) return;
  Assignment A = {.L = L, .S = S, .number = number, .current = COPY_NONE, .k = &k};
  uint64_t generation = S->externals->generation;
  int top = lua_gettop(L);
  luaL_checkstack(L, 2 * LUA_MINSTACK, "external tables");
  put(&A, number, key, value);
  if (A.staging == NULL) {
    put_single(&A, &k);
  } else {
    fill_copies(&A);
    put_staged(&A, generation, &k);
    buffer_free(&A.staging->copies);
  }
  lua_settop(L, top);
}
