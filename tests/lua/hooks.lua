local hearth = require "hearth"
local t = require "harness"
local test, equal, fails, raises = t.test, t.equal, t.fails, t.raises

local function copy(value, options)
  local bytes = assert(hearth.encode(value, options))
  local result, message, code = hearth.decode(bytes, { trusted = true })
  if message then error(message .. " (" .. code .. ")", 2) end
  return result
end

test("__persist: a function that returns a rebuilding closure", function()
  local source = setmetatable({ n = 5, thread = coroutine.create(print) }, {
    __persist = function(self)
      local n = self.n
      return function() return { rebuilt = n } end
    end,
  })
  local result = copy { source, source }
  equal(result[1].rebuilt, 5)
  equal(result[1], result[2])
  equal(result[1].thread, nil)
end)

test("__persist = true: the table as it is", function()
  local result = copy(setmetatable({ x = 1 }, { __persist = true }))
  equal(result.x, 1)
  equal(getmetatable(result).__persist, true)
end)

test("__persist = false: forbidden", function()
  fails("unstorable", "secret", hearth.encode { secret = setmetatable({}, { __persist = false }) })
end)

test("__persist of another type, and a hook that returns no function", function()
  fails("unstorable", "bad", hearth.encode { bad = setmetatable({}, { __persist = 17 }) })
  fails("unstorable", "bad", hearth.encode { bad = setmetatable({}, { __persist = function() return 17 end }) })
end)

test("a hook that raises", function()
  fails("raised", "no way", hearth.encode { bad = setmetatable({}, { __persist = function() error "no way" end }) })
end)

test("a rebuilder that raises", function()
  local bytes = assert(hearth.encode(setmetatable({}, {
    __persist = function() return function() error "cannot rebuild" end end,
  })))
  fails("raised", "cannot rebuild", hearth.decode(bytes, { trusted = true }))
end)

test("objects with hooks that refer to each other: in dependency order", function()
  local meta = {}
  function meta:__persist()
    local name, friend = self.name, self.friend
    return function()
      return { name = name, friend = friend, greeting = friend and "hello " .. friend.name or "alone" }
    end
  end
  local a = setmetatable({ name = "a" }, meta)
  local b = setmetatable({ name = "b", friend = a }, meta)
  local c = setmetatable({ name = "c", friend = b }, meta)
  for _, order in ipairs { { a, b, c }, { c, b, a }, { b, c, a } } do
    local result = copy(order)
    local by_name = {}
    for _, object in ipairs(result) do by_name[object.name] = object end
    equal(by_name.a.greeting, "alone")
    equal(by_name.b.greeting, "hello a")
    equal(by_name.c.greeting, "hello b")
    equal(by_name.c.friend, by_name.b)
    equal(by_name.b.friend, by_name.a)
  end
end)

test("a cycle of rebuilders is an error", function()
  local meta = {}
  function meta:__persist()
    local other = self.other
    return function() return { other = other } end
  end
  local a, b = setmetatable({}, meta), setmetatable({}, meta)
  a.other, b.other = b, a
  fails("cycle", "root[1]: rebuilding functions need each other's results", hearth.encode { a, b })
end)

test("a rebuilder reaches plain tables that are filled", function()
  local config = { level = 3 }
  local object = setmetatable({}, { __persist = function()
    return function() return { seen = config.level, config = config } end
  end })
  local result = copy { object, config }
  equal(result[1].seen, 3)
  equal(result[1].config, result[2])
end)

test("a registered type of tables", function()
  local vector = { __add = function(a, b) return a.x + b.x end }
  hearth.register_type {
    name = "test.vector",
    metatable = vector,
    encode = function(v) return { v.x, v.y } end,
    decode = function(list) return setmetatable({ x = list[1], y = list[2], back = true }, vector) end,
  }
  local v = setmetatable({ x = 1, y = 2 }, vector)
  local result = copy { v, v }
  equal(result[1].x, 1)
  equal(result[1].y, 2)
  equal(result[1].back, true)
  equal(result[1], result[2])
  equal(getmetatable(result[1]), vector)
end)

test("a registered type of userdata", function()
  local path = t.path "lines"
  local file = assert(io.open(path, "w"))
  hearth.register_type {
    name = "test.file",
    metatable = getmetatable(file),
    encode = function(f) return f == io.stdout and "stdout" or path end,
    decode = function(name) return assert(io.open(name)) end,
  }
  local result = copy { log = file }
  equal(io.type(result.log), "file")
  result.log:close()
  file:close()
end)

test("a type unknown on load", function()
  local path = t.path "typed.bin"
  t.run([[
    local hearth = require "hearth"
    local meta = {}
    hearth.register_type { name = "test.only_there", metatable = meta, encode = function() return 1 end,
      decode = function() return 1 end }
    require "harness".write(..., assert(hearth.encode { setmetatable({}, meta) }))
  ]], path)
  fails("unknown", "test.only_there", hearth.decode(t.read(path), { trusted = true }))
end)

test("finalizers see no half-built object", function()
  local seen = {}
  local meta = { __gc = function(object) seen[#seen + 1] = object.whole end }
  hearth.register_permanent("test.finalized", meta)
  local source = setmetatable({ whole = true }, meta)
  local bytes = assert(hearth.encode { source })
  for n = 0, #bytes - 1 do hearth.decode(bytes:sub(1, n), { trusted = true }) end
  collectgarbage()
  equal(#seen, 0)
  hearth.decode(bytes, { trusted = true })
  collectgarbage()
  collectgarbage()
  equal(#seen, 1)
  equal(seen[1], true)
  setmetatable(source, nil) -- kept until here
end)

test("a weak table that only a hook's result holds", function()
  local kept, gone, class = {}, {}, {}
  local keys = setmetatable({ [kept] = "kept", [gone] = "gone" }, { __mode = "k" })
  function class.__persist()
    local t = keys
    return function() return setmetatable({ keys = t }, class) end
  end
  local function check(object)
    local all = {}
    for _, v in next, object.keys do all[#all + 1] = v end
    equal(table.concat(all, " "), "kept")
    equal(getmetatable(object.keys).__mode, "k")
  end
  local uri = "file:" .. t.path "weak.hearth"
  do
    local store <close> = assert(hearth.open(uri))
    store.home.object, store.home.kept = setmetatable({}, class), kept
    assert(store:commit())
    local sequence = store:stat().storage.sequence
    assert(store:commit()) -- it is no other table
    equal(store:stat().storage.sequence, sequence)
    local list = hearth.decode(assert(hearth.encode { setmetatable({}, class), kept }), { trusted = true })
    check(list[1])
    equal(type(list[2]), "table")
  end
  collectgarbage "stop" -- which would take what should not be there
  local store <close> = assert(hearth.open(uri))
  check(store.home.object)
  collectgarbage "restart"
end)

test("the arguments of register_type", function()
  local meta, f = {}, function() end
  raises("unknown field 'decoder'", hearth.register_type, { name = "x", metatable = meta, encode = f, decoder = f })
  raises("field 'name': string expected, got nil", hearth.register_type, { metatable = meta, encode = f, decode = f })
  raises("field 'metatable': table expected", hearth.register_type, { name = "x", encode = f, decode = f })
  raises("field 'encode': function expected, got number", hearth.register_type,
    { name = "x", metatable = meta, encode = 1, decode = f })
  raises("table expected", hearth.register_type, 1)
end)

t.finish()
