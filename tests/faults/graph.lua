-- What the test of every fault does to `home`, in the Lua state that the store is opened in, and how it looks.

home = {} -- before the store is open

local scalars = { number = true, string = true, boolean = true }

local function show(v)
  if type(v) == "string" then return #v > 60 and #v .. v:sub(1, 9) .. v:sub(-9) or ("%q"):format(v) end
  return math.type(v) == "float" and ("%a"):format(v) or tostring(v)
end

local function order(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  if type(a) == "boolean" then return b and not a end
  return a < b
end

-- A graph as text, identities, metatables and shared upvalues included; of an external table only its identity.
function describe(root)
  local numbers, queue, cells, cell_count, out = {}, {}, {}, 0, {}
  local function name(v)
    local kind = type(v)
    if scalars[kind] or v == nil then return show(v) end
    if v == _G then return "_G" end
    if kind == "function" and debug.getinfo(v, "S").what == "C" then return "C" end
    if not numbers[v] then
      queue[#queue + 1] = v
      numbers[v] = #queue
    end
    return kind .. numbers[v]
  end
  local function contents(t)
    local keys = {}
    for k in next, t do keys[#keys + 1] = scalars[type(k)] and k or error "a key that is no scalar" end
    table.sort(keys, order)
    for _, k in ipairs(keys) do out[#out + 1] = show(k) .. "=" .. name(rawget(t, k)) end
    out[#out + 1] = "metatable=" .. name(debug.getmetatable(t))
  end
  local function upvalues(f)
    for i = 1, 255 do
      local upvalue, value = debug.getupvalue(f, i)
      if not upvalue then return end
      local id = debug.upvalueid(f, i)
      if not cells[id] then
        cell_count = cell_count + 1
        cells[id] = "cell" .. cell_count
      end
      out[#out + 1] = cells[id] .. "=" .. name(value)
    end
  end
  name(root)
  for i = 1, math.huge do
    local v = queue[i]
    if v == nil then return table.concat(out, " ") end
    out[#out + 1] = "\n" .. name(v) .. ":"
    if type(v) == "table" then contents(v) end
    if type(v) == "function" then upvalues(v) end
  end
end

local function counter(n)
  return function(by) n = n + by return n end, function() return n end
end

local function change_players(n)
  local players = home.players or {}
  home.players, home.Player = players, home.Player or {}
  home.Player.__index = home.Player
  local i = n % 4 + 1
  if players[i] then players[i].friend = nil end -- or those that were replaced would hang on each other for ever
  players[i] = setmetatable({ name = "player " .. n, list = players, friend = players[(n + 1) % 4 + 1] }, home.Player)
  if n % 4 == 0 then setmetatable(players[i], { __index = home.Player, n = n }) end
  home.Player.level = n % 3 == 0 and n / 2 or nil
end

local function change_functions(n)
  if not home.add or n % 9 == 0 then home.add, home.get = counter(n) end
  home.add(n)
  local shared = { n }
  home["on" .. n % 3] = function() return shared, home end
  home["off" .. n % 3] = n % 2 == 0 and function() shared = nil end or nil
  if n % 5 == 0 then
    local other = function(by) return by end
    other = function(by) other = by return other end
    debug.upvaluejoin(other, 1, home.add, 1)
    home.other = other
  end
end

-- Large enough for pages of both kinds: numbered and named entries.
local function change_large(n)
  local large = home.large or {}
  home.large = large
  for i = 1, 6 do
    local key = "key " .. (n * 7 + i * 11) % 24
    if (n + i) % 4 == 0 then large[key] = nil else large[key] = n + i end
  end
  for i = 1, 2 do large[(n + i * 5) % 16 + 1] = { n } end
end

-- Everything depends on n alone.
function change(n)
  home.n, home.self = n, home
  home.ext = home.ext or {}
  change_players(n)
  change_functions(n)
  if n % 2 == 0 then change_large(n) end
  home.text = ("text "):rep(n % 7 * 30) .. n
end

-- What can be encoded by itself: no external tables.
function sample()
  return { home.players, home.add, home.get, home.large, home.text }
end

-- ------------------------------------------------------------ external tables

function put(label, key, value) home.ext[label][key] = value end

function get(label, key) return show(home.ext[label][key]) end

function length(label) return #home.ext[label] end

-- home.ext[label] becomes a new external table, or, with a key, its entry.
function new(label, key, table)
  if key == nil then home.ext[label] = table else home.ext[label][key] = table end
end

function drop(label) home.ext[label] = nil end

local function entries(t, from, to, reverse)
  local parts = {}
  for k, v in ext.scan(t, from, to, reverse) do
    parts[#parts + 1] = show(k) .. "=" .. (ext.is(v) and entries(v) or show(v))
  end
  return "{" .. table.concat(parts, " ") .. "}"
end

function scan(label, from, to, reverse) return entries(home.ext[label], from, to, reverse) end

-- All of them as text.
function externals()
  local labels, out = {}, {}
  for label in pairs(home.ext or {}) do labels[#labels + 1] = label end
  table.sort(labels)
  for _, label in ipairs(labels) do out[#out + 1] = label .. entries(home.ext[label]) end
  return table.concat(out, "\n")
end

-- ------------------------------------------------------------------ for the test

function description() return describe(home) end

-- The number of the last change.
function n() return home.n end

function compare(a, b)
  if describe(a) ~= describe(b) then error("expected " .. describe(a) .. ", got " .. describe(b)) end
end
