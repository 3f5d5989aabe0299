/*
** Reading the home graph, all of it in order: on open everything is made; on rollback and refresh
** the objects whose numbers are known keep their identity, and their tables are assigned
** only what differs, so that a loop over one skips and repeats nothing.
*/
#include <lauxlib.h>
#include <stdlib.h>

#include "blob.h"
#include "committer.h"
#include "external.h"
#include "external_table.h"
#include "loader.h"
#include "permanents.h"
#include "prototype.h"
#include "protect.h"

static void free_loader(Loader *l) {
  if (l->S == NULL) return;
  decoder_free(&l->D);
  externals_free(l->externals);
  heap_free(&l->heap);
  store_free_saved(l->S, l->saved, l->saved_capacity);
  Buffer *buffers[] = {&l->arena, &l->entries, &l->origins, &l->pages};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
  intmap_free(&l->numbers);
  intmap_free(&l->constants);
  intmap_free(&l->slots);
  intmap_free(&l->probes.claimed);
  intmap_free(&l->probes.unchanged);
  l->S = NULL;
}

static int release(lua_State *L) {
  free_loader(lua_touserdata(L, 1));
  return 0;
}

_Noreturn static void raise_filled(Loader *l) {
  lua_pushnil(l->D.L);
  lua_error(l->D.L);
  abort(); /* GCOVR_EXCL_LINE: for the compiler, since lua_error does not return */
}

void loader_look_at(Loader *l, const char *what, uint64_t number, size_t at, size_t size) {
  l->D.what = what;
  l->D.what_number = number;
  l->D.bias = at;
  l->D.c.next = l->D.c.begin + at;
  l->D.c.end = l->D.c.next + size;
  l->D.top = 0;
}

void loader_check_end(Loader *l) {
  if (cursor_left(&l->D.c) > 0) decoder_fail(&l->D, HEARTH_DAMAGED, "bytes follow after its end");
}

/* --------------------------------------------------------------- reading */

/* Keys come in order, each once: what is read twice would be two objects under one number. */
static bool follows(const Loader *l, const void *key, size_t key_size) {
  return loader_entries(l) == 0 || value_compare_bytes(l->last, l->last_size, key, key_size) < 0;
}

static int copy_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Loader *l = ud;
  Loaded e = {layout_get_key(key, key_size), l->arena.size, value_size};
  (void)table;
  if (e.key.kind != LAYOUT_NONE && follows(l, key, key_size))
    memcpy(l->last, key, l->last_size = key_size);
  else
    e.key.kind = LAYOUT_NONE; /* told by load_metadata */
  buffer_put(&l->arena, value, value_size);
  buffer_put(&l->entries, &e, sizeof e);
  return l->arena.failed || l->entries.failed;
}

static int is_external(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)ud, (void)key, (void)key_size, (void)value, (void)size;
  return table != LAYOUT_TABLE;
}

/* Where there are no external tables it is known how much comes. Growing would take half as much again. */
static void make_room(Loader *l) {
  hearth_store *S = l->S;
  hearth_backend_stat stat = {.size = sizeof stat};
  int externals = 0;
  (void)S->backend->tables(S->storage, is_external, NULL, &externals, NULL); /* the scan tells what fails */
  if (externals) return;
  (void)S->backend->stat(S->storage, &stat, NULL);
  if (!buffer_reserve_exactly(&l->arena, (size_t)stat.live_bytes) ||
      !buffer_reserve_exactly(&l->entries, (size_t)stat.entries * sizeof(Loaded)))
    decoder_fail_memory(&l->D);
}

static void read_all(Loader *l) {
  hearth_store *S = l->S;
  int result = 0;
  make_room(l);
  hearth_status status =
      S->backend->scan(S->storage, LAYOUT_TABLE, NULL, 0, NULL, 0, false, copy_entry, l, &result, l->D.error);
  if (status < 0) raise_filled(l);
  if (result != 0) decoder_fail_memory(&l->D);
  if (l->arena.data == NULL) (void)buffer_reserve(&l->arena, 1);
  if (l->arena.failed) decoder_fail_memory(&l->D);
  l->D.c = cursor_over(l->arena.data, l->arena.size);
  l->D.most_fields = l->arena.size;
}

/* The version comes first: whatever a newer one holds, it is no damage. */
static void judge_metadata(Loader *l) {
  Decoder *D = &l->D;
  const Metadata *m = &l->metadata;
  if (metadata_check_finished(m, D->error) != HEARTH_OK) raise_filled(l);
  if (m->readable_by > STORE_FORMAT_VERSION)
    decoder_fail(D, HEARTH_VERSION, "format %llu is needed to read it, this library reads up to %d",
                 (unsigned long long)m->readable_by, STORE_FORMAT_VERSION);
  decoder_check(D);
  if (m->readable_by == 0 || m->readable_by > m->written_by || m->page_size < 64 || m->page_size > 1 << 20 ||
      m->next_id == 0 || m->next_id > HEARTH_MAX_TABLE)
    decoder_fail(D, HEARTH_DAMAGED, "a field is missing or out of range");
}

static void load_metadata(Loader *l) {
  Decoder *D = &l->D;
  for (size_t i = 0; i < loader_entries(l) && !l->found_metadata; i++) {
    Loaded e = loader_entry(l, i);
    if (e.key.kind != LAYOUT_METADATA) continue;
    loader_look_at(l, "the metadata", 0, e.at, e.size);
    metadata_get(&D->c, &l->metadata);
    l->found_metadata = true;
    judge_metadata(l);
  }
  for (size_t i = 0; i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    loader_look_at(l, "an entry with an unknown key, or out of order", 0, e.at, 0);
    if (e.key.kind == LAYOUT_NONE) decoder_fail(D, HEARTH_DAMAGED, "this library writes no such entry");
    loader_look_at(l, "the store", 0, 0, 0);
    if (!l->found_metadata) decoder_fail(D, HEARTH_DAMAGED, "it has entries and no metadata");
    if (e.key.number >= l->metadata.next_id) /* else numbers would be given again */
      decoder_fail(D, HEARTH_DAMAGED, "nextTableId is %llu, and there is a %llu",
                   (unsigned long long)l->metadata.next_id, (unsigned long long)e.key.number);
  }
}

/* homeTableId, else memoryTableId with a warning; if they disagree the former, with a warning. */
static uint64_t home_number(Loader *l) {
  const Metadata *m = &l->metadata;
  if (m->home_id == 0 && m->memory_id == 0)
    decoder_fail(&l->D, HEARTH_DAMAGED, "it has neither homeTableId nor memoryTableId");
  if (m->home_id == 0) {
    store_warn(l->D.L, l->S, "[Deprecated] Using legacy \"memoryTableId\" - please migrate to \"homeTableId\"");
    return m->memory_id;
  }
  if (m->memory_id != 0 && m->memory_id != m->home_id)
    store_warn(l->D.L, l->S, "homeTableId is %llu and memoryTableId is %llu: using homeTableId",
               (unsigned long long)m->home_id, (unsigned long long)m->memory_id);
  return m->home_id;
}

/* ------------------------------------------------------------- all of it */

static void begin_restoring(Loader *l) {
  hearth_store *S = l->S;
  struct Externals *before = S->externals;
  S->torn = true;
  externals_follow(l->externals, before);
  S->externals = l->externals;
  l->externals = before;
}

/* Nothing was committed yet: an empty home table, the one that is there if there is. */
static void install_empty(Loader *l) {
  hearth_store *S = l->S;
  Decoder *D = &l->D;
  lua_State *L = D->L;
  store_push_value(L, S, STORE_HOME);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  int home = lua_gettop(L);
  lua_newtable(L);
  uint32_t slot = heap_add(&l->heap, (uint64_t)(uintptr_t)lua_topointer(L, home), LAYOUT_HOME_ID);
  l->saved = hearth_realloc(&S->allocator, NULL, 0, sizeof *l->saved);
  if (slot == HEAP_NONE || l->saved == NULL) decoder_fail_memory(D);
  memset(l->saved, 0, sizeof *l->saved);
  l->saved_capacity = 1;
  l->heap.objects[slot].fresh = 0;
  l->heap.next_number = LAYOUT_HOME_ID + 1;
  lua_pushvalue(L, home);
  lua_rawseti(L, D->objects, 1);
  l->object_count = 1;
  l->metadata.page_size = S->metadata.page_size;
  Part p = {0};
  buffer_put(&D->parts, &p, sizeof p);
  if (D->parts.failed) decoder_fail_memory(D);
  begin_restoring(l);
  restore_table(L, home, home + 1);
  lua_pushnil(L);
  lua_setmetatable(L, home);
  loader_install(l, slot);
}

static uint32_t home_index(Loader *l) {
  loader_look_at(l, "the metadata", 0, 0, 0);
  uint64_t number = home_number(l);
  uint32_t index = loader_find(&l->D, number);
  uint8_t kind = index != DECODER_NONE ? decoder_part(&l->D, index)->kind : 0;
  if (kind == OBJECT_TABLE || kind == OBJECT_PAGED) return index;
  decoder_fail(&l->D, HEARTH_DAMAGED, "the home table's id, %llu, names no table", (unsigned long long)number);
}

/*
** What was read takes the place of what is there. Up to begin_restoring nothing is changed by a failure; after it
** nothing fails but what rebuilds special objects.
*/
static void take_over(Loader *l, uint32_t home) {
  if (!l->D.specials) loader_build_heap(l);
  restore_keys(l);
  begin_restoring(l);
  restore_contents(l);
  loader_look_at(l, "the store", 0, 0, l->arena.size);
  decode_finish(&l->D);
  if (l->D.specials) loader_build_heap(l); /* now their addresses are known */
  loader_install(l, home);
}

static void set_up(lua_State *L, Loader *l, hearth_store *S, hearth_error *err) {
  const hearth_allocator *a = &S->allocator;
  l->S = S;
  decoder_init(&l->D, L, a);
  heap_init(&l->heap, a, S->heap.key);
  Buffer *buffers[] = {&l->arena, &l->entries, &l->origins, &l->pages};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], a);
  intmap_init(&l->numbers, a);
  intmap_init(&l->constants, a);
  intmap_init(&l->slots, a);
  intmap_init(&l->probes.claimed, a);
  intmap_init(&l->probes.unchanged, a);
  l->D.ops = &loader_ops;
  l->D.owner = l;
  l->D.error = err;
  l->D.what = "the store";
  l->D.seal = S->seal;
  l->D.flags = HEARTH_TRUSTED | DECODER_KEEP_UNFIT;
  if (S->flags & HEARTH_STORE_NO_FUNCTIONS) l->D.flags &= ~HEARTH_ALLOW_FUNCTIONS;
  if (S->flags & HEARTH_STORE_PLACEHOLDERS) l->D.flags |= HEARTH_PLACEHOLDERS;
}

static void know_slots(Loader *l) {
  const Heap *heap = &l->S->heap;
  for (uint32_t i = 0; i < heap->object_count; i++)
    if (heap->objects[i].number != 0 && !intmap_put(&l->slots, heap->objects[i].number, i))
      decoder_fail_memory(&l->D);
}

typedef struct LoadCall {
  hearth_store *S;
  hearth_error *error;
  Loader *loader;
} LoadCall;

static void load_external(Loader *l, const Loaded *e) {
  if (!externals_reserve(l->externals, 1)) decoder_fail_memory(&l->D);
  if (externals_load(l->externals, e->key.number, l->arena.data + e->at, e->size)) return;
  loader_look_at(l, "external table", e->key.number, e->at, e->size);
  decoder_fail(&l->D, HEARTH_DAMAGED, "it is not two counts");
}

static int load_protected(lua_State *L) {
  LoadCall *call = lua_touserdata(L, 1);
  hearth_store *S = call->S;
  luaL_checkstack(L, 4 * LUA_MINSTACK, "load");
  Loader *l = protect_push_state(L, sizeof *l, release);
  call->loader = l;
  set_up(L, l, S, call->error);
  if ((l->externals = externals_new(S)) == NULL) decoder_fail_memory(&l->D);
  read_all(l);
  load_metadata(l);
  decoder_push_tables(&l->D, loader_entries(l));
  store_push_value(L, S, STORE_VALUES);
  l->D.overlay = lua_gettop(L);
  store_push_value(L, S, STORE_OBJECTS);
  l->live = lua_gettop(L);
  lua_newtable(L);
  l->temporary = lua_gettop(L);
  lua_newtable(L);
  l->strings = lua_gettop(L);
  lua_newtable(L);
  l->large = lua_gettop(L);
  if (!l->found_metadata) {
    install_empty(l);
    return 0;
  }
  know_slots(l);
  for (size_t i = 0; i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    if (e.key.kind == LAYOUT_CONSTANT) load_constant(l, i);
    if (e.key.kind == LAYOUT_EXTERNAL) load_external(l, &e);
  }
  load_objects(l);
  take_over(l, home_index(l));
  return 0;
}

/* "world.hearth: object #17: damaged at byte 5: ..." */
static void name_location(const hearth_store *S, hearth_error *err) {
  hearth_error named = *err;
  if (strstr(err->message, S->location) != NULL) return; /* an empty one is everywhere */
  hearth_fail_at(&named, err->code, err->position, "%s: %s", S->location, err->message);
  hearth_error_path(&named, err->path);
  *err = named;
}

hearth_status store_load(lua_State *L, hearth_store *S, hearth_error *err) {
  LoadCall call = {S, err, NULL};
  S->busy = true;
  hearth_status status = protect_without_collector(L, load_protected, &call, 0, 0, err);
  if (status < 0) externals_unread(S);
  if (status < 0) name_location(S, err);
  if (call.loader != NULL) free_loader(call.loader); /* the collector does not know how large it is */
  collector_resume(L, S, S->allocated == 0); /* of what was just read nothing is garbage */
  S->busy = false;
  return status;
}
