local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

local function copy(value, options)
  local bytes = assert(hearth.encode(value, options))
  local result, message = hearth.decode(bytes, { trusted = true })
  if message then error(message, 2) end
  return result
end

local function count(table)
  local n = 0
  for _ in next, table do n = n + 1 end
  return n
end

-- Entry by entry, both ways; values are compared with equal.
local function same(actual, expected)
  equal(count(actual), count(expected), "the number of entries")
  for k, v in next, expected do equal(rawget(actual, k), v, "at key " .. tostring(k)) end
end

test("an empty table", function()
  local result = copy {}
  equal(next(result), nil)
  equal(getmetatable(result), nil)
end)

test("keys of every type are distinct", function()
  local source = { [1] = "integer", ["1"] = "string", [1.5] = "float", [true] = "true", [false] = "false",
    [""] = "empty", [-1] = "negative", [math.huge] = "inf", [math.mininteger] = "min", ["\0"] = "zero",
    [2^53] = "2^53" }
  same(copy(source), source)
end)

test("table keys and function keys", function()
  local key, f = { "key" }, function() return 7 end
  local result = copy { [key] = 1, key = key, [f] = 2, f = f }
  equal(result[result.key], 1)
  equal(result.key[1], "key")
  equal(result[result.f], 2)
  equal(result.f(), 7)
end)

test("C functions and library tables as keys", function()
  local result = copy { [print] = "print", [string] = "string" }
  equal(result[print], "print")
  equal(result[string], "string")
end)

test("a table that holds itself", function()
  local self = {}
  self.self = self
  self[self] = self
  local result = copy(self)
  equal(result.self, result)
  equal(result[result], result)
  equal(count(result), 2)
end)

test("a table reached twice is one table", function()
  local shared = { 1 }
  local result = copy { a = shared, b = shared, list = { shared, shared } }
  equal(result.a, result.b)
  equal(result.a, result.list[1])
  equal(result.a, result.list[2])
  equal(result.a[1], 1)
end)

test("cycles through many tables", function()
  local first = { name = 1 }
  local last = first
  for i = 2, 100 do
    last.next = { name = i, back = last }
    last = last.next
  end
  last.next, first.back = first, last
  local result = copy(first)
  local at = result
  for i = 1, 100 do
    equal(at.name, i)
    equal(at.next.back, at)
    at = at.next
  end
  equal(at, result)
end)

test("sequences of many lengths", function()
  for _, n in ipairs { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100, 127, 128, 129, 1000 } do
    local source = {}
    for i = 1, n do source[i] = i * 3 end
    local result = copy(source)
    equal(#result, n)
    same(result, source)
  end
end)

test("arrays with holes keep every entry", function()
  local source = { 1, nil, 3, nil, nil, 6 }
  same(copy(source), source)
  local sparse = { [1] = "a", [2] = "b", [1000] = "c", [1000000] = "d", [-5] = "e", [0] = "zero" }
  same(copy(sparse), sparse)
  local holes = {}
  for i = 1, 100 do holes[i] = i end
  for i = 1, 100, 3 do holes[i] = nil end
  same(copy(holes), holes)
end)

test("keys appended to an array: the border lies in the hash part", function()
  local source = { 1, 2, 3 } -- an array part of three
  for i = 4, 37 do
    source[i] = i -- these start in the hash part
    local result = copy(source)
    same(result, source)
    equal(#result, i)
  end
end)

test("an array filled backwards lies in the hash part", function()
  local source = {}
  for i = 50, 1, -1 do source[i] = i end
  local result = copy(source)
  equal(#result, 50)
  same(result, source)
end)

test("records that share a shape", function()
  local source = {}
  for i = 1, 1000 do source[i] = { x = i, y = -i, name = "n" .. i } end
  local result = copy(source)
  for i = 1, 1000 do
    equal(result[i].x, i)
    equal(result[i].y, -i)
    equal(result[i].name, "n" .. i)
    equal(count(result[i]), 3)
  end
  local bytes = assert(hearth.encode(source))
  assert(#bytes < 1000 * 24, #bytes) -- the keys are not written a thousand times
end)

test("a record with a list part", function()
  local source = { 1, 2, 3, n = 3, name = "mixed" }
  same(copy(source), source)
end)

test("a metatable with __index", function()
  local class = {}
  class.__index = class
  function class:double() return self.n * 2 end
  local source = { a = setmetatable({ n = 4 }, class), b = setmetatable({ n = 5 }, class) }
  local result = copy(source)
  equal(result.a:double(), 8)
  equal(result.b:double(), 10)
  equal(getmetatable(result.a), getmetatable(result.b))
  equal(getmetatable(result.a).__index, getmetatable(result.a))
end)

test("metamethods are not consulted", function()
  local asked = 0
  local function trap() asked = asked + 1 return nil end
  local source = setmetatable({ 1, 2, x = 3 }, { __index = trap, __newindex = trap, __len = trap, __pairs = trap,
    __eq = trap, __metatable = "locked", __name = "Trapped" })
  local bytes = assert(hearth.encode(source))
  local result = hearth.decode(bytes, { trusted = true })
  equal(asked, 0)
  equal(rawget(result, 1), 1)
  equal(rawget(result, 2), 2)
  equal(rawget(result, "x"), 3)
  equal(getmetatable(result), "locked")
end)

test("a table that is its own metatable", function()
  local source = { x = 1 }
  setmetatable(source, source)
  local result = copy(source)
  equal(getmetatable(result), result)
end)

test("a weak side is not followed", function()
  local strong = { "strong" }
  local source = {
    strong = strong,
    values = setmetatable({ a = strong, b = { "only here" }, c = 3 }, { __mode = "v" }),
    keys = setmetatable({ [strong] = "kept", [{}] = "lost", plain = 1 }, { __mode = "k" }),
  }
  local result = copy(source)
  equal(result.values.a, result.strong)
  equal(result.values.b, nil)
  equal(result.values.c, 3)
  equal(count(result.values), 2)
  equal(result.keys[result.strong], "kept")
  equal(result.keys.plain, 1)
  equal(count(result.keys), 2)
  equal(getmetatable(result.values).__mode, "v")
end)

test("nesting of 1,000,000", function()
  local root = { 0 }
  local at = root
  for i = 1, 1000000 do
    at.inner = { i }
    at = at.inner
  end
  local result = copy(root)
  for i = 0, 1000000 do
    if result[1] ~= i then equal(result[1], i) end
    result = result.inner
  end
  equal(result, nil)
end)

test("nesting of 1,000,000 in keys", function()
  local root = {}
  for _ = 1, 1000000 do root = { [root] = true } end
  local result = copy(root)
  local depth = 0
  while next(result) do
    depth, result = depth + 1, next(result)
  end
  equal(depth, 1000000)
end)

test("a table of 1,000,000 entries", function()
  local source = {}
  for i = 1, 500000 do
    source[i] = i
    source["k" .. i] = -i
  end
  local result = copy(source)
  local n = 0
  for k, v in next, result do
    n = n + 1
    if source[k] ~= v then equal(v, source[k], "at key " .. tostring(k)) end
  end
  equal(n, 1000000)
end)

test("canonical: the same bytes whatever the order of insertion", function()
  local keys = {}
  for i = 1, 200 do keys[i] = i % 3 == 0 and i or i % 3 == 1 and "key" .. i or i + 0.5 end
  local function build(order)
    local result = { list = {}, [true] = "yes" }
    for _, i in ipairs(order) do
      result[keys[i]] = { n = i, half = i / 2 }
      result.list[keys[i]] = i
    end
    return result
  end
  local forward, backward, mixed = {}, {}, {}
  for i = 1, 200 do
    forward[i], backward[i], mixed[i] = i, 201 - i, (i * 77) % 199 + 1
  end
  mixed[199], mixed[200] = 1, 200
  local seen = {}
  for i = 1, 200 do seen[mixed[i]] = true end
  for i = 1, 200 do assert(seen[i], i) end
  local bytes = assert(hearth.encode(build(forward), { canonical = true }))
  equal(assert(hearth.encode(build(backward), { canonical = true })), bytes)
  equal(assert(hearth.encode(build(mixed), { canonical = true })), bytes)
  local again = hearth.decode(bytes)
  equal(assert(hearth.encode(again, { canonical = true })), bytes)
end)

test("canonical: deleted keys leave no trace", function()
  local source = { a = 1, b = 2 }
  for i = 1, 100 do source["x" .. i] = i end
  for i = 1, 100 do source["x" .. i] = nil end
  equal(hearth.encode(source, { canonical = true }), hearth.encode({ b = 2, a = 1 }, { canonical = true }))
end)

test("canonical: two table keys are refused, one is not", function()
  assert(hearth.encode({ [{}] = 1 }, { canonical = true }))
  t.fails("unstorable", nil, hearth.encode({ inner = { [{}] = 1, [{}] = 2 } }, { canonical = true }))
end)

test("canonical: different values give different bytes", function()
  local a = hearth.encode({ 1, 2.0, "3" }, { canonical = true })
  assert(a ~= hearth.encode({ 1, 2, "3" }, { canonical = true }))
  assert(a ~= hearth.encode({ 1, 2.0, 3 }, { canonical = true }))
end)

test("NaN as a value", function()
  local result = copy { a = 0 / 0 }
  assert(result.a ~= result.a)
  equal(count(result), 1)
end)

t.finish()
