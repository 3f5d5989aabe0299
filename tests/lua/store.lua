local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

local function with(uri, f, options)
  local store <close> = assert(hearth.open(uri, options))
  return f(store.home, store)
end

test("home survives closing and reopening", function()
  local uri = "file:" .. t.path "survives.hearth"
  with(uri, function(home, store)
    equal(next(home), nil)
    home.n, home.list, home.self = 1, { 1, 2, { deep = true } }, home
    home.up = function() home.n = home.n + 1 return home.n end
    assert(store:commit())
  end)
  with(uri, function(home, store)
    equal(home.n, 1)
    equal(home.list[3].deep, true)
    equal(home.self, home)
    equal(home.up(), 2)
    equal(home.n, 2)
    assert(store:commit())
  end)
  with(uri, function(home) equal(home.n, 2) end)
end)

-- Two texts of one XXH3 with the seed 0: behind 240 bytes each lane of 8 adds the product of the halves of (bytes xor
-- the secret there), and the bytes themselves; with the lower half of the secret as its lower half, two lanes may
-- exchange a part of their upper halves. What is stored once must not be told from its neighbours by a hash that can be
-- foreseen.
test("texts that were made to have one hash", function()
  local text = ("x"):rep(3000)
  local function twin(first, second)
    return "\xb8\xfe\x6c\x39" .. first .. text:sub(6, 64) .. "\x7c\x01\x81\x2c" .. second .. text:sub(70)
  end
  local a, b = twin("x", "x"), twin("y", "w")
  local uri = "file:" .. t.path "twins.hearth"
  with(uri, function(home, store)
    home.a, home.b, home.list = a, b, { a }
    assert(store:commit())
    home.list[1] = b
    assert(store:commit())
  end)
  with(uri, function(home)
    equal(home.a == a and home.b == b, true)
    equal(home.list[1] == b, true)
  end)
end)

test("_home.self = _home", function()
  local uri = "file:" .. t.path "self.hearth"
  with(uri, function(home, store)
    home.self, home[home] = home, "me"
    assert(store:commit())
  end)
  with(uri, function(home)
    equal(home.self, home)
    equal(home[home], "me")
  end)
end)

test("without commit nothing is kept", function()
  local uri = "file:" .. t.path "uncommitted.hearth"
  with(uri, function(home, store)
    home.a = 1
    assert(store:commit())
    home.b = 2
  end)
  with(uri, function(home)
    equal(home.a, 1)
    equal(home.b, nil)
  end)
end)

test("every kind of value", function()
  local uri = "file:" .. t.path "kinds.hearth"
  local nan = string.unpack("<d", string.pack("<i8", 0x7ff8deadbeef1234))
  with(uri, function(home, store)
    home.values = { 2, 2.0, -0.0, math.huge, -math.huge, math.mininteger, math.maxinteger, 9007199254740993, "",
      "\0\xff", true, false, nan }
    home[1], home["1"], home[1.5], home[true] = "integer", "string", "float", "boolean"
    home.print, home.stdout, home.globals = print, io.stdout, _G
    home.object = setmetatable({ 1 }, { __index = { method = function(self) return self[1] + 1 end } })
    home.weak = setmetatable({}, { __mode = "k" })
    assert(store:commit())
  end)
  with(uri, function(home)
    local v = home.values
    equal(v[1], 2)
    equal(v[2], 2.0)
    equal(v[3], -0.0)
    equal(v[4], math.huge)
    equal(v[5], -math.huge)
    equal(v[6], math.mininteger)
    equal(v[7], math.maxinteger)
    equal(v[8], 9007199254740993)
    equal(v[9], "")
    equal(v[10], "\0\xff")
    equal(v[11], true)
    equal(v[12], false)
    equal(string.unpack("<i8", string.pack("<d", v[13])), 0x7ff8deadbeef1234)
    equal(home[1], "integer")
    equal(home["1"], "string")
    equal(home[1.5], "float")
    equal(home[true], "boolean")
    equal(home.print, print)
    equal(home.stdout, io.stdout)
    equal(home.globals, _G)
    equal(home.object:method(), 2)
    equal(getmetatable(home.weak).__mode, "k")
  end)
end)

test("identity and shared upvalues across processes", function()
  local path = t.path "identity.hearth"
  t.run([[
    local hearth = require "hearth"
    local store <close> = assert(hearth.open("file:" .. ...))
    local home, n, shared = store.home, 0, {}
    home.a, home.b, home.up, home.get = shared, { shared }, function() n = n + 1 return n end, function() return n end
    assert(store:commit())
  ]], path)
  for round = 1, 3 do
    equal(t.run([[
      local hearth = require "hearth"
      local store <close> = assert(hearth.open("file:" .. ...))
      local home = store.home
      home.up()
      assert(store:commit())
      io.write(tostring(home.a == home.b[1]), " ", home.get())
    ]], path), "true " .. round)
  end
end)

test("install sets _home and ext in an environment", function()
  local store <close> = assert(hearth.open "memory:")
  local env = setmetatable({}, { __index = _G })
  equal(store:install(env), true)
  equal(env._home, store.home)
  assert(env.ext and env.ext.table)
  equal(rawget(env, "Memory"), nil)
  equal(rawget(_G, "_home"), nil)
end)

test("the environment of install is the stored _G", function()
  local uri = "file:" .. t.path "environment.hearth"
  for round = 1, 2 do
    with(uri, function(home, store)
      local env = { round = round }
      assert(store:install(env))
      if round == 1 then
        home.f, home.env = load("return round", "=f", "t", env), env
        equal(home.f(), 1)
      end
      assert(store:commit())
    end)
  end
end)

test("install without arguments: the globals", function()
  equal(t.run [[
    local store = assert(require "hearth".open "memory:")
    assert(store:install())
    _home.x = 1
    assert(store:commit())
    io.write(tostring(_home == store.home), " ", tostring(ext ~= nil), " ", tostring(Memory))
  ]], "true true nil")
end)

test("functions use globals of the reader", function()
  local uri = "file:" .. t.path "globals.hearth"
  with(uri, function(home, store)
    home.shout = function(s) return string.upper(s) .. marker end
    assert(store:commit())
  end)
  with(uri, function(home)
    marker = "!"
    equal(home.shout "a", "A!")
    marker = nil
  end)
end)

test("a function that uses its own store", function()
  local uri = "file:" .. t.path "own.hearth"
  with(uri, function(home, store)
    home.n = 0
    home.save = function() home.n = home.n + 1 return store:commit() end
    assert(store:commit())
    assert(home.save())
  end)
  with(uri, function(home) assert(home.save()) end)
  with(uri, function(home) equal(home.n, 2) end)
end)

test("another store cannot be stored", function()
  local a <close> = assert(hearth.open "memory:")
  local b <close> = assert(hearth.open "memory:")
  a.home.b = b
  fails("raised", "stored in itself only", a:commit())
  a.home.b = nil
  assert(a:commit())
end)

test("several stores in one state", function()
  local a <close> = assert(hearth.open "memory:")
  local c <close> = assert(hearth.open("file:" .. t.path "several.hearth"))
  a.home.x, c.home.x = 1, 2
  assert(a:commit())
  assert(c:commit())
  equal(a.home.x, 1)
  equal(c.home.x, 2)
  assert(a.home ~= c.home)
end)

test("a coroutine that opened a store is gone", function()
  local store
  coroutine.wrap(function() store = assert(hearth.open "memory:") end)()
  collectgarbage()
  store.home.x = { 1 }
  assert(store:commit())
  store:close()
end)

test("memory: stores are separate", function()
  with("memory:", function(home, store)
    home.x = 1
    assert(store:commit())
  end)
  with("memory:", function(home) equal(home.x, nil) end)
end)

test("readonly: reads, and writes nothing", function()
  local uri = "file:" .. t.path "readonly.hearth"
  with(uri, function(home, store)
    home.x = 1
    assert(store:commit())
  end)
  with(uri, function(home, store)
    equal(home.x, 1)
    home.x = 2
    fails("readonly", nil, store:commit())
  end, { readonly = true })
  with(uri, function(home) equal(home.x, 1) end)
end)

test("readonly beside an owner, and refresh", function()
  local uri = "file:" .. t.path "refresh.hearth"
  with(uri, function(home, store)
    home.list = { 1 }
    assert(store:commit())
    local reader <close> = assert(hearth.open(uri, { readonly = true }))
    local list = reader.home.list
    equal(list[1], 1)
    home.list[1], home.list[2] = 10, 20
    assert(store:commit())
    equal(list[1], 1)
    assert(reader:refresh())
    equal(reader.home.list, list) -- in the same tables
    equal(list[1], 10)
    equal(list[2], 20)
  end)
end)

test("stat", function()
  with("file:" .. t.path "stat.hearth", function(home, store)
    home.x = { {}, {} }
    assert(store:commit())
    local stat = assert(store:stat())
    equal(stat.backend, store.uri:match "^%a+")
    equal(stat.page_size, 4096)
    assert(stat.objects >= 4, stat.objects)
    assert(stat.next_id > stat.home_id)
    assert(stat.saved_at > 1600000000000)
    assert(stat.committed_bytes > 0 and stat.committed_entries > 0)
    assert(stat.storage.sequence >= 1)
    assert(stat.storage.total_bytes > 0)
  end)
end)

test("the page size of a store is its own", function()
  local uri = "file:" .. t.path "pages.hearth"
  with(uri, function(home, store)
    home.x = 1
    assert(store:commit())
    equal(store:stat().page_size, 256)
  end, { page_size = 256 })
  with(uri, function(_, store) equal(store:stat().page_size, 256) end, { page_size = 4096 })
end)

test("durability", function()
  with("file:" .. t.path "durability.hearth", function(home, store)
    for i, level in ipairs { "visible", "complete", "durable" } do
      home.x = i
      equal(store:commit(level), true)
    end
    local stat = store:stat()
    equal(stat.storage.durable, stat.storage.sequence)
    home.x = "complete"
    equal(store:commit "complete", true)
    stat = store:stat()
    equal(stat.storage.durable, stat.storage.sequence - 1)
    equal(store:commit "durable", true) -- nothing to store: the level is asked for what was stored before
    equal(store:stat().storage.durable, stat.storage.sequence)
    equal(store:stat().storage.sequence, stat.storage.sequence)
    equal(table.pack(store:poll()).n, 1)
    equal(store:poll(), true)
  end, { durability = "complete" })
end)

test("compact", function()
  local uri = "file:" .. t.path "compact.hearth"
  with(uri, function(home, store)
    for i = 1, 50 do
      home.text = tostring(i):rep(20000)
      assert(store:commit())
    end
    local before = store:stat().storage.total_bytes
    assert(store:compact())
    assert(store:stat().storage.total_bytes < before)
    local _, _, code = store:compact { keep = 3 }
    equal(code, store:stat().backend ~= "file" and "unsupported" or nil)
    equal(#home.text, 40000)
  end)
  with(uri, function(home) equal(home.text, ("50"):rep(20000)) end)
end)

local seal = hearth.seal(("k"):rep(32))
test("a sealed store", function()
  local uri = "file:" .. t.path "sealed.hearth"
  with(uri, function(home, store)
    home.f = function() return 7 end
    assert(store:commit())
  end, { seal = seal })
  collectgarbage()
  with(uri, function(home) equal(home.f(), 7) end, { seal = hearth.seal(("k"):rep(32)) })
  local store, message, code = hearth.open(uri, { seal = hearth.seal(("q"):rep(32)) })
  fails("seal", nil, store, message, code)
end, not seal and "Hearth was built without libsodium")

t.finish()
