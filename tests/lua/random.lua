-- Random programs: tables, closures with shared upvalues, metatables, cycles, changed at random; commits, rollbacks,
-- collections and reopenings in between. The whole graph, identities included, is written as text and compared.
local hearth = require "hearth"
local t = require "harness"
local test = t.test
local random = math.random

-- The graph as text: objects and cells are numbered in the order in which a walk in the order of keys meets them.
local function describe(root)
  local ids, queue, cells, out, next_cell = {}, {}, {}, {}, 0
  local function show(v)
    if type(v) == "table" or type(v) == "function" then
      if not ids[v] then
        queue[#queue + 1] = v
        ids[v] = #queue
      end
      return type(v) .. ids[v]
    end
    return type(v) == "string" and string.format("%q", v) or math.type(v) == "float" and string.format("%a", v)
      or tostring(v)
  end
  local function order(a, b)
    if type(a) ~= type(b) then return type(a) < type(b) end
    return a < b
  end
  show(root)
  local at = 1
  while queue[at] do
    local v = queue[at]
    out[#out + 1] = show(v) .. ":"
    if type(v) == "table" then
      local keys = {}
      for k in next, v do keys[#keys + 1] = k end
      table.sort(keys, order)
      for _, k in ipairs(keys) do out[#out + 1] = show(k) .. "=" .. show(v[k]) end
      if getmetatable(v) then out[#out + 1] = "metatable=" .. show(getmetatable(v)) end
    else
      for i = 1, 255 do
        local name, value = debug.getupvalue(v, i)
        if not name then break end
        if name ~= "_ENV" then
          local id = debug.upvalueid(v, i)
          if not cells[id] then
            next_cell = next_cell + 1
            cells[id] = "cell" .. next_cell
          end
          out[#out + 1] = cells[id] .. "=" .. show(value)
        end
      end
    end
    at = at + 1
  end
  return table.concat(out, " ")
end

-- Three closures over two cells, one of them shared by all.
local function closures(a, b)
  return function(v) a, b = v, a end, function() return a end, function() return b, a end
end

-- A random object of the graph, by a random walk from home.
local function pick(home)
  local v = home
  for _ = 1, random(6) do
    local candidates = {}
    if type(v) == "table" then
      for _, x in next, v do
        if type(x) == "table" or type(x) == "function" then candidates[#candidates + 1] = x end
      end
    else
      for i = 1, 2 do
        local _, x = debug.getupvalue(v, i)
        if type(x) == "table" or type(x) == "function" then candidates[#candidates + 1] = x end
      end
    end
    if #candidates == 0 then break end
    v = candidates[random(#candidates)]
  end
  return v
end

local function value(home)
  local kind = random(10)
  if kind <= 2 then return {} end
  if kind == 3 then return (select(random(3), closures({}, random(9)))) end
  if kind <= 6 then return pick(home) end
  if kind == 7 then return ("text"):rep(random(60)) end
  if kind == 8 then return random() end
  return random(-1000, 1000)
end

local function change(home)
  local place = pick(home)
  if type(place) == "function" then
    if random(2) == 1 then
      debug.setupvalue(place, 1, value(home))
    else
      local a, b, c = closures(value(home), pick(home))
      home["f" .. random(9)], home["g" .. random(9)], home["h" .. random(9)] = a, b, c
    end
    return
  end
  local kind = random(12)
  if kind == 1 then
    local meta = random(2) == 1 and pick(home) or nil
    setmetatable(place, type(meta) == "table" and meta or nil)
  elseif kind == 2 then
    local from = random(40)
    for i = from, from + random(20) do place[i] = value(home) end
  elseif kind == 3 then
    for i = 1, random(30) do place["k" .. i] = nil end
  elseif kind <= 5 then
    place[random(40)] = value(home)
  elseif kind == 6 then
    place[random(40)] = nil
  else
    place["k" .. random(30)] = value(home)
  end
end

local function run(seed, page_size, generational)
  math.randomseed(seed)
  collectgarbage(generational and "generational" or "incremental")
  local uri = "file:" .. t.path("random" .. seed .. ".hearth")
  local expected
  for _ = 1, 12 do
    local store <close> = assert(hearth.open(uri, { page_size = page_size }))
    local home = store.home
    if expected then assert(describe(home) == expected, "after reopening, seed " .. seed) end
    for _ = 1, 8 do
      for _ = 1, random(60) do change(home) end
      if random(3) == 1 then collectgarbage() end
      if random(3) == 1 and expected then
        assert(store:rollback())
        assert(describe(home) == expected, "after a rollback, seed " .. seed)
      else
        assert(store:commit())
        expected = describe(home)
        local sequence = store:stat().storage.sequence
        assert(store:commit())
        assert(store:stat().storage.sequence == sequence, "a commit without changes wrote, seed " .. seed)
      end
    end
    assert(store:commit())
    expected = describe(home)
    if random(4) == 1 then assert(store:compact()) end
  end
  collectgarbage "incremental"
end

local first = t.seed()

for seed = first, first + t.rounds(12) - 1 do
  test("HEARTH_TEST_SEED=" .. seed, function()
    run(seed, ({ 64, 256, 4096 })[seed % 3 + 1], seed % 2 == 0)
  end)
end

test("encode and decode", function()
  for seed = first, first + t.rounds(31) - 1 do
    math.randomseed(seed)
    local home = {}
    for _ = 1, 400 do change(home) end
    local text = describe(home)
    local bytes = assert(hearth.encode(home))
    assert(describe(hearth.decode(bytes, { trusted = true })) == text, "seed " .. seed)
    local canonical = assert(hearth.encode(home, { canonical = true }))
    local again = assert(hearth.encode(hearth.decode(canonical, { trusted = true }), { canonical = true }))
    assert(again == canonical, "canonical, seed " .. seed)
  end
end)

t.finish()
