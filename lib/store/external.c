/*
** Which external tables there are, what refers to them, and how a commit writes
** and drops them.
**
** A commit decides what goes without changing anything (doomed, lost), so that a failure
** needs no undoing; success then applies it.
*/
#include "external_table.h"
#include "pending.h"

#include <lauxlib.h>

#include "cursor.h"

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

/* ----------------------------------------------------------------- tables */

ExternalTable *externals_find(const Externals *X, uint64_t number) {
  uint32_t index = intmap_get(&X->by_number, number);
  return index != INTMAP_NONE ? &X->tables[index] : NULL;
}

bool externals_reserve(Externals *X, size_t more) {
  if (more > UINT32_MAX / 2 - X->count) return false;
  if (!intmap_reserve(&X->by_number, more)) return false;
  if (X->count + more <= X->capacity) return true;
  size_t capacity = X->capacity == 0 ? 16 : X->capacity;
  while (capacity < X->count + more) capacity *= 2;
  if (capacity > SIZE_MAX / sizeof *X->tables) return false;
  ExternalTable *tables = hearth_realloc(&X->S->allocator, X->tables, X->capacity * sizeof *tables,
                                         capacity * sizeof *tables);
  if (tables == NULL) return false;
  X->tables = tables;
  X->capacity = (uint32_t)capacity;
  return true;
}

static ExternalTable *add(Externals *X, uint64_t number) {
  ExternalTable *t = &X->tables[X->count];
  memset(t, 0, sizeof *t);
  t->number = number;
  (void)intmap_put(&X->by_number, number, X->count++); /* room was made */
  return t;
}

void externals_add(Externals *X, uint64_t number) {
  add(X, number)->fresh = true;
}

/* The last table takes its place. */
static void forget(Externals *X, uint32_t index) {
  intmap_remove(&X->by_number, X->tables[index].number);
  X->count--;
  if (index == X->count) return;
  X->tables[index] = X->tables[X->count];
  (void)intmap_put(&X->by_number, X->tables[index].number, index); /* it replaces: the removal left room */
}

Externals *externals_new(hearth_store *S) {
  const hearth_allocator *a = &S->allocator;
  Externals *X = hearth_realloc(a, NULL, 0, sizeof *X);
  if (X == NULL) return NULL;
  memset(X, 0, sizeof *X);
  X->S = S;
  intmap_init(&X->by_number, a);
  map_init(&X->overlay, a);
  buffer_init(&X->read, a);
  buffer_init(&X->head, a);
  buffer_init(&X->work, a);
  if (buffer_reserve(&X->head, 64) != NULL) return X;
  externals_free(X);
  return NULL;
}

void externals_free(Externals *X) {
  if (X == NULL) return;
  hearth_allocator a = X->S->allocator;
  intmap_free(&X->by_number);
  map_free(&X->overlay);
  buffer_free(&X->read);
  buffer_free(&X->head);
  buffer_free(&X->work);
  hearth_free(&a, X->tables, X->capacity * sizeof *X->tables);
  hearth_free(&a, X, sizeof *X);
}

bool externals_load(Externals *X, uint64_t number, const void *record, size_t size) {
  uint64_t to, from;
  Cursor c = cursor_over(record, size);
  external_get_record(&c, &to, &from);
  if (c.why != NULL || number == 0 || externals_find(X, number) != NULL) return false;
  if (!externals_reserve(X, 1)) return false;
  ExternalTable *t = add(X, number);
  t->to = t->saved_to = to;
  t->from = t->saved_from = from;
  return true;
}

void externals_follow(Externals *X, const Externals *before) {
  X->generation = before->generation + 1;
  X->failures = before->failures;
  X->cache.changes = before->cache.changes + 1;
}

bool externals_has(const Externals *X, uint64_t number) {
  return externals_find(X, number) != NULL;
}

uint64_t externals_count(const Externals *X) {
  return X->count;
}

void externals_begin_walk(Externals *X) {
  X->walk++;
}

void externals_reach(Externals *X, uint64_t number) {
  ExternalTable *t = externals_find(X, number);
  if (t != NULL) t->walk = X->walk;
}

/* Which tables have a live handle. */
static void find_held(lua_State *L, Externals *X) {
  for (uint32_t i = 0; i < X->count; i++) X->tables[i].held = false;
  luaL_checkstack(L, 4, "external tables");
  store_push_value(L, X->S, STORE_HANDLES);
  if (lua_istable(L, -1)) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      ExternalTable *t = externals_find(X, (uint64_t)lua_tointeger(L, -2));
      if (t != NULL) t->held = true;
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* --------------------------------------------------------- what is dropped */

static void queue(Externals *X, const ExternalTable *t) {
  uint32_t index = (uint32_t)(t - X->tables);
  buffer_put(&X->work, &index, sizeof index);
}

static const ExternalTable *queued(const Externals *X, size_t at) {
  uint32_t index;
  memcpy(&index, X->work.data + at, sizeof index);
  return &X->tables[index];
}

/* Looks through the tables in the work list, which may grow meanwhile. */
static hearth_status follow(Externals *X, ExternalFound found, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  for (size_t at = 0; at < X->work.size && status == HEARTH_OK; at += sizeof(uint32_t))
    status = externals_each_reference(X, queued(X, at), found, err);
  if (status == HEARTH_OK && X->work.failed) status = no_memory(err);
  buffer_free(&X->work);
  return status;
}

static void doom(Externals *X, ExternalTable *t) {
  t->doomed = true;
  queue(X, t);
}

static void doom_if_lonely(Externals *X, ExternalTable *t) {
  bool referred = t->walk == X->walk || t->held || t->to > t->lost;
  if (!referred && !t->doomed) doom(X, t);
}

static void lose(Externals *X, uint64_t number) {
  ExternalTable *t = externals_find(X, number);
  if (t == NULL) return;
  t->lost++;
  doom_if_lonely(X, t);
}

static void mark(Externals *X, uint64_t number) {
  ExternalTable *t = externals_find(X, number);
  if (t == NULL || t->marked) return;
  t->marked = true;
  queue(X, t);
}

/* Nothing is doomed any more, neither by a commit nor by a collection. */
static void spare_all(Externals *X) {
  for (uint32_t i = 0; i < X->count; i++) {
    X->tables[i].doomed = X->tables[i].marked = false;
    X->tables[i].lost = 0;
  }
}

hearth_status externals_collect(lua_State *L, hearth_store *S, hearth_error *err) {
  Externals *X = S->externals;
  spare_all(X);
  find_held(L, X);
  for (uint32_t i = 0; i < X->count; i++)
    if (X->tables[i].walk == X->walk || X->tables[i].held) mark(X, X->tables[i].number);
  hearth_status status = follow(X, mark, err);
  if (status != HEARTH_OK) return status;
  for (uint32_t i = 0; i < X->count; i++) X->tables[i].doomed = !X->tables[i].marked;
  return HEARTH_OK;
}

void externals_pardon(Externals *X) {
  for (uint32_t i = 0; i < X->count; i++) X->tables[i].condemned = false;
}

/*
** Those whose drop failed with a pending commit: nothing refers to them but each other. One that came back to life
** since (a finalizer can do that) saves them all.
*/
static void doom_condemned(Externals *X) {
  for (uint32_t i = 0; i < X->count; i++) {
    const ExternalTable *t = &X->tables[i];
    if (t->condemned && (t->walk == X->walk || t->held)) externals_pardon(X);
  }
  for (uint32_t i = 0; i < X->count; i++)
    if (X->tables[i].condemned) X->tables[i].doomed = true;
}

static hearth_status find_doomed(Externals *X, hearth_error *err) {
  doom_condemned(X);
  for (uint32_t i = 0; i < X->count; i++) {
    X->tables[i].lost = 0;
    if (X->tables[i].doomed) queue(X, &X->tables[i]);
  }
  for (uint32_t i = 0; i < X->count; i++) doom_if_lonely(X, &X->tables[i]);
  return follow(X, lose, err);
}

/* -------------------------------------------------------------- the commit */

static hearth_status write_record(Externals *X, const ExternalTable *t, Batch *batch, hearth_error *err) {
  LayoutKey key = {.kind = LAYOUT_EXTERNAL, .number = t->number};
  if (t->doomed) {
    if (t->fresh) return HEARTH_OK;
    hearth_status status = batch_drop(batch, t->number, err);
    return status == HEARTH_OK ? batch_del_at(batch, &key, err) : status;
  }
  uint64_t to = t->to - t->lost;
  if (!t->fresh && to == t->saved_to && t->from == t->saved_from) return HEARTH_OK;
  buffer_clear(&X->head);
  external_put_record(&X->head, to, t->from);
  return batch_put_at(batch, &key, X->head.data, X->head.size, err);
}

static hearth_status write_entry(MapEntry *e, Batch *batch, hearth_error *err) {
  if (e->mark == EXTERNAL_DELETED) return batch_del(batch, e->table, map_key(e), e->key_size, err);
  return batch_put(batch, e->table, map_key(e), e->key_size, map_value(e), e->value_size, err);
}

hearth_status externals_flush(lua_State *L, hearth_store *S, Batch *batch, hearth_error *err) {
  Externals *X = S->externals;
  find_held(L, X);
  hearth_status status = find_doomed(X, err);
  for (uint32_t i = 0; i < X->count && status == HEARTH_OK; i++) status = write_record(X, &X->tables[i], batch, err);
  const ExternalTable *t = NULL;
  MapRange all;
  map_from(&X->overlay, 0, NULL, 0, &all);
  for (MapEntry *e; status == HEARTH_OK && (e = map_range_next(&all)) != NULL;) {
    if (t == NULL || t->number != e->table) t = externals_find(X, e->table);
    if (t != NULL && !t->doomed) status = write_entry(e, batch, err);
  }
  return status;
}

void externals_committed(lua_State *L, hearth_store *S, PendingCommit *pending) {
  (void)L;
  Externals *X = S->externals;
  if (pending != NULL) {
    pending->overlay = X->overlay; /* its entries stay where they are */
    map_init(&X->overlay, &S->allocator);
  }
  for (uint32_t i = X->count; i-- > 0;) {
    if (!X->tables[i].doomed) continue;
    external_cache_end(&X->cache); /* a finalizer may have kept a handle: it is stale */
    forget(X, i);
  }
  for (uint32_t i = 0; i < X->count; i++) {
    ExternalTable *t = &X->tables[i];
    t->to = t->saved_to = t->to - t->lost;
    t->saved_from = t->from;
    t->lost = 0;
    t->fresh = t->marked = false;
  }
  map_free(&X->overlay);
  X->generation++;
}

void externals_failed(lua_State *L, hearth_store *S) {
  (void)L;
  spare_all(S->externals);
  externals_unread(S);
}

void externals_unread(hearth_store *S) {
  external_cache_end(&S->externals->cache);
  S->externals->failures++;
}
