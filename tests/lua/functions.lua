local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

local function copy(value, options)
  local bytes = assert(hearth.encode(value, options))
  local result, message = hearth.decode(bytes, { trusted = true })
  if message then error(message, 2) end
  return result, #bytes
end

test("a function without upvalues", function()
  equal(copy(function(a, b) return a * 10 + b end)(4, 2), 42)
end)

test("arguments, varargs and several results", function()
  local f = copy(function(...) return select("#", ...), ... end)
  local n, a, b = f(nil, 7)
  equal(n, 2)
  equal(a, nil)
  equal(b, 7)
end)

test("a function with one flipped bit in a constant is refused", function()
  local bytes = assert(hearth.encode(function() return "a constant" end))
  local at = assert(bytes:find("a constant", 1, true))
  for i = at, at + #"a constant" - 1 do
    local flipped = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ 1) .. bytes:sub(i + 1)
    fails("damaged", "check", hearth.decode(flipped, { trusted = true }))
  end
end)

-- The line where the function begins is the number behind the source's name "=x", which is at byte 33.
test("numbers in bytecode are refused where Lua refuses them", function()
  local chunk = string.dump(load("return 7", "=x"))
  equal(chunk:sub(33, 36), "\x83=x\x80")
  local function with_line(n)
    local bytes = string.char(0x80 | n & 0x7f)
    while n > 0x7f do
      n = n >> 7
      bytes = string.char(n & 0x7f) .. bytes
    end
    return chunk:sub(1, 35) .. bytes .. chunk:sub(37)
  end
  for line, right in pairs { [0] = true, [1 << 30] = true, [(1 << 31) - 129] = true, [(1 << 31) - 128] = false,
                             [(1 << 31) - 1] = false, [1 << 31] = false, [1 << 40] = false } do
    equal(load(with_line(line), "x", "b") ~= nil, right)
    local f, message, code = hearth.load_chunk(with_line(line))
    equal(f and f() or code, right and 7 or "damaged", message)
  end
end)

test("constants of every type", function()
  local f = copy(function() return nil, true, false, 1, 1.0, -0.0, 2 ^ 53, "s", "\0", math.maxinteger end)
  local r = table.pack(f())
  equal(r[4], 1)
  equal(r[5], 1.0)
  equal(r[6], -0.0)
  equal(r[9], "\0")
  equal(r[10], math.maxinteger)
end)

test("upvalues keep their values", function()
  local n, s, list = 5, "text", { 1, 2 }
  local f = copy(function() return n, s, list end)
  local a, b, c = f()
  equal(a, 5)
  equal(b, "text")
  equal(c[2], 2)
end)

test("two closures share an upvalue", function()
  local n = 0
  local pair = copy { up = function() n = n + 1 return n end, get = function() return n end }
  equal(pair.get(), 0)
  equal(pair.up(), 1)
  equal(pair.up(), 2)
  equal(pair.get(), 2)
  equal(n, 0) -- and not with the originals
end)

test("closures of one loop do not share", function()
  local list = {}
  for i = 1, 3 do list[i] = function() i = i + 10 return i end end
  local result = copy(list)
  equal(result[1](), 11)
  equal(result[2](), 12)
  equal(result[1](), 21)
  equal(result[3](), 13)
end)

test("the same closure twice is one closure", function()
  local f = function() return 1 end
  local result = copy { f, f, function() return 1 end }
  equal(result[1], result[2])
  assert(result[1] ~= result[3])
end)

test("recursive local functions", function()
  local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
  local even, odd
  function even(n) if n == 0 then return true end return odd(n - 1) end
  function odd(n) if n == 0 then return false end return even(n - 1) end
  equal(copy(factorial)(10), 3628800)
  equal(copy(even)(10), true)
  equal(copy(even)(7), false)
end)

test("nested functions and their prototypes", function()
  local f = copy(function(a)
    return function(b)
      return function(c) a = a + 1 return a + b + c end
    end
  end)
  local inner = f(1)(10)(100)
  equal(inner, 112)
end)

test("an upvalue that holds its own closure, a table and a cycle", function()
  local object = {}
  function object.self() return object end
  local result = copy(object)
  equal(result.self(), result)
end)

test("globals are those of the reader", function()
  local f = copy(function() return print, string.upper("x"), _G end)
  local a, b, c = f()
  equal(a, print)
  equal(b, "X")
  equal(c, _G)
end)

test("an _ENV of its own is a table like any other", function()
  local _ENV = { x = 1 }
  local f = function() x = x + 1 return x, _ENV end
  local g = copy(f)
  local n, env = g()
  equal(n, 2)
  equal(env.x, 2)
  equal(x, 1)
end)

test("a closure of a main chunk", function()
  local f = copy(assert(load("local a = ... ; counter = (counter or 0) + a; return counter", "=chunk")))
  equal(f(2), 2)
  equal(f(3), 5)
  counter = nil
end)

test("10,000 closures of one prototype", function()
  local list = {}
  for i = 1, 10000 do
    list[i] = function(a)
      -- a body with some bytes in it, so that writing it often would show
      local s = "a constant of this function, thirty-nine bytes"
      return i + a, #s
    end
  end
  local result, size = copy(list)
  for i = 1, 10000 do
    if result[i](1) ~= i + 1 then equal(result[i](1), i + 1) end
  end
  assert(size < 10000 * 24, size)
end)

test("print and string.upper by name", function()
  local result = copy { print, string.upper, p = print }
  equal(result[1], print)
  equal(result[2], string.upper)
  equal(result.p, print)
end)

test("io.stdout, library tables, the globals", function()
  local result = copy { io.stdout, io.stderr, io.stdin, string, math, _G, getmetatable "" }
  equal(result[1], io.stdout)
  equal(result[2], io.stderr)
  equal(result[3], io.stdin)
  equal(result[4], string)
  equal(result[5], math)
  equal(result[6], _G)
  equal(result[7], getmetatable "")
end)

test("every function of the standard library", function()
  for _, name in ipairs { "string", "table", "math", "io", "os", "coroutine", "utf8", "debug", "package" } do
    for key, value in next, _G[name] do
      if type(value) == "function" then equal(copy(value), value, name .. "." .. tostring(key)) end
    end
  end
  for key, value in next, _G do
    if type(value) == "function" then equal(copy(value), value, tostring(key)) end
  end
end)

test("what no field of the library reaches", function()
  local file = io.stdout
  equal(copy(file.write), file.write)
  equal(copy(getmetatable(file)), getmetatable(file))
  equal(copy((ipairs {})), (ipairs {}))
  equal(copy(getmetatable("").__add), getmetatable("").__add)
  for i, searcher in ipairs(package.searchers) do equal(copy(searcher), searcher, "searcher " .. i) end
end)

test("debug information kept, and stripped", function()
  local function f() error "here" end
  local ok, kept = pcall(copy(f))
  equal(ok, false)
  assert(kept:find("functions.lua:", 1, true), kept)
  local stripped, small = copy(f, { strip = true })
  local _, large = copy(f)
  assert(small < large)
  local _, message = pcall(stripped)
  assert(not message:find("functions.lua:", 1, true), message)
end)

test("a function that was decoded encodes to the same bytes", function()
  local n, shared = 1, {}
  local function f(a) n = n + a return n, shared end
  local first = assert(hearth.encode({ f, f }, { canonical = true }))
  local second = assert(hearth.encode(hearth.decode(first, { trusted = true }), { canonical = true }))
  equal(second, first)
  local third = assert(hearth.encode(hearth.decode(second, { trusted = true }), { canonical = true }))
  equal(third, first)
end)

test("a coroutine is an error with its path", function()
  local bad = { players = { {}, {}, { on_hit = coroutine.create(print) } } }
  fails("unstorable", "players[3].on_hit: a coroutine cannot be stored", hearth.encode(bad))
end)

test("paths name keys that are no identifiers", function()
  fails("unstorable", '["a b"]', hearth.encode { ["a b"] = coroutine.create(print) })
  fails("unstorable", "[1.5]", hearth.encode { [1.5] = coroutine.create(print) })
  fails("unstorable", "[true]", hearth.encode { [true] = coroutine.create(print) })
end)

test("a coroutine in an upvalue, a metatable and a key", function()
  local thread = coroutine.create(print)
  fails("unstorable", "a coroutine cannot be stored", hearth.encode { f = function() return thread end })
  fails("unstorable", "a coroutine cannot be stored", hearth.encode(setmetatable({}, { x = thread })))
  fails("unstorable", "a coroutine cannot be stored", hearth.encode { [thread] = 1 })
end)

test("a C function without a name, and userdata without a type", function()
  fails("unstorable", "lines", hearth.encode { lines = string.gmatch("a", "a") })
  local file = assert(io.open("/dev/null"))
  fails("unstorable", "file", hearth.encode { file = file })
  file:close()
end)

test("what failed leaves the codec usable", function()
  for _ = 1, 100 do hearth.encode { { { coroutine.create(print) } } } end
  equal(copy { 7 }[1], 7)
end)

t.finish()
