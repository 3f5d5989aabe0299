-- What must be in the store, in a Lua state of its own that no fault reaches: the graph as the text that described it
-- before it was committed, external tables as plain tables.

local live = { graph = "", ext = {} }
local states = { { graph = "", ext = {} } } -- from the last durable one on
local acknowledged, durable = 1, 1          -- places in it

local function copy(t)
  local new = {}
  for k, v in pairs(t) do new[k] = type(v) == "table" and copy(v) or v end
  return new
end

local function show(v)
  if type(v) == "string" then return #v > 60 and #v .. v:sub(1, 9) .. v:sub(-9) or ("%q"):format(v) end
  return math.type(v) == "float" and ("%a"):format(v) or tostring(v)
end

-- Integers before strings, as in an external table.
local function order(a, b)
  if type(a) ~= type(b) then return type(a) == "number" end
  return a < b
end

local function entries(t, from, to, reverse)
  local keys, parts = {}, {}
  for k in pairs(t) do
    if not (from and order(k, from)) and not (to and order(to, k)) then keys[#keys + 1] = k end
  end
  table.sort(keys, reverse and function(a, b) return order(b, a) end or order)
  for _, k in ipairs(keys) do
    parts[#parts + 1] = show(k) .. "=" .. (type(t[k]) == "table" and entries(t[k]) or show(t[k]))
  end
  return "{" .. table.concat(parts, " ") .. "}"
end

local function externals(ext)
  local labels, out = {}, {}
  for label in pairs(ext) do labels[#labels + 1] = label end
  table.sort(labels)
  for _, label in ipairs(labels) do out[#out + 1] = label .. entries(ext[label]) end
  return table.concat(out, "\n")
end

-- ----------------------------------------------------------------- what is live

function graph(text) live.graph = text end

-- An empty store is described so.
function begin(text) live.graph, states[1].graph = text, text end

function has(label) return live.ext[label] ~= nil end

function put(label, key, value) live.ext[label][key] = value end

function get(label, key)
  local v = live.ext[label][key]
  return type(v) == "table" and "" or show(v)
end

function scan(label, from, to, reverse) return entries(live.ext[label], from, to, reverse) end

function new(label, key)
  if key == nil then live.ext[label] = {} else live.ext[label][key] = {} end
end

function drop(label) live.ext[label] = nil end

function expected() return live.graph, externals(live.ext) end

-- --------------------------------------------------------------- what is stored

-- A commit of what is live is tried.
function attempt() states[#states + 1] = copy(live) end

-- `n` of the attempts (nil: all) are in the store; it is not known what became of others that were forgotten.
function acknowledge(n, as_durable)
  acknowledged = n and acknowledged + n or #states
  if as_durable then durable = acknowledged end
  for _ = 2, durable do -- what is durable is the earliest that a power loss may leave
    table.remove(states, 1)
    acknowledged, durable = acknowledged - 1, durable - 1
  end
end

-- Attempts behind those acknowledged have failed, and nothing of them is there.
function forget()
  while #states > acknowledged do table.remove(states) end
end

function rollback() live = copy(states[acknowledged]) end

-- The last one that was acknowledged.
function stored() return states[acknowledged].graph, externals(states[acknowledged].ext) end

-- A store was opened and holds this. Which state is it? After a power loss one since the last durable one.
function found(text, ext_text, power_loss)
  for i = #states, power_loss and durable or acknowledged, -1 do
    if states[i].graph == text and externals(states[i].ext) == ext_text then
      states = { states[i] }
      acknowledged, durable = 1, 1 -- opening brings to the device what it finds
      live = copy(states[1])
      return true
    end
  end
  return false
end
