/*
** The heap that the store has after a load: numbers, addresses, and what was committed of each object.
*/
#include <lauxlib.h>

#include "loader.h"
#include "prototype.h"

/* ---------------------------------------------------------- the new heap */

/* A cell's anchor must be a closure that nobody else can join elsewhere. */
static void make_private(Loader *l, uint32_t index) {
  Decoder *D = &l->D;
  lua_State *L = D->L;
  uint8_t upvalue = decoder_part(D, index)->upvalue;
  if (loader_slot(l, index) != HEAP_NONE) return;
  store_push_value(L, l->S, STORE_CELL_MAKER);
  prototype_instantiate(L, lua_gettop(L), 1);
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

/* Where nothing was there before, and nothing is left to be rebuilt. */
static void forget_origins(Loader *l) {
  buffer_free(&l->entries);
  if (l->slots.count > 0 || l->D.specials) return;
  buffer_free(&l->origins);
  intmap_free(&l->numbers);
}

/* Objects get the slots 0, 1, ... in the order of their numbers, which is the order of parts. */
void loader_build_heap(Loader *l) {
  for (uint32_t i = 0; i < l->object_count; i++)
    if (is_cell(decoder_part(&l->D, i))) make_private(l, i);
  forget_origins(l);
  if (!intmap_reserve(&l->heap.by_pointer, l->object_count)) decoder_fail_memory(&l->D);
  for (uint32_t i = 0; i < l->object_count; i++) add_object(l, i);
  add_pages(l);
}

/* The store takes over what was built. Nothing here can fail. */
void loader_install(Loader *l, uint32_t home) {
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
  lua_pushvalue(L, l->large);
  store_set_value(L, S, STORE_LARGE);
  lua_rawgeti(L, l->D.objects, (lua_Integer)home + 1);
  store_set_value(L, S, STORE_HOME);
}
