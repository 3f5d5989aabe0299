/*
** Random programs: tables, closures, cells, metatables, weak tables, hooked objects and userdata change at random;
** commits, rollbacks and openings in between, with memory and the backend failing at random places. The whole
** graph, identities included, is compared as text.
*/
#include "store_testing.h"

static const char program[] =
    "local random = math.random\n"
    "local function closures(a, b)\n" /* three over two cells, one of them shared by all */
    "  return function(v) a, b = v, a end, function() return a end, function() return b, a end\n"
    "end\n"
    "local function fields(o) local f = {} for k, v in next, o do f[k] = v end return f end\n"
    "function begin()\n"
    "  local class = home.class or {}\n"
    "  home.class = class\n"
    "  function class.__persist(o)\n"
    "    local f = fields(o)\n" /* what is given is not copied: fields that wait for others come later */
    "    return function() return setmetatable(f, class) end\n"
    "  end\n"
    "end\n"
    "local function is_hooked(v) return type(v) == 'table' and getmetatable(v) == home.class end\n"
    "local function pick()\n"
    "  local v = home\n"
    "  for _ = 1, random(6) do\n"
    "    local found = {}\n"
    "    if type(v) == 'table' then\n"
    "      for k, x in next, v do if k ~= 'class' and (type(x) == 'table' or type(x) == 'function') then "
    "found[#found + 1] = x end end\n"
    "    else\n"
    "      for i = 1, 2 do local _, x = debug.getupvalue(v, i) "
    "if x ~= _G and (type(x) == 'table' or type(x) == 'function') then found[#found + 1] = x end end\n"
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
    "  if kind <= 6 then return pick() end\n"
    "  if kind == 7 then return ('text'):rep(random(60)) end\n"
    "  if kind == 8 then return random() end\n"
    "  if kind == 9 then return setmetatable({ x = random(9), t = {} }, home.class) end\n"
    "  if kind == 10 then return point(random(9), 1) end\n"
    "  return random(-1000, 1000)\n"
    "end\n"
    "local function set(place, k, v) if place ~= home.class then rawset(place, k, v) end end\n"
    "function change()\n"
    "  local place = pick()\n"
    "  if type(place) == 'function' then\n"
    "    if random(2) == 1 then debug.setupvalue(place, 1, value()) return end\n"
    "    local a, b, c = closures(value(), pick())\n"
    "    home['f' .. random(9)], home['g' .. random(9)], home['h' .. random(9)] = a, b, c\n"
    "    return\n"
    "  end\n"
    "  local hooked, kind = is_hooked(place), random(16)\n"
    "  if kind == 1 and place ~= home then\n"
    "    local meta = random(2) == 1 and pick() or nil\n"
    "    if not hooked then setmetatable(place, type(meta) == 'table' and meta ~= home and meta ~= home.class "
    "and not is_hooked(meta) and meta or nil) end\n"
    "  elseif kind == 2 and not hooked then\n"
    "    local from = random(40) for i = from, from + random(20) do set(place, i, value()) end\n"
    "  elseif kind == 3 then\n"
    "    for i = 1, random(30) do set(place, 'k' .. i, nil) end\n"
    "  elseif kind == 4 and place ~= home and place ~= home.class then setmetatable(place, home.class)\n"
    "  elseif kind == 5 and hooked then setmetatable(place, nil)\n"
    "  elseif kind <= 7 then set(place, random(40), value())\n"
    "  elseif kind == 8 then set(place, random(40), nil)\n"
    "  else set(place, 'k' .. random(30), value()) end\n"
    "end\n";

static const char loop[] =
    "local random = math.random\n"
    "function loop(first, rounds)\n"
    "  for seed = first, first + rounds - 1 do\n"
    "    math.randomseed(seed)\n"
    "    begin() assert(commit())\n"
    "    local text, failures = describe(home), 0\n"
    "    for step = 1, 25 do\n"
    "      for _ = 1, random(40) do change() end\n"
    "      if random(4) == 1 then churn() end\n"
    "      local what, changed, before = random(10), describe(home), batches()\n"
    "      local tag = seed .. ', step ' .. step .. ', ' .. what\n"
    "      if what <= 2 then\n"
    "        local ok, message, code = failing(random(800), random(2) == 1, commit)\n"
    "        if ok then text = changed else\n"
    "          eq(code, 'nomem', message) eq(batches(), before) same(changed, tag) failures = failures + 1\n"
    "        end\n"
    "      elseif what == 3 then\n"
    "        local ok, message, code = failing_disk(commit)\n"
    "        if not ok then eq(code, 'full', message) same(changed, tag) else text = changed end\n"
    "      elseif what == 4 then\n"
    "        local ok, message, code = failing(random(1500), random(2) == 1, rollback)\n"
    "        if not ok and code ~= 'nomem' and code ~= 'raised' then error(message) end\n"
    "        if not ok then assert(rollback()) failures = failures + 1 end\n"
    "        same(text, tag)\n"
    "      elseif what <= 6 then\n"
    "        assert(rollback()) same(text, tag)\n"
    "      elseif what == 7 then\n"
    "        fails('raised', 'on purpose', transaction(function() for _ = 1, 20 do change() end "
    "error 'on purpose' end))\n"
    "        text = changed same(text, tag)\n"
    "      elseif what == 8 then\n"
    "        home.bad = { { coroutine.create(print) } } assert(not commit()) home.bad = nil same(changed, tag)\n"
    "      else\n"
    "        assert(commit()) text = changed\n"
    "      end\n"
    "      if random(3) == 1 then assert(commit()) text = describe(home) kept(tag) begin() assert(commit()) "
    "text = describe(home) end\n"
    "    end\n"
    "  end\n"
    "end\n";

/* failing(n, all, f) -> what f returns; its n-th request for memory fails, and the next or all after it */
static int call_failing(lua_State *L) {
  World *w = world_of(L);
  size_t n = (size_t)luaL_checkinteger(L, 1);
  bool all = lua_toboolean(L, 2);
  luaL_checkstack(L, 300, NULL);
  lua_settop(L, 3);
  world_fail(w, n, all ? NEVER : 1);
  int status = lua_pcall(L, 0, 4, 0);
  world_mend(w);
  if (status != LUA_OK) { /* the answer itself found no memory: it is asked for again, like a nomem */
    lua_settop(L, 0);
    lua_pushnil(L);
    lua_pushliteral(L, "no memory for the answer");
    lua_pushliteral(L, "nomem");
    return 3;
  }
  return lua_gettop(L) - 2;
}

static int call_failing_disk(lua_State *L) {
  World *w = world_of(L);
  w->disk->fail_at = w->disk->submits;
  w->disk->failure = HEARTH_FULL;
  lua_call(L, 0, 4);
  disk_mend(w->disk);
  return 4;
}

static void run_seeds(uint32_t page_size, int first, bool generational) {
  World w;
  world_init(&w, page_size);
  lua_register(w.L, "failing", call_failing);
  lua_register(w.L, "failing_disk", call_failing_disk);
  lua_pushinteger(w.L, first);
  lua_setglobal(w.L, "first");
  lua_pushinteger(w.L, (lua_Integer)rounds(4));
  lua_setglobal(w.L, "rounds");
  if (generational) lua_gc(w.L, LUA_GCGEN, 0, 0);
  run(w.L, program);
  run(w.L, loop);
  run(w.L, "loop(first, rounds)");
  world_free(&w);
}

static void test_small_pages(void **state) {
  (void)state;
  run_seeds(64, 1, false);
}

static void test_usual_pages(void **state) {
  (void)state;
  run_seeds(4096, 1000, false);
}

static void test_generational(void **state) {
  (void)state;
  run_seeds(128, 2000, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_pages),
      cmocka_unit_test(test_usual_pages),
      cmocka_unit_test(test_generational),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
