-- What is read of external tables again and again is kept in memory (lib/store/external_cache.c): nobody may notice.
local hearth = require "hearth"
local t = require "harness"
local test, equal, raises = t.test, t.equal, t.raises

local function open(name, options)
  local store = assert(hearth.open(name and "file:" .. t.path(name) or "memory:", options))
  return store, store.home
end

-- So often that it is kept in memory.
local function often(e, key)
  local value = e[key]
  for _ = 1, 3 do assert(rawequal(e[key], value), key) end
  return value
end

test("what is read again: assigned, deleted, and of every kind", function()
  local store <close>, home = open "again.hearth"
  home.e = store:table()
  local e = home.e
  for _, saved in ipairs { false, true } do
    for _, key in ipairs { "x", 1, 2.5, true, false, "" } do
      equal(often(e, key), nil)
      for _, value in ipairs { 1, "one", 1.5, -0.0, true, false, ("long"):rep(2000), "short", math.huge } do
        e[key] = value
        equal(often(e, key), value)
        equal(math.type(e[key]), math.type(value))
        if saved then assert(store:commit()) end
        equal(often(e, key), value)
      end
      e[key] = nil
      equal(often(e, key), nil)
      e[key] = 1
      equal(often(e, key), 1)
      e[key] = { inner = 1 }
      equal(e[key].inner, 1)
      equal(often(e[key], "inner"), 1)
      e[key].inner = 2
      equal(often(e[key], "inner"), 2)
      e[key] = function() return key end and function(a) return a end
      equal(e[key](3), 3)
      e[key] = nil
      equal(often(e, key), nil)
    end
  end
  e[1] = "one"
  equal(often(e, 1.0), "one")
  e[1.0] = "eins"
  equal(often(e, 1), "eins")
end)

test("what is read again: a rollback, a transaction that fails", function()
  local store <close>, home = open "again_back.hearth"
  local e = store:table()
  home.e, e.x = e, "saved"
  assert(store:commit())
  e.x, e.y = "other", "new"
  equal(often(e, "x"), "other")
  equal(often(e, "y"), "new")
  equal(often(e, "z"), nil)
  assert(store:rollback())
  equal(often(e, "x"), "saved")
  equal(often(e, "y"), nil)
  raises("on purpose", store.transaction, store, function()
    e.x, e.z = nil, "new"
    equal(often(e, "x"), nil)
    equal(often(e, "z"), "new")
    error "on purpose"
  end)
  equal(often(e, "x"), "saved")
  equal(often(e, "z"), nil)
end)

test("what is read again: tables that are gone, a store that is closed", function()
  local store <close>, home = open()
  local late = store:table()
  late.x = 1
  equal(often(late, "x"), 1)
  assert(store:rollback())
  raises("stale", function() return late.x end)
  home.e = store:table()
  local e = home.e
  e.x = 1
  equal(often(e, "x"), 1)
  assert(store:commit())
  equal(often(e, "x"), 1)
  store:close()
  raises("closed", function() return e.x end)
end)

test("what is read again: another program's commits", function()
  local writer <close>, theirs = open "again_reader.hearth"
  theirs.e = writer:table()
  theirs.e.x, theirs.e.y = 1, 1
  assert(writer:commit())
  local reader <close>, ours = open("again_reader.hearth", { readonly = true })
  equal(often(ours.e, "x"), 1)
  theirs.e.x = 2
  assert(writer:commit())
  equal(often(ours.e, "x"), 1)
  equal(often(ours.e, "z"), nil)
  assert(reader:refresh())
  equal(often(ours.e, "x"), 2)
  theirs.e.z = 3
  assert(writer:commit())
  assert(writer:compact())
  if os.getenv "HEARTH_TEST_SCHEME" then -- a database still has the commit; a file that was compacted is another one
    equal(ours.e.x, 2)
  else
    raises("has changed", function() return ours.e.x end)
  end
  assert(reader:refresh())
  equal(often(ours.e, "z"), 3)
end)

test("what is read again: two handles of one table", function()
  local store <close>, home = open()
  local e = store:table()
  home.list = store:table()
  home.list.e = e
  e.x = 1
  assert(store:commit())
  e = nil
  local old
  do
    local dying = setmetatable({ e = home.list.e }, { __gc = function(o) old = o.e end })
    dying = nil
  end
  collectgarbage()
  collectgarbage()
  local new = home.list.e
  assert(not rawequal(old, new))
  equal(often(old, "x"), 1)
  equal(often(new, "x"), 1)
  new.x = 2
  equal(often(old, "x"), 2)
  old.x = 3
  equal(often(new, "x"), 3)
end)

test("what is read again: a handle from a finalizer, whose table is dropped", function()
  local store <close>, home = open()
  home.e = store:table()
  home.e.x = 1
  assert(store:commit())
  local old
  do
    local dying = setmetatable({ e = home.e }, { __gc = function(o) old = o.e end })
    dying, home.e = nil, nil
  end
  collectgarbage()
  collectgarbage()
  equal(often(old, "x"), 1)
  assert(store:commit())
  equal(store:stat().externals, 0)
  raises("stale", function() return old.x end)
end)

test("what is read again: finalizers that assign while a value is read", function()
  local store <close>, home = open()
  local e, key, expected, times = store:table(), nil, nil, 0
  home.e = e
  local function assign()
    times = times + 1
    expected = ("v"):rep(100) .. times
    e[key] = expected
  end
  local meta = { __gc = assign }
  local mode = collectgarbage("incremental", 50, 1000)
  for i = 1, 20000 do
    key = i
    assign()
    setmetatable({}, meta)
    for _ = 1, 3 do assert(e[i]) end
    collectgarbage "stop"
    equal(e[i], expected)
    collectgarbage "restart"
  end
  collectgarbage(mode, 200, 100)
  assert(times > 25000, times)
end)

test("what is read again takes a bounded place in memory", function()
  local store <close>, home = open "again_many.hearth"
  home.e = store:table()
  local e, value = home.e, ("v"):rep(1000)
  for i = 1, 8000 do e[i] = value .. i end
  assert(store:commit())
  collectgarbage()
  collectgarbage()
  local before, most = collectgarbage "count", 0
  for i = 1, 8000, 40 do
    for _ = 1, 3 do
      for k = i, i + 39 do assert(#e[k] > 1000) end
    end
    if i % 400 == 1 then
      collectgarbage()
      most = math.max(most, collectgarbage "count" - before)
    end
  end
  assert(most > 100, most) -- kilobytes
  assert(most < 1500, most)
  equal(e[77], value .. 77)
end)

t.finish()
