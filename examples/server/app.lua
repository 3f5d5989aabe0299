-- Loaded into each user's state. The app is code and comes from this file whenever the user's store is opened; what it
-- keeps is data, in _home. A function that is stored in _home stays as it was when it was stored: keep names of
-- functions there, not functions, unless old ones are to go on living. What is kept elsewhere, in globals or upvalues,
-- is gone when the state is closed, and is not rolled back when handle raises.
local commands = {}

function commands.add(n)
  _home.n = (_home.n or 0) + (math.tointeger(tonumber(n)) or error("add needs a whole number", 0))
  return tostring(_home.n)
end

function commands.get()
  return tostring(_home.n or 0)
end

-- What handle returns is committed together with what it changed; when it raises, nothing is changed.
function handle(text)
  local name, argument = text:match("^(%a+)%s*(.*)$")
  local command = commands[name] or error("no such command: " .. text, 0)
  return command(argument)
end
