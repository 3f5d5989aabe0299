-- What the page shows of the graph: as many levels as are open, in one reading. It looks at raw values alone, calls
-- nothing that a program could have put into them, and keeps nothing: a handle would keep its external table alive.
local next, type, select, rawlen, rawget = next, type, select, rawlen, rawget
local load, error = load, error
local getmetatable, getinfo, getlocal = debug.getmetatable, debug.getinfo, debug.getlocal
local getupvalue, upvalueid, dump = debug.getupvalue, debug.upvalueid, string.dump
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub
local huge, math_type, utf8_len = math.huge, math.type, utf8.len
local concat, sort, max, min = table.concat, table.sort, math.max, math.min
local is_external = ext.is
local globals = _G

local MOST_COUNTED = 200000 -- entries of one table
local MOST_IN_ALL = 500000  -- entries of all tables in one reading; then a thousand of each
local MOST_SORTED = 30      -- entries of a table that is written in one line
local MOST_EXTERNAL = 1000  -- entries of an external table: each is decoded to be counted

-- What is known by name: the standard library.
local library = { [globals] = "_G" }
for name, module in next, package.loaded do
  if type(module) == "table" then
    if module ~= globals then library[module] = name end
    for field, value in next, module do
      if type(value) == "function" and type(field) == "string" and not library[value] then
        library[value] = module == globals and field or name .. "." .. field
      end
    end
  end
end

-- ------------------------------------------------------------------ one value in one line

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }

local function escape(c) return escapes[c] or format("\\x%02x", byte(c)) end

local function quote(s, most)
  local cut = s
  if #s > most then
    local last = most
    while last > most - 4 and find(s, "^[\x80-\xbf]", last + 1) do last = last - 1 end -- not within a character
    cut = sub(s, 1, last)
  end
  cut = gsub(cut, '[%c\\"]', escape)
  if not utf8_len(cut) then cut = gsub(cut, "[\x80-\xff]", escape) end
  return '"' .. cut .. (#s > most and '…"' or '"')
end

local function number_text(n)
  if math_type(n) == "integer" then return format("%d", n) end
  if n ~= n then return "nan" end
  if n == huge then return "inf" end
  if n == -huge then return "-inf" end
  local text = format("%.14g", n)
  return find(text, "[.e]") and text or text .. ".0"
end

local function is_name(key) return type(key) == "string" and find(key, "^[%a_][%w_]*$") ~= nil end

local function function_text(f)
  if library[f] then return library[f] end
  local info = getinfo(f, "Su")
  if info.what == "C" then return "a C function" end
  local parameters = {}
  for i = 1, info.nparams do parameters[i] = getlocal(f, i) end
  if info.isvararg then parameters[#parameters + 1] = "..." end
  return "function(" .. concat(parameters, ", ") .. ")"
end

local ranks = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local x, y = type(a.key), type(b.key)
  if x ~= y then return (ranks[x] or 4) < (ranks[y] or 4) end
  if x == "number" or x == "string" then return a.key < b.key end
  return x == "boolean" and a.key and not b.key
end

-- The first `limit` entries that come, in the order of their keys.
local function entries_of(value, limit)
  local entries = {}
  local step, state = next, value
  if type(value) == "userdata" then step, state = getmetatable(value).__pairs(value) end
  for key, item in step, state do
    entries[#entries + 1] = { key = key, value = item }
    if #entries == limit then break end
  end
  sort(entries, before)
  return entries
end

-- depth: how many levels of tables are written out.
local function text_of(value, most, depth)
  local kind = type(value)
  if kind == "string" then return quote(value, most) end
  if kind == "number" then return number_text(value) end
  if kind == "boolean" then return value and "true" or "false" end
  if kind == "nil" then return "nil" end
  if kind == "function" then return function_text(value) end
  if kind == "thread" then return "a coroutine" end
  if kind == "userdata" then return is_external(value) and "an external table" or "userdata" end
  if library[value] then return library[value] end
  if next(value) == nil then return "{}" end
  if depth == 0 then return "{…}" end
  local parts, length, array = {}, 0, 0
  for _, entry in next, entries_of(value, MOST_SORTED) do
    if length > most then
      parts[#parts + 1] = "…"
      break
    end
    local key, part = entry.key, text_of(entry.value, min(most, 24), depth - 1)
    if key == array + 1 then
      array = key
    else
      local name = is_name(key) and key or "[" .. text_of(key, 16, 0) .. "]"
      part = name .. " = " .. part
    end
    parts[#parts + 1] = part
    length = length + #part
  end
  return "{" .. concat(parts, ", ") .. "}"
end

-- ------------------------------------------------------------------ paths, as Hearth's errors write them

local function step_of(key)
  local kind = type(key)
  if is_name(key) then return "." .. key end
  if kind == "string" then
    local cut = gsub(sub(key, 1, 64), '[%c"\\\x7f-\xff]', function(c)
      return (c == '"' or c == "\\") and "\\" .. c or format("\\x%02x", byte(c))
    end)
    return '["' .. cut .. (#key > 64 and '..."]' or '"]')
  end
  if kind == "number" then return "[" .. number_text(key) .. "]" end
  if kind == "boolean" then return key and "[true]" or "[false]" end
  return "[" .. kind .. "]"
end

-- ------------------------------------------------------------------ the tree

local first -- object, or number of an external table -> the path by which this reading met it first
local cells -- the same for upvalue cells
local counted = 0 -- entries, in this reading

local function identity_of(value)
  return is_external(value) and getmetatable(value).__tostring(value) or value
end

local function upvalue_count(f)
  return getinfo(f, "S").what == "C" and 0 or getinfo(f, "u").nups
end

local function has_children(value)
  local kind = type(value)
  if kind == "table" then return not library[value] and (next(value) ~= nil or getmetatable(value) ~= nil) end
  if kind == "function" then return not library[value] and upvalue_count(value) > 0 end
  return kind == "userdata" and is_external(value)
end

-- How many entries, and whether there may be more.
local function count_table(t)
  local most = max(1000, min(MOST_COUNTED, MOST_IN_ALL - counted))
  local n = 0
  for _ in next, t do
    if n == most then return max(n, rawlen(t)), true end
    n = n + 1
    counted = counted + 1
  end
  return n, false
end

-- The same. With more, what `#` says is nearer.
local function count_external(t)
  local n = 0
  for _ in getmetatable(t).__pairs(t) do
    if n == MOST_EXTERNAL then return max(n, getmetatable(t).__len(t)), true end
    n = n + 1
  end
  return n, false
end

local function make_row(path, label, value, role)
  local kind = type(value)
  if kind == "userdata" and is_external(value) then kind = "external" end
  local row = { path = path, label = label, kind = kind, role = role, text = text_of(value, 60, 1), value = value }
  if kind == "string" then
    row.bytes = #value
  elseif kind == "table" and not library[value] then
    local metatable = getmetatable(value)
    row.count, row.atleast = count_table(value)
    row.metatable = metatable and (first[metatable] or "its own") or nil
  elseif kind == "external" then
    row.count, row.atleast = count_external(value)
  elseif kind == "function" and not library[value] and getinfo(value, "S").what ~= "C" then
    local info = getinfo(value, "S")
    row.bytes = #dump(value)
    row.source = utf8_len(info.short_src) and info.short_src .. ":" .. info.linedefined or nil
  end
  if kind == "table" or kind == "function" or kind == "userdata" or kind == "external" then
    local identity = identity_of(value)
    row.same = first[identity]
    if not row.same and not library[value] then first[identity] = path end
    row.expandable = not row.same and has_children(value)
  end
  return row
end

local function read_children(row, limit)
  local value, children, used = row.value, {}, {}
  local function add(step, label, item, role)
    used[step] = (used[step] or 0) + 1
    if used[step] > 1 then step = step .. "~" .. used[step] end -- keys that are written alike
    local child = make_row(row.path .. step, label, item, role)
    children[#children + 1] = child
    return child
  end
  if row.kind == "function" then
    for i = 1, upvalue_count(value) do
      local name, item = getupvalue(value, i)
      local known = is_name(name)
      local child = add("^" .. (known and name or i), known and name or format("upvalue %d", i), item, "upvalue")
      local cell = upvalueid(value, i)
      if item ~= globals then child.cell = cells[cell] end
      cells[cell] = cells[cell] or child.path
    end
  else
    if row.kind == "table" then
      local metatable = getmetatable(value)
      if metatable then add("^metatable", "metatable", metatable, "metatable") end
    end
    for _, entry in next, entries_of(value, limit) do
      local key = entry.key
      add(step_of(key), is_name(key) and key or "[" .. text_of(key, 32, 1) .. "]", entry.value, "entry")
    end
    local rest = row.count - limit
    if rest > 0 then row.more, row.limit = rest, limit end
  end
  row.children = children
end

-- limits: the paths of the rows that are open -> how many entries they show. Level by level, so that what can be
-- reached in two ways is shown at the shorter one, and the other refers to it; cycles end there.
local function read(limits)
  first, cells, counted = {}, {}, 0
  local root = make_row("_home", "_home", rawget(globals, "_home"), "root")
  local level = { root }
  repeat
    local below = {}
    for _, row in next, level do
      local limit = limits[row.path]
      if row.expandable and limit then
        row.open = true
        read_children(row, limit)
        for _, child in next, row.children do below[#below + 1] = child end
      end
      row.value = nil
    end
    level = below
  until #level == 0
  first, cells = nil, nil
  return root
end

-- ------------------------------------------------------------------ running

local function describe(...)
  local texts = {}
  for i = 1, select("#", ...) do texts[i] = text_of((select(i, ...)), 400, 3) end
  return texts
end

-- What a program returns goes to the page as text: a table of a million entries stays here.
local function execute(code)
  local program, message = load(code, "=program", "t")
  if not program then error(message, 0) end
  return describe(program())
end

return { read = read, execute = execute }
