/*
** The chapter "Values": each tag at its boundaries, one form for each value, and
** nothing else is read.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "value.h"

static Buffer b;

static int open_buffer(void **state) {
  (void)state;
  buffer_init(&b, &hearth_libc_allocator);
  return 0;
}

static int close_buffer(void **state) {
  (void)state;
  buffer_free(&b);
  return 0;
}

/* Reads the one value in the buffer, from a block of exactly its size. */
static Value read_back(void) {
  unsigned char *copy = malloc(b.size);
  assert_non_null(copy);
  memcpy(copy, b.data, b.size);
  Cursor c = cursor_over(copy, b.size);
  Value v;
  value_get(&c, &v);
  assert_null(c.why);
  assert_int_equal(cursor_left(&c), 0);
  for (size_t n = 0; n < b.size; n++) { /* every prefix is an error */
    unsigned char *prefix = malloc(n > 0 ? n : 1);
    assert_non_null(prefix);
    memcpy(prefix, b.data, n);
    Cursor cut = cursor_over(prefix, n);
    Value w;
    value_get(&cut, &w);
    assert_non_null(cut.why);
    assert_int_equal(w.kind, VALUE_NIL);
    assert_true(cut.position <= n);
    free(prefix);
  }
  if (v.kind == VALUE_STRING || v.kind == VALUE_DEFINE) v.as.bytes = b.data + (v.as.bytes - copy);
  free(copy);
  return v;
}

static void check_bytes(const void *bytes, size_t size) {
  assert_int_equal(b.size, size);
  assert_memory_equal(b.data, bytes, size);
}

static void check_refused(const void *bytes, size_t size) {
  Cursor c = cursor_over(bytes, size);
  Value v;
  value_get(&c, &v);
  if (c.why == NULL) fail_msg("tag %#x was read", *(const unsigned char *)bytes);
  assert_int_equal(v.kind, VALUE_NIL);
}

static void test_integers(void **state) {
  (void)state;
  static const struct {
    int64_t n;
    const char *bytes;
    size_t size;
  } cases[] = {
      {0, "\x00", 1},
      {127, "\x7f", 1},
      {128, "\xd0\x80", 2},
      {255, "\xd0\xff", 2},
      {256, "\xd1\x00\x01", 3},
      {-1, "\xd8\x00", 2},
      {-2, "\xd8\x01", 2},
      {-128, "\xd8\x7f", 2},
      {-256, "\xd8\xff", 2},
      {-257, "\xd9\x00\x01", 3},
      {INT32_MAX, "\xd3\xff\xff\xff\x7f", 5},
      {INT32_MIN, "\xdb\xff\xff\xff\x7f", 5},
      {INT64_MAX, "\xd7\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
      {INT64_MIN, "\xdf\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    buffer_clear(&b);
    value_put_integer(&b, cases[i].n);
    check_bytes(cases[i].bytes, cases[i].size);
    Value v = read_back();
    assert_int_equal(v.kind, VALUE_INTEGER);
    assert_true(v.as.integer == cases[i].n);
  }
  for (unsigned shift = 0; shift < 64; shift++) /* around each power of two */
    for (int64_t d = -2; d <= 2; d++)
      for (int sign = 0; sign < 2; sign++) {
        uint64_t u = ((uint64_t)1 << shift) + (uint64_t)d;
        if (sign) u = 0 - u;
        int64_t n;
        memcpy(&n, &u, sizeof n);
        buffer_clear(&b);
        value_put_integer(&b, n);
        Value v = read_back();
        assert_true(v.kind == VALUE_INTEGER && v.as.integer == n);
      }
}

static void test_integers_have_one_form(void **state) {
  (void)state;
  check_refused("\xd0\x00", 2);
  check_refused("\xd0\x7f", 2);
  check_refused("\xd1\x80\x00", 3);
  check_refused("\xd9\x00\x00", 3);
  check_refused("\xd7\xff\xff\xff\xff\xff\xff\xff\xff", 9); /* over INT64_MAX */
  check_refused("\xdf\xff\xff\xff\xff\xff\xff\xff\x80", 9);
  check_refused("\xd7\xff\xff\xff\xff\xff\xff\x7f\x00", 9);
}

/* The bits of a double. */
static uint64_t bits_of(double d) {
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return bits;
}

static void test_floats(void **state) {
  (void)state;
  const struct {
    uint64_t bits;
    size_t size;
  } cases[] = {
      {bits_of(0.0), 5},
      {bits_of(-0.0), 5},
      {bits_of(1.0), 5},
      {bits_of(-2.5), 5},
      {bits_of(0.1), 9},
      {bits_of(16777216.0), 5},
      {bits_of(16777217.0), 9},
      {bits_of(3.4028234663852886e38), 5},    /* FLT_MAX */
      {bits_of(3.4028235677973366e38), 9},    /* its successor by 32 bits */
      {bits_of(3.4028236692093846e38), 9},    /* 2^128 */
      {bits_of(1.1754943508222875e-38), 5},   /* FLT_MIN */
      {bits_of(5.877471754111438e-39), 9},    /* a 32-bit subnormal */
      {bits_of(5e-324), 9},
      {bits_of(1.7976931348623157e308), 9},
      {UINT64_C(0x7ff0000000000000), 5},      /* infinities */
      {UINT64_C(0xfff0000000000000), 5},
      {UINT64_C(0x7ff8000000000000), 9},      /* NaNs: quiet, with a payload, negative, signalling */
      {UINT64_C(0x7ff8dead0000beef), 9},
      {UINT64_C(0xfff8000000000001), 9},
      {UINT64_C(0x7ff0000000000001), 9},
      {UINT64_C(0x7ff4000000000000), 9},
      {UINT64_C(0x7ff0000020000000), 9},      /* its payload would fit */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    buffer_clear(&b);
    value_put_float(&b, cases[i].bits);
    assert_int_equal(b.size, cases[i].size);
    assert_int_equal(b.data[0], cases[i].size == 5 ? TAG_FLOAT32 : TAG_FLOAT64);
    Value v = read_back();
    assert_int_equal(v.kind, VALUE_FLOAT);
    assert_true(v.as.bits == cases[i].bits);
  }
}

static void test_floats_have_one_form(void **state) {
  (void)state;
  check_refused("\xc4\x00\x00\x00\x00\x00\x00\xf0\x3f", 9); /* 1.0 */
  check_refused("\xc4\x00\x00\x00\x00\x00\x00\x00\x00", 9);
  check_refused("\xc4\x00\x00\x00\x00\x00\x00\xf0\x7f", 9); /* infinity */
  check_refused("\xc3\x01\x00\x00\x00", 5);                 /* a 32-bit subnormal */
  check_refused("\xc3\x00\x00\xc0\x7f", 5);                 /* a 32-bit NaN */
}

/* Each 32-bit pattern of a plain float is read as the float that the processor means by it, and written again. */
static void test_narrow_floats_against_the_processor(void **state) {
  (void)state;
  uint64_t seed = 99;
  for (size_t n = 0; n < 200000; n++) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint32_t pattern = (uint32_t)(seed >> 32);
    unsigned exponent = pattern >> 23 & 0xff;
    if (exponent == 0 || exponent == 0xff) continue;
    float f;
    memcpy(&f, &pattern, sizeof f);
    buffer_clear(&b);
    value_put_float(&b, bits_of((double)f));
    assert_int_equal(b.size, 5);
    Cursor c = cursor_over(b.data, b.size);
    Value v;
    value_get(&c, &v);
    assert_true(v.as.bits == bits_of((double)f));
    assert_true(fixed_get(&(Cursor){b.data + 1, b.data + 1, b.data + 5, NULL, 0}, 4) == pattern);
  }
}

static void test_strings(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 31, 32, 33, 127, 128, 16383, 16384, 100000};
  unsigned char *text = malloc(100000);
  assert_non_null(text);
  for (size_t i = 0; i < 100000; i++) text[i] = (unsigned char)(i * 7 + i / 256);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int define = 0; define < 2; define++) {
      size_t n = sizes[i];
      if (n > 1000 && i % 2 == 0) continue; /* every prefix is read: quadratic */
      buffer_clear(&b);
      (define ? value_put_define : value_put_string)(&b, text, n);
      if (!define) assert_int_equal(b.data[0], n < 32 ? TAG_STRING + n : (size_t)TAG_LONG_STRING);
      Cursor c = cursor_over(b.data, b.size);
      Value v;
      if (n < 1000)
        v = read_back();
      else
        value_get(&c, &v);
      assert_int_equal(v.kind, define ? VALUE_DEFINE : VALUE_STRING);
      assert_int_equal(v.size, n);
      assert_memory_equal(v.as.bytes, text, n);
    }
  }
  free(text);
  check_refused("\xc5\x03xyz", 5);                                        /* a long form of a short string */
  check_refused("\xc5\x1f-------------------------------", 33);
  check_refused("\xc5\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);      /* 2^64 - 1 bytes */
  check_refused("\xc6\xff\xff\xff\xff\x0f", 6);
  check_refused("\xc5\xa0\x80\x80\x80\x10--------------------------------", 38); /* 2^32 + 32 bytes */
}

static void test_numbers_of_things(void **state) {
  (void)state;
  static const uint64_t numbers[] = {0, 1, 31, 32, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    static const struct {
      void (*put)(Buffer *b, uint64_t number);
      ValueKind kind;
    } kinds[] = {{value_put_known, VALUE_KNOWN}, {value_put_ref, VALUE_REF}, {value_put_local, VALUE_LOCAL}};
    for (size_t k = 0; k < 3; k++) {
      buffer_clear(&b);
      kinds[k].put(&b, numbers[i]);
      Value v = read_back();
      assert_int_equal(v.kind, kinds[k].kind);
      assert_true(v.as.number == numbers[i]);
    }
  }
  buffer_clear(&b);
  value_put_known(&b, 31);
  check_bytes("\xbf", 1);
  buffer_clear(&b);
  value_put_known(&b, 32);
  check_bytes("\xc7\x20", 2);
  check_refused("\xc7\x1f", 2); /* the far form of a near one */
}

static void test_tags(void **state) {
  (void)state;
  static const struct {
    unsigned char tag;
    ValueKind kind;
  } plain[] = {{TAG_NIL, VALUE_NIL}, {TAG_FALSE, VALUE_FALSE}, {TAG_TRUE, VALUE_TRUE}, {TAG_NEXT, VALUE_NEXT}};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    buffer_clear(&b);
    value_put_tag(&b, plain[i].tag);
    assert_int_equal(read_back().kind, plain[i].kind);
  }
  for (unsigned tag = 0; tag < 256; tag++) { /* with nothing but zeros after it */
    unsigned char bytes[64] = {(unsigned char)tag};
    Cursor c = cursor_over(bytes, sizeof bytes);
    Value v;
    value_get(&c, &v);
    bool unknown = (tag > TAG_LOCAL && tag < TAG_POSITIVE) || tag >= TAG_NEGATIVE + 8;
    bool zeros_are_wrong = (tag >= TAG_POSITIVE && tag < TAG_NEGATIVE + 8 && tag != TAG_NEGATIVE) ||
                           tag == TAG_FLOAT64 || tag == TAG_LONG_STRING || tag == TAG_FAR_KNOWN;
    assert_int_equal(c.why != NULL, unknown || zeros_are_wrong);
    if (unknown) assert_int_equal(c.position, 0); /* the error is at the tag */
  }
}

/* ------------------------------------------------------- varints, cursors */

static void test_varints(void **state) {
  (void)state;
  for (unsigned shift = 0; shift < 64; shift++)
    for (int d = -1; d <= 1; d++) {
      uint64_t n = ((uint64_t)1 << shift) + (uint64_t)(int64_t)d;
      buffer_clear(&b);
      varint_put(&b, n);
      unsigned bits = 1;
      while (bits < 64 && n >> bits != 0) bits++;
      assert_int_equal(b.size, (bits + 6) / 7);
      Cursor c = cursor_over(b.data, b.size);
      assert_true(varint_get(&c) == n);
      assert_null(c.why);
      for (size_t cut = 0; cut < b.size; cut++) {
        c = cursor_over(b.data, cut);
        assert_true(varint_get(&c) == 0);
        assert_non_null(c.why);
      }
    }
  static const struct {
    const char *bytes;
    size_t size;
  } wrong[] = {
      {"\x80\x00", 2},
      {"\xff\x00", 2},
      {"\x80\x80\x00", 3},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},     /* 65 bits */
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11}, /* 11 bytes */
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    Cursor c = cursor_over(wrong[i].bytes, wrong[i].size);
    assert_true(varint_get(&c) == 0);
    assert_non_null(c.why);
  }
}

static void test_counts(void **state) {
  (void)state;
  Cursor c = cursor_over("\x02xy", 3);
  assert_int_equal(count_get(&c), 2);
  c = cursor_over("\x03xy", 3);
  assert_int_equal(count_get(&c), 0);
  assert_non_null(c.why);
  c = cursor_over("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01-", 11);
  assert_int_equal(count_get(&c), 0);
  assert_non_null(c.why);
}

static void test_the_first_error_stays(void **state) {
  (void)state;
  Cursor c = cursor_over("\x01\x02\x03", 3);
  assert_int_equal(cursor_byte(&c), 1);
  cursor_fail(&c, "first");
  cursor_fail(&c, "second");
  assert_string_equal(c.why, "first");
  assert_int_equal(c.position, 1);
  assert_int_equal(cursor_left(&c), 0);
  assert_int_equal(cursor_byte(&c), 0);
  assert_null(cursor_bytes(&c, 1));
  assert_true(fixed_get(&c, 8) == 0);
  assert_int_equal(c.position, 1);
}

/* No bytes may come without a place. */
static void test_no_bytes(void **state) {
  (void)state;
  Cursor c = cursor_over(NULL, 0);
  assert_int_equal(cursor_left(&c), 0);
  assert_non_null(cursor_bytes(&c, 0));
  assert_null(c.why);
  assert_int_equal(cursor_byte(&c), 0);
  assert_string_equal(c.why, "it ends too early");
  assert_int_equal(c.position, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_integers_have_one_form),
      cmocka_unit_test(test_floats),
      cmocka_unit_test(test_floats_have_one_form),
      cmocka_unit_test(test_narrow_floats_against_the_processor),
      cmocka_unit_test(test_strings),
      cmocka_unit_test(test_numbers_of_things),
      cmocka_unit_test(test_tags),
      cmocka_unit_test(test_varints),
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_the_first_error_stays),
      cmocka_unit_test(test_no_bytes),
  };
  return cmocka_run_group_tests(tests, open_buffer, close_buffer);
}
