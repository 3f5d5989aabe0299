-- Every truncated prefix and every flipped byte of a blob of all kinds of values: a value or an error.
local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

test("every truncated prefix and every flipped byte: a value or an error", function()
  local shared = { 1, 2, 3 }
  local n = 0
  local bytes = assert(hearth.encode {
    nil, true, false, 1, -1, 300, 2 ^ 53, 1.5, -0.0, math.huge, math.mininteger, "", "short", ("long"):rep(100),
    shared, shared, { x = 1, y = 2 }, { x = 3, y = 4 }, { [1.5] = 1, [true] = 2 }, print, io.stdout,
    function() n = n + 1 return n end, function() return n end,
    setmetatable({ 1 }, { __index = { y = 1 } }), setmetatable({}, { __mode = "k" }),
    setmetatable({}, { __persist = function() return function() return { 1 } end end }),
  })
  local codes = {}
  local function try(input)
    for _, options in ipairs { { trusted = true }, { functions = true }, {} } do
      local value, message, code = hearth.decode(input, options)
      if message then
        assert(value == nil and type(code) == "string")
        codes[code] = true
      end
    end
  end
  for size = 0, #bytes - 1 do
    local value, message = hearth.decode(bytes:sub(1, size), { trusted = true })
    assert(value == nil and message, size) -- a prefix is never whole
    try(bytes:sub(1, size))
  end
  for i = 1, #bytes do
    local byte = bytes:byte(i)
    for bit = 0, 7 do try(bytes:sub(1, i - 1) .. string.char(byte ~ (1 << bit)) .. bytes:sub(i + 1)) end
    try(bytes:sub(1, i - 1) .. "\xff" .. bytes:sub(i + 1))
  end
  equal(codes.damaged, true)
  equal(codes.refused, true)
end)

t.finish()
