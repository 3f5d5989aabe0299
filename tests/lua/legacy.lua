-- What the legacy runtime stored is read: the layouts, the dumps that its versions left, metadata, reports.
local hearth = require "hearth"
local t = require "harness"
local inside = package.loaded["harness.host"] -- WebAssembly, where the package brings the text
local legacy = inside and load(t.source "lib/legacy/legacy.lua", "=hearth.legacy")(hearth.load_chunk)
  or require "hearth.legacy"
local json = load(t.source "tests/lua/support/json.lua", "=json")()
local test, equal, fails = t.test, t.equal, t.fails

local FFFD = "\u{FFFD}"

local function metadata(fields)
  return { id = "__metadata__", data = fields or { homeTableId = 1, memoryTableId = 1, nextTableId = 3 } }
end

-- The records of a home table whose values are these.
local function home_of(data, ...) return { { id = 1, data = data }, metadata(), ... } end

local function binary(bytes) return { _type = "binary", data = bytes } end

local function import(records, options) return assert(legacy.import(records, options)) end

-- One value, read from these bytes; and the report.
local function read(bytes)
  local home, report = legacy.import(home_of { v = binary(bytes) })
  assert(home, report)
  return home.v, report
end

local function read_text(text)
  local home, report = legacy.import(home_of { v = text })
  assert(home, report)
  return home.v, report
end

-- The report's lines as one text: "table key what; ..."
local function lines(report)
  local texts = {}
  for i, line in ipairs(report) do
    assert(type(line.message) == "string" and not line.message:find "\n")
    texts[i] = string.format("%s %s %s", tostring(line.table), tostring(line.key), line.what)
  end
  return table.concat(texts, "; ")
end

----------------------------------------------------------------- layouts

test("every tag", function()
  equal(read "\0", nil)
  equal(read "\1\0", false)
  equal(read "\1\1", true)
  equal(read "\1\xff", true)
  equal(read "\2\1\0\0\0\0\0\0\0", 1)
  equal(read "\2\0\0\0\0\0\0\0\x80", math.mininteger)
  equal(read "\2\xff\xff\xff\xff\xff\xff\xff\x7f", math.maxinteger)
  equal(read("\3" .. string.pack("<d", 0.1)), 0.1)
  equal(read("\3" .. string.pack("<d", -0.0)), -0.0)
  equal(read "\4\0\0\0\0", "")
  equal(read "\4\3\0\0\0a\0\xff", "a\0\xff")
  local f = read("\5" .. string.pack("<s4", string.dump(function(a) return a + 1 end, true)))
  equal(f(41), 42)
  equal(type(read "\7\9\0\0\0"), "table")
end)

test("keys that are no texts", function()
  local home, report = import(home_of { [1] = binary "\1\0", ["1"] = binary "\1\1", [2] = binary "\1\1",
    [true] = binary "\1\1" })
  equal(home[1], true)
  equal(home[2], true)
  equal(lines(report), "1 1 collision; 1 true damaged")
end)

test("what is deleted is no entry and no remark", function()
  local home, report = import(home_of { gone = binary "\0", here = binary "\1\1" })
  equal(next(home, next(home)), nil)
  equal(report.entries, 1)
  equal(#report, 0)
end)

test("the forms of bytes", function()
  local function value(form) return (import(home_of { v = form })).v end
  equal(value { _type = "binary", data = { 4, 2, 0, 0, 0, 104, 105 } }, "hi")
  equal(value { _type = "binary", data = { 4.0, 2.0, 0.0, 0.0, 0.0, 104.0, 105.0 } }, "hi") -- JSON may not tell
  equal(value { ["$uint8array"] = { 4, 2, 0, 0, 0, 104, 255 } }, "h\xff")
  equal(value { ["$uint8array"] = "\4\2\0\0\0hi" }, "hi")
  equal(value { _type = "binary", data = { ["$uint8array"] = { 4, 2, 0, 0, 0, 104, 105 } } }, "hi")
  equal(value { ["0"] = 4, ["1"] = 2, ["2"] = 0, ["3"] = 0, ["4"] = 0, ["5"] = 104, ["6"] = 105 }, "hi")
  equal(value "\4\2\0\0\0hi", "hi")
  local long = {}
  for i = 1, 10000 do long[i] = i & 0xff end
  local bytes = string.pack("<Bs4", 4, string.char(table.unpack(long, 1, 200)):rep(50))
  equal(value { _type = "binary", data = { bytes:byte(1, -1) } }, bytes:sub(6))
end)

test("functions get the globals, and lose what was never stored", function()
  local globals = { answer = 42 }
  local n, m = 10, 20
  local function counter() return function() n = n + 1 return n end end -- its upvalue comes from two functions above
  local chunks = {
    plain = string.dump(function() return 1 end, true),
    global = string.dump(function() return answer end, true),
    upvalue = string.dump(function() return n end, true),
    counter = string.dump(counter(), true),
    environment = string.dump(function() local _ENV = _ENV return answer end, true),
    both = string.dump(function() return answer, n, m end, true),
    named = string.dump(function() return answer end), -- a copy that was not stripped
    vararg = string.dump(
      load "local a <const>, s = 1.5, 'a string of more than forty bytes, kept by itself' return s, a, ...", true),
  }
  local data = {}
  for name, chunk in pairs(chunks) do data[name] = binary(string.pack("<Bs4", 5, chunk)) end
  local home, report = import(home_of(data), { globals = globals })
  equal(home.plain(), 1)
  equal(home.global(), 42)
  equal(home.upvalue(), globals) -- as the legacy runtime had it
  equal(select(2, home.both()), nil)
  equal(home.named(), 42)
  equal(select("#", home.vararg(1, 2)), 4)
  equal(lines(report), "1 both upvalues; 1 counter upvalues; 1 environment upvalues; 1 upvalue upvalues")
  assert(report[1].message:find("the function's 3 upvalues", 1, true), report[1].message)
  assert(report[1].message:find("the others are nil", 1, true))
  assert(report[4].message:find("the function's 1 upvalues", 1, true), report[4].message)
  equal(home.environment(), 42) -- nothing tells `_ENV` from a variable where it is not indexed by a name
end)

test("C functions raise what to do, are stored, and are reported", function()
  local home, report = import(home_of { cf = binary "\6\xff\xff" })
  equal(lines(report), "1 cf function")
  t.raises("'cf' was a C function", home.cf)
  local store <close> = assert(hearth.open "memory:")
  assert(store:install {})
  store.home.cf = home.cf
  assert(store:commit())
  local again = assert(hearth.decode(assert(hearth.encode(store.home)), { trusted = true }))
  t.raises("'cf' was a C function", again.cf)
end)

test("shared tables, cycles and tables without a record", function()
  local home, report = import({
    { id = 1, data = { a = binary "\7\3\0\0\0", b = binary "\7\3\0\0\0", me = binary "\7\1\0\0\0",
      empty = binary "\7\4\0\0\0", same = binary "\7\4\0\0\0" } },
    { id = "3", data = { up = binary "\7\1\0\0\0", self = binary "\7\3\0\0\0" } },
    metadata { homeTableId = 1, memoryTableId = 1, nextTableId = 5 },
  })
  assert(rawequal(home.a, home.b) and rawequal(home.me, home))
  assert(rawequal(home.a.up, home) and rawequal(home.a.self, home.a))
  assert(rawequal(home.empty, home.same))
  equal(next(home.empty), nil)
  equal(#report, 0)
end)

test("keys: integers, and the other choices", function()
  local data = {}
  local texts = { "1", "-7", "0", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "007", "-0",
    "1.0", "2.5", "1e5", "0x10", " 1", "1 ", "x", "+1", "1e+100", "inf", "nan", "\u{fc}", "10" }
  for _, text in ipairs(texts) do data[text] = binary("\4" .. string.pack("<s4", text)) end
  local integers = { ["1"] = 1, ["-7"] = -7, ["0"] = 0, ["10"] = 10, ["9223372036854775807"] = math.maxinteger,
    ["-9223372036854775808"] = math.mininteger }
  for choice, expected in pairs {
    integer = function(text) return integers[text] or text end,
    text = function(text) return text end,
    number = function(text) return integers[text] or text == "2.5" and 2.5 or text == "1e+100" and 1e100 or text end,
  } do
    local home = import(home_of(data), { keys = choice })
    for _, text in ipairs(texts) do
      equal(rawget(home, expected(text)), text, choice .. " " .. text)
      home[expected(text)] = nil
    end
    equal(next(home), nil)
  end
  local _, report = import(home_of(data))
  equal(lines(report), "1 1e+100 key; 1 2.5 key")
end)

--------------------------------------------------------------- old texts

-- What a TextDecoder makes of bytes in which no sequence is cut short: each that is no part of UTF-8 becomes U+FFFD.
local function decoded(bytes)
  local out, at = {}, 1
  while at <= #bytes do
    local lead = bytes:byte(at)
    local size = lead < 0x80 and 1 or lead >= 0xC2 and lead < 0xE0 and 2 or lead >= 0xE0 and lead < 0xF0 and 3
      or lead >= 0xF0 and lead < 0xF5 and 4 or 0
    local piece = bytes:sub(at, at + size - 1)
    if size > 0 and #piece == size and utf8.len(piece) == 1 then
      out[#out + 1] = piece
      at = at + size
    else
      out[#out + 1] = FFFD
      at = at + 1
    end
  end
  return table.concat(out)
end

test("texts: what is ASCII is exact", function()
  equal(read_text "\1\1", true)
  equal(read_text "\2\42\0\0\0\0\0\0\0", 42)
  equal(read_text("\3" .. string.pack("<d", 2.0)), 2.0)
  for _, s in ipairs { "", "hello", "h\u{e9}llo \u{1F600}", ("x"):rep(127), ("x"):rep(256), "\0\127" } do
    equal(read_text(decoded(string.pack("<Bs4", 4, s))), s)
  end
end)

test("texts: strings of 128 bytes and more are whole, though their length is not", function()
  for _, size in ipairs { 128, 129, 200, 255, 384, 400, 511, 640, 16000, 16255 } do
    local s = ("\u{e9}ab"):rep(size // 4) .. ("z"):rep(size % 4)
    local value, report = read_text(decoded(string.pack("<Bs4", 4, s)))
    equal(value, s)
    equal(#report, 0)
  end
end)

test("texts: what is lost is reported, and the rest of a string kept", function()
  for _, bytes in ipairs { string.pack("<Bi8", 2, 128), string.pack("<Bi8", 2, -1), string.pack("<Bd", 3, 0.1) } do
    local value, report = read_text(decoded(bytes))
    equal(value, nil)
    equal(lines(report), "1 v lossy")
  end
  local value, report = read_text(decoded "\4\3\0\0\0a\xffb")
  equal(value, "a" .. FFFD .. "b")
  equal(lines(report), "1 v lossy")
  value, report = read_text(decoded(string.pack("<Bs4", 4, ("a"):rep(199) .. "\xff")))
  equal(value, ("a"):rep(199) .. FFFD)
  equal(lines(report), "1 v lossy")
  value, report = read_text("\4\5\0\0\0ab" .. FFFD) -- "ab\xF0\x9F\x98": one U+FFFD for three bytes, or itself
  equal(value, "ab" .. FFFD)
  equal(lines(report), "1 v lossy")
  value, report = read_text "\4\5\0\0\0ab"
  equal(value, nil)
  equal(lines(report), "1 v damaged")
  for _, left in ipairs { 110, 0, 384 } do -- none of them is a length of which that much is left
    value, report = read_text(decoded(string.pack("<Bs4", 4, ("a"):rep(left == 384 and 900 or 200))):sub(1, 7 + left))
    equal(value, nil)
    equal(lines(report), "1 v damaged")
  end
  equal(lines(select(2, import(home_of { ["k" .. FFFD] = "\1\1" }))), "1 k" .. FFFD .. " lossy")
end)

---------------------------------------------------------------- the dumps

local function dump(name)
  local d = json.read(t.source("tests/fixtures/legacy/" .. name))
  return d, d.database.objectStores[1].records
end

-- A value as the dumps' readbacks show it.
local function shown(v)
  if math.type(v) == "integer" then return "integer " .. v end
  if math.type(v) == "float" then
    local text = v ~= v and "NaN" or v == math.huge and "Infinity" or v == -math.huge and "-Infinity"
      or string.format("%.17g", v):gsub("(%.%d-)0+$", "%1")
    return "float " .. (v == 0.1 and "0.1" or v == 1e308 and "1e+308" or text)
      .. string.format(" [%016x]", (string.unpack("<i8", string.pack("<d", v))))
  end
  if type(v) ~= "string" then return type(v) == "table" and "table" or tostring(v) end
  if #v > 1000 then
    local h = 5381
    for i = 1, #v do h = (h * 33 + v:byte(i)) & 0xFFFFFFFF end
    return "L:"
      .. string.pack("<I4I4", #v, h):gsub("[\x80-\xff]", function(c) return string.format("\\x%02x", c:byte()) end)
  end
  local text = v:gsub('[%c"\\]', function(c)
    return c == "\n" and "\\n" or string.format(c:byte() < 32 and "\\u%04x" or "\\%s", c:byte() < 32 and c:byte() or c)
  end)
  text = text:gsub("[\x80-\xff]", function(c) return string.format("\\x%02x", c:byte()) end)
  return string.format('string(len %d) "%s"', #v, text)
end

-- probe -> where the entry is after an import, and why it is not where that version had it.
local moved = {
  ['["3"]'] = "[3]",   -- 3 and "3" were one key: it is the integer, so that ipairs and # work
  ['["10"]'] = "[10]",
  ["[2.5]"] = '["2.5"]', -- likewise, but texts like versions are many, and float keys few: the string, and a remark
}

local function probed(home, probe)
  local what = moved[probe] or probe
  local code = what:find "^type" and "type(_home.cfn)" or what:find "^%[" and "_home" .. what or "_home." .. what
  local ok, value = pcall(load("return " .. code, "=probe", "t", { _home = home, type = type }))
  if ok then return value end
  assert(value:find "attempt to index a nil value", value) -- that was nil to the probes, too
end

for name, expected in pairs {
  ["v1f-5b8eb35-web.json"] = { tables = 1, unreachable = 2,
    warning = '[Deprecated] Using legacy "memoryTableId" - please migrate to "homeTableId"' },
  ["v2-a002643-web.json"] = { tables = 1, unreachable = 2 },
  ["v21-af5905a-web.json"] = { tables = 8 },
} do
  test("the dump " .. name .. " reads as its version read it", function()
    local d, records = dump(name)
    local warned
    local home, report = import(records, { warn = function(line) warned = line end })
    equal(warned, expected.warning)
    local probes = 0
    for probe, readback in pairs(d.readbackBySameVersion) do
      equal(shown(probed(home, probe)), readback, probe)
      probes = probes + 1
    end
    assert(probes >= 47)
    equal(report.tables, expected.tables)
    equal(report.home, 1)
    equal(report.saved_at, d.database.objectStores[1].records[#records].data.savedAt)
    equal(report.counts.damaged, nil)
    equal(report.counts.unreachable, expected.unreachable and 1)
    equal(report.counts["function"], 2)
    equal(report.counts.upvalues, 1)
    t.raises("'cfn' was a C function", home.cfn)
    equal(home.gone, nil)
    if name:find "^v21" then -- the version trapped on none of these, but lost what is equal to what
      equal(next(home.cfg.empty), nil)
      equal(home.tbl.b.d[1], "x")
      equal(#home.arr, 3)
      equal(home.extref[1], "first")
    else
      local kept = import(records, { unreachable = "lost" })
      equal(kept.lost[2].name, "ext")
      equal(kept.lost[2][1], "first")
    end
  end)

  test("the dump " .. name .. " goes through a store and back to the same bytes", function()
    local _, records = dump(name)
    local path = t.path(name)
    do
      local store <close> = assert(hearth.open("file:" .. path))
      local env = setmetatable({}, { __index = _G })
      assert(store:install(env))
      import(records, { home_table = store.home, globals = env, unreachable = "lost" })
      assert(store:commit())
    end
    local store <close> = assert(hearth.open("file:" .. path))
    local env = setmetatable({}, { __index = _G })
    assert(store:install(env))
    equal(store.home.fng "ab", "AB")
    local exported = assert(legacy.export(store.home, { globals = env }))
    local original, count = {}, 0
    for key, value in pairs(records[1].data) do original[key] = string.char(table.unpack(value.data)) end
    for _, record in ipairs(exported) do
      if record.id == 1 then
        for key, value in pairs(record.data) do
          local tag = original[key] and original[key]:byte(1)
          if tag and tag < 7 and key ~= "fnup" then -- tables have other numbers, and fnup's upvalue is the globals
            equal(value.data, original[key], key)
            count = count + 1
          end
        end
      end
    end
    assert(count >= 37, count)
  end)
end

---------------------------------------------------------------- metadata

test("which table is home", function()
  local warnings
  local function home(data, ...)
    warnings = {}
    local records = { ..., metadata(data) }
    return legacy.import(records, { warn = function(line) warnings[#warnings + 1] = line end })
  end
  local one = { id = 1, data = { n = binary "\2\1\0\0\0\0\0\0\0" } }
  local two = { id = 2, data = { n = binary "\2\2\0\0\0\0\0\0\0" } }
  local function pair(data)
    local h, report, code = legacy.import({ one, two, data and metadata(data) or nil },
      { warn = function(line) warnings[#warnings + 1] = line end })
    return h and h.n, report, code
  end
  warnings = {}
  equal(pair { homeTableId = 2, memoryTableId = 2 }, 2)
  equal(pair { homeTableId = "2", memoryTableId = 2 }, 2)
  equal(pair(nil), 1)
  equal(pair {}, 1)
  equal(#warnings, 0)
  equal(pair { memoryTableId = 2 }, 2)
  equal(warnings[1], '[Deprecated] Using legacy "memoryTableId" - please migrate to "homeTableId"')
  equal(pair { homeTableId = 2, memoryTableId = 1 }, 2)
  equal(#warnings, 2)
  for _, id in ipairs { -1, 0, 4000000000, 4294967296, "junk", "02", 1.5, true, 1e300 } do
    for _, field in ipairs { "homeTableId", "memoryTableId" } do
      fails("damaged", "choose the home table yourself; the tables are 1 (1 entries), 2 (1 entries)",
        pair { [field] = id })
    end
  end
  fails("damaged", nil, pair { homeTableId = -1, memoryTableId = 1 }) -- not guessed
  equal((home { homeTableId = 1 }) ~= nil, true) -- nothing stored at all: an empty home table
  local chosen, report = import({ one, two, metadata { homeTableId = -1 } }, { home = 2 })
  equal(chosen.n, 2)
  equal(report.tables, 1) -- what is left out is not counted
  equal(report.entries, 1)
  equal(select(2, import({ one, two }, { home = "2", unreachable = "x" })).tables, 2)
  fails("invalid", "there is no table 7; the tables are 1 (1 entries), 2 (1 entries)",
    legacy.import({ one, two }, { home = 7 }))
  -- a home table without entries, by choice
  equal(next((import({ one, metadata { homeTableId = 7 } }, { home = 7 }))), nil)
  equal(next((import({ one, { id = 2 }, metadata { homeTableId = 2 } }))), nil) -- a damaged record names it still
  fails("damaged", "the metadata is damaged", legacy.import { one, { id = "__metadata__", data = 5 } })
  fails("invalid", "home", legacy.import({ one }, { home = "x" }))
end)

test("what nothing refers to is reported, and kept on request", function()
  local records = home_of({ x = binary "\1\1" }, { id = 5, data = { y = binary "\7\6\0\0\0" } },
    { id = 6, data = { z = binary "\1\0" } })
  local home, report = import(records)
  equal(lines(report), "5 nil unreachable; 6 nil unreachable")
  equal(home.x, true)
  home = import(records, { unreachable = "others" })
  assert(rawequal(home.others[5].y, home.others[6]))
  equal(home.others[6].z, false)
  local target = {}
  fails("invalid", "already", legacy.import(records, { unreachable = "x", home_table = target }))
  equal(next(target), nil)
  home = import(home_of { x = binary "\1\1" }, { unreachable = "others" })
  equal(home.others, nil)
end)

----------------------------------------------------------------- damages

test("damaged records are reported, and the rest is there", function()
  local records = {
    5, "x", true, {}, { id = 1 }, { id = 1, data = { x = binary "\1\1" } }, { id = 1, data = { y = binary "\1\1" } },
    { id = -1, data = { z = binary "\1\1" } }, { id = {}, data = {} }, { data = { w = binary "\1\0" } },
    { id = 7, data = "no" }, metadata(),
  }
  -- no list, but records all the same
  records[true], records[false], records[2.5], records.x = {}, 5, 6, { id = 9, data = {} }
  local home, report = import(records, { unreachable = "rest" })
  equal(home.y, true) -- the last one counts, as in the legacy runtime
  equal(home.rest["1 (before record 7)"].x, true)
  equal(home.rest["-1 (record 8)"].z, true)
  equal(home.rest["nil (record 10)"].w, false)
  equal(report.counts.damaged, 12)
  equal(report.counts.collision, 1)
end)

test("values of the wrong type", function()
  local wrong = { json.null, 5, true, {}, { _type = "binary" }, { _type = "binary", data = 5 },
    { _type = "binary", data = { 256 } }, { _type = "binary", data = { -1 } }, { _type = "binary", data = { 1.5 } },
    { _type = "binary", data = { "4" } }, { _type = "text", data = "\1\1" },
    { _type = "binary", data = { [1] = 1, [3] = 1 } }, { ["$uint8array"] = 1 }, binary "", "" }
  local data = { good = binary "\1\1" }
  for i, value in ipairs(wrong) do data["bad" .. i] = value end
  local home, report = import(home_of(data))
  equal(home.good, true)
  equal(next(home, next(home)), nil)
  equal(report.counts.damaged, #wrong)
end)

test("every value cut at every byte, and with bytes after it", function()
  local values = { "\1\1", "\2" .. ("\5"):rep(8), "\3" .. ("\5"):rep(8), "\4\3\0\0\0abc", "\6\xff\xff", "\7\1\0\0\0",
    "\5" .. string.pack("<s4", string.dump(function(x) return x end, true)) }
  for _, bytes in ipairs(values) do
    for size = 0, #bytes - 1 do
      local value, report = read(bytes:sub(1, size))
      equal(value, nil)
      equal(lines(report), "1 v damaged")
    end
    local value, report = read(bytes .. "\0\0\0")
    assert(value ~= nil)
    equal(report.counts.trailing, 1)
  end
  for tag = 8, 255 do equal(lines(select(2, read(string.char(tag) .. ("\0"):rep(20)))), "1 v damaged") end
  equal(lines(select(2, read "\7\0\0\0\0")), "1 v damaged")
  equal(lines(select(2, read "\6\0\0")), "1 v damaged")
end)

test("arguments", function()
  fails("invalid", "records", legacy.import(5))
  fails("invalid", "keys", legacy.import({}, { keys = "float" }))
  fails("invalid", "globals", legacy.import({}, { globals = 5 }))
  fails("invalid", "home_table", legacy.import({}, { home_table = 5 }))
  fails("exists", "not empty", legacy.import({}, { home_table = { 1 } }))
  fails("invalid", "home", legacy.export(5))
  fails("invalid", "runtime", legacy.export({}, { runtime = "3" }))
  fails("invalid", "unknown option 'home_tabel'", legacy.import(home_of {}, { home_tabel = {} }))
  fails("invalid", "unknown option 'keys'", legacy.export({}, { keys = "text" }))
  fails("invalid", "options", legacy.import({}, 5))
  for _, none in ipairs { {}, { 1, 2, "x" }, { { key = 1, value = 2 } }, { id = 1, data = {} } } do
    fails("invalid", "there is no record of a legacy database", legacy.import(none))
  end
end)

test("functions that say Memory, and references to tables that never were", function()
  local says = string.dump(function() Memory.n = 1 end, true)
  local nested = string.dump(function() return function() return Memory end end, true)
  local not_it = string.dump(function() return memory, MemoryOf end, true)
  local home, report = import(home_of { says = binary(string.pack("<Bs4", 5, says)),
    nested = binary(string.pack("<Bs4", 5, nested)), other = binary(string.pack("<Bs4", 5, not_it)),
    far = binary "\7\99\0\0\0", near = binary "\7\2\0\0\0" })
  equal(lines(report), "1 far dangling; 1 nested memory; 1 says memory")
  equal(next(home.far), nil)
end)

test("damaged numbers of tables cost none of their entries", function()
  local _, records = dump "v21-af5905a-web.json"
  local whole = import(records)
  for at, record in ipairs(records) do
    local id = record.id
    if id ~= 1 and id ~= "__metadata__" then
      for _, junk in ipairs { -1, 0, "junk", 1.5, 4294967296, true, "\0" } do
        record.id = junk
        local home, report = import(records, { unreachable = "lost" })
        local name = string.format("%s (record %d)", tostring(junk), at)
        for key, value in pairs(record.data) do
          if value.data[1] ~= 0 then assert(home.lost[name][math.tointeger(key) or key] ~= nil, name .. key) end
        end
        equal(report.counts.damaged, 1)
        for key, value in pairs(whole) do assert(type(home[key]) == type(value), key) end
      end
      record.id = id
    end
  end
  for _, record in ipairs(records) do -- and a record that has lost its entries none of the others
    local data = record.data
    for _, junk in ipairs { false, 5, "x" } do
      record.data = junk or nil
      local home, report, code = legacy.import(records, { unreachable = "lost" })
      if record.id == "__metadata__" then
        equal(code, "damaged") -- which table is home, nobody knows: the user chooses
        home = import(records, { home = 1 })
      end
      assert(home, report)
      equal(home.s or record.id == 1, record.id == 1 or "hello")
    end
    record.data = data
  end
end)

-- A million bytes changed at random, a few at a time: every entry whose bytes did not change is what it was.
test("random byte changes never cost an undamaged neighbour", function()
  local _, records = dump "v21-af5905a-web.json"
  local places, links = {}, {}
  for _, record in ipairs(records) do
    if record.id ~= "__metadata__" then
      for key, value in pairs(record.data) do
        value.data = string.char(table.unpack(value.data))
        places[#places + 1] = { record = record, key = key, bytes = value.data }
        if value.data:byte(1) == 7 then
          links[#links + 1] = { record.id, key, (string.unpack("<I4", value.data, 2)) }
        end
      end
    end
  end
  table.sort(places, function(a, b)
    return a.record.id < b.record.id or a.record.id == b.record.id and a.key < b.key
  end)
  table.sort(links, function(a, b) return a[1] < b[1] end) -- a table is linked from one before it
  -- Tables by number: along links that are whole, and what was kept because nothing refers to it any more.
  local function tables_of(home, changed)
    local tables = { home }
    for id, there in pairs(home.lost or {}) do tables[id] = there end
    for _, link in ipairs(links) do
      local from = tables[link[1]]
      if from and not changed[link[1] .. "." .. link[2]] then
        tables[link[3]] = from[math.tointeger(link[2]) or link[2]]
      end
    end
    return tables
  end
  local whole = tables_of(import(records), {})
  local number_of = {} -- a table of the whole import -> its number
  for id, there in pairs(whole) do number_of[there] = id end
  local function same(a, b, tables) -- what is linked is the table of that number, wherever that is known
    if type(b) == "table" then return type(a) == "table" and (tables[number_of[b]] or a) == a end
    if type(b) == "function" then return type(a) == "function" and string.dump(a, true) == string.dump(b, true) end
    return rawequal(a, b) or a ~= a and b ~= b
  end
  math.randomseed(4)
  local changes, seen = 0, 0
  local wanted = inside and 100000 or 1000000
  while changes < wanted do
    local changed = {}
    for _ = 1, math.random(1, 12) do
      local place = places[math.random(#places)]
      local bytes = { place.bytes:byte(1, -1) }
      for _ = 1, math.random(1, 8) do
        bytes[math.random(math.min(#bytes, math.random(4) == 1 and #bytes or 12))] = math.random(0, 255)
        changes = changes + 1
      end
      changed[place.record.id .. "." .. place.key] = place
      place.record.data[place.key].data = string.char(table.unpack(bytes))
    end
    local home, report = import(records, { unreachable = "lost" })
    assert(report.home == 1)
    local tables = tables_of(home, changed)
    for _, place in ipairs(places) do
      if not changed[place.record.id .. "." .. place.key] then
        local there = tables[place.record.id]
        local key = math.tointeger(place.key) or place.key
        if there ~= nil then -- else it is reached through a changed reference only, by whichever name that has now
          seen = seen + 1
          if not same(there[key], whole[place.record.id][key], tables) then
            error("table " .. place.record.id .. ", " .. place.key)
          end
        end
      end
    end
    for _, place in pairs(changed) do place.record.data[place.key].data = place.bytes end
  end
  assert(seen > wanted)
end)

t.finish()
