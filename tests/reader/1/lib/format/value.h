/*
** The chapter "Values": one tag byte, then what the tag says.
**
** Scalars and strings are written in place. Anything with identity is written
** as the number of its object. Which tags a place allows is said by the
** chapter that uses it: strings by dictionary and NEXT occur in blobs only.
*/
#ifndef HEARTH_FORMAT_VALUE_H
#define HEARTH_FORMAT_VALUE_H

#include "cursor.h"

enum {
  TAG_SMALL = 0x00,      /* 00..7F: the integers 0..127 */
  TAG_STRING = 0x80,     /* 80..9F: a string of 0..31 bytes, which follow */
  TAG_KNOWN = 0xA0,      /* A0..BF: strings 0..31 of the dictionary */
  TAG_NIL = 0xC0,
  TAG_FALSE = 0xC1,
  TAG_TRUE = 0xC2,
  TAG_FLOAT32 = 0xC3,    /* 4 bytes: a float that 32 bits hold exactly */
  TAG_FLOAT64 = 0xC4,    /* 8 bytes */
  TAG_LONG_STRING = 0xC5, /* varint length, bytes */
  TAG_DEFINE = 0xC6,     /* the same, and the string joins the dictionary */
  TAG_FAR_KNOWN = 0xC7,  /* varint: a string of the dictionary */
  TAG_REF = 0xC8,        /* varint: the number of an object */
  TAG_NEXT = 0xC9,       /* the object after the highest one referred to so far */
  TAG_LOCAL = 0xCA,      /* varint, from 0: an object inside the same special object's record; stores only */
  TAG_POSITIVE = 0xD0,   /* D0..D7: 1..8 bytes: an integer above 127 */
  TAG_NEGATIVE = 0xD8    /* D8..DF: 1..8 bytes: -1 - n */
};

#define TAG_FUSED 32 /* short strings and near dictionary entries in one tag byte */

typedef enum ValueKind {
  VALUE_NIL,
  VALUE_FALSE,
  VALUE_TRUE,
  VALUE_INTEGER, /* integer */
  VALUE_FLOAT,   /* bits */
  VALUE_STRING,  /* bytes, size */
  VALUE_DEFINE,  /* bytes, size */
  VALUE_KNOWN,   /* number */
  VALUE_REF,     /* number */
  VALUE_NEXT,
  VALUE_LOCAL    /* number */
} ValueKind;

typedef struct Value {
  ValueKind kind;
  union {
    int64_t integer;
    uint64_t bits;   /* of an IEEE 754 double */
    uint64_t number;
    const unsigned char *bytes; /* in the input */
  } as;
  size_t size;
} Value;

void value_put_integer(Buffer *b, int64_t n);
void value_put_float(Buffer *b, uint64_t bits);
void value_put_string(Buffer *b, const void *bytes, size_t size);
void value_put_define(Buffer *b, const void *bytes, size_t size);
void value_put_known(Buffer *b, uint64_t number);
void value_put_ref(Buffer *b, uint64_t number);
void value_put_local(Buffer *b, uint64_t number);
/* NIL, FALSE, TRUE, NEXT */
static inline void value_put_tag(Buffer *b, unsigned char tag) {
  buffer_byte(b, tag);
}

/* Reads one value; on error the cursor says so and the value is nil. */
void value_get(Cursor *c, Value *v);

/* --------------- what value_get is, inline for where most values are read */

/* Those tags that are rare. */
void value_get_rare(Cursor *c, unsigned char tag, Value *v);

#define VALUE_WIDE_BITS 0x1fffffffu /* of a double: 32 bits have no place for them. Most doubles have one set */

/* Does the double have a form of 32 bits? */
bool value_narrow(uint64_t bits, uint32_t *out);

static inline void value_get_integer(Cursor *c, unsigned char tag, Value *v) {
  unsigned width = (tag & 7) + 1u;
  uint64_t magnitude = fixed_get(c, width);
  bool negative = tag >= TAG_NEGATIVE;
  bool shortest = width == 1 ? negative || magnitude >= 128 : magnitude >> (8 * width - 8) != 0;
  if (!shortest || magnitude > INT64_MAX) cursor_fail(c, "an integer is not in its shortest form");
  v->kind = VALUE_INTEGER;
  v->as.integer = negative ? -1 - (int64_t)magnitude : (int64_t)magnitude;
}

static inline void value_get_float64(Cursor *c, Value *v) {
  uint32_t narrowed;
  v->kind = VALUE_FLOAT;
  v->as.bits = fixed_get(c, 8);
  if ((v->as.bits & VALUE_WIDE_BITS) == 0 && value_narrow(v->as.bits, &narrowed))
    cursor_fail(c, "a float of 64 bits that 32 bits hold");
}

static inline void value_get_string(Cursor *c, ValueKind kind, uint64_t size, Value *v) {
  v->kind = kind;
  v->as.bytes = cursor_bytes(c, size);
  v->size = v->as.bytes != NULL ? (size_t)size : 0;
}

/* As value_get, but on error the value is anything. */
static inline void value_get_inline(Cursor *c, Value *v) {
  unsigned char tag = cursor_byte(c);
  if (tag < TAG_STRING) {
    v->kind = VALUE_INTEGER;
    v->as.integer = tag;
  } else if (tag < TAG_KNOWN) {
    value_get_string(c, VALUE_STRING, tag - (uint64_t)TAG_STRING, v);
  } else if (tag >= TAG_POSITIVE && tag < TAG_NEGATIVE + 8) {
    value_get_integer(c, tag, v);
  } else if (tag == TAG_FLOAT64) {
    value_get_float64(c, v);
  } else {
    value_get_rare(c, tag, v);
  }
}

/* Orders encoded scalar keys: by their bytes. */
int value_compare_bytes(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size);

#endif
