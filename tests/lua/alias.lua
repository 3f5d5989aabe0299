local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

local function installed(policy)
  local store = assert(hearth.open("memory:", { alias = policy }))
  local env = {}
  assert(store:install(env))
  return store, env
end

test("off: no Memory", function()
  local store <close>, env = installed "off"
  equal(env.Memory, nil)
  local other <close>, env2 = installed(nil)
  equal(env2.Memory, nil)
  assert(store ~= other)
end)

test("on: Memory is the same table", function()
  local store <close>, env = installed "on"
  assert(rawequal(env.Memory, env._home))
  assert(rawequal(rawget(env, "Memory"), store.home))
end)

test("true and false stand for on and off", function()
  local store <close>, env = installed(true)
  assert(rawequal(env.Memory, env._home))
  assert(store:alias(false))
  equal(env.Memory, nil)
end)

test("track: uses are counted, and their places remembered", function()
  local store <close>, env = installed "track"
  assert(rawequal(env.Memory, env._home))
  local program = assert(load("Memory.x = 1\nlocal y = Memory.x\n\nMemory.z = y", "=old.lua", "t", env))
  local before = store:stat().alias_uses
  program()
  equal(store:stat().alias_uses, before + 3)
  local places = table.concat(store:alias_places(), " ")
  assert(places:find("old.lua:1", 1, true), places)
  assert(places:find("old.lua:2", 1, true), places)
  assert(places:find("old.lua:4", 1, true), places)
  equal(env._home.z, 1)
end)

test("track keeps the environment's own metatable working", function()
  local store <close> = assert(hearth.open("memory:", { alias = "track" }))
  local env = setmetatable({}, { __index = { inherited = 5 } })
  assert(store:install(env))
  equal(env.inherited, 5)
  assert(rawequal(env.Memory, store.home))
  equal(env.absent, nil)
end)

test("a program that replaces Memory is told", function()
  local store <close>, env = installed "on"
  env.Memory = { lost = true }
  fails("replaced", "Memory", store:commit())
  env.Memory = env._home
  assert(store:commit())
end)

test("the policy changes at run time", function()
  local store <close>, env = installed "off"
  assert(store:alias "on")
  assert(rawequal(rawget(env, "Memory"), env._home))
  assert(store:alias "track")
  assert(rawequal(env.Memory, env._home))
  equal(store:stat().alias_uses >= 1, true)
  assert(store:alias "off")
  equal(env.Memory, nil)
end)

t.finish()
