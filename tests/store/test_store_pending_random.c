/*
** Random programs on an asynchronous backend: the graph and external tables change, commits are stacked, become
** complete or fail in any order, the store is rolled back, killed and opened again, and memory fails in between. What
** the program sees is compared as text with what it saw when a commit was made.
*/
#include "pending_testing.h"

static const char changes[] =
    "local random = math.random\n"
    "local function closures(a, b)\n" /* three over two cells */
    "  return function(v) a, b = v, a end, function() return a end, function() return b, a end\n"
    "end\n"
    "local let_go\n" /* what was in the graph and may come back */
    "function forget() let_go = {} end\n"
    "function begin()\n"
    "  forget()\n"
    "  local class = home.class or {}\n"
    "  home.class, home.e, home.list = class, home.e or {}, home.list or {}\n"
    "  function class.__persist(o)\n"
    "    local fields = {} for k, v in next, o do fields[k] = v end\n"
    "    return function() return setmetatable(fields, class) end\n"
    "  end\n"
    "end\n"
    "local function pick()\n"
    "  local v = home.list\n"
    "  for _ = 1, random(5) do\n"
    "    local found = {}\n"
    "    if type(v) == 'table' then\n"
    "      for _, x in next, v do if type(x) == 'table' or type(x) == 'function' then found[#found + 1] = x end end\n"
    "    else\n"
    "      for i = 1, 2 do local _, x = debug.getupvalue(v, i) "
    "if x ~= _G and type(x) == 'table' then found[#found + 1] = x end end\n"
    "    end\n"
    "    if #found == 0 then break end\n"
    "    v = found[random(#found)]\n"
    "  end\n"
    "  return v\n"
    "end\n"
    "local function value()\n"
    "  local kind = random(14)\n"
    "  if kind <= 2 then return {} end\n"
    "  if kind == 3 then return (select(random(3), closures({}, random(9)))) end\n"
    "  if kind == 4 then return pick() end\n"
    "  if kind == 5 then return let_go[random(20)] or 5 end\n"
    "  if kind == 6 then return ('text'):rep(random(200)) end\n"
    "  if kind == 7 then return ('text'):rep(16400) .. random(4) end\n" /* a string in chunks */
    "  if kind == 8 then return setmetatable({ x = random(9), t = {} }, home.class) end\n"
    "  if kind == 9 then return point(random(9), 1) end\n"
    "  if kind == 10 then return ({ game.spawn, print, game.Class, string.upper })[random(4)] end\n"
    "  if kind == 11 then return home.e[random(8)] end\n"
    "  if kind == 12 then return load('return ' .. random(5)) end\n"
    "  return random(-1000, 1000)\n"
    "end\n"
    "local function is_permanent(v) return v == game.Class or v == game.spawn or v == print or v == string.upper end\n"
    "local function change_graph()\n"
    "  local place = pick()\n"
    "  if is_permanent(place) then return end\n"
    "  if type(place) == 'function' then\n"
    "    local name = debug.getupvalue(place, 1)\n"
    "    if name and name ~= '_ENV' then debug.setupvalue(place, 1, value()) end\n"
    "    return\n"
    "  end\n"
    "  local hooked, kind = getmetatable(place) == home.class, random(10)\n"
    "  if kind == 1 and place ~= home.list then setmetatable(place, not hooked and home.class or nil)\n"
    "  elseif kind == 2 and not hooked then\n"
    "    local from = random(30) for i = from, from + random(30) do place[i] = value() end\n"
    "    if random(3) == 1 then for i = from, from + 30 do place[i] = ('wide'):rep(random(12, 15)) end end\n"
    "  elseif kind == 3 then\n"
    "    for i = 1, random(30) do let_go[random(20)] = place['k' .. i] place['k' .. i] = nil end\n"
    "  elseif kind == 4 then\n"
    "    for i = 1, random(60) do place[i] = nil end\n"
    "  elseif kind == 5 then\n"
    "    local a, b, c = closures(value(), pick())\n"
    "    home.list['f' .. random(5)], home.list['g' .. random(5)], home.list['h' .. random(5)] = a, b, c\n"
    "  else rawset(place, 'k' .. random(30), value()) end\n"
    "end\n"
    "local function change_externals()\n"
    "  local i = random(8)\n"
    "  local e, kind, key = home.e[i], random(12), ({ 'a', 'b', 'c', 1, 2, true, 0.5 })[random(7)]\n"
    "  if not e then home.e[i] = external() return end\n"
    "  if random(3) == 1 then\n" /* go to one that it refers to */
    "    for _, v in pairs(e) do if ext_is(v) then e = v break end end\n"
    "  end\n"
    "  if kind == 1 then home.e[i] = nil\n"
    "  elseif kind <= 3 then e[key] = nil\n"
    "  elseif kind <= 6 then e[key] = home.e[random(8)]\n"
    "  elseif kind == 7 then e[key] = { random(9), { x = random(9) } }\n"
    "  elseif kind == 8 then local t = {} t.me = t e[key] = t\n" /* a cycle */
    "  elseif kind == 9 then for n = 3, 3 + random(40) do e[n] = ('v'):rep(random(90)) end\n"
    "  else e[key] = random(2) == 1 and random(99) or ('s'):rep(random(300)) end\n"
    "end\n"
    "function change() if random(3) == 1 then change_externals() else change_graph() end end\n";

static const char loop[] =
    "local random = math.random\n"
    "local texts\n" /* number of a batch -> what the program saw when it was committed */
    "local failures, nomem, steps = 0, 0, 0\n"
    "local codes = { 'full', 'conflict', 'nomem' }\n"
    "local function note(ok, message, code)\n"
    "  if ok then texts[accepted()] = whole() end\n"
    "  return ok, message, code\n"
    "end\n"
    "local function told(code)\n" /* of commit, poll, rollback: a failure that was decided */
    "  if code == 'full' or code == 'conflict' or code == 'nomem' then failures = failures + 1 return true end\n"
    "end\n"
    "local function store_all(tag)\n"
    "  complete_all()\n" /* up to one that fails */
    "  local ok, message, code = poll()\n"
    "  assert(ok or told(code), message)\n"
    "  forget() stored(tag) begin() texts = {}\n"
    "  note(assert(commit())) complete_all() is_ok(poll())\n"
    "end\n"
    "local function commits(...)\n"
    "  local ok, message, code = note(commit(...)) assert(ok or told(code), message)\n"
    "end\n"
    "local acts = {\n"
    "  function() for _ = 1, random(20) do change() end end,\n"
    "  function() change() end,\n"
    "  function() change() commits() end,\n"
    "  function() commits 'visible' end,\n"
    "  function() commits() end,\n"
    "  function() if pending() > 0 then complete() end end,\n"
    "  function() if pending() > 0 then complete(random(pending())) end end,\n"
    "  function() if pending() > 0 then fail(codes[random(3)], random(pending())) end end,\n"
    "  function() local ok, message, code = poll() assert(ok or told(code), message) end,\n"
    "  function() collectgarbage() end,\n"
    "  function(tag)\n"
    "    local now, ok, message, code = whole(), rollback()\n"
    "    if ok then is_whole(texts[sequence()], tag) else assert(code == 'busy' or told(code), message) "
    "is_whole(now, tag) end\n"
    "  end,\n"
    "  function(tag)\n"
    "    local start, now = nil, whole()\n"
    "    local ok, message, code = transaction(function() start = note(true) change() change() "
    "if random(2) == 1 then error 'on purpose' end end)\n"
    "    if ok ~= nil then error 'a result' end\n"
    "    if code then assert(code == 'raised' or told(code), message) "
    "is_whole(now, tag) else texts[accepted()] = whole() end\n"
    "  end,\n"
    "  function() local ok, message, code = note(compact()) assert(ok or told(code), message) end,\n"
    "}\n"
    /* The same with memory that ends: nothing changes, and it can be done again. */
    "local function starve()\n"
    "  local now = whole()\n"
    "  local f = ({ commit, commit, poll })[random(3)]\n"
    "  local ok, message, code = failing(random(f == poll and 60 or 1200), f)\n"
    "  if not ok and not told(code) then error(message) end\n"
    "  if ok then texts[accepted()] = f == commit and now or texts[accepted()] else nomem = nomem + 1 end\n"
    "  is_whole(now, 'starved')\n"
    "end\n"
    "function loop(first, rounds, hungry)\n"
    "  for seed = first, first + rounds - 1 do\n"
    "    math.randomseed(seed)\n"
    "    for k in next, home do home[k] = nil end\n"
    "    begin() texts = {} note(assert(commit()))\n"
    "    complete_all() is_ok(poll())\n"
    "    local number = next_number()\n"
    "    for step = 1, 150 do\n"
    "      local tag = seed .. ', step ' .. step\n"
    "      steps = steps + 1\n"
    "      if hungry and random(8) == 1 then starve() else acts[random(#acts)](tag) end\n"
    "      if random(40) == 1 then\n"
    "        reopen(true) is_whole(texts[sequence()], tag .. ', killed')\n"
    "        begin() store_all(tag) number = next_number()\n" /* those never stored are forgotten */
    "      end\n"
    "      if random(40) == 1 then store_all(tag) number = next_number() end\n"
    "      assert(next_number() >= number, tag) number = next_number()\n"
    "    end\n"
    "    store_all(seed)\n"
    "  end\n"
    "  assert(failures > steps // 100, failures) assert(not hungry or nomem > 0, 'memory never failed')\n"
    "end\n";

static int push_sequence(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)sea_of(L)->disk.sequence);
  return 1;
}

static int push_accepted(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)sea_of(L)->disk.accepted);
  return 1;
}

/* failing(n, f) -> what f returns; all requests for memory from the n-th on fail */
static int call_failing(lua_State *L) {
  World *w = world_of(L);
  luaL_checkstack(L, 300, NULL);
  world_fail(w, (size_t)luaL_checkinteger(L, 1), NEVER);
  int status = lua_pcall(L, 0, 3, 0);
  world_mend(w);
  if (status == LUA_OK) return 3;
  lua_settop(L, 0); /* the answer itself found no memory */
  lua_pushnil(L);
  lua_pushliteral(L, "no memory for the answer");
  lua_pushliteral(L, "nomem");
  return 3;
}

static void run_seeds(uint32_t page_size, int first, bool hungry) {
  Sea s;
  sea_init(&s, page_size);
  lua_State *L = s.world.L;
  lua_register(L, "sequence", push_sequence);
  lua_register(L, "accepted", push_accepted);
  lua_register(L, "failing", call_failing);
  run(L, changes);
  run(L, loop);
  lua_getglobal(L, "loop");
  lua_pushinteger(L, first);
  lua_pushinteger(L, (lua_Integer)rounds(20));
  lua_pushboolean(L, hungry);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  sea_free(&s);
}

static void test_small_pages(void **state) {
  (void)state;
  run_seeds(64, 1, false);
}

static void test_usual_pages(void **state) {
  (void)state;
  run_seeds(1024, 1000, false);
}

static void test_failing_memory(void **state) {
  (void)state;
  run_seeds(128, 2000, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_pages),
      cmocka_unit_test(test_usual_pages),
      cmocka_unit_test(test_failing_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
