/*
** Hooks that misbehave while the store is at work: an error at most, never corruption.
*/
#include "store_testing.h"

/* hooked(f, o): an object whose __persist calls f first. */
static const char prelude_hooks[] =
    "home.class = home.class or {}\n"
    "local class = home.class\n"
    "function class.__persist(o)\n"
    "  if before then before(o) end\n"
    "  local x, list = o.x, o.list\n"
    "  return function() return setmetatable({ x = x, list = list }, class) end\n"
    "end\n"
    "function hooked(x, list) return setmetatable({ x = x, list = list }, class) end\n"
    "home.a, home.b, home.c = hooked(1, { {} }), hooked(2, { {} }), hooked(3)\n"
    "home.plain, home.n = { { 1 } }, 1\n"
    "local n = 0 home.f = function() n = n + 1 return n end\n"
    "assert(commit())\n"
    /* whatever happened: the store can be read again, and says what is here */
    "function sound(what)\n"
    "  before = nil\n"
    "  assert(commit()) kept(what)\n"
    "end\n";

static void in_hooked_world(const char *code) {
  World w;
  world_init(&w, 64);
  run(w.L, prelude_hooks);
  run(w.L, code);
  world_free(&w);
}

static void test_busy(void **state) {
  (void)state;
  in_hooked_world("local codes = {}\n"
                  "function before()\n"
                  "  before = nil\n"
                  "  local function code(_, _, c) codes[#codes + 1] = tostring(c) end\n"
                  "  code(commit()) code(rollback()) code(transaction(function() end)) code(alias(1)) code(install())\n"
                  "  codes[#codes + 1] = close()\n"
                  "  assert(enc(home))\n" /* the codec is no part of the store */
                  "end\n"
                  "home.n = 2 assert(commit())\n"
                  "eq(table.concat(codes, ' '), 'busy busy busy busy busy busy')\n"
                  "kept()\n");
}

static void test_raises(void **state) {
  (void)state;
  in_hooked_world("local before_commit = batches()\n"
                  "function before(o) if o.x == 2 then error('on purpose') end end\n"
                  "home.n = 2\n"
                  "fails('raised', '_home.b: its __persist raised', commit()) eq(batches(), before_commit)\n"
                  "function before(o) if o.x == 3 then error({}) end end\n"
                  "fails('raised', '_home.c: its __persist raised: table', commit())\n"
                  "function before(o) if o.x == 3 then error(nil) end end\n"
                  "fails('raised', nil, commit())\n"
                  "local thread = coroutine.wrap(function()\n"
                  "  function before() coroutine.yield() end\n"
                  "  return commit()\n"
                  "end)\n"
                  "fails('raised', 'yield', thread())\n"
                  "eq(batches(), before_commit)\n"
                  "sound() eq(home.n, 2)\n");
}

static void test_wrong_results(void **state) {
  (void)state;
  in_hooked_world("local meta = {}\n"
                  "home.bad = setmetatable({}, meta)\n"
                  "for _, result in ipairs { 1, 'text', {}, true } do\n"
                  "  function meta.__persist() return result end\n"
                  "  fails('unstorable', '_home.bad', commit())\n"
                  "end\n"
                  "function meta.__persist() end fails('unstorable', '_home.bad', commit())\n"
                  "function meta.__persist() return print end\n" /* a C function is one, too */
                  "meta.__persist = 5 fails('unstorable', '_home.bad', commit())\n"
                  "meta.__persist = false fails('unstorable', '_home.bad', commit())\n"
                  "local thread = coroutine.create(print)\n"
                  "function meta.__persist() return function() return thread end end\n"
                  "fails('unstorable', '_home.bad', commit())\n"
                  "home.bad = nil sound()\n");
}

/* The graph is changed in every way while it is walked, by the first, the second and the third hook. */
static void test_changes_the_graph(void **state) {
  (void)state;
  in_hooked_world(
      "local changes = {\n"
      "  function() home.new = { {} } end,\n"
      "  function() home.plain = nil end,\n"
      "  function() home.plain = nil collectgarbage() end,\n"
      "  function() home.plain = { { {} } } end,\n"
      "  function() home.a = nil end,\n"
      "  function() home.b, home.c = nil, nil collectgarbage() churn() end,\n"
      "  function() home.a.list = { { {} } } end,\n"
      "  function() home.a.list[1] = { {} } end,\n"
      "  function() if home.a and home.a.list then home.a.list[1].new = { function() return home.a end } end end,\n"
      "  function() if home.a and home.a.list then home.a.list[1].new = home.b end end,\n"
      "  function() if home.a and home.a.list then setmetatable(home.a.list[1], { __mode = 'k' }) end end,\n"
      "  function() if home.a and home.a.list then setmetatable(home.a.list[1], home.class) end end,\n"
      "  function() setmetatable(home.plain, home.class) end,\n"
      "  function() setmetatable(home.plain or {}, { __mode = 'v' }) end,\n"
      "  function() setmetatable(home.a or {}, nil) end,\n"
      "  function() home.d = hooked(4, { home.plain }) end,\n"
      "  function(o) o.x = { o.x } end,\n"
      "  function(o) o.list = { o, o.list } end,\n"
      "  function(o) o.list = home end,\n"
      "  function(o) for i = 1, 100 do home['k' .. i] = { i } end end,\n"
      "  function(o) for i = 1, 100 do home['k' .. i] = nil end collectgarbage() churn() end,\n"
      "  function() home.f() debug.setupvalue(home.f, 1, { 'new' }) end,\n"
      "  function() local m = 5 debug.upvaluejoin(home.f, 1, function() return m end, 1) collectgarbage() "
      "churn() end,\n"
      "  function() collectgarbage('generational') collectgarbage() collectgarbage('incremental') end,\n"
      "  function() collectgarbage('restart') for i = 1, 3000 do local _ = { {}, function() return i end } end end,\n"
      "  function() coroutine.wrap(function() home.inside = { coroutine.isyieldable() } end)() end,\n"
      "  function() home.class.extra = { {} } end,\n"
      "  function() home.bad = coroutine.create(print) end,\n"
      "}\n"
      "local failed = 0\n"
      "for which = 1, 3 do\n"
      "  for i, change in ipairs(changes) do\n"
      "    local count, what = 0, i .. ' in hook ' .. which\n"
      "    function before(o)\n"
      "      count = count + 1\n"
      "      if count == which then change(o) end\n"
      "    end\n"
      "    home.n = home.n + 1\n"
      "    local ok, message, code = commit()\n"
      "    before = nil\n"
      "    if not ok then\n"
      "      failed = failed + 1\n"
      "      if code ~= 'unstorable' and code ~= 'raised' then error(what .. ': ' .. message) end\n"
      "      reopen()\n" /* what is stored is whole */
      "    else\n"
      "      reopen()\n"
      "    end\n"
      "    describe(home)\n"
      "    home.a, home.b, home.c = hooked(1, { {} }), hooked(2, { {} }), hooked(3)\n"
      "    home.plain, home.new, home.d, home.bad = { { 1 } }\n"
      "    local n = 0 home.f = function() n = n + 1 return n end\n"
      "    sound(what)\n"
      "    collectgarbage 'restart'\n"
      "  end\n"
      "end\n"
      "assert(failed > 0)\n");
}

/* One hook adds to what another one returned, which was looked through already. */
static void test_changes_what_was_returned(void **state) {
  (void)state;
  in_hooked_world("local shared = {}\n"
                  "local meta = {}\n"
                  "function meta.__persist(o)\n"
                  "  if o.last and add then add(shared) end\n"
                  "  local s = o.last or shared\n"
                  "  return function() return setmetatable({ s = s }, meta) end\n"
                  "end\n"
                  "home.meta, home.x, home.y = meta, setmetatable({}, meta), setmetatable({ last = true }, meta)\n"
                  "assert(commit())\n"
                  "for i, f in ipairs { function(t) t.new = {} end, function(t) t.new = function() return t end end,\n"
                  "                     function(t) setmetatable(t, {}) end, function(t) t[{}] = true end,\n"
                  "                     function(t) t.new = nil collectgarbage() churn() t.new = { {} } end } do\n"
                  "  add = f\n"
                  "  local ok, message, code = commit()\n"
                  "  add = nil\n"
                  "  if not ok then eq(code, 'unstorable', message) end\n"
                  "  reopen()\n" /* nothing refers to what is not there */
                  "  meta = home.meta\n"
                  "  setmetatable(shared, nil)\n"
                  "  home.x, home.y = setmetatable({}, meta), setmetatable({ last = true }, meta)\n"
                  "  assert(commit())\n"
                  "end\n");
}

static void test_collector(void **state) {
  (void)state;
  in_hooked_world("function before() collectgarbage() end\n"
                  "home.n = 2 assert(commit()) eq(collectgarbage 'isrunning', true)\n"
                  "collectgarbage 'stop' home.n = 3 assert(commit()) eq(collectgarbage 'isrunning', false)\n"
                  "collectgarbage 'restart'\n"
                  "function before() error 'no' end\n"
                  "fails('raised', nil, commit()) eq(collectgarbage 'isrunning', true)\n"
                  "collectgarbage 'stop' fails('raised', nil, commit()) eq(collectgarbage 'isrunning', false)\n"
                  "home.a.x = 8 before = nil assert(rollback()) eq(collectgarbage 'isrunning', false)\n"
                  "collectgarbage 'restart' sound()\n");
}

/* Hooks are asked in a rollback, too. */
static void test_in_a_rollback(void **state) {
  (void)state;
  in_hooked_world("local text = describe(home)\n"
                  "local codes = {}\n"
                  "local a, b = home.a, home.b\n"
                  "function before(o)\n"
                  "  codes[#codes + 1] = select(3, commit()) codes[#codes + 1] = select(3, rollback())\n"
                  "  home.trap = { {} } o.trap = true\n"
                  "  collectgarbage() churn()\n"
                  "  if o.x == 2 then error 'in a rollback' end\n"
                  "end\n"
                  "home.a.x, home.n, home.plain[1] = 7, 8, nil\n"
                  "assert(rollback())\n"
                  "eq(codes[1], 'busy') eq(codes[2], 'busy') assert(#codes >= 4)\n"
                  "before = nil\n"
                  "eq(home.a, a) eq(home.b, b) eq(home.a.x, 1) eq(home.b.x, 2)\n"
                  "home.a.trap, home.b.trap, home.c.trap = nil, nil, nil\n"
                  "same(text) unchanged()\n");
}

/* A rebuilding function that raises leaves a graph between the two: it is not stored. */
static void test_rebuilder_raises(void **state) {
  (void)state;
  in_hooked_world("local meta = {}\n"
                  "function meta.__persist(o)\n"
                  "  local x = o.x\n"
                  "  return function()\n"
                  "    if trap then error 'rebuilding' end\n"
                  "    return setmetatable({ x = x }, meta)\n"
                  "  end\n"
                  "end\n"
                  "home.meta, home.object = meta, setmetatable({ x = 1 }, meta)\n"
                  "assert(commit())\n"
                  "local text, before_it = describe(home), batches()\n"
                  "home.object.x, home.n, trap = 2, 99, true\n"
                  "fails('raised', 'rebuilding', rollback())\n"
                  "fails('stale', 'roll back again', commit())\n"
                  "fails('stale', 'roll back again', transaction(function() end))\n"
                  "fails('raised', 'rebuilding', rollback())\n"
                  "eq(batches(), before_it)\n"
                  "trap = nil\n"
                  "assert(rollback()) same(text) unchanged()\n"
                  "home.n = 5 assert(commit()) kept()\n"
                  "fails('raised', 'rolling it back failed', transaction(function()\n"
                  "  trap, home.object.x = true, 4 error('x')\n"
                  "end))\n"
                  "trap = nil assert(rollback())\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_busy),
      cmocka_unit_test(test_raises),
      cmocka_unit_test(test_wrong_results),
      cmocka_unit_test(test_changes_the_graph),
      cmocka_unit_test(test_changes_what_was_returned),
      cmocka_unit_test(test_collector),
      cmocka_unit_test(test_in_a_rollback),
      cmocka_unit_test(test_rebuilder_raises),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
