-- Random graphs of every kind, stored and read again, are compared with a fresh build of the same seed by a check that
-- knows nothing of the codec: support/isomorphism.lua. The check itself comes first.
local hearth = require "hearth"
local t = require "harness"
local isomorphism = load(t.source "tests/lua/support/isomorphism.lua", "@isomorphism.lua")()
local random_graph = load(t.source "tests/lua/support/random_graph.lua", "@random_graph.lua")()
local test = t.test
local check = isomorphism.check

local function is_external(v) return type(v) == "userdata" and not io.type(v) end

local function same(a, b, options, what)
  local ok, reason = check(a, b, options)
  if not ok then error(what .. ": " .. reason, 2) end
end

local function differ(name, a, b, options)
  test("told apart: " .. name, function()
    assert(check(a, a, options) and check(b, b, options), "not even the same as itself")
    assert(not check(a, b, options), "not told apart")
    assert(not check(b, a, options), "not told apart the other way round")
  end)
end

-- --------------------------------------------------------------- the check

local function counter(n) return function() n = n + 1 return n end, function() return n end end
local function pair_of(f, g) return { f, g } end
local function nan(bits) return (string.unpack("<d", string.pack("<I8", bits))) end
local function weak(mode, entries) return setmetatable(entries, { __mode = mode }) end
local joined, apart = pair_of(counter(1)), pair_of((counter(1)), (select(2, counter(1))))

local function self_meta()
  local object = {}
  return setmetatable(object, object)
end

local function ring(n)
  local first = {}
  local last = first
  for _ = 2, n do
    last.next = {}
    last = last.next
  end
  last.next = first
  return first
end

local shared, key, other_key = {}, {}, {}
differ("an integer and a float", { 1 }, { 1.0 })
differ("zero and minus zero", { 0.0 }, { -0.0 })
differ("two quiet NaNs", { nan(0x7ff8000000000000) }, { nan(0x7ff8000000000001) })
differ("an infinity and its negative", { math.huge }, { -math.huge })
differ("integers that are the same as floats", { 1 << 53 }, { (1 << 53) + 1 })
differ("a string and a number", { "1" }, { 1 })
differ("strings of the same length", { "a\0b" }, { "a\0c" })
differ("true and false", { true }, { false })
differ("false and nothing", { x = false }, {})
differ("an entry more", { 1, 2 }, { 1, 2, 3 })
differ("an entry under another key", { a = 1 }, { b = 1 })
differ("a key that is a string and one that is a number", { ["1"] = true }, { true })
differ("a shared table and two", { shared, shared }, { {}, {} })
differ("two tables exchanged", { shared, { 1 }, shared }, { shared, { 1 }, { 1 } })
differ("a cycle and a tree", ring(1), { next = {} })
differ("rings of other lengths", ring(3), ring(4))
differ("a metatable and none", setmetatable({}, {}), {})
differ("one metatable and two", { setmetatable({}, shared), setmetatable({}, shared) },
  { setmetatable({}, {}), setmetatable({}, {}) })
differ("a metatable of its own and another", self_meta(), setmetatable({}, {}))
differ("metatables of other contents", setmetatable({}, { __index = 1 }), setmetatable({}, { __index = 2 }))
differ("a joined cell and two", joined, apart)
differ("cells of other values", (counter(1)), (counter(2)))
differ("cells whose values have other subtypes", (counter(1)), (counter(1.0)))
differ("one closure twice and two closures", pair_of(joined[1], joined[1]), pair_of((counter(1)), (counter(1))))
differ("other code", function() return 1 end, function() return 2 end)
differ("code on another line", function() end,
  function() end)
differ("functions of the library", { print }, { assert })
differ("a function of the library and one of Lua", { print }, { function() end })
differ("a table of the library and a copy", { string }, { {} })
differ("the string metatable and another", { getmetatable "" }, { {} })
differ("standard files", { io.stdout }, { io.stderr })
differ("the globals and another environment", load("return x", "=chunk"), load("return x", "=chunk", "t", {}))
differ("a key of its own and the value", { [key] = key }, { [key] = {} })
differ("values of two keys exchanged", { { [key] = 1, [other_key] = 2 }, key, other_key },
  { { [key] = 2, [other_key] = 1 }, key, other_key })
differ("keys of two tables crossed", { { [key] = 1, [other_key] = 2 }, { [key] = 3, [other_key] = 4 } },
  { { [key] = 1, [other_key] = 2 }, { [key] = 4, [other_key] = 3 } })
differ("the same key in two tables, and two keys", { { [key] = 1 }, { [key] = 1 } },
  { { [key] = 1 }, { [other_key] = 1 } })
differ("keys that differ below", { [{ { 1 } }] = 1, [{ { 2 } }] = 2 }, { [{ { 1 } }] = 2, [{ { 2 } }] = 1 })
differ("a function as key", { [joined[1]] = 1, joined[2] }, { [apart[1]] = 1, apart[2] })
differ("a weak entry that is held otherwise", { weak("k", { [key] = 1 }), key }, { weak("k", {}), key })
differ("the mode of a weak table", { weak("k", {}) }, { weak("v", {}) })

test("equal: keys that look alike", function()
  local function build()
    local keys, list = {}, {}
    for i = 1, 40 do keys[i] = { i % 3 } end
    local all = {}
    for i = 1, 40 do all[keys[i]] = i % 2 end
    for i = 1, 40, 7 do list[#list + 1] = keys[i] end
    return { { all }, list, { [keys[3]] = keys[4] } }
  end
  same(build(), build(), nil, "two builds")
end)

test("equal: keys whose partners only their uses tell", function()
  local function build(order)
    local a, b, c = {}, {}, {}
    local three = { [a] = 1, [b] = 1, [c] = 1 }
    local uses = { { [a] = "x" }, { [b] = "y" }, { [c] = "z" } }
    return { three, uses[order[1]], uses[order[2]], uses[order[3]] }
  end
  same(build { 1, 2, 3 }, build { 1, 2, 3 }, nil, "two builds")
  assert(not check(build { 1, 2, 3 }, build { 1, 3, 2 }))
end)

test("equal: weak entries that nothing else holds do not count", function()
  local function build(more)
    local kept = {}
    return { kept, weak("k", { [kept] = 1, [more] = 2 }), weak("v", { kept, x = more }), weak("kv", { [more] = kept }) }
  end
  same(build {}, build {}, nil, "two builds")
  local held_by_its_value = {}
  same({ weak("k", { [held_by_its_value] = held_by_its_value }) }, { weak("k", {}) }, nil, "an ephemeron")
end)

test("told apart: a weak entry that nothing else holds, where those are not to be", function()
  local alive = {} -- but in neither graph
  local loose = weak("k", { [alive] = 1 })
  same(weak("k", {}), loose, nil, "not exact")
  assert(not check(weak("k", {}), loose, { exact = true }))
  assert(next(loose) == alive)
end)

test("equal: code with and without debug information, where that does not count", function()
  local f = function(a) return a + 1 end
  local stripped = load(string.dump(f, true))
  assert(not check(f, stripped))
  same(f, stripped, { strip = true }, "stripped")
end)

test("the same seed builds the same graph, another seed another one", function()
  for seed = 1, 20 do
    local a, b = random_graph.build(seed, { persist = true }), random_graph.build(seed, { persist = true })
    same(a, b, nil, "seed " .. seed)
    assert(not check(random_graph.build(seed, {}), random_graph.build(seed + 1, {})))
  end
end)

-- ---------------------------------------------------- encode and decode

local function copy(value, options)
  local bytes = assert(hearth.encode(value, options))
  local result, message = hearth.decode(bytes, { trusted = true })
  if message then error(message, 2) end
  return result, bytes
end

local first = t.seed()

local function seeds(name, usually, f)
  test(name, function()
    for seed = first, first + t.rounds(usually) - 1 do
      local ok, trace = xpcall(f, debug.traceback, seed)
      if not ok then error("HEARTH_TEST_SEED=" .. seed .. ": " .. tostring(trace), 0) end
    end
  end)
end

local checked = 0

seeds("random graphs, encoded and decoded", 100, function(seed)
  local options = { persist = seed % 3 == 0, size = seed % 40 + 1 }
  local fresh = random_graph.build(seed, options)
  local original = random_graph.build(seed, options)
  local result = copy(original)
  same(fresh, result, { exact = true }, "decoded")
  same(fresh, original, nil, "the original, afterwards")
  same(fresh, (copy(result)), { exact = true }, "decoded twice")
  same(fresh, (copy(original, { strip = true })), { strip = true }, "stripped")
  checked = checked + 4
end)

seeds("random graphs in canonical form", 60, function(seed)
  local options = { object_keys = 1, persist = seed % 3 == 0, size = seed % 40 + 1 }
  local fresh = random_graph.build(seed, options)
  local result, bytes = copy(random_graph.build(seed, options), { canonical = true })
  same(fresh, result, nil, "decoded")
  local again, second = copy(result, { canonical = true })
  assert(bytes == second, "decoded and encoded again it is other bytes")
  same(fresh, again, nil, "decoded twice")
  assert(assert(hearth.encode(fresh, { canonical = true })) == bytes, "a fresh build is other bytes")
  checked = checked + 2
end)

-- ------------------------------------------------------------------ stores

local function tables_of(store)
  return function() return store:table() end
end

local function open(uri, seed)
  return assert(hearth.open(uri, { page_size = ({ 64, 256, 4096 })[seed % 3 + 1] }))
end

test("weak entries whose weak side only an object with a hook holds", function()
  local function build()
    local class = {}
    function class.__persist(object)
      local leaf = object.leaf
      return function() return setmetatable({ leaf = leaf }, class) end
    end
    local object = setmetatable({ leaf = { 1 } }, class)
    return { object, weak("k", { [object.leaf] = "named" }), weak("v", { object.leaf }) }
  end
  local uri = "file:" .. t.path "hook.hearth"
  same(build(), (copy(build())), nil, "decoded")
  for round = 1, 2 do
    local store <close> = assert(hearth.open(uri))
    store.home.graph = store.home.graph or build()
    assert(store:commit())
    local sequence = store:stat().storage.sequence
    assert(store:commit())
    assert(store:stat().storage.sequence == sequence, "a commit without changes wrote")
    same(build(), store.home.graph, nil, "round " .. round)
  end
end)

seeds("random graphs in a file, committed and opened again", 20, function(seed)
  local uri = "file:" .. t.path("graphs" .. seed .. ".hearth")
  local reference <close> = assert(hearth.open "memory:")
  for round = 0, 2 do -- each round replaces the graph, at the place of the one before
    local options = { persist = seed % 4 == 0, size = (seed + round) % 40 + 1 }
    do
      local store <close> = open(uri, seed)
      options.external = tables_of(store)
      store.home.graph = random_graph.build(seed + round, options)
      assert(store:commit(round == 1 and "complete" or nil))
      collectgarbage() -- handles of the graph before, which would be dropped later
      collectgarbage()
      assert(store:commit())
      local sequence = store:stat().storage.sequence
      assert(store:commit())
      assert(store:stat().storage.sequence == sequence, "a commit without changes wrote")
      if round == 2 then assert(store:compact()) end
    end
    options.external = tables_of(reference)
    local fresh = random_graph.build(seed + round, options)
    local store <close> = open(uri, seed)
    same(fresh, store.home.graph, { external = is_external, exact = true }, "opened again, round " .. round)
    assert(next(store.home) == "graph" and next(store.home, "graph") == nil)
    assert(store:commit())
    same(fresh, store.home.graph, { external = is_external }, "committed again, round " .. round)
    checked = checked + 2
  end
end)

seeds("random graphs in a file, changed in place", 20, function(seed)
  local uri = "file:" .. t.path("edits" .. seed .. ".hearth")
  local options = { size = seed % 40 + 1 }
  local fresh = random_graph.build(seed, options)
  for round = 0, 3 do
    do
      local store <close> = open(uri, seed)
      if round == 0 then store.home.graph = random_graph.build(seed, options) end
      random_graph.edit(store.home.graph, seed + round)
      assert(store:commit())
      random_graph.edit(store.home.graph, seed + round + 100) -- and this only in the second commit of the process
      assert(store:commit())
    end
    random_graph.edit(fresh, seed + round)
    random_graph.edit(fresh, seed + round + 100)
    local store <close> = open(uri, seed)
    same(fresh, store.home.graph, nil, "opened again, round " .. round)
    checked = checked + 1
  end
end)

seeds("random graphs in memory, changed and rolled back", 20, function(seed)
  local reference <close> = assert(hearth.open "memory:")
  local store <close> = open("memory:", seed)
  local options = { persist = seed % 4 == 0, size = seed % 40 + 1 }
  local function build(at)
    options.external = tables_of(at)
    return random_graph.build(seed, options)
  end
  local graph, fresh = build(store), build(reference)
  store.home.graph = graph
  assert(store:commit())
  for _ = 1, 3 do
    local change = random_graph.build(seed + 1, { external = tables_of(store) })
    for _, object in next, graph do -- everything becomes something else
      if type(object) == "table" then
        for k in next, object do rawset(object, k, nil) end
        rawset(object, "changed", change)
        debug.setmetatable(object, nil)
      elseif type(object) == "function" and debug.getupvalue(object, 1) then
        if debug.getupvalue(object, 1) ~= "_ENV" then debug.setupvalue(object, 1, change) end
      elseif is_external(object) then
        for k in pairs(object) do object[k] = nil end
        object.changed = 1
      end
    end
    store.home.more = change
    assert(store:rollback())
    assert(rawequal(store.home.graph, graph), "rollback brought another table")
    same(fresh, store.home.graph, { external = is_external }, "rolled back")
    checked = checked + 1
  end
end)

-- ------------------------------------------------------------ deep and wide

local DEPTH = 100000

local large = {
  ["tables in tables"] = function()
    local v = { 0 }
    for i = 1, DEPTH do v = { next = v, i } end
    return v
  end,
  ["cells that hold closures"] = function()
    local v = print
    for _ = 1, DEPTH do
      local inner = v
      v = function() return inner end
    end
    return v
  end,
  ["metatables of metatables"] = function()
    local v = {}
    for _ = 1, DEPTH do v = setmetatable({}, v) end
    return v
  end,
  ["keys in keys"] = function()
    local v = {}
    for i = 1, DEPTH // 100 do v = { [v] = i } end
    return v
  end,
  ["one wide table"] = function()
    local v = {}
    for i = 1, DEPTH do v[i], v["k" .. i] = { i }, i end
    return v
  end,
  ["closures over one cell"] = function()
    local n, v = 0, {}
    for i = 1, DEPTH // 5 do v[i] = function() n = n + i return n end end
    return v
  end,
  ["keys that are tables"] = function()
    local v, keys = {}, {}
    for i = 1, DEPTH // 50 do
      keys[i] = { i }
      v[keys[i]] = i
    end
    return { v, keys }
  end,
}

for _, name in ipairs { "tables in tables", "cells that hold closures", "metatables of metatables", "keys in keys",
  "one wide table", "closures over one cell", "keys that are tables" } do
  test("large: " .. name, function()
    local build = large[name]
    same(build(), (copy(build())), nil, "decoded")
    local uri = "file:" .. t.path("large.hearth" .. name)
    do
      local store <close> = assert(hearth.open(uri))
      store.home.v = build()
      assert(store:commit())
    end
    local store <close> = assert(hearth.open(uri))
    same(build(), store.home.v, nil, "opened again")
    checked = checked + 2
  end)
end

print(("figure: %d stored graphs compared with a fresh build"):format(checked))

t.finish()
