/*
** Taking back pending commits that failed: the store reads what the backend now holds and takes that for what is
** saved. The graph is not touched; the next commit finds by comparing what is to be written again. What the backend
** holds of objects and constants that the graph has no more becomes garbage, known by its number alone.
**
** Everything that needs memory comes first; then nothing can fail.
*/
#include "cursor.h"
#include "pending.h"

typedef struct HeldObject {
  uint64_t number;
  Hash128 hash;        /* of its record */
  size_t page;         /* the first, among all pages */
  uint32_t page_count;
  uint32_t slot;       /* known when all are read */
  uint8_t kind;        /* ObjectKind */
} HeldObject;

typedef struct HeldConstant {
  uint64_t number;
  size_t size;         /* string: bytes */
  uint32_t index;      /* known when all are read */
  uint8_t kind;
} HeldConstant;

/* What the backend holds, in the order of its keys. */
typedef struct Revert {
  hearth_store *S;
  Buffer objects, pages, constants, externals; /* HeldObject, Page, HeldConstant, ExternalRecord */
  Metadata metadata;   /* written_by 0: there is none */
  IntMap slots, indices; /* number -> slot, index of a constant */
  Saved *saved;        /* one a slot */
  uint32_t saved_capacity;
  Buffer held;         /* a byte for each constant of the heap: does the backend hold it? */
} Revert;

static size_t object_count(const Revert *r) {
  return r->objects.size / sizeof(HeldObject);
}

static size_t constant_count(const Revert *r) {
  return r->constants.size / sizeof(HeldConstant);
}

/* The buffers' memory is aligned for what is in them. */
static HeldObject *object_at(Revert *r, size_t i) {
  return (HeldObject *)(void *)r->objects.data + i;
}

static HeldConstant *constant_at(Revert *r, size_t i) {
  return (HeldConstant *)(void *)r->constants.data + i;
}

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

/* --------------------------------------------------------------- reading */

enum { READ_ON = 0, READ_NO_MEMORY, READ_DAMAGED };

static int read_head(const void *value, size_t size, Head *head) {
  Cursor c = cursor_over(value, size);
  head_get(&c, head);
  return c.why == NULL ? READ_ON : READ_DAMAGED;
}

static int read_object(Revert *r, uint64_t number, const void *value, size_t size) {
  Head head;
  HeldObject o;
  if (number == 0 || read_head(value, size, &head) != READ_ON) return READ_DAMAGED;
  memset(&o, 0, sizeof o);
  o.number = number;
  o.hash = heap_hash(&r->S->heap, value, size);
  o.page = r->pages.size / sizeof(Page);
  o.kind = (uint8_t)head.kind;
  buffer_put(&r->objects, &o, sizeof o);
  return r->objects.failed ? READ_NO_MEMORY : READ_ON;
}

/* A page's key comes behind its object's. */
static int read_page(Revert *r, const LayoutKey *key, const void *value, size_t size) {
  Page page;
  HeldObject *o = object_count(r) > 0 ? object_at(r, object_count(r) - 1) : NULL;
  if (o == NULL || o->number != key->number) return READ_DAMAGED;
  memset(&page, 0, sizeof page);
  page.prefix = key->prefix;
  page.hash = heap_hash(&r->S->heap, value, size);
  page.section = key->section;
  page.depth = key->depth;
  buffer_put(&r->pages, &page, sizeof page);
  if (r->pages.failed) return READ_NO_MEMORY;
  o->page_count++;
  return READ_ON;
}

static int read_constant(Revert *r, uint64_t number, const void *value, size_t size) {
  Head head;
  HeldConstant c;
  if (number == 0 || read_head(value, size, &head) != READ_ON) return READ_DAMAGED;
  memset(&c, 0, sizeof c);
  c.number = number;
  c.kind = (uint8_t)head.kind;
  c.size = head.kind == OBJECT_STRING ? (size_t)head.size : 0;
  buffer_put(&r->constants, &c, sizeof c);
  return r->constants.failed ? READ_NO_MEMORY : READ_ON;
}

static int read_external(Revert *r, uint64_t number, const void *value, size_t size) {
  ExternalRecord x = {number, 0, 0};
  Cursor c = cursor_over(value, size);
  external_get_record(&c, &x.to, &x.from);
  if (number == 0 || c.why != NULL) return READ_DAMAGED;
  buffer_put(&r->externals, &x, sizeof x);
  return r->externals.failed ? READ_NO_MEMORY : READ_ON;
}

static int read_metadata(Revert *r, const void *value, size_t size) {
  Cursor c = cursor_over(value, size);
  metadata_get(&c, &r->metadata);
  return c.why == NULL && r->metadata.written_by != 0 ? READ_ON : READ_DAMAGED;
}

static int read_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  Revert *r = ud;
  LayoutKey k = layout_get_key(key, key_size);
  (void)table;
  switch (k.kind) {
    case LAYOUT_OBJECT: return read_object(r, k.number, value, size);
    case LAYOUT_PAGE: return read_page(r, &k, value, size);
    case LAYOUT_CONSTANT: return read_constant(r, k.number, value, size);
    case LAYOUT_CHUNK: return READ_ON; /* they come and go with their constant */
    case LAYOUT_EXTERNAL: return read_external(r, k.number, value, size);
    case LAYOUT_METADATA: return read_metadata(r, value, size);
    case LAYOUT_NONE: break;
  }
  return READ_DAMAGED;
}

static hearth_status read_all(Revert *r, hearth_error *err) {
  const hearth_store *S = r->S;
  int result = READ_ON;
  hearth_status status =
      S->backend->scan(S->storage, LAYOUT_TABLE, NULL, 0, NULL, 0, false, read_entry, r, &result, err);
  if (status < 0) return status;
  if (result == READ_NO_MEMORY) return no_memory(err);
  if (result == READ_DAMAGED || (r->metadata.written_by == 0 && object_count(r) > 0))
    return hearth_fail(err, HEARTH_DAMAGED, "what the store holds after a failed commit cannot be read");
  return HEARTH_OK;
}

/* ---------------------------------------------------------------- making */

static bool map_numbers(Revert *r) {
  const Heap *heap = &r->S->heap;
  bool made = true;
  for (uint32_t i = 0; i < heap->object_count && made; i++)
    if (heap->objects[i].number != 0) made = intmap_put(&r->slots, heap->objects[i].number, i);
  for (uint32_t i = 0; i < heap->constant_count && made; i++)
    if (heap->constants[i].kind != 0) made = intmap_put(&r->indices, heap->constants[i].number, i);
  return made;
}

/* Should memory run out later, those that were added are not written and go with the next commit. */
static bool add_unknown(Revert *r) {
  Heap *heap = &r->S->heap;
  for (size_t i = 0; i < object_count(r); i++) {
    HeldObject *o = object_at(r, i);
    o->slot = intmap_get(&r->slots, o->number);
    if (o->slot == INTMAP_NONE) o->slot = heap_add(heap, 0, o->number);
    if (o->slot == HEAP_NONE) return false;
    heap->objects[o->slot].fresh = 0;
  }
  for (size_t i = 0; i < constant_count(r); i++) {
    HeldConstant *c = constant_at(r, i);
    bool is_new = false;
    c->index = intmap_get(&r->indices, c->number);
    /* What it holds is not looked at, since it is to go: its number stands for that. */
    Hash128 none = heap_hash(heap, &c->number, sizeof c->number);
    if (c->index == INTMAP_NONE) c->index = heap_constant(heap, (ObjectKind)c->kind, none, c->number, &is_new);
    if (c->index == HEAP_NONE) return false;
    if (!is_new) continue;
    heap->constants[c->index].size = c->size;
    heap->constants[c->index].fresh = 0;
  }
  return true;
}

static bool make_saved(Revert *r) {
  const hearth_allocator *a = &r->S->allocator;
  uint32_t capacity = r->S->heap.object_count; /* there is a home table at least */
  r->saved = hearth_realloc(a, NULL, 0, capacity * sizeof *r->saved);
  if (r->saved == NULL) return false;
  r->saved_capacity = capacity;
  memset(r->saved, 0, capacity * sizeof *r->saved);
  for (size_t i = 0; i < object_count(r); i++) {
    const HeldObject *o = object_at(r, i);
    Saved *saved = &r->saved[o->slot];
    size_t size = o->page_count * sizeof(Page);
    *saved = (Saved){.hash = o->hash, .written = 1};
    if (size == 0) continue;
    saved->pages = hearth_realloc(a, NULL, 0, size);
    if (saved->pages == NULL) return false;
    saved->page_count = o->page_count;
    memcpy(saved->pages, r->pages.data + o->page * sizeof(Page), size);
  }
  return true;
}

static bool note_held(Revert *r) {
  uint32_t count = r->S->heap.constant_count;
  if (count == 0) return true;
  if (!buffer_reserve_exactly(&r->held, count)) return false;
  memset(r->held.data, 0, count);
  r->held.size = count;
  for (size_t i = 0; i < constant_count(r); i++) r->held.data[constant_at(r, i)->index] = 1;
  return true;
}

/* -------------------------------------------------------------- changing */

/* What is a table for Lua may be stored as one or by a hook; other kinds never change. */
static void set_kinds(Revert *r) {
  for (size_t i = 0; i < object_count(r); i++) {
    const HeldObject *held = object_at(r, i);
    Object *o = &r->S->heap.objects[held->slot];
    if (o->kind == OBJECT_TABLE || o->kind == OBJECT_SPECIAL)
      o->kind = held->kind == OBJECT_SPECIAL ? OBJECT_SPECIAL : OBJECT_TABLE;
  }
}

/* Constants that the backend does not hold are written when they are met again. */
static void remove_constants(Revert *r) {
  Heap *heap = &r->S->heap;
  for (uint32_t i = 0; i < heap->object_count; i++) {
    Object *o = &heap->objects[i];
    if (o->number != 0 && o->constant != HEAP_NONE && !r->held.data[o->constant]) o->constant = HEAP_NONE;
  }
  for (uint32_t i = 0; i < heap->constant_count; i++)
    if (heap->constants[i].kind != 0 && !r->held.data[i]) heap_remove_constant(heap, i);
}

static void change(Revert *r) {
  hearth_store *S = r->S;
  uint64_t page_size = S->metadata.page_size;
  Saved *saved = S->saved;
  uint32_t capacity = S->saved_capacity;
  set_kinds(r);
  remove_constants(r);
  S->saved = r->saved;
  S->saved_capacity = r->saved_capacity;
  r->saved = saved; /* to be freed */
  r->saved_capacity = capacity;
  S->metadata = r->metadata;
  S->metadata.page_size = page_size;
  externals_revert(S, (const ExternalRecord *)(const void *)r->externals.data,
                   r->externals.size / sizeof(ExternalRecord));
}

/* ------------------------------------------------------------- all of it */

static void free_revert(Revert *r) {
  store_free_saved(r->S, r->saved, r->saved_capacity);
  Buffer *buffers[] = {&r->objects, &r->pages, &r->constants, &r->externals, &r->held};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
  intmap_free(&r->slots);
  intmap_free(&r->indices);
}

hearth_status store_revert(hearth_store *S, hearth_error *err) {
  Revert r;
  memset(&r, 0, sizeof r);
  r.S = S;
  Buffer *buffers[] = {&r.objects, &r.pages, &r.constants, &r.externals, &r.held};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], &S->allocator);
  intmap_init(&r.slots, &S->allocator);
  intmap_init(&r.indices, &S->allocator);
  hearth_status status = read_all(&r, err);
  if (status == HEARTH_OK) {
    if (map_numbers(&r) && add_unknown(&r) && make_saved(&r) && note_held(&r) && externals_reserve_revert(S))
      change(&r);
    else
      status = no_memory(err);
  }
  free_revert(&r);
  return status;
}
