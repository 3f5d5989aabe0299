/* Arrays whose pages are made while they are walked: the same pages as sorting makes, whatever comes between. */
#include "store_testing.h"

static void fill(World *w, const char *code, unsigned seed) {
  lua_pushinteger(w->L, (lua_Integer)seed);
  lua_setglobal(w->L, "seed");
  run(w->L, "math.randomseed(seed) home.t = {}");
  run(w->L, code);
}

/* Ascending keys: in the array part, or in a hash part that happens to give them so. Strings among them come last. */
static const char ascending[] =
    "local n, key, values = math.random(400), 0, math.random(3)\n"
    "local step = ({ 1, 2, 3, 1 << 20, 1 << 54 })[math.random(5)]\n"
    "if math.random(3) == 1 then home.t[0] = 'zero' end\n"
    "for i = 1, n do\n"
    "  key = key + (i < 60 and 1 or math.random(step))\n"
    "  if key <= 0 then break end\n" /* wrapped around */
    "  home.t[key] = values == 1 and i or values == 2 and ('v'):rep(math.random(0, 24)) or math.random()\n"
    "end\n"
    "for i = 1, 300 * math.random(0, 1) do home.t['name' .. i] = i end\n"; /* no shape has so many */

/* What a weak table holds is always sorted. */
static void test_as_sorted(void **state) {
  (void)state;
  static const uint32_t sizes[] = {64, 200, 4096};
  for (unsigned seed = 1; seed <= rounds(60); seed++) {
    World a, b;
    world_init(&a, sizes[seed % 3]);
    world_init(&b, sizes[seed % 3]);
    fill(&a, ascending, seed);
    fill(&b, ascending, seed);
    run(a.L, "setmetatable(home.t, { like = 'v' })");
    run(b.L, "setmetatable(home.t, { __mode = 'v' })");
    run(a.L, "assert(commit())");
    run(b.L, "assert(commit())");
    assert_same_division(&a, &b);
    run(a.L, "kept()");
    world_free(&a);
    world_free(&b);
  }
}

/* Pages as the division's definition has them: largest ranges of the trie that weigh at most a page. */
static void test_deepest(void **state) {
  (void)state;
  in_new_world(64,
               "local t = {} home.t = t for i = 1, 64 do t[i] = i end\n"
               "for _, k in ipairs { 1 << 40, (1 << 40) + 1, math.maxinteger - 1, math.maxinteger } do\n"
               "  t[k] = ('x'):rep(31)\n"
               "end\n"
               "assert(commit()) kept('neighbours') eq(home.t[math.maxinteger], ('x'):rep(31))\n"
               "home.t[math.maxinteger] = nil assert(commit()) kept('gone')\n"
               "home.t[7] = ('y'):rep(31) assert(commit()) kept('one that fills half a page')\n");
}

/* What turns up behind the array: it is sorted after all, and nothing of the first attempt is stored. */
static void test_keys_out_of_order(void **state) {
  (void)state;
  static const char *const late[] = {
      "t[-1] = 'minus'", "t[math.mininteger] = 1", "t[0] = 'zero'", "t[0.5] = 'half'", "t.name = 'name'",
      "t[true] = {}", "t[t] = t", "t[1 << 40] = 1 t[1 << 39] = 2", "t[50] = nil", "for i = 1, 30 do t[i] = nil end",
      "t[301], t[303], t[302] = 1, 3, 2"};
  for (size_t i = 0; i < sizeof late / sizeof *late; i++)
    for (int again = 0; again < 2; again++) { /* before the first commit, and after it */
      World w;
      world_init(&w, 64);
      run(w.L, "t = {} home.t = t for i = 1, 300 do t[i] = i end");
      if (again == 1) run(w.L, "assert(commit()) t = home.t");
      run(w.L, late[i]);
      run(w.L, "t[7] = 'seven' assert(commit()) kept() t = home.t\n"
               "t[8] = 'eight' t.more = 1 assert(commit()) kept('again')");
      world_free(&w);
    }
}

/* A table that was large: a record again, or one with a memo, and back. */
static void test_changes_of_form(void **state) {
  (void)state;
  in_new_world(256,
               "local function form(what, n, value)\n"
               "  local t = home.t for i = n + 1, #t do t[i] = nil end\n"
               "  for i = 1, n do t[i] = value(i) end\n"
               "  assert(commit()) kept(what)\n"
               "end\n"
               "local function small(i) return i * 1000 end\n"
               "local function large(i) return ('text %d '):format(i):rep(8) end\n"
               "local function object(i) return { i } end\n"
               "home.t = {}\n"
               "for _, n in ipairs { 500, 3, 500, 60, 200, 0, 100 } do\n"
               "  form('small ' .. n, n, small) form('large ' .. n, n, large) form('objects ' .. n, n, object)\n"
               "  form('true', n, function() return true end)\n"
               "end\n"
               "setmetatable(home.t, { __index = table }) form('metatable', 300, small)\n"
               "eq(home.t.insert, table.insert)\n"
               "setmetatable(home.t, { __mode = 'v' }) form('weak', 300, small)\n"
               "setmetatable(home.t, nil) form('strong', 300, small)\n"
               "for i = 41, 300 do home.t[i] = nil end home.t[20] = nil\n"
               "assert(commit()) kept('a record again') eq(entries(), 4)\n"); /* metadata, shape, two tables */
}

/*
** What was remembered of a table does not count when its pages were made in another way since: here the first three
** entries are too small for a memo, and there are as many pages as there were.
*/
static void test_no_old_memo(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  run(w.L, "collectgarbage 'stop' texts, home.t = {}, {}\n"
           "for i = 1, 40 do texts[i] = ('%032d'):format(i) home.t[i] = texts[i] end assert(commit())\n"
           "local before = entries()\n"
           "for i = 1, 3 do home.t[i] = ('%030d'):format(i) end home.t[41] = ('%032d'):format(41) assert(commit())\n"
           "eq(entries(), before)\n"
           "for i = 1, 3 do home.t[i] = texts[i] end home.t[41] = nil assert(commit())\n"
           "reopen() for i = 1, 40 do eq(home.t[i], texts[i]) end eq(home.t[41], nil)\n");
  world_free(&w);
}

/* Large strings and what is reached: the walk sees it as any other would. */
static void test_what_it_reaches(void **state) {
  (void)state;
  in_new_world(64,
               "home.t = {} for i = 1, 100 do home.t[i] = { i, home } end\n"
               "assert(commit()) kept('objects')\n"
               "for i = 101, 120 do home.t[i] = ('large'):rep(i) end assert(commit()) kept('constants')\n"
               "home.t[5], home.t[110] = false, false assert(commit()) kept('garbage')\n"
               "home.t[-1] = home.t[6] assert(commit()) kept('sorted')\n"
               "home.t[200] = coroutine.create(print)\n"
               "local ok, message, code, path = commit() eq(path, '_home.t[200]') home.t[200] = nil\n"
               "assert(commit()) kept('after an error')\n");
}

static uint64_t committed(World *w) {
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w->S, &stat, &w->error), HEARTH_OK);
  return stat.committed_bytes;
}

static void test_one_change_writes_its_page(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, "home.t = {} for i = 1, 20000 do home.t[i] = i end assert(commit()) unchanged()");
  for (int reopened = 0; reopened < 2; reopened++) {
    run(w.L, "home.t[7777] = (home.t[7777] or 0) + 1 assert(commit())");
    assert_in_range(committed(&w), 1, 6000);
    run(w.L, "home.t[#home.t + 1] = 'appended' assert(commit())");
    assert_in_range(committed(&w), 1, 6000);
    run(w.L, "unchanged() home.t[4] = nil assert(commit()) kept()");
  }
  world_free(&w);
}

static hearth_status commit_of(World *w) {
  return hearth_commit(w->L, w->S, HEARTH_DEFAULT_DURABILITY, &w->error);
}

/* Memory running out anywhere: nothing is committed, and the next commit commits all. */
static void test_memory(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  run(w.L, "t = {} home.t = t for i = 0, 200 do t[i] = i * 3 end t.name = 'name' for i = 1, 9 do t['k' .. i] = i end");
  for (int change = 0; change < 3; change++) {
    size_t n = 0;
    for (hearth_status status = HEARTH_NOMEM; status != HEARTH_OK; n++) {
      size_t batches = w.disk->batches;
      world_fail(&w, n, NEVER);
      status = commit_of(&w);
      world_mend(&w);
      if (status == HEARTH_OK) break;
      assert_int_equal(status, HEARTH_NOMEM);
      assert_int_equal(w.disk->batches, batches);
    }
    assert_true(n > 3);
    run(w.L, "kept() t = home.t for i = 1, 200, 9 do t[i] = -i end t.name = 'another'");
    if (change == 1) run(w.L, "t[-1] = 'sorted'");
  }
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_sorted),        cmocka_unit_test(test_deepest),
      cmocka_unit_test(test_keys_out_of_order), cmocka_unit_test(test_changes_of_form),
      cmocka_unit_test(test_no_old_memo),      cmocka_unit_test(test_what_it_reaches),
      cmocka_unit_test(test_one_change_writes_its_page), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
