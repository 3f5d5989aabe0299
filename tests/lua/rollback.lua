local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

local function open()
  local store = assert(hearth.open "memory:")
  return store, store.home
end

test("rollback in place: the same tables", function()
  local store <close>, home = open()
  home.a, home.list = { x = 1 }, { 1, 2, 3 }
  local a, list = home.a, home.list
  assert(store:commit())
  a.x, a.y = 2, 3
  list[2], list[4] = nil, 4
  home.a, home.new = nil, {}
  equal(store:rollback(), true)
  equal(store.home, home)
  equal(home.a, a)
  equal(home.list, list)
  equal(a.x, 1)
  equal(a.y, nil)
  equal(#list, 3)
  equal(list[2], 2)
  equal(list[4], nil)
  equal(home.new, nil)
end)

test("rollback before the first commit: an empty home", function()
  local store <close>, home = open()
  home.x = 1
  assert(store:rollback())
  equal(next(home), nil)
end)

test("upvalues return, closures stay the same", function()
  local store <close>, home = open()
  local n = 0
  home.up, home.get = function() n = n + 1 return n end, function() return n end
  assert(store:commit())
  local up = home.up
  up()
  up()
  home.up = nil
  assert(store:rollback())
  equal(home.up, up)
  equal(home.get(), 0)
  equal(up(), 1)
  equal(home.get(), 1) -- still shared
end)

test("upvalues that were joined apart are joined again", function()
  local store <close>, home = open()
  local a, b = 1, 2
  home.f, home.g = function() a = a + 1 return a end, function() return a end
  home.h = function() return b end
  assert(store:commit())
  debug.upvaluejoin(home.g, 1, home.h, 1)
  equal(home.g(), 2)
  assert(store:rollback())
  equal(home.g(), 1)
  home.f()
  equal(home.g(), 2)
end)

test("metatables return", function()
  local store <close>, home = open()
  local meta = { __index = { v = 1 } }
  home.object = setmetatable({}, meta)
  home.plain = {}
  assert(store:commit())
  setmetatable(home.object, nil)
  setmetatable(home.plain, meta)
  meta.__index = nil
  assert(store:rollback())
  equal(getmetatable(home.object), meta)
  equal(home.object.v, 1)
  equal(getmetatable(home.plain), nil)
end)

test("what was unlinked and collected comes back", function()
  local store <close>, home = open()
  home.tree = { { { 7 } } }
  assert(store:commit())
  home.tree = nil
  collectgarbage()
  collectgarbage()
  assert(store:rollback())
  equal(home.tree[1][1][1], 7)
end)

test("after a rollback a commit writes nothing", function()
  local store <close>, home = open()
  local n = 0
  home.list, home.f = {}, function() n = n + 1 return n end
  for i = 1, 1000 do home.list[i] = { i } end
  assert(store:commit())
  local before = store:stat().storage.sequence
  home.f()
  home.list[5] = nil
  home.list[6][1] = "changed"
  assert(store:rollback())
  assert(store:commit())
  equal(store:stat().storage.sequence, before)
end)

test("rollback during pairs skips and repeats nothing", function()
  local store <close>, home = open()
  for i = 1, 200 do home["k" .. i] = i end
  for i = 1, 100 do home[i] = i end
  assert(store:commit())
  local seen, n = {}, 0
  for k, v in pairs(home) do
    assert(not seen[k], k)
    seen[k], n = true, n + 1
    home[k] = v * 2 -- an assignment to an existing field is allowed
    if n % 50 == 0 then assert(store:rollback()) end
  end
  equal(n, 300)
end)

test("rollback after deletions during pairs", function()
  local store <close>, home = open()
  for i = 1, 200 do home["k" .. i] = i end
  assert(store:commit())
  local n = 0
  for k in pairs(home) do
    n = n + 1
    home[k] = nil
    if n % 20 == 0 then assert(store:rollback()) end
  end
  equal(n, 200)
end)

test("large tables and long strings", function()
  local store <close>, home = open()
  home.map, home.text = {}, ("0123456789"):rep(10000)
  for i = 1, 20000 do home.map["k" .. i] = i end
  assert(store:commit())
  for i = 1, 20000, 7 do home.map["k" .. i] = nil end
  home.map.extra, home.text = true, "short"
  assert(store:rollback())
  for i = 1, 20000 do if home.map["k" .. i] ~= i then equal(home.map["k" .. i], i) end end
  equal(home.map.extra, nil)
  equal(#home.text, 100000)
end)

test("cycles", function()
  local store <close>, home = open()
  home.self, home[home] = home, home
  assert(store:commit())
  home.self, home[home] = nil, nil
  assert(store:rollback())
  equal(home.self, home)
  equal(home[home], home)
end)

test("numbers are never used again after a rollback", function()
  local store <close>, home = open()
  home.a = {}
  assert(store:commit())
  local next_id = store:stat().next_id
  for _ = 1, 10 do
    home.b = { {} }
    assert(store:rollback())
  end
  home.b = { { "new" } }
  assert(store:commit())
  assert(store:stat().next_id > next_id)
  equal(home.b[1][1], "new")
end)

test("a debug hook that raises, at each call of a rollback", function()
  local store <close>, home = open()
  home.kept, home.list = { a = 1, b = 2 }, { 1, 2, 3 }
  assert(store:commit())
  local n, done, rollback = 0, false, store.rollback
  repeat
    n = n + 1
    home.kept.a, home.kept.b, home.list[3] = nil, nil, nil -- keys that are to be inserted again
    local calls, armed = 0, true
    local ok, done_so, why = pcall(function()
      debug.sethook(function()
        if armed then calls = calls + 1 end
        if calls == n and armed then error "a hook" end
      end, "c")
      local done_so, why = rollback(store)
      armed = false
      return done_so, why
    end)
    armed = false
    debug.sethook()
    done = calls < n
    local told = tostring(not ok and done_so or why)
    if (not ok or not done_so) and not told:find "hook" then error(("call %d: %s"):format(n, told)) end
    equal(store:rollback(), true)
    equal(home.kept.a, 1)
    equal(home.kept.b, 2)
    equal(#home.list, 3)
  until done
  assert(n > 2, n)
end)

t.finish()
