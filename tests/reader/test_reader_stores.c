/* Stores: the file after each of random commits, torn and damaged files, and exports mean the same to both readers. */
#include "comparing.h"

#include "export.h"

static const char *graphs;

/* commit n: a fresh graph, or the last one changed; external tables come, change and go. */
static const char program[] =
    "local path = ...\n"
    "local random_graph = assert(loadfile(path))()\n"
    "function change(seed, n)\n"
    "  if n % 3 == 1 then\n"
    "    _home.graph = random_graph.build(seed * 100 + n, { size = seed % 25 + 3, persist = seed % 4 == 0,\n"
    "      external = seed % 2 == 0 and ext.table or nil })\n"
    "    _home.text = ('long '):rep(math.random(30000))\n"
    "  else\n"
    "    random_graph.edit(_home.graph, seed * 100 + n)\n"
    "  end\n"
    "  _home.log = _home.log or ext.table()\n"
    "  if math.random(4) == 1 then _home.log = ext.table() end\n"
    "  for _ = 1, math.random(8) do\n"
    "    _home.log[math.random(20)] = math.random(3) > 1 and { n, function(x) return x, print end } or nil\n"
    "    _home.log['k' .. math.random(20)] = math.random(3) > 1 and ('text'):rep(math.random(80)) or nil\n"
    "  end\n"
    "end\n";

static void call_change(World *w, size_t seed, size_t n) {
  lua_getglobal(w->L, "change");
  lua_pushinteger(w->L, (lua_Integer)seed);
  lua_pushinteger(w->L, (lua_Integer)n);
  if (lua_pcall(w->L, 2, 0, 0) != LUA_OK) fail_msg("seed %zu, commit %zu: %s", seed, n, lua_tostring(w->L, -1));
}

static void begin_world(World *w, uint32_t page_size) {
  w->disk = hearth_disk_new();
  world_open(w, 0, page_size);
  if (luaL_loadstring(w->L, program) != LUA_OK) fail_msg("%s", lua_tostring(w->L, -1));
  lua_pushstring(w->L, graphs);
  if (lua_pcall(w->L, 1, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(w->L, -1));
}

static int count_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)table, (void)key, (void)key_size, (void)value, (void)value_size;
  ++*(size_t *)ud;
  return 0;
}

/* Of tables that were dropped, which no text shows, both have as little. */
static void have_the_same_entries(World *w, const unsigned char *bytes, size_t size) {
  hearth_backend_store *log, *file;
  assert_int_equal(log_open(bytes, size, &log, &w->err), HEARTH_OK);
  assert_int_equal(file_open(w->disk, HEARTH_OPEN_READONLY, &file, &w->err), HEARTH_OK);
  for (uint64_t table = 0; table < 400; table++) {
    size_t in_log = 0, in_file = 0;
    (void)log_backend.scan(log, table, NULL, 0, NULL, 0, false, count_entry, &in_log, NULL, NULL);
    (void)hearth_file_backend.scan(file, table, NULL, 0, NULL, 0, false, count_entry, &in_file, NULL, NULL);
    assert_int_equal(in_log, in_file);
  }
  log_close(log);
  assert_int_equal(hearth_file_backend.close(file, NULL), HEARTH_OK);
}

/* Both readers' text, which is what the file backend's is. */
static char *told_alike(World *w, const char *what) {
  size_t size;
  int status;
  const unsigned char *bytes = hearth_disk_bytes(w->disk, PLACE, &size);
  have_the_same_entries(w, bytes, size);
  bytes = hearth_disk_bytes(w->disk, PLACE, &size);
  char *text = both_log(bytes, size, what), *by_file = told_by_file(w->disk, &status);
  if (status != 0) fail_msg("%s: the file backend: %s", what, by_file);
  if (strcmp(text, by_file) != 0)
    fail_msg("%s: the readers say\n%s\nand through the file backend\n%s", what, text, by_file);
  free(by_file);
  return text;
}

static void random_stores_are_told_alike(void **state) {
  (void)state;
  for (size_t seed = 1; seed <= rounds(8); seed++) {
    World w;
    begin_world(&w, seed % 2 == 0 ? 128 : 0);
    for (size_t n = 1; n <= 9; n++) {
      char what[48];
      (void)snprintf(what, sizeof what, "seed %zu, commit %zu", seed, n);
      call_change(&w, seed, n);
      world_commit(&w);
      if (n == 6) assert_int_equal(hearth_compact(w.L, w.store, 0, &w.err), HEARTH_OK);
      free(told_alike(&w, what));
    }
    world_close(&w);
    free(told_alike(&w, "closed"));
    hearth_disk_free(w.disk);
  }
}

static void exports_are_told_alike(void **state) {
  (void)state;
  World w;
  hearth_backend_store *store;
  size_t size;
  begin_world(&w, 0);
  for (size_t n = 1; n <= 4; n++) {
    call_change(&w, 2, n);
    world_commit(&w);
  }
  world_close(&w);
  char *text = told_alike(&w, "store");
  assert_int_equal(file_open(w.disk, HEARTH_OPEN_READONLY, &store, &w.err), HEARTH_OK);
  const hearth_environment *env = hearth_disk_environment(w.disk);
  assert_int_equal(hearth_export(&hearth_file_backend, store, env, NULL, "/export", &w.err), HEARTH_OK);
  assert_int_equal(hearth_file_backend.close(store, NULL), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(w.disk, "/export", &size);
  char *exported = both_log(bytes, size, "export");
  assert_string_equal(exported, text);
  free(exported);
  free(text);
  hearth_disk_free(w.disk);
}

/* What one reader refuses, the other and the file backend refuse; what they read, they read alike. */
static bool judged_alike(const World *w, const unsigned char *bytes, size_t size, const char *what) {
  int first_status, status, file_status;
  hearth_disk_put(w->disk, PLACE, bytes, size);
  char *first = told(reader1_tell_log, bytes, size, &first_status), *now = told(tell_log, bytes, size, &status);
  char *by_file = told_by_file(w->disk, &file_status);
  if (first_status != status || status != file_status || (status == 0 && strcmp(first, now) != 0) ||
      (status == 0 && strcmp(now, by_file) != 0))
    fail_msg("%s: the first reader (%d):\n%s\nthe current one (%d):\n%s\nby the file backend (%d):\n%s", what,
             first_status, first, status, now, file_status, by_file);
  free(first);
  free(now);
  free(by_file);
  return status == 0;
}

static void torn_and_damaged_files_are_judged_alike(void **state) {
  enum { FEWEST = 20 };
  (void)state;
  World w;
  size_t size, read = 0, refused = 0;
  begin_world(&w, 128);
  for (size_t n = 1; n <= 4; n++) {
    call_change(&w, 3, n);
    assert_int_equal(hearth_commit(w.L, w.store, n == 2 ? HEARTH_DURABLE : HEARTH_COMPLETE, &w.err), HEARTH_OK);
  }
  const unsigned char *there = hearth_disk_bytes(w.disk, PLACE, &size);
  unsigned char *bytes = malloc(size);
  memcpy(bytes, there, size);
  world_close(&w);
  srand(1);
  for (size_t i = 0; i < FEWEST || i < rounds(160); i++) { /* in the header and anywhere, in turns */
    char what[64];
    size_t at = i % 2 == 0 ? i / 2 : (size_t)rand() % size;
    (void)snprintf(what, sizeof what, "cut at %zu", at);
    bool whole = judged_alike(&w, bytes, at, what);
    (void)snprintf(what, sizeof what, "changed at %zu", at);
    bytes[at] ^= 0x10;
    whole += judged_alike(&w, bytes, size, what);
    bytes[at] ^= 0x10;
    read += whole;
    refused += !whole;
  }
  assert_true(read > 0 && refused > 0);
  free(bytes);
  hearth_disk_free(w.disk);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_stores_are_told_alike),
      cmocka_unit_test(exports_are_told_alike),
      cmocka_unit_test(torn_and_damaged_files_are_judged_alike),
  };
  if (argc != 2) return 2;
  graphs = argv[1];
  return cmocka_run_group_tests_name("reader stores", tests, NULL, NULL);
}
