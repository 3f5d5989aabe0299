-- hearth.d.lua describes what is there: all of it, and nothing else.
local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

local function read(name)
  return t.source("bindings/lua/" .. name)
end

local annotations = read "hearth.d.lua"

-- The names that `pattern` finds, sorted and in one string.
local function names(text, pattern)
  local seen, list = {}, {}
  for name in text:gmatch(pattern) do
    if not seen[name] then list[#list + 1] = name end
    seen[name] = true
  end
  table.sort(list)
  return table.concat(list, " ")
end

local function keys(table_of_names)
  local list = {}
  for name in pairs(table_of_names) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end

test("hearth.legacy.d.lua has the functions of its module", function()
  local inside = package.loaded["harness.host"] -- WebAssembly, where the package brings the text
  local legacy = inside and load(t.source "lib/legacy/legacy.lua")(hearth.load_chunk) or require "hearth.legacy"
  local described = assert(load(read "hearth.legacy.d.lua", "=hearth.legacy.d.lua", "t", {}))()
  equal(keys(described), keys(legacy))
end)

test("it is Lua", function()
  assert(load(annotations, "=hearth.d.lua", "t", {}))
end)

test("the module's functions", function()
  local functions = {}
  for name, value in pairs(hearth) do
    if type(value) == "function" then functions[name] = true end
  end
  equal(names(annotations, "\nfunction hearth%.([%w_]+)"), keys(functions))
end)

test("the store's methods", function()
  local store <close> = assert(hearth.open "memory:")
  local _, methods = debug.getupvalue(getmetatable(store).__index, 1)
  equal(names(annotations, "\nfunction store:([%w_]+)"), keys(methods))
end)

test("the fields of stat", function()
  local store <close> = assert(hearth.open "memory:")
  local stat = assert(store:stat())
  local function fields(class)
    return names(annotations:match("@class " .. class .. "\n(.-)\n\n"), "@field ([%w_]+)")
  end
  equal(fields "hearth.stat", keys(stat))
  equal(fields "hearth.storage_stat", keys(stat.storage))
end)

for _, call in ipairs { "encode", "decode", "open" } do
  test("the options of " .. call, function()
    local source = read("option.c"):match("option_" .. call .. "%[%] = {(.-)\n};")
    source = source:gsub("PERMANENTS%(", '"permanents"'):gsub("SEAL%(", '"seal"'):gsub("WARN%(", '"warn"')
    source = source:gsub("(%u+)%(([%l_]+)", '%1("%2"')
    local class = annotations:match("@class hearth%." .. call .. "_options\n(.-)\n\n")
    equal(names(class, "@field ([%w_]+)"), names(source, '"([%w_]+)"'))
  end)
end

test("the codes", function()
  local header = read "../../lib/base/status.c"
  local texts = header:match "texts%[%] = {(.-)\n};"
  local listed = annotations:match "@alias hearth%.code\n(.-)\n\n"
  local code_names = names(listed, '| "([%l]+)"')
  equal(code_names, names(texts:gsub('{"ok"', '{"pending"'), '{"([%l]+)"'))
end)

t.finish()
