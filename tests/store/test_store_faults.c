/*
** A backend that fails: nothing changed in memory, and the next commit writes everything.
*/
#include "store_testing.h"

static const char fill[] =
    "local n = 0\n"
    "home.t, home.f, home.g = { {}, 'text' }, function() n = n + 1 return n end, function() return n end\n"
    "home.object = setmetatable({ x = 1 }, { __persist = function(o)\n"
    "  local x, meta = o.x, getmetatable(o)\n"
    "  return function() return setmetatable({ x = x }, meta) end\n"
    "end })\n"
    "home.ext = external() home.ext.a = 1\n"
    "home.big = {} for i = 1, 500 do home.big['k' .. i] = { i } end\n";

/* Seven strings of a megabyte: a batch in parts. */
static const char large[] =
    "local piece = ('0123456789abcdef'):rep(1 << 16)\n"
    "for i = 1, 7 do home['large' .. i] = piece .. i .. (home.round or 0) end\n";

static const hearth_status failures[] = {HEARTH_FULL, HEARTH_CONFLICT, HEARTH_NOMEM, HEARTH_TOOBIG, HEARTH_BUSY};

static void check_failing_commit(World *w, size_t call, hearth_status failure) {
  char *before = world_describe(w);
  uint64_t next = w->S->heap.next_number;
  hearth_stat a = {.size = sizeof a}, b = {.size = sizeof b};
  DiskEntries entries = disk_entries(w->disk);
  assert_int_equal(hearth_store_stat(w->S, &a, &w->error), HEARTH_OK);
  w->disk->fail_at = w->disk->submits + call;
  w->disk->failure = failure;
  hearth_status status = hearth_commit(w->L, w->S, HEARTH_DEFAULT_DURABILITY, &w->error);
  assert_int_equal(status, failure);
  assert_int_equal(w->error.code, failure);
  disk_mend(w->disk);
  assert_int_equal(hearth_store_stat(w->S, &b, &w->error), HEARTH_OK);
  assert_int_equal(a.objects, b.objects);
  assert_int_equal(a.saved_at, b.saved_at);
  assert_int_equal(a.committed_entries, b.committed_entries);
  assert_true(w->S->heap.next_number >= next);
  DiskEntries after = disk_entries(w->disk);
  assert_int_equal(after.count, entries.count);
  for (size_t i = 0; i < after.count; i++) {
    assert_int_equal(after.entries[i].value_size, entries.entries[i].value_size);
    assert_memory_equal(after.entries[i].value, entries.entries[i].value, after.entries[i].value_size);
  }
  disk_free_entries(&after);
  disk_free_entries(&entries);
  char *now = world_describe(w);
  assert_string_equal(now, before);
  free(before);
  free(now);
}

static void test_one_part(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    World w;
    world_init(&w, 256);
    run(w.L, fill);
    check_failing_commit(&w, 0, failures[i]); /* the first */
    check_failing_commit(&w, 0, failures[i]);
    run(w.L, "assert(commit()) home.f() home.t[1] = { 2 } home.big.k7, home.big.k8 = nil, 8 home.object.x = 2 "
             "home.ext.b = 3");
    check_failing_commit(&w, 0, failures[i]);
    run(w.L, "churn() assert(commit()) text = describe(home) kept()");
    world_restart(&w);
    run(w.L, "eq(home.f(), 2) eq(home.g(), 2) eq(home.t[1][1], 2) eq(home.big.k7, nil) eq(home.big.k8, 8)");
    run(w.L, "eq(home.object.x, 2) eq(home.ext.a, 1) eq(home.ext.b, 3)");
    world_free(&w);
  }
}

static void test_in_parts(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, fill);
  run(w.L, "assert(commit())");
  for (size_t call = 0; call < 2; call++)
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
      run(w.L, "home.round = (home.round or 0) + 1");
      run(w.L, large);
      check_failing_commit(&w, call, failures[i]);
      size_t submits = w.disk->submits;
      run(w.L, "assert(commit())");
      assert_true(w.disk->submits - submits >= 2); /* it was a batch in parts */
      run(w.L, "unchanged()");
    }
  run(w.L, "kept()");
  world_restart(&w);
  run(w.L, "for i = 1, 7 do eq(#home['large' .. i], (1 << 20) + 2 + (home.round > 9 and 1 or 0)) end unchanged()");
  world_free(&w);
}

/* The walk fails when parts are there already: they are given up. */
static void test_given_up_in_parts(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, "home.x = 1 assert(commit())");
  size_t batches = w.disk->batches;
  run(w.L, large);
  run(w.L,
      "home.bad = setmetatable({}, { __persist = function() error 'no' end })\n"
      "fails('raised', 'no', commit())\n"
      "fails('raised', 'no', commit())\n");
  assert_int_equal(w.disk->batches, batches);
  run(w.L,
      "home.bad = nil\n"
      "for i = 1, 7 do home['large' .. i] = nil end\n"
      "home.x = 2 assert(commit()) eq(entries(), 3) kept() eq(home.x, 2)\n");
  world_free(&w);
}

/* A hook that would write much is asked in a rollback, too, and nothing of that may reach the disk. */
static void test_rollback_writes_nothing(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L,
      "local piece = ('0123456789abcdef'):rep(1 << 16)\n"
      "local meta = {}\n"
      "function meta.__persist(o)\n"
      "  local x, shared = o.x, o.shared\n"
      "  return function() return setmetatable({ x = x, shared = shared }, meta) end\n"
      "end\n"
      "home.meta, home.shared = meta, {}\n"
      "home.a, home.b = setmetatable({ x = 1, shared = home.shared }, meta), "
      "setmetatable({ x = 1, shared = home.shared }, meta)\n"
      "assert(commit())\n"
      "local fs = {}\n"
      "for i = 1, 7 do fs[i] = load('local x = \"' .. piece .. i .. '\" return function() return x end')() end\n"
      "home.a.x = {} for i = 1, 7 do home.a.x[i] = load('return \"' .. piece .. i .. '\"') end\n");
  size_t submits = w.disk->submits;
  run(w.L, "assert(rollback())");
  assert_int_equal(w.disk->submits, submits);
  run(w.L, "eq(home.a.x, 1) unchanged() home.new = 1 assert(commit()) kept()");
  world_free(&w);
}

static void test_dead(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  run(w.L, "home.ext = nil assert(commit()) home.t[1] = { 2 } home.f()"); /* external tables are not in the graph */
  char *before = world_describe(&w);
  w.disk->fail_at = w.disk->submits;
  w.disk->failure = HEARTH_IO;
  run(w.L, "fails('io', nil, commit())");
  run(w.L, "fails('dead', nil, commit()) fails('dead', nil, rollback()) "
           "fails('dead', nil, transaction(function() end))");
  char *now = world_describe(&w);
  assert_string_equal(now, before);
  run(w.L,
      "local saved = assert(enc(home))\n" /* so that a program can still save elsewhere */
      "eq(dec(saved).t[1][1], 2)\n"
      "local before = describe(home)\n"
      "fails('dead', nil, transaction(function() home.never = 1 end))\n"
      "same(before)\n");
  disk_mend(w.disk);
  run(w.L, "reopen() eq(home.t[1][1], nil) eq(home.f(), 1) home.t[1] = { 3 } assert(commit()) kept()");
  free(before);
  free(now);
  world_free(&w);
}

static int lua_compact(lua_State *L) {
  hearth_error e;
  return world_answer(L, hearth_compact(L, world_of(L)->S, 0, &e), &e);
}

static int lua_stat(lua_State *L) {
  hearth_error e;
  hearth_stat stat = {.size = sizeof stat};
  return world_answer(L, hearth_store_stat(world_of(L)->S, &stat, &e), &e);
}

static int lua_die(lua_State *L) {
  world_of(L)->disk->dead = true;
  return 0;
}

static const char dead_entries[] =
    "for _, key in ipairs { 'x', 'none' } do\n"
    "  local ok, message = pcall(function() return home.e[key] end)\n"
    "  assert(not ok and tostring(message):find('dead'), message)\n"
    "end\n";

/* What was read from an external table lately is not the answer of a store that is dead. */
static void test_dead_cache(void **state) {
  (void)state;
  static const char *const deadly[] = {"fails('io', nil, commit())",
                                       "assert(not pcall(function() return home.e.other end))",
                                       "assert(not pcall(function() for k in pairs(home.e) do end end))",
                                       "fails('dead', nil, stat())",
                                       "fails('dead', nil, rollback())"};
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
    World w;
    world_init(&w, 256);
    run(w.L, "home.e = external() home.e.x, home.e.y = 1, 2 assert(commit())\n"
             "for _ = 1, 3 do eq(home.e.x, 1) eq(home.e.none, nil) end home.e.y = 3\n");
    lua_register(w.L, "stat", lua_stat);
    w.disk->dead = i > 0; /* else the commit kills it */
    w.disk->fail_at = w.disk->submits;
    w.disk->failure = HEARTH_IO;
    run(w.L, deadly[i]);
    run(w.L, dead_entries);
    run(w.L, "eq(home.e.y, 3)"); /* not stored: in memory, as the graph */
    disk_mend(w.disk);
    run(w.L, "reopen() eq(home.e.x, 1) eq(home.e.y, 2)");
    world_free(&w);
  }
}

static void test_dead_in_compaction(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  lua_register(w.L, "compact", lua_compact);
  run(w.L, "home.e = external() home.e.x = 1 assert(commit())\n"
           "for _ = 1, 3 do eq(home.e.x, 1) eq(home.e.none, nil) end\n");
  w.disk->dies_in_compaction = true;
  run(w.L, "fails('dead', nil, compact())");
  run(w.L, dead_entries);
  world_free(&w);
}

/* An iterator has read ahead: it goes no further either. */
static void test_dead_iterator(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  lua_register(w.L, "die", lua_die);
  run(w.L, "home.e = external() for i = 1, 50 do home.e[i] = i end assert(commit())\n"
           "local n = 0\n"
           "local ok, message = pcall(function()\n"
           "  for k in pairs(home.e) do\n"
           "    n = n + 1\n"
           "    if n == 3 then die() home.x = 1 fails('dead', nil, commit()) end\n"
           "  end\n"
           "end)\n"
           "assert(not ok and tostring(message):find 'dead', message) eq(n, 3)\n");
  world_free(&w);
}

/* The last commit of a transaction fails: what its function did is undone. */
static void test_transaction(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  run(w.L, "assert(commit())");
  char *before = world_describe(&w);
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    w.disk->fail_at = w.disk->submits;
    w.disk->failure = failures[i];
    lua_pushstring(w.L, hearth_status_name(failures[i]));
    lua_setglobal(w.L, "name");
    run(w.L, "fails(name, nil, transaction(function() home.t.x = {} home.f() home.object.x = 9 end))");
    disk_mend(w.disk);
    char *now = world_describe(&w);
    assert_string_equal(now, before);
    free(now);
    run(w.L, "unchanged()");
  }
  run(w.L, "transaction(function() home.t.x = 1 end) kept() eq(home.t.x, 1)");
  free(before);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_part), cmocka_unit_test(test_in_parts),
      cmocka_unit_test(test_given_up_in_parts), cmocka_unit_test(test_rollback_writes_nothing),
      cmocka_unit_test(test_dead),     cmocka_unit_test(test_dead_cache),
      cmocka_unit_test(test_dead_in_compaction), cmocka_unit_test(test_dead_iterator),
      cmocka_unit_test(test_transaction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
