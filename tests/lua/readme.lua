-- The README's Lua does what it says.
local t = require "harness"
local test, equal = t.test, t.equal

local text = t.source "README.md"

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
