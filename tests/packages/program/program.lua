-- program.lua STORE: what program.c does, by the Lua module.
local hearth = require "hearth"
print("Hearth " .. hearth.version)
local store <close> = assert(hearth.open(arg[1]))
store:install()
_home.visits = (_home.visits or 0) + 1
print("visit " .. _home.visits)
assert(store:commit())
