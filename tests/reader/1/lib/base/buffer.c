#include "buffer.h"

#include <stdlib.h>

static void *libc_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud;
  (void)osize;
  if (nsize > 0) return realloc(ptr, nsize);
  free(ptr);
  return NULL;
}

const hearth_allocator hearth_libc_allocator = {libc_alloc, NULL};

void buffer_init(Buffer *b, const hearth_allocator *allocator) {
  memset(b, 0, sizeof *b);
  b->allocator = *allocator;
}

void buffer_free(Buffer *b) {
  hearth_free(&b->allocator, b->data, b->capacity);
  b->data = NULL;
  b->size = b->capacity = 0;
  b->failed = false;
}

unsigned char *buffer_reserve_slow(Buffer *b, size_t n) {
  if (b->failed) return NULL;
  if (b->data != NULL && n <= b->capacity - b->size) return b->data + b->size;
  size_t capacity = b->capacity < 64 ? 64 : b->capacity;
  while (capacity - b->size < n) {
    if (capacity > SIZE_MAX / 2) {
      b->failed = true;
      return NULL;
    }
    capacity *= 2;
  }
  unsigned char *data = hearth_realloc(&b->allocator, b->data, b->capacity, capacity);
  if (data == NULL) {
    b->failed = true;
    return NULL;
  }
  b->data = data;
  b->capacity = capacity;
  return b->data + b->size;
}

bool buffer_reserve_exactly(Buffer *b, size_t n) {
  if (b->failed || n <= b->capacity) return !b->failed;
  unsigned char *data = hearth_realloc(&b->allocator, b->data, b->capacity, n);
  if (data == NULL) {
    b->failed = true;
    return false;
  }
  b->data = data;
  b->capacity = n;
  return true;
}

void buffer_trim(Buffer *b) {
  if (b->size == 0) {
    buffer_free(b);
    return;
  }
  unsigned char *data = hearth_realloc(&b->allocator, b->data, b->capacity, b->size);
  if (data == NULL) return; /* it stays as it is */
  b->data = data;
  b->capacity = b->size;
}
