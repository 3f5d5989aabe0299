-- docs/MIGRATION.md: its Lua runs and prints what it says, and what it names is there.
local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

local page = t.source "docs/MIGRATION.md"

-- Modules that the samples require and a test cannot count on. This cjson reads the sample's file alone, as lua-cjson
-- 2.1.0 does: every number is a float, null is a light userdata.
local stand_ins = [==[
local function light() return stand_in end
package.preload.cjson = function()
  local null = debug.upvalueid(light, 1)
  local function decode(text)
    text = text:gsub('("[^"]*")%s*:', "[%1] ="):gsub("%[(%d[^%]]*)%]", "{%1}"):gsub("(%d+)", "%1.0")
    return load("local null = ... return " .. text, "=json", "t", {})(null)
  end
  return { null = null, decode = decode }
end
if not package.preload["hearth.legacy"] then -- its text comes with the npm package
  package.preload["hearth.legacy"] = function()
    return load(legacy_text, "=hearth.legacy")(require "hearth".load_chunk)
  end
end
]==]

-- Without the places where a sample uses Memory, and their warnings where these are on.
local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    line = line:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    if not line:find "script%.lua:%d+$" and not line:find "script%.lua:%d+: Memory is the old name" then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

-- What the comments with an arrow say.
local function expected_of(code)
  local lines = {}
  for text in code:gmatch "%-%->([^\n]*)" do lines[#lines + 1] = text end
  return lines_of(table.concat(lines, "\n"))
end

local count = 0

local function run(code)
  count = count + 1
  local path, save = t.path("sample-" .. count .. ".hearth"), t.path("save-" .. count .. ".json")
  code = code:gsub("file:world%.hearth", "file:" .. path):gsub("save%.json", save)
  if code:find(save, 1, true) then t.write(save, '{ "score": 7, "guild": null, "1": "one", "list": [1, 2] }') end
  return t.run(string.format("local legacy_text = %q\n", t.source "lib/legacy/legacy.lua") .. stand_ins .. code)
end

local heading, blocks = "", {}
local in_code, code
for line in (page .. "\n"):gmatch "(.-)\n" do
  if in_code and line == "```" then
    if in_code == "lua" then blocks[#blocks + 1] = { name = heading, code = table.concat(code, "\n") } end
    in_code = nil
  elseif in_code then
    code[#code + 1] = line
  elseif line:find "^```" then
    in_code, code = line:sub(4), {}
  else
    heading = line:match "^#+ (.*)" or heading
  end
end

for number, block in ipairs(blocks) do
  test(string.format("sample %d, %s", number, block.name), function()
    local expected = expected_of(block.code)
    assert(#expected > 0, "the sample says nothing of what it prints")
    equal(lines_of(run(block.code)), expected)
  end)
end

test("there are samples for each way to come", function()
  local seen = {}
  for _, block in ipairs(blocks) do seen[block.name] = (seen[block.name] or 0) + 1 end
  for _, name in ipairs { "From cu, on the command line", "From the name Memory", "From Eris",
    "From JSON and MessagePack files" } do
    assert(seen[name], name)
  end
end)

test("a sample that prints something else is seen", function()
  assert(lines_of(run "print(1, 2)") ~= expected_of "print(1, 2) --> 1 3")
  equal(lines_of(run "print(1, 2)"), expected_of "print(1, 2) --> 1 2")
end)

-- What is found in the page by `pattern` must be in one of the texts.
local function all_known(pattern, texts, what)
  local found = 0
  for name in page:gmatch(pattern) do
    found = found + 1
    local known = false
    for _, text in ipairs(texts) do known = known or text:find("%f[%w_]" .. name:gsub("%p", "%%%0") .. "%f[^%w_]") end
    if not known then error(what .. " that is not there: " .. name) end
  end
  assert(found > 0, what)
end

test("the C names are in the headers", function()
  local headers = { t.source "include/hearth.h", t.source "include/hearth_legacy.h", "hearth_legacy" }
  all_known("`(hearth_[%w_]+)", headers, "a C name")
end)

test("the Lua names are in the module", function()
  local annotations = t.source "bindings/lua/hearth.d.lua"
  for name in page:gmatch "store:([%w_]+)" do
    assert(annotations:find("function store:" .. name .. "(", 1, true), name)
  end
  for _, name in ipairs { "persist", "unpersist", "encode", "decode", "register_permanent", "register_module",
    "register_type", "open" } do
    assert(page:find("hearth." .. name, 1, true), name)
    equal(type(hearth[name]), "function")
  end
end)

test("the names of the drop-in and of the JavaScript interface are declared", function()
  local cu, js = t.source "bindings/js/src/cu/cu.d.ts", t.source "bindings/js/src/hearth.d.ts"
  all_known("lua%.(%l%w+)%(", { cu }, "a function of the drop-in")
  all_known("`(%l+%u%w+)%(", { cu, js }, "a JavaScript function")
  all_known("hearth%.(%l+%u?%w*)%(", { js, t.source "bindings/lua/hearth.d.lua" }, "a method")
end)

test("the commands and their options are there", function()
  local sources = ""
  for _, name in ipairs { "main", "run", "options", "legacy", "migrate" } do
    sources = sources .. t.source("tools/hearth/" .. name .. ".c")
  end
  local seen = 0
  for option in page:gmatch "%f[%-]%-%-(%l[%l%-]+)" do
    seen = seen + 1
    assert(sources:find('"' .. option .. '"', 1, true), option)
  end
  assert(seen >= 8, seen)
  for command in page:gmatch "\nhearth (%l[%l%-]*)" do
    assert(sources:find('{"' .. command .. '"', 1, true), command)
  end
end)

local function anchors_of(text)
  local anchors = {}
  for title in ("\n" .. text):gmatch "\n#+ ([^\n]+)" do
    anchors[title:lower():gsub("[^%w %-]", ""):gsub(" ", "-")] = true
  end
  return anchors
end

test("links lead somewhere", function()
  for target in page:gmatch "%]%(([^)]+)%)" do
    local file, anchor = target:match "^([^#]*)#?(.*)$"
    local text = file == "" and page or t.source("docs/" .. file)
    assert(#text > 0 and (anchor == "" or anchors_of(text)[anchor]), target)
  end
end)

t.finish()
