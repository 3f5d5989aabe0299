/*
** Reading the home graph: on open everything is made; on rollback and refresh
** the objects whose numbers are known keep their identity, and their tables are assigned
** only what differs, so that a loop over one skips and repeats nothing.
*/
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "blob.h"
#include "committer.h"
#include "external_table.h"
#include "loader.h"
#include "permanents.h"
#include "prototype.h"
#include "protect.h"

/* One entry of the layout's table, copied to the arena. */
typedef struct Loaded {
  LayoutKey key;
  size_t at, size;
} Loaded;

typedef struct PageOf {
  Page page;
  uint32_t index;
} PageOf;

static Loaded entry_at(const Loader *l, size_t i) {
  Loaded e;
  memcpy(&e, l->entries.data + i * sizeof e, sizeof e);
  return e;
}

static size_t entry_count(const Loader *l) {
  return l->entries.size / sizeof(Loaded);
}

static void free_saved(hearth_store *S, Saved *saved, size_t capacity) {
  for (size_t i = 0; saved != NULL && i < capacity; i++)
    hearth_free(&S->allocator, saved[i].pages, saved[i].page_count * sizeof(Page));
  hearth_free(&S->allocator, saved, capacity * sizeof *saved);
}

static void free_loader(Loader *l) {
  if (l->S == NULL) return;
  decoder_free(&l->D);
  externals_free(l->externals);
  heap_free(&l->heap);
  free_saved(l->S, l->saved, l->saved_capacity);
  Buffer *buffers[] = {&l->arena, &l->entries, &l->origins, &l->pages};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
  intmap_free(&l->numbers);
  intmap_free(&l->constants);
  intmap_free(&l->slots);
  l->S = NULL;
}

static int release(lua_State *L) {
  free_loader(lua_touserdata(L, 1));
  return 0;
}

_Noreturn static void raise_filled(Loader *l) {
  lua_pushnil(l->D.L);
  lua_error(l->D.L);
  abort();
}

void loader_look_at(Loader *l, const char *what, uint64_t number, size_t at, size_t size) {
  if (number != 0)
    (void)snprintf(l->what, sizeof l->what, "%s #%llu", what, (unsigned long long)number);
  else
    (void)snprintf(l->what, sizeof l->what, "%s", what);
  l->D.what = l->what;
  l->D.bias = at;
  l->D.c.next = l->D.c.begin + at;
  l->D.c.end = l->D.c.next + size;
  l->D.top = 0;
}

static void check_end(Loader *l) {
  if (cursor_left(&l->D.c) > 0) decoder_fail(&l->D, HEARTH_DAMAGED, "bytes follow after its end");
}

/* ------------------------------------------------------------- callbacks */

static uint32_t find(Decoder *D, uint64_t number) {
  Loader *l = D->owner;
  return number == 0 ? DECODER_NONE : intmap_get(&l->numbers, number); /* INTMAP_NONE is DECODER_NONE */
}

static uint32_t find_constant(Decoder *D, ObjectKind kind, uint64_t number) {
  Loader *l = D->owner;
  uint32_t index = number == 0 ? INTMAP_NONE : intmap_get(&l->constants, number);
  return index != INTMAP_NONE && l->heap.constants[index].kind == kind ? index : DECODER_NONE;
}

static bool push_other(Decoder *D, uint64_t number) {
  Loader *l = D->owner;
  uint32_t index = find_constant(D, OBJECT_STRING, number);
  if (index != DECODER_NONE) {
    lua_rawgeti(D->L, l->strings, (lua_Integer)index + 1);
    return true;
  }
  if (!externals_has(l->externals, number)) return false;
  externals_push(D->L, l->S, number);
  return true;
}

static void drop_finalizer(lua_State *L, int object) {
  if (!lua_getmetatable(L, object)) return;
  lua_pushliteral(L, "__gc");
  bool has = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  if (!has) return;
  lua_pushnil(L);
  lua_setmetatable(L, object);
}

/*
** A special object was rebuilt for a number that a live table has: the table keeps its identity
** and takes over the contents. The other one is let go without its finalizer being called; where it is an object
** that the store knows by another number, it is left alone.
*/
static void adopt(Decoder *D, uint32_t index) {
  Loader *l = D->owner;
  lua_State *L = D->L;
  uint32_t slot = index < l->object_count ? origin_of(l, index)->former : HEAP_NONE;
  int rebuilt = lua_gettop(L), former = rebuilt + 1;
  if (slot == HEAP_NONE || l->S->heap.objects[slot].kind == OBJECT_PERMANENT) return;
  lua_rawgeti(L, l->live, (lua_Integer)slot + 1);
  bool other = heap_find(&l->S->heap, (uint64_t)(uintptr_t)lua_topointer(L, rebuilt)) == HEAP_NONE;
  if (other && lua_istable(L, rebuilt) && lua_istable(L, former)) {
    restore_table(L, former, rebuilt);
    if (!lua_getmetatable(L, rebuilt)) lua_pushnil(L);
    lua_setmetatable(L, former);
    drop_finalizer(L, rebuilt);
    lua_replace(L, rebuilt);
  }
  lua_settop(L, rebuilt);
}

static const DecoderOps store_ops = {find, push_other, find_constant, adopt};

/* --------------------------------------------------------------- reading */

/* Keys come in order, each once: what is read twice would be two objects under one number. */
static bool follows(const Loader *l, const void *key, size_t key_size) {
  return entry_count(l) == 0 || value_compare_bytes(l->last, l->last_size, key, key_size) < 0;
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

static void read_all(Loader *l) {
  hearth_store *S = l->S;
  int result = 0;
  hearth_status status =
      S->backend->scan(S->storage, LAYOUT_TABLE, NULL, 0, NULL, 0, false, copy_entry, l, &result, l->D.error);
  if (status < 0) raise_filled(l);
  if (result != 0) decoder_fail_memory(&l->D);
  if (l->arena.data == NULL) (void)buffer_reserve(&l->arena, 1);
  if (l->arena.failed) decoder_fail_memory(&l->D);
  l->D.c = cursor_over(l->arena.data, l->arena.size);
  l->D.most_fields = l->arena.size;
}

static void load_metadata(Loader *l) {
  Decoder *D = &l->D;
  for (size_t i = 0; i < entry_count(l); i++) {
    Loaded e = entry_at(l, i);
    loader_look_at(l, "an entry with an unknown key, or out of order", 0, e.at, 0);
    if (e.key.kind == LAYOUT_NONE) decoder_fail(D, HEARTH_DAMAGED, "this library writes no such entry");
    if (e.key.kind != LAYOUT_METADATA) continue;
    loader_look_at(l, "the metadata", 0, e.at, e.size);
    metadata_get(&D->c, &l->metadata);
    decoder_check(D);
    l->found_metadata = true;
  }
  if (!l->found_metadata) {
    loader_look_at(l, "the store", 0, 0, 0);
    if (entry_count(l) > 0) decoder_fail(D, HEARTH_DAMAGED, "it has entries and no metadata");
    return;
  }
  const Metadata *m = &l->metadata;
  if (m->readable_by > STORE_FORMAT_VERSION)
    decoder_fail(D, HEARTH_VERSION, "format %llu is needed to read it, this library reads up to %d",
                 (unsigned long long)m->readable_by, STORE_FORMAT_VERSION);
  if (m->written_by == 0 || m->page_size < 64 || m->page_size > 1 << 20 || m->next_id == 0 ||
      m->next_id > HEARTH_MAX_TABLE)
    decoder_fail(D, HEARTH_DAMAGED, "a field is missing or out of range");
  for (size_t i = 0; i < entry_count(l); i++) { /* else numbers would be given again */
    Loaded e = entry_at(l, i);
    if (e.key.number >= m->next_id)
      decoder_fail(D, HEARTH_DAMAGED, "nextTableId is %llu, and there is a %llu", (unsigned long long)m->next_id,
                   (unsigned long long)e.key.number);
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

/* ------------------------------------------------------------- constants */

/* Pushes the large string whose chunks follow entry i. */
static Hash128 push_string(Loader *l, size_t i, uint64_t size) {
  Decoder *D = &l->D;
  luaL_Buffer b;
  if (size > D->most_fields) decoder_fail(D, HEARTH_DAMAGED, "a string is longer than the store");
  luaL_buffinit(D->L, &b);
  uint64_t number = entry_at(l, i).key.number, left = size;
  for (size_t j = i + 1; left > 0; j++) {
    Loaded e = j < entry_count(l) ? entry_at(l, j) : (Loaded){{0}, 0, 0};
    uint64_t expected = left < STRING_CHUNK ? left : STRING_CHUNK;
    if (e.key.kind != LAYOUT_CHUNK || e.key.number != number || e.key.chunk != j - i - 1 || e.size != expected)
      decoder_fail(D, HEARTH_DAMAGED, "a part of a large string is missing");
    luaL_addlstring(&b, (const char *)l->arena.data + e.at, e.size);
    left -= expected;
  }
  luaL_pushresult(&b);
  size_t length;
  const char *bytes = lua_tolstring(D->L, -1, &length);
  return hash128(bytes, length);
}

static uint32_t add_constant(Loader *l, ObjectKind kind, Hash128 hash, uint64_t number) {
  bool is_new;
  uint32_t index = heap_constant(&l->heap, kind, hash, number, &is_new);
  if (index == HEAP_NONE || !intmap_put(&l->constants, number, index)) decoder_fail_memory(&l->D);
  if (!is_new) decoder_fail(&l->D, HEARTH_DAMAGED, "a constant that is there twice");
  l->heap.constants[index].fresh = 0;
  return index;
}

static void load_constant(Loader *l, size_t i) {
  Decoder *D = &l->D;
  Loaded e = entry_at(l, i);
  Head head;
  loader_look_at(l, "constant", e.key.number, e.at, e.size);
  if (e.key.number == 0) decoder_fail(D, HEARTH_DAMAGED, "its number is 0");
  head_get(&D->c, &head);
  decoder_check(D);
  size_t size = cursor_left(&D->c);
  if (head.kind == OBJECT_STRING) {
    check_end(l);
    Hash128 hash = push_string(l, i, head.size);
    uint32_t index = add_constant(l, head.kind, hash, e.key.number);
    l->heap.constants[index].size = (size_t)head.size;
    lua_rawseti(D->L, l->strings, (lua_Integer)index + 1);
    return;
  }
  if (head.kind != OBJECT_SHAPE && head.kind != OBJECT_PROTOTYPE)
    decoder_fail(D, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere");
  if (head.kind == OBJECT_PROTOTYPE && head.check != hash64(D->c.next, size, BLOB_CHECK_SEED))
    decoder_fail(D, HEARTH_DAMAGED, "a function's check does not match its bytes");
  uint32_t index = add_constant(l, head.kind, hash128(D->c.next, size), e.key.number);
  if (head.kind == OBJECT_SHAPE)
    decode_shape(D, index);
  else
    decode_prototype(D, index, size);
  check_end(l);
}

/* --------------------------------------------------------------- objects */

/* Does the permanent's name still mean the object in `slot`? (install may have given _G another meaning.) */
static bool is_still_named(Loader *l, uint32_t slot, const Head *h) {
  lua_State *L = l->D.L;
  int top = lua_gettop(L);
  if (h->flags == PERMANENT_CELL) return true;
  decode_push_name(L, &h->name);
  bool same = true;
  if (permanents_value(L, l->D.permanents, l->D.overlay, top + 1)) {
    lua_rawgeti(L, l->live, (lua_Integer)slot + 1);
    same = lua_rawequal(L, -1, -2);
  }
  lua_settop(L, top);
  return same;
}

static bool is_unchanged(Loader *l, uint32_t slot) {
  bool unchanged;
  if (!special_unchanged(l->D.L, l->S, slot, &unchanged)) decoder_fail_memory(&l->D);
  return unchanged;
}

/* Can the object that has this number keep its identity? */
static bool is_reusable(Loader *l, uint32_t slot, const Head *h, Hash128 hash) {
  const Object *o = &l->S->heap.objects[slot];
  const Saved *saved = &l->S->saved[slot];
  lua_State *L = l->D.L;
  switch (h->kind) {
    case OBJECT_TABLE:
    case OBJECT_PAGED: {
      lua_rawgeti(L, l->live, (lua_Integer)slot + 1);
      bool is_table = lua_istable(L, -1);
      lua_pop(L, 1);
      return is_table && (o->kind != OBJECT_PERMANENT);
    }
    case OBJECT_CELL: return o->kind == OBJECT_CELL;
    case OBJECT_CLOSURE: /* what it does never changes under its number: the prototype is the same */
      return o->kind == OBJECT_CLOSURE && o->constant != HEAP_NONE &&
             l->S->heap.constants[o->constant].number == h->prototype;
    case OBJECT_PERMANENT:
      return o->kind == OBJECT_PERMANENT && hash128_equal(saved->hash, hash) && is_still_named(l, slot, h);
    case OBJECT_SPECIAL:
      return !l->rebuild_specials && o->kind == OBJECT_SPECIAL && hash128_equal(saved->hash, hash) &&
             is_unchanged(l, slot);
    default: return false;
  }
}

/* The part of an object that is there: nothing is made. */
static void reuse(Loader *l, const Head *h, uint64_t number, uint32_t slot) {
  Decoder *D = &l->D;
  const Object *o = &l->S->heap.objects[slot];
  Part p = {0};
  p.number = number;
  p.kind = (uint8_t)h->kind;
  p.flags = h->flags;
  p.locals = DECODER_NONE;
  p.state = PART_BUILT;
  lua_rawgeti(D->L, l->live, (lua_Integer)slot + 1);
  if (h->kind == OBJECT_TABLE || h->kind == OBJECT_PAGED) {
    p.array = (uint32_t)h->array;
    p.pairs = (uint32_t)h->pairs;
    p.constant = h->flags & HEAD_SHAPE ? find_constant(D, OBJECT_SHAPE, h->shape) : DECODER_NONE;
    if ((h->flags & HEAD_SHAPE) && p.constant == DECODER_NONE)
      decoder_fail(D, HEARTH_DAMAGED, "a shape that is not there");
    lua_newtable(D->L);
    lua_rawseti(D->L, l->temporary, (lua_Integer)decoder_count(D) + 1);
  } else if (h->kind == OBJECT_CLOSURE) {
    p.constant = find_constant(D, OBJECT_PROTOTYPE, h->prototype);
    if (p.constant == DECODER_NONE) decoder_fail(D, HEARTH_DAMAGED, "a prototype that is not there");
    lua_rawgeti(D->L, D->prototypes, -(lua_Integer)p.constant - 1);
    p.array = (uint32_t)lua_tointeger(D->L, -1);
    lua_pop(D->L, 1);
  } else if (h->kind == OBJECT_CELL || (h->kind == OBJECT_PERMANENT && h->flags == PERMANENT_CELL)) {
    p.upvalue = o->upvalue;
  }
  lua_rawseti(D->L, D->objects, (lua_Integer)decoder_count(D) + 1);
  buffer_put(&D->parts, &p, sizeof p);
  if (D->parts.failed) decoder_fail_memory(D);
}

static void load_head(Loader *l, const Loaded *e) {
  Decoder *D = &l->D;
  Head head;
  Origin origin = {.end = e->at + e->size, .slot = HEAP_NONE, .former = HEAP_NONE};
  uint32_t index = decoder_count(D);
  loader_look_at(l, "object", e->key.number, e->at, e->size);
  if (e->key.number == 0) decoder_fail(D, HEARTH_DAMAGED, "its number is 0");
  head_get(&D->c, &head);
  decoder_check(D);
  origin.body = cursor_position(&D->c);
  origin.expected = head.kind == OBJECT_PAGED ? head.array + head.pairs : 0;
  origin.hash = hash128(l->arena.data + e->at, e->size);
  if (!intmap_put(&l->numbers, e->key.number, index)) decoder_fail_memory(D);
  uint32_t slot = intmap_get(&l->slots, e->key.number);
  if (slot != INTMAP_NONE && is_reusable(l, slot, &head, origin.hash)) {
    origin.slot = slot;
    reuse(l, &head, e->key.number, slot);
  } else {
    origin.former = slot; /* INTMAP_NONE is HEAP_NONE */
    loader_look_at(l, "object", e->key.number, e->at, l->arena.size - e->at); /* a paged table's entries come later in the arena */
    (void)decode_head(D, e->key.number);
  }
  buffer_put(&l->origins, &origin, sizeof origin);
  if (l->origins.failed) decoder_fail_memory(D);
}

/* The local objects of special ones come behind all others, so that indices of the latter are dense. */
static void load_local_heads(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  Origin *o = origin_of(l, index);
  loader_look_at(l, "object", decoder_part(D, index)->number, o->body, o->end - o->body);
  size_t count = count_get(&D->c);
  decoder_check(D);
  D->locals = decoder_count(D);
  decoder_part(D, index)->locals = D->locals;
  for (size_t i = 0; i < count; i++) {
    uint32_t local = decode_head(D, 0);
    uint8_t kind = decoder_part(D, local)->kind;
    if (kind != OBJECT_TABLE && kind != OBJECT_CLOSURE && kind != OBJECT_CELL)
      decoder_fail(D, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere");
  }
  o = origin_of(l, index);
  o->body = cursor_position(&D->c);
  o->local_count = (uint32_t)count;
  D->locals = DECODER_NONE;
}

/* The value is put aside. */
static void load_live_cell(Loader *l, uint32_t index) {
  uint32_t waits;
  decode_value(&l->D, &waits);
  if (waits != DECODER_NONE)
    decode_wait_cell(&l->D, index, waits);
  else
    lua_rawseti(l->D.L, l->temporary, (lua_Integer)index + 1);
}

static void load_body(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  const Origin *o = origin_of(l, index);
  uint8_t kind = decoder_part(D, index)->kind;
  loader_look_at(l, "object", decoder_part(D, index)->number, o->body, o->end - o->body);
  decoder_part(D, index)->body = o->body; /* for searches; decode_body sets it for what it reads */
  if (kind == OBJECT_SPECIAL) {
    if (o->slot != HEAP_NONE) return; /* as it was committed */
    D->locals = decoder_part(D, index)->locals;
    D->local_count = o->local_count;
    decode_body(D, index);
    for (uint32_t i = 0; i < o->local_count; i++) decode_body(D, D->locals + i);
    D->locals = DECODER_NONE;
    D->local_count = 0;
  } else if (kind == OBJECT_PAGED) {
    if (decoder_part(D, index)->flags & HEAD_METATABLE) decode_metatable(D, index);
  } else if (kind == OBJECT_TABLE && o->slot != HEAP_NONE) {
    lua_rawgeti(D->L, l->temporary, (lua_Integer)index + 1);
    decode_table_into(D, index, lua_gettop(D->L));
    lua_pop(D->L, 1);
  } else if (kind == OBJECT_CLOSURE && o->slot != HEAP_NONE) {
    decode_check_closure(D, index);
  } else if (kind == OBJECT_CELL && o->slot != HEAP_NONE) {
    load_live_cell(l, index);
  } else {
    decode_body(D, index);
  }
  check_end(l);
}

/* ----------------------------------------------------------------- pages */

static void load_runs(Loader *l, uint32_t index, int t) {
  Decoder *D = &l->D;
  while (cursor_left(&D->c) > 0) {
    Value first;
    value_get(&D->c, &first);
    size_t count = count_get(&D->c);
    decoder_check(D);
    if (first.kind != VALUE_INTEGER || count == 0 || first.as.integer > INT64_MAX - (int64_t)(count - 1))
      decoder_fail(D, HEARTH_DAMAGED, "a run of integer keys that is none");
    decode_array(D, index, t, (uint64_t)first.as.integer, count);
    origin_of(l, index)->entries += count;
  }
}

static void load_page(Loader *l, const Loaded *e) {
  Decoder *D = &l->D;
  uint32_t index = find(D, e->key.number);
  loader_look_at(l, "a page of table", e->key.number, e->at, e->size);
  if (index == DECODER_NONE || decoder_part(D, index)->kind != OBJECT_PAGED)
    decoder_fail(D, HEARTH_DAMAGED, "it belongs to no paged table");
  bool reused = origin_of(l, index)->slot != HEAP_NONE;
  lua_rawgeti(D->L, reused ? l->temporary : D->objects, (lua_Integer)index + 1);
  int t = lua_gettop(D->L);
  if (e->key.section == 0) {
    load_runs(l, index, t);
  } else {
    for (; cursor_left(&D->c) > 0; origin_of(l, index)->entries++) decode_pairs(D, index, t, 1);
  }
  lua_pop(D->L, 1);
  PageOf p;
  memset(&p, 0, sizeof p);
  p.index = index;
  p.page.prefix = e->key.prefix;
  p.page.section = e->key.section;
  p.page.depth = e->key.depth;
  p.page.hash = hash128(l->arena.data + e->at, e->size);
  buffer_put(&l->pages, &p, sizeof p);
  if (l->pages.failed) decoder_fail_memory(D);
}

static void check_pages(Loader *l) {
  for (uint32_t i = 0; i < l->object_count; i++) {
    const Origin *o = origin_of(l, i);
    loader_look_at(l, "table", decoder_part(&l->D, i)->number, o->body, 0);
    if (o->entries != o->expected)
      decoder_fail(&l->D, HEARTH_DAMAGED, "it has %llu entries in its pages instead of %llu",
                   (unsigned long long)o->entries, (unsigned long long)o->expected);
  }
}

/* ---------------------------------------------------------- the new heap */

/* A cell's anchor must be a closure that nobody else can join elsewhere. */
static void make_private(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  lua_State *L = D->L;
  uint8_t upvalue = decoder_part(D, index)->upvalue;
  if (origin_of(l, index)->slot != HEAP_NONE || upvalue == 0) return;
  store_push_value(L, l->S, STORE_CELL_MAKER);
  prototype_instantiate(L, lua_gettop(L));
  lua_rawgeti(L, D->objects, (lua_Integer)index + 1);
  lua_upvaluejoin(L, -2, 1, -1, upvalue);
  lua_pop(L, 1);
  lua_rawseti(L, D->objects, (lua_Integer)index + 1);
  lua_pop(L, 1);
  decoder_part(D, index)->upvalue = 1;
}

static bool is_cell(const Part *p) {
  return p->kind == OBJECT_CELL || (p->kind == OBJECT_PERMANENT && p->flags == PERMANENT_CELL);
}

static void add_object(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  lua_State *L = D->L;
  const Part *p = decoder_part(D, index);
  lua_rawgeti(L, D->objects, (lua_Integer)index + 1);
  const void *pointer = is_cell(p) ? lua_upvalueid(L, -1, p->upvalue) : lua_topointer(L, -1);
  lua_pop(L, 1);
  if (intmap_get(&l->heap.by_pointer, (uint64_t)(uintptr_t)pointer) != INTMAP_NONE) {
    /* Two names for one permanent, say: the second is known by its number only until nothing refers to it. */
    pointer = NULL;
  }
  uint32_t slot = heap_add(&l->heap, (uint64_t)(uintptr_t)pointer, p->number);
  if (slot == HEAP_NONE) decoder_fail_memory(D);
  Object *o = &l->heap.objects[slot];
  o->kind = p->kind == OBJECT_PAGED ? OBJECT_TABLE : p->kind;
  o->upvalue = is_cell(p) ? p->upvalue : 0;
  o->constant = p->kind == OBJECT_CLOSURE ? p->constant : HEAP_NONE;
  o->fresh = 0;
  l->saved[slot].hash = origin_of(l, index)->hash;
  l->saved[slot].written = 1;
}

static void add_pages(Loader *l) {
  for (size_t i = 0; i < l->pages.size;) {
    PageOf first, p;
    size_t count = 0;
    memcpy(&first, l->pages.data + i, sizeof first);
    for (; i + count * sizeof p < l->pages.size; count++) {
      memcpy(&p, l->pages.data + i + count * sizeof p, sizeof p);
      if (p.index != first.index) break;
    }
    Saved *saved = &l->saved[first.index];
    saved->pages = hearth_realloc(&l->S->allocator, NULL, 0, count * sizeof(Page));
    if (saved->pages == NULL) decoder_fail_memory(&l->D);
    saved->page_count = (uint32_t)count;
    for (size_t j = 0; j < count; j++, i += sizeof p) {
      memcpy(&p, l->pages.data + i, sizeof p);
      saved->pages[j] = p.page;
    }
  }
}

/* Objects get the slots 0, 1, ... in the order of their numbers, which is the order of parts. */
static void build_heap(Loader *l) {
  size_t count = l->object_count > 0 ? l->object_count : 1;
  for (uint32_t i = 0; i < l->object_count; i++)
    if (is_cell(decoder_part(&l->D, i))) make_private(l, i);
  l->saved = hearth_realloc(&l->S->allocator, NULL, 0, count * sizeof *l->saved);
  if (l->saved == NULL) decoder_fail_memory(&l->D);
  memset(l->saved, 0, count * sizeof *l->saved);
  l->saved_capacity = count;
  for (uint32_t i = 0; i < l->object_count; i++) add_object(l, i);
  add_pages(l);
}

/* The store takes over what was built. Nothing here can fail. */
static void install(Loader *l, uint32_t home) {
  hearth_store *S = l->S;
  lua_State *L = l->D.L;
  uint64_t next = S->heap.next_number; /* a number is never used again, not after a rollback either */
  uint32_t epoch = S->heap.epoch;
  lua_Integer extra = (lua_Integer)decoder_count(&l->D);
  for (lua_Integer i = (lua_Integer)l->object_count + 1; i <= extra; i++) { /* local objects have no number */
    lua_pushnil(L);
    lua_rawseti(L, l->D.objects, i);
  }
  Heap old = S->heap;
  S->heap = l->heap;
  l->heap = old;
  if (S->heap.next_number < l->metadata.next_id) S->heap.next_number = l->metadata.next_id;
  if (S->heap.next_number < next) S->heap.next_number = next;
  S->heap.epoch = epoch + 1;
  Saved *saved = S->saved;
  size_t capacity = S->saved_capacity;
  S->saved = l->saved;
  S->saved_capacity = (uint32_t)l->saved_capacity;
  l->saved = saved;
  l->saved_capacity = capacity;
  S->metadata = l->metadata;
  S->home = home;
  S->torn = false;
  S->newer = l->metadata.written_by > STORE_FORMAT_VERSION; /* writing would lose what we do not know */
  S->readonly = S->newer || (S->flags & HEARTH_OPEN_READONLY) != 0;
  lua_pushvalue(L, l->D.objects);
  store_set_value(L, S, STORE_OBJECTS);
  lua_rawgeti(L, l->D.objects, (lua_Integer)home + 1);
  store_set_value(L, S, STORE_HOME);
}

/* ------------------------------------------------------------- all of it */

static void begin_restoring(Loader *l) {
  hearth_store *S = l->S;
  struct Externals *before = S->externals;
  S->torn = true;
  l->externals->generation = before->generation + 1;
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
  install(l, slot);
}

static uint32_t home_index(Loader *l) {
  loader_look_at(l, "the metadata", 0, 0, 0);
  uint64_t number = home_number(l);
  uint32_t index = find(&l->D, number);
  uint8_t kind = index != DECODER_NONE ? decoder_part(&l->D, index)->kind : 0;
  if (kind == OBJECT_TABLE || kind == OBJECT_PAGED) return index;
  decoder_fail(&l->D, HEARTH_DAMAGED, "the home table's id, %llu, names no table", (unsigned long long)number);
}

/* Is there a userdata that would have to be made anew? */
static void look_for_changed_userdata(Loader *l) {
  lua_State *L = l->D.L;
  for (size_t i = 0; i < entry_count(l) && !l->rebuild_specials; i++) {
    Loaded e = entry_at(l, i);
    uint32_t slot = e.key.kind == LAYOUT_OBJECT ? intmap_get(&l->slots, e.key.number) : INTMAP_NONE;
    if (slot == INTMAP_NONE || l->S->heap.objects[slot].kind != OBJECT_SPECIAL) continue;
    lua_rawgeti(L, l->live, (lua_Integer)slot + 1);
    l->rebuild_specials = lua_isuserdata(L, -1) && !is_unchanged(l, slot);
    lua_pop(L, 1);
  }
}

static void load_objects(Loader *l) {
  Decoder *D = &l->D;
  look_for_changed_userdata(l);
  for (size_t i = 0; i < entry_count(l); i++) {
    Loaded e = entry_at(l, i);
    if (e.key.kind == LAYOUT_OBJECT) load_head(l, &e);
  }
  l->object_count = decoder_count(D);
  D->c.end = D->c.begin + l->arena.size;
  for (uint32_t i = 0; i < l->object_count; i++)
    if (decoder_part(D, i)->kind == OBJECT_SPECIAL && origin_of(l, i)->slot == HEAP_NONE) load_local_heads(l, i);
  for (uint32_t i = 0; i < l->object_count; i++)
    if (decoder_part(D, i)->kind == OBJECT_CELL) decode_ensure_cell(D, i);
  for (uint32_t i = 0; i < l->object_count; i++) load_body(l, i);
  for (size_t i = 0; i < entry_count(l); i++) {
    Loaded e = entry_at(l, i);
    if (e.key.kind == LAYOUT_PAGE) load_page(l, &e);
  }
  check_pages(l);
}

/*
** What was read takes the place of what is there. Up to begin_restoring nothing is changed by a failure; after it
** nothing fails but what rebuilds special objects.
*/
static void take_over(Loader *l, uint32_t home) {
  if (!l->D.specials) build_heap(l);
  restore_keys(l);
  begin_restoring(l);
  restore_contents(l);
  loader_look_at(l, "the store", 0, 0, l->arena.size);
  decode_finish(&l->D);
  if (l->D.specials) build_heap(l); /* now their addresses are known */
  install(l, home);
}

static void set_up(lua_State *L, Loader *l, hearth_store *S, hearth_error *err) {
  const hearth_allocator *a = &S->allocator;
  l->S = S;
  decoder_init(&l->D, L, a);
  heap_init(&l->heap, a);
  Buffer *buffers[] = {&l->arena, &l->entries, &l->origins, &l->pages};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], a);
  intmap_init(&l->numbers, a);
  intmap_init(&l->constants, a);
  intmap_init(&l->slots, a);
  l->D.ops = &store_ops;
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
  decoder_push_tables(&l->D, entry_count(l));
  store_push_value(L, S, STORE_VALUES);
  l->D.overlay = lua_gettop(L);
  store_push_value(L, S, STORE_OBJECTS);
  l->live = lua_gettop(L);
  lua_newtable(L);
  l->temporary = lua_gettop(L);
  lua_newtable(L);
  l->strings = lua_gettop(L);
  if (!l->found_metadata) {
    install_empty(l);
    return 0;
  }
  know_slots(l);
  for (size_t i = 0; i < entry_count(l); i++) {
    Loaded e = entry_at(l, i);
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
  if (S->location[0] == '\0' || strstr(err->message, S->location) != NULL) return;
  hearth_fail_at(&named, err->code, err->position, "%s: %s", S->location, err->message);
  hearth_error_path(&named, err->path);
  *err = named;
}

hearth_status store_load(lua_State *L, hearth_store *S, hearth_error *err) {
  LoadCall call = {S, err, NULL};
  S->busy = true;
  hearth_status status = protect_without_collector(L, load_protected, &call, 0, 0, err);
  if (status < 0) name_location(S, err);
  if (call.loader != NULL) free_loader(call.loader); /* the collector does not know how large it is */
  S->busy = false;
  return status;
}
