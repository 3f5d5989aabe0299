/*
** A growing byte buffer with a sticky failure: after memory ran out, puts do
** nothing, so that the code that writes a format has no error paths.
*/
#ifndef HEARTH_BASE_BUFFER_H
#define HEARTH_BASE_BUFFER_H

#include <stdbool.h>
#include <string.h>

#include "hearth_status.h"

/* The C library's memory, for an allocator whose alloc is NULL. */
extern const hearth_allocator hearth_libc_allocator;

/* lua_Alloc's meaning; NULL when memory is exhausted. */
static inline void *hearth_realloc(const hearth_allocator *a, void *ptr, size_t osize, size_t nsize) {
  return a->alloc(a->ud, ptr, osize, nsize);
}

static inline void hearth_free(const hearth_allocator *a, void *ptr, size_t size) {
  if (ptr != NULL) a->alloc(a->ud, ptr, size, 0);
}

typedef struct Buffer {
  unsigned char *data;
  size_t size, capacity;
  hearth_allocator allocator;
  bool failed; /* memory ran out; size and data are those of before */
} Buffer;

void buffer_init(Buffer *b, const hearth_allocator *allocator);
void buffer_free(Buffer *b); /* usable again afterwards, empty */

static inline void buffer_clear(Buffer *b) {
  b->size = 0;
  b->failed = false;
}

/* Makes room for n more bytes: a pointer to them, or NULL. They count only once size is raised. */
unsigned char *buffer_reserve_slow(Buffer *b, size_t n);

static inline unsigned char *buffer_reserve(Buffer *b, size_t n) {
  if (b->data != NULL && n <= b->capacity - b->size && !b->failed) return b->data + b->size;
  return buffer_reserve_slow(b, n);
}

/*
** Makes room for exactly n bytes in an empty buffer: for what is large and known. False: memory
** exhausted, as if by a put.
*/
bool buffer_reserve_exactly(Buffer *b, size_t n);

/* Gives back the room behind what is there. */
void buffer_trim(Buffer *b);

static inline void buffer_byte(Buffer *b, unsigned char byte) {
  unsigned char *p = buffer_reserve(b, 1);
  if (p != NULL) {
    *p = byte;
    b->size++;
  }
}

static inline void buffer_put(Buffer *b, const void *bytes, size_t n) {
  if (n == 0) return; /* `bytes` may be NULL then */
  unsigned char *p = buffer_reserve(b, n);
  if (p != NULL) {
    memcpy(p, bytes, n);
    b->size += n;
  }
}

#endif
