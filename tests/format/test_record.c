/* The chapters "Records" and "Blobs": heads, shapes, the header of a blob. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"

static Value text(const char *s) {
  Value v;
  v.kind = VALUE_STRING;
  v.as.bytes = (const unsigned char *)s;
  v.size = strlen(s);
  return v;
}

static Value integer(int64_t n) {
  Value v;
  v.kind = VALUE_INTEGER;
  v.as.integer = n;
  v.size = 0;
  return v;
}

static void check_head(const Head *h) {
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  head_put(&b, h);
  assert_false(b.failed);
  Cursor c = cursor_over(b.data, b.size);
  Head r;
  head_get(&c, &r);
  assert_null(c.why);
  assert_int_equal(cursor_left(&c), 0);
  assert_int_equal(r.kind, h->kind);
  assert_int_equal(r.flags, h->flags);
  assert_true(r.array == h->array && r.pairs == h->pairs && r.shape == h->shape && r.prototype == h->prototype &&
              r.size == h->size && r.check == h->check);
  assert_int_equal(r.name.kind, h->name.kind);
  if (h->name.kind == VALUE_STRING) {
    assert_int_equal(r.name.size, h->name.size);
    assert_memory_equal(r.name.as.bytes, h->name.as.bytes, h->name.size);
  } else if (h->name.kind == VALUE_INTEGER) {
    assert_true(r.name.as.integer == h->name.as.integer);
  }
  for (size_t n = 0; n < b.size; n++) {
    c = cursor_over(b.data, n);
    head_get(&c, &r);
    assert_non_null(c.why);
  }
  buffer_free(&b);
}

static void test_heads(void **state) {
  (void)state;
  for (unsigned flags = 0; flags < 16; flags++) {
    Head h = {.kind = OBJECT_TABLE, .flags = (unsigned char)(flags << 4)};
    if (h.flags & HEAD_ARRAY) h.array = 300;
    if (h.flags & HEAD_SHAPE) h.shape = 127;
    if (h.flags & HEAD_PAIRS) h.pairs = UINT64_MAX;
    check_head(&h);
  }
  for (unsigned kind = PERMANENT_TABLE; kind <= PERMANENT_CELL; kind++) {
    Head h = {.kind = OBJECT_PERMANENT, .flags = (unsigned char)kind};
    h.name = text("game.spawn^count");
    check_head(&h);
    h.name = integer(-5);
    check_head(&h);
    h.name.kind = VALUE_TRUE;
    h.name.as.number = 0;
    check_head(&h);
  }
  Head typed = {.kind = OBJECT_SPECIAL, .flags = HEAD_TYPED, .name = text("point")};
  check_head(&typed);
  check_head(&(Head){.kind = OBJECT_SPECIAL});
  check_head(&(Head){.kind = OBJECT_CLOSURE, .prototype = 128});
  check_head(&(Head){.kind = OBJECT_CELL});
  check_head(&(Head){.kind = OBJECT_LATE});
  check_head(&(Head){.kind = OBJECT_SHAPE});
  check_head(&(Head){.kind = OBJECT_PROTOTYPE, .check = UINT64_C(0x0123456789abcdef)});
  check_head(&(Head){.kind = OBJECT_STRING, .size = 1u << 20});
  check_head(&(Head){.kind = OBJECT_PAGED, .flags = HEAD_METATABLE, .array = 1000, .pairs = 128});
}

/* Every first byte is a kind with its flags, or refused. */
static void test_heads_first_bytes(void **state) {
  (void)state;
  static const unsigned char allowed[] = {[OBJECT_TABLE] = 0xF0, [OBJECT_PERMANENT] = 0xF0, [OBJECT_SPECIAL] = 0x10,
                                          [OBJECT_PAGED] = 0x80, [OBJECT_PAGED + 5] = 0};
  for (unsigned byte = 0; byte < 256; byte++) {
    unsigned kind = byte & 15, flags = byte & 0xF0;
    unsigned char bytes[16] = {(unsigned char)byte, 1, 1, 1, 1};
    Cursor c = cursor_over(bytes, sizeof bytes);
    Head h;
    head_get(&c, &h);
    bool good = kind >= OBJECT_TABLE && kind <= OBJECT_PAGED && (flags & ~allowed[kind] & 0xFFu) == 0;
    if (kind == OBJECT_PERMANENT && flags >> 4 > PERMANENT_CELL) good = false;
    assert_int_equal(c.why == NULL, good);
  }
}

static void test_names_are_scalars(void **state) {
  (void)state;
  static const unsigned char wrong[] = {TAG_NIL, TAG_REF, TAG_NEXT, TAG_KNOWN, TAG_DEFINE, TAG_LOCAL, TAG_FAR_KNOWN};
  for (size_t i = 0; i < sizeof wrong; i++) {
    for (unsigned first = 0x04; first <= 0x15; first += 0x11) { /* permanent, typed special */
      unsigned char bytes[] = {(unsigned char)first, wrong[i], 40, 40, 40};
      Cursor c = cursor_over(bytes, sizeof bytes);
      Head h;
      head_get(&c, &h);
      assert_non_null(c.why);
    }
  }
}

static bool reads_as_shape(const char *bytes, size_t size, size_t count) {
  Value keys[SHAPE_MAX_KEYS];
  Cursor c = cursor_over(bytes, size);
  size_t n = shape_get(&c, keys);
  assert_int_equal(n, c.why == NULL ? count : 0);
  return c.why == NULL;
}

static void test_shapes(void **state) {
  (void)state;
  assert_true(reads_as_shape("\x01\x81x", 3, 1));
  assert_true(reads_as_shape("\x02\x80\x81x", 4, 2));
  assert_true(reads_as_shape("\x03\x81x\x82xx\x81y", 8, 3));
  assert_false(reads_as_shape("\x00", 1, 0));
  assert_false(reads_as_shape("\x02\x81x\x81x", 5, 0));     /* twice */
  assert_false(reads_as_shape("\x02\x81y\x81x", 5, 0));     /* not in order */
  assert_false(reads_as_shape("\x02\x82xx\x81x", 6, 0));
  assert_false(reads_as_shape("\x02\x81\x80\x81\x7f", 5, 0)); /* bytes are unsigned */
  assert_true(reads_as_shape("\x02\x81\x7f\x81\x80", 5, 2));
  assert_false(reads_as_shape("\x01\x01", 2, 0));           /* an integer */
  assert_false(reads_as_shape("\x01\xa0", 2, 0));           /* by dictionary */
  assert_false(reads_as_shape("\x01\xc6\x01x", 4, 0));
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  for (unsigned count = SHAPE_MAX_KEYS; count <= SHAPE_MAX_KEYS + 1; count++) {
    buffer_clear(&b);
    varint_put(&b, count);
    for (unsigned i = 0; i < count; i++) {
      unsigned char key = (unsigned char)('0' + i);
      value_put_string(&b, &key, 1);
    }
    assert_int_equal(reads_as_shape((const char *)b.data, b.size, count), count == SHAPE_MAX_KEYS);
  }
  static const char dashes[] = "-----------------------------------------";
  for (size_t size = SHAPE_MAX_KEY_SIZE; size <= SHAPE_MAX_KEY_SIZE + 1; size++) {
    buffer_clear(&b);
    varint_put(&b, 1);
    value_put_string(&b, dashes, size);
    assert_int_equal(reads_as_shape((const char *)b.data, b.size, 1), size == SHAPE_MAX_KEY_SIZE);
  }
  buffer_free(&b);
}

/* A header of `tail` more bytes than itself. */
static bool header(unsigned char written, unsigned char readable, unsigned char flags, uint64_t counts, bool *newer) {
  Buffer b;
  BlobHeader h = {written, readable, flags, 0x54, 0x88, counts, counts, counts, counts}, r;
  buffer_init(&b, &hearth_libc_allocator);
  blob_header_put(&b, &h);
  buffer_put(&b, "12345678", 8);
  Cursor c = cursor_over(b.data, b.size);
  bool good = blob_header_get(&c, &r, newer);
  if (good) {
    assert_memory_equal(&r.shapes, &h.shapes, 4 * sizeof h.shapes);
    assert_int_equal(r.flags, flags);
    assert_int_equal(cursor_left(&c), 8);
  }
  for (size_t n = 0; good && n < b.size - 8; n++) {
    bool later;
    c = cursor_over(b.data, n);
    assert_false(blob_header_get(&c, &r, &later));
    assert_false(later);
  }
  buffer_free(&b);
  return good;
}

static void test_blob_header(void **state) {
  (void)state;
  bool newer;
  assert_true(header(FORMAT_VERSION, FORMAT_READABLE_BY, 0, 0, &newer));
  assert_true(header(FORMAT_VERSION, FORMAT_READABLE_BY, BLOB_CANONICAL | BLOB_STRIPPED, 5, &newer));
  assert_false(header(FORMAT_VERSION, FORMAT_READABLE_BY, 4, 0, &newer)); /* an unknown flag */
  assert_false(newer);
  assert_true(header(FORMAT_VERSION + 1, FORMAT_VERSION, 4, 0, &newer)); /* which a newer writer may have */
  assert_false(header(FORMAT_VERSION + 1, FORMAT_VERSION + 1, 0, 0, &newer));
  assert_true(newer);
  assert_false(header(FORMAT_VERSION, 0, 0, 0, &newer));
  assert_false(newer);
  assert_false(header(0, FORMAT_VERSION, 0, 0, &newer));
  assert_false(newer);
  assert_false(header(FORMAT_VERSION, FORMAT_READABLE_BY, 0, 100, &newer)); /* more than the bytes that remain */
  assert_false(newer);
  Cursor c = cursor_over("not a blob at all", 17);
  BlobHeader h;
  assert_false(blob_header_get(&c, &h, &newer));
  assert_false(newer);
  assert_int_equal(c.position, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_heads),  cmocka_unit_test(test_heads_first_bytes), cmocka_unit_test(test_names_are_scalars),
      cmocka_unit_test(test_shapes), cmocka_unit_test(test_blob_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
