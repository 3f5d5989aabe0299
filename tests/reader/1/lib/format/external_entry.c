#include "external_entry.h"

#include <assert.h>

#define SIGN (UINT64_C(1) << 63)
#define MANTISSA ((UINT64_C(1) << 52) - 1)
#define NUMBER_SIZE 10
#define EXACT (INT64_C(1) << 53) /* up to here every integer is a double */

enum { KEY_FALSE = 1, KEY_TRUE = 2, KEY_NUMBER = 3, KEY_STRING = 4 };

/* ------------------------------------------- numbers, by their bits alone */

static unsigned top_bit(uint64_t n) {
  unsigned top = 0;
  while (n >> 1 != 0) {
    n >>= 1;
    top++;
  }
  return top;
}

/* The bits of the double with this value, 2^53 or more, which must have at most 53 significant bits. */
static uint64_t bits_of(uint64_t magnitude) {
  unsigned top = top_bit(magnitude);
  return (uint64_t)(1023 + top) << 52 | (magnitude >> (top - 52) & MANTISSA);
}

/* n is the double `*bits` plus *rest. */
static void split_integer(int64_t n, uint64_t *bits, unsigned *rest) {
  if (n >= -EXACT && n <= EXACT) { /* nearly every key: ten times as quick as by the bits */
    double exact = (double)n;
    memcpy(bits, &exact, sizeof exact);
    *rest = 0;
    return;
  }
  uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
  *rest = 0;
  unsigned top = top_bit(magnitude);
  assert(top > 52);
  uint64_t unit = UINT64_C(1) << (top - 52); /* distance of neighbouring doubles there */
  uint64_t low = magnitude & (unit - 1);
  if (low != 0 && n > 0) {
    *rest = (unsigned)low;
    magnitude -= low;
  } else if (low != 0) { /* down means away from zero */
    *rest = (unsigned)(unit - low);
    magnitude += unit - low;
  }
  *bits = bits_of(magnitude) | (n < 0 ? SIGN : 0);
}

/* Has the double the value of a 64-bit integer? */
static bool integer_of(uint64_t bits, int64_t *n) {
  int exponent = (int)((bits & ~SIGN) >> 52) - 1023;
  uint64_t fraction = (bits & MANTISSA) | (MANTISSA + 1);
  *n = 0;
  if ((bits & ~SIGN) == 0) return true;
  if (exponent == 63 && bits == (SIGN | (uint64_t)(1023 + 63) << 52)) {
    *n = INT64_MIN;
    return true;
  }
  if (exponent < 0 || exponent > 62) return false;
  if (exponent < 52 && (fraction & ((UINT64_C(1) << (52 - exponent)) - 1)) != 0) return false;
  uint64_t magnitude = exponent <= 52 ? fraction >> (52 - exponent) : fraction << (exponent - 52);
  *n = (bits & SIGN) != 0 ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

/* Zeros at the end are left out; no number is all zeros. */
static size_t put_number(unsigned char out[NUMBER_SIZE], uint64_t bits, unsigned rest) {
  uint64_t ordered = (bits & SIGN) != 0 ? ~bits : bits | SIGN;
  size_t size = 8;
  for (unsigned i = 0; i < 8; i++) out[i] = (unsigned char)(ordered >> (56 - 8 * i));
  if (rest != 0) {
    out[8] = (unsigned char)(rest >> 8);
    out[9] = (unsigned char)rest;
    return out[9] != 0 ? NUMBER_SIZE : NUMBER_SIZE - 1;
  }
  for (unsigned half = 4; half > 0; half /= 2) { /* three steps instead of eight */
    if ((ordered & ((UINT64_C(1) << (8 * half)) - 1)) != 0) continue;
    size -= half;
    ordered >>= 8 * half;
  }
  return size;
}

static void get_number(Cursor *c, Value *key) {
  unsigned char bytes[NUMBER_SIZE] = {0}, again[EXTERNAL_MAX_KEY];
  size_t size = cursor_left(c);
  if (size > NUMBER_SIZE) {
    cursor_fail(c, "a key's number is too long");
    return;
  }
  const unsigned char *given = cursor_bytes(c, size);
  if (size > 0) memcpy(bytes, given, size);
  uint64_t ordered = 0;
  for (unsigned i = 0; i < 8; i++) ordered = ordered << 8 | bytes[i];
  uint64_t bits = (ordered & SIGN) != 0 ? ordered & ~SIGN : ~ordered;
  unsigned rest = (unsigned)bytes[8] << 8 | bytes[9];
  int64_t n;
  if (integer_of(bits, &n) && rest < 1024) { /* doubles below 2^63 are at most 1,024 apart */
    key->kind = VALUE_INTEGER;
    key->as.integer = n + (int64_t)rest;
  } else {
    key->kind = VALUE_FLOAT;
    key->as.bits = bits;
  }
  bool nan = (bits & ~SIGN) > (uint64_t)0x7ff << 52;
  if (nan || external_put_key(again, key) != size + 1 || memcmp(again + 1, bytes, size) != 0)
    cursor_fail(c, "a key's number is not in its one form");
}

/* ------------------------------------------------------------------ keys */

size_t external_put_key(unsigned char out[EXTERNAL_MAX_KEY], const Value *key) {
  uint64_t bits;
  unsigned rest;
  switch (key->kind) {
    case VALUE_FALSE: out[0] = KEY_FALSE; return 1;
    case VALUE_TRUE: out[0] = KEY_TRUE; return 1;
    case VALUE_INTEGER:
      out[0] = KEY_NUMBER;
      split_integer(key->as.integer, &bits, &rest);
      return 1 + put_number(out + 1, bits, rest);
    case VALUE_FLOAT:
      out[0] = KEY_NUMBER;
      return 1 + put_number(out + 1, key->as.bits, 0);
    default:
      if (key->size > EXTERNAL_MAX_KEY - 1) return 0;
      out[0] = KEY_STRING;
      if (key->size > 0) memcpy(out + 1, key->as.bytes, key->size);
      return 1 + key->size;
  }
}

void external_get_key(Cursor *c, Value *key) {
  memset(key, 0, sizeof *key);
  key->kind = VALUE_NIL;
  unsigned char tag = cursor_byte(c);
  switch (tag) {
    case KEY_FALSE: key->kind = VALUE_FALSE; break;
    case KEY_TRUE: key->kind = VALUE_TRUE; break;
    case KEY_NUMBER: get_number(c, key); break;
    case KEY_STRING:
      key->kind = VALUE_STRING;
      key->size = cursor_left(c);
      key->as.bytes = cursor_bytes(c, key->size);
      break;
    default: cursor_fail(c, "a key of an unknown kind");
  }
  if (cursor_left(c) > 0) cursor_fail(c, "bytes follow after a key");
}

/* ---------------------------------------------------------------- values */

void external_put_string_head(Buffer *b, size_t size) {
  buffer_byte(b, EXTERNAL_PLAIN);
  if (size < TAG_FUSED) {
    buffer_byte(b, (unsigned char)(TAG_STRING + size));
  } else {
    buffer_byte(b, TAG_LONG_STRING);
    varint_put(b, size);
  }
}

void external_put_plain(Buffer *b, const Value *v) {
  buffer_byte(b, EXTERNAL_PLAIN);
  switch (v->kind) {
    case VALUE_INTEGER: value_put_integer(b, v->as.integer); break;
    case VALUE_FLOAT: value_put_float(b, v->as.bits); break;
    case VALUE_REF: value_put_ref(b, v->as.number); break;
    default: value_put_tag(b, v->kind == VALUE_TRUE ? TAG_TRUE : TAG_FALSE);
  }
}

void external_get_value(Cursor *c, ExternalValue *out) {
  memset(out, 0, sizeof *out);
  unsigned char form = cursor_byte(c);
  if (form == EXTERNAL_BLOB) {
    out->blob = true;
    out->size = cursor_left(c);
    out->bytes = cursor_bytes(c, out->size);
    return;
  }
  if (form != EXTERNAL_PLAIN) cursor_fail(c, "a value of an unknown form");
  value_get(c, &out->value);
  switch (out->value.kind) {
    case VALUE_FALSE:
    case VALUE_TRUE:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_STRING:
    case VALUE_REF: break;
    default: cursor_fail(c, "a tag that has no place in an external table");
  }
  if (cursor_left(c) > 0) cursor_fail(c, "bytes follow after a value");
}

void external_put_record(Buffer *b, uint64_t to, uint64_t from) {
  varint_put(b, to);
  varint_put(b, from);
}

void external_get_record(Cursor *c, uint64_t *to, uint64_t *from) {
  *to = varint_get(c);
  *from = varint_get(c);
  if (cursor_left(c) > 0) cursor_fail(c, "bytes follow after a record");
}
