local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

test("data passes", function()
  local result = hearth.decode(assert(hearth.encode { 1, "a", { x = true } }))
  equal(result[3].x, true)
end)

test("functions are refused unless allowed", function()
  local bytes = assert(hearth.encode { f = function() return 1 end })
  fails("refused", nil, hearth.decode(bytes))
  fails("refused", nil, hearth.decode(bytes, { permanents = true, metatables = true }))
  equal(hearth.decode(bytes, { functions = true }).f(), 1)
end)

test("permanents are refused unless allowed", function()
  local bytes = assert(hearth.encode { f = os.execute })
  fails("refused", nil, hearth.decode(bytes))
  fails("refused", nil, hearth.decode(bytes, { functions = true, metatables = true }))
  equal(hearth.decode(bytes, { permanents = true }).f, os.execute)
end)

test("metatables are refused unless allowed", function()
  local bytes = assert(hearth.encode(setmetatable({}, { __gc = "anything" })))
  fails("refused", nil, hearth.decode(bytes))
  fails("refused", nil, hearth.decode(bytes, { functions = true, permanents = true }))
  equal(getmetatable(hearth.decode(bytes, { metatables = true })).__gc, "anything")
end)

test("a finalizer by a permanent needs both", function()
  local bytes = assert(hearth.encode(setmetatable({}, { __gc = rawlen })))
  fails("refused", nil, hearth.decode(bytes))
  fails("refused", nil, hearth.decode(bytes, { metatables = true }))
end)

test("hooks are refused", function()
  local bytes = assert(hearth.encode(setmetatable({}, { __persist = function() return function() return 1 end end })))
  fails("refused", nil, hearth.decode(bytes))
  local called
  local caller =
    assert(hearth.encode(setmetatable({}, { __persist = function() return function() call() return {} end end })))
  call = function() called = true end
  fails("refused", "class", hearth.decode(caller, { functions = true, permanents = { _G = _G } }))
  equal(called, nil)
  assert(hearth.decode(caller, { trusted = true }))
  equal(called, true)
  call = nil
end)

test("listed permanents pass, others do not", function()
  local listed = assert(hearth.encode({ print }, { permanents = { [print] = "out" } }))
  equal(hearth.decode(listed, { permanents = { out = print } })[1], print)
  fails("refused", nil, hearth.decode(assert(hearth.encode { os.execute }), { permanents = { out = print } }))
end)

test("what is not a blob", function()
  fails("damaged", nil, hearth.decode "")
  fails("damaged", nil, hearth.decode "hello")
  fails("damaged", nil, hearth.decode(("\0"):rep(1000)))
  fails("damaged", nil, hearth.decode(assert(hearth.encode(1)) .. "x"))
end)

test("errors in the bytes name the position", function()
  local bytes = assert(hearth.encode { "abc", "def" })
  local _, message = hearth.decode(bytes:sub(1, -2))
  assert(message:find "byte %d+", message)
end)

test("max_bytes", function()
  local bytes = assert(hearth.encode(("x"):rep(1000)))
  fails("limit", nil, hearth.decode(bytes, { max_bytes = #bytes - 1 }))
  assert(hearth.decode(bytes, { max_bytes = #bytes }))
  fails("limit", nil, hearth.encode(("x"):rep(1000), { max_bytes = 100 }))
  assert(hearth.encode(("x"):rep(1000), { max_bytes = #bytes }))
end)

test("max_memory", function()
  local source = {}
  for i = 1, 10000 do source[i] = {} end
  local bytes = assert(hearth.encode(source))
  fails("limit", nil, hearth.decode(bytes, { max_memory = 100000 }))
  equal(#hearth.decode(bytes, { max_memory = 100 << 20 }), 10000)
end)

test("max_memory counts the entries of weak tables", function()
  local weak = setmetatable({}, { __mode = "v" })
  for i = 1, 1000 do weak[-i] = i end
  local bytes = assert(hearth.encode(weak))
  fails("limit", nil, hearth.decode(bytes, { trusted = true, max_memory = 50000 }))
  equal(hearth.decode(bytes, { trusted = true, max_memory = 200000 })[-1000], 1000)
end)

local has_seal, _, seal_code = hearth.seal(("k"):rep(32))

test("a seal, or the word that there is none", function()
  if not has_seal then equal(seal_code, "unsupported") end
end)

local no_seal = not has_seal and "Hearth was built without libsodium"

test("a sealed function is read with its seal only", function()
  local bytes = assert(hearth.encode({ f = function() return 7 end }, { seal = has_seal }))
  equal(hearth.decode(bytes, { trusted = true, seal = has_seal }).f(), 7)
  fails("seal", nil, hearth.decode(bytes, { trusted = true, seal = hearth.seal(("q"):rep(32)) }))
end, no_seal)

test("an unsealed function is refused where a seal is set", function()
  local bytes = assert(hearth.encode { f = function() return 7 end })
  fails("seal", nil, hearth.decode(bytes, { trusted = true, seal = has_seal }))
end, no_seal)

test("data needs no seal", function()
  equal(hearth.decode(assert(hearth.encode { 1 }), { seal = has_seal })[1], 1)
end, no_seal)

t.finish()
