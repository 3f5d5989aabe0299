-- What is in memory of a store that is dead, for a store that is not: everything that `_home` reaches, committed or
-- not, with its identity, as a list of encoded parts. External tables go by name, their entries in parts of their own.
local hearth = require "hearth"
local getmetatable, getupvalue = debug.getmetatable, debug.getupvalue
local IN_ONE_PART = 1000 -- entries of an external table

local seen, names, work = {}, {}, {}
local externals, handles = {}, {} -- names; name -> a handle

for _, module in pairs(package.loaded) do seen[module] = true end -- known by name on both sides

local function look_at(value)
  local kind = type(value)
  if ext.is(value) then
    local name = tostring(value)
    if not handles[name] then
      externals[#externals + 1] = name
      handles[name] = value
      work[#work + 1] = value
    end
    names[value] = name
  elseif (kind == "table" or kind == "function") and not seen[value] then
    seen[value] = true
    work[#work + 1] = value
  end
end

local home = {}
for key, value in next, _home do home[key] = value end
names[_home] = "_home"
seen[_home] = true
look_at(home)
look_at(getmetatable(_home))

while #work > 0 do
  local object = table.remove(work)
  if type(object) == "table" then
    look_at(getmetatable(object))
    for key, value in next, object do
      look_at(key)
      look_at(value)
    end
  elseif type(object) == "function" then
    local i, name, value = 1, getupvalue(object, 1)
    while name do
      look_at(value)
      i = i + 1
      name, value = getupvalue(object, i)
    end
  else
    for _, value in pairs(object) do look_at(value) end
  end
end

local parts = {}

local function add(part)
  local bytes, message = hearth.encode(part, { permanents = names })
  if not bytes then error((message:gsub("^root%._home", "_home")), 0) end
  parts[#parts + 1] = bytes
end

for _, name in ipairs(externals) do
  local entries = { n = 0 }
  for key, value in pairs(handles[name]) do
    if ext.is(value) then names[value] = tostring(value) end -- each reading may give another handle
    entries[entries.n + 1], entries[entries.n + 2], entries.n = key, value, entries.n + 2
    if entries.n == 2 * IN_ONE_PART then
      add { external = name, entries = entries }
      entries = { n = 0 }
    end
  end
  add { external = name, entries = entries }
end
add { _home = home, metatable = getmetatable(_home) }

return externals, parts
