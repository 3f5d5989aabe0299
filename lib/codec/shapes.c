/*
** Shapes while encoding. `next` delivers the keys of like-built tables in the
** same order, so a small cache maps the sequence of key addresses straight to
** the shape and to the order in which its values are written.
*/
#include "encoder.h"

#define CACHE_SIZE 256 /* direct-mapped; a power of two */

typedef struct CachedShape {
  const char *keys[SHAPE_MAX_KEYS];
  uint8_t order[SHAPE_MAX_KEYS];
  uint32_t constant;
  uint32_t count;      /* 0: free */
  uint32_t generation; /* of the cache when it was filled */
} CachedShape;

typedef struct ShapeCache {
  hearth_allocator allocator;
  uint32_t generation;
  CachedShape shapes[CACHE_SIZE];
} ShapeCache;

ShapeCache *shapes_new(const hearth_allocator *a) {
  ShapeCache *s = hearth_realloc(a, NULL, 0, sizeof *s);
  if (s == NULL) return NULL;
  s->allocator = *a;
  s->generation = 0;
  for (size_t i = 0; i < CACHE_SIZE; i++) s->shapes[i].count = 0;
  return s;
}

void shapes_free(ShapeCache *s) {
  if (s == NULL) return;
  hearth_allocator a = s->allocator;
  hearth_free(&a, s, sizeof *s);
}

/* Addresses of keys mean nothing any more once a hook ran: it may have removed keys and collected. */
void shapes_forget(ShapeCache *s) {
  s->generation++;
}

static CachedShape *place_of(ShapeCache *s, const ShapeKey keys[], size_t count) {
  uint64_t h = count;
  for (size_t i = 0; i < count; i++) h = (h ^ (uint64_t)(uintptr_t)keys[i].bytes) * UINT64_C(0x9E3779B97F4A7C15);
  return &s->shapes[(h >> 40) & (CACHE_SIZE - 1)];
}

static bool holds(const ShapeCache *s, const CachedShape *shape, const ShapeKey keys[], size_t count) {
  if (shape->count != count || shape->generation != s->generation) return false;
  for (size_t i = 0; i < count; i++)
    if (shape->keys[i] != keys[i].bytes) return false;
  return true;
}

static bool before(const ShapeKey *a, const ShapeKey *b) {
  return value_compare_bytes((const unsigned char *)a->bytes, a->size, (const unsigned char *)b->bytes, b->size) < 0;
}

/* Insertion sort: at most SHAPE_MAX_KEYS, and once for each layout. */
static void sort_keys(const ShapeKey keys[], size_t count, uint8_t order[]) {
  for (size_t i = 0; i < count; i++) {
    size_t j = i;
    for (; j > 0 && before(&keys[i], &keys[order[j - 1]]); j--) order[j] = order[j - 1];
    order[j] = (uint8_t)i;
  }
}

/* The constant with these keys, written if it is new. */
static uint32_t find_constant(Encoder *E, const ShapeKey keys[], const uint8_t order[], size_t count) {
  Buffer *b = &E->scratch;
  buffer_clear(b);
  varint_put(b, count);
  for (size_t i = 0; i < count; i++) value_put_string(b, keys[order[i]].bytes, keys[order[i]].size);
  if (b->failed) encoder_fail_memory(E);
  bool is_new;
  uint32_t index = heap_constant(E->heap, OBJECT_SHAPE, heap_hash(E->heap, b->data, b->size), 0, &is_new);
  if (index == HEAP_NONE) encoder_fail_memory(E);
  if (is_new) {
    E->heap->constants[index].count = (uint8_t)count;
    E->ops->constant(E, index, b->data, b->size);
  }
  return index;
}

uint64_t encode_shape(Encoder *E, const ShapeKey keys[], size_t count, const uint8_t **order) {
  CachedShape *shape = place_of(E->shapes, keys, count);
  if (!holds(E->shapes, shape, keys, count)) {
    shape->count = 0; /* in case that memory runs out */
    sort_keys(keys, count, shape->order);
    shape->constant = find_constant(E, keys, shape->order, count);
    for (size_t i = 0; i < count; i++) shape->keys[i] = keys[i].bytes;
    shape->count = (uint32_t)count;
    shape->generation = E->shapes->generation;
  }
  Constant *c = &E->heap->constants[shape->constant];
  c->epoch = E->heap->epoch;
  *order = shape->order;
  return c->number;
}
