/*
** A reader over bytes with a sticky error: after the first one every read
** answers zero, so that decoding bodies read like the specification. The
** first error's reason and position stay.
*/
#ifndef HEARTH_FORMAT_CURSOR_H
#define HEARTH_FORMAT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

typedef struct Cursor {
  const unsigned char *begin, *next, *end;
  const char *why; /* NULL: no error so far. Static text */
  size_t position; /* of the error, from `begin` */
} Cursor;

static inline Cursor cursor_over(const void *bytes, size_t size) {
  const unsigned char *p = bytes != NULL ? bytes : (const unsigned char *)""; /* NULL + 0 is undefined */
  return (Cursor){p, p, p + size, NULL, 0};
}

static inline size_t cursor_left(const Cursor *c) {
  return (size_t)(c->end - c->next);
}

static inline size_t cursor_position(const Cursor *c) {
  return (size_t)(c->next - c->begin);
}

/* The one function that fails. Later reads see an empty input. */
static inline void cursor_fail(Cursor *c, const char *why) {
  if (c->why != NULL) return;
  c->why = why;
  c->position = cursor_position(c);
  c->next = c->end;
}

static inline unsigned char cursor_byte(Cursor *c) {
  if (c->next == c->end) {
    cursor_fail(c, "it ends too early");
    return 0;
  }
  return *c->next++; /* NOLINT(*NullDereference): NULL is `end` too */
}

/* n bytes in place, or NULL. */
static inline const unsigned char *cursor_bytes(Cursor *c, uint64_t n) {
  if (n > cursor_left(c)) {
    cursor_fail(c, "a length exceeds the bytes that remain");
    return NULL;
  }
  const unsigned char *p = c->next;
  c->next += n;
  return p;
}

/* ------------------------------------------------ varint: LEB128, minimal */

#define VARINT_MAX_SIZE 10

static inline void varint_put(Buffer *b, uint64_t n) {
  unsigned char *p = buffer_reserve(b, VARINT_MAX_SIZE);
  if (p == NULL) return;
  unsigned char *start = p;
  for (; n >= 0x80; n >>= 7) *p++ = (unsigned char)(n | 0x80);
  *p++ = (unsigned char)n;
  b->size += (size_t)(p - start);
}

/* The general case of varint_get. */
uint64_t varint_get_bytes(Cursor *c);

static inline uint64_t varint_get(Cursor *c) {
  return c->next < c->end && *c->next < 0x80 ? *c->next++ : varint_get_bytes(c);
}

/* A count of things that take at least one byte each: bounded by what remains. */
static inline size_t count_get(Cursor *c) {
  uint64_t n = varint_get(c);
  if (n > cursor_left(c)) {
    cursor_fail(c, "a count exceeds the bytes that remain");
    return 0;
  }
  return (size_t)n;
}

/* ------------------------------------- fixed-size, little-endian, unsigned */

static inline void fixed_put(Buffer *b, uint64_t n, unsigned size) {
  unsigned char *p = buffer_reserve(b, 8);
  if (p == NULL) return;
  for (unsigned i = 0; i < size; i++) p[i] = (unsigned char)(n >> (8 * i));
  b->size += size;
}

/* The general case of fixed_get. */
uint64_t fixed_get_bytes(Cursor *c, unsigned size);

/* size: 1 to 8. Where 8 bytes are left they are read at once: every compiler makes one load of the eight. */
static inline uint64_t fixed_get(Cursor *c, unsigned size) {
  if (cursor_left(c) < 8) return fixed_get_bytes(c, size);
  const unsigned char *p = c->next;
  c->next += size;
  uint64_t n = p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
               (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
  return n & UINT64_MAX >> (64 - 8 * size);
}

#endif
