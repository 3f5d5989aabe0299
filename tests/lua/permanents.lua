local hearth = require "hearth"
local t = require "harness"
local test, equal, fails, raises = t.test, t.equal, t.fails, t.raises

local function copy(value, options)
  local bytes = assert(hearth.encode(value, options))
  local result, message = hearth.decode(bytes, { trusted = true })
  if message then error(message, 2) end
  return result
end

test("a registered C function keeps its identity", function()
  local f = string.gmatch("a", "a")
  fails("unstorable", nil, hearth.encode { f = f })
  hearth.register_permanent("test.gmatch", f)
  equal(copy { f = f }.f, f)
end)

test("a registered table and a registered Lua function are written as their names", function()
  local class = { big = ("x"):rep(10000) }
  local f = function() return class end
  hearth.register_permanent("test.class", class)
  hearth.register_permanent("test.f", f)
  local bytes = assert(hearth.encode { class, f })
  assert(#bytes < 200, #bytes)
  local result = hearth.decode(bytes, { trusted = true })
  equal(result[1], class)
  equal(result[2], f)
end)

test("registered userdata", function()
  local file = assert(io.open("/dev/null"))
  hearth.register_permanent("test.null", file)
  equal(copy { file }[1], file)
  file:close()
end)

test("a name that is given again means the new value", function()
  local first, second = { 1 }, { 2 }
  hearth.register_permanent("test.again", first)
  local bytes = assert(hearth.encode(first))
  hearth.register_permanent("test.again", second)
  equal(hearth.decode(bytes, { trusted = true }), second)
end)

test("what cannot be a permanent", function()
  raises("", hearth.register_permanent, "test.number", 1)
  raises("bad argument #2", hearth.register_permanent, "test.nothing")
  raises("bad argument #1", hearth.register_permanent, {}, print)
end)

test("a module: functions and classes by name, data by value", function()
  local module = {
    open = function() end,
    class = { method = function() end },
    defaults = { size = 3 },
  }
  module.class.__index = module.class
  hearth.register_module("shapes", module)
  local result = copy { module.open, module.class, module.defaults, setmetatable({ 1 }, module.class), module }
  equal(result[1], module.open)
  equal(result[2], module.class)
  assert(result[3] ~= module.defaults)
  equal(result[3].size, 3)
  equal(getmetatable(result[4]), module.class)
  equal(result[5], module)
end)

test("a class that was edited between two runs", function()
  local path = t.path "animals.hearth"
  local program = [[
    local hearth = require "hearth"
    local path, sound = ...
    local animals = { Dog = {} }
    animals.Dog.__index = animals.Dog
    function animals.Dog:speak() return self.name .. " says " .. sound end
    hearth.register_module("animals", animals)
    local store <close> = assert(hearth.open("file:" .. path))
    local home = store.home
    home.dog = home.dog or setmetatable({ name = "Rex" }, animals.Dog)
    assert(store:commit())
    io.write(home.dog:speak())
  ]]
  equal(t.run(program, path, "woof"), "Rex says woof")
  equal(t.run(program, path, "wuff"), "Rex says wuff")
end)

test("an unknown name on load is an error that says it", function()
  local path = t.path "unknown.bin"
  t.run([[
    local hearth = require "hearth"
    local value = function() end
    hearth.register_permanent("game.only_there", value)
    require "harness".write(..., assert(hearth.encode { f = value, n = 1 }))
  ]], path)
  local bytes = t.read(path)
  fails("unknown", "game.only_there", hearth.decode(bytes, { trusted = true }))
  local result = assert(hearth.decode(bytes, { trusted = true, placeholders = true }))
  equal(result.n, 1)
  assert(result.f ~= nil)
  local again = assert(hearth.encode(result)) -- the placeholder keeps the name
  fails("unknown", "game.only_there", hearth.decode(again, { trusted = true }))
end)

test("permanents of one call", function()
  local special = { "not followed", coroutine.create(print) }
  local bytes = assert(hearth.encode({ special, special }, { permanents = { [special] = "special" } }))
  local result = assert(hearth.decode(bytes, { trusted = true, permanents = { special = "replaced" } }))
  equal(result[1], "replaced")
  equal(result[2], "replaced")
  fails("unknown", "special", hearth.decode(bytes, { trusted = true }))
end)

test("an unregistered module is an error naming it, or data by option", function()
  package.loaded["test.unregistered"] = { n = 1, f = function() return 2 end }
  fails("unstorable", "test.unregistered", hearth.encode { m = package.loaded["test.unregistered"] })
  local result = copy({ m = package.loaded["test.unregistered"] }, { modules_by_value = true })
  equal(result.m.n, 1)
  equal(result.m.f(), 2)
  assert(result.m ~= package.loaded["test.unregistered"])
  package.loaded["test.unregistered"] = nil
end)

test("the module itself is known by name", function()
  local result = copy { hearth, hearth.encode }
  equal(result[1], hearth)
  equal(result[2], hearth.encode)
end)

test("changes inside permanents are listed", function()
  local function changed(name)
    for _, n in ipairs(hearth.changed_permanents()) do
      if n == name then return true end
    end
    return false
  end
  local class = { f = function() end }
  hearth.register_permanent("test.watched", class)
  equal(changed "test.watched", false)
  equal(changed "string", false)
  class.g = function() end
  equal(changed "test.watched", true)
  class.g = nil
  equal(changed "test.watched", false)
  string.test_added = true
  equal(changed "string", true)
  string.test_added = nil
end)

t.finish()
