-- Collections forced everywhere, and new objects in the addresses of dead ones, never change what is stored.
local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

-- Garbage of the sizes that stored objects have, so that freed addresses are used again.
local function churn()
  for i = 1, 300 do
    local table, text = { i, i }, "t" .. i
    local _ = { function() return table, text end, setmetatable({}, table) }
  end
  collectgarbage()
end

local function reopened(uri, look)
  local store <close> = assert(hearth.open(uri))
  return look(store.home)
end

test("closures replaced between commits", function()
  local uri = "file:" .. t.path "closures.hearth"
  local store = assert(hearth.open(uri))
  local home = store.home
  for round = 1, 30 do
    home.f = function() return round end
    home.list = {}
    for i = 1, 20 do home.list[i] = function() return round * 100 + i end end
    assert(store:commit())
    home.f, home.list = nil, nil
    churn()
    home.g = function() return -round end
    for i = 1, 20 do home["x" .. i] = { round, i } end
    assert(store:commit())
    store:close()
    reopened(uri, function(h)
      equal(h.g(), -round)
      equal(h.f, nil)
      for i = 1, 20 do
        equal(h["x" .. i][1], round)
        equal(h["x" .. i][2], i)
      end
    end)
    store = assert(hearth.open(uri))
    home = store.home
  end
  store:close()
end)

test("shared upvalues whose closures come and go", function()
  local uri = "file:" .. t.path "cells.hearth"
  local store = assert(hearth.open(uri))
  local home = store.home
  do
    local n = 0
    home.up = function() n = n + 1 return n end
    home.get = function() return n end
  end
  assert(store:commit())
  for _ = 1, 20 do
    home.up()
    churn()
    local old = home.get
    home.get = nil
    assert(store:commit())
    churn()
    home.get = old
    assert(store:commit())
  end
  store:close()
  reopened(uri, function(h)
    equal(h.get(), 20)
    equal(h.up(), 21)
    equal(h.get(), 21) -- still one cell
  end)
end)

test("keys in the addresses of keys that a debug hook removed during a commit", function()
  local uri = "file:" .. t.path "debug-hook.hearth"
  local store = assert(hearth.open(uri))
  local old, new, addresses = {}, {}, {}
  for i = 1, 64 do
    old[i], new[i] = { ["old key " .. i] = i }, {}
    addresses[string.format("%p", (next(old[i])))] = true
  end
  local captured = {}
  store.home.a = old
  store.home.f = { { { function() return captured end } } } -- met when `old` is written and `new` is not
  store.home.z = { { { { { new } } } } }
  local ran, used = false, 0
  debug.sethook(function()
    if ran or debug.getinfo(2, "S").what == "C" then return end
    ran = true
    for _, fields in ipairs(old) do fields[next(fields)] = nil end
    collectgarbage()
    collectgarbage()
    for i = 1, 100000 do
      local key = "new key " .. i
      if used < 64 and addresses[string.format("%p", key)] then
        used = used + 1
        new[used][key] = true
      end
    end
  end, "c")
  local ok, why = store:commit()
  debug.sethook()
  assert(ok, why)
  equal(ran, true)
  store:close()
  reopened(uri, function(home)
    for i = 1, used do equal((next(home.z[1][1][1][1][1][i])), (next(new[i]))) end
  end)
end)

test("the collector's state is restored", function()
  local store <close> = assert(hearth.open "memory:")
  equal(collectgarbage "isrunning", true)
  store.home.x = { 1 }
  assert(store:commit())
  equal(collectgarbage "isrunning", true)
  collectgarbage "stop"
  store.home.x = { 2 }
  assert(store:commit())
  equal(collectgarbage "isrunning", false)
  collectgarbage "restart"
  store.home.x = coroutine.create(print)
  store:commit()
  equal(collectgarbage "isrunning", true)
  hearth.encode(coroutine.create(print))
  equal(collectgarbage "isrunning", true)
end)

-- Calls f while a finalizer that runs as often as it can takes fields out of the tables of the list.
local function under_finalizers(tables, f)
  local on = true
  local function arm()
    setmetatable({}, { __gc = function()
      for _, fields in ipairs(tables) do
        local key = next(fields)
        if key ~= nil then fields[key] = nil end
      end
      if on then arm() end
    end })
  end
  local mode = collectgarbage("incremental", 10, 1000, 2)
  arm()
  local results <const> = table.pack(f())
  on = false
  collectgarbage("incremental", 200, 100, 13)
  collectgarbage(mode)
  return table.unpack(results, 1, results.n)
end

local function mixed()
  local fields = {}
  for i = 1, 40 do fields["k" .. i * 7], fields[i * 3] = i, i end
  return fields
end

test("a hook that restarts the collector: no finalizer changes what is half written", function()
  local tables = {}
  local class = { __persist = function(self)
    collectgarbage "stop"
    collectgarbage "restart"
    local fields = self.fields
    return function() return { fields = fields } end
  end }
  local function fill(list)
    for i = 1, 20 do
      tables[i] = mixed()
      list[i] = setmetatable({ fields = tables[i] }, class)
    end
    return list
  end
  local plain = fill {}
  for i = 21, 1000 do
    tables[i] = mixed()
    plain[i] = tables[i]
  end
  local bytes = assert(under_finalizers(tables, function() return hearth.encode(plain, { canonical = true }) end))
  assert(hearth.decode(bytes, { trusted = true }))
  equal(collectgarbage "isrunning", true)
  local uri = "file:" .. t.path "restarted.hearth"
  local store = assert(hearth.open(uri))
  tables = {}
  fill(store.home)
  assert(under_finalizers(tables, function() return store:commit() end))
  store:close()
  reopened(uri, function(home) equal(#home, 20) end)
  equal(collectgarbage "isrunning", true)
end)

test("generational collections", function()
  local mode = collectgarbage "generational"
  local uri = "file:" .. t.path "generational.hearth"
  local store = assert(hearth.open(uri))
  for round = 1, 20 do
    store.home[round] = { n = round, f = function() return round end }
    assert(store:commit())
    churn()
  end
  store:close()
  reopened(uri, function(home)
    for round = 1, 20 do
      equal(home[round].n, round)
      equal(home[round].f(), round)
    end
  end)
  collectgarbage(mode)
end)

test("finalizers that allocate during a commit", function()
  local uri = "file:" .. t.path "finalizers.hearth"
  local store = assert(hearth.open(uri))
  for round = 1, 20 do
    for _ = 1, 50 do setmetatable({}, { __gc = function() local _ = { {}, function() end } end }) end
    store.home.list = {}
    for i = 1, 50 do store.home.list[i] = { i * round } end
    assert(store:commit())
  end
  store:close()
  reopened(uri, function(home)
    for i = 1, 50 do equal(home.list[i][1], i * 20) end
  end)
end)

test("a finalizer that uses the store", function()
  local store <close> = assert(hearth.open "memory:")
  local results = 0
  for _ = 1, 20 do
    setmetatable({}, { __gc = function()
      store:commit() -- whenever it runs: an answer, or busy
      results = results + 1
    end })
    store.home.x = {}
    assert(store:commit())
  end
  collectgarbage()
  collectgarbage()
  equal(results, 20)
  assert(store:commit())
end)

test("a store that nothing refers to closes without committing", function()
  local uri = "file:" .. t.path "forgotten.hearth"
  do
    local store = assert(hearth.open(uri))
    store.home.kept = 1
    assert(store:commit())
    store.home.lost = 1
  end
  collectgarbage()
  collectgarbage()
  reopened(uri, function(home) -- not busy: it was closed
    equal(home.kept, 1)
    equal(home.lost, nil)
  end)
end)

test("an installed store lives as long as its environment", function()
  local uri = "file:" .. t.path "installed.hearth"
  local env = {}
  assert(assert(hearth.open(uri)):install(env))
  collectgarbage()
  collectgarbage()
  t.fails("busy", nil, hearth.open(uri)) -- still open
  assert(env._home)
end)

t.finish()
