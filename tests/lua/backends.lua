-- Backends that are Lua modules of their own: hearth.SCHEME.
local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

test("an unknown scheme is the name of a module", function()
  fails("invalid", "module 'hearth.nowhere' not found", hearth.open "nowhere:x")
  fails("invalid", "memory:, file:", hearth.open "nowhere:x")
end)

test("what follows the scheme may be a password, and is in no message", function()
  for _, uri in ipairs { "nowhere://me:secret@here/x", "No such://me:secret@here/x", "://me:secret@here" } do
    local _, message = hearth.open(uri)
    assert(not message:find("secret", 1, true), message)
  end
end)

test("what is no scheme is not looked for", function()
  local real, asked = require, nil
  require = function(name) asked = name end
  for _, uri in ipairs { "world.hearth", "", ":", "../x:y", "a.b:c", "A:x", "file:", ("s"):rep(40) .. ":x" } do
    fails("invalid", nil, hearth.open(uri))
    equal(asked, nil)
  end
  require = real
end)

test("a module that is none, that raises, or that cannot be required", function()
  package.preload["hearth.number"] = function() return 7 end
  package.preload["hearth.broken"] = function() error("a library\n\tis missing", 0) end
  package.preload["hearth.odd"] = function() error {} end
  fails("invalid", "the Lua module hearth.number holds no backend", hearth.open "number:x")
  fails("invalid", "a library is missing", hearth.open "broken:x")
  fails("invalid", "no string", hearth.open "odd:x")
  local real = require
  require = nil
  fails("invalid", "no function require", hearth.open "number:x")
  require = real
end)

local no_sqlite = not package.searchpath("hearth.sqlite", package.cpath) and "no backend sqlite was built"

test("sqlite is one", function()
  local uri = "sqlite:" .. t.path "world.sqlite"
  for visit = 1, 3 do
    local store <close> = assert(hearth.open(uri))
    store.home.visits = (store.home.visits or 0) + 1
    equal(store.home.visits, visit)
    assert(store:commit())
    equal(store:stat().backend, "sqlite")
    fails("busy", "this process", hearth.open(uri))
  end
  equal(type(require "hearth.sqlite"), "userdata")
  fails("invalid", "names no place", hearth.open "sqlite:")
end, no_sqlite)

test("a store in sqlite and one in file at once", function()
  local a <close> = assert(hearth.open("sqlite:" .. t.path "a.sqlite"))
  local b <close> = assert(hearth.open("file:" .. t.path "b.hearth"))
  a.home.x, b.home.x = 1, 2
  assert(a:commit() and b:commit())
  equal(a.home.x + b.home.x, 3)
end, no_sqlite)

t.finish()
