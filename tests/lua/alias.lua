local hearth = require "hearth"
local t = require "harness"
local test, equal, raises, fails = t.test, t.equal, t.raises, t.fails

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

test("stat has the uses and the places", function()
  local store <close>, env = installed "track"
  local stat = store:stat()
  equal(stat.alias_uses, 0)
  equal(#stat.alias_places, 0)
  load("\nfor i = 1, 3 do Memory.x = i end", "=old.lua", "t", env)()
  stat = store:stat()
  equal(stat.alias_uses, 3)
  equal(#stat.alias_places, 1)
  equal(stat.alias_places[1], "old.lua:2")
  equal(store:alias_places()[1], "old.lua:2")
  assert(store:alias "off") -- what was counted stays
  equal(store:stat().alias_uses, 3)
  equal(#store:stat().alias_places, 1)
end)

test("uses in coroutines and in pcall", function()
  local store <close>, env = installed "track"
  env.coroutine, env.pcall, env.error = coroutine, pcall, error
  load([[
    local co = coroutine.wrap(function() coroutine.yield(Memory) return Memory.x end)
    co() co()
    pcall(function() error(Memory) end)
    pcall(function() Memory = {} end)
  ]], "=old.lua", "t", env)()
  equal(table.concat(store:alias_places(), " "), "old.lua:1 old.lua:3 old.lua:4")
  equal(store:stat().alias_uses, 4)
end)

test("what goes past the metatable is not seen", function()
  local store <close>, env = installed "track"
  equal(rawget(env, "Memory"), nil)
  for name in pairs(env) do assert(name ~= "Memory") end
  equal(store:stat().alias_uses, 0)
  rawset(env, "Memory", {}) -- hides the name, and commit tells
  fails("replaced", "Memory", store:commit())
  rawset(env, "Memory", nil)
  assert(store:commit())
end)

test("track: Memory cannot be replaced, and assigning itself is nothing", function()
  local store <close>, env = installed "track"
  load("Memory = Memory or {}", "=old.lua", "t", env)()
  raises("old.lua:2: Memory is a name of the home table and cannot be replaced",
    load("\nMemory = {}", "=old.lua", "t", env))
  raises("cannot be replaced", load("Memory = nil", "=old.lua", "t", env))
  assert(rawequal(env.Memory, store.home))
  assert(store:commit())
end)

test("undeclared globals of a strict module are found, with Memory tracked", function()
  local store <close> = assert(hearth.open("memory:", { alias = "track" }))
  local env, declared = {}, { _home = true, ext = true }
  setmetatable(env, {
    __newindex = function(self, name, value)
      if not declared[name] and debug.getinfo(2, "S").what ~= "main" then error("assign to undeclared " .. name, 2) end
      declared[name] = true
      rawset(self, name, value)
    end,
    __index = function(_, name)
      if not declared[name] then error("undeclared " .. name, 2) end
    end,
  })
  assert(store:install(env))
  load("new = 1", "=main.lua", "t", env)()
  equal(env.new, 1)
  local code = "local function f(what) if what then absent = 1 end return absent end return f"
  local f = load(code, "=main.lua", "t", env)()
  raises("main.lua:1: undeclared absent", f)
  raises("main.lua:1: assign to undeclared absent", f, true)
  assert(rawequal(env.Memory, store.home))
  assert(store:alias "off")
  raises("undeclared Memory", function() return env.Memory end)
end)

test("closing leaves the metatable as it was, and Memory as plain as _home", function()
  local store, env = installed "track"
  assert(getmetatable(env))
  store:close()
  equal(getmetatable(env), nil)
  assert(rawequal(rawget(env, "Memory"), env._home))
  local meta = { __index = { x = 1 } }
  store, env = assert(hearth.open("memory:", { alias = "track" })), setmetatable({}, meta)
  assert(store:install(env))
  store:close()
  equal(meta.__index.x, 1)
  equal(rawget(meta, "__newindex"), nil)
end)

test("two stores: each in its own globals", function()
  local a <close>, env_a = installed "track"
  local b <close>, env_b = installed "on"
  load("Memory.x = 'a'", "=a.lua", "t", env_a)()
  load("Memory.x = 'b'", "=b.lua", "t", env_b)()
  equal(a.home.x .. b.home.x, "ab")
  equal(a:stat().alias_uses, 1)
  equal(b:stat().alias_uses, 0)
  assert(a:commit() and b:commit())
end)

test("two stores in the same globals: both names are the last one's, and the first one's commit says so", function()
  local a <close>, env = installed "track"
  local b <close> = assert(hearth.open("memory:", { alias = "track" }))
  assert(b:install(env))
  assert(rawequal(env.Memory, b.home) and rawequal(env._home, b.home))
  fails("replaced", "_home", a:commit())
  assert(b:commit())
  b:close()
  assert(a:install(env))
  assert(rawequal(env.Memory, a.home) and rawequal(env._home, a.home))
  assert(a:commit())
end)

-- The lines with "old name" that a program gives.
local function warned(output)
  local lines = {}
  for line in output:gmatch "[^\n]+" do
    lines[#lines + 1] = line:match "(%S+: Memory is the old name of _home)"
  end
  return table.concat(lines, "\n")
end

test("each place is warned of once, through warn", function()
  local program = [[
    local hearth = require "hearth"
    local store <close> = assert(hearth.open("memory:", { alias = "track" }))
    assert(store:install())
    if ... then warn(...) end
    local f = load("for i = 1, 3 do Memory.x = i end\nMemory.y = 1", "=old.lua")
    f() f()
    print(store:stat().alias_uses)
  ]]
  local output = t.run(program, "@on")
  equal(warned(output), "old.lua:1: Memory is the old name of _home\nold.lua:2: Memory is the old name of _home")
  assert(output:find("8", 1, true), output)
  output = t.run(program, "@off")
  equal(warned(output), "")
  assert(output:find("8", 1, true), output)
end)

t.finish()
