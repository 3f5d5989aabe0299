-- hearth migrate on random programs: HEARTH FOLDER [SEED]. The generator follows the scopes of what it writes itself,
-- and so knows what must be rewritten; and each program runs before and after, when there is no global Memory any more.
local hearth, folder, seed = arg[1], arg[2], tonumber(arg[3]) or os.time()
math.randomseed(seed)

local PROGRAMS = 400
local random = math.random

-- -------------------------------------------------------------------------------------------------- the generator

-- `before` and `after` are lists of pieces. A scope is a table of names that are local there: "table" or "value".
local Program = {}
Program.__index = Program

function Program:put(...)
  for _, piece in ipairs { ... } do
    self.before[#self.before + 1] = piece
    self.after[#self.after + 1] = piece
  end
end

-- A use of the variable Memory, wherever that is.
function Program:memory()
  local scope, hidden = self.scope, false
  if scope.Memory then return self:put "Memory" end
  if scope._home or scope._ENV then hidden = true end
  self.hidden = self.hidden or hidden
  self.before[#self.before + 1] = "Memory"
  self.after[#self.after + 1] = hidden and "Memory" or "_home"
end

function Program:block(depth, declare)
  local outer = self.scope
  self.scope = setmetatable({}, { __index = outer })
  if declare then declare(self.scope) end
  self:statements(depth - 1)
  self.scope = outer
end

-- May the variable be indexed: is it the home table, or a local one?
function Program:indexable()
  return self.scope.Memory ~= "value"
end

local names = { "Memory", "_home", "x", "Memory_", "Memory" }
local blanks = { " ", "\n", "\t", " --[[ Memory ]] ", " -- Memory\n", "\r\n", " --[==[ ]] Memory\n]==] " }

function Program:blank()
  self:put(random(4) == 1 and blanks[random(#blanks)] or " ")
end

function Program:expression(depth)
  local kind = random(depth > 0 and 12 or 4)
  if kind == 1 then self:put(tostring(random(100)))
  elseif kind == 2 then self:put(random(2) == 1 and "'Memory'" or "[[\nMemory]]")
  elseif kind == 3 then self:put "tag(" self:memory() self:put ")"
  elseif kind == 4 then
    if self:indexable() then self:memory() self:blank() self:put(".Memory") else self:put "tag " self:put "'_home'" end
  elseif kind == 5 then self:expression(depth - 1) self:put " == " self:expression(depth - 1)
  elseif kind == 6 then self:put "(" self:expression(depth - 1) self:put " or " self:expression(depth - 1) self:put ")"
  elseif kind == 7 then self:put "tag {" self:fields(depth - 1) self:put "}"
  elseif kind == 8 then self:put "tag((" self:closure(depth - 1) self:put ")())"
  elseif kind == 9 then self:put "not " self:expression(depth - 1)
  elseif kind == 10 then self:put "tag(" self:memory() self:put ", " self:expression(depth - 1) self:put ")"
  elseif kind == 11 then self:put "({ Memory = " self:expression(depth - 1) self:put " }).Memory"
  else self:put "t.Memory" end
end

function Program:fields(depth)
  for _ = 1, random(3) do
    local kind = random(4)
    if kind == 1 then self:put "Memory = "
    elseif kind == 2 then self:put "[tag(" self:memory() self:put ")] = "
    elseif kind == 3 then self:put "_home = " end
    self:expression(depth)
    self:put(random(2) == 1 and ", " or "; ")
  end
end

-- A function: what it returns is in the scope of its locals.
function Program:closure(depth, name)
  local parameter = random(2) == 1 and names[random(#names)] or nil
  self:put("function ", name or "", "(", parameter or "", ") ")
  local outer = self.scope
  self.scope = setmetatable({ [parameter or "x"] = "value" }, { __index = outer })
  self:statements(depth - 1)
  self:put " return "
  self:expression(depth - 1)
  self.scope = outer
  self:put " end"
end

local statements = {}

function statements:trace(depth)
  self:put "trace(" self:expression(depth) self:put ")"
end

function statements:assign(depth)
  if not self:indexable() then return statements.trace(self, depth) end
  self:memory() self:blank()
  self:put(random(2) == 1 and ".Memory" or random(2) == 1 and "._home" or "['Memory']", " = ")
  self:expression(depth)
end

function statements:assign_several(depth)
  if not self:indexable() then return statements.trace(self, depth) end
  self:put "t.x, " self:memory() self:put ".x, t.Memory = " self:expression(depth) self:put ", " self:expression(depth)
end

function statements:declare(depth)
  local name, kind = names[random(#names)], random(2) == 1 and "table" or "value"
  self:put("local ", name, random(4) == 1 and " <const>" or "", " = ")
  if kind == "table" then self:put "box(" self:expression(depth) self:put ")" else self:expression(depth) end
  self.scope[name] = kind
end

function statements:declare_function(depth)
  if depth < 1 then return statements.trace(self, depth) end
  local name = names[random(#names)]
  self:put "local " -- inside of itself the name is known already, and recursion would not end: it is never called there
  local outer = self.scope
  self.scope = setmetatable({ [name] = "value" }, { __index = outer })
  self:closure(depth - 1, name)
  self.scope = outer
  self.scope[name] = "value"
end

function statements:define(depth)
  if depth < 1 or not self:indexable() then return statements.trace(self, depth) end
  self:put "function "
  self:memory()
  self:put(random(2) == 1 and ".Memory" or ".f", "() ")
  self:block(depth)
  self:put " end"
end

statements["do"] = function(self, depth)
  self:put "do " self:block(depth) self:put " end"
end

statements["if"] = function(self, depth)
  self:put "if " self:expression(depth) self:put " then " self:block(depth)
  self:put " else " self:block(depth) self:put " end"
end

statements["for"] = function(self, depth)
  local name = names[random(#names)]
  self:put("for ", name, " = 1, 2 do ")
  self:block(depth, function(scope) scope[name] = "value" end)
  self:put " end"
end

function statements:generic(depth)
  local name = names[random(#names)]
  self:put("for ", name, " in each(") self:expression(depth) self:put ") do "
  self:block(depth, function(scope) scope[name] = "table" end)
  self:put " end"
end

statements["repeat"] = function(self, depth)
  local outer = self.scope
  self:put "repeat "
  self.scope = setmetatable({}, { __index = outer })
  self:statements(depth - 1)
  self:put " until true or " self:expression(depth - 1)
  self.scope = outer
end

function statements:continue(depth)
  local label = random(2) == 1 and "Memory" or "_home"
  self:put("for i = 1, 2 do if i == 1 then goto ", label, " end do ")
  self:block(depth)
  self:put(" end ::", label, ":: end")
end

function statements:environment(depth)
  if random(4) > 1 then return statements.trace(self, depth) end
  self:put "do local _ENV = box_env() "
  self:block(depth, function(scope) scope._ENV = "value" end)
  self:put " end"
end

local kinds = {}
for kind in pairs(statements) do kinds[#kinds + 1] = kind end
table.sort(kinds)

function Program:statements(depth)
  for _ = 1, random(depth > 2 and 5 or 2) do
    if depth <= 0 then
      statements.trace(self, 0)
    else
      statements[kinds[random(#kinds)]](self, depth - 1)
    end
    self:put(";", blanks[random(#blanks)])
  end
end

local function generate()
  local p = setmetatable({ before = {}, after = {}, scope = {} }, Program)
  if random(10) == 1 then p:put "#!/usr/bin/lua Memory\n" end
  p:statements(5)
  p:put(random(2) == 1 and "-- Memory" or "return t.Memory --[[ Memory ]]")
  p.before, p.after = table.concat(p.before), table.concat(p.after)
  return p
end

-- ---------------------------------------------------------------------------------------------------- running them

-- What a program traces, and what its home table is afterwards.
local function run(text, with_alias)
  local traces, home = {}, {}
  local ids, count = {}, 0
  local function show(v)
    if type(v) ~= "table" and type(v) ~= "function" then return tostring(v) end
    if not ids[v] then count = count + 1 ids[v] = type(v) .. count end
    return ids[v]
  end
  local function box(v) return { Memory = v, x = 1 } end
  local t = {}
  local env = {
    _home = home, t = t, box = box,
    trace = function(v) if #traces < 2000 then traces[#traces + 1] = show(v) end end,
    tag = function(v) return type(v) == "table" and v.Memory or show(v) end,
    each = function(v) local done return function() if not done then done = true return box(v) end end end,
  }
  env.box_env = function() return setmetatable({ Memory = box "field" }, { __index = env }) end
  if with_alias then env.Memory = home end
  local f = assert(load(text:gsub("^#[^\n]*", ""), "=program", "t", env))
  traces[#traces + 1] = show(f())
  for _, table_shown in ipairs { home, t } do
    local keys = {}
    for k, v in pairs(table_shown) do keys[#keys + 1] = show(k) .. "=" .. type(v) end
    table.sort(keys)
    traces[#traces + 1] = table.concat(keys, " ")
  end
  return table.concat(traces, "\n")
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local programs, failed, passed, hidden, rewritten, traced = {}, 0, 0, 0, 0, 0

local function path(i)
  return string.format("%s/program%04d.lua", folder, i)
end

for i = 1, PROGRAMS do
  local p = generate()
  programs[i] = p
  local f = assert(io.open(path(i), "wb"))
  assert(f:write(p.before))
  f:close()
end
local ran = os.execute(string.format("%s migrate --write %s 2>list", quoted(hearth), quoted(folder)))
local list = assert(io.open "list"):read "a"

local function fail(i, what)
  failed = failed + 1
  if failed > 2 then return end
  print(string.format("FAILED: program %d of seed %d: %s\n%s", i, seed, what, programs[i].before))
end

for i, p in ipairs(programs) do
  local f = assert(io.open(path(i), "rb"))
  local text = f:read "a"
  f:close()
  if text ~= p.after then
    fail(i, "rewritten as\n" .. text .. "\nand not as\n" .. p.after)
  elseif (list:find(path(i) .. ":%d+:%d+: [^\n]*a local _") ~= nil) ~= (p.hidden == true) then
    fail(i, "what is hidden is not listed, or something that is not")
  else
    local before = run(p.before, true)
    if before ~= run(text, p.hidden) then fail(i, "traces differ") else passed = passed + 1 end
    traced = traced + #before
  end
  if p.hidden then hidden = hidden + 1 elseif p.before ~= p.after then rewritten = rewritten + 1 end
end
if not ran then fail(1, "exit status: " .. list) end
if rewritten < PROGRAMS / 4 or hidden < PROGRAMS / 20 or traced < PROGRAMS * 10 then
  fail(1, string.format("the generator is too tame: %d, %d, %d", rewritten, hidden, traced))
end
print(string.format("seed %d: %d programs rewritten, %d with a use that is hidden", seed, rewritten, hidden))
print(string.format("%d passed, %d failed", passed, failed))
if failed > 0 then os.exit(1, true) end
