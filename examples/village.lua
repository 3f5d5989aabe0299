-- A village that lives in _home. Each run is one year, each run is a process of its own:
--   hearth --store file:village.hearth run examples/village.lua
-- There is no code that saves or loads: `hearth run` commits when the script returns.

-- The class lives in _home and gets its methods anew in each run, so edits here reach the people of old saves.
local Person = _home.Person or {}
_home.Person = Person
Person.__index = Person

function Person.born(name, year)
  return setmetatable({ name = name, year = year, friends = {} }, Person)
end

function Person:befriend(other) -- each holds the other: a cycle
  table.insert(self.friends, other)
  table.insert(other.friends, self)
end

function Person:describe(year)
  local names = {}
  for i, friend in ipairs(self.friends) do names[i] = friend.name end
  return string.format("%s, %d, friends: %s", self.name, year - self.year,
    #names > 0 and table.concat(names, " and ") or "none yet")
end

-- Two closures over one variable. Made once, in the first year; the stored ones ring ever after.
local function cast_bell()
  local strokes = 0
  return {
    ring = function(times) strokes = strokes + times end,
    count = function() return strokes end,
  }
end

if not _home.year then
  _home.year = 0
  _home.people = {}
  _home.chronicle = {}
  _home.bell = cast_bell()
end

local newcomers = { "Ada", "Bruno", "Clara", "Dario", "Elsa", "Fritz" }

_home.year = _home.year + 1
local year, people = _home.year, _home.people
local newcomer = Person.born(newcomers[(year - 1) % #newcomers + 1], year)
local neighbour = people[#people]
table.insert(people, newcomer)
if neighbour then newcomer:befriend(neighbour) end
_home.bell.ring(year)

-- An entry of the chronicle is a function that remembers whom it is about.
table.insert(_home.chronicle, function()
  if not neighbour then return string.format("year %d: %s founded the village", year, newcomer.name) end
  return string.format("year %d: %s met %s, who has %d %s by now", year, newcomer.name, neighbour.name,
    #neighbour.friends, #neighbour.friends == 1 and "friend" or "friends")
end)

print(string.format("year %d: population %d, the bell has struck %d %s so far", year, #people, _home.bell.count(),
  _home.bell.count() == 1 and "time" or "times"))
for _, person in ipairs(people) do print("  " .. person:describe(year)) end
for _, entry in ipairs(_home.chronicle) do print("  " .. entry()) end
