-- What is written for the legacy runtime comes back, and what its format cannot hold is reported.
local hearth = require "hearth"
local t = require "harness"
local inside = package.loaded["harness.host"] -- WebAssembly, where the package brings the text
local legacy = inside and load(t.source "lib/legacy/legacy.lua", "=hearth.legacy")(hearth.load_chunk)
  or require "hearth.legacy"
local test, equal = t.test, t.equal

local function import(records, options) return assert(legacy.import(records, options)) end

-- The report's lines as one text: "table key what; ..."
local function lines(report)
  local texts = {}
  for i, line in ipairs(report) do
    assert(type(line.message) == "string" and not line.message:find "\n")
    texts[i] = string.format("%s %s %s", tostring(line.table), tostring(line.key), line.what)
  end
  return table.concat(texts, "; ")
end

test("what the format holds comes back, and nothing is reported", function()
  local home = { 1, 2, 3, s = "text", b = "\0\xff", e = "", t = true, f = false, i = math.mininteger, x = 0.1,
    two = 2.0, z = -0.0,
    inf = math.huge, nan = 0 / 0, [-5] = "minus", inner = { deep = { deeper = {} } }, fn = function(a) return a * 2 end,
    ["\u{fc} \n"] = "key" }
  local records, report = assert(legacy.export(home))
  equal(lines(report), "1 nil table") -- that 2.0 does not read them
  local again = import(records)
  for key, value in pairs(home) do
    if type(value) ~= "table" and type(value) ~= "function" and value == value then equal(again[key], value, key) end
  end
  assert(again.nan ~= again.nan)
  equal(again.fn(21), 42)
  equal(next(again.inner.deep.deeper), nil)
  equal(#again, 3)
end)

test("the metadata has both names of the home table", function()
  local records = assert(legacy.export({ x = {} , y = { 1 } }, { saved_at = "2026-01-02T03:04:05.678Z" }))
  local data = records[#records].data
  equal(records[#records].id, "__metadata__")
  equal(data.homeTableId, 1)
  equal(data.memoryTableId, 1)
  equal(data.nextTableId, 5)
  equal(data.savedAt, "2026-01-02T03:04:05.678Z")
  equal(data.tableCount, #data.tableIds)
  for _, record in ipairs(records) do assert(record.id ~= 2) end -- `_io` of 2.1, which empties it
  assert(assert(legacy.export {})[1].data.savedAt:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$")
end)

test("what the format cannot hold is reported, entry by entry", function()
  local shared, n = {}, 5
  local function up() return n end
  local object = setmetatable({ 1 }, {})
  local store <close> = assert(hearth.open "memory:")
  assert(store:install {})
  local handle = assert(store:table())
  handle.a, handle[1] = "external", false
  local home = {
    a = shared, b = shared, c = object, up = up, up2 = up, cf = print, co = coroutine.create(print), ud = io.stdout,
    [true] = 1, [shared] = 2, [2.5] = 3, [0.1 + 0.2] = 4, [""] = 5, ["\xff"] = 6, ["7"] = 7, [8] = 8, ["8"] = 9,
    ["__ext_table_id"] = 10, ["\u{FEFF}x"] = 11, long = ("x"):rep(16380), fits = ("x"):rep(16379), ext = handle,
  }
  local records, report = assert(legacy.export(home))
  local found = {}
  for _, line in ipairs(report) do found[#found + 1] = line.what .. " " .. tostring(line.key) end
  table.sort(found)
  local expected = { "collision 8", "function cf", "identity b", "identity up2", "key \"\"", "key \"__ext_table_id\"",
    "key \"\\xff\"", "key 2.5", "key 7", "key \"\u{FEFF}x\"", "key true", "key (a table)",
    "key " .. tostring(0.1 + 0.2), "long long", "metatable nil",
    "table nil", "thread co", "upvalues up", "upvalues up2", "userdata ud" }
  for i, text in ipairs(expected) do
    expected[i] = text == 'key "\\xff"' and "key " .. string.format("%q", "\xff") or text
  end
  table.sort(expected)
  equal(table.concat(found, "\n"), table.concat(expected, "\n"))
  local again = import(records)
  assert(rawequal(again.a, again.b))
  equal(again.ext.a, "external")
  equal(again.ext[1], false)
  equal(again[8], 8)
  equal(again[7], 7)
  equal(again.long, home.long)
  equal(again["2.5"], 3)
  equal(select(2, import(records)).counts.collision, nil)
end)

test("version 2.0 knows no tables in tables", function()
  local records, report = assert(legacy.export({ x = 1, inner = { 1 } }, { runtime = "2.0" }))
  equal(lines(report), "1 inner table")
  equal(#records, 2)
  equal(import(records).x, 1)
end)

-- The same graph? Along both at once, identities included.
local function same_graph(a, b, seen)
  seen = seen or {}
  if type(a) ~= "table" then return rawequal(a, b) and math.type(a) == math.type(b) end
  if seen[a] or seen[b] then return seen[a] == b and seen[b] == a end
  if type(b) ~= "table" then return false end
  seen[a], seen[b] = b, a
  for key, value in next, a do
    if not same_graph(value, rawget(b, key), seen) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end

test("random graphs come back, and are written the same twice", function()
  local function random_graph(size)
    local tables = { {} }
    for i = 2, size do tables[i] = {} end
    local makers = {
      function() return math.random(math.mininteger, math.maxinteger) end, function() return math.random() * 1e9 end,
      function() return math.random(2) == 1 end, function() return tables[math.random(size)] end,
      function() return string.rep(string.char(math.random(0, 255)), math.random(0, 300)) end,
    }
    for i, t in ipairs(tables) do
      for _ = 1, math.random(0, 12) do
        local key = math.random(2) == 1 and math.random(-20, 20) or "k" .. math.random(30)
        t[key] = makers[math.random(#makers)]()
      end
      tables[math.random(i)]["to" .. i] = t
    end
    return tables[1]
  end
  for seed = 1, 300 do
    math.randomseed(seed)
    local home = random_graph(math.random(1, 30))
    local records = assert(legacy.export(home, { saved_at = "x" }))
    local again, report = import(records)
    if not same_graph(home, again) then error("seed " .. seed) end
    equal(#report, 0)
    local second = assert(legacy.export(again, { saved_at = "x" }))
    equal(#second, #records)
    assert(same_graph(records, second), "seed " .. seed)
  end
end)

t.finish()
