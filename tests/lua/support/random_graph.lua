-- Random graphs of every kind of value that can be stored. The same seed builds the same graph again: what was stored
-- can be compared with a fresh build.
local random_graph = {}

local random = math.random

local function one_of(list) return list[random(#list)] end

-- ------------------------------------------------------------------- atoms

local integers = { 0, 1, -1, 2, 23, 24, 63, 64, 127, 128, 255, 256, 16383, 16384, 1 << 21, 1 << 31, 1 << 32, 1 << 53,
  math.maxinteger, math.mininteger, math.mininteger + 1 }
local floats = { 0.0, -0.0, 1.0, -1.0, 2.0, 3.0, -100.0, 0.5, 1e15, 2.0 ^ 53, 2.0 ^ 63, 1e308, -1e308, 5e-324,
  2.2250738585072014e-308, math.huge, -math.huge, math.pi, 0.1,
  string.unpack("<d", string.pack("<I8", 0x7ff8000000000000)),
  string.unpack("<d", string.pack("<I8", 0xfff8000000000123)), string.unpack("<f", string.pack("<f", 0.1)) }
local lengths = { 0, 1, 2, 5, 31, 32, 39, 40, 41, 63, 64, 127, 128, 255, 256, 1000 }
local named = { print, string.upper, math.sin, io.stdout, io.stderr, string, math, _G, getmetatable "", (ipairs {}) }

local function a_string()
  local length = one_of(lengths)
  local kind = random(5)
  if kind == 1 then return ("\0"):rep(length) end
  if kind == 2 then return ("text"):rep(length // 4) end
  if kind == 3 and random(20) == 1 then return ("long "):rep(4000) end
  local bytes = {}
  for i = 1, length do bytes[i] = string.char(random(0, 255)) end
  return table.concat(bytes)
end

local function an_atom()
  local kind = random(12)
  if kind <= 3 then return random(-1000, 1000) end
  if kind == 4 then return one_of(integers) end
  if kind == 5 then return one_of(floats) end
  if kind == 6 then return random() end
  if kind <= 8 then return a_string() end
  if kind == 9 then return "k" .. random(20) end
  if kind == 10 then return random(2) == 1 end
  if kind == 11 then return one_of(named) end
  return random(math.mininteger, math.maxinteger)
end

-- A key that is no object; floats with the value of an integer become that integer, as Lua does it.
local function a_key()
  local kind = random(10)
  if kind <= 4 then return "k" .. random(30) end
  if kind == 5 then return a_string() end
  if kind == 6 then return random(-3, 12) end
  if kind == 7 then return one_of(integers) end
  if kind == 8 then return random(2) == 1 end
  if kind == 9 then return random() end
  return one_of { 0.5, -1.5, math.huge, -math.huge, 2.0 ^ 53 + 2, 5e-324 }
end

-- --------------------------------------------------------------- functions

-- Each gives one or more functions; a and b are any values.
local families = {
  function(a, b) -- three functions over two cells
    return function(v) a, b = v, a end, function() return a end, function() return b, a end
  end,
  function(a) -- cells of their own
    local list = {}
    for i = 1, 3 do list[i] = function() i = i + 1 return i, a end end
    return table.unpack(list)
  end,
  function() -- itself in its cell
    local function f(n) return n == 0 and f or f(n - 1) end
    return f
  end,
  function(a) -- each in the other's cell
    local even, odd
    function even(n) if n == 0 then return a end return odd(n - 1) end
    function odd(n) if n == 0 then return nil end return even(n - 1) end
    return even, odd
  end,
  function() return function(...) return ..., nil, true, 1, 1.0, -0.0, 1e300, "constant", ("long "):rep(20) end end,
  function() return function() return print, string.format("%d", 1), _G end end,
  function(a) -- functions in functions
    return function(b) return function(c) a = a or b return function() return a, b, c end end end
  end,
  function(a) -- an _ENV of its own, a table of the graph
    local env = type(a) == "table" and a or {}
    return assert(load("x = (x or 0) + 1 return x, function() return x, y end", "=chunk", "t", env))
  end,
  function() -- a name that is the whole text
    return assert(load("local a, b <const>, c <close> = 1, 2, nil ::again:: if a > b then goto again end return ..."))
  end,
  function(a, b) -- more upvalues than fit anywhere
    local names = {}
    for i = 1, random(3, 60) do names[i] = "v" .. i end
    local list = table.concat(names, ", ")
    return assert(load("local " .. list .. " = ... return function() return " .. list .. " end"))(a, b, a)
  end,
}

-- ------------------------------------------------------------------ graphs

local function an_object(graph) return one_of(graph.objects) end

local function a_value(graph)
  return random(5) <= 2 and an_atom() or an_object(graph)
end

local function add(graph, ...)
  for i = 1, select("#", ...) do graph.objects[#graph.objects + 1] = (select(i, ...)) end
end

-- Cells get other values, and are shared by functions that had cells of their own.
local function join(graph)
  local functions = {}
  for _, object in ipairs(graph.objects) do
    if type(object) == "function" and debug.getupvalue(object, 1) then functions[#functions + 1] = object end
  end
  if #functions == 0 then return end
  for _ = 1, #functions do
    local f, g = one_of(functions), one_of(functions)
    local i, j = random(debug.getinfo(f, "u").nups), random(debug.getinfo(g, "u").nups)
    if debug.getupvalue(f, i) ~= "_ENV" and debug.getupvalue(g, j) ~= "_ENV" then
      if random(3) == 1 then debug.upvaluejoin(f, i, g, j) else debug.setupvalue(f, i, a_value(graph)) end
    end
  end
end

local function fill(graph, object)
  if random(3) == 1 then -- a sequence, or one with holes
    for i = 1, random(12) do
      if random(8) > 1 then rawset(object, i, a_value(graph)) end
    end
  end
  for _ = 1, random(0, 8) do rawset(object, a_key(), a_value(graph)) end
  local objects = random(3) == 1 and random(0, graph.object_keys) or 0
  for _ = 1, objects do rawset(object, an_object(graph), a_value(graph)) end
  if random(4) == 1 then debug.setmetatable(object, graph.tables[random(#graph.tables)]) end
end

-- An external table that only another one refers to is held outside of the heap: no weak side knows of that.
local function in_the_heap(graph, make)
  local value
  repeat value = make(graph) until type(value) ~= "userdata" or io.type(value)
  return value
end

-- Entries whose weak side is in the graph, and entries that nothing else holds.
local function a_weak_table(graph)
  local mode = one_of { "k", "v", "kv" }
  local weak = debug.setmetatable({}, { __mode = mode })
  for i = 1, random(6) do
    local value = random(3) == 1 and {} or in_the_heap(graph, a_value)
    if mode == "v" or graph.object_keys < 2 then
      weak[random(2) == 1 and i or "k" .. i] = value
    else
      weak[random(3) == 1 and {} or in_the_heap(graph, an_object)] = value
    end
  end
  return weak
end

-- Objects that are rebuilt by their class, over leaves that the rest of the graph may hold too.
local function persistent_objects(graph)
  local class = {}
  class.__index = class
  function class.__persist(object)
    local n, leaf = object.n, object.leaf
    return function() return setmetatable({ n = n, leaf = leaf }, class) end
  end
  local leaf = { an_atom(), x = an_atom() }
  add(graph, leaf)
  for _ = 1, random(3) do add(graph, setmetatable({ n = an_atom(), leaf = random(2) == 1 and leaf or {} }, class)) end
end

-- Tables whose entries are outside of the heap, made by graph.external.
local function external_tables(graph)
  local last
  for _ = 1, random(3) do
    local handle = assert(graph.external())
    for _ = 1, random(0, 10) do
      local key, value = a_key(), an_atom()
      if type(key) == "string" then key = key:sub(1, 500) end
      while type(value) == "table" or type(value) == "userdata" do value = an_atom() end
      handle[key] = value
    end
    handle.f = function(n) return n, print end
    handle.last = last
    last = handle
    add(graph, handle)
  end
end

-- Changes a graph that build gave, and what a store made of it, in the same way: objects of the root list, and a large
-- table in it, which is there from the first time on.
function random_graph.edit(root, seed)
  math.randomseed(seed)
  for i = 1, 60 do
    local object, key, value = root[i], a_key(), an_atom()
    if type(object) == "table" then
      rawset(object, key, value)
    elseif type(object) == "function" then
      local name = debug.getupvalue(object, 1)
      if name and name ~= "_ENV" then debug.setupvalue(object, 1, value) end
    end
  end
  root.large = root.large or {}
  for _ = 1, next(root.large) and 5 or 600 do root.large[random(600)] = an_atom() end
end

-- Options: `size`, so many tables; `object_keys`, at most so many keys of a table are objects; `external`, a function
-- that makes an external table; `persist`, objects with hooks, too.
function random_graph.build(seed, options)
  math.randomseed(seed)
  local graph = { objects = {}, tables = {}, object_keys = options.object_keys or 6, external = options.external }
  for i = 1, options.size or 30 do
    graph.tables[i] = {}
    graph.objects[i] = graph.tables[i]
  end
  if graph.external then external_tables(graph) end
  for _ = 1, random(0, 12) do add(graph, one_of(families)(a_value(graph), a_value(graph))) end
  if options.persist then persistent_objects(graph) end
  join(graph)
  for _, object in ipairs(graph.tables) do fill(graph, object) end
  for _ = 1, random(0, 3) do add(graph, a_weak_table(graph)) end
  local root = {}
  for i, object in ipairs(graph.objects) do
    if random(3) > 1 then root[i] = object end
  end
  return root
end

return random_graph
