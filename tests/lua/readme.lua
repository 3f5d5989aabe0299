-- The README's Lua does what it says.
local t = require "harness"
local test, equal = t.test, t.equal

local here = arg[0]:match "^(.*)/" or "."
local file = assert(io.open(here .. "/../../README.md"))
local text = file:read "a"
file:close()

test("the first example runs, and _home survives", function()
  local code = assert(text:match "```lua\n(.-)\n```", "no Lua in the README")
  local lines = select(2, code:gsub("\n", "\n")) + 1
  assert(lines <= 20, lines)
  local path = t.path "world.hearth"
  local mine, n = code:gsub("file:world%.hearth", "file:" .. path)
  equal(n, 1)
  for visit = 1, 3 do equal(t.run(mine, path), "hello you, visit " .. visit .. "\n") end
end)

t.finish()
