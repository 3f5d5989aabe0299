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

static inline uint64_t varint_get(Cursor *c) {
  uint64_t n = 0;
  for (unsigned shift = 0;; shift += 7) {
    unsigned char byte = cursor_byte(c);
    if (shift == 63 && byte > 1) break;
    n |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) break; /* one number has one form */
      return n;
    }
  }
  cursor_fail(c, "a number is not in its shortest form");
  return 0;
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

static inline uint64_t fixed_get(Cursor *c, unsigned size) {
  const unsigned char *p = cursor_bytes(c, size);
  uint64_t n = 0;
  if (p != NULL)
    for (unsigned i = 0; i < size; i++) n |= (uint64_t)p[i] << (8 * i);
  return n;
}

#endif
