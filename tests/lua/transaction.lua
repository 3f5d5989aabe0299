local hearth = require "hearth"
local t = require "harness"
local test, equal, raises, fails = t.test, t.equal, t.raises, t.fails

test("commits when the function returns, and gives its results", function()
  local uri = "file:" .. t.path "commits.hearth"
  local store = assert(hearth.open(uri))
  local home = store.home
  local ok, a, b, c = store:transaction(function(x, y)
    home.sum = x + y
    return "one", nil, x
  end, 3, 4)
  equal(ok, true)
  equal(a, "one")
  equal(b, nil)
  equal(c, 3)
  store:close()
  local again <close> = assert(hearth.open(uri))
  equal(again.home.sum, 7)
end)

test("no results, many results", function()
  local store <close> = assert(hearth.open "memory:")
  equal(select("#", store:transaction(function() end)), 1)
  equal(store:transaction(function() end), true)
  local list = {}
  for i = 1, 200 do list[i] = i end
  equal(select("#", store:transaction(function() return table.unpack(list) end)), 201)
  equal(select("#", store:transaction(function(...) return ... end, table.unpack(list))), 201)
end)

test("rolls back when it raises, and raises again", function()
  local store <close> = assert(hearth.open "memory:")
  local home = store.home
  home.x = 1
  raises("on purpose", store.transaction, store, function()
    home.x, home.y = 2, {}
    error "on purpose"
  end)
  equal(home.x, 1)
  equal(home.y, nil)
end)

test("any error value is raised again", function()
  local store <close> = assert(hearth.open "memory:")
  local value = { code = 7 }
  local ok, caught = pcall(store.transaction, store, function() error(value) end)
  equal(ok, false)
  equal(caught, value)
  ok, caught = pcall(store.transaction, store, function() error(nil) end)
  equal(ok, false)
  equal(caught, nil)
end)

test("uncommitted work before a failing transaction is kept", function()
  local uri = "file:" .. t.path "before.hearth"
  local store = assert(hearth.open(uri))
  local home = store.home
  home.before = "work"
  raises("on purpose", store.transaction, store, function()
    home.inside = "lost"
    error "on purpose"
  end)
  equal(home.before, "work")
  equal(home.inside, nil)
  store:close()
  local again <close> = assert(hearth.open(uri))
  equal(again.home.before, "work")
  equal(again.home.inside, nil)
end)

test("nesting is an error", function()
  local store <close> = assert(hearth.open "memory:")
  raises("a transaction inside a transaction", store.transaction, store, function()
    store.home.x = 1
    store:transaction(function() end)
  end)
  equal(store.home.x, nil)
  equal(select(2, store:transaction(function() return "usable" end)), "usable")
end)

test("yielding inside is an error", function()
  local store <close> = assert(hearth.open "memory:")
  local thread = coroutine.create(function()
    return store:transaction(function()
      store.home.x = 1
      coroutine.yield()
    end)
  end)
  local ok, message = coroutine.resume(thread)
  equal(ok, false)
  assert(tostring(message):find("yield", 1, true), message)
  equal(store.home.x, nil)
end)

test("in a coroutine", function()
  local store <close> = assert(hearth.open "memory:")
  local ok, result = coroutine.wrap(function()
    return store:transaction(function() store.home.x = 5 return "done" end)
  end)()
  equal(ok, true)
  equal(result, "done")
  equal(store.home.x, 5)
end)

test("a transaction of another store inside", function()
  local a <close> = assert(hearth.open "memory:")
  local other <close> = assert(hearth.open "memory:")
  raises("outer", a.transaction, a, function()
    other:transaction(function() other.home.x = 1 end)
    a.home.x = 1
    error "outer"
  end)
  equal(a.home.x, nil)
  equal(other.home.x, 1)
end)

test("closing inside is an error", function()
  local store <close> = assert(hearth.open "memory:")
  raises("attempt to close a store inside", store.transaction, store, function() store:close() end)
  store.home.x = 1
  assert(store:commit())
end)

test("what cannot be stored after the function returned", function()
  local store <close> = assert(hearth.open "memory:")
  store.home.x = 1
  fails("unstorable", "_home.bad", store:transaction(function()
    store.home.bad = coroutine.create(print)
    return "never seen"
  end))
end)

t.finish()
