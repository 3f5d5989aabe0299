-- Hooked objects in stores: what rollback keeps of them and what it makes anew.
local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

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

t.finish()
