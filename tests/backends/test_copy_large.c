/* How much memory a copy needs: some batches, and the largest value. */
#include "copying.h"

#define ENTRIES 100000
#define LARGE ((size_t)20 << 20)
#define BOUND ((size_t)4 << 20)

typedef struct Peak {
  size_t now, most;
} Peak;

static void *peak_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Peak *p = ud;
  void *fresh = NULL;
  if (nsize > 0) fresh = realloc(ptr, nsize);
  else free(ptr);
  if (fresh == NULL && nsize > 0) return NULL;
  p->now += nsize - (ptr != NULL ? osize : 0);
  if (p->now > p->most) p->most = p->now;
  return fresh;
}

static void fill(const CopySide *side) {
  enum { AT_ONCE = 1000 };
  static hearth_op ops[AT_ONCE];
  static char keys[AT_ONCE][16], value[200];
  memset(value, 'v', sizeof value);
  for (unsigned i = 0; i < ENTRIES; i++) {
    hearth_op *op = &ops[i % AT_ONCE];
    (void)snprintf(keys[i % AT_ONCE], sizeof *keys, "entry %07u", i);
    *op = (hearth_op){HEARTH_PUT, 1 + i % 7, keys[i % AT_ONCE], 13, value, i % sizeof value};
    if ((i + 1) % AT_ONCE > 0) continue;
    assert_int_equal(side->backend->submit(side->store, ops, AT_ONCE, 0, HEARTH_VISIBLE, NULL, NULL), HEARTH_OK);
  }
}

static void run(Copying *c, Peak *peak, uint64_t written) {
  *peak = (Peak){0, 0};
  static hearth_allocator allocator;
  allocator = (hearth_allocator){peak_alloc, peak};
  c->allocator = &allocator;
  copying_succeeds(c);
  assert_int_equal(peak->now, 0);
  assert_int_equal(c->copy.written, written);
  assert_true(copying_same(&c->from, &c->to));
}

static void memory_is_bounded(void **state) {
  (void)state;
  Peak peak;
  CopySide source = copying_memory(NULL);
  Copying c = {.from = source, .to = copying_memory(NULL), .steps = -1};
  fill(&source);
  run(&c, &peak, ENTRIES);
  assert_true(peak.most < BOUND);
  (void)printf("figure: %d entries, %llu bytes, copied with %zu bytes of memory\n", ENTRIES,
               (unsigned long long)c.copy.to_totals.bytes, peak.most);

  copying_put(&c.to, 3, "another", "entry"); /* and compared, with what is to be deleted */
  fill(&(CopySide){c.to.backend, c.to.store});
  for (uint64_t table = 1; table <= 7; table++) copying_put(&source, table, "entry", "");
  c.replace = true;
  run(&c, &peak, 7);
  assert_true(peak.most < BOUND);
  copying_op(&source, &(hearth_op){.kind = HEARTH_DROP, .table = 5});
  copying_put(&source, 5, "z", "");
  run(&c, &peak, 1);
  assert_true(peak.most < BOUND);

  char *large = calloc(1, LARGE);
  copying_op(&source, &(hearth_op){HEARTH_PUT, 2, "large", 5, large, LARGE});
  copying_op(&source, &(hearth_op){HEARTH_PUT, 2, "large too", 9, large, LARGE});
  free(large);
  run(&c, &peak, 2);
  if (peak.most >= BOUND + LARGE) fail_msg("%zu bytes", peak.most);
  copying_close(&source);
  copying_close(&c.to);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_bounded)};
  return cmocka_run_group_tests_name("copy large", tests, NULL, NULL);
}
