-- What is no failure, and still must be told: by the option `warn`, else by Lua's own.
local hearth = require "hearth"
local t = require "harness"
local test, equal = t.test, t.equal

-- A store's file with bytes behind its last batch, as a crash leaves them.
local function torn(name)
  local path = t.path(name)
  local store <close> = assert(hearth.open("file:" .. path))
  store.home.x = 1
  assert(store:commit())
  store:close()
  t.write(path, t.read(path) .. "half a batch")
  return path
end

local function has(text, part)
  assert(text:find(part, 1, true), text)
end

test("the option warn is told what was cut off", function()
  local path, lines = torn "told.hearth", {}
  local store <close> =
    assert(hearth.open("file:" .. path, { warn = function(...) lines[#lines + 1] = table.pack(...) end }))
  equal(store.home.x, 1)
  equal(#lines, 1)
  equal(lines[1].n, 1)
  has(lines[1][1], path .. ": a torn tail of 12 bytes")
  has(lines[1][1], "was cut off and kept in " .. path .. ".tail-2")
  equal(t.read(path .. ".tail-2"), "half a batch")
end)

test("without it Lua's warn is", function()
  local path = torn "lua.hearth"
  local said = t.run([[
    warn "@on"
    local store <close> = assert(require "hearth".open("file:" .. ...))
  ]], path)
  has(said, "Lua warning: hearth: " .. path .. ": a torn tail of 12 bytes")
end)

test("long names are told whole", function()
  local name, line = ("d"):rep(200)
  for _ = 1, 5 do
    assert(os.execute("mkdir '" .. t.path(name) .. "'"))
    name = name .. "/" .. ("d"):rep(200)
  end
  local path = torn(name)
  local store <close> = assert(hearth.open("file:" .. path, { warn = function(text) line = text end }))
  equal(line:sub(-#path - 7), path .. ".tail-2")
end)

test("what it raises ends in Lua's warn, with the line", function()
  for raised, shown in pairs { ["'on purpose'"] = "on purpose", ["{}"] = "table", ["nil"] = "nil" } do
    local path = torn "raises.hearth"
    local said = t.run([[
      warn "@on"
      local function raise() error(]] .. raised .. [[, 0) end
      local store, message = require "hearth".open("file:" .. ..., { warn = raise })
      print(store.home.x)
      store:close()
    ]], path)
    has(said, "Lua warning: hearth: " .. path .. ": a torn tail")
    has(said, "Lua warning: hearth: the function warn raised: " .. shown)
    has(said, "\n1\n")
    os.remove(path .. ".tail-2")
  end
end)

test("it may use Lua as it likes, but not yield", function()
  local path, lines = torn "uses.hearth", {}
  local thread = coroutine.wrap(function()
    local store <close> = assert(hearth.open("file:" .. path, { warn = function(text)
      lines[1] = text
      collectgarbage()
      lines[2] = pcall(coroutine.yield)
      local other <close> = assert(hearth.open "memory:")
      lines[3] = other:commit()
    end }))
    return store.home.x
  end)
  equal(thread(), 1)
  has(lines[1], "a torn tail")
  equal(lines[2], false)
  equal(lines[3], true)
end)

test("a store that its function refers to is collected", function()
  local gone = setmetatable({}, { __mode = "k" })
  do
    local store
    store = assert(hearth.open("memory:", { warn = function() return store end }))
    gone[store] = true
  end
  collectgarbage()
  collectgarbage()
  equal(next(gone), nil)
end)

t.finish()
