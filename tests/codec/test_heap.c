/* The heap: slots that are used again, and contents whose hashes collide, which no test finds by chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap.h"

static uint32_t constant(Heap *h, ObjectKind kind, uint64_t low, uint64_t high, bool expect_new) {
  bool is_new;
  uint32_t index = heap_constant(h, kind, (Hash128){.low = low, .high = high}, 0, &is_new);
  assert_int_not_equal(index, HEAP_NONE);
  assert_int_equal(is_new, expect_new);
  return index;
}

static void test_colliding_contents(void **state) {
  (void)state;
  static const struct {
    ObjectKind kind;
    uint64_t low, high;
  } contents[] = {
      {OBJECT_SHAPE, 0, 1},
      {OBJECT_SHAPE, 5, 1},
      {OBJECT_SHAPE, 5, 2},     /* half of its hash is another's */
      {OBJECT_STRING, 5, 1},    /* the bytes of a shape, as a string */
      {OBJECT_PROTOTYPE, 6, 1}, /* its place is taken by now */
      {OBJECT_SHAPE, UINT64_MAX, 1},
      {OBJECT_SHAPE, UINT64_MAX, 2}, /* the next key would be 0 */
      {OBJECT_SHAPE, 1, 1},
  };
  enum { COUNT = sizeof contents / sizeof *contents, OTHERS = 100 };
  for (size_t removed = 0; removed <= COUNT; removed++) {
    Heap h;
    uint32_t index[COUNT];
    heap_init(&h, &hearth_libc_allocator, (HashKey){7, 8});
    for (size_t i = 0; i < COUNT; i++)
      index[i] = constant(&h, contents[i].kind, contents[i].low, contents[i].high, true);
    for (size_t i = 0; i < OTHERS; i++) (void)constant(&h, OBJECT_SHAPE, 1000 + i, 1, true); /* the map grows */
    for (size_t i = 0; i < COUNT; i++) {
      assert_int_equal(constant(&h, contents[i].kind, contents[i].low, contents[i].high, false), index[i]);
      for (size_t j = 0; j < i; j++) assert_int_not_equal(h.constants[index[i]].number, h.constants[index[j]].number);
    }
    for (size_t i = removed; i < COUNT; i++) heap_remove_constant(&h, index[i]);
    for (size_t i = removed; i-- > 0;) heap_remove_constant(&h, index[i]); /* those first in their row come last */
    for (size_t i = 0; i < COUNT; i++) constant(&h, contents[i].kind, contents[i].low, contents[i].high, true);
    assert_int_equal(h.constant_count, COUNT + OTHERS); /* the slots are used again */
    heap_free(&h);
  }
}

/* Numbers of constants: in a store one row for all that there is, in a blob one for each kind. */
static void test_numbers(void **state) {
  (void)state;
  for (int separate = 0; separate < 2; separate++) {
    Heap h;
    heap_init(&h, &hearth_libc_allocator, (HashKey){7, 8});
    h.separate_constants = separate;
    uint32_t object = heap_add(&h, 0, 0);
    assert_int_equal(h.objects[object].number, 1);
    uint32_t a = constant(&h, OBJECT_SHAPE, 1, 1, true), b = constant(&h, OBJECT_PROTOTYPE, 2, 1, true);
    uint32_t c = constant(&h, OBJECT_SHAPE, 3, 1, true);
    assert_int_equal(h.constants[a].number, separate ? 0 : 2);
    assert_int_equal(h.constants[b].number, separate ? 0 : 3);
    assert_int_equal(h.constants[c].number, separate ? 1 : 4);
    heap_free(&h);
  }
}

static void test_slots(void **state) {
  (void)state;
  Heap h;
  heap_init(&h, &hearth_libc_allocator, (HashKey){7, 8});
  for (uint32_t i = 0; i < 100; i++) assert_int_equal(heap_add(&h, 8 * (i + 1), 0), i);
  for (uint32_t i = 0; i < 100; i += 2) heap_remove(&h, i);
  for (uint32_t i = 0; i < 100; i++) {
    uint32_t slot = heap_find(&h, 8 * (i + 1));
    assert_int_equal(slot, i % 2 ? i : HEAP_NONE);
  }
  for (uint32_t i = 0; i < 50; i++) assert_true(heap_add(&h, 8 * (i + 1000), 0) < 100);
  assert_int_equal(heap_add(&h, 1, 0), 100);
  assert_int_equal(h.objects[100].number, 151); /* numbers are not */
  heap_free(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_colliding_contents),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_slots),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
