local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

local function open(name, options)
  return assert(hearth.open("file:" .. t.path(name), options))
end

local function sequence(store)
  return store:stat().storage.sequence
end

test("a commit without changes writes nothing", function()
  local store <close> = open "unchanged.hearth"
  local n = 0
  store.home.data = { 1, 2.5, "x", { y = setmetatable({}, { __index = {} }) }, f = function() n = n + 1 return n end }
  assert(store:commit())
  local before, bytes = sequence(store), store:stat().storage.total_bytes
  local saved = store:stat().saved_at
  for _ = 1, 3 do
    equal(store:commit(), true)
    equal(sequence(store), before)
  end
  equal(store:stat().storage.total_bytes, bytes)
  equal(store:stat().saved_at, saved)
end)

test("reopening and committing writes nothing, in this process and in another", function()
  local store = open "again.hearth"
  local n = 0
  store.home.list = {}
  for i = 1, 200 do store.home.list[i] = { i, name = "n" .. i, f = function() n = n + i return n end } end
  store.home.print, store.home.weak = print, setmetatable({}, { __mode = "v" })
  assert(store:commit())
  local before = sequence(store)
  store:close()
  store = open "again.hearth"
  assert(store:commit())
  equal(sequence(store), before)
  store:close()
  equal(t.run([[
    local store <close> = assert(require "hearth".open("file:" .. ...))
    assert(store:commit())
    io.write(store:stat().storage.sequence)
  ]], t.path "again.hearth"), tostring(before))
end)

test("reading and undone changes write nothing", function()
  local store <close> = open "undone.hearth"
  local home = store.home
  home.a, home.list = { x = 1 }, { 1, 2, 3 }
  assert(store:commit())
  local before = sequence(store)
  home.a.x = 2
  home.a.x = 1
  home.list[4] = 4
  home.list[4] = nil
  home.b = 1
  home.b = nil
  for _ in pairs(home) do end
  assert(store:commit())
  equal(sequence(store), before)
end)

test("1 becoming 1.0 is a change", function()
  local store = open "subtype.hearth"
  store.home.x = 1
  assert(store:commit())
  store.home.x = 1.0
  assert(store:commit())
  store:close()
  local again <close> = open "subtype.hearth"
  equal(again.home.x, 1.0)
end)

test("an upvalue that changed inside a stored closure", function()
  local store = open "upvalue.hearth"
  local n = 0
  store.home.next = function() n = n + 1 return n end
  assert(store:commit())
  store.home.next()
  assert(store:commit())
  store:close()
  local again <close> = open "upvalue.hearth"
  equal(again.home.next(), 2)
end)

test("a changed metatable", function()
  local store = open "metatable.hearth"
  store.home.object = setmetatable({}, { __index = { v = 1 } })
  assert(store:commit())
  setmetatable(store.home.object, { __index = { v = 2 } })
  assert(store:commit())
  store:close()
  store = open "metatable.hearth"
  equal(store.home.object.v, 2)
  setmetatable(store.home.object, nil)
  assert(store:commit())
  store:close()
  local again <close> = open "metatable.hearth"
  equal(getmetatable(again.home.object), nil)
end)

test("what is no longer reached is deleted with the commit that unlinks it", function()
  local store <close> = open "garbage.hearth"
  store.home.tree = {}
  for i = 1, 500 do store.home.tree[i] = { { i } } end
  assert(store:commit())
  local full = store:stat()
  store.home.tree = nil
  assert(store:commit())
  local empty = store:stat()
  assert(full.objects > 1000 and empty.objects < 5, empty.objects)
  assert(empty.storage.entries < full.storage.entries - 900, empty.storage.entries)
end)

test("cycles are collected too", function()
  local store <close> = open "cycle.hearth"
  assert(store:commit())
  local before = store:stat().objects
  local a, b = {}, {}
  a.b, b.a = b, a
  store.home.a = a
  assert(store:commit())
  store.home.a = nil
  assert(store:commit())
  equal(store:stat().objects, before)
end)

local function large_table_commits(name, fill, change)
  test(name, function()
    local file = name:gsub("%W", "_") .. ".hearth"
    local store = open(file)
    store.home.big = {}
    fill(store.home.big)
    assert(store:commit())
    change(store.home.big)
    assert(store:commit())
    local bytes = store:stat().committed_bytes
    assert(bytes > 0 and bytes < 16 * 1024, bytes)
    local expected = store.home.big
    store:close()
    local again <close> = open(file)
    local n = 0
    for k, v in next, again.home.big do
      if expected[k] ~= v then equal(v, expected[k], "at " .. tostring(k)) end
      n = n + 1
    end
    for _ in next, expected do n = n - 1 end
    equal(n, 0)
  end)
end

local function fill_list(big)
  for i = 1, 100000 do big[i] = "entry " .. i end
end
local function fill_map(big)
  for i = 1, 100000 do big["key " .. i] = i end
end

large_table_commits("100,000 in a list, one changed", fill_list, function(big) big[54321] = "changed" end)
large_table_commits("100,000 in a list, one appended", fill_list, function(big) big[#big + 1] = "appended" end)
large_table_commits("100,000 in a list, one deleted", fill_list, function(big) big[777] = nil end)
large_table_commits("100,000 in a map, one changed", fill_map, function(big) big["key 777"] = "changed" end)
large_table_commits("100,000 in a map, one inserted", fill_map, function(big) big["a new key"] = true end)
large_table_commits("100,000 in a map, one deleted", fill_map, function(big) big["key 99999"] = nil end)

test("100,000 tables, one changed", function()
  local store <close> = open "tables.hearth"
  local list = {}
  for i = 1, 100000 do list[i] = { id = i, name = "object" } end
  store.home.list = list
  assert(store:commit())
  list[50000].name = "changed"
  assert(store:commit())
  assert(store:stat().committed_bytes < 16 * 1024, store:stat().committed_bytes)
  local before = sequence(store)
  assert(store:commit())
  equal(sequence(store), before)
end)

test("a long string of which one byte changes", function()
  local store = open "long.hearth"
  local text = {}
  for i = 1, 200000 do text[i] = string.format("%08x", i) end
  store.home.text = table.concat(text)
  assert(store:commit())
  text[100000] = "changed!"
  store.home.text = table.concat(text)
  assert(store:commit())
  store:close()
  local again <close> = open "long.hearth"
  assert(rawequal(again.home.text, table.concat(text)))
end)

test("what cannot be stored names its path, and changes nothing", function()
  local store = open "refused.hearth"
  local home = store.home
  home.players = { {}, {}, { name = "third" } }
  assert(store:commit())
  local before, bytes = sequence(store), store:stat().storage.total_bytes
  home.players[3].on_hit = coroutine.create(print)
  home.other = "new"
  fails("unstorable", "_home.players[3].on_hit: a coroutine cannot be stored", store:commit())
  equal(sequence(store), before)
  equal(store:stat().storage.total_bytes, bytes)
  equal(home.other, "new") -- nothing changed in memory either
  home.players[3].on_hit = nil
  assert(store:commit()) -- and the program goes on
  store:close()
  local again <close> = open "refused.hearth"
  equal(again.home.other, "new")
  equal(again.home.players[3].name, "third")
end)

test("an upvalue that cannot be stored", function()
  local store <close> = open "badupvalue.hearth"
  local thread = coroutine.create(print)
  store.home.f = function() return thread end
  fails("unstorable", "_home.f", store:commit())
end)

test("a program that replaced _home is told", function()
  local store <close> = assert(hearth.open "memory:")
  local env = {}
  store:install(env)
  env._home.x = 1
  assert(store:commit())
  local home = env._home
  env._home = { x = 2 }
  fails("replaced", "_home", store:commit())
  env._home = nil
  fails("replaced", "_home", store:commit())
  env._home = home
  assert(store:commit())
end)

test("a hook that calls the store is busy", function()
  local store <close> = assert(hearth.open "memory:")
  local code
  store.home.object = setmetatable({}, { __persist = function()
    local _, _, c = store:commit()
    code = c
    return function() return {} end
  end })
  store:commit()
  equal(code, "busy")
end)

test("an unchanged object with a hook does not write", function()
  local store <close> = assert(hearth.open "memory:")
  local meta = { __persist = function(self)
    local x = self.x
    return function() return { x = x } end
  end }
  store.home.object = setmetatable({ x = 1 }, meta)
  assert(store:commit())
  local before = sequence(store)
  assert(store:commit())
  equal(sequence(store), before)
  store.home.object.x = 2
  assert(store:commit())
  equal(sequence(store), before + 1)
end)

test("random changes, compared with a model after every reopening", function()
  local uri = "file:" .. t.path "model.hearth"
  math.randomseed(20260101)
  local random = math.random
  local function same(a, b, seen)
    if type(a) ~= "table" then return rawequal(a, b) and math.type(a) == math.type(b) end
    if type(b) ~= "table" then return false end
    if seen[a] then return seen[a] == b end
    seen[a] = b
    for k, v in next, a do if not same(v, b[k], seen) then return false end end
    for k in next, b do if a[k] == nil then return false end end
    return true
  end
  local model = {}
  local function change(home, mirror)
    local place, image = home, mirror
    while random(3) > 1 and type(image[1]) == "table" do place, image = place[1], image[1] end
    local key = random(4) == 1 and "k" .. random(50) or random(60)
    local kind = random(6)
    if kind == 1 then place[key], image[key] = nil, nil
    elseif kind == 2 then place[key], image[key] = {}, {}
    elseif kind == 3 then
      local s = ("s"):rep(random(300))
      place[key], image[key] = s, s
    elseif kind == 4 then
      local other = random(60)
      place[key], image[key] = place[other], image[other]
    else
      local n = random(1000)
      place[key], image[key] = n, n
    end
  end
  for round = 1, 60 do
    local store <close> = assert(hearth.open(uri, { page_size = 64 }))
    assert(same(model, store.home, {}), "round " .. round)
    for _ = 1, 3 do
      for _ = 1, random(40) do change(store.home, model) end
      assert(store:commit())
    end
  end
end)

t.finish()
