local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

local function copy(value)
  local bytes = assert(hearth.encode(value))
  local result, message = hearth.decode(bytes)
  if message then error(message, 2) end
  return result, #bytes
end

test("the empty string", function()
  equal(copy "", "")
end)

test("every byte", function()
  local all = {}
  for i = 0, 255 do
    equal(copy(string.char(i)), string.char(i))
    all[#all + 1] = string.char(i)
  end
  equal(copy(table.concat(all)), table.concat(all))
end)

test("zero bytes inside", function()
  equal(copy "a\0b\0\0", "a\0b\0\0")
  equal(copy "\0", "\0")
end)

test("invalid UTF-8", function()
  equal(copy "\xff\xfe\xc0\x80", "\xff\xfe\xc0\x80")
end)

test("every length up to 300, and those around powers of two", function()
  for n = 0, 300 do equal(copy(("x"):rep(n)), ("x"):rep(n)) end
  for e = 9, 20 do
    for d = -1, 1 do
      local s = ("ab\0"):rep((1 << e) // 3 + 1):sub(1, (1 << e) + d)
      equal(copy(s), s)
    end
  end
end)

test("a string of 70 MB", function()
  local s = ("0123456789abcdef\0\xff"):rep(70 * 1024 * 1024 // 18)
  local result, size = copy(s)
  assert(rawequal(result, s), "the strings differ")
  assert(size < #s + 1024)
end)

test("a repeated string is written once", function()
  local long = ("a long string, "):rep(100)
  local _, once = copy { long }
  local result, often = copy { long, long, long, { long }, [long] = long }
  assert(often < once + 100, often)
  equal(result[3], long)
  equal(result[4][1], long)
  equal(result[long], long)
end)

test("the strings '1' and 'true' stay strings", function()
  local result = copy { "1", "true", "nil", ["1"] = "one" }
  equal(result[1], "1")
  equal(result[2], "true")
  equal(result[3], "nil")
  equal(result["1"], "one")
end)

t.finish()
