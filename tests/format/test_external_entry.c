/* The chapter "External tables": keys in their order and their one form, values, records. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "external_entry.h"

static Value integer(int64_t n) {
  Value v = {.kind = VALUE_INTEGER, .size = 0};
  v.as.integer = n;
  return v;
}

static Value number(double d) {
  Value v = {.kind = VALUE_FLOAT, .size = 0};
  memcpy(&v.as.bits, &d, sizeof d);
  return v;
}

static Value text(const char *s, size_t size) {
  Value v = {.kind = VALUE_STRING, .size = size};
  v.as.bytes = (const unsigned char *)s;
  return v;
}

/* In ascending order. */
static size_t put_keys(Value keys[]) {
  size_t n = 0;
  keys[n++] = (Value){.kind = VALUE_FALSE};
  keys[n++] = (Value){.kind = VALUE_TRUE};
  keys[n++] = number(-HUGE_VAL);
  keys[n++] = number(-1e300);
  keys[n++] = integer(INT64_MIN);
  keys[n++] = integer(INT64_MIN + 1);
  keys[n++] = integer(-(INT64_C(1) << 53) - 1);
  keys[n++] = number(-2.5);
  keys[n++] = integer(-1);
  keys[n++] = number(-5e-324);
  keys[n++] = integer(0);
  keys[n++] = number(5e-324);
  keys[n++] = number(0.5);
  keys[n++] = integer(1);
  keys[n++] = number(1.5);
  keys[n++] = integer(1000000);
  keys[n++] = integer((INT64_C(1) << 53) + 1);
  keys[n++] = integer(INT64_MAX - 1);
  keys[n++] = integer(INT64_MAX);
  keys[n++] = number(9223372036854775808.0);
  keys[n++] = number(HUGE_VAL);
  keys[n++] = text("", 0);
  keys[n++] = text("\0", 1);
  keys[n++] = text("a", 1);
  keys[n++] = text("ab", 2);
  keys[n++] = text("b", 1);
  return n;
}

static void test_keys(void **state) {
  (void)state;
  Value keys[32];
  unsigned char before[EXTERNAL_MAX_KEY], bytes[EXTERNAL_MAX_KEY + 1];
  size_t count = put_keys(keys), before_size = 0;
  for (size_t i = 0; i < count; i++) {
    size_t size = external_put_key(bytes, &keys[i]);
    assert_true(size > 0);
    if (i > 0 && value_compare_bytes(before, before_size, bytes, size) >= 0) fail_msg("key %zu is out of order", i);
    Cursor c = cursor_over(bytes, size);
    Value v;
    external_get_key(&c, &v);
    assert_null(c.why);
    assert_int_equal(v.kind, keys[i].kind);
    if (v.kind == VALUE_STRING)
      assert_memory_equal(v.as.bytes, keys[i].as.bytes, v.size);
    else if (v.kind == VALUE_INTEGER || v.kind == VALUE_FLOAT)
      assert_true(v.as.number == keys[i].as.number);
    bytes[size] = 0; /* a zero at the end is another string, and no other key */
    c = cursor_over(bytes, size + 1);
    external_get_key(&c, &v);
    assert_int_equal(c.why == NULL, keys[i].kind == VALUE_STRING);
    memcpy(before, bytes, size);
    before_size = size;
  }
  static char longest[EXTERNAL_MAX_KEY];
  Value v = text(longest, EXTERNAL_MAX_KEY - 1);
  assert_int_equal(external_put_key(bytes, &v), EXTERNAL_MAX_KEY);
  v.size++;
  assert_int_equal(external_put_key(bytes, &v), 0);
}

static void test_wrong_keys(void **state) {
  (void)state;
  static const char again[] = "a key's number is not in its one form";
  static const struct {
    const char *bytes;
    size_t size;
    const char *why;
  } cases[] = {
      {"", 0, "it ends too early"},
      {"\0", 1, "a key of an unknown kind"},
      {"\5", 1, "a key of an unknown kind"},
      {"\1\0", 2, "bytes follow after a key"},
      {"\3", 1, again},                                       /* the NaN without a bit */
      {"\3\xff\xf8", 3, again},                               /* a NaN */
      {"\3\xff\xf0\0\0\0\0\0\1", 9, again},                   /* another */
      {"\3\x80\0", 3, again},                                 /* zeros at the end */
      {"\3\x7f\xff\xff\xff\xff\xff\xff\xff", 9, again},       /* -0.0 */
      {"\3\xbf\xf0\0\0\0\0\0\0\0\1", 11, again},              /* 1 + 1 is 2 */
      {"\3\xbf\xf8\0\0\0\0\0\0\0\1", 11, again},              /* 1.5 + 1 */
      {"\3\xc3\xb0\0\0\0\0\0\0\1\1", 11, again},               /* more than neighbouring doubles are apart */
      {"\3\xc3\xd0\0\0\0\0\0\0\4\0", 11, again},
      {"\3\xc3\xdf\xff\xff\xff\xff\xff\xff\xff\xff", 11, again}, /* over 2^63 */
      {"\3\xbf\xf0\0\0\0\0\0\0\0\1\1", 12, "a key's number is too long"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Cursor c = cursor_over(cases[i].bytes, cases[i].size);
    Value v;
    external_get_key(&c, &v);
    if (c.why == NULL || strcmp(c.why, cases[i].why) != 0) fail_msg("case %zu: %s", i, c.why != NULL ? c.why : "read");
    assert_true(c.position <= cases[i].size);
  }
}

static void test_values(void **state) {
  (void)state;
  const Value values[] = {{.kind = VALUE_FALSE}, {.kind = VALUE_TRUE}, integer(-1), integer(1000), number(2.5),
                          {.kind = VALUE_REF, .as = {7}}, text("short", 5),
                          text("long long long long long long long", 34)};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    Buffer b;
    buffer_init(&b, &hearth_libc_allocator);
    if (values[i].kind == VALUE_STRING) {
      external_put_string_head(&b, values[i].size);
      buffer_put(&b, values[i].as.bytes, values[i].size);
    } else {
      external_put_plain(&b, &values[i]);
    }
    for (size_t n = 0; n <= b.size; n++) {
      ExternalValue v;
      Cursor c = cursor_over(b.data, n);
      external_get_value(&c, &v);
      assert_int_equal(c.why == NULL, n == b.size);
      assert_false(v.blob);
      if (n == b.size) assert_int_equal(v.value.kind, values[i].kind);
    }
    buffer_free(&b);
  }
  ExternalValue v;
  Cursor c = cursor_over("\1bytes", 6);
  external_get_value(&c, &v);
  assert_null(c.why);
  assert_true(v.blob);
  assert_int_equal(v.size, 5);
  assert_memory_equal(v.bytes, "bytes", 5);
}

static void test_wrong_values(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size, position;
    const char *why;
  } cases[] = {
      {"", 0, 0, "it ends too early"},
      {"\2\5", 2, 1, "a value of an unknown form"},
      {"\0", 1, 1, "it ends too early"},
      {"\0\xc0", 2, 2, "a tag that has no place in an external table"}, /* nil: that is no entry */
      {"\0\xc9", 2, 2, "a tag that has no place in an external table"},
      {"\0\xa0", 2, 2, "a tag that has no place in an external table"},
      {"\0\xc6\1x", 4, 4, "a tag that has no place in an external table"},
      {"\0\xca\0", 3, 3, "a tag that has no place in an external table"},
      {"\0\5\5", 3, 2, "bytes follow after a value"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ExternalValue v;
    Cursor c = cursor_over(cases[i].bytes, cases[i].size);
    external_get_value(&c, &v);
    if (c.why == NULL || strcmp(c.why, cases[i].why) != 0) fail_msg("case %zu: %s", i, c.why != NULL ? c.why : "read");
    assert_int_equal(c.position, cases[i].position);
  }
}

static void test_records(void **state) {
  (void)state;
  uint64_t to, from;
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  external_put_record(&b, 300, UINT64_MAX);
  for (size_t n = 0; n <= b.size; n++) {
    Cursor c = cursor_over(b.data, n);
    external_get_record(&c, &to, &from);
    assert_int_equal(c.why == NULL, n == b.size);
  }
  assert_true(to == 300 && from == UINT64_MAX);
  buffer_byte(&b, 0);
  Cursor c = cursor_over(b.data, b.size);
  external_get_record(&c, &to, &from);
  assert_string_equal(c.why, "bytes follow after a record");
  assert_int_equal(c.position, b.size - 1);
  buffer_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys),         cmocka_unit_test(test_wrong_keys), cmocka_unit_test(test_values),
      cmocka_unit_test(test_wrong_values), cmocka_unit_test(test_records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
