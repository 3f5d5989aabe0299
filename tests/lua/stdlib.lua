-- Every function, table and file of Lua's standard library is stored by its name, wherever it stands in a graph, and is
-- the same object again, in this process and in another one. What has no name is an error that says where it is.
local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

-- Runs in this process and in the other one: a list of what a walk over everything that a program can reach finds, each
-- with an expression that says how. Neither the codec nor its list of names is asked.
local WALK = [[
local loaded, found, names, queue = package.loaded, {}, {}, {}
local function note(object, name)
  local kind = type(object)
  if kind ~= "function" and kind ~= "table" and kind ~= "userdata" or names[object] then return end
  if kind == "function" and debug.getinfo(object, "S").what ~= "C" then return end
  names[object] = name
  found[#found + 1] = { object = object, name = name }
  queue[#queue + 1] = object
end
local LIBRARIES = { "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8" }
local function fields(object, name) -- in their order: an object with two names has the same one in every process
  local keys = {}
  for k in next, object do
    if type(k) == "string" then keys[#keys + 1] = k end
  end
  table.sort(keys)
  for _, k in ipairs(keys) do note(object[k], name .. "." .. k) end
end
for _, name in ipairs(LIBRARIES) do
  note(loaded[name], name)
  fields(loaded[name], name)
end
note(_G, "_G")
local GLOBALS = { "assert", "collectgarbage", "dofile", "error", "getmetatable", "ipairs", "load", "loadfile", "next",
  "pairs", "pcall", "print", "rawequal", "rawget", "rawlen", "rawset", "require", "select", "setmetatable", "tonumber",
  "tostring", "type", "warn", "xpcall" }
for _, name in ipairs(GLOBALS) do note(_G[name], name) end
for k, v in next, package.searchers do note(v, "package.searchers[" .. k .. "]") end
local files = debug.getmetatable(io.stdout)
note(files, "the metatable of files")
fields(files, "the metatable of files")
fields(files.__index, "the methods of files")
note(debug.getmetatable "", "the metatable of strings")
fields(debug.getmetatable "", "the metatable of strings")
note((ipairs {}), "the iterator of ipairs")
note((pairs {}), "next")
note((utf8.codes ""), "the iterator of utf8.codes")
note((utf8.codes("", true)), "the iterator of lax utf8.codes")
]]

-- The manual's index of 5.4, without methods and constants.
local MANUAL = [[
_G assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall print rawequal rawget rawlen
rawset require select setmetatable tonumber tostring type warn xpcall
coroutine.close coroutine.create coroutine.isyieldable coroutine.resume coroutine.running coroutine.status
coroutine.wrap coroutine.yield
debug.debug debug.gethook debug.getinfo debug.getlocal debug.getmetatable debug.getregistry debug.getupvalue
debug.getuservalue debug.sethook debug.setlocal debug.setmetatable debug.setupvalue debug.setuservalue debug.traceback
debug.upvalueid debug.upvaluejoin
io.close io.flush io.input io.lines io.open io.output io.popen io.read io.stderr io.stdin io.stdout io.tmpfile io.type
io.write
math.abs math.acos math.asin math.atan math.ceil math.cos math.deg math.exp math.floor math.fmod math.log math.max
math.min math.modf math.rad math.random math.randomseed math.sin math.sqrt math.tan math.tointeger math.type math.ult
os.clock os.date os.difftime os.execute os.exit os.getenv os.remove os.rename os.setlocale os.time os.tmpname
package.loaded package.loadlib package.preload package.searchers package.searchpath
string.byte string.char string.dump string.find string.format string.gmatch string.gsub string.len string.lower
string.match string.pack string.packsize string.rep string.reverse string.sub string.unpack string.upper
table.concat table.insert table.move table.pack table.remove table.sort table.unpack
utf8.char utf8.codepoint utf8.codes utf8.len utf8.offset
coroutine debug io math os package string table utf8
]]

local FILE_METHODS = { "close", "flush", "lines", "read", "seek", "setvbuf", "write" }
local STRING_EVENTS = { "__add", "__sub", "__mul", "__mod", "__pow", "__div", "__idiv", "__unm" }

local found, names = assert(load(WALK .. " return found, names", "=walk"))()

-- The host of a page has no files and its own print: what is not C there is no part of Lua's library.
local function is_lua_s(object) return type(object) ~= "function" or debug.getinfo(object, "S").what == "C" end

test("the walk finds what the manual lists", function()
  local listed = 0
  for name in MANUAL:gmatch "%S+" do
    local object = assert(load("return " .. name, "=name"))()
    if is_lua_s(object) then assert(names[object], name .. " was not found") end
    listed = listed + 1
  end
  for _, name in ipairs(FILE_METHODS) do assert(names[io.stdout[name]], "file:" .. name) end
  for _, name in ipairs(STRING_EVENTS) do assert(names[getmetatable ""[name]], name) end
  assert(listed == 140, listed .. " names are listed") -- counted, so that none gets lost here
  assert(#found >= listed + #FILE_METHODS + #STRING_EVENTS, #found .. " objects were found")
  print(("figure: %d functions, tables and files of the standard library stored by name"):format(#found))
end)

-- Every place where a value can stand.
local PLACES = [[
local function places(object)
  local up = function() return object end
  local class = { field = object, __index = object }
  local finalizes = type(object) == "table" and rawget(object, "__gc") -- that of files would not like a table
  local with = type(object) == "table" and not finalizes and setmetatable({}, object) or nil
  return { value = object, key = { [object] = "key" }, up = up, instance = setmetatable({}, class),
    list = { object, object }, deep = { { { object } } }, metatable = with }
end
local function check(p, object, name)
  assert(rawequal(p.value, object), name .. " as a value")
  assert(rawequal((next(p.key)), object), name .. " as a key")
  assert(rawequal(p.up(), object), name .. " as an upvalue")
  assert(rawequal(debug.getmetatable(p.instance).field, object), name .. " in a metatable")
  assert(rawequal(debug.getmetatable(p.instance).__index, object), name .. " as a metamethod")
  assert(rawequal(p.list[1], object) and rawequal(p.list[2], object), name .. " twice")
  assert(rawequal(p.deep[1][1][1], object), name .. " deep in tables")
  if not p.metatable then return assert(type(object) ~= "table" or rawget(object, "__gc"), name) end
  assert(rawequal(debug.getmetatable(p.metatable), object), name .. " as a metatable")
end
]]
local places, check = assert(load(PLACES .. " return places, check", "=places"))()

test("each in every place of a blob", function()
  for _, entry in ipairs(found) do
    for _, options in ipairs { {}, { canonical = true }, { strip = true } } do
      local bytes, message = hearth.encode(places(entry.object), options)
      assert(bytes, entry.name .. ": " .. tostring(message))
      local result, failed = hearth.decode(bytes, { trusted = true })
      if failed then error(entry.name .. ": " .. failed) end
      check(result, entry.object, entry.name)
    end
    local bytes = assert(hearth.encode(entry.object))
    assert(#bytes < 64, entry.name .. " was written by value")
    assert(rawequal(hearth.decode(bytes, { trusted = true }), entry.object), entry.name .. " as the root")
  end
end)

local SAME = [[
for _, entry in ipairs(found) do
  local p = store.home[entry.name]
  assert(p, entry.name .. " is not there")
  check(p, entry.object, entry.name)
end
local count = 0
for _ in next, store.home do count = count + 1 end
assert(count == #found, count .. " and " .. #found)
]]

test("all in a home table, again in this process", function()
  local uri = "file:" .. t.path "stdlib.hearth"
  do
    local store <close> = assert(hearth.open(uri))
    for _, entry in ipairs(found) do store.home[entry.name] = places(entry.object) end
    assert(store:commit())
  end
  local store <close> = assert(hearth.open(uri))
  assert(load("local found, check, store = ... " .. SAME, "=same"))(found, check, store)
end)

test("all in a home table, in another process", function()
  local path = t.path "other.hearth"
  do
    local store <close> = assert(hearth.open("file:" .. path))
    for _, entry in ipairs(found) do store.home[entry.name] = places(entry.object) end
    assert(store:commit())
  end
  local answer = t.run(WALK .. PLACES .. [[
    local store = assert(require "hearth".open("file:" .. ..., { readonly = true }))
  ]] .. SAME .. [[ io.write("same ", #found) ]], path)
  equal(answer, "same " .. #found)
end)

test("what has no name is an error with its path", function()
  local unnamed = {
    gmatch = string.gmatch("a", "a"),
    wrap = coroutine.wrap(function() end),
    thread = coroutine.create(function() end),
    running = (coroutine.running()),
  }
  for name, object in next, unnamed do
    local home = { list = { {}, { [name] = object } } }
    fails("unstorable", "list[2]." .. name, hearth.encode(home))
    fails("unstorable", nil, hearth.encode { [object] = true })
    fails("unstorable", nil, hearth.encode(function() return object end))
    fails("unstorable", nil, hearth.encode(setmetatable({}, { field = object })))
    local store <close> = assert(hearth.open "memory:")
    store.home.good = 1
    assert(store:commit())
    store.home.bad = home
    fails("unstorable", "_home.bad.list[2]." .. name, store:commit())
    store.home.bad = nil
    assert(store:commit())
  end
end)

test("a file that is none of the three has no name", function()
  local file = assert(io.tmpfile())
  fails("unstorable", "files[1]", hearth.encode { files = { file } })
  fails("unstorable", "lines", hearth.encode { lines = file:lines() })
  file:close()
end)

t.finish()
