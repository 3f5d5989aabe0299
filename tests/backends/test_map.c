/* The ordered map against a plain sorted array. */
#include "testing.h"

#include <stdlib.h>

#include "buffer.h"
#include "map.h"

#define TABLES 3
#define KEYS 40

/* The model: which (table, key) is there, and its value. */
typedef struct Model {
  bool there[TABLES][KEYS];
  uint32_t value[TABLES][KEYS];
} Model;

/* Keys whose order as text is not that of their numbers, some of them beginning others. */
static size_t key_text(unsigned k, char out[16]) {
  return (size_t)snprintf(out, 16, "%u", k * k * 7u);
}

static unsigned depth(const MapEntry *e) {
  if (e == NULL) return 0;
  unsigned l = depth(e->left), r = depth(e->right);
  assert_int_equal((int)r - (int)l, e->balance);
  return 1 + (l > r ? l : r);
}

static int order(const MapEntry *a, const MapEntry *b) {
  if (a->table != b->table) return a->table < b->table ? -1 : 1;
  size_t n = a->key_size < b->key_size ? a->key_size : b->key_size;
  int c = memcmp(a->bytes, b->bytes, n);
  return c != 0 ? c : (int)a->key_size - (int)b->key_size;
}

static void compare_with_model(const Map *map, const Model *model) {
  size_t there = 0, seen = 0;
  (void)depth(map->root);
  for (unsigned t = 0; t < TABLES; t++)
    for (unsigned k = 0; k < KEYS; k++) {
      char key[16];
      MapEntry *e = map_find(map, t, key, key_text(k, key));
      assert_int_equal(e != NULL, model->there[t][k]);
      if (e == NULL) continue;
      uint32_t value;
      assert_int_equal(e->value_size, sizeof value);
      memcpy(&value, map_value(e), sizeof value);
      assert_int_equal(value, model->value[t][k]);
      there++;
    }
  assert_int_equal(map->count, there);
  MapRange all;
  map_from(map, 0, NULL, 0, &all);
  for (MapEntry *e, *last = NULL; (e = map_range_next(&all)) != NULL; last = e) {
    if (last != NULL) {
      assert_true(order(last, e) < 0);
      assert_ptr_equal(map_after(map, last->table, last->bytes, last->key_size), e);
    }
    assert_ptr_equal(map_lower(map, e->table, e->bytes, e->key_size), e);
    assert_ptr_equal(map_before(map, e->table, e->bytes, e->key_size), last);
    seen++;
  }
  assert_int_equal(seen, there);
}

static void changes_agree_with_a_model(void **state) {
  (void)state;
  Counting memory = {.fail_at = -1};
  hearth_allocator allocator = counting_allocator(&memory);
  Map map;
  Model model = {0};
  map_init(&map, &allocator);
  srand(7);
  for (unsigned round = 0; round < 6000; round++) {
    unsigned t = (unsigned)rand() % TABLES, k = (unsigned)rand() % KEYS;
    char key[16];
    size_t size = key_text(k, key);
    if (rand() % 500 == 0) {
      size_t n = 0;
      for (k = 0; k < KEYS; k++) n += model.there[t][k];
      assert_int_equal(map_drop(&map, t), n);
      memset(model.there[t], 0, sizeof model.there[t]);
    } else if (rand() % 2 == 0) {
      uint32_t value = (uint32_t)rand();
      assert_true(map_put(&map, t, key, size, &value, sizeof value));
      model.there[t][k] = true;
      model.value[t][k] = value;
    } else {
      assert_int_equal(map_remove(&map, t, key, size), model.there[t][k]);
      model.there[t][k] = false;
    }
    if (round % 10 == 0) compare_with_model(&map, &model);
    assert_int_equal(map.bytes, memory.bytes);
  }
  map_free(&map);
  assert_int_equal(memory.bytes, 0);
}

static void ranges_in_both_directions(void **state) {
  (void)state;
  Map map;
  map_init(&map, &hearth_libc_allocator);
  for (uint64_t t = 1; t <= 3; t++)
    for (unsigned char k = 10; k < 60; k += 10) assert_true(map_put(&map, t, &k, 1, &k, 1));
  for (unsigned from = 0; from < 70; from += 5)
    for (unsigned to = 0; to < 70; to += 5)
      for (int reverse = 0; reverse < 2; reverse++) {
        /* 0 and 65 stand for "from the first" and "to the last" */
        unsigned char a = (unsigned char)from, b = (unsigned char)to;
        unsigned low = from, high = to == 65 ? 100 : to;
        MapRange range;
        map_range(&map, 2, from == 0 ? NULL : &a, 1, to == 65 ? NULL : &b, 1, reverse != 0, &range);
        for (unsigned i = 1; i <= 5; i++) {
          unsigned k = reverse ? 60 - 10 * i : 10 * i;
          if (k < low || k >= high) continue;
          MapEntry *e = map_range_next(&range);
          assert_non_null(e);
          assert_int_equal(e->table, 2);
          assert_int_equal(e->bytes[0], k);
        }
        assert_null(map_range_next(&range));
      }
  map_free(&map);
}

static void a_failed_allocation_changes_nothing(void **state) {
  (void)state;
  Counting memory = {.fail_at = -1};
  hearth_allocator allocator = counting_allocator(&memory);
  Map map;
  map_init(&map, &allocator);
  assert_true(map_put(&map, 1, "a", 1, "one", 3));
  memory.fail_at = memory.calls;
  assert_false(map_put(&map, 1, "a", 1, "two", 3));
  memory.fail_at = memory.calls;
  assert_false(map_put(&map, 1, "b", 1, "two", 3));
  MapEntry *e = map_find(&map, 1, "a", 1);
  assert_memory_equal(map_value(e), "one", 3);
  assert_null(map_find(&map, 1, "b", 1));
  assert_int_equal(map.count, 1);
  map_free(&map);
}

/* Short keys, and long ones whose beginnings are the same. */
static size_t key_of(unsigned i, char out[32]) {
  return (size_t)snprintf(out, 32, i % 3 == 0 ? "%u" : i % 3 == 1 ? "a key %u" : "a rather long key %u", i);
}

static bool put(Map *map, unsigned i) {
  char key[32];
  return map_put(map, 1, key, key_of(i, key), &i, sizeof i);
}

static bool removed(Map *map, unsigned i) {
  char key[32];
  return map_remove(map, 1, key, key_of(i, key));
}

/* The same key in another table, and with the zero at its end, is never there. */
static bool there(const Map *map, unsigned i) {
  char key[32];
  size_t size = key_of(i, key);
  MapEntry *e = map_find(map, 1, key, size);
  if (e != NULL) assert_memory_equal(map_value(e), &i, sizeof i);
  assert_null(map_find(map, 2, key, size));
  assert_null(map_find(map, 1, key, size + 1));
  return e != NULL;
}

/* The hash table grows with what a map makes: one that takes over another's entries finds them all the same. */
static void entries_of_another_map(void **state) {
  enum { MANY = 5000 };
  (void)state;
  Counting memory = {.fail_at = -1};
  hearth_allocator allocator = counting_allocator(&memory);
  Map map, other;
  map_init(&map, &allocator);
  map_init(&other, &allocator);
  for (unsigned i = 0; i < MANY; i++) assert_true(put(i < 40 ? &map : &other, i));
  for (MapEntry *e; (e = other.root) != NULL;) {
    map_unlink(&other, e);
    assert_null(map_link(&map, e));
  }
  assert_int_equal(map.count, MANY);
  for (unsigned i = 0; i < MANY; i++) {
    assert_true(there(&map, i));
    if (i % 3 == 0) assert_true(put(&map, i)); /* the hash table is large enough now */
    if (i % 3 == 1) assert_true(removed(&map, i));
  }
  assert_int_equal(map.count, MANY - (MANY + 1) / 3);
  for (unsigned i = 0; i < MANY; i++) assert_int_equal(there(&map, i), i % 3 != 1);
  map_free(&other);
  map_free(&map);
  assert_int_equal(memory.bytes, 0);
}

/* Entries come and go while the hash table is as full as it gets: what is there is found, and nothing else. */
static void a_full_hash_table(void **state) {
  enum { MANY = 3000 };
  (void)state;
  static bool model[MANY];
  Map map;
  map_init(&map, &hearth_libc_allocator);
  memset(model, 0, sizeof model);
  srand(11);
  for (unsigned size = 100; size <= MANY; size += size / 4) {
    for (unsigned i = 0; i < size; i++) {
      if (!model[i]) assert_true(put(&map, i));
      model[i] = true;
    }
    for (unsigned i = 0; i < 2 * size; i++) {
      unsigned k = (unsigned)rand() % size;
      assert_int_equal(there(&map, k), model[k]);
      assert_false(there(&map, MANY + (unsigned)rand() % MANY));
      if (model[k]) assert_true(removed(&map, k));
      else assert_true(put(&map, k));
      model[k] = !model[k];
    }
    (void)depth(map.root);
    for (unsigned k = 0; k < size; k++) assert_int_equal(there(&map, k), model[k]);
  }
  map_free(&map);
}

/* Gives no memory for anything larger than an entry once there are so many; counts what was refused. */
typedef struct Meagre {
  const Map *map;
  size_t from, refused;
} Meagre;

static void *meagre_alloc(void *ud, void *pointer, size_t old_size, size_t size) {
  Meagre *m = ud;
  if (size > 200 && m->map->count >= m->from) {
    m->refused++;
    return NULL;
  }
  return hearth_libc_allocator.alloc(NULL, pointer, old_size, size);
}

/* Nothing fails for want of it, from the start or while it grows; and it is not asked for again at each entry. */
static void a_hash_table_without_memory(void **state) {
  enum { MANY = 4000 };
  (void)state;
  static const size_t from[] = {0, 100, 1000};
  for (size_t n = 0; n < sizeof from / sizeof from[0]; n++) {
    Map map;
    Meagre meagre = {&map, from[n], 0};
    hearth_allocator allocator = {meagre_alloc, &meagre};
    map_init(&map, &allocator);
    for (unsigned i = 0; i < MANY; i++) {
      assert_true(put(&map, i));
      for (unsigned k = i % 100; k <= i; k += 100) assert_true(there(&map, k));
      assert_false(there(&map, MANY + i));
    }
    assert_in_range(meagre.refused, 8, 60);
    (void)depth(map.root);
    for (unsigned i = 0; i < MANY; i += 2) assert_true(removed(&map, i));
    for (unsigned i = 0; i < MANY; i++) assert_int_equal(there(&map, i), i % 2);
    map_free(&map);
  }
}

/* On a machine of 32 bits two addresses in an entry and seven in a set of hints take 20 bytes less. */
static void an_entry_costs_at_most_96_bytes(void **state) {
  enum { MANY = 70000 };
  const size_t limit = sizeof(void *) == 8 ? 96 : 76;
  (void)state;
  Counting memory = {.fail_at = -1};
  hearth_allocator allocator = counting_allocator(&memory);
  Map map;
  size_t most = 0;
  map_init(&map, &allocator);
  for (unsigned i = 0; i < MANY; i++) {
    char key[25];
    snprintf(key, sizeof key, "%024u", i * 7919u % MANY);
    assert_true(map_put(&map, 1, key, 24, "123456789012", 12));
    size_t each = ((size_t)memory.bytes + i) / (i + 1) + 2 * sizeof(void *); /* with what malloc adds */
    if (each > most) most = each;
  }
  assert_int_equal(map.bytes, memory.bytes);
  assert_int_equal(map.count, MANY);
  assert_in_range(most, limit - 2, limit);
  for (unsigned i = 0; i < MANY; i++) { /* what has gone costs nothing for ever */
    char key[25];
    snprintf(key, sizeof key, "%024u", i);
    if (i % 50 != 0) assert_true(map_remove(&map, 1, key, 24));
  }
  assert_true(map_put(&map, 1, "a", 1, "b", 1));
  assert_true((size_t)memory.bytes + 2 * sizeof(void *) * map.count <= limit * map.count);
  assert_int_equal(map.bytes, memory.bytes); /* also where a size_t has 32 bits and the table became smaller */
  map_free(&map);
  assert_int_equal(memory.bytes, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(changes_agree_with_a_model),
      cmocka_unit_test(ranges_in_both_directions),
      cmocka_unit_test(a_failed_allocation_changes_nothing),
      cmocka_unit_test(entries_of_another_map),
      cmocka_unit_test(a_full_hash_table),
      cmocka_unit_test(a_hash_table_without_memory),
      cmocka_unit_test(an_entry_costs_at_most_96_bytes),
  };
  return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
