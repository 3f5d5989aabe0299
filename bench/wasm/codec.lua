-- Encoding and decoding of one value, in whatever Lua has a Hearth: natively and in WebAssembly. Given Hearth's
-- module, the data sets, and a clock that counts the processor's seconds.
local hearth, data, clock = ...
local codec, value, bytes = {}, nil, nil
local ALL = { functions = true }

-- From the bytes that another Hearth wrote, so that both have the same value.
function codec.take(blob)
  value = assert(hearth.decode(blob, ALL))
  bytes = assert(hearth.encode(value))
  return #bytes
end

-- Or from the data set, for that other one.
function codec.make(path, name, count, source)
  value = data.sets[name](count, source)
  bytes = assert(hearth.encode(value))
  local file = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  assert(file:close())
  return #bytes
end

local function timed(f, x, options)
  collectgarbage()
  collectgarbage()
  collectgarbage "stop"
  local begin = clock()
  local result, message = f(x, options)
  local took = clock() - begin
  collectgarbage "restart"
  return took, assert(result, message)
end

function codec.encode()
  local took, result = timed(hearth.encode, value)
  assert(result == bytes, "not the same bytes again")
  return took
end

function codec.decode()
  local took, result = timed(hearth.decode, bytes, ALL)
  if type(result[1]) == "function" then
    data.same_closures(result, #value)
  else
    data.same(value, result, 0)
  end
  return took
end

-- For JavaScript, which has the bytes: encoded, and decoded again.
function codec.given() return hearth.encode(value) end
function codec.got(blob) codec.copy = assert(hearth.decode(blob, ALL)) end
function codec.check() data.same(value, codec.copy, 0) end

return codec
