-- Programs written for Eris or Pluto: persist and unpersist with their order of arguments and their meaning.
local hearth = require "hearth"
local t = require "harness"
local test, equal, raises = t.test, t.equal, t.raises

test("without permanents", function()
  local result = hearth.unpersist(hearth.persist { 1, { 2 } })
  equal(result[1], 1)
  equal(result[2][1], 2)
end)

test("permanents map values to names, and names to values", function()
  local resource, other = { "resource" }, { "other" }
  local bytes = hearth.persist({ [resource] = "res" }, { r = resource })
  equal(hearth.unpersist({ res = other }, bytes).r, other)
end)

test("names that are numbers and booleans", function()
  local a, b = {}, {}
  local bytes = hearth.persist({ [a] = 1, [b] = true }, { a, b })
  local result = hearth.unpersist({ "one", [true] = "yes" }, bytes)
  equal(result[1], "one")
  equal(result[2], "yes")
end)

test("closures, upvalues, cycles", function()
  local n = 1
  local root = { up = function() n = n + 1 return n end, get = function() return n end }
  root.root = root
  local result = hearth.unpersist({ [1] = _ENV }, hearth.persist({ [_ENV] = 1 }, root))
  equal(result.root, result)
  result.up()
  equal(result.get(), 2)
  equal(n, 1)
end)

test("nil, false and the root itself as permanent", function()
  equal(hearth.unpersist(hearth.persist(nil)), nil)
  equal(hearth.unpersist({}, hearth.persist({}, false)), false)
  local root = {}
  equal(hearth.unpersist({ root = 17 }, hearth.persist({ [root] = "root" }, root)), 17)
end)

test("special persistence", function()
  local meta = { __persist = function(self)
    local x = self.x
    return function() return { x = x + 1 } end
  end }
  equal(hearth.unpersist(hearth.persist(setmetatable({ x = 1 }, meta))).x, 2)
  raises("", hearth.persist, setmetatable({}, { __persist = false }))
end)

test("failures raise", function()
  raises("a coroutine cannot be stored", hearth.persist, { coroutine.create(print) })
  raises("", hearth.unpersist, "no such bytes")
  raises("bad argument #1", hearth.persist)
  raises("table expected", hearth.persist, 1, 2)
  raises("string expected", hearth.unpersist, {}, 2)
  local special = {}
  raises("special", hearth.unpersist, {}, hearth.persist({ [special] = "special" }, { special }))
end)

t.finish()
