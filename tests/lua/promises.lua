-- What the release that renamed the home table from Memory to _home promised for both names, promise by promise: with
-- the alias on and tracked, and with it off all that can be said with _home alone.
local hearth = require "hearth"
local t = require "harness"
local test, equal, raises, fails = t.test, t.equal, t.raises, t.fails

-- A store whose metadata has memoryTableId alone, as a file; home.who is "memory".
local renamed_since = ([[
  89484c4f470d0a1a0100010000000000f94c57b48c07062d12dbfe06a201000001000000000000000000000000000000f94c57b48c0706
  2d68181f9178486548f548465201000000d100000000000000010000000000000013dbfe06a20100000000000000000000f3293cf8590e
  479c68181f91784865481084a88bb3f89edf01000863000000000000020b844c277485ce8c6f0702846c6973748377686f0100086f0000
  00000000010b4455e24a0171fa4a2102c803866d656d6f72790100086f00000000000003059f83429f3b81dfd011030102030100016d6d
  1a9adf660e716b090886666f726d6174018a7265616461626c654279018b686f6d655461626c654964018d6d656d6f72795461626c6549
  64018b6e6578745461626c654964048773617665644174d513dbfe06a201887061676553697a65d10010867772697465728c6865617274
  6820302e312e30f5484652010000007400000000000000020000000000000013dbfe06a20100000100000000000000f5a458ce1a49fb50
  1084a88bb3f89edffb5da41af50664a70100016d6766a9cb622d8a5f480786666f726d6174018a7265616461626c654279018d6d656d6f
  72795461626c654964018b6e6578745461626c654964048773617665644174d50068e5cf8b01887061676553697a65d100108677726974
  6572936265666f7265207468652072656e616d696e67f5484652040000000000000000000000020000000000000013dbfe06a201000002
  000000000000008cec9cfcddeb1016fb5da41af50664a7301860e12852287b
]]):gsub("%s", ""):gsub("..", function(digits) return string.char(tonumber(digits, 16)) end)

-- f(run, store, env, reopen): run(code, ...) runs Lua code in the store's environment, with Memory written as _home
-- where the alias is off; reopen() closes the store and gives all of that once more.
local function with(policy, name, f)
  local uri = "file:" .. t.path(name .. "-" .. policy .. ".hearth")
  local store
  local function open()
    store = assert(hearth.open(uri, { alias = policy }))
    local env = setmetatable({}, { __index = _G })
    assert(store:install(env))
    local function run(code, ...)
      if policy == "off" then code = code:gsub("Memory", "_home") end
      return assert(load(code, "=program", "t", env))(...)
    end
    return run, store, env
  end
  local function reopen()
    assert(store:close())
    return open()
  end
  local run, first, env = open()
  local guard <close> = setmetatable({}, { __close = function() store:close() end })
  f(run, first, env, reopen)
end

local function promise(number, what, policies, f)
  for policy in policies:gmatch "%w+" do
    local name = string.format("promise %d", number)
    test(string.format("%s, alias %s: %s", name, policy, what), function()
      with(policy, name:gsub(" ", ""), f)
    end)
  end
end

promise(1, "both names return the same value", "on track", function(run, store)
  run "_home.value = { 1 } _home.text = 'x'"
  equal(run "return Memory.value == _home.value and Memory.text", "x")
  equal(run "return Memory", store.home)
end)

promise(2, "a write through one is read through the other", "on track off", function(run)
  run "Memory.a = 1 _home.b = 2 Memory.c = { d = 3 }"
  equal(run "return _home.a", 1)
  equal(run "return Memory.b", 2)
  equal(run "_home.c.d = 4 return Memory.c.d", 4)
  equal(run "Memory.a = 5 return _home.a", 5)
end)

promise(3, "rawequal", "on track", function(run)
  equal(run "return rawequal(Memory, _home) and Memory == _home", true)
  equal(run "local kept = Memory _home.x = 1 return rawequal(kept, _home) and kept.x", 1)
  equal(run "Memory = _home return rawequal(Memory, _home)", true) -- it may be assigned to itself
end)

promise(4, "functions stored through the alias", "on track off", function(run, store, _, reopen)
  run [[
    Memory.count = 0
    function Memory.step(n) Memory.count = _home.count + (n or 1) return Memory.count end
    local hidden = 10
    Memory.hidden = function() hidden = hidden + 1 return hidden end
  ]]
  equal(run "return _home.step()", 1)
  equal(run "return Memory.step(4), Memory.hidden()", 5)
  assert(store:commit())
  run = reopen()
  equal(run "return _home.step()", 6)
  equal(run "return Memory.hidden()", 12) -- an upvalue too, which the old runtime lost
end)

promise(5, "both iterate the same keys", "on track off", function(run)
  run "for i = 1, 3 do Memory[i] = i * i end"
  run "Memory.x, _home[1.5], Memory[true], _home[''] = 'x', 'float', 'true', 'empty'"
  local seen, count = run [[
    local seen, count = {}, 0
    for k, v in pairs(Memory) do seen[k] = v end
    for k, v in pairs(_home) do assert(seen[k] == v) count = count + 1 end
    for k in next, Memory do assert(_home[k] ~= nil) end
    return seen, count
  ]]
  equal(count, 7)
  equal(seen[1.5], "float")
  equal(run "return #Memory", 3)
  equal(run "return #_home", 3)
  equal(run "local s = 0 for _, v in ipairs(Memory) do s = s + v end return s", 14)
end)

promise(6, "nested operations", "on track off", function(run, store, _, reopen)
  run "Memory.a = { b = { c = {} } } _home.a.b.c.d = 'deep' Memory.a.b.back = _home.a"
  equal(run "return Memory.a.b.c.d .. _home.a.b.c.d", "deepdeep")
  run "local t = Memory for i = 1, 50 do t.down = t.down or {} t = t.down end t.bottom = true" -- 10 was too deep once
  assert(store:commit())
  run = reopen()
  equal(run "local t = _home for i = 1, 50 do t = t.down end return t.bottom", true)
  equal(run "return rawequal(Memory.a.b.back, _home.a)", true)
end)

promise(7, "calls through both names", "on track off", function(run)
  run "function Memory.add(a, b) return a + b end function _home:get(k) return self[k] end _home.n = 7"
  equal(run "return _home.add(1, 2) + Memory.add(3, 4)", 10)
  equal(run "return Memory:get 'n' + _home:get 'n'", 14)
end)

promise(8, "deletion through either", "on track off", function(run, store, _, reopen)
  run "Memory.a, Memory.b, Memory.c = 1, 2, 3"
  assert(store:commit())
  run "Memory.a = nil _home.b = nil"
  equal(run "return _home.a", nil)
  equal(run "return Memory.b", nil)
  equal(run "local n = 0 for _ in pairs(Memory) do n = n + 1 end return n", 1)
  assert(store:commit())
  run = reopen()
  equal(run "return Memory.a or _home.b", nil)
  equal(run "return next(_home)", "c")
end)

promise(9, "metatables set on one act through the other", "on track off", function(run, store, _, reopen)
  run [[setmetatable(Memory, {
    __index = function(_, k) return "default " .. k end,
    __call = function(self, x) return x + 1 end,
    __len = function() return 99 end,
  })]]
  local function check()
    equal(run "return _home.absent", "default absent")
    equal(run "return Memory.absent", "default absent")
    equal(run "return _home(1) + Memory(2)", 5)
    equal(run "return #_home", 99)
    equal(run "return getmetatable(_home) == getmetatable(Memory)", true)
  end
  check()
  assert(store:commit())
  run = reopen()
  check()
end)

promise(10, "batch operations", "on track off", function(run, store, _, reopen)
  run "for i = 1, 1000 do (i % 2 == 0 and Memory or _home)['key' .. i] = i end"
  equal(run "local s = 0 for i = 1, 1000 do s = s + (i % 2 == 0 and _home or Memory)['key' .. i] end return s", 500500)
  assert(store:commit())
  assert(store:transaction(function() run "for i = 1, 1000, 3 do Memory['key' .. i] = nil end" end))
  raises("stop", store.transaction, store, function()
    run "for i = 1, 1000 do Memory['key' .. i] = 0 end error 'stop'"
  end)
  equal(run "return Memory.key2 + _home.key3", 5)
  run = reopen()
  equal(run "local n = 0 for k, v in pairs(Memory) do assert(k == 'key' .. v) n = n + 1 end return n", 666)
end)

promise(11, "restoration", "on track off", function(run, store, env, reopen)
  run "Memory.int, Memory.float, Memory.list, _home.nested = 1, 2.0, { 1, 2, 3 }, { shared = Memory.list }"
  run "Memory.list[4], _home.self, Memory.yes = Memory.list, _home, true"
  assert(store:commit())
  local was = store.home
  run, store, env = reopen()
  assert(not rawequal(store.home, was))
  equal(env._home, store.home)
  equal(run "return Memory", store.home)
  equal(run "return Memory.int", 1)
  equal(run "return _home.float", 2.0)
  equal(run "return Memory.self", store.home)
  equal(run "return rawequal(Memory.list, _home.list[4]) and #Memory.list", 4)
end)

promise(12, "access after restoring", "on track off", function(run, store, _, reopen)
  run "Memory.visits = { n = 1 }"
  run "function Memory.visit() Memory.visits.n = Memory.visits.n + 1 return _home.visits.n end"
  for round = 2, 4 do
    assert(store:commit())
    run, store = reopen()
    equal(run "return Memory.visit()", round)
    equal(run "return _home.visits.n", round)
  end
  assert(store:commit())
  run "Memory.visits.n = 100"
  assert(store:rollback())
  equal(run "return _home.visit()", 5)
end)

promise(13, "debug information shows both ids", "on track off", function(run, store, _, reopen)
  local function check()
    local stat = assert(store:stat())
    equal(math.type(stat.home_id), "integer")
    equal(stat.memory_id, stat.home_id)
    assert(stat.home_id > 0)
  end
  check()
  run "Memory.x = 1"
  assert(store:commit())
  check()
  local id = store:stat().home_id
  run, store = reopen()
  check()
  equal(store:stat().home_id, id)
end)

promise(14, "the flag turns the alias off, and the rest goes on", "on track off", function(run, store, env)
  run "Memory.x = 1"
  assert(store:alias "off")
  equal(env.Memory, nil)
  equal(rawget(env, "Memory"), nil)
  local program = load("return Memory", "=program", "t", env)
  equal(program(), nil)
  raises("Memory", load("Memory.x = 1", "=program", "t", env))
  equal(run "return _home.x", 1)
  env._home.y = 2
  assert(store:commit())
  for _, policy in ipairs { "on", "track", "off", "track", "on", "off" } do
    assert(store:alias(policy))
    equal(program(), policy ~= "off" and store.home or nil)
    equal(env._home.y, 2)
    assert(store:commit())
  end
  env.Memory = "the program's own, now" -- nobody minds
  assert(store:commit())
  equal(env.Memory, "the program's own, now")
end)

-- Run in another process, to see what it is warned of.
local function load_renamed_since(path)
  return t.run([[
    warn "@on"
    local hearth = require "hearth"
    local path, policy = ...
    local store = assert(hearth.open("file:" .. path, { alias = policy }))
    assert(store:install())
    print(_home.who, Memory == _home, store:stat().home_id, store:stat().memory_id)
    store:close()
  ]], path, "on")
end

local deprecated = '[Deprecated] Using legacy "memoryTableId" - please migrate to "homeTableId"'

test("promise 15: memoryTableId alone is accepted, with a warning, until something is stored", function()
  local path = t.path "renamed.hearth"
  t.write(path, renamed_since)
  for _ = 1, 2 do -- loading writes nothing
    local output = load_renamed_since(path)
    assert(output:find(deprecated, 1, true), output)
    assert(output:find("memory\ttrue\t1\t1", 1, true), output)
  end
  local store <close> = assert(hearth.open("file:" .. path))
  equal(#store.home.list, 3)
  store.home.who = "home"
  assert(store:commit())
  store:close()
  local output = load_renamed_since(path)
  assert(not output:find("Deprecated", 1, true), output)
  assert(output:find("home\ttrue\t1\t1", 1, true), output)
end)

test("promise 15: whichever policy, the same home table", function()
  for _, policy in ipairs { "off", "on", "track" } do
    local path = t.path("renamed-" .. policy .. ".hearth")
    t.write(path, renamed_since)
    local store <close> = assert(hearth.open("file:" .. path, { alias = policy }))
    local env = {}
    assert(store:install(env))
    equal(env._home.who, "memory")
    equal(env.Memory, policy ~= "off" and env._home or nil)
  end
end)

-- What the alias does where the old one let data go.
promise(14, "another value in the place of Memory is told, not lost", "on track", function(run, store, env)
  run "Memory.kept = 1"
  local ok, message = pcall(run, "Memory = { lost = 1 }")
  if ok then
    fails("replaced", "Memory", store:commit())
    env.Memory = env._home
  else
    assert(message:find("program:1: Memory is a name of the home table", 1, true), message)
  end
  assert(store:commit())
  equal(run "return Memory.kept", 1)
end)

t.finish()
