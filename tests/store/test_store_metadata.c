/*
** The metadata's rules.
*/
#include "store_testing.h"

static const Metadata usual = {.written_by = STORE_FORMAT_VERSION,
                               .readable_by = STORE_FORMAT_READABLE_BY,
                               .home_id = 1,
                               .memory_id = 1,
                               .next_id = 1000,
                               .page_size = 4096,
                               .writer = "test"};

static void put_metadata(Disk *d, const Metadata *m) {
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  metadata_put(&b, m);
  disk_set(d, "m", 1, b.data, b.size);
  buffer_free(&b);
}

/* A store with one home table (1), another table (2), and a function; closed, in a new Lua state. */
static void begin(World *w) {
  world_init(w, 0);
  run(w->L, "home[1] = { 'another' } assert(commit()) eq(number(home), 1) eq(number(home[1]), 2)\n"
            "home.x, home.f = 1, function() return home end assert(commit())");
  world_end_state(w);
  world_begin_state(w);
}

static void assert_opens(World *w, const Metadata *m, const char *warnings) {
  put_metadata(w->disk, m);
  w->warnings[0] = '\0';
  world_open(w);
  assert_string_equal(w->warnings, warnings);
}

static void assert_fails(World *w, const Metadata *m, hearth_status status, const char *text) {
  put_metadata(w->disk, m);
  assert_int_equal(world_try_open(w), status);
  if (strstr(w->error.message, text) == NULL) fail_msg("%s", w->error.message);
  assert_false(w->disk->open);
}

static void assert_ids(World *w, uint64_t home, uint64_t memory) {
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w->S, &stat, &w->error), HEARTH_OK);
  assert_int_equal(stat.home_id, home);
  assert_int_equal(stat.memory_id, memory);
}

static void test_names(void **state) {
  (void)state;
  World w;
  Metadata m = usual;
  begin(&w);
  assert_opens(&w, &m, "");
  assert_ids(&w, 1, 1);
  run(w.L, "eq(home.x, 1) unchanged()");
  world_close(&w);

  m.memory_id = 0;
  assert_opens(&w, &m, "");
  assert_ids(&w, 1, 0);
  run(w.L, "eq(home.x, 1) unchanged()");
  world_close(&w);

  m.memory_id = 2; /* the home table's id wins */
  assert_opens(&w, &m, "homeTableId is 1 and memoryTableId is 2: using homeTableId\n");
  assert_ids(&w, 1, 2);
  run(w.L, "eq(home.x, 1) unchanged()");
  world_close(&w);

  m.home_id = 0;
  assert_opens(&w, &m, "[Deprecated] Using legacy \"memoryTableId\" - please migrate to \"homeTableId\"\n");
  run(w.L, "eq(home[1], 'another') home[2] = 'new' assert(commit())");
  world_close(&w);
  w.warnings[0] = '\0';
  world_open(&w); /* both are written */
  assert_string_equal(w.warnings, "");
  run(w.L, "eq(home[2], 'new') unchanged()");
  assert_int_equal(w.S->metadata.home_id, 2);
  assert_int_equal(w.S->metadata.memory_id, 2);
  assert_ids(&w, 2, 2);
  world_free(&w);
}

static void test_wrong_names(void **state) {
  (void)state;
  World w;
  begin(&w);
  Metadata m = usual;
  m.home_id = m.memory_id = 0;
  assert_fails(&w, &m, HEARTH_DAMAGED, "neither homeTableId nor memoryTableId");
  for (uint64_t id = 3; id < 9; id++) { /* constants, cells, functions, nothing */
    char text[64];
    (void)snprintf(text, sizeof text, "the home table's id, %d, names no table", (int)id);
    m.home_id = id;
    m.memory_id = 1;
    assert_fails(&w, &m, HEARTH_DAMAGED, text); /* never a silently empty home, nor the other one */
    m.home_id = 0;
    m.memory_id = id;
    assert_fails(&w, &m, HEARTH_DAMAGED, text);
  }
  m.home_id = m.memory_id = 1;
  assert_opens(&w, &m, "");
  run(w.L, "eq(home.x, 1)");
  world_free(&w);
}

/* Refused in words by this library, and for its version by one that does not know unfinished copies. */
static void test_unfinished_copies(void **state) {
  (void)state;
  World w;
  begin(&w);
  Metadata m = {.written_by = STORE_FORMAT_VERSION, .readable_by = STORE_FORMAT_NEVER, .copied_batch = 7,
                .copy_of = "sqlite:other", .writer = "test"};
  assert_fails(&w, &m, HEARTH_NOTSTORE, "an unfinished copy of sqlite:other: hearth copy goes on with it");
  m.copy_of[0] = '\0';
  assert_fails(&w, &m, HEARTH_VERSION, "format 2147483647 is needed to read it");
  m = usual;
  (void)snprintf(m.copy_of, sizeof m.copy_of, "x"); /* whatever else it says */
  assert_fails(&w, &m, HEARTH_NOTSTORE, "an unfinished copy of x");
  assert_opens(&w, &usual, "");
  run(w.L, "eq(home.x, 1) unchanged()");
  world_free(&w);
}

static void test_versions(void **state) {
  (void)state;
  World w;
  begin(&w);
  Metadata m = usual;
  m.written_by = m.readable_by = STORE_FORMAT_VERSION + 1;
  assert_fails(&w, &m, HEARTH_VERSION, "format 2 is needed to read it, this library reads up to 1");
  m.written_by = 77;
  m.readable_by = STORE_FORMAT_VERSION; /* safe to read, but what the newer one wrote would be lost by writing */
  assert_opens(&w, &m, "");
  run(w.L, "eq(home.x, 1) unchanged()\n"
           "home.x = 2 fails('readonly', 'newer', commit())\n"
           "fails('readonly', 'newer', transaction(function() end))\n"
           "eq(home.x, 2) assert(rollback()) eq(home.x, 1) unchanged()\n");
  world_close(&w);
  assert_opens(&w, &usual, "");
  run(w.L, "home.x = 2 assert(commit())");
  world_free(&w);
}

static void test_other_fields(void **state) {
  (void)state;
  World w;
  begin(&w);
  Metadata m = usual;
  m.page_size = 63;
  assert_fails(&w, &m, HEARTH_DAMAGED, "out of range");
  m.page_size = (1 << 20) + 1;
  assert_fails(&w, &m, HEARTH_DAMAGED, "out of range");
  m.page_size = 0;
  assert_fails(&w, &m, HEARTH_DAMAGED, "missing");
  m = usual;
  m.next_id = 0;
  assert_fails(&w, &m, HEARTH_DAMAGED, "missing");
  for (uint64_t next = 1; next < 5; next++) { /* numbers would be given again */
    m.next_id = next;
    assert_fails(&w, &m, HEARTH_DAMAGED, "nextTableId");
  }
  m.next_id = (UINT64_C(1) << 53) + 1;
  assert_fails(&w, &m, HEARTH_DAMAGED, "out of range");
  m = usual;
  m.written_by = 0;
  assert_fails(&w, &m, HEARTH_DAMAGED, "missing");
  disk_set(w.disk, "m", 1, NULL, 0);
  assert_int_equal(world_try_open(&w), HEARTH_DAMAGED);
  assert_non_null(strstr(w.error.message, "it has entries and no metadata"));
  assert_opens(&w, &usual, "");
  run(w.L, "kept()");
  world_free(&w);
}

/* A name that a later version may write is skipped. */
static void test_unknown_field(void **state) {
  (void)state;
  World w;
  begin(&w);
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  metadata_put(&b, &usual);
  assert_true(b.data[0] < 100);
  b.data[0]++;
  value_put_string(&b, "fromTheFuture", 13);
  value_put_string(&b, "?", 1);
  disk_set(w.disk, "m", 1, b.data, b.size);
  buffer_free(&b);
  world_open(&w);
  run(w.L, "kept() home.x = 2 assert(commit()) kept()");
  world_free(&w);
}

/* The page size is the store's, whatever the opener asks for. */
static void test_page_size(void **state) {
  (void)state;
  World w;
  begin(&w);
  w.options.page_size = 64;
  world_open(&w);
  run(w.L, "home.list = {} for i = 1, 500 do home.list[i] = i end assert(commit()) kept()");
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w.S, &stat, &w.error), HEARTH_OK);
  assert_int_equal(stat.page_size, 4096);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),        cmocka_unit_test(test_wrong_names),   cmocka_unit_test(test_versions),
      cmocka_unit_test(test_other_fields), cmocka_unit_test(test_unknown_field), cmocka_unit_test(test_page_size),
      cmocka_unit_test(test_unfinished_copies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
