/* Heads in a row: what repeats itself, written and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../rounds.h"
#include "heads.h"

#define MOST_HEADS 400

static Buffer new_buffer(void) {
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  return b;
}

static void write_heads(Buffer *b, const Head heads[], size_t count) {
  HeadWriter w;
  memset(&w, 0, sizeof w);
  for (size_t i = 0; i < count; i++) {
    size_t begin = b->size;
    head_put(b, &heads[i]);
    heads_added(&w, b, begin);
  }
  heads_end(&w, b);
  assert_false(b->failed);
}

/* Reads them into `heads`; the reason of a failure, or NULL. */
static const char *read_heads(const void *bytes, size_t size, Head heads[], size_t count) {
  HeadReader r = {.left = count};
  Cursor c = cursor_over(bytes, size);
  for (size_t i = 0; i < count; i++) {
    unsigned before = heads_next(&r, &c, &heads[i]);
    if (c.why != NULL) return c.why;
    assert_true(before <= i);
    if (before > 0) heads[i] = heads[i - before];
  }
  return cursor_left(&c) == 0 ? NULL : "bytes are left";
}

static void check_heads(const Head heads[], size_t count, size_t most_bytes) {
  static Head again[MOST_HEADS];
  Buffer b = new_buffer(), plain = new_buffer();
  for (size_t i = 0; i < count; i++) head_put(&plain, &heads[i]);
  write_heads(&b, heads, count);
  if (b.size > plain.size || b.size > most_bytes) fail_msg("%zu bytes for %zu", b.size, plain.size);
  assert_null(read_heads(b.data, b.size, again, count));
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(again[i].kind, heads[i].kind);
    assert_int_equal(again[i].flags, heads[i].flags);
    assert_true(again[i].array == heads[i].array && again[i].pairs == heads[i].pairs &&
                again[i].shape == heads[i].shape && again[i].prototype == heads[i].prototype);
  }
  /* also in the midst of a repeat */
  for (size_t n = 0; n < b.size; n++) assert_non_null(read_heads(b.data, n, again, count));
  buffer_free(&b);
  buffer_free(&plain);
}

static Head shaped(uint64_t shape) {
  return (Head){.kind = OBJECT_TABLE, .flags = HEAD_SHAPE, .shape = shape};
}

static Head array(uint64_t count) {
  return (Head){.kind = OBJECT_TABLE, .flags = HEAD_ARRAY, .array = count};
}

static void test_periods(void **state) {
  (void)state;
  Head heads[MOST_HEADS];
  for (size_t period = 1; period <= HEADS_MOST_PERIOD + 1; period++) {
    for (size_t i = 0; i < MOST_HEADS; i++) heads[i] = i % period == 0 ? array(3) : shaped(i % period);
    check_heads(heads, MOST_HEADS, period > HEADS_MOST_PERIOD ? SIZE_MAX : 2 * period + 3);
  }
}

static void test_bytes(void **state) {
  (void)state;
  static const struct {
    size_t count;
    const char *bytes;
  } rows[] = { /* of tables with shape 0 */
      {1, "\x21\x00"},
      {2, "\x21\x00\x21\x00"},
      {3, "\x21\x00\x0B\x02"}, /* not before it spares bytes */
      {4, "\x21\x00\x0B\x03"},
      {129, "\x21\x00\x0B\x80\x01"},
  };
  Head heads[MOST_HEADS];
  for (size_t i = 0; i < MOST_HEADS; i++) heads[i] = shaped(0);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    Buffer b = new_buffer();
    write_heads(&b, heads, rows[i].count);
    size_t size = rows[i].count == 129 ? 5 : rows[i].count > 1 ? 4 : 2;
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, rows[i].bytes, size);
    buffer_free(&b);
  }
  /* Two in turns; then something else; then the first again, by the heads that a repeat stands for. */
  for (size_t i = 0; i < 10; i++) heads[i] = i % 2 == 0 ? shaped(1) : array(3);
  heads[10] = (Head){.kind = OBJECT_CELL};
  for (size_t i = 11; i < 14; i++) heads[i] = heads[i - 3];
  static const char expected[] = "\x21\x01\x11\x03\x1B\x08\x03\x2B\x02\x03";
  Buffer b = new_buffer();
  write_heads(&b, heads, 14);
  assert_int_equal(b.size, sizeof expected - 1);
  assert_memory_equal(b.data, expected, b.size);
  buffer_free(&b);
}

/* Only tables' heads, of at most 8 bytes, are repeated. */
static void test_not_repeated(void **state) {
  (void)state;
  static const Head kinds[] = {
      {.kind = OBJECT_CELL}, {.kind = OBJECT_CLOSURE, .prototype = 3}, {.kind = OBJECT_LATE}, {.kind = OBJECT_SPECIAL},
      {.kind = OBJECT_TABLE, .flags = HEAD_ARRAY | HEAD_PAIRS, .array = 1u << 28, .pairs = 1u << 14}};
  Head heads[40];
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
    Buffer plain = new_buffer(), b = new_buffer();
    for (size_t i = 0; i < 40; i++) {
      heads[i] = kinds[kind];
      head_put(&plain, &heads[i]);
    }
    write_heads(&b, heads, 40);
    assert_int_equal(b.size, plain.size);
    assert_memory_equal(b.data, plain.data, b.size);
    check_heads(heads, 40, SIZE_MAX);
    buffer_free(&plain);
    buffer_free(&b);
  }
}

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed >> 12;
  *seed ^= *seed << 25;
  *seed ^= *seed >> 27;
  return *seed * UINT64_C(2685821657736338717) >> 32;
}

static void test_random(void **state) {
  (void)state;
  uint64_t seed = 4711;
  static Head heads[MOST_HEADS];
  for (size_t round = 0; round < rounds(400); round++) {
    uint64_t alphabet = 1 + next_random(&seed) % 6;
    size_t count = 1 + next_random(&seed) % MOST_HEADS, run = 0, period = 1;
    for (size_t i = 0; i < count; i++) {
      if (run == 0) {
        run = next_random(&seed) % 40;
        period = 1 + next_random(&seed) % 20;
      } else {
        run--;
      }
      uint64_t n = next_random(&seed) % alphabet;
      if (run > 0 && i >= period)
        heads[i] = heads[i - period];
      else if (n == 5)
        heads[i] = (Head){.kind = OBJECT_CLOSURE, .prototype = n};
      else
        heads[i] = n % 2 == 0 ? shaped(n * 100)
                              : (Head){.kind = OBJECT_TABLE, .flags = HEAD_METATABLE | HEAD_PAIRS, .pairs = n};
    }
    check_heads(heads, count, SIZE_MAX);
  }
}

/* Bytes of heads, as far as they are read. */
static void test_malformed(void **state) {
  (void)state;
  static const char none[] = "a repeat of no heads, or of more than there are objects";
  static const char no_table[] = "a repeat of what is no table";
  static const struct {
    const char *bytes;
    size_t size, count;
    const char *why;
    size_t position;
  } rows[] = {
      {"\x01\x0B\x02", 3, 3, NULL, 0},
      {"\x01\x0B\x02\x0B\x01", 5, 4, NULL, 0}, /* heads that a repeat stands for may be repeated */
      {"\x01\x02\x00\x1B\x01", 5, 3, NULL, 0}, /* only the table is */
      {"\x0B\x01", 2, 1, no_table, 0},         /* before the beginning */
      {"\x01\x1B\x01", 3, 2, no_table, 1},
      {"\x01\x01\xFB\x01", 4, 3, no_table, 2},
      {"\x01\x1B\x02\x01", 4, 4, no_table, 1},
      {"\x01\x0B\x00", 3, 2, none, 1},
      {"\x01\x0B\x02", 3, 2, none, 1},
      {"\x01\x0B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12, 3, none, 1},
      {"\x01\x0B\x81\x00", 4, 2, "a number is not in its shortest form", 4},
      {"\x01\x0B", 2, 2, "it ends too early", 2},
      {"\x01\x0B\x80", 3, 2, "it ends too early", 3},
      {"\x02\x00\x0B\x01", 4, 2, no_table, 2},
      {"\x01\x02\x00\x0B\x01", 5, 3, no_table, 3},
      {"\x01\x02\x00\x1B\x02", 5, 4, no_table, 3},
      {"\x03\x0B\x01", 3, 2, no_table, 1},
      {"\x06\x0B\x01", 3, 2, no_table, 1},
      {"\x24\x81x\x0B\x01", 5, 2, no_table, 3},
      {"\x05\x0B\x01", 3, 2, no_table, 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    HeadReader r = {.left = rows[i].count};
    Cursor c = cursor_over(rows[i].bytes, rows[i].size);
    Head head;
    for (size_t n = 0; n < rows[i].count && c.why == NULL; n++) (void)heads_next(&r, &c, &head);
    if (c.why != NULL && rows[i].why != NULL) assert_string_equal(c.why, rows[i].why);
    if ((c.why == NULL) != (rows[i].why == NULL)) fail_msg("row %zu: %s", i, c.why != NULL ? c.why : "no failure");
    if (c.why != NULL) assert_int_equal(c.position, rows[i].position);
  }
}

/* All memory requests fail from one on: what is there of the buffer stays. */
typedef struct Failing {
  size_t left;
} Failing;

static void *failing_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Failing *f = ud;
  if (nsize > 0 && f->left == 0) return NULL;
  if (nsize > 0) f->left--;
  return hearth_libc_allocator.alloc(NULL, ptr, osize, nsize);
}

static void put_head(HeadWriter *w, Buffer *b, Head head) {
  size_t begin = b->size;
  head_put(b, &head);
  heads_added(w, b, begin);
}

static void fail_from(size_t requests, uint64_t others_before) {
  Failing failing = {requests};
  hearth_allocator a = {failing_alloc, &failing};
  Buffer b;
  HeadWriter w;
  buffer_init(&b, &a);
  memset(&w, 0, sizeof w);
  for (uint64_t i = 0; i < others_before; i++) put_head(&w, &b, array(100 + i)); /* one byte each, then two */
  /* a repeat, and what ends it */
  for (uint64_t i = 0; i < 300; i++) put_head(&w, &b, i % 7 < 5 ? shaped(5) : array(i));
  heads_end(&w, &b);
  assert_true(b.failed);
  buffer_free(&b);
}

static void test_without_memory(void **state) {
  (void)state;
  for (size_t requests = 0; requests < 4; requests++)
    for (uint64_t others = 0; others < 64; others++) fail_from(requests, others);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_periods),   cmocka_unit_test(test_bytes),     cmocka_unit_test(test_not_repeated),
      cmocka_unit_test(test_random),    cmocka_unit_test(test_malformed), cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
