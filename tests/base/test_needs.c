/* Special things that need themselves: the search against a naive one, on random graphs; and without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "needs.h"

#define MOST 12

typedef struct Graph {
  unsigned count;
  bool special[MOST], begun[MOST]; /* what is not begun needs nothing */
  bool needs[MOST][MOST];
} Graph;

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed >> 12;
  *seed ^= *seed << 25;
  *seed ^= *seed >> 27;
  return *seed * UINT64_C(2685821657736338717);
}

static unsigned below(uint64_t *seed, unsigned n) {
  return (unsigned)((next_random(seed) >> 33) % n);
}

static Graph random_graph(uint64_t *seed) {
  Graph g;
  memset(&g, 0, sizeof g);
  g.count = 1 + below(seed, MOST);
  unsigned rare = 1 + below(seed, 3 * g.count), often = 1 + below(seed, 4);
  for (unsigned i = 0; i < g.count; i++) {
    g.begun[i] = below(seed, 8) != 0;
    g.special[i] = g.begun[i] && below(seed, often) == 0;
    for (unsigned k = 0; k < g.count; k++) g.needs[i][k] = g.begun[i] && below(seed, rare) == 0;
  }
  return g;
}

/* Which reach themselves: Warshall's closure. */
static void naive(const Graph *g, bool cyclic[MOST]) {
  bool reach[MOST][MOST];
  memcpy(reach, g->needs, sizeof reach);
  for (unsigned k = 0; k < g->count; k++)
    for (unsigned i = 0; i < g->count; i++)
      for (unsigned j = 0; j < g->count; j++)
        if (reach[i][k] && reach[k][j]) reach[i][j] = true;
  for (unsigned i = 0; i < g->count; i++) cyclic[i] = g->special[i] && reach[i][i];
}

static uint64_t key_of(unsigned i) {
  return UINT64_C(0x7f0000000010) + 16 * (uint64_t)i;
}

/* Everything twice: a thing may need another in two ways. */
static void add_all(Needs *n, const Graph *g) {
  for (unsigned i = 0; i < g->count; i++) {
    if (!g->begun[i]) continue;
    needs_begin(n, key_of(i), g->special[i]);
    for (unsigned k = 0; k < 2 * g->count; k++)
      if (g->needs[i][k % g->count]) needs_add(n, key_of(k % g->count));
  }
}

static void test_random_graphs(void **state) {
  (void)state;
  uint64_t seed = 1;
  size_t found = 0, rounds = 20000;
  for (size_t round = 0; round < rounds; round++) {
    Graph g = random_graph(&seed);
    bool cyclic[MOST] = {false}, any = false;
    uint64_t key;
    Needs n;
    naive(&g, cyclic);
    for (unsigned i = 0; i < g.count; i++) any = any || cyclic[i];
    needs_init(&n, &hearth_libc_allocator);
    add_all(&n, &g);
    assert_true(needs_find_cycle(&n, &key));
    assert_int_equal(key != 0, any);
    if (any) assert_true(cyclic[(key - key_of(0)) / 16]);
    found += any;
    needs_free(&n);
  }
  assert_in_range(found, rounds / 5, rounds - rounds / 5);
}

/* A path of any length takes no stack. */
static void test_long_path(void **state) {
  (void)state;
  uint64_t key, length = 500000;
  for (int closed = 0; closed < 2; closed++) {
    Needs n;
    needs_init(&n, &hearth_libc_allocator);
    for (uint64_t i = 1; i <= length; i++) {
      needs_begin(&n, i, i == length / 2);
      if (i < length || closed) needs_add(&n, i % length + 1);
    }
    assert_true(needs_find_cycle(&n, &key));
    assert_int_equal(key, closed ? length / 2 : 0);
    needs_free(&n);
  }
}

typedef struct Meagre {
  size_t left;
} Meagre;

static void *meagre_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Meagre *m = ud;
  if (nsize > 0 && m->left-- == 0) {
    m->left = 0;
    return NULL;
  }
  return hearth_libc_allocator.alloc(hearth_libc_allocator.ud, ptr, osize, nsize);
}

static void test_without_memory(void **state) {
  (void)state;
  bool done = false;
  size_t failures = 0;
  for (size_t left = 0; !done; left++) {
    Meagre m = {left};
    hearth_allocator a = {meagre_alloc, &m};
    Needs n;
    uint64_t key;
    needs_init(&n, &a);
    for (uint64_t i = 1; i <= 200; i++) {
      needs_begin(&n, i, i == 1);
      needs_add(&n, i % 200 + 1);
    }
    done = needs_find_cycle(&n, &key);
    assert_int_equal(key, done ? 1 : 0);
    failures += !done;
    needs_free(&n);
  }
  assert_true(failures > 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_graphs),
      cmocka_unit_test(test_long_path),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
