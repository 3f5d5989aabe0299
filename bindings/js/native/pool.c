#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)65536)

static size_t class_of(size_t size) {
  return (size + POOL_STEP - 1) / POOL_STEP;
}

static PoolBlock *block_at(void *at) {
  return at;
}

static void put(Pool *p, void *ptr, size_t class) {
  PoolBlock *b = block_at(ptr);
  b->next = p->free[class];
  p->free[class] = b;
}

/* What is left of the newest chunk becomes a block of the size that it has. */
static int new_chunk(Pool *p) {
  size_t left = (size_t)(p->end - p->next);
  PoolBlock *chunk = malloc(CHUNK);
  if (chunk == NULL) return 0;
  if (left >= POOL_STEP) put(p, p->next, left / POOL_STEP);
  chunk->next = p->chunks;
  p->chunks = chunk;
  p->next = (unsigned char *)chunk + POOL_STEP;
  p->end = (unsigned char *)chunk + CHUNK;
  return 1;
}

static void *take(Pool *p, size_t size) {
  if (size > POOL_LARGEST) return malloc(size);
  size_t class = class_of(size), whole = class * POOL_STEP;
  PoolBlock *b = p->free[class];
  if (b != NULL) {
    p->free[class] = b->next;
    return b;
  }
  if ((size_t)(p->end - p->next) < whole && !new_chunk(p)) return NULL;
  void *ptr = p->next;
  p->next += whole;
  return ptr;
}

static void give(Pool *p, void *ptr, size_t size) {
  if (size > POOL_LARGEST)
    free(ptr);
  else
    put(p, ptr, class_of(size));
}

void *pool_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Pool *p = ud;
  if (ptr == NULL) return nsize == 0 ? NULL : take(p, nsize);
  if (nsize == 0) {
    if (osize > 0) give(p, ptr, osize);
    return NULL;
  }
  if (osize > POOL_LARGEST && nsize > POOL_LARGEST) return realloc(ptr, nsize);
  if (osize <= POOL_LARGEST && class_of(osize) == class_of(nsize)) return ptr;
  void *moved = take(p, nsize);
  if (moved == NULL) return nsize <= osize ? ptr : NULL; /* Lua relies on it: a smaller size is always there */
  memcpy(moved, ptr, osize < nsize ? osize : nsize);
  give(p, ptr, osize);
  return moved;
}

void pool_free(Pool *p) {
  for (PoolBlock *b = p->chunks, *next; b != NULL; b = next) {
    next = b->next;
    free(b);
  }
}
