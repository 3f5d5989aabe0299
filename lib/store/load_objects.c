/*
** The objects of the home graph, from their entries: constants first, then heads, then bodies and
** pages. An object whose number is known is kept, and what it should hold is put beside it.
*/
#include <lauxlib.h>

#include "blob.h"
#include "committer.h"
#include "external_table.h"
#include "loader.h"
#include "permanents.h"
#include "prototype.h"

/* ------------------------------------------------------------- callbacks */

uint32_t loader_find(Decoder *D, uint64_t number) {
  Loader *l = D->owner;
  return intmap_get(&l->numbers, number); /* INTMAP_NONE is DECODER_NONE */
}

static uint32_t find_constant(Decoder *D, ObjectKind kind, uint64_t number) {
  Loader *l = D->owner;
  uint32_t index = intmap_get(&l->constants, number);
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

/* A local object that was given as the object itself is the live table from now on: fields that still wait go there. */
static void redirect_local(Loader *l, uint32_t index, int rebuilt, int former) {
  Decoder *D = &l->D;
  uint32_t first = decoder_part(D, index)->locals, count = (uint32_t)origin_of(l, index)->count;
  for (uint32_t i = first; i < first + count; i++) {
    lua_rawgeti(D->L, D->objects, (lua_Integer)i + 1);
    bool same = lua_rawequal(D->L, -1, rebuilt);
    lua_pop(D->L, 1);
    if (!same) continue;
    lua_pushvalue(D->L, former);
    lua_rawseti(D->L, D->objects, (lua_Integer)i + 1);
    return;
  }
}

/*
** A special object was rebuilt for a number that a live table has: the table keeps its identity
** and takes over the contents. The other one is let go without its finalizer being called; where it is an object
** that the store knows by another number, it is left alone.
*/
static void adopt(Decoder *D, uint32_t index) {
  Loader *l = D->owner;
  lua_State *L = D->L;
  uint32_t slot = origin_of(l, index)->former; /* special objects are not local */
  int rebuilt = lua_gettop(L), former = rebuilt + 1;
  if (slot == HEAP_NONE || l->S->heap.objects[slot].kind == OBJECT_PERMANENT) return;
  lua_rawgeti(L, l->live, (lua_Integer)slot + 1);
  bool other = heap_find(&l->S->heap, (uint64_t)(uintptr_t)lua_topointer(L, rebuilt)) == HEAP_NONE;
  if (other && lua_istable(L, rebuilt) && lua_istable(L, former)) {
    restore_table(L, former, rebuilt);
    if (!lua_getmetatable(L, rebuilt)) lua_pushnil(L);
    lua_setmetatable(L, former);
    redirect_local(l, index, rebuilt, former);
    drop_finalizer(L, rebuilt);
    lua_replace(L, rebuilt);
  }
  lua_settop(L, rebuilt);
}

const DecoderOps loader_ops = {loader_find, push_other, find_constant, adopt};

/* ------------------------------------------------------------- constants */

/* Pushes the large string whose chunks follow entry i. */
static Hash128 push_string(Loader *l, size_t i, uint64_t size) {
  Decoder *D = &l->D;
  luaL_Buffer b;
  if (size > D->most_fields) decoder_fail(D, HEARTH_DAMAGED, "a string is longer than the store");
  luaL_buffinit(D->L, &b);
  uint64_t number = loader_entry(l, i).key.number, left = size;
  for (size_t j = i + 1; left > 0; j++) {
    Loaded e = loader_entry(l, j); /* there is one: the metadata come after all constants */
    uint64_t expected = left < STRING_CHUNK ? left : STRING_CHUNK;
    if (e.key.kind != LAYOUT_CHUNK || e.key.number != number || e.key.chunk != j - i - 1 || e.size != expected)
      decoder_fail(D, HEARTH_DAMAGED, "a part of a large string is missing");
    luaL_addlstring(&b, (const char *)l->arena.data + e.at, e.size);
    left -= expected;
  }
  luaL_pushresult(&b);
  size_t length;
  const char *bytes = lua_tolstring(D->L, -1, &length);
  return heap_hash(&l->heap, bytes, length);
}

static uint32_t add_constant(Loader *l, ObjectKind kind, Hash128 hash, uint64_t number) {
  bool is_new;
  uint32_t index = heap_constant(&l->heap, kind, hash, number, &is_new);
  if (index == HEAP_NONE || !intmap_put(&l->constants, number, index)) decoder_fail_memory(&l->D);
  if (!is_new) decoder_fail(&l->D, HEARTH_DAMAGED, "a constant that is there twice");
  l->heap.constants[index].fresh = 0;
  return index;
}

void load_constant(Loader *l, size_t i) {
  Decoder *D = &l->D;
  Loaded e = loader_entry(l, i);
  Head head;
  loader_look_at(l, "constant", e.key.number, e.at, e.size);
  if (e.key.number == 0) decoder_fail(D, HEARTH_DAMAGED, "its number is 0");
  head_get(&D->c, &head);
  decoder_check(D);
  size_t size = cursor_left(&D->c);
  if (head.kind == OBJECT_STRING) {
    loader_check_end(l);
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
  uint32_t index = add_constant(l, head.kind, heap_hash(&l->heap, D->c.next, size), e.key.number);
  if (head.kind == OBJECT_SHAPE)
    decode_shape(D, index);
  else
    decode_prototype(D, index, size);
  loader_check_end(l);
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

static bool is_unchanged(const Loader *l, uint32_t slot) {
  return intmap_get(&l->probes.unchanged, (uint64_t)slot + 1) == 1;
}

/* Is the object in `slot` a table that may be given other contents? */
static bool is_own_table(Loader *l, uint32_t slot) {
  lua_rawgeti(l->D.L, l->live, (lua_Integer)slot + 1);
  bool is_table = lua_istable(l->D.L, -1);
  lua_pop(l->D.L, 1);
  return is_table && l->S->heap.objects[slot].kind != OBJECT_PERMANENT;
}

/* Can the object that has this number keep its identity? */
static bool is_reusable(Loader *l, uint32_t slot, const Head *h, const Loaded *e) {
  const Object *o = &l->S->heap.objects[slot];
  switch (h->kind) {
    case OBJECT_TABLE:
    case OBJECT_PAGED: return is_own_table(l, slot);
    case OBJECT_CELL: return o->kind == OBJECT_CELL;
    case OBJECT_CLOSURE: /* what it does never changes under its number: the prototype is the same */
      return o->kind == OBJECT_CLOSURE &&
             o->constant != HEAP_NONE && /* GCOVR_EXCL_BR_LINE: only a closure that no commit kept has no prototype */
             l->S->heap.constants[o->constant].number == h->prototype;
    case OBJECT_PERMANENT:
      return o->kind == OBJECT_PERMANENT &&
             hash128_equal(l->S->saved[slot].hash, heap_hash(&l->heap, l->arena.data + e->at, e->size)) &&
             is_still_named(l, slot, h);
    case OBJECT_SPECIAL:
      return !l->rebuild_specials && is_unchanged(l, slot);
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
    p.array = decoder_prototype(D, p.constant)->count;
    if (lua_iscfunction(D->L, -1)) p.state = PART_STAND_IN;
  } else if (h->kind == OBJECT_CELL || (h->kind == OBJECT_PERMANENT && h->flags == PERMANENT_CELL)) {
    p.upvalue = o->upvalue;
    p.constant = decoder_count(D);
  }
  lua_rawseti(D->L, D->objects, (lua_Integer)decoder_count(D) + 1);
  buffer_put(&D->parts, &p, sizeof p); /* there is room */
}

static void load_head(Loader *l, const Loaded *e) {
  Decoder *D = &l->D;
  Head head;
  Origin origin = {.at = e->at, .end = e->at + e->size, .slot = HEAP_NONE, .former = HEAP_NONE};
  uint32_t index = decoder_count(D);
  loader_look_at(l, "object", e->key.number, e->at, e->size);
  if (e->key.number == 0) decoder_fail(D, HEARTH_DAMAGED, "its number is 0");
  head_get(&D->c, &head);
  decoder_check(D);
  origin.body = cursor_position(&D->c);
  l->saved[index].hash = heap_hash(&l->heap, l->arena.data + e->at, e->size);
  l->saved[index].written = 1;
  (void)intmap_put(&l->numbers, e->key.number, index); /* there is room, and for its origin */
  uint32_t slot = intmap_get(&l->slots, e->key.number);
  if (slot != INTMAP_NONE && is_reusable(l, slot, &head, e)) {
    origin.slot = slot;
    reuse(l, &head, e->key.number, slot);
  } else {
    origin.former = slot; /* INTMAP_NONE is HEAP_NONE */
    /* a paged table's entries come later in the arena */
    loader_look_at(l, "object", e->key.number, e->at, l->arena.size - e->at);
    (void)decode_head(D, e->key.number);
  }
  buffer_put(&l->origins, &origin, sizeof origin);
}

void loader_look_at_body(Loader *l, uint32_t index) {
  const Origin *o = origin_of(l, index);
  loader_look_at(l, "object", decoder_part(&l->D, index)->number, o->at, o->end - o->at);
  l->D.c.next = l->D.c.begin + o->body;
}

/* The local objects of special ones come behind all others, so that indices of the latter are dense. */
static void load_local_heads(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  loader_look_at_body(l, index);
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
  Origin *o = origin_of(l, index);
  o->body = cursor_position(&D->c);
  o->count = count;
  D->locals = DECODER_NONE;
}

/* The value is put aside. */
static void load_live_cell(Loader *l, uint32_t index) {
  uint32_t waits = decode_value(&l->D, PLACE_ANY);
  if (waits != DECODER_NONE)
    decode_wait_cell(&l->D, index, waits);
  else
    lua_rawseti(l->D.L, l->temporary, (lua_Integer)index + 1);
}

static void load_body(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  const Origin *o = origin_of(l, index);
  uint8_t kind = decoder_part(D, index)->kind;
  loader_look_at_body(l, index);
  decoder_part(D, index)->body = o->body; /* for searches; decode_body sets it for what it reads */
  if (kind == OBJECT_SPECIAL) {
    if (o->slot != HEAP_NONE) return; /* as it was committed */
    D->locals = decoder_part(D, index)->locals;
    D->local_count = (uint32_t)o->count;
    decode_body(D, index);
    for (uint32_t i = 0; i < (uint32_t)o->count; i++) decode_body(D, D->locals + i);
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
  loader_check_end(l);
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
    origin_of(l, index)->count += count;
  }
}

static void load_page(Loader *l, const Loaded *e) {
  Decoder *D = &l->D;
  uint32_t index = loader_find(D, e->key.number);
  loader_look_at(l, "a page of table", e->key.number, e->at, e->size);
  if (index == DECODER_NONE || decoder_part(D, index)->kind != OBJECT_PAGED)
    decoder_fail(D, HEARTH_DAMAGED, "it belongs to no paged table");
  bool reused = origin_of(l, index)->slot != HEAP_NONE;
  lua_rawgeti(D->L, reused ? l->temporary : D->objects, (lua_Integer)index + 1);
  int t = lua_gettop(D->L);
  if (e->key.section == 0) {
    load_runs(l, index, t);
  } else {
    for (; cursor_left(&D->c) > 0; origin_of(l, index)->count++) decode_pairs(D, index, t, 1);
  }
  lua_pop(D->L, 1);
  PageOf p;
  memset(&p, 0, sizeof p);
  p.index = index;
  p.page.prefix = e->key.prefix;
  p.page.section = e->key.section;
  p.page.depth = e->key.depth;
  p.page.hash = heap_hash(&l->heap, l->arena.data + e->at, e->size);
  buffer_put(&l->pages, &p, sizeof p);
  if (l->pages.failed) decoder_fail_memory(D);
}

static void check_pages(Loader *l) {
  for (uint32_t i = 0; i < l->object_count; i++) {
    const Origin *o = origin_of(l, i);
    if (decoder_part(&l->D, i)->kind != OBJECT_PAGED) continue;
    Head head;
    loader_look_at(l, "table", decoder_part(&l->D, i)->number, o->at, o->end - o->at);
    head_get(&l->D.c, &head); /* it was read before */
    l->D.c.next = l->D.c.begin + o->at;
    if (o->count != head.array + head.pairs)
      decoder_fail(&l->D, HEARTH_DAMAGED, "it has %llu entries in its pages instead of %llu",
                   (unsigned long long)o->count, (unsigned long long)(head.array + head.pairs));
  }
}

/* The slot of the entry's object where it is special and in the backend what was committed last, else HEAP_NONE. */
static uint32_t slot_of_special(Loader *l, const Loaded *e) {
  uint32_t slot = e->key.kind == LAYOUT_OBJECT ? intmap_get(&l->slots, e->key.number) : INTMAP_NONE;
  if (slot == INTMAP_NONE || l->S->heap.objects[slot].kind != OBJECT_SPECIAL) return HEAP_NONE;
  return slot;
}

/* Probes the special objects that are userdata, or those that are not. */
static void probe(Loader *l, bool userdata) {
  lua_State *L = l->D.L;
  for (size_t i = 0; i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    uint32_t slot = slot_of_special(l, &e);
    if (slot == HEAP_NONE) continue;
    lua_rawgeti(L, l->live, (lua_Integer)slot + 1);
    bool looked_for = lua_isuserdata(L, -1) == userdata;
    lua_pop(L, 1);
    if (!looked_for || !hash128_equal(l->S->saved[slot].hash, heap_hash(&l->heap, l->arena.data + e.at, e.size)))
      continue;
    if (!special_probe(L, l->S, slot, &l->probes)) decoder_fail_memory(&l->D);
  }
}

/* Will the number mean another object? Not where a table takes over what is rebuilt for it. */
static bool is_another(Loader *l, const Loaded *e) {
  Head head;
  uint32_t slot = e->key.kind == LAYOUT_OBJECT ? intmap_get(&l->slots, e->key.number) : INTMAP_NONE;
  if (slot == INTMAP_NONE) return false;
  loader_look_at(l, "object", e->key.number, e->at, e->size);
  head_get(&l->D.c, &head);
  decoder_check(&l->D);
  if (head.kind == OBJECT_SPECIAL && is_own_table(l, slot)) return false;
  return !is_reusable(l, slot, &head, e);
}

/* Special objects that look as they did may hold what is made anew; which of them do is not known. */
static bool is_any_another(Loader *l) {
  for (size_t i = 0; l->probes.unchanged.count > 0 && i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    if (is_another(l, &e)) return true;
  }
  return false;
}

/*
** A hook may have given an object that was probed another metatable. The stack has what special_probe kept at its top.
*/
static void forget_changed(Loader *l) {
  lua_State *L = l->D.L;
  int kept = lua_gettop(L);
  for (size_t i = 0; i < l->probes.unchanged.capacity; i++) {
    IntMapEntry *e = &l->probes.unchanged.entries[i];
    if (e->key == 0) continue;
    lua_rawgeti(L, l->live, (lua_Integer)e->key);
    if (!lua_getmetatable(L, -1)) lua_pushnil(L);
    lua_rawgeti(L, kept, -(lua_Integer)e->key);
    if (!lua_rawequal(L, -1, -2)) e->value = 0;
    lua_settop(L, kept);
  }
}

/* Which special objects are as they were committed? A table may have taken something from a userdata. */
static void probe_specials(Loader *l) {
  lua_newtable(l->D.L); /* what their hooks give */
  probe(l, true);
  forget_changed(l);
  l->rebuild_specials = is_any_another(l);
  if (!l->rebuild_specials) {
    probe(l, false);
    forget_changed(l);
    l->rebuild_specials = is_any_another(l);
  }
  lua_pop(l->D.L, 1);
}

/* Room for exactly so many objects as there are: growing would take half as much again. */
static void make_room(Loader *l) {
  Decoder *D = &l->D;
  size_t count = 0;
  for (size_t i = 0; i < loader_entries(l); i++) count += loader_entry(l, i).key.kind == LAYOUT_OBJECT;
  l->saved = hearth_realloc(&l->S->allocator, NULL, 0, (count + 1) * sizeof *l->saved);
  if (l->saved == NULL) decoder_fail_memory(D);
  l->saved_capacity = count + 1; /* not 0 */
  memset(l->saved, 0, l->saved_capacity * sizeof *l->saved);
  if (!buffer_reserve_exactly(&D->parts, count * sizeof(Part)) ||
      !buffer_reserve_exactly(&l->origins, count * sizeof(Origin)) || !intmap_reserve(&l->numbers, count))
    decoder_fail_memory(D);
}

/* The others were read. */
static void keep_pages(Loader *l) {
  size_t kept = 0;
  for (size_t i = 0; i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    if (e.key.kind == LAYOUT_PAGE) memcpy(l->entries.data + kept++ * sizeof e, &e, sizeof e);
  }
  l->entries.size = kept * sizeof(Loaded);
  buffer_trim(&l->entries);
}

void load_objects(Loader *l) {
  Decoder *D = &l->D;
  probe_specials(l);
  make_room(l);
  for (size_t i = 0; i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    if (e.key.kind == LAYOUT_OBJECT) load_head(l, &e);
  }
  l->object_count = decoder_count(D);
  keep_pages(l);
  D->c.end = D->c.begin + l->arena.size;
  for (uint32_t i = 0; i < l->object_count; i++)
    if (decoder_part(D, i)->kind == OBJECT_SPECIAL && origin_of(l, i)->slot == HEAP_NONE) load_local_heads(l, i);
  for (uint32_t i = 0; i < l->object_count; i++)
    if (decoder_part(D, i)->kind == OBJECT_CELL) decode_ensure_cell(D, i);
  for (uint32_t i = 0; i < l->object_count; i++) load_body(l, i);
  for (size_t i = 0; i < loader_entries(l); i++) {
    Loaded e = loader_entry(l, i);
    load_page(l, &e);
  }
  check_pages(l);
}
