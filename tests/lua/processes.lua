local hearth = require "hearth"
local t = require "harness"
local test, equal, fails = t.test, t.equal, t.fails

test("a second process gets busy, and the first goes on", function()
  local path = t.path "busy.hearth"
  local store <close> = assert(hearth.open("file:" .. path))
  store.home.x = 1
  assert(store:commit())
  local answer = t.run([[
    local store, message, code = require "hearth".open("file:" .. ...)
    io.write(tostring(store), "|", code, "|", message)
  ]], path)
  local value, code, message = answer:match "^(.-)|(.-)|(.*)$"
  equal(value, "nil")
  equal(code, "busy")
  assert(message:find("busy.hearth", 1, true), message)
  store.home.x = 2
  assert(store:commit())
end)

test("the same process opening twice is busy too", function()
  local path = t.path "twice.hearth"
  local store <close> = assert(hearth.open("file:" .. path))
  fails("busy", "twice.hearth", hearth.open("file:" .. path))
  fails("busy", nil, hearth.open("file:" .. path:gsub("/twice", "/./twice")))
end)

test("a reader beside the owner, in another process", function()
  local path = t.path "reader.hearth"
  local store <close> = assert(hearth.open("file:" .. path))
  store.home.x = "seen"
  assert(store:commit())
  equal(t.run([[
    local store = assert(require "hearth".open("file:" .. ..., { readonly = true }))
    io.write(store.home.x)
  ]], path), "seen")
end)

test("the file of a process that was killed is taken over", function()
  local path = t.path "killed.hearth"
  local pipe = assert(io.popen("sh -c 'echo $$; exec \"$0\" \"$@\"' '" .. os.getenv "HEARTH_TEST_LUA" .. [[' -e '
    local store = assert(require "hearth".open("file:]] .. path .. [["))
    store.home.x = "acknowledged"
    assert(store:commit "durable")
    store.home.x = "never committed"
    print "ready" io.stdout:flush()
    while true do end']]))
  local pid = assert(math.tointeger(pipe:read "n"))
  pipe:read "l"
  equal(pipe:read "l", "ready")
  fails("busy", nil, hearth.open("file:" .. path))
  assert(os.execute("kill -9 " .. pid))
  pipe:close()
  local store <close> = assert(hearth.open("file:" .. path))
  equal(store.home.x, "acknowledged")
end)

test("a Lua state that ends with its stores open closes them, and commits nothing", function()
  local path = t.path "open.hearth"
  local output = t.run([[
    local hearth = require "hearth"
    keep = setmetatable({}, { __gc = function() -- the oldest finalizer runs last: the stores are closed already
      local ok, message = pcall(store.commit, store)
      io.write(tostring(ok), " ", tostring(message))
    end })
    store = assert(hearth.open("file:" .. ...))
    assert(store:install())
    other = assert(hearth.open "memory:")
    _home.x, _home.f = 1, function() return store, other end
    _home.f = function() return store end
    assert(store:commit())
    _home.log = ext.table()
    _home.x = 2
  ]], path)
  equal(output, "false attempt to use a closed store")
  local store <close> = assert(hearth.open("file:" .. path))
  equal(store.home.x, 1)
end)

test("a process that ends inside a transaction", function()
  local path = t.path "inside.hearth"
  t.run([[
    local store = assert(require "hearth".open("file:" .. ...))
    store.home.x = 1
    store:transaction(function()
      store.home.x = 2
      os.exit(true, true)
    end)
  ]], path)
  local store <close> = assert(hearth.open("file:" .. path))
  equal(store.home.x, 1)
end)

test("a program in ten processes", function()
  local path = t.path "ten.hearth"
  for visit = 1, 10 do
    equal(t.run([[
      local hearth = require "hearth"
      local store <close> = assert(hearth.open("file:" .. ...))
      store:install()
      _home.visits = (_home.visits or 0) + 1
      _home.greet = _home.greet or function(name) return "hello " .. name .. ", visit " .. _home.visits end
      io.write(_home.greet "you")
      assert(store:commit())
    ]], path), "hello you, visit " .. visit)
  end
end)

t.finish()
