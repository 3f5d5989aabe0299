local hearth = require "hearth"
local t = require "harness"
local test, equal, raises = t.test, t.equal, t.raises

local function open(name, options)
  local store = assert(hearth.open(name and "file:" .. t.path(name) or "memory:", options))
  return store, store.home
end

local function count(table)
  local n = 0
  for _ in pairs(table) do n = n + 1 end
  return n
end

test("a handle is a userdata, and next and rawset fail", function()
  local store <close> = open()
  local e = store:table()
  equal(type(e), "userdata")
  raises("table expected", next, e)
  raises("table expected", rawset, e, 1, 1)
end)

test("assigning and indexing", function()
  local store <close> = open()
  local e = assert(store:table())
  equal(e.x, nil)
  e.x, e[1], e[1.5], e[true], e[false] = "string", "integer", "float", "true", "false"
  e["1"], e[""], e[-1], e[math.mininteger] = "string one", "empty", "minus", "min"
  equal(e.x, "string")
  equal(e[1], "integer")
  equal(e["1"], "string one")
  equal(e[1.5], "float")
  equal(e[true], "true")
  equal(e[false], "false")
  equal(e[""], "empty")
  equal(e[-1], "minus")
  equal(e[math.mininteger], "min")
  equal(count(e), 9)
  e.x = nil
  equal(e.x, nil)
  equal(count(e), 8)
end)

test("keys are normalised as Lua does it", function()
  local store <close> = open()
  local e = store:table()
  e[2.0] = "two"
  equal(e[2], "two")
  e[2] = "zwei"
  equal(e[2.0], "zwei")
  equal(count(e), 1)
  for k in pairs(e) do equal(k, 2) end
  e[-0.0] = "zero"
  equal(e[0], "zero")
end)

test("keys that cannot be", function()
  local store <close> = open()
  local e = store:table()
  raises("", function() e[nil] = 1 end)
  raises("", function() e[0 / 0] = 1 end)
  raises("", function() e[{}] = 1 end)
  raises("", function() e[print] = 1 end)
  equal(e[nil], nil)
  equal(e[{}], nil)
  raises("1,024", function() e[("k"):rep(2000)] = 1 end)
  local long = ("k"):rep(1000)
  e[long] = 1
  equal(e[long], 1)
end)

test("values of every kind", function()
  local store <close> = open()
  local e = store:table()
  for i, v in ipairs { 1, 1.0, -0.0, math.huge, "", "\0\xff", true, false, math.mininteger } do
    e.v = v
    equal(e.v, v, "value " .. i)
  end
  e.f = print
  equal(e.f, print)
  e.g = function(a) return a + 1 end
  equal(e.g(1), 2)
  e.long = ("x"):rep(100000)
  equal(#e.long, 100000)
end)

test("it survives", function()
  do
    local store <close>, home = open "survives.hearth"
    home.log = store:table()
    for i = 1, 1000 do home.log[i] = { n = i } end
    assert(store:commit())
  end
  local store <close>, home = open "survives.hearth"
  equal(type(home.log), "userdata")
  equal(#home.log, 1000)
  equal(home.log[777].n, 777)
end)

test("reads see what is not committed, and the batch is lost without commit", function()
  do
    local store <close>, home = open "batch.hearth"
    home.log = store:table()
    home.log.a = 1
    assert(store:commit())
    home.log.a, home.log.b = 2, 3
    equal(home.log.a, 2)
    equal(home.log.b, 3)
    home.log.a = nil
    equal(home.log.a, nil)
    equal(count(home.log), 1)
  end
  local store <close>, home = open "batch.hearth"
  equal(home.log.a, 1)
  equal(home.log.b, nil)
end)

test("written, committed, and only then linked", function()
  do
    local store <close>, home = open "linked.hearth"
    local e = store:table()
    e.x = 1
    assert(store:commit())
    home.e = e
    assert(store:commit())
  end
  local store <close>, home = open "linked.hearth"
  equal(home.e.x, 1)
end)

test("one table however it is reached", function()
  local store <close>, home = open "identity.hearth"
  local e = store:table()
  home.a, home.b, home.list = e, e, { e }
  assert(rawequal(home.a, home.b))
  assert(store:commit())
  store:close()
  local again <close>, h = open "identity.hearth"
  assert(h.a == h.b and h.a == h.list[1])
  h.a.x = 1
  equal(h.list[1].x, 1)
  equal(again:stat().externals, 1)
end)

test("a plain table becomes an external table of its own, the original stays plain", function()
  local store <close> = open()
  local e = store:table()
  local plain = { 1, 2, inner = { x = 1 } }
  e.copy = plain
  equal(type(e.copy), "userdata")
  equal(type(e.copy.inner), "userdata")
  equal(e.copy[2], 2)
  equal(e.copy.inner.x, 1)
  equal(type(plain.inner), "table")
  plain.inner.x = 2
  equal(e.copy.inner.x, 1)
  e.copy.inner.x = 3
  equal(plain.inner.x, 2)
end)

test("cycles and sharing inside one assignment are kept", function()
  local store <close> = open()
  local e = store:table()
  local shared = { "shared" }
  local plain = { a = shared, b = shared }
  plain.self = plain
  e.p = plain
  assert(e.p.a == e.p.b)
  assert(e.p.self == e.p)
  e.p.a[1] = "changed"
  equal(e.p.b[1], "changed")
end)

test("pairs: every entry once, in the order of keys", function()
  local store <close> = open()
  local e = store:table()
  for i = 500, 1, -1 do e[i] = i * i end
  local expected = 0
  for k, v in pairs(e) do
    expected = expected + 1
    equal(k, expected)
    equal(v, k * k)
  end
  equal(expected, 500)
end)

test("pairs: committed and open entries together", function()
  local store <close> = open "merged.hearth"
  local e = store:table()
  store.home.e = e
  for i = 1, 99, 2 do e[i] = "odd" end
  assert(store:commit())
  for i = 2, 100, 2 do e[i] = "even" end
  e[51] = nil
  e[53] = "changed"
  local n, last = 0, 0
  for k, v in pairs(e) do
    assert(k > last)
    last, n = k, n + 1
    equal(v, k == 53 and "changed" or k % 2 == 0 and "even" or "odd")
  end
  equal(n, 99)
end)

test("pairs: assigning to existing entries during the loop", function()
  local store <close> = open()
  local e = store:table()
  for i = 1, 100 do e["k" .. i] = i end
  local n = 0
  for k, v in pairs(e) do
    n = n + 1
    if n % 2 == 0 then e[k] = nil else e[k] = v + 1000 end
  end
  equal(n, 100)
  equal(count(e), 50)
end)

test("the length", function()
  local store <close> = open()
  local e = store:table()
  equal(#e, 0)
  for i = 1, 300 do
    e[i] = i
    equal(#e, i)
  end
  e[300] = nil
  equal(#e, 299)
  e.x = 1
  equal(#e, 299)
end)

test("an entry that would reach a home object is refused at the assignment", function()
  local store <close>, home = open()
  local e = store:table()
  home.e, home.object = e, { x = 1 }
  assert(store:commit())
  raises("object", function() e.ref = home.object end)
  raises("deep", function() e.ref = { deep = { home.object } } end)
  equal(e.ref, nil)
  equal(home.object.x, 1)
  raises("", function() e.home = home end)
end)

test("a function with upvalues is refused, one with permanents only is not", function()
  local store <close> = open()
  local e = store:table()
  local n = 0
  raises("", function() e.f = function() n = n + 1 return n end end)
  equal(e.f, nil)
  e.g = function(s) return string.upper(s) end
  equal(e.g "a", "A")
end)

test("what cannot be stored is refused with its path", function()
  local store <close> = open()
  local e = store:table()
  raises("a coroutine cannot be stored", function() e.bad = { inner = coroutine.create(print) } end)
  equal(e.bad, nil)
end)

test("a table of another store is refused", function()
  local a <close> = open()
  local b <close> = open()
  local e, f = a:table(), b:table()
  raises("", function() e.f = f end)
  b.home.e = e
  t.fails("foreign", nil, b:commit())
  b.home.e = nil
  assert(b:commit())
end)

test("external tables refer to each other", function()
  do
    local store <close>, home = open "refer.hearth"
    local a, b = store:table(), store:table()
    a.b, b.a = b, a
    b.x = "b"
    home.a = a
    assert(store:commit())
  end
  local store <close>, home = open "refer.hearth"
  equal(home.a.b.x, "b")
  assert(home.a.b.a == home.a)
end)

test("an entry that is overwritten or deleted lets go of the table that it referred to", function()
  local store <close>, home = open "lets_go.hearth"
  home.a = store:table()
  home.a.x, home.a.y = store:table(), store:table()
  assert(store:commit())
  equal(store:stat().externals, 3)
  home.a.x, home.a.y = 1, nil
  collectgarbage()
  collectgarbage()
  assert(store:commit())
  equal(store:stat().externals, 1)
end)

test("dropped with the last reference", function()
  local store <close>, home = open "dropped.hearth"
  home.e = store:table()
  for i = 1, 1000 do home.e[i] = i end
  assert(store:commit())
  equal(store:stat().externals, 1)
  home.e = nil
  collectgarbage()
  collectgarbage()
  assert(store:commit())
  equal(store:stat().externals, 0)
  assert(store:stat().storage.entries < 20, store:stat().storage.entries)
end)

test("a live handle is a root", function()
  local store <close>, home = open "root.hearth"
  local e = store:table()
  e.x = 1
  home.e = e
  assert(store:commit())
  home.e = nil
  assert(store:commit())
  assert(store:compact())
  equal(e.x, 1)
  home.back = e
  assert(store:commit())
  equal(home.back.x, 1)
end)

test("cycles are collected by compact, and not before", function()
  local store <close>, home = open "cycles.hearth"
  do
    local a, b = store:table(), store:table()
    a.b, b.a = b, a
    home.a = a
  end
  assert(store:commit())
  home.a = nil
  collectgarbage()
  collectgarbage()
  assert(store:commit())
  equal(store:stat().externals, 2)
  assert(store:compact())
  equal(store:stat().externals, 0)
end)

test("rollback: entries return, tables made since are stale", function()
  local store <close>, home = open()
  local e = store:table()
  home.e, e.x = e, 1
  assert(store:commit())
  e.x, e.y = 2, 3
  local late = store:table()
  late.z = 1
  assert(store:rollback())
  equal(e.x, 1)
  equal(e.y, nil)
  raises("stale", function() return late.z end)
  raises("stale", function() late.z = 2 end)
end)

test("transactions", function()
  local store <close>, home = open()
  home.e = store:table()
  raises("on purpose", store.transaction, store, function()
    home.e.x = 1
    error "on purpose"
  end)
  equal(home.e.x, nil)
  store:transaction(function() home.e.x = 2 end)
  equal(home.e.x, 2)
end)

test("after close", function()
  local store = open()
  local e = store:table()
  e.x = 1
  store:close()
  raises("closed", function() return e.x end)
  raises("closed", function() e.x = 2 end)
end)

test("one entry of many commits few bytes", function()
  local store <close>, home = open "many.hearth"
  home.e = store:table()
  for i = 1, 20000 do home.e[i] = "entry " .. i end
  assert(store:commit())
  home.e[7777] = "changed"
  assert(store:commit())
  assert(store:stat().committed_bytes < 1024, store:stat().committed_bytes)
  local before = store:stat().storage.sequence
  assert(store:commit())
  equal(store:stat().storage.sequence, before)
end)

test("ext.table() of an installed store", function()
  local store <close> = open()
  local env = {}
  assert(store:install(env))
  env._home.log = env.ext.table()
  env._home.log[1] = "entry"
  assert(store:commit())
  equal(env._home.log[1], "entry")
end)

local function scanned(iterator, ...)
  local list = {}
  for k, v in iterator, ... do list[#list + 1] = tostring(k) .. "=" .. tostring(v) end
  return table.concat(list, " ")
end

local function installed()
  local store = assert(hearth.open("file:" .. t.path "scan.hearth"))
  local env = {}
  assert(store:install(env))
  return store, env.ext, env._home
end

test("ext.scan: a range in the order of keys", function()
  local store <close>, ext, home = installed()
  local e = ext.table()
  home.e = e
  for i = 10, 1, -1 do e[i] = i * i end
  e.a, e.b, e.c, e[2.5] = "A", "B", "C", "two and a half"
  equal(scanned(ext.scan(e, 3, 5)), "3=9 4=16 5=25")
  equal(scanned(ext.scan(e, 2, 3)), "2=4 2.5=two and a half 3=9")
  equal(scanned(ext.scan(e, 9, nil)), "9=81 10=100 a=A b=B c=C")
  equal(scanned(ext.scan(e, nil, 2)), "1=1 2=4")
  equal(scanned(ext.scan(e, "b", "bb")), "b=B")
  equal(scanned(ext.scan(e, 5, 3)), "")
  equal(scanned(ext.scan(e, 3, 5, true)), "5=25 4=16 3=9")
  equal(scanned(ext.scan(e, nil, nil, true)), "c=C b=B a=A 10=100 9=81 8=64 7=49 6=36 5=25 4=16 3=9 "
    .. "2.5=two and a half 2=4 1=1")
  assert(store:commit())
  e[4] = nil
  e[3.5] = "new"
  equal(scanned(ext.scan(e, 3, 5)), "3=9 3.5=new 5=25")
  equal(scanned(ext.scan(e, 3, 5, true)), "5=25 3.5=new 3=9")
end)

test("ext.scan: integers and floats in one order, up to the largest", function()
  local store <close>, ext = installed()
  local e = ext.table()
  local numbers = { -math.huge, math.mininteger, -2 ^ 53, -1.5, -1, 0, 5e-324, 0.5, 1, 1.5, 2 ^ 53, 9007199254740993,
    math.maxinteger, 2.0 ^ 63, math.huge }
  for i = #numbers, 1, -1 do e[numbers[i]] = i end
  local i = 0
  for k, v in ext.scan(e, nil, nil) do
    i = i + 1
    equal(v, i)
    assert(k == numbers[i], i)
  end
  equal(i, #numbers)
end)

test("ext.scan: wrong arguments", function()
  local store <close>, ext = installed()
  raises("", ext.scan, {}, 1, 2)
  raises("", ext.scan, ext.table(), {}, 2)
  raises("", ext.scan, ext.table(), 0 / 0, 2)
  assert(store)
end)

test("ext.is", function()
  local store <close>, ext, home = installed()
  equal(ext.is(ext.table()), true)
  equal(ext.is(home), false)
  equal(ext.is(io.stdout), false)
  equal(ext.is(store), false)
  equal(ext.is(nil), false)
end)

test("compared with a model", function()
  math.randomseed(20260102)
  local random, model = math.random, {}
  for _ = 1, 20 do
    local store <close>, home = open("model.hearth", { page_size = 64 })
    home.e = home.e or store:table()
    local e, saved = home.e, {}
    for _ = 1, 4 do
      for k, v in pairs(model) do saved[k] = v end
      for _ = 1, 50 do
        local key = random(2) == 1 and random(40) or "k" .. random(40)
        local value = random(4) > 1 and random(1000) or nil
        e[key], model[key] = value, value
      end
      if random(3) == 1 then
        assert(store:rollback())
        e = home.e or store:table()
        home.e = e
        model = saved
      else
        assert(store:commit())
      end
      saved = {}
      local n = 0
      for k, v in pairs(e) do
        equal(v, model[k], tostring(k))
        n = n + 1
      end
      equal(n, count(model))
    end
  end
end)

t.finish()
