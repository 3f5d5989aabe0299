/* Blobs: what this library writes, and what was written once, means the same to both readers. */
#include "comparing.h"

#include "hearth_testkit.h"

static const char *graphs;

static void golden_blobs_are_told_alike(void **state) {
  (void)state;
  hearth_testkit_golden_file file;
  unsigned blobs = 0, logs = 0;
  for (size_t i = 0; hearth_testkit_golden(i, &file); i++) {
    if (file.kind == HEARTH_TESTKIT_LOG) { /* its entries are no store's */
      both_refuse(reader1_tell_log, tell_log, file.bytes, file.size, HEARTH_NOTSTORE);
      logs++;
      continue;
    }
    char *text = both_blob(file.bytes, file.size, file.name);
    assert_non_null(strstr(text, "blob: written by "));
    free(text);
    blobs++;
  }
  assert_true(blobs > 30 && logs > 0);
}

/* build(i) gives the ith graph, and flags: every option of encoding in turn. */
static const char random_blobs[] =
    "local path = ...\n"
    "local random_graph = assert(loadfile(path))()\n"
    "function bytes(i)\n"
    "  local canonical = i % 3 == 0\n"
    "  local keys, persist = canonical and 1 or 6, i % 4 == 0\n"
    "  local graph = random_graph.build(i, { size = i % 40 + 1, object_keys = keys, persist = persist })\n"
    "  return assert(enc(graph, (canonical and CANONICAL or 0) | (i % 2 == 0 and STRIP or 0)))\n"
    "end\n";

static void random_blobs_are_told_alike(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  size_t all = 0;
  if (luaL_loadstring(L, random_blobs) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_pushstring(L, graphs);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  for (size_t i = 1; i <= rounds(120); i++) {
    char what[32];
    size_t size;
    (void)snprintf(what, sizeof what, "graph %zu", i);
    lua_getglobal(L, "bytes");
    lua_pushinteger(L, (lua_Integer)i);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) fail_msg("%s: %s", what, lua_tostring(L, -1));
    const char *bytes = lua_tolstring(L, -1, &size);
    char *text = both_blob(bytes, size, what);
    all += strlen(text);
    free(text);
    lua_pop(L, 1);
  }
  assert_true(all > 10000);
  state_close(L, &m);
}

/* A cut blob is none, to both. */
static void cut_blobs_are_refused(void **state) {
  (void)state;
  hearth_testkit_golden_file file;
  for (size_t i = 0; hearth_testkit_golden(i, &file); i++)
    for (size_t n = 0; file.kind == HEARTH_TESTKIT_BLOB && n < file.size; n += n < 300 ? 1 : 397)
      both_refuse(reader1_tell_blob, tell_blob, file.bytes, n, HEARTH_DAMAGED);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden_blobs_are_told_alike),
      cmocka_unit_test(random_blobs_are_told_alike),
      cmocka_unit_test(cut_blobs_are_refused),
  };
  if (argc != 2) return 2;
  graphs = argv[1];
  return cmocka_run_group_tests_name("reader blobs", tests, NULL, NULL);
}
