local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

local function copy(value)
  local bytes = assert(hearth.encode(value))
  local result, message = hearth.decode(bytes)
  if message then error(message, 2) end
  return result
end

test("nil", function()
  equal(copy(nil), nil)
end)

test("booleans", function()
  equal(copy(true), true)
  equal(copy(false), false)
end)

test("the integer 2 and the float 2.0 keep their subtypes", function()
  equal(copy(2), 2)
  equal(copy(2.0), 2.0)
  equal(math.type(copy(2)), "integer")
  equal(math.type(copy(2.0)), "float")
end)

test("minus zero", function()
  equal(copy(-0.0), -0.0)
  equal(copy(0.0), 0.0)
  equal(copy(0), 0)
end)

test("infinities", function()
  equal(copy(math.huge), math.huge)
  equal(copy(-math.huge), -math.huge)
end)

test("payload and sign of quiet NaNs", function()
  for _, bits in ipairs { 0x7ff8000000000000, 0x7ff8000000000001, 0x7ff8deadbeef1234, 0xfff8000000000000, -1 } do
    local nan = string.unpack("<d", string.pack("<i8", bits))
    assert(nan ~= nan)
    equal(string.unpack("<i8", string.pack("<d", copy(nan))), bits)
  end
end)

test("2^53 + 1", function()
  equal(copy(9007199254740993), 9007199254740993)
  equal(copy(-9007199254740993), -9007199254740993)
  equal(copy(2.0 ^ 53), 2.0 ^ 53)
end)

test("the smallest and the largest integer", function()
  equal(copy(math.mininteger), math.mininteger)
  equal(copy(math.maxinteger), math.maxinteger)
  equal(copy(math.mininteger + 1), math.mininteger + 1)
  equal(copy(math.maxinteger - 1), math.maxinteger - 1)
end)

test("every power of two and its neighbours", function()
  local list = {}
  for i = 0, 63 do
    for d = -1, 1 do
      list[#list + 1] = (1 << i) + d
      list[#list + 1] = -((1 << i) + d)
    end
  end
  local result = copy(list)
  equal(#result, #list)
  for i = 1, #list do
    equal(result[i], list[i])
    equal(copy(list[i]), list[i])
  end
end)

test("all small integers", function()
  for i = -600, 600 do equal(copy(i), i) end
end)

test("floats of every exponent", function()
  local list = {}
  for e = 0, 0x7fe do
    list[#list + 1] = (string.unpack("<d", string.pack("<i8", e << 52 | 0x123456789abc)))
    list[#list + 1] = (string.unpack("<d", string.pack("<i8", e << 52 | 1 << 63)))
  end
  local result = copy(list)
  for i = 1, #list do equal(result[i], list[i]) end
end)

test("a float that is a whole number stays a float in a table", function()
  local result = copy { 1, 1.0, -0.0, 0, x = 3.0, y = 3 }
  equal(result[1], 1)
  equal(result[2], 1.0)
  equal(result[3], -0.0)
  equal(result[4], 0)
  equal(result.x, 3.0)
  equal(result.y, 3)
end)

t.finish()
