/*
** Objects with hooks and registered types: hooks that misbehave, rebuilding
** functions that do, what is consulted and what is not, finalizers.
*/
#include "codec_testing.h"

/* ---------------------------------------------------------- while encoding */

static void test_hook_results(void **state) {
  (void)state;
  in_new_state(
      "local function obj(hook) return setmetatable({}, {__persist = hook}) end\n"
      "local function says(code, text, hook)\n"
      "  local m = refused(code, 'root.a', {a = obj(hook)}) eq(m, 'root.a: ' .. text)\n"
      "end\n"
      "says('unstorable', 'its __persist returned a nil, not a rebuilding function', function() end)\n"
      "says('unstorable', 'its __persist returned a table, not a rebuilding function', function() return {} end)\n"
      "says('unstorable', 'a table whose __persist forbids it cannot be stored', false)\n"
      "says('unstorable', 'its __persist is a number, not a boolean or a function', 1)\n"
      "says('unstorable', 'its __persist is a table, not a boolean or a function', "
      "setmetatable({}, {__call = print}))\n"
      "says('raised', 'its __persist raised: no', function() error('no', 0) end)\n"
      "says('raised', 'its __persist raised: table', function() error {} end)\n"
      "says('raised', 'its __persist raised: nil', function() error() end)\n"
      "local m = refused('raised', 'root.a', {a = obj(function() coroutine.yield() end)})\n"
      "assert(m:find('attempt to yield', 1, true), m)\n"
      "m = select(2, coroutine.wrap(function() return enc(obj(function() coroutine.yield() end)) end)())\n"
      "assert(m:find('attempt to yield', 1, true), m)\n"
      "eq(rt(setmetatable({7}, {__persist = true}))[1], 7)\n"
      "local r = rt {obj(function(o, ...) eq(select('#', ...), 0) return function(...) eq(select('#', ...), 0) "
      "return {x = 1} end end)}\n"
      "eq(r[1].x, 1) eq(getmetatable(r[1]), nil)\n"
      /* A rebuilding function that is a C function with a name. */
      "r = rt(obj(function() return coroutine.running end)) eq(type(r), 'thread')\n"
      "refused('unstorable', nil, obj(function() return string.gmatch('a', 'a') end))\n");
}

static void test_hooks_that_meddle(void **state) {
  (void)state;
  in_new_state(
      /* It adds keys to the table that holds it, and to itself. */
      "local t = {} for i = 1, 50 do t[i] = setmetatable({i}, {__persist = function(o)\n"
      "  for k = 1, 100 do t['new' .. i .. k] = {} end o.more = true\n"
      "  local v = o[1] return function() return {v} end end}) end\n"
      "local r = rt(t) for i = 1, 50 do eq(r[i][1], i) end\n"
      "r = rt(t) for i = 1, 50 do eq(r[i][1], i) end eq(type(r.new50100), 'table')\n"
      /* It removes keys of tables that are still to be written, and of those that were. */
      "local a, b = {x = {1}}, {y = {2}}\n"
      "local o = setmetatable({}, {__persist = function() a.x, b.y = nil, nil return function() return {} end end})\n"
      "r = rt {a, o, b} assert(r[1].x == nil or r[1].x[1] == 1) assert(r[3].y == nil or r[3].y[1] == 2)\n"
      /* It removes its own metatable, or its own hook. */
      "o = setmetatable({}, {__persist = function(o) setmetatable(o, nil) return function() return {5} end end})\n"
      "eq(rt(o)[1], 5)\n"
      "o = setmetatable({}, {__persist = function(o) getmetatable(o).__persist = nil "
      "return function() return {6} end end})\n"
      "eq(rt {o, o}[2][1], 6)\n"
      /* It encodes and decodes itself. */
      "o = setmetatable({9}, {__persist = function(o) local b = enc {o[1]} return function() return dec(b) end end})\n"
      "local perms, values = {[dec] = 'dec'}, {dec = dec}\n"
      "r = assert(dec(assert(enc({o}, 0, perms)), TRUSTED, values)) eq(r[1][1], 9)\n"
      /* without end */
      "o = setmetatable({}, {__persist = function(o) assert(enc(o)) end}) refused('raised', 'root', o)\n"
      "eq(rt(7), 7)\n");
}

/* Whoever frees and makes strings, keys, cells in the middle must not change what was written. */
static void hooks_that_collect(void (*in_state)(const char *code)) {
  in_state(
      "local function collecting(i, s) return setmetatable({}, {__persist = function()\n"
      "  collectgarbage() collectgarbage() return function() return {i} end end}) end\n"
      /* A type's value is a string that nothing else holds. */
      "local list, made = {}, 0\n"
      "local meta = {}\n"
      "register('text', meta, function(o) collectgarbage() made = made + 1 "
      "return ('%s %03d'):format(o.long and ('x'):rep(60) or 'short', made % 4) end,\n"
      "  function(s) return {s = s} end)\n"
      "for i = 1, 400 do list[i] = setmetatable({long = i % 2 == 0}, meta) end\n"
      "local r = rt(list)\n"
      "for i = 1, 400 do eq(r[i].s, ('%s %03d'):format(i % 2 == 0 and ('x'):rep(60) or 'short', i % 4)) end\n"
      /* Keys vanish with their table's fields; others come at their addresses. */
      "local t, all = {}, {}\n"
      "for i = 1, 300 do\n"
      "  local record = {['key' .. i .. 'a'] = i, ['key' .. i .. 'b'] = -i}\n"
      "  t[#t + 1] = record\n"
      "  t[#t + 1] = setmetatable({}, {__persist = function()\n"
      "    for k in pairs(record) do record[k] = nil end collectgarbage() \n"
      "    if t[2 * i + 1] then local n = t[2 * i + 1] for k, v in pairs(n) do n[k] = nil end collectgarbage()\n"
      "      n['other' .. i .. 'x'], n['other' .. i .. 'y'] = i, i end\n"
      "    return function() return {} end end})\n"
      "end\n"
      "r = rt(t)\n"
      "for k, v in pairs(r[1]) do assert((k == 'key1a' and v == 1) or (k == 'key1b' and v == -1)) end\n"
      "for i = 2, 300 do local n = 0\n"
      "  for k, v in pairs(r[2 * i - 1]) do n = n + 1 assert(k == 'other' .. i - 1 .. 'x' "
      "or k == 'other' .. i - 1 .. 'y', k) eq(v, i - 1) end\n"
      "  assert(n == 2 or n == 0) end\n"
      /* Restarting or stopping the collector in a hook does not outlast the call. */
      "collectgarbage('restart')\n"
      "rt(setmetatable({}, {__persist = function() collectgarbage('restart') return function() return {} end end}))\n"
      "assert(collectgarbage('isrunning'))\n"
      "collectgarbage('stop')\n"
      "rt(setmetatable({}, {__persist = function() collectgarbage('restart') local t = {} for i = 1, 1e4 do t = {} end "
      "collectgarbage('stop')\n"
      "  return function() return {} end end}))\n"
      "assert(not collectgarbage('isrunning')) collectgarbage('restart')\n");
}

static void test_hooks_that_collect(void **state) {
  (void)state;
  hooks_that_collect(in_new_state);   /* where a sanitizer sees what is used after it was freed */
  hooks_that_collect(in_tight_state); /* where another object takes the address */
}

static void hooks_that_join_cells(void (*in_state)(const char *code)) {
  in_state(
      "for round = 1, 50 do\n"
      "  local fs = {}\n"
      "  for i = 1, 20 do local x = {i} fs[i] = function() return x end end\n"
      "  local meddler = setmetatable({}, {__persist = function()\n"
      "    for i = 1, 10 do debug.upvaluejoin(fs[i], 1, fs[20], 1) end collectgarbage()\n"
      "    for i = 11, 15 do local y = {-i} fs[i] = function() return y end end\n"
      "    return function() return {} end end})\n"
      "  local b, m, c = enc {fs[1], fs[2], fs, meddler, {fs[3]}, "
      "setmetatable({}, {__persist = function() return function() return {} end end}), function() return fs end}\n"
      "  if b then\n"
      "    local r = assert(dec(b))\n"
      "    for i = 1, 20 do local v = r[3][i]()[1] assert(v == i or v == 20 or v == -i, v) end\n"
      "  else eq(c, 'unstorable', m) end\n"
      "end\n"
      /* A cell that was written is taken away, and another is where it was. */
      "local f, g\n"
      "do local x = {1} f = function() return x end end\n"
      "local late = {}\n"
      "local b, m, c = enc {f, setmetatable({}, {__persist = function()\n"
      "  do local z = 0 debug.upvaluejoin(f, 1, function() return z end, 1) end collectgarbage()\n"
      "  for i = 1, 50 do local y = {100 + i} late[i] = function() return y end end\n"
      "  return function() return {} end end}), {{{late}}}}\n"
      "if b then local r = assert(dec(b)) for i = 1, 50 do eq(r[3][1][1][1][i]()[1], 100 + i) end else "
      "eq(c, 'unstorable', m) end\n");
}

static void test_hooks_that_join_cells(void **state) {
  (void)state;
  hooks_that_join_cells(in_new_state);
  hooks_that_join_cells(in_tight_state);
}

static void test_hooks_that_change_weak_tables(void **state) {
  (void)state;
  in_new_state(
      "local function hook(f) return setmetatable({}, {__persist = function() f() "
      "return function() return {} end end}) end\n"
      "local mt = {__mode = 'v'} local w = setmetatable({a = {}, b = 1}, mt)\n"
      "local m = refused('unstorable', nil, {w, {{hook(function() mt.__mode = nil end)}}})\n"
      "assert(m:find('a weak table that a hook made a strong one meanwhile', 1, true), m)\n"
      "mt.__mode = 'v'\n"
      "local r = rt {w, {{hook(function() setmetatable(w, {__mode = 'k', extra = {{}}}) end)}}}\n"
      "eq(getmetatable(r[1]).__mode, 'k') eq(#getmetatable(r[1]).extra, 1) eq(r[1].b, 1)\n"
      "r = rt {w, {{hook(function() for i = 1, 100 do w['n' .. i] = {i} end end)}}} eq(r[1].n100[1], 100)\n"
      "refused('unstorable', nil, {w, {{hook(function() setmetatable(w, nil) end)}}})\n"
      "r = rt(w) eq(r.n100[1], 100) eq(getmetatable(r), nil)\n");
}

/* ---------------------------------------------------------- while decoding */

static void test_rebuilding(void **state) {
  (void)state;
  in_new_state(
      "local function obj(rebuild) return setmetatable({}, {__persist = function() return rebuild end}) end\n"
      "local function fails(code, text, v) local r, m, c = dec(assert(enc(v))) eq(c, code, m) eq(r, nil)\n"
      "  assert(m:find(text, 1, true), m) end\n"
      "fails('raised', 'a rebuilding function raised: no', obj(function() error('no', 0) end))\n"
      "fails('raised', 'a rebuilding function raised: table', {obj(function() error {} end)})\n"
      "fails('raised', 'a rebuilding function returned a nil, not an object', obj(function() end))\n"
      "fails('raised', 'a rebuilding function returned a number, not an object', obj(function() return 1 end))\n"
      "fails('raised', 'a rebuilding function returned a string, not an object', obj(function() return 'x' end))\n"
      "fails('raised', 'attempt to yield', obj(function() coroutine.yield() end))\n"
      "eq(rt(obj(function() return print end)), print)\n"
      /* Dependency: directly, through closures, cells, tables. */
      "local M = {}\n"
      "local function new(x, peer) return setmetatable({x = x, peer = peer}, M) end\n"
      "local built = 0\n"
      "M.__persist = function(o) local x, p = o.x, o.peer return function() built = built + 1 "
      "return new(x, p) end end\n"
      "local function cycle(v) local r, m, c, path = enc(v) eq(c, 'cycle', m) eq(r, nil)\n"
      "  assert(m:find('need each other', 1, true), m) assert(path:find('^root'), path) end\n"
      "local a = new 'a' local b = new('b', a) local c = new('c', b)\n"
      "local r = rt {c, b, a, c} eq(r[1].peer, r[2]) eq(r[2].peer, r[3]) eq(r[4], r[1]) eq(r[3].x, 'a') "
      "eq(getmetatable(r[1]), getmetatable(r[3]))\n"
      "local function get() return a end b.peer = get\n"
      "r = rt {b, a} eq(r[1].peer(), r[2])\n"
      "a.peer = get cycle {a} cycle(b)\n"
      "a.peer = a cycle(a)\n"
      "a.peer = b cycle {b}\n"
      "a.peer = {b} b.peer = {a} r = rt {a, b} eq(r[1].peer[1], r[2]) eq(r[2].peer[1], r[1])\n"
      /* Closures that go around without an object of a class among them are no cycle. */
      "local f, g function f() return g end function g() return f, a end\n"
      "a.peer, b.peer = nil, f r = rt {b, a, f} eq(r[1].peer, r[3]) eq(select(2, r[3]()()), r[2])\n"
      "a.peer = f cycle {a}\n"
      /* The same cell twice among a closure's upvalues, and the closure in it. */
      "local s, t s = function() return s, t end debug.upvaluejoin(s, 2, s, 1) b.peer = s\n"
      "r = rt {b} eq(r[1].peer(), r[1].peer) eq(select(2, r[1].peer()), r[1].peer)\n"
      /* Two that need one closure, which holds one of them; the other is only near. */
      "local near = {} local function c() return b, near end a.peer, b.peer, near[1] = c, c, a cycle {b}\n"
      /* And so it is when what was found later is met once more. */
      "local first local function again() return first end function first() return b, near end\n"
      "local twice function twice() return again, f end debug.upvaluejoin(twice, 2, twice, 1)\n"
      "a.peer, b.peer = first, twice cycle {b}\n"
      /* As keys, as both sides, as metatables, in upvalues of others. */
      "a, b = new 'a', new 'b'\n"
      "r = rt {[a] = b, [b] = a, n = {a, b}} local x, y = r.n[1], r.n[2] eq(r[x], y) eq(r[y], x) eq(r[x].x, 'b')\n"
      "r = rt {[a] = a, n = a} eq(r[r.n], r.n)\n"
      "local h = function() return a, b end r = rt {h, a, b} x, y = r[1]() eq(x, r[2]) eq(y, r[3])\n"
      "a.__index = nil r = rt {setmetatable({}, a), a} eq(getmetatable(r[1]), r[2])\n"
      "fails('damaged', 'a metatable that is no table', {setmetatable({}, obj(function() return print end))})\n"
      "r = rt(a) eq(r.x, 'a')\n");
}

/* Cycles that no encoder writes: tables with one value, their heads made those of special objects, which need it. */
static void test_cycles_in_the_input(void **state) {
  (void)state;
  in_new_state(
      "local function plain(b)\n" /* the same blob with one head for each object: all its counts are below 128 */
      "  local heads = b:byte(13)\n"
      "  local s = b:gsub('\\x11\\x01\\x0B(.)', function(n) heads = heads + 2 * n:byte() - 2 "
      "return ('\\x11\\x01'):rep(1 + n:byte()) end)\n"
      "  return s:sub(1, 12) .. string.char(heads) .. s:sub(14)\n"
      "end\n"
      /* a type named 1 */
      "local function crafted(v) return dec((plain(assert(enc(v))):gsub('\\x11\\x01', '\\x15\\x01'))) end\n"
      "local function cycle(v) local r, m, c = crafted(v) eq(r, nil) eq(c, 'cycle', m)\n"
      "  assert(m:find('blob: cycle at byte %d+: rebuilding functions need each other'), m) end\n"
      "local function none(v) local r, m, c = crafted(v) eq(r, nil) eq(c, 'unknown', m) end\n"
      "local a, b, c = {}, {}, {}\n"
      "a[1] = a cycle(a)\n"
      "a[1], b[1] = b, a cycle {a, b} cycle(b)\n"
      "a[1], b[1], c[1] = b, c, b cycle(a)\n"
      "local function get() return a end a[1] = get cycle(a) cycle {get, 1}\n"
      "a[1], b[1] = function() return b end, function() return a end cycle {1, a}\n"
      "a[1] = {a, 1} none(a)\n"
      "local f, g function f() return g end function g() return f, a end a[1] = 1 none {f, a} a[1] = f cycle {f, a}\n"
      "local near = {} local function both() return b, near end a[1], b[1] = both, both\n"
      /* of another size than other tables: its head repeats none */
      "near[1], near[2], near[3] = a, 1, 1 cycle {b, 1}\n"
      "local first local function again() return first end function first() return b, near end\n"
      "local twice function twice() return again, f end debug.upvaluejoin(twice, 2, twice, 1)\n"
      "a[1], b[1] = first, twice cycle {b, 1}\n");
}

static void test_rebuilding_visits_once(void **state) {
  (void)state;
  /* Every object needs the same long chain of closures: a search for each would take minutes. */
  in_new_state(
      "local f for i = 1, 60000 do local g = f f = function() return g end end\n"
      "local M = {} M.__persist = function(o) local h, x = f, o[1] return function() return {x, h} end end\n"
      "local t = {} for i = 1, 60000 do t[i] = setmetatable({i}, M) end\n"
      "local r = rt(t) for i = 1, 60000 do eq(r[i][1], i) end eq(r[1][2], r[60000][2])\n"
      /* A chain of objects each of which needs the next. */
      "local last for i = 1, 60000 do local next = last last = setmetatable({}, "
      "{__persist = function() return function() return {next} end end}) end\n"
      "r = rt(last) local n = 0 while r do r = r[1] n = n + 1 end eq(n, 60000)\n"
      /* One that needs many. */
      "local all = {} local g for i = 1, 20000 do local o, "
      "h = setmetatable({}, {__persist = function() return function() return {} end end}), g\n"
      "  g = function() return o, h end end\n"
      "r = rt(setmetatable({}, {__persist = function() return function() return {g} end end})) local o, h = r[1]() "
      "eq(type(o), 'table') eq(type(h), 'function')\n");
}

static void test_types(void **state) {
  (void)state;
  in_new_state(
      "local r = rt {point(1, 2), {point(3, 4)}} local x, y = coordinates(r[1]) eq(x, 1) eq(y, 2) "
      "eq(coordinates(r[2][1]), 3)\n"
      "local p = point(1, 2) r = rt {p, p, [p] = p} eq(r[1], r[2]) eq(r[r[1]], r[1])\n"
      /* What stands for an object may be anything, also objects of its type, and nil. */
      "local Pair = {} register('pair', Pair, function(o) return o.value end, function(v) "
      "return setmetatable({value = v}, Pair) end)\n"
      "local function pair(v) return setmetatable({value = v}, Pair) end\n"
      "for _, v in ipairs {1, 2.5, 'text', true, false, ('long'):rep(20)} do eq(rt(pair(v)).value, v) end\n"
      "eq(rt(pair(nil)).value, nil) eq(rt(pair(pair(pair(5)))).value.value.value, 5) "
      "eq(rt(pair(p)).value ~= nil, true)\n"
      "r = rt {pair(r)} eq(coordinates(r[1].value[1]), 1)\n"
      "local c = pair() c.value = c local v, m, code, path = enc(c) eq(code, 'cycle', m) eq(path, 'root')\n"
      "c.value = {c} r = rt(c) eq(r.value[1], r)\n"
      /* They raise, or are gone. */
      "local Bad = {} register('bad', Bad, function(o) if o.e then error('enc', 0) end "
      "return 1 end, function(v) error('dec', 0) end)\n"
      "eq(refused('raised', 'root[1]', {setmetatable({e = 1}, Bad)}), \"root[1]: its "
      "type's encode function raised: enc\")\n"
      "v, m, code = dec(enc(setmetatable({}, Bad))) eq(code, 'raised') assert(m:find('dec', 1, true))\n"
      "register('bad', Bad, function(o) return 1 end, function(v) end)\n"
      "v, m, code = dec(enc(setmetatable({}, Bad))) eq(code, 'raised') assert(m:find('returned a nil', 1, true), m)\n"
      "v, m, code = dec((enc(pair(1)):gsub('pair', 'riap'))) eq(code, 'unknown') "
      "assert(m:find(\"'riap'\", 1, true), m)\n"
      "refused('unstorable', 'root.f', {f = io.tmpfile()})\n");
}

/* --------------------------------------------- metamethods and finalizers */

static void test_metamethods_are_not_consulted(void **state) {
  (void)state;
  in_new_state(
      "local function no() error('consulted', 0) end\n"
      "local mt = {__metatable = 'hidden'}\n"
      "for _, e in ipairs {'__index', '__newindex', '__pairs', '__len', '__eq', '__call', '__name', '__tostring', "
      "'__close', '__concat', '__lt'} do mt[e] = no end\n"
      "local t = {1, 2, x = 3} setmetatable(t, mt)\n"
      "local r = rt {t, [t] = t, s = {}}\n"
      "eq(rawget(r[1], 1), 1) eq(rawlen(r[1]), 2) eq(rawget(r[1], 'x'), 3) eq(getmetatable(r[1]), 'hidden')\n"
      "eq(rawget(debug.getmetatable(r[1]), '__metatable'), 'hidden')\n"
      "eq(debug.getmetatable(r[1]).__index ~= nil, true)\n"
      /* The hook itself, the mode, the name of a type are read raw. */
      "local base = {__persist = function() return function() return {} end end, __mode = 'k', __gc = no}\n"
      "r = rt(setmetatable({7, [{}] = 1}, setmetatable({}, {__index = base}))) eq(r[1], 7) local n = 0 "
      "for k in pairs(r) do n = n + 1 end eq(n, 2)\n"
      "rt(setmetatable({}, mt), CANONICAL)\n");
}

static void test_finalizers(void **state) {
  (void)state;
  in_new_state(
      /* They see whole objects only; none is called for input that is damaged at its end, or not rebuilt. */
      "local bad, calls = 0, 0\n"
      "function check(o) calls = calls + 1 if o.a ~= 1 or o.b ~= 2 or not o.c or o.c.d ~= 3 then "
      "bad = bad + 1 end end\n"
      "local P, V = {[check] = 'check'}, {check = check}\n"
      "local Class = {__gc = check}\n"
      "local function new() return setmetatable({a = 1, b = 2, c = {d = 3}}, Class) end\n"
      "local keep = {} for i = 1, 20 do keep[i] = new() end\n"
      "local b = assert(enc(keep, 0, P))\n"
      "assert(dec(b, TRUSTED, V)) collectgarbage() collectgarbage() eq(calls, 20) eq(bad, 0)\n"
      "calls = 0\n"
      "for i = 0, #b - 1 do dec(b:sub(1, i), TRUSTED, V) end dec(b .. '\\0', TRUSTED, V) collectgarbage() "
      "eq(calls, 0)\n"
      /* Nor where the metatable with the finalizer comes first. */
      "b = assert(enc({Class, keep}, 0, P))\n"
      "for i = 0, #b - 1 do dec(b:sub(1, i), TRUSTED, V) end dec(b .. '\\0', TRUSTED, V) collectgarbage() "
      "eq(calls, 0)\n"
      "keep[21] = setmetatable({}, {__persist = function() return function() error 'no' end end})\n"
      "b = assert(enc(keep, 0, P)) eq(select(3, dec(b, TRUSTED, V)), 'raised') collectgarbage() eq(calls, 0)\n"
      "keep[21] = setmetatable({}, setmetatable({}, {__persist = function() return function() return print end end}))\n"
      "b = assert(enc(keep, 0, P)) eq(select(3, dec(b, TRUSTED, V)), 'damaged') collectgarbage() eq(calls, 0)\n"
      /* A rebuilding function that collects meanwhile finds no finalizer at work. */
      "keep[21] = setmetatable({}, {__persist = function() return function() collectgarbage() collectgarbage() "
      "return {} end end})\n"
      "b = assert(enc({keep[1], keep[21]}, 0, P)) local r = assert(dec(b, TRUSTED, V)) eq(calls, 0) r = nil "
      "collectgarbage() collectgarbage() eq(calls, 1) eq(bad, 0)\n"
      /* A finalizer that had to be rebuilt itself is one all the same. */
      "calls = 0 local F = setmetatable({}, {__persist = function() return function() return check end end})\n"
      "b = assert(enc({setmetatable({a = 1, b = 2, c = {d = 3}}, {__gc = F})}, 0, P))\n"
      "assert(dec(b, TRUSTED, V)) collectgarbage() collectgarbage() eq(calls, 1) eq(bad, 0)\n"
      "keep = nil collectgarbage()\n");
}

/* ------------------------------------------------------------ debug hooks */

static int hook_calls;

static void counting_hook(lua_State *L, lua_Debug *ar) {
  (void)L;
  (void)ar;
  hook_calls++;
}

static void raising_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "from the hook");
}

static void collecting_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_gc(L, LUA_GCCOLLECT);
}

static void test_debug_hooks(void **state) {
  (void)state;
  static const int masks[] = {LUA_MASKCOUNT, LUA_MASKLINE, LUA_MASKCALL, LUA_MASKRET};
  Memory m;
  hearth_error e;
  hearth_codec_options o = options_of(HEARTH_TRUSTED);
  lua_State *L = state_new(&m);
  assert_int_equal(luaL_dostring(L, "local n, list = 0, {}\n"
                                    "for i = 1, 50 do local x = i list[i] = function() n = n + x return n end end\n"
                                    "local function hook() return function() return {} end end\n"
                                    "list.o = setmetatable({}, {__persist = hook})\n"
                                    "list.w = setmetatable({a = {}}, {__mode = 'v'}) return list"),
                   LUA_OK);
  for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
    size_t size;
    lua_sethook(L, counting_hook, masks[i], 1);
    assert_int_equal(hearth_encode(L, 1, NULL, &e), HEARTH_OK);
    const char *bytes = lua_tolstring(L, 2, &size);
    hook_calls = 0;
    assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_OK);
    assert_true(hook_calls > 0 || masks[i] == LUA_MASKLINE);
    lua_sethook(L, collecting_hook, masks[i], 1);
    assert_int_equal(hearth_encode(L, 1, NULL, &e), HEARTH_OK);
    assert_true(lua_rawequal(L, 2, -1));
    assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_OK);
    lua_sethook(L, raising_hook, masks[i], 1);
    int top = lua_gettop(L);
    hearth_status status = hearth_encode(L, 1, NULL, &e);
    assert_true(status == HEARTH_RAISED);
    assert_non_null(strstr(e.message, "from the hook"));
    assert_int_equal(lua_gettop(L), top);
    status = hearth_decode(L, bytes, size, &o, &e);
    assert_true(status == HEARTH_RAISED || (status == HEARTH_OK && masks[i] == LUA_MASKLINE));
    lua_sethook(L, NULL, 0, 0);
    assert_int_equal(lua_gc(L, LUA_GCISRUNNING), 1);
    lua_settop(L, 1);
  }
  lua_settop(L, 0);
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hook_results),
      cmocka_unit_test(test_hooks_that_meddle),
      cmocka_unit_test(test_hooks_that_collect),
      cmocka_unit_test(test_hooks_that_join_cells),
      cmocka_unit_test(test_hooks_that_change_weak_tables),
      cmocka_unit_test(test_rebuilding),
      cmocka_unit_test(test_cycles_in_the_input),
      cmocka_unit_test(test_rebuilding_visits_once),
      cmocka_unit_test(test_types),
      cmocka_unit_test(test_metamethods_are_not_consulted),
      cmocka_unit_test(test_finalizers),
      cmocka_unit_test(test_debug_hooks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
