-- The records of the legacy runtime `cu` (versions 1.x to 2.1), read and written. docs/LEGACY.md describes them.
--
-- A record is one table, `{id = N, data = {[key text] = value}}`; a value is a tag and what follows, little-endian:
--
--   00 nil       nothing        a key that was deleted
--   01 boolean   u8
--   02 integer   i64            floats with an integral value too, as the runtime wrote them
--   03 float     f64
--   04 string    u32 n, n bytes
--   05 function  u32 n, a stripped Lua 5.4 chunk; the values of its upvalues were never stored
--   06 function  u16 FFFF       a C function, whose name was never stored
--   07 table     u32 id         a table without entries has no record
--
-- This chunk is called with `load_chunk(bytes, globals)`, which loads a chunk that may be damaged (hearth.load_chunk),
-- and returns `{import = , export = }`. It calls nothing that is loaded, and consults no metatable of
-- what it reads and writes, but that of external tables.
local load_chunk = ...

local error, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, utf8, warn =
  error, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, utf8, warn
local rawget, rawset, rawequal, getmetatable = rawget, rawset, rawequal, getmetatable
local byte, find, match, sub = string.byte, string.find, string.match, string.sub -- methods may be the program's own
local getinfo, getupvalue, date = debug.getinfo, debug.getupvalue, os and os.date
local globals_of_this = _G

local METADATA = "__metadata__"
local LONGEST_VALUE = 16384 -- bytes: the buffer in which the legacy runtime reads and writes one
local EXTERNAL = "hearth.external" -- what the metatable of an external table shows
local FIRST_TABLE = 3 -- 1 is the home table, and 2 is `_io` in 2.1, which empties it
local DEPRECATED = '[Deprecated] Using legacy "memoryTableId" - please migrate to "homeTableId"'
local MEMORY = "\x87Memory" -- as a constant of a chunk
local REPLACEMENT = "\u{FFFD}" -- what a text has in place of each byte that was no UTF-8

-- Ends the call with nil, message, code.
local function fail(code, format, ...)
  error({ code = code, message = string.format(format, ...) }, 0)
end

-- f, which answers like that where it fails.
local function answering(f)
  return function(...)
    local ok, first, second = pcall(f, ...)
    if ok then return first, second end
    if type(first) == "table" and first.code then return nil, first.message, first.code end
    error(first, 0)
  end
end

local function check_option(options, name, ...)
  local value = options[name]
  for _, kind in ipairs { "nil", ... } do
    if type(value) == kind then return value end
  end
  fail("invalid", "option '%s': a %s is not what it takes", name, type(value))
end

-- Options that nobody knows are mistakes: a misspelt home_table would fill another one.
local function check_options(options, ...)
  if options == nil then return {} end
  if type(options) ~= "table" then fail("invalid", "options: a table expected, got a %s", type(options)) end
  local known = {}
  for _, name in ipairs { ... } do known[name] = true end
  for name in next, options do
    if not known[name] then fail("invalid", "unknown option '%s'", tostring(name)) end
  end
  return options
end

local function check_choice(options, name, default, ...)
  local value = options[name]
  if value == nil then return default end
  for _, choice in ipairs { ... } do
    if value == choice then return value end
  end
  fail("invalid", "option '%s': '%s' is none of %s", name, tostring(value), table.concat({ ... }, ", "))
end

-- A report is a list of what there is to say, by table and key, with counts.
local function new_report()
  return { tables = 0, entries = 0, counts = {} }
end

local function note(report, what, id, key, format, ...)
  report[#report + 1] = { what = what, table = id, key = key, message = string.format(format, ...) }
  report.counts[what] = (report.counts[what] or 0) + 1
end

-- Order of numbers before texts, as IndexedDB has it; nil before both.
local function before(a, b)
  if a == nil or b == nil then return a == nil and b ~= nil end
  local a_is_number, b_is_number = type(a) == "number", type(b) == "number"
  if a_is_number ~= b_is_number then return a_is_number end
  if a_is_number then return a < b end
  return tostring(a) < tostring(b)
end

local function sort_report(report)
  for i, line in ipairs(report) do line.order = i end
  table.sort(report, function(a, b)
    if a.table ~= b.table then return before(a.table, b.table) end
    if a.key ~= b.key then return before(a.key, b.key) end
    return a.order < b.order
  end)
  for _, line in ipairs(report) do line.order = nil end
  return report
end

local function sorted_keys(t)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  table.sort(keys, before)
  return keys
end

-- A key or an id as a report shows it that is none of a record; without an address, so that reports repeat.
local function shown(value)
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) == "number" or type(value) == "boolean" or value == nil then return tostring(value) end
  return "(a " .. type(value) .. ")"
end

-- "007", "-0" and "9223372036854775808" are no integers that Lua would have written so.
local function integer_of(text)
  local n = find(text, "^-?%d+$") and math.tointeger(text)
  if n and tostring(n) == text then return n end
end

-- Floats that are the text of themselves and no integers as keys: "2.5", "1e+100".
local function float_of(text)
  local n = find(text, "^-?[%d.]+e?[+-]?%d*$") and tonumber(text)
  if math.type(n) == "float" and not math.tointeger(n) and tostring(n) == text then return n end
end

----------------------------------------------------------------- reading

-- Is it a number of a table: a u32, not 0? As a number or as its decimal text.
local function table_id(id)
  if type(id) == "string" then id = integer_of(id) end
  id = type(id) == "number" and math.tointeger(id)
  if id and id > 0 and id <= 0xFFFFFFFF then return id end
end

-- A list of bytes as numbers; also what JSON makes of a Uint8Array, which begins with the key "0".
local function pack_bytes(list)
  local first = rawget(list, "0") ~= nil and 0 or 1
  local bytes, pieces, count = {}, {}, 0
  for _ in next, list do count = count + 1 end
  for i = 1, count do
    local number = rawget(list, first == 0 and tostring(i - 1) or i)
    number = type(number) == "number" and math.tointeger(number)
    if not number or number < 0 or number > 255 then return nil, "its bytes are no list of numbers from 0 to 255" end
    bytes[#bytes + 1] = string.char(number)
    if #bytes == 4096 then
      pieces[#pieces + 1], bytes = table.concat(bytes), {}
    end
  end
  return table.concat(pieces) .. table.concat(bytes)
end

-- The bytes of a stored value, and whether they were a text once; nil and why.
local function bytes_of(value)
  if type(value) == "string" then return value, true end
  if type(value) ~= "table" then return nil, "a " .. type(value) .. " is no stored value" end
  local data = rawget(value, "$uint8array")
  if data == nil then
    if rawget(value, "_type") == "binary" then
      data = rawget(value, "data")
    elseif rawget(value, "0") ~= nil then
      data = value
    end
  end
  if type(data) == "table" and rawget(data, "$uint8array") ~= nil then data = rawget(data, "$uint8array") end
  if type(data) == "string" then return data, false end
  if type(data) ~= "table" then return nil, "it has no bytes" end
  local bytes, why = pack_bytes(data)
  return bytes, bytes and false or why
end

-- The number in Lua's own dumps: seven bits a byte, the last one marked. The position after it, or nil.
local function varint(bytes, at)
  local n = 0
  for i = at, at + 9 do
    local seven = byte(bytes, i)
    if seven == nil then return end
    n = n << 7 | seven & 0x7F
    if seven >= 0x80 then return n, i + 1 end
  end
end

local constant_sizes = { [0x00] = 0, [0x01] = 0, [0x11] = 0, [0x03] = 8, [0x13] = 8 }

-- Where the descriptors of the upvalues of a well-formed chunk begin, three bytes each, how many there are, the line
-- on which its function begins (0 for a whole program text), where its instructions are, four bytes each, and how many.
local function upvalue_descriptors(chunk)
  local size, at, count, line, code, instructions
  size, at = varint(chunk, 33) -- after the header and the number of upvalues: the source's name
  at = at + (size > 0 and size - 1 or 0)
  line, at = varint(chunk, at)
  count, at = varint(chunk, at) -- the last line
  instructions, code = varint(chunk, at + 3) -- after parameters, vararg and stack
  count, at = varint(chunk, code + 4 * instructions)
  for _ = 1, count do
    local fixed = constant_sizes[byte(chunk, at)]
    at = at + 1
    if fixed then
      at = at + fixed
    else
      size, at = varint(chunk, at)
      at = at + size - 1
    end
  end
  count, at = varint(chunk, at)
  return at, count, line, code, instructions
end

local GETUPVAL, SETUPVAL, GETTABUP, SETTABUP = 9, 10, 11, 15 -- lopcodes.h: op 7 bits, A 8, k 1, B 8, C 8

-- Is the first upvalue of a well-formed chunk nothing that the globals table would do for? It is taken from the stack
-- of the function around it, which has the globals as an upvalue; or it is read or set, and never indexed by a name.
local function first_was_variable(chunk)
  local at, count, line, code, instructions = upvalue_descriptors(chunk)
  if count == 0 or line == 0 then return false end
  if byte(chunk, at) ~= 0 then return true end
  local used = false
  for i = code, code + 4 * (instructions - 1), 4 do
    local instruction = string.unpack("<I4", chunk, i)
    local op, a, b = instruction & 0x7F, instruction >> 7 & 0xFF, instruction >> 16 & 0xFF
    if op == GETTABUP and b == 0 or op == SETTABUP and a == 0 then return false end
    used = used or (op == GETUPVAL or op == SETUPVAL) and b == 0
  end
  return used
end

-- Everything that importing knows: I.
local readers = {}

-- Each gets I, the bytes, and where they are: table id and key. They answer true and a value, or false and why.
readers[0x00] = function() return true, nil end
readers[0x01] = function(_, bytes) return true, byte(bytes, 2) ~= 0 end
readers[0x02] = function(_, bytes) return true, (string.unpack("<i8", bytes, 2)) end
readers[0x03] = function(_, bytes) return true, (string.unpack("<d", bytes, 2)) end
readers[0x04] = function(_, bytes) return true, (string.unpack("<s4", bytes, 2)) end

readers[0x05] = function(I, bytes, id, key)
  local chunk = string.unpack("<s4", bytes, 2)
  local f, message = load_chunk(chunk, I.globals)
  if f == nil then return false, "its function does not load: " .. message end
  local _, count = upvalue_descriptors(chunk)
  if count > 1 or first_was_variable(chunk) then
    note(I.report, "upvalues", id, key, "the values of the function's %d upvalues were never stored: the first is the "
      .. "globals table now, as in the legacy runtime%s", count, count > 1 and ", the others are nil" or "")
  end
  if find(chunk, MEMORY, 1, true) then
    note(I.report, "memory", id, key, "the function says Memory: it works while the alias is on or track")
  end
  return true, f
end

local NAMELESS = "was a C function, which the legacy runtime stored without its name: set it again"

-- The function can be stored: it needs nothing but `error`.
local function raising(key)
  local message = "'" .. key .. "' " .. NAMELESS
  return function() error(message, 2) end
end

-- The same functions, also after Hearth stored them, by their two upvalues.
local function is_raising(f)
  local _, first = getupvalue(f, 1)
  local _, second = getupvalue(f, 2)
  return rawequal(first, error) and type(second) == "string" and sub(second, -#NAMELESS) == NAMELESS
end

readers[0x06] = function(I, bytes, id, key)
  if sub(bytes, 2, 3) ~= "\xFF\xFF" then return false, "a C function as no version wrote it" end
  note(I.report, "function", id, key, "a C function, whose name was never stored: it raises when it is called")
  return true, raising(key)
end

readers[0x07] = function(I, bytes, id, key)
  local to = string.unpack("<I4", bytes, 2)
  if to == 0 then return false, "it refers to table 0, and there is none" end
  if to >= I.next_id and not I.records[to] then
    note(I.report, "dangling", id, key, "it refers to table %d, which never was: an empty table", to)
  end
  local references = I.references[id]
  references[#references + 1] = to
  return true, I.table_of(to)
end

local sizes = { [0] = 1, 2, 9, 9, 5, 5, 3, 5 } -- in bytes, of the fixed part, tag included

-- true and the value, or false and why.
local function read(I, bytes, id, key)
  local tag = byte(bytes, 1)
  local size = tag and sizes[tag]
  if not tag then return false, "it has no bytes" end
  if not size then return false, string.format("tag %02X is unknown", tag) end
  if #bytes >= size and (tag == 0x04 or tag == 0x05) then size = size + string.unpack("<I4", bytes, 2) end
  if #bytes < size then return false, string.format("it is cut short: %d bytes of %d", #bytes, size) end
  if #bytes > size then
    note(I.report, "trailing", id, key, "%d bytes after the value are left out", #bytes - size)
  end
  return readers[tag](I, bytes, id, key)
end

-- The same for a text: the UTF-8 decoding of the bytes, in which each byte that was none became U+FFFD. Values were at
-- most LONGEST_VALUE bytes then, so that the upper three bytes of a string's length are always ASCII.
local function read_text(I, text, id, key)
  if not find(text, REPLACEMENT, 1, true) then return read(I, text, id, key) end -- then it is what the bytes were
  if byte(text, 1) ~= 0x04 then return false, "its bytes were stored as text, and those over 7F are lost", "lossy" end
  local low, high, body = match(text, "^\4([\0-\x7F])([\0-\x7F])\0\0(.*)$")
  local length = low and byte(low) | byte(high) << 8
  if not low then
    high, body = match(text, "^\4" .. REPLACEMENT .. "([\0-\x7F])\0\0(.*)$")
    if not high then return false, "its length was stored as text, and is lost", "lossy" end
    if not find(body, REPLACEMENT, 1, true) then
      length = #body & 0x80 ~= 0 and #body >> 8 == byte(high) and #body
      if not length then return false, string.format("it is cut short: its length was not %d bytes", #body) end
    end
  end
  if find(body, REPLACEMENT, 1, true) then -- also where the length agrees: three bytes may have become one U+FFFD
    note(I.report, "lossy", id, key, "it was stored as text: bytes that were no UTF-8 %s U+FFFD now",
      length == #body and "may be" or "are")
  elseif length ~= #body then
    return false, string.format("it is cut short: %d bytes of %d", #body, length)
  end
  return true, body
end

local function key_of(I, text, id)
  local integer = I.keys ~= "text" and integer_of(text)
  local float = not integer and float_of(text)
  if find(text, REPLACEMENT, 1, true) then
    note(I.report, "lossy", id, text, "bytes of the key that were no UTF-8 may be U+FFFD now")
  elseif float and I.keys == "integer" then
    note(I.report, "key", id, text, "the key may have been the number: it is a string now")
  end
  return integer or I.keys == "number" and float or text
end

local function read_entry(I, id, text, value)
  local into = I.table_of(id)
  local bytes, is_text = bytes_of(value)
  local ok, result, what
  if not bytes then
    ok, result = false, is_text
  else
    ok, result, what = (is_text and read_text or read)(I, bytes, id, text)
  end
  if not ok then
    note(I.report, what or "damaged", id, text, "%s", result)
  elseif result ~= nil then
    rawset(into, key_of(I, text, id), result)
    I.entries[id] = I.entries[id] + 1
  end
end

-- Keys are texts; a number is taken for its text, unless that is there too.
local function read_entries(I, id)
  local data = I.records[id]
  I.references[id], I.entries[id] = {}, 0
  for key, value in next, data do
    if type(key) == "string" then
      read_entry(I, id, key, value)
    elseif type(key) ~= "number" then
      note(I.report, "damaged", id, shown(key), "no key of a record")
    elseif rawget(data, tostring(key)) ~= nil then
      note(I.report, "collision", id, tostring(key), "a number and a string with the same text: the string counts")
    else
      read_entry(I, id, tostring(key), value)
    end
  end
end

-- Records by their numbers, and the metadata. What has no number of its own is kept by what it has instead.
local function index_records(I, records)
  for _, at in ipairs(sorted_keys(records)) do
    local record = records[at]
    local raw = type(record) == "table" and rawget(record, "id")
    local id = raw and table_id(raw)
    local data = type(record) == "table" and rawget(record, "data")
    if raw == METADATA then
      if type(data) ~= "table" then
        note(I.report, "damaged", raw, nil, "the metadata is no table but a %s", type(data))
        I.metadata_damaged = true
      elseif I.metadata then
        note(I.report, "collision", raw, nil, "there is a second one; the first counts")
      end
      I.metadata = I.metadata or type(data) == "table" and data
    elseif type(data) ~= "table" then
      note(I.report, "damaged", id or type(raw) == "string" and raw or nil, nil, "record %s has no entries", shown(at))
      if id then I.records[id] = I.records[id] or {} end -- as a table without entries: what refers to it is whole
    elseif id then
      local earlier = I.records[id]
      if earlier and next(earlier) ~= nil then
        local name = string.format("%d (before record %s)", id, shown(at))
        note(I.report, "collision", name, nil,
          "two records have the number %d: the last one counts, as in the legacy runtime", id)
        I.records[name] = earlier
      end
      I.records[id] = data
    else
      local name = string.format("%s (record %s)", type(raw) == "string" and raw or shown(raw), shown(at))
      note(I.report, "damaged", name, nil, "%s is no number of a table", shown(raw))
      I.records[name] = data
    end
  end
end

-- "1 (12 entries), 3 (2 entries)"
local function tables_there(I)
  local texts = {}
  for _, id in ipairs(sorted_keys(I.records)) do
    local count = 0
    for _ in next, I.records[id] do count = count + 1 end
    if #texts == 10 then
      texts[11] = "..."
      break
    end
    texts[#texts + 1] = string.format("%s (%d entries)", tostring(id), count)
  end
  return #texts > 0 and table.concat(texts, ", ") or "none"
end

-- The home table's number, where it can be told.
local function home_id(I, chosen)
  if chosen ~= nil then
    local id = table_id(chosen) or fail("invalid", "option 'home': %s is no number of a table", shown(chosen))
    local named = I.metadata and (table_id(rawget(I.metadata, "homeTableId")) == id or
      table_id(rawget(I.metadata, "memoryTableId")) == id)
    if I.records[id] or named then return id end
    fail("invalid", "option 'home': there is no table %d; the tables are %s", id, tables_there(I))
  end
  if I.metadata_damaged and not I.metadata then
    fail("damaged", "the metadata is damaged: choose the home table yourself; the tables are %s", tables_there(I))
  end
  local metadata = I.metadata or {}
  local name = rawget(metadata, "homeTableId") ~= nil and "homeTableId" or "memoryTableId"
  local raw = rawget(metadata, name)
  if raw == nil then name, raw = "home table", 1 end
  local id = table_id(raw)
  if id and (I.records[id] or next(I.records) == nil) then
    if name == "memoryTableId" then I.warn(DEPRECATED) end
    local other = rawget(metadata, "memoryTableId")
    if other ~= nil and table_id(other) ~= id then
      I.warn(string.format("homeTableId %d and memoryTableId %s are two tables: the first is the home table", id,
        shown(other)))
    end
    return id
  end
  fail("damaged", "%s %s %s: choose the home table yourself; the tables are %s", name, shown(raw),
    id and "names no table" or "is no number of a table", tables_there(I))
end

-- Notes, or keeps, what is not reached from the home table.
local function treat_unreachable(I, home, name)
  local reached, queue = { [home] = true }, { home }
  for _, id in ipairs(queue) do
    for _, to in ipairs(I.references[id] or {}) do
      if not reached[to] then
        reached[to] = true
        queue[#queue + 1] = to
      end
    end
  end
  local kept
  for _, id in ipairs(sorted_keys(I.records)) do
    if reached[id] or name then
      I.report.tables = I.report.tables + 1
      I.report.entries = I.report.entries + I.entries[id]
    end
    if not reached[id] and next(I.records[id]) ~= nil then
      note(I.report, "unreachable", id, nil, "nothing refers to it: its entries (%d) are %s", I.entries[id],
        name and "kept in '" .. name .. "'" or "left out; the option 'unreachable' keeps them")
      if name then
        kept = kept or {}
        kept[id] = I.table_of(id)
      end
    end
  end
  local home_table = I.table_of(home)
  if kept and rawget(home_table, name) ~= nil then
    for key in next, home_table do rawset(home_table, key, nil) end -- as it was
    fail("invalid", "option 'unreachable': the home table has an entry '%s' already", name)
  end
  if kept then rawset(home_table, name, kept) end
end

-- import(records, options) -> home, report
local function import(records, options)
  options = check_options(options, "home_table", "keys", "home", "unreachable", "globals", "warn")
  if type(records) ~= "table" then fail("invalid", "records: a list expected, got a %s", type(records)) end
  local home_table = check_option(options, "home_table", "table") or {}
  if next(home_table) ~= nil then
    fail("exists", "the home table is not empty: legacy data is imported into an empty one")
  end
  local unreachable = check_option(options, "unreachable", "string")
  local tables = {}
  local I = {
    report = new_report(), records = {}, references = {}, entries = {}, metadata = nil,
    keys = check_choice(options, "keys", "integer", "integer", "number", "text"),
    globals = check_option(options, "globals", "table") or globals_of_this,
    warn = check_option(options, "warn", "function") or warn,
  }
  function I.table_of(id)
    local t = tables[id]
    if not t then
      t = {}
      tables[id] = t
    end
    return t
  end
  index_records(I, records)
  if next(I.records) == nil and not I.metadata and not I.metadata_damaged then
    fail("invalid", "there is no record of a legacy database: {id = 1, data = {...}}")
  end
  local home = home_id(I, options.home)
  tables[home] = home_table
  I.next_id = I.metadata and table_id(rawget(I.metadata, "nextTableId")) or math.huge
  I.records[home] = I.records[home] or {}
  for _, id in ipairs(sorted_keys(I.records)) do read_entries(I, id) end
  treat_unreachable(I, home, unreachable)
  I.report.home = home
  local saved_at = I.metadata and rawget(I.metadata, "savedAt")
  I.report.saved_at = type(saved_at) == "string" and saved_at or nil
  return home_table, sort_report(I.report)
end

----------------------------------------------------------------- writing

-- Everything that exporting knows: E. Each gets E, the value, and where it is: table id and key text.
local writers = {}

writers.boolean = function(_, value) return string.pack("<BB", 0x01, value and 1 or 0) end

writers.number = function(_, value)
  if math.type(value) == "integer" then return string.pack("<Bi8", 0x02, value) end
  return string.pack("<Bd", 0x03, value)
end

writers.string = function(_, value) return string.pack("<Bs4", 0x04, value) end

-- The legacy runtime puts its globals table into the first upvalue, and nil into the others.
writers["function"] = function(E, value, id, key)
  if getinfo(value, "S").what == "C" then
    note(E.report, "function", id, key, "a C function is stored without its name: it raises when it is called")
    return "\x06\xFF\xFF"
  end
  local lost, chunk = {}, string.dump(value, true)
  if is_raising(value) then
    note(E.report, "function", id, key, "a C function that an import could not tell: it raises when it is called")
    return "\x06\xFF\xFF"
  end
  if E.functions[value] then
    note(E.report, "identity", id, key, "a function that is stored more than once: it comes back as several")
  end
  E.functions[value] = true
  local i, name, content = 1, getupvalue(value, 1)
  if name and rawequal(content, E.globals) then -- said as the compiler says it, also of a function that Hearth loaded
    local at = upvalue_descriptors(chunk)
    chunk = sub(chunk, 1, at - 1) .. "\0" .. sub(chunk, at + 1)
  end
  while name do
    if i > 1 or not rawequal(content, E.globals) then lost[#lost + 1] = name == "" and "#" .. i or name end
    i = i + 1
    name, content = getupvalue(value, i)
  end
  if #lost > 0 then
    note(E.report, "upvalues", id, key, "upvalues of the function are not stored: %s", table.concat(lost, ", "))
  end
  return string.pack("<Bs4", 0x05, chunk)
end

local function write_table(E, value, id, key)
  if E.runtime == "2.0" then
    note(E.report, "table", id, key, "a table in a table: version 2.0 knows none, so it is left out")
    return
  end
  local to = E.ids[value]
  if to then
    note(E.report, "identity", id, key,
      "table %d is referred to more than once: the legacy runtime reads a copy each time", to)
  else
    to = E.next_id
    E.next_id = to + 1
    E.ids[value] = to
    E.queue[#E.queue + 1] = value
  end
  E.inner = E.inner + 1
  return string.pack("<BI4", 0x07, to)
end

writers.table = write_table

writers.userdata = function(E, value, id, key)
  if getmetatable(value) == EXTERNAL then return write_table(E, value, id, key) end
  note(E.report, "userdata", id, key, "a userdata is left out")
end

writers.thread = function(E, _, id, key) note(E.report, "thread", id, key, "a coroutine is left out") end

-- The text of a key and whether it was the number that it reads as; nil and why it has none.
local function key_text(key)
  if math.type(key) == "integer" then return tostring(key) end
  if type(key) == "number" then
    local text = tostring(key)
    if tonumber(text) ~= key then return nil, "a float key with more digits than its text has" end
    return text, "a float key: it reads as both, and comes back as a string"
  end
  if type(key) ~= "string" then return nil, "a " .. type(key) .. " is no key of a legacy table" end
  if key == "" then return nil, "the empty string is no key of a legacy table" end
  if key == "__ext_table_id" then return nil, "the legacy runtime keeps its own number under this key" end
  if not utf8.len(key) or sub(key, 1, 3) == "\u{FEFF}" then
    return nil, "a key that is no UTF-8, or begins with a byte order mark"
  end
  if #key > LONGEST_VALUE then return nil, "a key of over 16,384 bytes" end
  return key, integer_of(key) and "a string of digits: it reads as both, and comes back as an integer"
end

local function write_entry(E, data, id, key, value)
  local text, remark = key_text(key)
  if not text then
    note(E.report, "key", id, shown(key), "%s", remark)
    return
  end
  if data[text] ~= nil then
    note(E.report, "collision", id, text, "a number and a string with the same text: the number is kept")
    return
  end
  local bytes = writers[type(value)](E, value, id, text)
  if not bytes then return end
  if remark then note(E.report, "key", id, text, "%s", remark) end
  if #bytes > LONGEST_VALUE then
    note(E.report, "long", id, text, "%d bytes: the legacy runtime reads at most %d", #bytes, LONGEST_VALUE)
  end
  data[text] = { _type = "binary", data = bytes }
  E.report.entries = E.report.entries + 1
end

-- Keys in an order that does not depend on addresses; integers come first, so that they win.
local function ordered_keys(t)
  local integers, floats, strings, others = {}, {}, {}, {}
  local iterate, state = next, t
  if type(t) ~= "table" then iterate, state = pairs(t) end
  for key in iterate, state do
    local kind = math.type(key) or type(key)
    local list = kind == "integer" and integers or kind == "float" and floats or kind == "string" and strings or others
    list[#list + 1] = key
  end
  for _, list in ipairs { integers, floats, strings } do table.sort(list) end
  local all = integers
  for _, list in ipairs { floats, strings, others } do table.move(list, 1, #list, #all + 1, all) end
  return all
end

local function write_record(E, t)
  local id, data = E.ids[t], {}
  local is_table = type(t) == "table"
  if is_table and getmetatable(t) ~= nil then
    note(E.report, "metatable", id, nil, "the metatable is not stored")
  end
  for _, key in ipairs(ordered_keys(t)) do
    write_entry(E, data, id, key, is_table and rawget(t, key) or not is_table and t[key])
  end
  E.report.tables = E.report.tables + 1
  if next(data) ~= nil then return { id = id, data = data } end
end

-- export(home, options) -> records, report
local function export(home, options)
  options = check_options(options, "runtime", "saved_at", "globals")
  if type(home) ~= "table" then fail("invalid", "home: a table expected, got a %s", type(home)) end
  local E = {
    report = new_report(), functions = {}, inner = 0, ids = { [home] = 1 }, queue = { home }, next_id = FIRST_TABLE,
    runtime = check_choice(options, "runtime", "2.1", "2.0", "2.1"),
    globals = check_option(options, "globals", "table") or globals_of_this,
  }
  local saved_at = check_option(options, "saved_at", "string") or date and date "!%Y-%m-%dT%H:%M:%S.000Z"
  local records, table_ids = {}, {}
  for _, t in ipairs(E.queue) do
    local record = write_record(E, t)
    if record then
      records[#records + 1] = record
      table_ids[#table_ids + 1] = record.id
    end
  end
  records[#records + 1] = {
    id = METADATA,
    data = {
      homeTableId = 1, memoryTableId = 1, nextTableId = E.next_id, savedAt = saved_at, stateRestored = false,
      tableCount = #table_ids, tableIds = table_ids,
    },
  }
  if E.inner > 0 then
    note(E.report, "table", 1, nil,
      'tables in tables (%d) are written: version 2.1 reads them, 2.0 does not; runtime "2.0" leaves them out', E.inner)
  end
  E.report.home = 1
  E.report.saved_at = saved_at
  return records, sort_report(E.report)
end

-- Where they fail they answer nil, message, code: "invalid" for what they were given, "damaged" for metadata that does
-- not tell the home table, "exists" for a home table with entries. What else is raised, memory for one, is raised.
return { import = answering(import), export = answering(export) }
