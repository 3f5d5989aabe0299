local hearth = require "hearth"
local t = require "harness"
local test, equal, fails, raises = t.test, t.equal, t.fails, t.raises

test("the version", function()
  assert(hearth.version:match "^%d+%.%d+%.%d+$")
end)

test("encode and decode need their arguments", function()
  raises("bad argument #1 to 'hearth.encode'", hearth.encode)
  raises("bad argument #1 to 'hearth.decode'", hearth.decode)
  raises("bad argument #1 to 'hearth.decode' (string expected, got number)", hearth.decode, 12)
  raises("bad argument #2 to 'hearth.encode' (table expected, got boolean)", hearth.encode, 1, true)
end)

test("unknown options are named", function()
  raises("bad argument #2 to 'hearth.encode' (unknown option 'cannonical')", hearth.encode, 1, { cannonical = true })
  raises("unknown option 'trust'", hearth.decode, "", { trust = true })
  raises("unknown option 'read_only'", hearth.open, "memory:", { read_only = true })
  raises("options are named", hearth.encode, 1, { "canonical" })
end)

test("wrong types name the option", function()
  raises("option 'canonical': a boolean expected, got number", hearth.encode, 1, { canonical = 1 })
  raises("option 'max_bytes': an integer expected, got string", hearth.encode, 1, { max_bytes = "10" })
  raises("option 'max_bytes': an integer expected, got number", hearth.encode, 1, { max_bytes = 1.5 })
  raises("option 'max_bytes': -1 is not from 0", hearth.encode, 1, { max_bytes = -1 })
  raises("option 'permanents': a table expected", hearth.encode, 1, { permanents = true })
  raises("option 'permanents': a boolean or a table expected", hearth.decode, "", { permanents = 1 })
  raises("option 'seal': a seal expected, got string", hearth.encode, 1, { seal = "key" })
  raises("option 'seal': a seal expected", hearth.encode, 1, { seal = io.stdout })
  raises("option 'alias': one of 'off', 'on', 'track' expected, got 'maybe'", hearth.open, "memory:",
    { alias = "maybe" })
  raises("option 'durability': one of 'visible', 'complete', 'durable' expected, got 'sure'", hearth.open,
    "memory:", { durability = "sure" })
  raises("option 'page_size': 63 is not from 64 to 1048576", hearth.open, "memory:", { page_size = 63 })
  raises("option 'readonly': a boolean expected", hearth.open, "memory:", { readonly = "yes" })
  raises("option 'warn': a function expected, got boolean", hearth.open, "memory:", { warn = true })
end)

test("false and nil options are as if absent", function()
  assert(hearth.encode(1, { canonical = false, strip = nil }))
  assert(hearth.encode(1, nil))
  assert(hearth.encode(1, {}))
end)

test("the seal's key", function()
  raises("a key of 32 bytes expected", hearth.seal, "short")
  raises("string expected", hearth.seal, 1)
end)

test("the URI", function()
  raises("string expected", hearth.open, nil)
  raises("a zero byte", hearth.open, "file:a\0b")
  fails("invalid", "nowhere", hearth.open "nowhere:at-all")
  fails("invalid", nil, hearth.open "")
  fails("invalid", nil, hearth.open "file:")
end)

test("the arguments of methods", function()
  local store <close> = assert(hearth.open "memory:")
  raises("one of 'visible', 'complete', 'durable' expected", store.commit, store, "really")
  raises("unknown option 'keeep'", store.compact, store, { keeep = 1 })
  raises("function expected", store.transaction, store, 1)
  raises("table expected", store.install, store, 1)
  raises("one of 'off', 'on', 'track' expected, got no value", store.alias, store)
  raises("hearth.store expected", store.commit, {})
  raises("hearth.store expected", store.commit, io.stdout)
end)

test("a closed store", function()
  local store = assert(hearth.open "memory:")
  equal(store:close(), true)
  equal(store:close(), true)
  raises("attempt to use a closed store", store.commit, store)
  raises("attempt to use a closed store", function() return store.home end)
  equal(tostring(store), "hearth.store (memory:, closed)")
  equal(store.uri, "memory:")
end)

test("missing and wrong files", function()
  fails("notfound", "absent.hearth", hearth.open("file:" .. t.path "absent.hearth", { create = false }))
  fails("notfound", "absent.hearth", hearth.open("file:" .. t.path "absent.hearth", { readonly = true }))
  fails("notstore", nil, hearth.open("file:" .. t.path ""))
  local path = t.path "other"
  t.write(path, ("This is another file. "):rep(100))
  fails("notstore", "other", hearth.open("file:" .. path))
  equal(t.read(path), ("This is another file. "):rep(100))
  local _, message, code = hearth.open("file:" .. t.path "no/such/folder/x.hearth")
  assert(message and (code == "notfound" or code == "io"), code)
end)

test("exclusive", function()
  local uri = "file:" .. t.path "exclusive.hearth"
  assert(hearth.open(uri, { exclusive = true })):close()
  fails("exists", "exclusive.hearth", hearth.open(uri, { exclusive = true }))
end)

test("a store that refuses functions", function()
  local store <close> = assert(hearth.open("memory:", { functions = false }))
  store.home.f = function() end
  fails("refused", "f", store:commit())
  store.home.f = nil
  assert(store:commit())
end)

t.finish()
