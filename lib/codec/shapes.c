/*
** Shapes while encoding. `next` delivers the keys of like-built tables in the
** same order, so a small cache maps the sequence of key addresses straight to
** the shape and to the order in which its values are written.
*/
#include "encoder.h"

#define CACHE_SIZE 256 /* direct-mapped; a power of two */

#define GUESSES 64     /* by the first key; a power of two */

typedef struct CachedShape {
  const void *keys[SHAPE_MAX_KEYS];
  uint8_t order[SHAPE_MAX_KEYS];
  uint32_t constant;
  uint32_t count;      /* 0: free */
  uint32_t generation; /* of the cache when it was filled */
} CachedShape;

typedef struct ShapeCache {
  hearth_allocator allocator;
  uint32_t generation;
  uint8_t guesses[GUESSES]; /* by the first key: which of `shapes` had it last */
  CachedShape shapes[CACHE_SIZE];
} ShapeCache;

ShapeCache *shapes_new(const hearth_allocator *a) {
  ShapeCache *s = hearth_realloc(a, NULL, 0, sizeof *s);
  if (s == NULL) return NULL;
  s->allocator = *a;
  s->generation = 0;
  memset(s->guesses, 0, sizeof s->guesses);
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

static uint64_t mix(uint64_t h, const void *key) {
  return (h ^ (uint64_t)(uintptr_t)key) * UINT64_C(0x9E3779B97F4A7C15);
}

static size_t guess_of(const void *first) {
  return (size_t)(mix(0, first) >> 40) & (GUESSES - 1);
}

static size_t place_of(const void *const keys[], size_t count) {
  uint64_t h = count;
  for (size_t i = 0; i < count; i++) h = mix(h, keys[i]);
  return (size_t)(h >> 40) & (CACHE_SIZE - 1);
}

const CachedShape *shapes_guess(const ShapeCache *s, const void *first) {
  const CachedShape *shape = &s->shapes[s->guesses[guess_of(first)]];
  return shape->count > 0 && shape->generation == s->generation ? shape : NULL;
}

bool shapes_has_key(const CachedShape *shape, size_t i, const void *key) {
  return i < shape->count && shape->keys[i] == key;
}

static bool holds(const ShapeCache *s, const CachedShape *shape, const void *const keys[], size_t count) {
  if (shape->count != count || shape->generation != s->generation) return false;
  for (size_t i = 0; i < count; i++)
    if (shape->keys[i] != keys[i]) return false;
  return true;
}

typedef struct ShapeKey {
  const unsigned char *bytes;
  size_t size;
} ShapeKey;

static bool before(const ShapeKey *a, const ShapeKey *b) {
  return value_compare_bytes(a->bytes, a->size, b->bytes, b->size) < 0;
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

static void fill(Encoder *E, CachedShape *shape, int base, const void *const keys[], size_t count) {
  ShapeKey texts[SHAPE_MAX_KEYS];
  for (size_t i = 0; i < count; i++)
    texts[i].bytes = (const unsigned char *)lua_tolstring(E->L, base + 2 * (int)i + 1, &texts[i].size);
  shape->count = 0; /* in case that memory runs out */
  sort_keys(texts, count, shape->order);
  shape->constant = find_constant(E, texts, shape->order, count);
  memcpy(shape->keys, keys, count * sizeof *keys);
  shape->count = (uint32_t)count;
  shape->generation = E->shapes->generation;
}

uint64_t encode_shape(Encoder *E, int base, const void *const keys[], size_t count, const uint8_t **order) {
  ShapeCache *s = E->shapes;
  uint8_t *guess = &s->guesses[guess_of(keys[0])];
  if (!holds(s, &s->shapes[*guess], keys, count)) {
    *guess = (uint8_t)place_of(keys, count);
    if (!holds(s, &s->shapes[*guess], keys, count)) fill(E, &s->shapes[*guess], base, keys, count);
  }
  const CachedShape *shape = &s->shapes[*guess];
  Constant *c = &E->heap->constants[shape->constant];
  c->epoch = E->heap->epoch;
  *order = shape->order;
  return c->number;
}
