/* The integer map against a naive one, under insertions, replacements and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "intmap.h"

#define KEYS 4096

/* A model: of each of KEYS keys the value, or INTMAP_NONE. */
typedef struct Model {
  IntMap map;
  uint32_t values[KEYS];
  size_t count;
} Model;

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed >> 12;
  *seed ^= *seed << 25;
  *seed ^= *seed >> 27;
  return *seed * UINT64_C(2685821657736338717);
}

/* Different patterns of keys: small ones, pointers, hashes, all in one place of a table of 2^20. */
static uint64_t key_of(unsigned pattern, size_t i) {
  uint64_t seed = i + 1;
  switch (pattern) {
    case 0: return i + 1;
    case 1: return UINT64_C(0x7f0000000000) + 48 * i;
    case 2: return next_random(&seed) | 1;
    default: return ((uint64_t)i + 1) << 44; /* the low bits of what is hashed are all the same */
  }
}

static void check_all(const Model *m, unsigned pattern) {
  assert_int_equal(m->map.count, m->count);
  for (size_t i = 0; i < KEYS; i++) assert_int_equal(intmap_get(&m->map, key_of(pattern, i)), m->values[i]);
}

static void test_against_a_model(void **state) {
  (void)state;
  uint64_t seed = 4711;
  for (unsigned pattern = 0; pattern < 4; pattern++) {
    Model m;
    memset(&m, 0xff, sizeof m); /* all INTMAP_NONE */
    m.count = 0;
    intmap_init(&m.map, &hearth_libc_allocator);
    check_all(&m, pattern);
    for (size_t round = 0; round < 40000; round++) {
      size_t range = round / 8000 % 2 ? KEYS / 16 : KEYS; /* dense at times */
      size_t i = (size_t)(next_random(&seed) % range);
      if (next_random(&seed) % 5 < (round / 4000 % 2 ? 3u : 2u)) {
        intmap_remove(&m.map, key_of(pattern, i));
        m.count -= m.values[i] != INTMAP_NONE;
        m.values[i] = INTMAP_NONE;
      } else {
        uint32_t value = (uint32_t)(next_random(&seed) >> 40);
        assert_true(intmap_put(&m.map, key_of(pattern, i), value));
        m.count += m.values[i] == INTMAP_NONE;
        m.values[i] = value;
      }
      assert_int_equal(intmap_get(&m.map, key_of(pattern, i)), m.values[i]);
      if (round % 1000 == 0) check_all(&m, pattern);
    }
    check_all(&m, pattern);
    for (size_t i = 0; i < KEYS; i++) intmap_remove(&m.map, key_of(pattern, i));
    assert_int_equal(m.map.count, 0);
    intmap_free(&m.map);
  }
}

static void test_empty(void **state) {
  (void)state;
  IntMap m;
  intmap_init(&m, &hearth_libc_allocator);
  assert_int_equal(intmap_get(&m, 1), INTMAP_NONE);
  intmap_remove(&m, 1);
  intmap_free(&m);
  intmap_free(&m);
  assert_int_equal(intmap_get(&m, 0), INTMAP_NONE); /* no key at all */
  assert_true(intmap_put(&m, UINT64_MAX, 0)); /* usable again */
  assert_int_equal(intmap_get(&m, 0), INTMAP_NONE);
  assert_int_equal(intmap_get(&m, UINT64_MAX), 0);
  intmap_free(&m);
}

/* ------------------------------------------------------------ no memory */

typedef struct Quota {
  size_t left;
} Quota;

static void *limited_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Quota *q = ud;
  (void)osize;
  if (nsize == 0) {
    free(ptr);
    return NULL;
  }
  if (q->left == 0) return NULL;
  q->left--;
  return realloc(ptr, nsize);
}

static void test_without_memory(void **state) {
  (void)state;
  Quota quota = {2};
  hearth_allocator a = {limited_alloc, &quota};
  IntMap m;
  intmap_init(&m, &a);
  uint64_t key = 1;
  while (intmap_put(&m, key, (uint32_t)key)) key++;
  assert_int_equal(m.count, key - 1);
  for (uint64_t k = 1; k < key; k++) assert_int_equal(intmap_get(&m, k), k); /* nothing changed */
  assert_int_equal(intmap_get(&m, key), INTMAP_NONE);
  intmap_remove(&m, 1);
  assert_true(intmap_put(&m, key, 7));
  quota.left = 1;
  assert_true(intmap_reserve(&m, 1000));
  for (uint64_t k = 0; k < 1000; k++) assert_true(intmap_put(&m, 100000 + k, 1)); /* promised */
  intmap_free(&m);
}

static void test_buffer(void **state) {
  (void)state;
  Quota quota = {3};
  hearth_allocator a = {limited_alloc, &quota};
  Buffer b;
  buffer_init(&b, &a);
  assert_non_null(buffer_reserve(&b, 0)); /* also for no bytes: memcpy wants a pointer */
  assert_int_equal(b.size, 0);
  size_t n = 0;
  while (!b.failed) {
    buffer_put(&b, "0123456789", 10);
    if (!b.failed) n += 10;
  }
  assert_int_equal(b.size, n); /* sticky, and what was there stays */
  buffer_byte(&b, 'x');
  assert_int_equal(b.size, n);
  for (size_t i = 0; i < n; i++) assert_int_equal(b.data[i], '0' + i % 10);
  assert_null(buffer_reserve(&b, 1));
  buffer_clear(&b);
  buffer_byte(&b, 'y');
  assert_int_equal(b.size, 1);
  assert_null(buffer_reserve(&b, SIZE_MAX)); /* no overflow */
  assert_true(b.failed);
  buffer_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_a_model), cmocka_unit_test(test_empty), cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_buffer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
