#include "heap.h"

void heap_init(Heap *h, const hearth_allocator *allocator, HashKey key) {
  memset(h, 0, sizeof *h);
  h->key = key;
  h->allocator = *allocator;
  h->free_object = h->free_constant = HEAP_NONE;
  h->next_number = 1;
  intmap_init(&h->by_pointer, allocator);
  intmap_init(&h->by_content, allocator);
  intmap_init(&h->by_address, allocator);
  buffer_init(&h->queue, allocator);
}

void heap_free(Heap *h) {
  hearth_free(&h->allocator, h->objects, h->object_capacity * sizeof *h->objects);
  hearth_free(&h->allocator, h->constants, h->constant_capacity * sizeof *h->constants);
  intmap_free(&h->by_pointer);
  intmap_free(&h->by_content);
  intmap_free(&h->by_address);
  buffer_free(&h->queue);
  h->objects = NULL;
  h->constants = NULL;
  h->object_count = h->object_capacity = h->constant_count = h->constant_capacity = 0;
}

void heap_begin_walk(Heap *h) {
  h->epoch++;
  buffer_clear(&h->queue);
}

/* Doubles an array of `size`-byte elements when it is full. */
static bool grow(Heap *h, void **array, uint32_t count, uint32_t *capacity, size_t size) {
  if (count < *capacity) return true;
  uint32_t larger = *capacity == 0 ? 16 : *capacity * 2;
  if (larger == 0) return false; /* GCOVR_EXCL_BR_LINE: after 2^31 objects, of which each takes 48 bytes here */
  void *p = hearth_realloc(&h->allocator, *array, *capacity * size, larger * size);
  if (p == NULL) return false;
  *array = p;
  *capacity = larger;
  return true;
}

/* The free slots are chained through `parent`. */
static uint32_t take_object(Heap *h) {
  uint32_t slot = h->free_object;
  if (slot != HEAP_NONE) {
    h->free_object = h->objects[slot].parent;
    return slot;
  }
  if (!grow(h, (void **)&h->objects, h->object_count, &h->object_capacity, sizeof *h->objects)) return HEAP_NONE;
  return h->object_count++;
}

uint32_t heap_add(Heap *h, uint64_t pointer, uint64_t number) {
  if (pointer != 0 && !intmap_reserve(&h->by_pointer, 1)) return HEAP_NONE;
  uint32_t slot = take_object(h);
  if (slot == HEAP_NONE) return HEAP_NONE;
  if (pointer != 0) intmap_add(&h->by_pointer, pointer, slot);
  Object *o = &h->objects[slot];
  memset(o, 0, sizeof *o);
  o->number = number != 0 ? number : h->next_number++;
  o->pointer = pointer;
  o->parent = HEAP_NONE;
  o->constant = HEAP_NONE;
  o->epoch = h->epoch - 1;
  o->fresh = 1;
  return slot;
}

void heap_remove(Heap *h, uint32_t slot) {
  Object *o = &h->objects[slot];
  if (o->pointer != 0) intmap_remove(&h->by_pointer, o->pointer);
  memset(o, 0, sizeof *o);
  o->parent = h->free_object;
  o->epoch = h->epoch - 1;
  h->free_object = slot;
}

bool heap_reach(Heap *h, uint32_t slot, uint32_t parent) {
  Object *o = &h->objects[slot];
  if (o->epoch == h->epoch) return true;
  buffer_put(&h->queue, &slot, sizeof slot);
  if (h->queue.failed) return false;
  o->epoch = h->epoch;
  o->parent = parent;
  return true;
}

static uint32_t take_constant(Heap *h) {
  uint32_t index = h->free_constant;
  if (index != HEAP_NONE) {
    h->free_constant = h->constants[index].epoch;
    return index;
  }
  if (!grow(h, (void **)&h->constants, h->constant_count, &h->constant_capacity, sizeof *h->constants))
    return HEAP_NONE;
  return h->constant_count++;
}

/* The key under which a content is searched; another content with the same key takes the next one. */
static uint64_t content_key(Hash128 hash, uint64_t step) {
  uint64_t key = hash.low + step;
  return key + (key == 0); /* a map's key is not 0 */
}

uint32_t heap_constant(Heap *h, ObjectKind kind, Hash128 hash, uint64_t number, bool *is_new) {
  uint64_t step = 0;
  uint32_t index;
  *is_new = false;
  while ((index = intmap_get(&h->by_content, content_key(hash, step))) != INTMAP_NONE) {
    if (hash128_equal(h->constants[index].hash, hash) && h->constants[index].kind == kind) return index;
    step++;
  }
  if (!intmap_reserve(&h->by_content, 1)) return HEAP_NONE;
  index = take_constant(h);
  if (index == HEAP_NONE) return HEAP_NONE;
  (void)intmap_put(&h->by_content, content_key(hash, step), index);
  Constant *c = &h->constants[index];
  memset(c, 0, sizeof *c);
  c->hash = hash;
  c->kind = (uint8_t)kind;
  c->epoch = h->epoch - 1;
  c->fresh = 1;
  if (number != 0)
    c->number = number;
  else
    c->number = h->separate_constants ? h->next_of_kind[kind]++ : h->next_number++;
  *is_new = true;
  return index;
}

void heap_know_string(Heap *h, uint32_t index, uint64_t pointer) {
  Constant *c = &h->constants[index];
  if (c->pointer != 0) intmap_remove(&h->by_address, c->pointer);
  c->pointer = pointer;
  intmap_add(&h->by_address, pointer, index);
}

void heap_remove_constant(Heap *h, uint32_t index) {
  Constant *c = &h->constants[index];
  if (c->pointer != 0) intmap_remove(&h->by_address, c->pointer);
  uint64_t step = 0;
  while (intmap_get(&h->by_content, content_key(c->hash, step)) != index) step++;
  intmap_remove(&h->by_content, content_key(c->hash, step));
  memset(c, 0, sizeof *c);
  c->epoch = h->free_constant;
  h->free_constant = index;
}
