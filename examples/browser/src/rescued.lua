-- The other half of rescue.lua: puts the parts into the store of this state.
local externals, parts = ...
local hearth = require "hearth"

local permanents = { _home = _home }
for _, name in ipairs(externals) do permanents[name] = ext.table() end

for _, bytes in ipairs(parts) do
  local part, message = hearth.decode(bytes, { trusted = true, permanents = permanents })
  if message then error(message, 0) end
  if part.external then
    local target, entries = permanents[part.external], part.entries
    for i = 1, entries.n, 2 do target[entries[i]] = entries[i + 1] end
  else
    for key, value in next, part._home do _home[key] = value end
    debug.setmetatable(_home, part.metatable)
  end
end
