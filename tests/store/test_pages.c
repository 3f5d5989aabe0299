/*
** Division into pages: it follows from the content alone, and a small change writes little.
*/
#include "store_testing.h"

/* ------------------------------------------------------ the division itself */

typedef struct Division {
  size_t pages, entries;
  const Entry *all;
  size_t page_size;
} Division;

static void check_page(void *ud, uint8_t section, uint64_t prefix, uint8_t depth, const Entry *entries, size_t count) {
  Division *d = ud;
  size_t weight = 0;
  uint64_t low = prefix, high = depth == 0 ? UINT64_MAX : prefix + (((uint64_t)1 << (64 - depth)) - 1);
  if (depth == 64) high = prefix;
  assert_true(count > 0);
  assert_ptr_equal(entries, d->all + d->entries); /* in order, nothing left out */
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(entries[i].other, section);
    assert_true(entries[i].order >= low && entries[i].order <= high);
    weight += entries[i].key_size + entries[i].value_size;
  }
  assert_true(weight <= d->page_size || count == 1 || depth == 64);
  if (depth > 0 && depth < 64) assert_int_equal(prefix & (((uint64_t)1 << (64 - depth)) - 1), 0);
  d->pages++;
  d->entries += count;
}

static void divide(const Entry *entries, size_t count, size_t page_size, size_t pages) {
  Division d = {.all = entries, .page_size = page_size};
  pages_divide(entries, count, page_size, check_page, &d);
  assert_int_equal(d.entries, count);
  if (pages != 0) assert_int_equal(d.pages, pages);
}

static void test_division(void **state) {
  (void)state;
  static Entry e[1000];
  divide(e, 0, 64, 0);
  for (size_t i = 0; i < 1000; i++) e[i] = (Entry){.order = i, .key_size = 1, .value_size = 7};
  divide(e, 1, 64, 1);
  divide(e, 8, 64, 1);
  divide(e, 9, 64, 2);
  divide(e, 1000, 64, 125);
  for (size_t i = 0; i < 1000; i++) e[i].order = 77; /* all collide: one page, however large */
  divide(e, 1000, 64, 1);
  for (size_t i = 0; i < 1000; i++) e[i].order = UINT64_MAX - (i < 500);
  divide(e, 500, 64, 1);
  /* they differ in the last bit */
  for (size_t i = 0; i < 1000; i++) e[i].order = i < 500 ? UINT64_MAX - 1 : UINT64_MAX;
  divide(e, 1000, 64, 2);
  e[0].order = 0;
  divide(e, 1000, 64, 3);
  e[3].value_size = 100000; /* one entry larger than a page, among entries with its order */
  divide(e, 1000, 64, 3);
  uint64_t seed = 20260103;
  for (size_t round = 0; round < rounds(200); round++) {
    size_t count = next_random(&seed) % 1000, others = next_random(&seed) % 4;
    uint64_t order = 0, step = UINT64_MAX >> (10 + next_random(&seed) % 54);
    for (size_t i = 0; i < count; i++) {
      bool other = others > 0 && i > count / others;
      if (other && (i == 0 || !e[i - 1].other)) order = 0;
      uint64_t next = order + (step == 0 ? 0 : next_random(&seed) % step);
      order = next < order ? UINT64_MAX : next;
      e[i] = (Entry){.order = order, .other = other, .key_size = 1 + (uint32_t)(next_random(&seed) % 20),
                     .value_size = next_random(&seed) % 90};
    }
    divide(e, count, 64 + next_random(&seed) % 500, 0);
  }
}

/* -------------------------------------------------------- history and disk */

/* Keys and values of all kinds but objects; `random` is Lua's. */
static const char random_code[] =
    "local random = math.random\n"
    "function key()\n"
    "  local k = random(9)\n"
    "  if k <= 3 then return random(300) end\n"
    "  if k == 4 then return -random(50) end\n"
    "  if k == 5 then return ({ math.mininteger, math.maxinteger, math.maxinteger - 1, math.mininteger + 1, 0, "
    "1 << 40 })[random(6)] end\n"
    "  if k == 6 then return random(200) + 0.5 end\n"
    "  if k == 7 then return ('key'):rep(random(3)) .. random(100) end\n"
    "  if k == 8 then return random(2) == 1 end\n"
    "  return plain and random(-9, 9) or ('long key '):rep(20) .. random(20)\n"
    "end\n"
    "function value()\n"
    "  local k = random(6)\n"
    "  if k == 1 then return ('v'):rep(random(30)) end\n"
    /* larger than half a page, and shared */
    "  if k == 2 and not plain then return ('large'):rep(30) .. random(5) end\n"
    "  if k == 3 then return random() end\n"
    "  return random(1000)\n"
    "end\n"
    /* the same entries in another order, by another way */
    "function rebuild(t, from)\n"
    "  local keys = {}\n"
    "  for k in next, from do keys[#keys + 1] = k end\n"
    "  for i = #keys, 2, -1 do local j = random(i) keys[i], keys[j] = keys[j], keys[i] end\n"
    "  for _, k in ipairs(keys) do t[k] = from[k] end\n"
    "end\n";

static void test_history_does_not_matter(void **state) {
  (void)state;
  for (unsigned seed = 1; seed <= rounds(8); seed++) {
    World a, b;
    world_init(&a, 64);
    world_init(&b, 64);
    char code[256];
    (void)snprintf(code, sizeof code,
                   "plain = true math.randomseed(%u) home.t = {} for step = 1, 12 do\n"
                   "  for i = 1, math.random(150) do local k = key() "
                   "home.t[k] = math.random(3) > 1 and value() or nil end\n"
                   "  assert(commit()) if step %% 5 == 0 then reopen() end\n"
                   "end kept()", seed);
    run(a.L, random_code);
    run(a.L, code);
    run(a.L, "bytes = assert(enc(home))");
    lua_getglobal(a.L, "bytes");
    size_t size;
    const char *bytes = lua_tolstring(a.L, -1, &size);
    lua_pushlstring(b.L, bytes, size);
    lua_setglobal(b.L, "bytes");
    lua_settop(a.L, 0);
    run(b.L, random_code);
    run(b.L, "home.t = {} rebuild(home.t, dec(bytes).t) assert(commit()) kept()");
    assert_same_division(&a, &b);
    world_free(&a);
    world_free(&b);
  }
}

/* Every step of a random history: what is stored is what is there, and in as many entries as a new store has. */
static void test_random_changes(void **state) {
  (void)state;
  for (unsigned seed = 1; seed <= rounds(6); seed++) {
    World w;
    world_init(&w, 64);
    run(w.L, random_code);
    lua_pushinteger(w.L, seed);
    lua_setglobal(w.L, "seed");
    run(w.L,
        "math.randomseed(seed)\n"
        "home.t, home.objects = {}, {}\n"
        "for i = 1, 30 do home.objects[i] = i % 3 == 0 and function() return i end or { i } end\n"
        "for step = 1, 15 do\n"
        "  local t, bound = home.t, math.random(80)\n"
        "  for i = 1, bound do\n"
        "    local k = math.random(5) == 1 and home.objects[math.random(30)] or key()\n" /* objects as keys, too */
        "    t[k] = math.random(4) > 1 and (math.random(5) == 1 and home.objects[math.random(30)] or value()) or nil\n"
        "  end\n"
        "  if step % 6 == 0 then for k in next, t do t[k] = nil end end\n" /* shrinks back to nothing */
        "  if step % 4 == 0 then assert(rollback()) else assert(commit()) end\n"
        "  local copy = {} for k, v in next, home.t do copy[k] = v end\n"
        "  kept('step ' .. step)\n"
        "  for k, v in next, home.t do if type(k) ~= 'table' and type(k) ~= 'function' and type(v) ~= 'table' "
        "and type(v) ~= 'function' then eq(copy[k], v) end end\n"
        "end\n"
        "home.t = nil assert(commit()) home.objects = nil assert(commit()) eq(entries(), 2)\n");
    world_free(&w);
  }
}

static void test_edges(void **state) {
  (void)state;
  static const uint32_t sizes[] = {64, 100, 4096};
  for (int i = 0; i < 3; i++)
    in_new_world(sizes[i],
                 "local t = {} home.t = t\n"
                 "for _, k in ipairs { math.mininteger, math.mininteger + 1, -1, 0, 1, 2, 3, math.maxinteger - 1, "
                 "math.maxinteger } do\n"
                 "  t[k] = ('value of '):rep(4) .. k\n"
                 "end\n"
                 "assert(commit()) kept('the ends')\n"
                 "for k, v in next, home.t do eq(v, ('value of '):rep(4) .. k) end\n"
                 "t = home.t\n"
                 "for i = 1, 64 do t[1 << (i - 1)], t[-(1 << (i - 1))], t[2^i + 0.5] = i, -i, i end\n"
                 "assert(commit()) kept('powers') eq(home.t[1 << 62], 63) eq(home.t[-(1 << 62)], -63)\n"
                 "for k in next, home.t do home.t[k] = nil end assert(commit()) kept('empty')\n"
                 "for i = 1, 300 do home.t[i] = i end assert(commit())\n"
                 "for i = 1, 300, 2 do home.t[i] = nil end assert(commit()) kept('holes') eq(home.t[2], 2) "
                 "eq(home.t[1], nil)\n"
                 "for i = 1, 300, 2 do home.t[i] = i end assert(commit()) kept('filled') eq(#home.t, 300)\n"
                 "for i = 300, 4, -1 do home.t[i] = nil end assert(commit()) kept('three') eq(#home.t, 3)\n");
}

static void test_large_values(void **state) {
  (void)state;
  in_new_world(64,
               "home.t = {} for i = 1, 20 do home.t[i] = { ('large'):rep(100), i } "
               "home.t['k' .. i] = ('x'):rep(i * 3) end\n"
               "local shared = ('shared'):rep(1000)\n"
               "home.a, home.b, home.t.c = shared, { shared }, shared\n"
               "home[shared] = 'as a key' home.t[shared] = { [shared] = shared }\n"
               "assert(commit()) kept()\n"
               "local full = entries()\n"
               "home.a, home.b = nil, nil assert(commit()) kept('fewer') eq(home[('shared'):rep(1000)], 'as a key')\n"
               "home.t.c, home[shared], home.t[shared] = nil, nil, nil assert(commit()) assert(entries() < full)\n"
               "for i = 0, 5 do\n"
               "  home.s = ('0123456789abcdef'):rep(4096 * i) .. ('x'):rep(i - 1) assert(commit()) "
               "kept('chunks ' .. i)\n"
               "  home.s = home.s .. 'y' assert(commit()) kept('and one more') \n"
               "end\n"
               "for k in next, home do home[k] = nil end assert(commit()) eq(entries(), 2)\n");
}

static void test_weak_and_paged(void **state) {
  (void)state;
  in_new_world(64,
               "home.keys, home.weak = {}, setmetatable({}, { __mode = 'k' })\n"
               "for i = 1, 100 do home.keys[i] = {} home.weak[home.keys[i]] = { i } home.weak['k' .. i] = i end\n"
               "for i = 1, 50 do home.weak[{}] = 'gone' end\n"
               "assert(commit()) kept() eq(home.weak[home.keys[100]][1], 100) eq(home.weak.k7, 7)\n"
               "home.keys[50] = nil assert(commit()) kept()\n"
               "setmetatable(home.weak, nil) assert(commit()) kept('strong')\n"
               "setmetatable(home.weak, { __mode = 'v' }) assert(commit()) kept('weak again')\n");
}

/* --------------------------------------------------------------- how much */

static uint64_t committed(World *w) {
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w->S, &stat, &w->error), HEARTH_OK);
  return stat.committed_bytes;
}

/* 100,000 entries, the usual page size: what one change writes. */
static void test_small_changes_write_little(void **state) {
  (void)state;
  static const struct {
    const char *fill, *change[6];
  } cases[] = {
      {"for i = 1, n do t[i] = 'entry ' .. i end",
       {"t[777] = 'changed'", "t[n + 1] = 'appended'", "t[n // 2] = nil", "t[-5] = 'before'", "t.name = 'a name'",
        "t[1 << 40] = 1"}},
      {"for i = 1, n do t['key ' .. i] = i end",
       {"t['key 777'] = 'changed'", "t.new = 'inserted'", "t['key 99'] = nil", "t[1] = 'an integer'", "t[0.5] = 1",
        "t['key 5'] = ('long'):rep(400)"}},
      {"for i = 1, n do t[i * 1000003] = { i } end",
       {"t[1000003][1] = 'changed'", "t[5] = 'inserted'", "t[1000003 * 9] = nil", "t[1000003 * 8] = {}",
        "t[math.mininteger] = 1", "t[true] = 1"}},
      {"for i = 1, n do t[i + 0.5] = i % 2 == 0 end",
       {"t[1.5] = 1", "t[0.5] = 2", "t[2.5] = nil", "t[1] = 1", "t[''] = 1", "t[t] = t"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    World w;
    world_init(&w, 0);
    lua_pushinteger(w.L, rounds(100) < 100 ? 5000 : 100000);
    lua_setglobal(w.L, "n");
    run(w.L, "t = {} home.t = t");
    run(w.L, cases[i].fill);
    run(w.L, "assert(commit()) unchanged()");
    for (int k = 0; k < 6; k++) {
      run(w.L, cases[i].change[k]);
      run(w.L, "assert(commit())");
      if (committed(&w) >= 16 * 1024) fail_msg("%s: %zu bytes", cases[i].change[k], (size_t)committed(&w));
      assert_true(committed(&w) > 0);
      run(w.L, "unchanged()");
    }
    run(w.L, "reopen() unchanged() for k, v in next, t do if type(v) ~= 'table' and k ~= t then "
             "eq(home.t[k], v) end end");
    run(w.L, "t = home.t t[3] = 'after reopening' assert(commit())");
    assert_true(committed(&w) < 16 * 1024);
    world_free(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_division),       cmocka_unit_test(test_history_does_not_matter),
      cmocka_unit_test(test_random_changes), cmocka_unit_test(test_edges),
      cmocka_unit_test(test_large_values),   cmocka_unit_test(test_weak_and_paged),
      cmocka_unit_test(test_small_changes_write_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
