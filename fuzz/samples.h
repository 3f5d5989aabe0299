/* Values whose functions may be called: straight on, without loops over what an input could change. */
#ifndef HEARTH_FUZZ_SAMPLES_H
#define HEARTH_FUZZ_SAMPLES_H

static const char *const samples[] = {
    /* cells that are shared, a function in its own cell, vararg */
    "local a, b = {}, 1\n"
    "local function swap(v, ...) a, b = b, v return a, ... end\n"
    "return {swap, function() return a, b, swap end, function() return swap end, a}",
    /* a class whose objects have events of every kind */
    "local C = {count = 0} C.__index = C\n"
    "function C.__gc(o) C.count = C.count + 1 rawset(o, 'gone', true) end\n"
    "function C.__eq(x, y) return rawequal(x, y) end\n"
    "function C.__newindex(o, k, v) rawset(o, k, v) end\n"
    "function C.__call(o, ...) return o, ... end\n"
    "function C.__close(o) o.closed = true end\n"
    "function C.__tostring(o) return 'C' .. #o end\n"
    "function C.use(o) local c <close> = o return o(1, 2), o == C, tostring(o), o.x end\n"
    "return {setmetatable({1, 2, x = 3}, C), setmetatable({}, C), C.use}",
    /* hooks that need each other's results */
    "local M = {} M.__index = M\n"
    "local function make(x, peer) return setmetatable({x = x, peer = peer}, M) end\n"
    "M.__persist = function(o) local x, peer = o.x, o.peer return function() return make(x, peer) end end\n"
    "local one = make(1) return {make(2, one), one, {[one] = one}, make}",
    /* weak tables */
    "local key, v = {}, {}\n"
    "return {setmetatable({[key] = v, 1}, {__mode = 'k'}), setmetatable({v, x = key}, {__mode = 'v'}), key,\n"
    "  setmetatable({[v] = key}, {__mode = 'kv'}), function() return key end}",
    /* the globals, and tables of the library */
    "x = 1 local s = string return {function(k) local old = x x = k return old, s.upper end, s, _G, math.abs, select}",
    /* a point; tables in shapes; a function with many cells */
    "local l1, l2, l3, l4, l5, l6, l7, l8 = 1, 2.5, 'three', {}, true, nil, point(1, 2), point(3, 4)\n"
    "return {l7, l8, l7, {id = 1, name = 'a'}, {id = 2, name = 'b'},\n"
    /* heads repeat */
    "  {{id = 3, name = 'c', pos = {1}}, {id = 4, name = 'd', pos = {1}}, {id = 5, name = 'e', pos = {1}}},\n"
    "  function() l1, l2, l3, l4 = l2, l3, l4, l1 return l5, l6, l7, l8 end}",
};

#endif
