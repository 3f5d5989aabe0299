/* The chapter "Stores": keys of entries, and the metadata. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layout.h"

#define MOST (UINT64_C(1) << 53)

static const LayoutKey keys[] = {
    {.kind = LAYOUT_CONSTANT, .number = 1},
    {.kind = LAYOUT_CONSTANT, .number = MOST},
    {.kind = LAYOUT_CHUNK, .number = 0x0102030405, .chunk = 0},
    {.kind = LAYOUT_CHUNK, .number = 3, .chunk = UINT32_MAX},
    {.kind = LAYOUT_METADATA},
    {.kind = LAYOUT_OBJECT, .number = 258},
    {.kind = LAYOUT_PAGE, .number = 9, .section = 0, .prefix = UINT64_C(0x0123456789abcdef), .depth = 64},
    {.kind = LAYOUT_PAGE, .number = 9, .section = 1, .prefix = 0, .depth = 0},
    {.kind = LAYOUT_EXTERNAL, .number = MOST},
};

static void test_keys(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    unsigned char bytes[LAYOUT_MAX_KEY + 1] = {0};
    size_t size = layout_put_key(bytes, &keys[i]);
    assert_true(size > 0 && size <= LAYOUT_MAX_KEY);
    LayoutKey k = layout_get_key(bytes, size);
    assert_true(k.kind == keys[i].kind && k.number == keys[i].number && k.chunk == keys[i].chunk &&
                k.section == keys[i].section && k.prefix == keys[i].prefix && k.depth == keys[i].depth);
    for (size_t n = 0; n <= LAYOUT_MAX_KEY + 1; n++) { /* cut off, or with zeros after it: another key, or none */
      k = layout_get_key(bytes, n);
      if (n != size && k.kind == keys[i].kind) fail_msg("key %zu of %zu bytes", i, n);
    }
  }
}

static void test_what_is_no_key(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } wrong[] = {
      {"", 0},
      {"c", 1},
      {"m\0\0\0\0\0\0\1", 8},
      {"x\0\0\0\0\0\0", 7},
      {"x\0\0\0\0\0\0\1\0", 9},
      {"C\0\0\0\0\0\0\1", 8}, /* kinds of LayoutKey, not of keys */
      {"O\0\0\0\0\0\0\1", 8},
      {"c\x20\0\0\0\0\0\1", 8}, /* numbers over 2^53, up to what 7 bytes can hold */
      {"o\xff\xff\xff\xff\xff\xff\xff", 8},
      {"x\x20\0\0\0\0\0\1", 8},
      {"c\0\0\0\0\0\0\1\0\0\0", 11},
      {"o\0\0\0\0\0\0\1\0\0\0\0", 12},
      {"o\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\0\0", 18},    /* a third section */
      {"o\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0\0\x41", 18}, /* 65 bits of 64 */
      {"c\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0\0\0", 18},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_int_equal(layout_get_key(wrong[i].bytes, wrong[i].size).kind, LAYOUT_NONE);
}

/* --------------------------------------------------------------- metadata */

static void test_metadata(void **state) {
  (void)state;
  Metadata m = {1, 1, 5, 0, 99, UINT64_C(1700000000000), 4096, "hearth", 12, "file:world.hearth"}, r;
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  metadata_put(&b, &m);
  for (size_t n = 0; n < b.size; n++) {
    Cursor c = cursor_over(b.data, n);
    metadata_get(&c, &r);
    assert_non_null(c.why);
  }
  Cursor c = cursor_over(b.data, b.size);
  metadata_get(&c, &r);
  assert_null(c.why);
  assert_memory_equal(&r, &m, offsetof(Metadata, writer));
  assert_string_equal(r.writer, "hearth");
  assert_string_equal(r.copy_of, "file:world.hearth");
  assert_true(r.copied_batch == 12);
  buffer_byte(&b, 0);
  c = cursor_over(b.data, b.size);
  metadata_get(&c, &r);
  assert_string_equal(c.why, "bytes follow after the metadata");
  assert_int_equal(c.position, b.size - 1);
  buffer_free(&b);
}

/* Pairs that this version does not write: read as what they are, or passed over, or refused. */
static void test_other_metadata(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
    const char *why;
    uint64_t home;
    const char *writer;
  } cases[] = {
      {"\0", 1, NULL, 0, ""},
      {"\1\x83new\5", 6, NULL, 0, ""},                             /* an unknown name */
      {"\1\x8bhomeTableId\7", 14, NULL, 7, ""},
      {"\1\x8bhomeTableId\xd8\0", 15, NULL, 0, ""},                /* negative */
      {"\1\x8bhomeTableId\x81x", 15, NULL, 0, ""},                 /* a string */
      {"\1\x8bhomeTableJd\7", 14, NULL, 0, ""},
      {"\1\x86writer\x82me", 11, NULL, 0, "me"},
      {"\1\x86writer\7", 9, NULL, 0, ""},
      {"\1\x86writes\x82me", 11, NULL, 0, ""},
      {"\1\x85write\x82me", 10, NULL, 0, ""},
      {"\1\7\7", 3, "the metadata holds something that is no name and scalar", 0, ""},
      {"\1\x83new\xc9", 6, "the metadata holds something that is no name and scalar", 0, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Metadata m;
    Cursor c = cursor_over(cases[i].bytes, cases[i].size);
    metadata_get(&c, &m);
    if (c.why != cases[i].why && (c.why == NULL || cases[i].why == NULL || strcmp(c.why, cases[i].why) != 0))
      fail_msg("case %zu: %s", i, c.why != NULL ? c.why : "read");
    assert_true(m.home_id == cases[i].home);
    assert_string_equal(m.writer, cases[i].writer);
  }
  Buffer b; /* a name that is longer than what is kept of it */
  Metadata m;
  buffer_init(&b, &hearth_libc_allocator);
  buffer_put(&b, "\1\x86writer", 8);
  value_put_string(&b, "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
  Cursor c = cursor_over(b.data, b.size);
  metadata_get(&c, &m);
  assert_null(c.why);
  assert_string_equal(m.writer, "012345678901234567890123456789012345678901234567890123456789012");
  buffer_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys),
      cmocka_unit_test(test_what_is_no_key),
      cmocka_unit_test(test_metadata),
      cmocka_unit_test(test_other_metadata),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
