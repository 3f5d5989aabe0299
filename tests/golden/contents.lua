-- What the blobs in this folder hold, one a tag or a kind of object of format 1. They are never made again: a
-- newer Hearth must read them, and write the canonical ones as they are. Each entry: the file's
-- name; value, which made it; check, what must be true of what is read. `plain`: not canonical. `code`: it has
-- functions.
local function same(a, b)
  if type(a) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  end
  for k, v in next, a do if not same(v, rawget(b, k)) then return false end end
  for k in next, b do if rawget(a, k) == nil then return false end end
  return true
end

local function data(name, value)
  return {name = name, value = function() return value end, check = function(v) assert(same(value, v)) end}
end

local numbers = {0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24, 1 << 32, 1 << 40, 1 << 48, 1 << 56, math.maxinteger,
  -1, -2, -128, -256, -257, -65537, -(1 << 24) - 1, -(1 << 32) - 1, -(1 << 40) - 1, -(1 << 48) - 1, -(1 << 56) - 1,
  math.mininteger}

local words = {}
for round = 1, 3 do for i = 1, 40 do words[#words + 1] = "word" .. i end end

local many = {}
for i = 1, 40 do many["key" .. i] = i end

local records = {}
for i = 1, 20 do records[i] = {id = i, pos = {x = i, y = -i}, tags = {"a", "b", i % 3 == 0 and "c" or nil}} end

return {
  {name = "nil", value = function() end, check = function(v) assert(v == nil) end},
  data("false", false),
  data("true", true),
  data("integers", numbers),
  data("floats32", {0.0, 1.0, -2.5, 1 / 0, -1 / 0, 16777216.0}),
  data("floats64", {0.1, 1e300, 5e-324, 16777217.0, 1.7976931348623157e308}),
  {name = "zero-nan", value = function() return {-0.0, 0 / 0} end,
    check = function(v) assert(1 / v[1] == -1 / 0 and v[2] ~= v[2]) end},
  data("strings", {"", "x", ("s"):rep(31), "\0\r\n\255", "h\u{e9}arth"}),
  data("long-strings", {("l"):rep(32), ("m"):rep(300), ("n"):rep(17000)}),
  data("dictionary", {words, ("o"):rep(100), ("o"):rep(100)}),
  data("empty-table", {}),
  data("array", {10, 20, 30, "forty"}),
  data("shape", {{id = 1, name = "one"}, {name = "two", id = 2}, {id = 3, name = "three", tags = {"a", "b"}}}),
  data("array-and-shape", {1, 2, 3, x = 4, y = 5}),
  data("repeats", records),
  data("pairs", {1, 2, [-1] = "minus one", [2.5] = "float", [true] = "true", [false] = "false",
    [("k"):rep(50)] = "a long key", [1 << 60] = "far", ["a b"] = "spaces"}),
  data("many-keys", many),
  {name = "cycle", value = function() local t = {} t.self, t.list = t, {t} return t end,
    check = function(v) assert(v.self == v and v.list[1] == v) end},
  {name = "shared", value = function() local t = {} return {t, t, {t}} end,
    check = function(v) assert(v[1] == v[2] and v[3][1] == v[1]) end},
  {name = "object-key", value = function() local t = {7} return {[t] = t, a = 1} end,
    check = function(v) local k = next(v) if k == "a" then k = next(v, k) end assert(v[k] == k and k[1] == 7) end},
  {name = "metatable",
    value = function() local C = {__name = "C"} return {setmetatable({1}, C), setmetatable({2}, C)} end,
    check = function(v) assert(getmetatable(v[1]) == getmetatable(v[2]) and getmetatable(v[1]).__name == "C") end},
  {name = "class", code = true, value = function()
      local C = {} C.__index = C function C:get() return self.v end return setmetatable({v = 5}, C) end,
    check = function(v) assert(v:get() == 5) end},
  {name = "closures", code = true, value = function()
      local n = 0 return {inc = function() n = n + 1 return n end, get = function() return n end} end,
    check = function(v) assert(v.inc() == 1 and v.inc() == 2 and v.get() == 2) end},
  {name = "recursive", code = true, value = function()
      local function f(k) return k < 2 and 1 or k * f(k - 1) end return f end,
    check = function(v) assert(v(10) == 3628800) end},
  {name = "one-prototype", code = true, value = function()
      local t = {} for i = 1, 5 do local x = i t[i] = function() x = x + 1 return x end end return t end,
    check = function(v) for i = 1, 5 do assert(v[i]() == i + 1 and v[i]() == i + 2) end end},
  {name = "globals", code = true, value = function() return function() return _G, print, type(_ENV) end end,
    check = function(v) local g, p, t = v() assert(g == _G and p == print and t == "table") end},
  {name = "stripped", code = true, strip = true,
    value = function() local a = {"kept"} return function() return a[1] end end,
    check = function(v) assert(v() == "kept" and debug.getinfo(v, "S").short_src == "?") end},
  {name = "permanents", value = function()
      return {print, string, io.stdout, _G, string.upper, getmetatable("").__index, game.spawn, game.Class} end,
    check = function(v)
      for i, o in ipairs {print, string, io.stdout, _G, string.upper, string, game.spawn, game.Class} do
        assert(v[i] == o)
      end
    end},
  {name = "permanent-cell", code = true, value = function()
      local n = 0 local f = function() return n end debug.upvaluejoin(f, 1, game.spawn, 1) return f end,
    check = function(v)
      assert(v() == game.spawn() - 1 and debug.upvalueid(v, 1) == debug.upvalueid(game.spawn, 1))
    end},
  {name = "names-of-the-caller", names = true, value = function() return {named} end,
    check = function(v) assert(v[1] == named) end},
  {name = "persist", code = true, value = function()
      local M = {}
      local function new(x, peer) return setmetatable({x = x, peer = peer}, M) end
      M.__persist = function(o) local x, peer = o.x, o.peer return function() return new(x, peer) end end
      local a = new(1) return {b = new(2, a), a = a, keyed = {[a] = true}} end,
    check = function(v)
      assert(v.b.peer == v.a and v.a.x == 1 and v.keyed[v.a] and getmetatable(v.a) == getmetatable(v.b))
    end},
  {name = "typed", value = function() local p = point(3, 4) return {p, p, {p}} end,
    check = function(v)
      local x, y = coordinates(v[1])
      assert(x == 3 and y == 4 and v[1] == v[2] and v[3][1] == v[1])
    end},
  {name = "weak-keys",
    value = function() local k = {} return {setmetatable({[k] = {"kept"}, s = {"kept"}}, {__mode = "k"}), k} end,
    check = function(v)
      assert(v[1][v[2]][1] == "kept" and v[1].s[1] == "kept" and getmetatable(v[1]).__mode == "k")
    end},
  {name = "weak-values",
    value = function()
      local k = {"kept"}
      return {setmetatable({k, {}, "s", a = k, b = {}}, {__mode = "v"}), k}
    end,
    check = function(v)
      assert(v[1][1] == v[2] and v[1][2] == nil and v[1][3] == "s" and v[1].a == v[2] and not v[1].b)
    end},
  {name = "weak-both", plain = true, value = function()
      local a, b = {"a"}, {"b"} return {setmetatable({[a] = b, [b] = {}, [{}] = a}, {__mode = "kv"}), a, b} end,
    check = function(v) assert(v[1][v[2]] == v[3] and v[1][v[3]] == nil) end},
  {name = "plain", plain = true, code = true, value = function()
      local n, t = 0, {1, 2, x = "x", [2.5] = {}} t.f = function() n = n + 1 return t, n end return t end,
    check = function(v) local t, n = v.f() assert(t == v and n == 1 and v.x == "x" and v[2.5]) end},
}
