#include "value.h"

/* Bytes that a number needs, at least one. */
static unsigned width_of(uint64_t n) {
  unsigned width = 1;
  while (width < 8 && n >> (8 * width) != 0) width++;
  return width;
}

void value_put_integer(Buffer *b, int64_t n) {
  if (n >= 0 && n < 128) {
    buffer_byte(b, (unsigned char)(TAG_SMALL + n));
    return;
  }
  uint64_t magnitude = n >= 0 ? (uint64_t)n : ~(uint64_t)n; /* ~n is -1 - n */
  unsigned width = width_of(magnitude);
  unsigned char *p = buffer_reserve(b, 9);
  if (p == NULL) return;
  p[0] = (unsigned char)((n >= 0 ? TAG_POSITIVE : TAG_NEGATIVE) + width - 1);
  for (unsigned i = 0; i < width; i++) p[1 + i] = (unsigned char)(magnitude >> (8 * i));
  b->size += 1 + width;
}

/*
** The 32-bit form of a double that has one without loss, by its bits: a
** conversion by the processor would disturb NaNs, and -m32 rounds twice.
*/
bool value_narrow(uint64_t bits, uint32_t *out) {
  uint32_t sign = (uint32_t)(bits >> 63) << 31;
  uint32_t exponent = (uint32_t)(bits >> 52) & 0x7ff;
  uint64_t mantissa = bits & 0xfffffffffffffu;
  if ((mantissa & VALUE_WIDE_BITS) != 0) return false;
  if (exponent == 0 && mantissa == 0) {
    *out = sign;
    return true;
  }
  if (exponent == 0x7ff && mantissa == 0) {
    *out = sign | 0x7f800000u;
    return true;
  }
  if (exponent < 1023 - 126 || exponent > 1023 + 127) return false; /* subnormals and NaNs stay wide */
  *out = sign | (exponent - 1023 + 127) << 23 | (uint32_t)(mantissa >> 29);
  return true;
}

static uint64_t widen(uint32_t bits) {
  uint64_t sign = (uint64_t)(bits >> 31) << 63;
  uint64_t exponent = (bits >> 23) & 0xff;
  uint64_t mantissa = (uint64_t)(bits & 0x7fffff) << 29;
  if (exponent == 0) return sign;
  if (exponent == 0xff) return sign | (uint64_t)0x7ff << 52;
  return sign | (exponent - 127 + 1023) << 52 | mantissa;
}

void value_put_float(Buffer *b, uint64_t bits) {
  uint32_t narrowed;
  if (value_narrow(bits, &narrowed)) {
    buffer_byte(b, TAG_FLOAT32);
    fixed_put(b, narrowed, 4);
  } else {
    buffer_byte(b, TAG_FLOAT64);
    fixed_put(b, bits, 8);
  }
}

static void put_sized(Buffer *b, unsigned char tag, const void *bytes, size_t size) {
  buffer_byte(b, tag);
  varint_put(b, size);
  buffer_put(b, bytes, size);
}

void value_put_string(Buffer *b, const void *bytes, size_t size) {
  if (size < TAG_FUSED) {
    buffer_byte(b, (unsigned char)(TAG_STRING + size));
    buffer_put(b, bytes, size);
  } else {
    put_sized(b, TAG_LONG_STRING, bytes, size);
  }
}

void value_put_define(Buffer *b, const void *bytes, size_t size) {
  put_sized(b, TAG_DEFINE, bytes, size);
}

void value_put_known(Buffer *b, uint64_t number) {
  if (number < TAG_FUSED) {
    buffer_byte(b, (unsigned char)(TAG_KNOWN + number));
  } else {
    buffer_byte(b, TAG_FAR_KNOWN);
    varint_put(b, number);
  }
}

void value_put_ref(Buffer *b, uint64_t number) {
  buffer_byte(b, TAG_REF);
  varint_put(b, number);
}

void value_put_local(Buffer *b, uint64_t number) {
  buffer_byte(b, TAG_LOCAL);
  varint_put(b, number);
}

static void get_float32(Cursor *c, Value *v) {
  uint32_t bits = (uint32_t)fixed_get(c, 4);
  uint32_t again = 0;
  v->kind = VALUE_FLOAT;
  v->as.bits = widen(bits);
  (void)value_narrow(v->as.bits, &again); /* what was widened can be */
  if (again != bits) cursor_fail(c, "a float of 32 bits that is not plain");
}

void value_get_rare(Cursor *c, unsigned char tag, Value *v) {
  if (tag < TAG_NIL) { /* TAG_KNOWN: those below were read */
    v->kind = VALUE_KNOWN;
    v->as.number = tag - (uint64_t)TAG_KNOWN;
    return;
  }
  switch (tag) {
    case TAG_NIL: v->kind = VALUE_NIL; break;
    case TAG_FALSE: v->kind = VALUE_FALSE; break;
    case TAG_TRUE: v->kind = VALUE_TRUE; break;
    case TAG_FLOAT32: get_float32(c, v); break;
    case TAG_LONG_STRING:
      value_get_string(c, VALUE_STRING, varint_get(c), v);
      if (v->size < TAG_FUSED) cursor_fail(c, "a short string in the form of a long one");
      break;
    case TAG_DEFINE: value_get_string(c, VALUE_DEFINE, varint_get(c), v); break;
    case TAG_FAR_KNOWN:
      v->kind = VALUE_KNOWN;
      v->as.number = varint_get(c);
      if (v->as.number < TAG_FUSED) cursor_fail(c, "a near string of the dictionary in the form of a far one");
      break;
    case TAG_REF:
      v->kind = VALUE_REF;
      v->as.number = varint_get(c);
      break;
    case TAG_NEXT: v->kind = VALUE_NEXT; break;
    case TAG_LOCAL:
      v->kind = VALUE_LOCAL;
      v->as.number = varint_get(c);
      break;
    default:
      c->next--; /* the error is at the tag */
      cursor_fail(c, "an unknown tag");
  }
}

void value_get(Cursor *c, Value *v) {
  v->as.number = 0;
  v->size = 0;
  value_get_inline(c, v);
  if (c->why != NULL) {
    v->kind = VALUE_NIL;
    v->size = 0;
  }
}

int value_compare_bytes(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size) {
  size_t n = a_size < b_size ? a_size : b_size;
  int order = n > 0 ? memcmp(a, b, n) : 0;
  if (order != 0) return order;
  return (a_size > b_size) - (a_size < b_size);
}
