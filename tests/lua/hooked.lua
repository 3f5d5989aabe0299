-- Hooked objects in stores: which of them can be stored, what rollback keeps of them and what it makes anew.
local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails
local random = math.random

local function open()
  local store = assert(hearth.open "memory:")
  return store, store.home
end

-- A class whose objects hold one thing, in `held`.
local function new_class()
  local class = {}
  function class:__persist()
    local held = self.held
    return function() return setmetatable({ held = held }, class) end
  end
  return class
end

-- An object that holds one that holds a table: which of the three change before the rollback, and who else has them.
local holders = {
  ["a weak table; the outer one and the table change"] = { weak = true, outer_changes = true, table_changes = true },
  ["a weak table; the outer one changes"] = { weak = true, outer_changes = true },
  ["a weak table; the table changes"] = { weak = true, table_changes = true },
  ["a weak table, and home has the inner one"] =
    { weak = true, outer_changes = true, table_changes = true, inner_shared = true },
  ["a table that home has, too; the outer one and the table change"] =
    { table_shared = true, outer_changes = true, table_changes = true },
  ["a table that home has, too; the outer one changes"] = { table_shared = true, outer_changes = true },
  ["a table that home has, too; the table changes"] = { table_shared = true, table_changes = true },
  ["a table of its own; the outer one and the table change"] = { outer_changes = true, table_changes = true },
  ["a table of its own; the outer one changes"] = { outer_changes = true },
  ["a table of its own, and home has the inner one"] =
    { outer_changes = true, table_changes = true, inner_shared = true },
}

for name, case in pairs(holders) do
  test("rollback of an object that holds another: " .. name, function()
    local store <close>, home = open()
    local class = new_class()
    local content = case.weak and setmetatable({}, { __mode = "k" }) or {}
    local inner = setmetatable({ held = content }, class)
    local outer = setmetatable({ held = inner }, class)
    home.class, home.outer = class, outer
    if case.table_shared then home.content = content end
    if case.inner_shared then home.inner = inner end
    assert(store:commit())
    if case.outer_changes then outer.held = 1 end
    if case.table_changes then content[3] = { 1 } end
    for _ = 1, 2 do
      assert(store:rollback())
      equal(home.outer, outer)
      equal(outer.held, inner)
      equal(getmetatable(inner), class)
      equal(next(inner.held), nil)
      if case.table_shared then equal(inner.held, home.content) end
      if case.inner_shared then equal(home.inner, inner) end
    end
    local sequence = store:stat().storage.sequence
    assert(store:commit())
    equal(store:stat().storage.sequence, sequence)
  end)
end

-- ---------------------------------------------------------------- cycles

local need_each_other = "rebuilding functions need each other's results"

-- Makes a graph below home; where it cannot be rebuilt, nothing of it is stored, and the store goes on.
local function refused(name, path, make)
  test("what cannot be rebuilt is not stored: " .. name, function()
    local uri = "file:" .. t.path "cycle.hearth"
    do
      local store <close> = assert(hearth.open(uri))
      local class = new_class()
      store.home.class, store.home.n = class, 1
      assert(store:commit())
      local sequence = store:stat().storage.sequence
      store.home.n = 2
      make(store.home, class)
      fails("cycle", "_home" .. path .. ": " .. need_each_other, store:commit())
      fails("cycle", "_home" .. path .. ": " .. need_each_other, store:commit()) -- and again
      equal(store:stat().storage.sequence, sequence)
      fails("cycle", need_each_other, hearth.encode(store.home))
      fails("cycle", need_each_other, hearth.encode(store.home, { canonical = true }))
      assert(store:rollback())
      equal(store.home.n, 1)
      equal(store.home.a, nil)
      make(store.home, class)
      store.home.a, store.home.b = nil, nil
      assert(store:commit())
    end
    local store <close> = assert(hearth.open(uri))
    equal(store.home.n, 1)
    os.remove((t.path "cycle.hearth"))
  end)
end

refused("an object that needs itself", ".a", function(home, class)
  home.a = setmetatable({}, class)
  home.a.held = home.a
end)

refused("two that need each other", ".a", function(home, class)
  local a, b = setmetatable({}, class), setmetatable({}, class)
  a.held, b.held = b, a
  home.a = a
end)

refused("over a function of its own", ".a", function(home, class)
  local a = setmetatable({}, class)
  a.held = function() return a end
  home.a = a
end)

refused("over a function that home has, too", ".a", function(home, class)
  local a = setmetatable({}, class)
  a.held = function() return a end
  home.a, home.b = a, a.held
end)

refused("over functions that share a cell, one of them another object's", ".b", function(home, class)
  local a, b = setmetatable({}, class), setmetatable({}, class)
  local c
  b.held, a.held = function() return c end, function() c = nil end
  c = a
  home.a, home.b = nil, b
end)

test("what can be rebuilt is stored: over tables, weak tables, metatables; functions alone", function()
  local uri = "file:" .. t.path "no-cycle.hearth"
  do
    local store <close> = assert(hearth.open(uri))
    local home, class = store.home, new_class()
    local function new(held) return setmetatable({ held = held }, class) end
    local a, b, c, d = new(), new(), new(), new()
    a.held, b.held = { a }, { [b] = b }
    c.held = setmetatable({}, { __mode = "v", __index = c })
    local function f() return f end
    d.held = f
    home.class, home.list = class, { a, b, c, d }
    assert(store:commit())
    home.change = 1
    d.held = { f, d }
    assert(store:rollback())
    equal(d.held, home.list[4].held)
  end
  local store <close> = assert(hearth.open(uri))
  local a, b, c, d = table.unpack(store.home.list)
  equal(a.held[1], a)
  equal(b.held[b], b)
  equal(getmetatable(c.held).__index, c)
  equal(d.held(), d.held)
end)

-- ----------------------------------------------------------- weak tables

test("a weak table that a hook makes anew each time", function()
  local store <close>, home = open()
  local class = {}
  function class:__persist()
    local cache = setmetatable({}, { __mode = "k" })
    cache[home], cache[{}] = { "home" }, "nothing else has it"
    return function() return setmetatable({ cache = cache }, class) end
  end
  home.class, home.object = class, setmetatable({}, class)
  local object = home.object
  assert(store:commit())
  local next_id, sequence = store:stat().next_id, store:stat().storage.sequence
  for _ = 1, 3 do
    assert(store:commit())
    equal(store:stat().next_id, next_id)
    equal(store:stat().storage.sequence, sequence)
  end
  assert(store:rollback())
  equal(home.object, object)
  assert(store:commit())
  equal(store:stat().storage.sequence, sequence)
end)

-- What the class's only object is given as `held` is what decoding a blob and opening a store make of it.
local function weak_case(name, make, check)
  test("weak tables that one object alone has: " .. name, function()
    local uri, bytes = "file:" .. t.path "weak.hearth", nil
    do
      local store <close> = assert(hearth.open(uri))
      local home, class = store.home, new_class()
      home.class, home.object = class, setmetatable({}, class)
      home.object.held = make(home, class)
      assert(store:commit())
      local sequence = store:stat().storage.sequence
      assert(store:commit())
      equal(store:stat().storage.sequence, sequence)
      bytes = assert(hearth.encode(home))
    end
    collectgarbage "stop" -- which would take what should not be there
    local store <close> = assert(hearth.open(uri))
    for _, home in ipairs { store.home, (assert(hearth.decode(bytes, { trusted = true }))) } do
      check(home.object.held, home)
    end
    collectgarbage "restart"
    os.remove((t.path "weak.hearth"))
  end)
end

local function count(object)
  local n = 0
  for _ in next, object do n = n + 1 end
  return n
end

weak_case("keys that home has, and others", function(home)
  home.key = {}
  return setmetatable({ [home.key] = { "kept" }, [{}] = "gone", [1] = 2 }, { __mode = "k" })
end, function(held, home)
  equal(held[home.key][1], "kept")
  equal(held[1], 2)
  equal(count(held), 2)
end)

weak_case("keys that the same object has, each over the value of another", function()
  local list = { {}, {}, {}, {} }
  local chain = setmetatable({}, { __mode = "k" })
  for i = 1, 3 do chain[list[i]] = { list[i + 1] } end
  chain[{}] = { {} }
  return { chain = chain, first = list[1] }
end, function(held)
  local key = held.first
  for _ = 1, 3 do key = held.chain[key][1] end
  equal(held.chain[key], nil)
  equal(count(held.chain), 3)
end)

weak_case("keys that another object has", function(home, class)
  local key = {}
  home.other = setmetatable({ held = { key } }, class)
  return setmetatable({ [key] = "kept", [{}] = "gone" }, { __mode = "k" })
end, function(held, home)
  equal(held[home.other.held[1]], "kept")
  equal(count(held), 1)
end)

weak_case("values; a weak table of the graph holds one of them by a key of the object's", function(home)
  local key, value = {}, {}
  home.graph = setmetatable({ [key] = { value } }, { __mode = "k" })
  return { key = key, values = setmetatable({ value, {}, "text", [value] = 1 }, { __mode = "v" }) }
end, function(held, home)
  equal(held.values[1], home.graph[held.key][1])
  equal(held.values[3], "text")
  equal(held.values[held.values[1]], 1)
  equal(count(held.values), 3)
end)

weak_case("two objects have it", function(home, class)
  local shared = setmetatable({ [home] = 1, [{}] = 2 }, { __mode = "k" })
  home.other = setmetatable({ held = shared }, class)
  return shared
end, function(held, home)
  equal(home.other.held, held)
  equal(held[home], 1)
  equal(count(held), 1)
end)

test("a hook makes the weak table of another object a strong one", function()
  local store <close>, home = open()
  local class, first = {}, nil
  function class:__persist()
    local table = setmetatable({ [{}] = 1 }, { __mode = "k" })
    if first then setmetatable(first, {}) end
    first = table
    return function() return setmetatable({ table }, class) end
  end
  home.class, home.a, home.b = class, setmetatable({}, class), setmetatable({}, class)
  fails("unstorable", "a weak table that a hook made a strong one meanwhile", store:commit())
  first, home.b = nil, nil
  assert(store:commit())
end)

-- ------------------------------------------------ hooks that change things

test("rollback: a hook takes its own object's metatable away, or another's", function()
  for _, victim in ipairs { "own", "another's", "another's, probed before" } do
    local store <close>, home = open()
    local class, objects = new_class(), {}
    local hook = class.__persist
    function class:__persist()
      if meddle then meddle(self) end -- a global: what the hook captures is stored with it
      return hook(self)
    end
    home.class, home.list = class, {}
    for i = 1, 3 do home.list[i] = setmetatable({ held = { i } }, class) end
    assert(store:commit())
    for i = 1, 3 do objects[i] = home.list[i] end
    function meddle(object)
      setmetatable(victim == "own" and object or objects[victim:find "before" and 1 or 2], nil)
    end
    assert(store:rollback())
    meddle = nil
    for i = 1, 3 do
      equal(home.list[i], objects[i])
      equal(getmetatable(objects[i]), class, victim)
      equal(objects[i].held[1], i)
    end
    local sequence = store:stat().storage.sequence
    assert(store:commit())
    equal(store:stat().storage.sequence, sequence)
  end
end)

-- ---------------------------------------------------------------- random

-- A graph of hooked objects, functions and tables: `all` lists the tables and, in `functions`, the functions.
local function random_object(all)
  local list = random(3) == 1 and #all.functions > 0 and all.functions or all
  return list[random(#list)]
end

local function random_value(all, classes)
  local kind = random(9)
  local one = random_object(all)
  local function add(object)
    all[#all + 1] = object
    return object
  end
  if kind <= 2 then return random(5) end
  if kind == 3 then return add { random(3) } end
  if kind == 4 then return add(setmetatable({ a = random(3) }, classes[random(2)])) end
  if kind == 5 then
    local shared, own = random(4), one
    local function get() return shared, own end
    all.functions[#all.functions + 1] = get
    return add { get = get, set = function(value) shared = value end }
  end
  if kind == 6 then
    all.functions[#all.functions + 1] = function() return one end
    return all.functions[#all.functions]
  end
  if kind == 7 then return add(setmetatable({}, { __mode = random(2) == 1 and "k" or "v" })) end
  return one
end

local function change(all, classes)
  local object = all[random(#all)]
  local meta = getmetatable(object)
  if meta == classes[1] or meta == classes[2] then
    object[({ "a", "b", "c" })[random(3)]] = random_value(all, classes)
  elseif random(4) == 1 then
    object[random_object(all)] = random_value(all, classes)
  elseif rawget(object, "set") and random(2) == 1 then
    rawget(object, "set")(random_value(all, classes))
  else
    object[random(3)] = random_value(all, classes)
  end
end

local function random_classes()
  local function class(get)
    local c = {}
    function c:__persist()
      local a, b, x = rawget(self, "a"), rawget(self, "b"), rawget(self, "c")
      if get then
        local f = function() return a, b, x end
        return function()
          local o = setmetatable({}, c)
          o.a, o.b, o.c = f()
          return o
        end
      end
      return function() return setmetatable({ a = a, b = b, c = x }, c) end
    end
    return c
  end
  return { class(false), class(true) }
end

-- Everything reachable but what only weak tables hold, with identities as numbers in the order of the walk.
-- `with_weak`: how many entries these have, too.
local function describe(root, classes, with_weak)
  local numbers, count, out, queue = {}, 0, {}, {}
  local function name(value)
    local kind = type(value)
    if kind ~= "table" and kind ~= "function" then return tostring(value) end
    if not numbers[value] then
      count = count + 1
      numbers[value], queue[count] = count, value
    end
    return "#" .. numbers[value]
  end
  name(root)
  local done = 0
  while done < count do
    done = done + 1
    local value, parts = queue[done], {}
    if type(value) == "function" then
      for i = 1, math.huge do
        local key, held = debug.getupvalue(value, i)
        if not key then break end
        if key ~= "_ENV" then parts[#parts + 1] = i .. "=" .. name(held) end
      end
    else
      local meta = getmetatable(value)
      if meta then
        parts[1] = meta == classes[1] and "A" or meta == classes[2] and "B" or "weak " .. tostring(meta.__mode)
      end
      local keys, others, weak = {}, 0, meta and meta.__mode
      for key in next, value do
        if weak then others = others + (with_weak and 1 or 0)
        elseif type(key) == "table" or type(key) == "function" then others = others + 1
        else keys[#keys + 1] = key end
      end
      table.sort(keys, function(x, y) return tostring(x) < tostring(y) end)
      for _, key in ipairs(keys) do parts[#parts + 1] = tostring(key) .. "=" .. name(value[key]) end
      parts[#parts + 1] = "others " .. others
    end
    out[done] = type(value) .. " " .. table.concat(parts, ",")
  end
  return table.concat(out, "\n")
end

-- Can it be rebuilt? Looks through functions, and through objects over what their hooks would capture.
local function has_cycle(root, classes)
  local seen, hooked, weak = { [root] = true }, {}, {}
  local queue = { root }
  local function reach(value)
    local kind = type(value)
    if (kind == "table" or kind == "function") and not seen[value] then
      seen[value] = true
      queue[#queue + 1] = value
    end
  end
  local function is_hooked(value)
    local meta = type(value) == "table" and getmetatable(value)
    return meta and (meta == classes[1] or meta == classes[2])
  end
  local function needs(value)
    if is_hooked(value) then return { value.a or false, value.b or false, value.c or false } end
    local list = {}
    if type(value) == "function" then
      for i = 1, math.huge do
        local key, held = debug.getupvalue(value, i)
        if not key then break end
        list[i] = held or false
      end
    end
    return list
  end
  local function lives(value)
    return type(value) ~= "table" and type(value) ~= "function" or seen[value]
  end
  local function reach_entries(object, mode)
    for key, held in next, object do
      if (mode ~= "k" or lives(key)) and (mode ~= "v" or lives(held)) then
        reach(key)
        reach(held)
      end
    end
  end
  local i = 1
  while queue[i] do
    local value = queue[i]
    i = i + 1
    if is_hooked(value) then hooked[#hooked + 1] = value end
    if is_hooked(value) or type(value) == "function" then
      for _, held in ipairs(needs(value)) do reach(held) end
    else
      local meta = getmetatable(value)
      if meta then reach(meta) end
      if meta and meta.__mode then weak[#weak + 1] = value else reach_entries(value) end
    end
    if not queue[i] then -- nothing else is left
      for _, object in ipairs(weak) do reach_entries(object, getmetatable(object).__mode) end
    end
  end
  for _, object in ipairs(hooked) do
    local below, stack = {}, { object }
    while #stack > 0 do
      for _, held in ipairs(needs(table.remove(stack))) do
        if held == object then return true end
        if not below[held] then
          below[held] = true
          stack[#stack + 1] = held
        end
      end
    end
  end
  return false
end

local function seeded(name, rounds, f)
  test(name, function()
    local seed = t.seed()
    for round = 1, t.rounds(rounds) do
      math.randomseed(seed + round)
      local ok, message = xpcall(f, debug.traceback)
      if not ok then error("HEARTH_TEST_SEED=" .. seed .. ", round " .. round .. ": " .. message, 0) end
    end
  end)
end

seeded("random rollbacks of hooked objects", 700, function()
  local store <close>, home = open()
  local classes = random_classes()
  local all = { home, functions = {} }
  home.classes = classes
  for _ = 1, 8 do change(all, classes) end
  local ok, message, code = store:commit()
  if not ok then return equal(code, "cycle", message) end
  for _ = 1, 6 do
    local before = describe(home, classes)
    for _ = 1, random(6) do change(all, classes) end
    if random(2) == 1 then
      for _ = 1, 3 do
        local object = all[random(#all)]
        for key in next, object do
          if key ~= "classes" then
            object[key] = nil
            break
          end
        end
      end
    end
    local committed = false
    if random(3) == 1 then
      committed, message, code = store:commit()
      if not committed then equal(code, "cycle", message) end
    end
    if not committed then
      assert(store:rollback())
      equal(describe(home, classes), before)
      assert(store:commit())
    end
  end
end)

seeded("random graphs of hooked objects: what is stored can be opened, what is refused has a cycle", 700, function()
  local uri = "file:" .. t.path "random.hearth"
  local classes = random_classes()
  local store <close> = assert(hearth.open(uri))
  local home = store.home
  local all = { home, functions = {} }
  home.classes = classes
  for _ = 1, random(12) do change(all, classes) end
  local cyclic, before = has_cycle(home, classes), describe(home, classes)
  local ok, message, code = store:commit()
  local bytes, reason, status = hearth.encode(home)
  if cyclic then
    fails("cycle", need_each_other, ok, message, code)
    fails("cycle", need_each_other, bytes, reason, status)
  else
    assert(ok, message)
  end
  local sequence = store:stat().storage.sequence
  if ok then assert(store:commit()) end
  equal(store:stat().storage.sequence, sequence)
  store:close()
  collectgarbage "stop" -- which would take what should not be there
  local again <close> = assert(hearth.open(uri))
  if not cyclic then
    local copy = assert(hearth.decode(assert(bytes, reason), { trusted = true }))
    equal(describe(again.home, again.home.classes), before)
    equal(describe(again.home, again.home.classes, true), describe(copy, copy.classes, true))
  end
  collectgarbage "restart"
  again:close()
  os.remove((t.path "random.hearth"))
end)

seeded("hooks that change what functions capture: what is stored can be opened", 700, function()
  local uri = "file:" .. t.path "meddled.hearth"
  local store <close> = assert(hearth.open(uri))
  local home, classes = store.home, random_classes()
  local all = { home, functions = {} }
  home.classes = classes
  for _ = 1, random(12) do change(all, classes) end
  for _, class in ipairs(classes) do
    local hook = class.__persist
    function class:__persist() -- one function of Lua's own more in the graph
      for _ = 1, random(3) do
        local object = all[random(#all)]
        if rawget(object, "set") then object.set(random_object(all)) end
      end
      return hook(self)
    end
  end
  local ok, message, code = store:commit()
  local bytes, reason, status = hearth.encode(home)
  if not ok then assert(code == "cycle" or code == "unstorable", message) end
  if bytes then
    assert(hearth.decode(bytes, { trusted = true }))
  else
    assert(status == "cycle" or status == "unstorable", reason)
  end
  store:close()
  local again <close> = assert(hearth.open(uri))
  again:close()
  os.remove((t.path "meddled.hearth"))
end)

t.finish()
