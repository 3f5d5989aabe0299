-- The data sets, the same in Lua 5.4 and in LuaJIT, and the comparison of what came back with what was given.
local data = { sets = {} }

-- Park and Miller's generator: exact in doubles, so that every Lua makes the same numbers.
local function random_numbers(seed)
  return function()
    seed = seed * 16807 % 2147483647
    return seed
  end
end

local sets = data.sets

-- Of every width, a fifth of them negative.
function sets.integers(count)
  local random, list = random_numbers(1), {}
  for i = 1, count do
    local n = random() % 10 ^ (1 + i % 9)
    n = i % 5 == 0 and -n or n
    list[i] = math.tointeger and math.tointeger(n) or n
  end
  return list
end

function sets.floats(count)
  local random, list = random_numbers(2), {}
  for i = 1, count do list[i] = (random() - 1e9) / 7919 end
  return list
end

function sets.records(count)
  local random, list = random_numbers(3), {}
  for i = 1, count do
    list[i] = {
      id = i, name = "user" .. i, active = random() % 2 == 0, score = random() / 7919,
      tags = { "a", "b", "c" }, pos = { x = i, y = -i },
    }
  end
  return list
end

-- String to string.
function sets.strings(count)
  local random, map = random_numbers(4), {}
  for i = 1, count do map["key" .. i] = ("value %.0f of key%d"):format(random(), i) end
  return map
end

-- Of 4 KB each.
function sets.long_strings(count)
  local random, list = random_numbers(5), {}
  for i = 1, count do
    local parts = {}
    for j = 1, 512 do parts[j] = ("%08x"):format(random()) end
    list[i] = table.concat(parts)
  end
  return list
end

-- Of one prototype: one upvalue of its own each, and one that all share.
function sets.closures(count)
  local list, step = {}, 3
  for i = 1, count do
    local n = i
    list[i] = function(x)
      n = n + x * step
      return n
    end
  end
  return list
end

-- Each node knows its parent, its two children, the one before it, and a child of another.
function sets.graph(count)
  local random, nodes = random_numbers(6), {}
  for i = 1, count do nodes[i] = { id = i } end
  for i, node in ipairs(nodes) do
    node.parent = nodes[i > 1 and (i - i % 2) / 2 or count]
    node.left, node.right = nodes[2 * i], nodes[2 * i + 1]
    node.before = nodes[i > 1 and i - 1 or count]
    node.other = nodes[random() % count + 1]
  end
  return nodes
end

-- A large JSON file, made by document.py.
function sets.document(count, path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return assert(require "cjson".decode(text))
end

-- A home table of one entry each.
sets.home = sets.strings

------------------------------------------------------------------ comparison

local math_type = math.type or function() return "number" end

-- Numbers that text carried differ by its precision.
local function same_number(a, b, tolerance)
  if tolerance == 0 then return a == b and math_type(a) == math_type(b) end
  return math.abs(a - b) <= tolerance * math.max(math.abs(a), math.abs(b))
end

local function fail(what, a, b)
  error(("the result differs: %s: %s and not %s"):format(what, tostring(b), tostring(a)), 0)
end

-- Two values that are no tables; tables join the list of what is to be compared.
local function compare(a, b, tolerance, partner, waiting)
  if type(a) == "table" and type(b) == "table" then
    if partner[a] == nil then
      partner[a] = b
      waiting[#waiting + 1] = a
    elseif partner[a] ~= b and tolerance == 0 then
      fail("identity", partner[a], b)
    end
    return
  end
  local same = rawequal(a, b)
  if type(a) == "number" and type(b) == "number" then same = same_number(a, b, tolerance) end
  if not same then fail("a value", a, b) end
end

-- Raises unless b is what a is: with tolerance 0 the subtypes of numbers and the identity of tables too.
function data.same(a, b, tolerance)
  local partner, waiting = {}, {}
  compare(a, b, tolerance, partner, waiting)
  while #waiting > 0 do
    local x = table.remove(waiting)
    local y, entries = partner[x], 0
    for key, value in next, x do
      compare(value, y[key], tolerance, partner, waiting)
      entries = entries + 1
    end
    for _ in next, y do entries = entries - 1 end
    if entries ~= 0 then fail("the number of entries", x, y) end
  end
end

-- Closures of sets.closures.
function data.same_closures(list, count)
  if #list ~= count then fail("how many", count, #list) end
  for i, f in ipairs(list) do
    if f(0) ~= i or f(2) ~= i + 6 or f(-2) ~= i then fail("what a function returned", i, f(0)) end
    if debug.upvalueid(f, 2) ~= debug.upvalueid(list[1], 2) then fail("a shared upvalue", 1, i) end
    if i > 1 and debug.upvalueid(f, 1) == debug.upvalueid(list[1], 1) then fail("an upvalue of its own", 1, i) end
  end
end

-- Of all that a value reaches: how many tables, keys and values, bytes in strings, and strings.
function data.measure(value)
  local tables, values, bytes = 0, 0, 0
  local seen, waiting = {}, {}
  local function meet(v)
    values = values + 1
    if type(v) == "string" then bytes = bytes + #v end
    if type(v) == "table" and not seen[v] then
      seen[v] = true
      tables = tables + 1
      waiting[#waiting + 1] = v
    end
  end
  meet(value)
  while #waiting > 0 do
    for key, v in next, table.remove(waiting) do
      meet(key)
      meet(v)
    end
  end
  return tables, values, bytes
end

return data
