-- Are two graphs of Lua values the same but for the identity of their objects? There must be a bijection of tables,
-- Lua functions and upvalue cells that keeps everything: subtypes, all bits of floats, keys, metatables, code, which
-- closures share which cells. What has no contents to compare (C functions, threads, files) and what `fixed` lists is
-- kept when it is the same object.
--
-- Entries of weak tables count when their weak sides are reached otherwise: what else is in them may be gone.
--
-- Most of a graph is forced by its paths from the root. Only keys that are objects are not: candidates are those of the
-- same colour (a refinement by what is around an object), tried one after the other with backtracking.
local isomorphism = {}

local COLOUR_ROUNDS = 8 -- of refinement; more would tell more apart, but correctness does not depend on it

-- ------------------------------------------------------------------- code

-- A dump without what depends on where the function was made: the places its upvalues come from, and of its source's
-- name what no message shows.
local codes = {} -- a dump to that, since many closures have one
local function code(f, strip)
  local dump = string.dump(f, strip)
  if not strip and codes[dump] then return codes[dump] end
  local at = 33 -- behind the header, and the number of upvalues
  local function number()
    local n = 0
    while true do
      local byte = dump:byte(at)
      at = at + 1
      n = n << 7 | byte & 0x7f
      if byte >= 0x80 then return n end
    end
  end
  local function text()
    local size = number()
    if size > 0 then at = at + size - 1 end
  end
  text()
  local begin = at
  number()
  number()
  at = at + 3
  local instructions = number()
  at = at + 4 * instructions
  for _ = 1, number() do
    local kind = dump:byte(at)
    at = at + 1
    if kind & 0x0f == 4 then text()
    elseif kind & 0x0f == 3 then at = at + 8
    end
  end
  local count = number()
  local parts = { strip and "" or debug.getinfo(f, "S").short_src, dump:sub(begin, at - 1) }
  for i = 1, count do parts[i + 2] = "??" .. dump:sub(at + 3 * i - 1, at + 3 * i - 1) end
  parts[#parts + 1] = dump:sub(at + 3 * count)
  local result = table.concat(parts)
  if not strip then codes[dump] = result end
  return result
end

-- ----------------------------------------------------------------- reading

local OBJECTS = { table = true, ["function"] = true, userdata = true, thread = true }

local function is_object(v) return OBJECTS[type(v)] ~= nil end

-- A value that is no object, as text that says all of it.
local function atom(v)
  local kind = math.type(v)
  if kind == "float" then return "float " .. string.format("%a ", v) .. string.pack("<n", v) end
  return (kind or type(v)) .. " " .. tostring(v)
end

-- What is the same object on both sides: the library's.
local function standard()
  local fixed = { [_G] = true, [getmetatable ""] = true }
  local files = debug.getmetatable(io.stdout)
  fixed[files], fixed[files.__index], fixed[package.loaded] = true, true, true
  for _, module in next, package.loaded do fixed[module] = true end
  for _, field in next, package do fixed[field] = true end
  return fixed
end

-- "table", "function", "cell", "external", or nil: only identity counts.
local function kind_of(graph, v)
  if graph.fixed[v] then return nil end
  local kind = type(v)
  if kind == "table" then return kind end
  if kind == "function" then return debug.getinfo(v, "S").what ~= "C" and kind or nil end
  return kind == "userdata" and graph.external and graph.external(v) and "external" or nil
end

-- The entries of a table; those of an external one are read once, since each reading makes new functions.
local function entries(graph, object)
  if type(object) == "table" then return object end
  local copy = graph.contents[object]
  if not copy then
    copy = {}
    for k, v in pairs(object) do copy[k] = v end
    graph.contents[object] = copy
  end
  return copy
end

local function weakness(object)
  local meta = type(object) == "table" and debug.getmetatable(object)
  local mode = meta and rawget(meta, "__mode")
  if type(mode) ~= "string" then return false, false end
  return mode:find("k", 1, true) ~= nil, mode:find("v", 1, true) ~= nil
end

-- Everything that the root holds strongly: graph.reached, and graph.order in the order of the walk.
local function walk(root, options)
  local graph = { reached = {}, order = {}, contents = {}, cells = {} }
  graph.fixed, graph.external = options.fixed, options.external
  local ephemerons = {}
  local function reach(v)
    if not is_object(v) or graph.reached[v] then return end
    graph.reached[v] = true
    graph.order[#graph.order + 1] = v
  end
  local function look(object)
    local kind = graph.cells[object] and "cell" or kind_of(graph, object)
    if kind == "cell" then
      local cell = graph.cells[object]
      reach((select(2, debug.getupvalue(cell.f, cell.i))))
    elseif kind == "function" then
      for i = 1, debug.getinfo(object, "u").nups do
        local id = debug.upvalueid(object, i)
        graph.cells[id] = graph.cells[id] or { f = object, i = i }
        reach(id)
      end
    elseif kind then
      local meta = debug.getmetatable(object)
      if kind == "table" and meta then reach(meta) end
      local weak_keys, weak_values = weakness(object)
      if weak_keys and not weak_values then ephemerons[#ephemerons + 1] = object end
      for k, v in next, entries(graph, object) do
        if not weak_keys then reach(k) end
        if not weak_values and not weak_keys then reach(v) end
      end
    end
  end
  reach(root)
  local at, before = 1, nil
  repeat
    before = #graph.order
    while graph.order[at] do
      look(graph.order[at])
      at = at + 1
    end
    for _, object in ipairs(ephemerons) do -- a value is held by its key
      for k, v in next, object do
        if not is_object(k) or graph.reached[k] or not kind_of(graph, k) then reach(v) end
      end
    end
  until #graph.order == before and not graph.order[at]
  return graph
end

local function held(graph, v)
  return not is_object(v) or graph.reached[v] or not kind_of(graph, v)
end

-- The entries that count: those with plain keys in `plain`, those with objects as keys in `keyed`.
local function split(graph, object)
  local weak_keys, weak_values = weakness(object)
  if graph.exact then weak_keys, weak_values = false, false end
  local plain, keyed, count = {}, {}, 0
  for k, v in next, entries(graph, object) do
    if (not weak_keys or held(graph, k)) and (not weak_values or held(graph, v)) then
      if is_object(k) and kind_of(graph, k) then
        keyed[#keyed + 1] = k
      else
        plain[k] = v
        count = count + 1
      end
    end
  end
  return plain, keyed, count
end

-- ----------------------------------------------------------------- colours

local function before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return x < y end
  if x == "number" or x == "string" then return a < b end
  return tostring(a) < tostring(b)
end

local function sorted_keys(plain)
  local keys = {}
  for k in next, plain do keys[#keys + 1] = k end
  table.sort(keys, before)
  return keys
end

-- Numbers for the objects of two graphs: equal ones in both when what is around them looks the same.
local function colour(graphs, options)
  local ids, colours, facts = {}, {}, {}
  local count = 0
  local function id(text)
    if not ids[text] then
      count = count + 1
      ids[text] = count
    end
    return ids[text]
  end
  local function show(v)
    if not is_object(v) then return atom(v) end
    return colours[v] and tostring(colours[v]) or "fixed " .. tostring(v)
  end
  for _, graph in ipairs(graphs) do
    for _, object in ipairs(graph.order) do
      local kind = graph.cells[object] and "cell" or kind_of(graph, object)
      if kind then
        local fact = { kind = kind, graph = graph }
        facts[object] = fact
        local text = kind
        if kind == "function" then text = text .. code(object, options.strip) end
        if kind == "table" or kind == "external" then
          fact.plain, fact.keyed = split(graph, object)
          fact.keys = sorted_keys(fact.plain)
        end
        colours[object] = id(text)
      end
    end
  end
  local function around(object, fact)
    local parts = { show(object) }
    local function add(text) parts[#parts + 1] = text end
    if fact.kind == "cell" then
      local cell = fact.graph.cells[object]
      add(show((select(2, debug.getupvalue(cell.f, cell.i)))))
    elseif fact.kind == "function" then
      for i = 1, debug.getinfo(object, "u").nups do add(show(debug.upvalueid(object, i))) end
    else
      for _, k in ipairs(fact.keys) do add(show(k) .. "=" .. show(fact.plain[k])) end
      local pairs_of_objects = {}
      local all = entries(fact.graph, object)
      for i, k in ipairs(fact.keyed) do pairs_of_objects[i] = show(k) .. "=" .. show(all[k]) end
      table.sort(pairs_of_objects)
      add(table.concat(pairs_of_objects, ";"))
      if fact.kind == "table" then add("meta " .. show(debug.getmetatable(object))) end
    end
    return table.concat(parts, ",")
  end
  for _ = 1, COLOUR_ROUNDS do
    local next_colours = {}
    ids, count = {}, 0
    for object, fact in next, facts do next_colours[object] = id(around(object, fact)) end
    colours = next_colours
  end
  return colours
end

-- ---------------------------------------------------------------- matching

local Match = {}
Match.__index = Match

function Match:path(object)
  local steps = {}
  while object and self.cause[object] and #steps < 12 do
    table.insert(steps, 1, self.step[object])
    object = self.cause[object]
  end
  return (object and self.cause[object] and "..." or "root") .. table.concat(steps)
end

function Match:differ(from, step, what)
  self.reason = self:path(from) .. step .. ": " .. what
  return false
end

-- a stands for b, from now on or already.
function Match:pair(a, b, from, step)
  if self.map[a] ~= nil or self.inverse[b] ~= nil then
    if self.map[a] == b then return true end
    return self:differ(from, step, self.map[a] ~= nil and "shared with " .. self:path(a) .. " in the first alone"
      or "shared with another one in the second alone")
  end
  self.map[a], self.inverse[b] = b, a
  self.cause[a], self.step[a] = from, step
  self.trail[#self.trail + 1] = a
  return true
end

function Match:value(a, b, from, step)
  if type(a) ~= type(b) then return self:differ(from, step, type(a) .. " and " .. type(b)) end
  if not is_object(a) then
    return atom(a) == atom(b) or self:differ(from, step, ("%q and %q"):format(atom(a), atom(b)))
  end
  local kind, other = kind_of(self.first, a), kind_of(self.second, b)
  if kind ~= other then return self:differ(from, step, "two kinds of " .. type(a)) end
  if not kind then return rawequal(a, b) or self:differ(from, step, "another " .. type(a) .. " of the library") end
  return self:pair(a, b, from, step)
end

-- An entry whose key is an object that has been paired is there under the other key, with its value.
function Match:entry(o)
  local v, w = entries(self.first, o.a)[o.key], entries(self.second, o.b)[self.map[o.key]]
  if w == nil then return self:differ(o.a, "[object]", "there in the first alone") end
  return self:value(v, w, o.a, "[object]")
end

function Match:tables(a, b)
  local plain, keyed, count = split(self.first, a)
  local other_plain, other_keyed, other_count = split(self.second, b)
  if count ~= other_count then return self:differ(a, "", count .. " and " .. other_count .. " entries") end
  if #keyed ~= #other_keyed then
    return self:differ(a, "", #keyed .. " and " .. #other_keyed .. " entries whose keys are objects")
  end
  for k, v in next, plain do
    local other = other_plain[k]
    if other == nil then return self:differ(a, "[" .. tostring(k) .. "]", "there in the first alone") end
    if not self:value(v, other, a, "[" .. tostring(k) .. "]") then return false end
  end
  if type(a) == "table" then
    if not self:value(debug.getmetatable(a), debug.getmetatable(b), a, ".metatable") then return false end
  end
  for _, k in ipairs(keyed) do
    local o = { key = k, a = a, b = b, keys = other_keyed }
    self.open[#self.open + 1] = o
    self.waiting[k] = self.waiting[k] or {}
    table.insert(self.waiting[k], o)
    if self.map[k] ~= nil and not self:entry(o) then return false end
  end
  return true
end

function Match:functions(a, b)
  if code(a, self.options.strip) ~= code(b, self.options.strip) then return self:differ(a, "", "other code") end
  for i = 1, debug.getinfo(a, "u").nups do
    local name, other_name = debug.getupvalue(a, i), debug.getupvalue(b, i)
    if name ~= other_name and not self.options.strip then return self:differ(a, "", "other upvalues") end
    if not self:pair(debug.upvalueid(a, i), debug.upvalueid(b, i), a, ".upvalue[" .. i .. "]") then return false end
  end
  return true
end

-- Compares the contents of what was paired, until nothing new is paired.
function Match:settle()
  while self.trail[self.at] ~= nil do
    local a = self.trail[self.at]
    local b = self.map[a]
    self.at = self.at + 1
    local cell, other = self.first.cells[a], self.second.cells[b]
    if (cell ~= nil) ~= (other ~= nil) then return self:differ(a, "", "a cell and none") end
    local fine
    if cell then
      local _, x = debug.getupvalue(cell.f, cell.i)
      local _, y = debug.getupvalue(other.f, other.i)
      fine = self:value(x, y, a, ".value")
    elseif type(a) == "function" then
      fine = self:functions(a, b)
    else
      fine = self:tables(a, b)
    end
    if not fine then return false end
    for _, o in ipairs(self.waiting[a] or {}) do
      if not self:entry(o) then return false end
    end
  end
  return true
end

function Match:undo(trail, open)
  for i = #self.trail, trail + 1, -1 do
    local a = self.trail[i]
    self.inverse[self.map[a]] = nil
    self.map[a], self.cause[a], self.step[a], self.trail[i] = nil, nil, nil, nil
  end
  for i = #self.open, open + 1, -1 do
    table.remove(self.waiting[self.open[i].key])
    self.open[i] = nil
  end
  self.at = trail + 1
end

-- Finds partners for the keys that are objects, from number `first` on.
function Match:solve(first)
  while self.open[first] and self.map[self.open[first].key] ~= nil do first = first + 1 end
  local o = self.open[first]
  if not o then return true end
  self.colours = self.colours or colour({ self.first, self.second }, self.options)
  local wanted, trail, open = self.colours[o.key], #self.trail, #self.open
  for _, key in ipairs(o.keys) do
    if self.inverse[key] == nil and self.colours[key] == wanted then
      if self:pair(o.key, key, o.a, ".key") and self:settle() and self:solve(first + 1) then return true end
      self:undo(trail, open)
    end
  end
  return self:differ(o.a, "[object]", "no such key in the second")
end

-- true, or false and where and why they differ. Options: `strip`, debug information does not count; `external`, a
-- function that says whether a userdata is a table whose entries pairs() gives; `fixed`, objects as keys that are the
-- same on both sides; `exact`, the second's weak tables have no entries but those that count.
function isomorphism.check(a, b, options)
  options = options or {}
  local fixed, exact = standard(), options.exact
  for object in next, options.fixed or {} do fixed[object] = true end
  options = { strip = options.strip or false, external = options.external, fixed = fixed }
  local first, second = walk(a, options), walk(b, options)
  second.exact = exact
  local match = setmetatable({
    first = first, second = second, options = options,
    map = {}, inverse = {}, cause = {}, step = {}, trail = {}, open = {}, waiting = {}, at = 1,
  }, Match)
  if match:value(a, b, nil, "root") and match:settle() and match:solve(1) then return true end
  return false, match.reason
end

return isomorphism
