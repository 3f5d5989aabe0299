/*
** Closing, opening, committing again: nothing is written, and everything is there. Each case in the same Lua state,
** and in a new one, as another process has it.
*/
#include "blob.h"
#include "store_testing.h"

/* `setup` runs in every Lua state before the store is opened, `fill` once, `check` after every opening. */
static void again(uint32_t page_size, const char *setup, const char *fill, const char *check) {
  World w;
  world_init(&w, page_size);
  run(w.L, setup);
  run(w.L, fill);
  run(w.L, "assert(commit())");
  for (int round = 0; round < 3; round++) {
    run(w.L, "unchanged('before closing') churn() unchanged('after a collection')");
    run(w.L, check);
    run(w.L, "kept('reopened')");
    run(w.L, check);
    world_end_state(&w);
    world_begin_state(&w);
    run(w.L, setup);
    world_open(&w);
    run(w.L, check);
    run(w.L, "unchanged('in another process')");
  }
  world_free(&w);
}

static void test_plain_values(void **state) {
  (void)state;
  again(64, "",
        "home.v = { 1, 1.0, -0.0, 0/0, 1/0, -1/0, math.mininteger, math.maxinteger, 'text', '', '\\0', true, false }\n"
        "for i = 1, 200 do home['s' .. i], home[i * 3], home[-i], home[i + 0.5] = ('x'):rep(i), { i }, i, i end\n"
        "home[true], home[false], home[math.mininteger], home[math.maxinteger] = 1, 2, 3, 4\n"
        "home.holes = { 1, nil, 3, nil, 5, [100] = 100 }\n"
        "home.self, home[home] = home, home\n",
        "eq(home.v[9], 'text') eq(math.type(home.v[2]), 'float') eq(home.self, home) eq(home[home], home) "
        "eq(home.s200, ('x'):rep(200))\n"
        "assert(home.v[4] ~= home.v[4]) eq(home[math.mininteger], 3) eq(home.holes[100], 100)\n");
}

static void test_functions(void **state) {
  (void)state;
  again(0, "",
        "local n, shared = 0, {}\n"
        "local function even(i) if i == 0 then return true end return odd(i - 1) end\n"
        "home.up, home.get = function() return n, shared end, function() n = n return n end\n"
        "local function fact(i) return i < 2 and 1 or i * fact(i - 1) end\n"
        "home.fact, home.shared, home.print, home.format = fact, shared, print, string.format\n"
        "home.list = {} for i = 1, 100 do home.list[i] = function() return i, n end end\n"
        "home.env = load('x = 1', '=env', 't', { y = 2 })\n"
        "home.stripped = load(string.dump(load('return 7'), true))\n"
        "home.big = load(('do local x = 1 x = 2 end '):rep(500) .. 'return 2')\n",
        "eq(home.fact(5), 120) eq(select(2, home.up()), home.shared) eq(home.list[100](), 100) eq(home.stripped(), 7)\n"
        "eq(home.print, print) eq(debug.upvalueid(home.up, 1), debug.upvalueid(home.list[3], 2)) eq(home.big(), 2)\n");
}

static const char hooks[] =
    "local class = {} home.class = class class.__index = class\n"
    "function class.__persist(o)\n"
    "  local x, list, f, other, shared = o.x, o.list, o.f, o.other, o.shared\n"
    "  local local_table, count = { x, { x }, function() return x end }, 0\n"
    "  local function up() count = count + 1 return count, local_table end\n"
    "  return function()\n"
    "    return setmetatable({ x = local_table[1], list = list, f = f, other = other, shared = shared, up = nil "
    "and up }, class)\n"
    "  end\n"
    "end\n"
    "local function new(o) return setmetatable(o, class) end\n"
    "local n = 0\n"
    "home.shared, home.get = { 's' }, function() return n end\n"
    "home.simple = new { x = 1 }\n"
    "home.nested = new { x = 2, list = { { 1, { 2 } }, [true] = 'yes', k = 1.5 }, f = function() n = n return n end }\n"
    "local only_two = { 'only these two' }\n"
    "home.first, home.second = new { x = 3, shared = only_two }, new { x = 4, shared = only_two }\n"
    "home.with_shared = new { x = 5, shared = home.shared }\n"
    "home.outer = new { x = 6, other = new { x = 7, other = new { x = 8, list = { {} } } } }\n" /* one inside another */
    "home.long = new { x = ('long'):rep(5000) }\n"
    "home.list = {} for i = 1, 40 do home.list[i] = new { x = i, other = home.list[i - 1] } end\n"
    "home.by_key = { [new { x = 9 }] = new { x = 10 } }\n"
    "local cycle = {} cycle.cycle = { cycle } home.cycle = new { list = cycle }\n";

static void test_hooked_objects(void **state) {
  (void)state;
  static const uint32_t sizes[] = {64, 4096};
  for (int i = 0; i < 2; i++)
    again(sizes[i], "", hooks,
          "eq(home.simple.x, 1) eq(home.nested.list[1][2][1], 2) eq(home.first.shared, home.second.shared)\n"
          "eq(home.with_shared.shared, home.shared) eq(home.outer.other.other.x, 8) eq(#home.long.x, 20000)\n"
          "eq(home.list[40].other, home.list[39]) eq(getmetatable(home.outer.other.other), home.class)\n"
          "eq(debug.upvalueid(home.nested.f, 1), debug.upvalueid(home.get, 1)) eq(next(home.by_key).x, 9)\n"
          "eq(home.cycle.list.cycle[1], home.cycle.list)\n");
}

/* Hooked objects that change in every way write what they should and nothing more. */
static void test_hooked_objects_changed(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  run(w.L, hooks);
  run(w.L,
      "assert(commit())\n"
      "local function changed(f) local b = batches() f() assert(commit()) eq(batches(), b + 1) kept() end\n"
      "changed(function() home.simple.x = 'one' end)\n"
      "changed(function() home.nested.list[1][2][1] = 3 end)\n"
      "changed(function() home.first.shared[1] = 'both' end) eq(home.second.shared[1], 'both')\n"
      "changed(function() home.second.shared = nil end)\n" /* now the first one's alone */
      "changed(function() home.second.shared = home.first.shared end)\n"
      "changed(function() home.public = home.first.shared end)\n"
      "changed(function() home.public = nil end)\n"
      "changed(function() home.outer.other.other.list[1] = home.outer end)\n"
      "changed(function() home.outer.other.other.list[1] = nil end)\n"
      "changed(function() home.stolen, home.outer.other = home.outer.other, nil end) eq(home.stolen.other.x, 8)\n"
      "changed(function() home.list[20] = nil end)\n"
      "changed(function() for k in next, home do home[k] = nil end end) eq(entries(), 2)\n");
  world_free(&w);
}

static const char types[] =
    "Vector = { __add = function() end } Handle = {}\n"
    "register('vector', Vector, function(v) return { v.x, v.y, v.next } end,\n"
    "  function(t) return setmetatable({ x = t[1], y = t[2], next = t[3] }, Vector) end)\n"
    "register('handle', Handle, function(h) return h.name end, function(name) "
    "return setmetatable({ name = name }, Handle) end)\n";

static void test_types(void **state) {
  (void)state;
  again(64, types,
        "local p, v = point(1, 2), setmetatable({ x = 1, y = { 2 } }, Vector)\n"
        "home.p, home.q, home.v, home.w = p, p, v, setmetatable({ x = v, y = p, next = v }, Vector)\n"
        "home.h = setmetatable({ name = ('name'):rep(30) }, Handle)\n"
        "home.f = function() return p, v end\n",
        "eq(home.p, home.q) eq(select(2, coordinates(home.p)), 2.0) eq(home.w.x, home.v) eq(home.w.next, home.v) "
        "eq(home.w.y, home.p)\n"
        "eq(home.h.name, ('name'):rep(30)) eq(home.f(), home.p)\n");
}

static void test_weak_tables(void **state) {
  (void)state;
  again(64, "",
        "local k, gone = {}, {}\n"
        "home.k, home.keep = k, { {} }\n"
        "home.keys = setmetatable({ [k] = { 'value' }, [gone] = 'gone', [1] = 'one', text = gone }, { __mode = 'k' })\n"
        "home.values = setmetatable({ k, gone, 3, x = k, y = gone }, { __mode = 'v' })\n"
        "home.both = setmetatable({ [k] = home.keep[1], [home.keep] = {} }, { __mode = 'kv' })\n"
        "local chain = {} home.ephemeron = setmetatable({ [k] = chain, [chain] = 'end' }, { __mode = 'k' })\n"
        "for i = 1, 100 do home.values['k' .. i] = i end\n",
        "eq(home.keys[home.k][1], 'value') eq(home.values[1], home.k) eq(home.both[home.k], home.keep[1])\n"
        "eq(home.ephemeron[home.ephemeron[home.k]], 'end') eq(home.values.k100, 100)\n");
}

static const char names[] =
    "library = { f = function() end, Class = { method = function() end } }\n"
    "name('b', library.f) name('long.name', library.f) name('a', library.f)\n"
    "name('class', library.Class)\n";

static const char other_names[] =
    "library = { f = function() end, Class = { method = function() end } }\n"
    "name('x', library.f) name('b', library.f) name('a', library.f) name('long.name', library.f)\n"
    "name('class', library.Class) name('c', library.Class)\n";

static int name_permanent(lua_State *L) {
  hearth_error e;
  if (hearth_register_permanent(L, 2, luaL_checkstring(L, 1), &e) != HEARTH_OK) return luaL_error(L, "%s", e.message);
  return 0;
}

static void test_permanents(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  lua_register(w.L, "name", name_permanent);
  run(w.L, names);
  run(w.L,
      "home.f, home.class, home.object = library.f, library.Class, setmetatable({}, library.Class)\n"
      "home.spawn, home.game, home.globals, home.out, home.upper = game.spawn, game.Class, _G, io.stdout, "
      "string.upper\n"
      "home.strings, home.meta = string, getmetatable('')\n"
      "home.closure = function() return library.f, game end\n"
      "home.spawn() assert(commit()) kept()\n");
  for (int round = 0; round < 4; round++) {
    world_end_state(&w);
    world_begin_state(&w);
    lua_register(w.L, "name", name_permanent);
    run(w.L, round % 2 == 0 ? other_names : names);
    world_open(&w);
    run(w.L, "eq(home.f, library.f) eq(home.class, library.Class) eq(getmetatable(home.object), library.Class)\n"
             "eq(home.spawn, game.spawn) eq(home.globals, _G) eq(home.out, io.stdout) eq(home.strings, string)\n"
             "unchanged('with other names') kept('with other names')");
  }
  world_free(&w);
}

/* What a module's function captured belongs to the module: only its name is stored. */
static void test_permanent_cells(void **state) {
  (void)state;
  again(0, "",
        "local spawned = select(2, debug.getupvalue(game.spawn, 1))\n"
        "home.f = (function() local spawned = 0 return function() return spawned end end)()\n"
        "debug.upvaluejoin(home.f, 1, game.spawn, 1)\n",
        "eq(debug.upvalueid(home.f, 1), debug.upvalueid(game.spawn, 1))\n"
        "local before = home.f() game.spawn() eq(home.f(), before + 1)\n");
}

/* A permanent unknown for a while keeps its name, and is itself again later. */
static void test_placeholders(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  lua_register(w.L, "name", name_permanent);
  run(w.L, "local hidden = 5 function Known() hidden = hidden + 1 return hidden end Class = { __index = { v = 1 } }");
  run(w.L, "name('known', Known) name('the.class', Class)");
  run(w.L,
      "home.f, home.list, home.object = Known, { Known, Known }, setmetatable({ 1 }, Class)\n"
      "home.g = (function() local hidden return function() return hidden end end)()\n"
      "debug.upvaluejoin(home.g, 1, Known, 1)\n"
      "home.key = { [Known] = 'key' }\n"
      "assert(commit()) kept()\n");
  size_t batches = w.disk->batches;
  for (int round = 0; round < 2; round++) {
    world_end_state(&w);
    world_begin_state(&w);
    w.options.flags = 0;
    assert_int_equal(world_try_open(&w), HEARTH_UNKNOWN);
    assert_non_null(strstr(w.error.message, "known"));
    w.options.flags = HEARTH_STORE_PLACEHOLDERS;
    world_open(&w);
    run(w.L,
        "eq(home.f, home.list[1]) eq(type(home.f), 'function')\n"
        "local ok, message = pcall(home.f) assert(not ok and message:find 'known', message)\n"
        "ok, message = pcall(function() return home.object.v end) "
        "assert(not ok and message:find 'the.class', message)\n"
        "unchanged() home.f = home.list[2] unchanged()\n"
        "assert(rollback()) unchanged()\n");
    assert_int_equal(w.disk->batches, batches);
    /* its neighbours are written */
    run(w.L, "rawset(home.object, 2, 2) assert(commit()) rawset(home.object, 2, nil) assert(commit())");
    run(w.L, "local f, o = home.f, home.object home.f, home.object, home.list[2] = nil assert(commit())\n"
             "home.f, home.object, home.list[2] = f, o, f assert(commit())"); /* unlinked, and linked again */
    batches = w.disk->batches;
  }
  world_end_state(&w);
  world_begin_state(&w);
  lua_register(w.L, "name", name_permanent);
  run(w.L, "local hidden = 50 function Known() hidden = hidden + 1 return hidden end Class = { __index = { v = 1 } }");
  run(w.L, "name('known', Known) name('the.class', Class)");
  world_open(&w);
  run(w.L, "eq(home.f, Known) eq(home.list[2], Known) eq(home.object.v, 1) eq(home.key[Known], 'key')\n"
           "Known() eq(home.g(), 51)\n"
           "unchanged()");
  assert_int_equal(w.disk->batches, batches);
  world_free(&w);
}

/* Prototypes that another Lua wrote: the record's Lua version is changed on the disk. */
static void test_unfit_prototypes(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, "local n = { 1 }\n"
           "home.f, home.g, home.n = function() return n end, function(x) n[1] = x return n end, n\n"
           "local o = {} home.o, home.h = o, function() return o, 1 end\n"
           "home.list = { home.f, home.f } assert(commit())");
  DiskEntries all = disk_entries(w.disk);
  size_t patched = 0;
  for (size_t i = 0; i < all.count; i++) {
    DiskEntry *e = &all.entries[i];
    if (e->key[0] != LAYOUT_CONSTANT || (e->value[0] & HEAD_KIND) != OBJECT_PROTOTYPE) continue;
    unsigned char *record = e->value + 9; /* behind the head */
    assert_int_equal(record[1], LUA_VERSION_NUM / 100 * 16 + LUA_VERSION_NUM % 100);
    record[1] = 0x53;
    uint64_t check = hash64(record, e->value_size - 9, BLOB_CHECK_SEED);
    for (unsigned b = 0; b < 8; b++) e->value[1 + b] = (unsigned char)(check >> 8 * b);
    disk_set(w.disk, e->key, e->key_size, e->value, e->value_size);
    patched++;
  }
  assert_int_equal(patched, 3);
  for (int round = 0; round < 3; round++) {
    world_restart(&w);
    run(w.L, "eq(home.f, home.list[2]) eq(home.n[1], 1)\n"
             "local ok, message = pcall(home.f) assert(not ok and message:find '5.3', message)\n"
             "unchanged() assert(rollback()) unchanged()\n"
             "home.n[1] = 2 assert(commit()) home.n[1] = 1 assert(commit())\n"
             "local f, n = home.f, home.n home.f, home.list = nil, nil assert(commit())\n"
             "home.f, home.list = f, { f, f } assert(commit())\n"
             /* What a stand-in captured counts, too: o needs h, whose cell has o. */
             "local class = {} function class.__persist() local h = home.h return function() return { h } end end\n"
             "setmetatable(home.o, class) fails('cycle', '_home.o: ', commit()) setmetatable(home.o, nil) "
             "unchanged()\n");
    DiskEntries now = disk_entries(w.disk);
    size_t same = 0;
    for (size_t i = 0; i < now.count; i++)
      for (size_t k = 0; k < all.count; k++)
        if (all.entries[k].key[0] == LAYOUT_CONSTANT && now.entries[i].key[0] == LAYOUT_CONSTANT &&
            now.entries[i].value_size == all.entries[k].value_size &&
            memcmp(now.entries[i].value, all.entries[k].value, all.entries[k].value_size) == 0 &&
            now.entries[i].value[10] == 0x53)
          same++;
    assert_int_equal(same, 3); /* byte for byte */
    disk_free_entries(&now);
  }
  disk_free_entries(&all);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_values),    cmocka_unit_test(test_functions),
      cmocka_unit_test(test_hooked_objects),  cmocka_unit_test(test_hooked_objects_changed),
      cmocka_unit_test(test_types),           cmocka_unit_test(test_weak_tables),
      cmocka_unit_test(test_permanents),      cmocka_unit_test(test_permanent_cells),
      cmocka_unit_test(test_placeholders),    cmocka_unit_test(test_unfit_prototypes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
