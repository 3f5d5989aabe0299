-- hearth migrate, case by case: HEARTH FOLDER. In a case {{X}} marks what must be rewritten: the source has Memory
-- there, the expected text _home. A case's `says` must stand in the list on standard error, for its file; nothing else
-- may.
local hearth, folder = arg[1], arg[2]
local cases = {}

local function case(name, text, says)
  cases[#cases + 1] = { name = name, text = text, says = says or {} }
end

local HIDDEN, ENV, ASSIGNED_ENV = "a local _home hides", "a local _ENV is in scope", "_ENV is assigned"
local ASSIGNED, STRING, FIELD = "the global itself is assigned", "a string with the word", "a field Memory of the table"
local COMPUTED, GLOBALS, CODE = "a computed field", "the table of globals as a value", "code that is loaded"
local PERHAPS, NAMED, LIMIT = "a field Memory of a local _G", "_G or _ENV as a string or a field", "a limit of Lua's"
local HOME, OTHER = "a global _home is assigned", "this file assigns a global _home"

-- What --write leaves and --check minds; all else is only listed.
local uses = { [HIDDEN] = true, [FIELD] = true, [LIMIT] = true, [OTHER] = true }

-- uses
case("read", "return {{X}}")
case("field read", "return {{X}}.a.b")
case("field written", "{{X}}.a = 1")
case("index", "{{X}}[1], {{X}}['a'] = 1, {{X}}[{{X}}[1]]")
case("assigned", "{{X}} = {{X}} or {}", { ASSIGNED })
case("assigned among others", "local a\na, {{X}}, a = 1, {{X}}.x, 3", { ASSIGNED })
case("assigned first of several", "print({{X}}, {{X}})\n{{X}}, {{X}}.x = {{X}}, 3 print({{X}}, 1)", { ASSIGNED })
case("multiple assignment that reads only", "local a\na, {{X}}.x, a = {{X}}, {{X}}.y, 3")
case("argument", "print({{X}}, 1)\nprint{ {{X}} }\nprint({{X}})")
case("call", "{{X}}() {{X}}'x' {{X}}{1} {{X}}[[x]]")
case("method", "{{X}}:f(1)\n{{X}}:Memory()")
case("function statement", "function {{X}}() end", { ASSIGNED })
case("function in a field", "function {{X}}.a.b() end")
case("method statement", "function {{X}}.a.b:c() return self, {{X}} end\nfunction {{X}}:Memory() end")
case("method with a parameter of the name", "function {{X}}.f(Memory) Memory.x = 1 end {{X}}.y = 1")
case("after an expression without semicolon",
  "local a = 1\n{{X}}.x = a\nlocal b = a\n{{X}}.y = b\nfunction {{X}}.z() end")
case("operators", "return #{{X}} + 1 .. {{X}}.x == {{X}} and not {{X}} or -{{X}} <= {{X}} // 2 ~= {{X}}")
case("concatenation without blanks", "return {{X}}..{{X}}.a..{{X}}")
case("constructor", "return { {{X}}, {{X}}; Memory = {{X}}, [{{X}}] = {{X}}.Memory; Memory = 1, x = {{X}} }")
case("nested constructor", "return { a = { Memory = { Memory = {{X}} } }, { {{X}} } }")
case("function in a constructor",
  "return { f = function() local a; a, {{X}} = 1, 2; {{X}}= 3 end, Memory = 1 }", { ASSIGNED })
case("blocks in a constructor", [[return { f = function() if x then y() elseif {{X}} then z() else {{X}}.a = 1 end
  while {{X}} do break end repeat x(); until {{X}}; {{X}}.b = 2
  for i = 1, 2 do x(); {{X}}.c = 3 end end, Memory = {{X}} }]])
case("comparison after a comma in a constructor", "return { 1, {{X}} == 2, {{X}} }")
case("integer and float constants", "{{X}}.a, {{X}}[1], {{X}}[1.0], {{X}}[2^53] = 1, 1.0, 0x1p4, 3e-2 + {{X}}.n")
case("vararg", "local a, b = ..., {{X}}\nreturn select('#', ..., {{X}})")
case("return at the end", "do return {{X}} end")
case("last line without a line end", "{{X}}.x = 1 -- Memory")
case("comment without a line end after return", "return {{X}} -- the end")
case("condition", "if {{X}} then elseif {{X}}.a then else {{X}}.b() end while {{X}}.c do end")
case("parentheses", ";({{X}}).x = 1\n;(function() return {{X}} end)()")
case("upvalue of functions", "return function() return function() return {{X}} end end")
case("constant folding leaves uses", "return nil and {{X}}, true or {{X}}, (1 + 2) * {{X}}.x")
case("dead code", "while false do {{X}}.x = 1 end if nil then return {{X}} end goto out do {{X}}.y = 2 end ::out::")

-- what is no use
case("fields", "local t = {}\nt.Memory = t.Memory t.Memory.Memory = t:Memory() t . Memory = t\n.Memory")
case("fields behind a comment", "local t = {}\nt.--[[x]]Memory = t--\n.--\nMemory")
case("parts of names", "MemoryMemory = Memory_ + _Memory - Memory1 memory = MEMORY")
case("comments",
  "-- Memory\n--[[ Memory ]] --[==[ Memory ]] ]==]\n--[ Memory\n--[=Memory\n{{X}}.x = 1 --[[]] {{X}}.y = 1")
case("strings", [[print("Memory", 'it\'s Memory', "\"Memory", "\\", {{X}})]], { STRING })
case("long strings", "print([[Memory]], [==[ ]] Memory ]=] ]==], {{X}})", { STRING })
case("long string over lines", "local s = [[\nMemory\n--]] {{X}}.x = s", { STRING })
case("string over lines", "local s = 'a\\\nMemory\\z\n  -- Memory' {{X}}.x = s", { STRING })
case("string with CR LF", "local s = 'a\\\r\nMemory'\r\n{{X}}.x = s\r\n", { STRING })
case("brackets of indices are no long strings", "local t = {{1}} t[t[1][1]] = {{X}}[t[1]]")
case("parts of words in strings", "print('MemoryLeak', 'InMemory', 'Memory1', 'My_Memory', {{X}})")
case("labels", "goto Memory\n::Memory::\n:: other ::\n{{X}}.x = 1 ::Memory2:: {{X}}.y = 1")
case("a label after a value", "local a = {{X}} ::Memory:: a = {{X}} ::b:: {{X}}.x = 1 goto Memory")
case("continue by goto", "for i = 1, 3 do if {{X}}.x then goto Memory end {{X}}.y = i ::Memory:: end")

-- locals
case("local", "local Memory = {{X}}\nMemory.x = 1 return Memory")
case("local constant", "local Memory <const> = {{X}}\nreturn Memory")
case("local compile-time constant", "local Memory <const> = 42\nreturn Memory + 1, function() return Memory end")
case("local to be closed", "local Memory <close> = {{X}}.lock()\nMemory.x = 1")
case("local declared after a use", "{{X}}.a = 1\nlocal Memory = 1\nprint(Memory)")
case("local that ends", "do local Memory = {{X}} Memory.x = 1 end {{X}}.y = 1")
case("several locals", "local a, Memory, b = {{X}}, {{X}}, 3\nreturn Memory")
case("local without a value", "local Memory\nMemory = 1")
case("local function", "local function Memory() return Memory() end Memory()")
case("local with a function", "local Memory = function() return {{X}} end Memory()")
case("local redeclared", "local Memory = {{X}} local Memory = Memory return Memory")
case("parameter", "local function f(a, Memory, ...) return Memory, ... end return f({{X}})")
case("parameter of the name in one of two",
  "local function f(Memory) return Memory end local function g() return {{X}} end")
case("upvalue of a local", "local Memory = {} return function() Memory.x = 1 return function() return Memory end end")
case("upvalue and global in one function",
  "return function() {{X}}.a = 1 do local Memory = {} return function() return Memory end end end")
case("numeric for", "for Memory = {{X}}.a, {{X}}.b do print(Memory) end {{X}}.c = 1")
case("generic for", "for k, Memory in pairs({{X}}) do print(k, Memory) end {{X}}.c = 1")
case("repeat until sees its locals", "repeat local Memory = {{X}}.x until Memory\nrepeat {{X}}.y = 1 until {{X}}.z")
case("while", "while {{X}}.x do local Memory = {{X}} Memory.x = nil end")
case("if", "if {{X}} then local Memory = 1 print(Memory) else {{X}}.x = 1 end")
case("method's self", "local t = {} function t:Memory() return self.Memory, {{X}} end")
case("many scopes", [[local function a() local Memory = {{X}}
  local function b(Memory) do local Memory = Memory end return Memory end return b(Memory) end return {{X}}]])

-- _home
case("_home beside it", "_home.a = {{X}}.b")
case("a local _home hides", "local _home = {} Memory.x = 1 return _home", { HIDDEN })
case("a local _home elsewhere",
  "do local _home = {} end {{X}}.x = 1 local function f(_home) return _home end return {{X}}")
case("a local _home made of it", "local _home = {{X}} _home.x = 1")
case("a parameter _home", "return function(_home) return Memory end, {{X}}", { HIDDEN })
case("a field and a key _home", "local t = { _home = {{X}} } t._home = {{X}}")
case("a local _home and a local Memory", "local _home, Memory = 1, 2 return Memory")
case("a local function _home", "local function _home() return Memory end return Memory", { HIDDEN })
case("for _home", "for _home = 1, 2 do Memory.x = 1 end {{X}}.x = 1", { HIDDEN })

-- _ENV
case("a local _ENV", "local _ENV = {} Memory = 1", { ENV })
case("a local _ENV that ends", "do local _ENV = {} Memory.x = 1 end {{X}}.x = 1", { ENV })
case("a parameter _ENV", "return function(_ENV) return Memory end, {{X}}", { ENV })
case("for _ENV", "for _, _ENV in ipairs({}) do x = Memory end return {{X}}", { ENV })
case("_ENV assigned", "Memory.x = 1\nlocal function f() _ENV = {} end", { ASSIGNED_ENV })
case("_ENV assigned among others", "local a a, _ENV = 1, {} return Memory", { ASSIGNED_ENV })
case("a local _ENV assigned", "do local _ENV = {} _ENV = {} end return {{X}}")
case("_ENV read", "return _ENV.x, {{X}}")
case("_ENV made a local", "local _ENV = _ENV return Memory", { ENV, GLOBALS })
case("_ENV as an argument", "setmetatable(_ENV, {}) return {{X}}", { GLOBALS })
case("_ENV.Memory", "return _ENV.Memory, {{X}}", { FIELD })
case("_ENV.Memory of a local _ENV", "local _ENV = {} return _ENV.Memory, _ENV[x]")
case("_ENV.Memory where _ENV is assigned", "_ENV = {} return _ENV.Memory", { ASSIGNED_ENV })

-- a global _home that is something else
case("_home assigned", "_home = '/home/me'\nMemory.dir = _home", { HOME, OTHER })
case("_home assigned later", "Memory.x = 1 do local function f() _home = 1 end end", { HOME, OTHER })
case("_home assigned without a use", "_home = '/home/me'", { HOME })
case("function _home", "function _home() end Memory.f = _home", { HOME, OTHER })
case("function in _home", "function _home.f() end function _home:g() end {{X}}.f = _home")
case("_home assigned among others", "local a\na, _home = 1, 2 Memory.x = a", { HOME, OTHER })
case("_home assigned first of several", "_home, x = 1, 2 Memory.x = x", { HOME, OTHER })
case("_home read in a list", "print(_home, 1) x, y = _home, 2 {{X}}.x = { _home, x }")
case("_home assigned and Memory itself", "_home = 1 Memory = {}", { HOME, OTHER, ASSIGNED })
case("_home made if there is none", "_home = _home or {}\n{{X}}.x = 1")
case("_home made of the old name", "_home = {{X}}\n_home.x = {{X}}.y _home = {{X}}; _home = {{X}}")
case("_home made of the old name or not", "_home = {{X}} or {}\nfunction f() _home = {{X}} end")
case("_home made of a field", "_home = _home.x Memory.x = 1", { HOME, OTHER })
case("_home made of a call", "_home = Memory() _home = Memory'x' _home = Memory{}", { HOME, OTHER })
case("_home made of a call of a field", "_home = Memory:f()", { HOME, OTHER })
case("_home made of an operator", "_home = Memory and {}", { HOME, OTHER })
case("_home made of a local", "do local Memory = {} _home = Memory end Memory.x = 1", { HOME, OTHER })
case("_home made of itself at another place", "local a a, _home = _home or {} Memory.x = 1", { HOME, OTHER })
case("a local _home assigned", "do local _home _home = 1 local function f(_home) _home = 2 end end {{X}}.x = 1")
case("_home of a local _ENV assigned", "do local _ENV = {} _home = 1 end {{X}}.x = 1")
case("_home of an _ENV that is assigned", "_ENV = {} _home = 1 Memory.x = 1", { HOME, ASSIGNED_ENV })
case("a field of _G", "_G._home = 1 Memory.x = 1", { HOME, OTHER })
case("a field of _G in brackets", "_G['_home'] = 1 Memory.x = 1", { HOME, OTHER })
case("a field of _ENV, as a function", "function _ENV._home() end Memory.x = 1", { HOME, OTHER })
case("a field of _G, raw", "rawset(_G, '_home', 1) Memory.x = 1", { HOME, OTHER })
case("a field of _G that is itself", "_G._home = {{X}} or {} _G['_home'] = _home or {}")
case("a field of _G that is read", "x = _G._home, rawget(_G, '_home') if _G._home == 1 then {{X}}.x = 1 end")
case("a field of a local _G assigned", "local _G = {} _G._home = 1 {{X}}.x = 1")

-- what cannot be decided
case("_G.Memory", "_G.Memory.x = {{X}}", { FIELD })
case("_G:Memory", "_G:Memory()", { FIELD })
case("_G['Memory']", "_G['Memory'].x = _G[ [=[Memory]=] ]", { FIELD })
case("_G['Mem\\x6fry']", "return _G['Mem\\x6fry'], _G['\\77emory'], _G['\\u{4D}emory']", { FIELD })
case("_G[computed]", "return _G['Mem' .. 'ory']", { COMPUTED })
case("_G[variable]", "local k = ... return _G[k]", { COMPUTED })
case("other fields of _G", "return _G.print, _G['print'], _G[1], rawget(_G, 'print')")
case("rawget", "return rawget(_G, 'Memory')", { FIELD })
case("rawset", "rawset(_G, 'Memory', 1)", { FIELD })
case("rawget computed", "return rawget(_G, 'Mem' .. 'ory')", { COMPUTED })
case("_G.Memory written", "_G.Memory.x = 1", { FIELD })
case("_G.Memory of a local _G", "local _G = {} return _G.Memory, function(_G) return _G['Memory'] end", { PERHAPS })
case("_G.Memory of what was _G", "local _G = _G return _G.Memory", { GLOBALS, PERHAPS })
case("_G.Memory of a local _ENV", "local _ENV = {} return _G.Memory", { ENV })
case("_G.Memory where _ENV is assigned", "_ENV = {} return _G.Memory", { ASSIGNED_ENV })
case("_G as a key, a local and a label",
  "local t = { _G = 1 } local function f(_G) end goto _G ::_G:: for _G = 1, 2 do end")
case("_G as a field", "return package.loaded._G.Memory", { NAMED })
case("_G as a field, made a local", "local g = package.loaded._G", { NAMED })
case("_G as a string", "return package.loaded['_G'].Memory", { NAMED })
case("require of _G", "require '_G'.Memory = 1", { NAMED })
case("_ENV as a string", "local name = debug.getupvalue(f, 1) return name == [[_ENV]]", { NAMED })
case("_G with more in a string", "return '_G ', '_GG', 'x_G', 'in _ENV'")
case("pairs(_G)", "for k in pairs(_G) do end", { GLOBALS })
case("next(_G)", "return next(_G)", { GLOBALS })
case("_G as a value", "local g = _G g.Memory.x = 1", { GLOBALS })
case("load of a variable", "local s = ... load(s)()", { CODE })
case("load of a literal", "load('return 1')() load[[x = 2]]() load('x', 'name')")
case("load of a literal with the word", "load('x = 1\\nMemory.y = 2')()", { STRING })
case("load of a word behind an escape",
  "load('\\z\n   Memory.y = 2')() load('\\065\\t\\x20Memory.y = 2')()", { STRING })
case("load of a literal and more", "local s = ... load('return ' .. s)()", { CODE })
case("loadstring, loadfile, dofile", "local s = ...\nloadstring(s)\nloadfile(s)\ndofile(s)\ndofile()", { CODE })
case("dofile of a literal", "dofile 'x.lua' dofile('y.lua')")
case("pcall(load, x)", "local s = ... pcall(load, s)", { CODE })
case("load as a local", "local l = load\nl(x)", { CODE })
case("load as a field of _G", "_G.load(x)", { CODE })
case("load as a literal field of _G", "return _ENV['loadstring'](x)", { CODE })
case("load as a value of _G", "local l = _ENV.loadfile", { CODE })
case("load of a field of _G, a literal", "_G.load('return 1')() _G['load'] 'return 2'")
case("load as an argument", "coroutine.wrap(load)(x)", { CODE })
case("load as the first argument", "f(load, x)", { CODE })
case("load in parentheses", "(load)(x)", { CODE })
case("load asserted", "return assert(load)(x)", { CODE })
case("load with a table", "load {}", { CODE })
case("load at the end", "return load", { CODE })
case("load made", "load = loadstring", { CODE })
case("load in a closure", "local x = 'return 1' return function() return load(x) end", { CODE })
case("load once a line", "local a, b, c = load, load, loadfile", { CODE })
case("load of a local",
  "do local load = f load(x) end local function g(loadfile) loadfile(x) end for dofile = 1, 2 do f(dofile) end")
case("load as a key, a field and a label",
  "local t = { load = 1 } t.load = t:load(1) goto load ::load:: f(t.loadstring)")
case("load of a local _ENV", "local _ENV = { load = load } load(x)", { CODE })
case("other functions called load", "local t = {} function t.load() end t.load(t) t:load(t) local function load(x) end")
case("two reasons on a line", "_G.Memory = load(x)", { FIELD, CODE })

-- bytes
case("CR LF", "local a = 1\r\n{{X}}.x = a -- Memory\r\nreturn {{X}}\r\n")
case("CR alone", "-- Memory\r{{X}}.x = 1\r-- Memory")
case("LF CR", "-- Memory\n\r{{X}}.x = 1\n\r-- Memory")
case("byte order mark", "\xEF\xBB\xBF{{X}}.x = 1\n")
case("shebang", "#!/usr/bin/env Memory\n{{X}}.x = 1\n")
case("byte order mark and shebang", "\xEF\xBB\xBF#!/usr/bin/lua Memory\r\n{{X}}.x = 1\r\n")
case("shebang alone", "#!/usr/bin/lua Memory")
case("an empty file", "")
case("blanks only", " \t\v\f\r\n\n")
case("other bytes", "-- \xFF\xFE\0Memory\n{{X}}.x = '\xC3\xA9\0\xFF' -- \x80")
case("blanks of all kinds", "\v{{X}}\f.\tx\r=\n{{X}}")
case("our own names", "fresh0_ = {{X}} fresh1_n00000001, fresh2_x = {{X}}, 'fresh\\x33_'")

-- limits of the compiler
local function repeated(n, format, separator)
  local list = {}
  for i = 1, n do list[i] = string.format(format, i) end
  return table.concat(list, separator)
end

local function upvalues(n, body)
  local first = math.min(n, 180)
  return "local " .. repeated(first, "a%d", ",") .. "\nreturn function() local " .. repeated(n - first, "b%d", ",") ..
    "\nreturn function() local x = " .. repeated(first, "a%d", " or ") ..
    " or " .. repeated(n - first, "b%d", " or ") .. "\n" .. body .. " end end"
end

case("200 locals", "local " .. repeated(199, "a%d", ",") .. "\nlocal Memory = {{X}} return Memory")
case("200 locals, function statement", "local " .. repeated(200, "a%d", ",") .. "\nfunction {{X}}.f() return {{X}} end")
case("255 upvalues", upvalues(254, "return {{X}}"))
case("255 upvalues without a global", upvalues(255, "local Memory = 1 return Memory") .. ", {{X}}")
case("255 upvalues, and a local _home", upvalues(253, "{{X}}.x = 1 do local _home = 1 Memory.x = 1 end"), { HIDDEN })
case("many arguments", "return f(" .. repeated(248, "{{X}}.a%d", ",") .. ")")
case("many constants", "local t = {" .. repeated(70000, "'%d'", ",") .. "} return {{X}}, t")
case("deep nesting", ("do "):rep(180) .. "{{X}}.x = 1" .. (" end"):rep(180))
case("too deep to ask", ("do "):rep(196) .. "Memory.x = 1" .. (" end"):rep(196), { LIMIT })
case("too deep to ask what a _home is", ("do "):rep(196) .. "_home = 1" .. (" end"):rep(196) .. " Memory.x = 1",
  { HOME, OTHER })
case("too deep to ask what a load is", ("do "):rep(196) .. "load(x)" .. (" end"):rep(196) .. " {{X}}.x = 1", { CODE })
case("too deep to ask what a _G is", ("do "):rep(196) .. "x = _G.Memory" .. (" end"):rep(196), { FIELD })
case("deep functions", ("return function() "):rep(90) .. "return {{X}}" .. (" end"):rep(90))

-- ------------------------------------------------------------------------------------------------- running them

local passed, failed = 0, 0

local function check(ok, name, what, ...)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print("FAILED: " .. name .. ": " .. string.format(what, ...))
  end
end

local function file(i)
  return string.format("%s/case%03d.lua", folder, i)
end

local function put(path, text)
  local f = assert(io.open(path, "wb"))
  assert(f:write(text))
  assert(f:close())
end

local function get(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("a")
  f:close()
  return text
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Runs hearth migrate; returns what it printed, what it listed, its exit status.
local function migrate(arguments)
  local out, err = folder .. "/out", folder .. "/err"
  local command = string.format("%s migrate %s >%s 2>%s", quoted(hearth), arguments, quoted(out), quoted(err))
  local _, _, status = os.execute(command)
  return get(out), get(err), status
end

for i, c in ipairs(cases) do
  local name = "%{%{X%}%}"
  c.before, c.after = c.text:gsub(name, "Memory"), c.text:gsub(name, "_home")
  put(file(i), c.before)
end

local diff, listed, status = migrate(quoted(folder))
check(status == 0, "the dry run", "exit status %d: %s", status, listed)
for i, c in ipairs(cases) do check(get(file(i)) == c.before, c.name, "the dry run wrote") end

local places, _, check_status = migrate("--check " .. quoted(folder))
check(check_status == 1, "check", "exit status %d", check_status)

local printed, listed_again, write_status = migrate("--write " .. quoted(folder))
check(write_status == 0 and printed == "", "write", "exit status %d: %s", write_status, listed_again)
check(listed == listed_again:gsub(" rewritten in ", " to rewrite in "), "write", "lists something else")

for i, c in ipairs(cases) do
  local got, path = get(file(i)), file(i)
  check(got == c.after, c.name, "%q, not %q", got:sub(1, 500), c.after:sub(1, 500))
  check((diff:find("--- " .. path, 1, true) ~= nil) == (c.before ~= c.after), c.name, "its diff")
  check((places:find(path, 1, true) ~= nil) == (c.before ~= c.after), c.name, "its places")
  local reasons, seen = {}, {}
  for line, reason in listed:gmatch("\n?" .. path:gsub("%p", "%%%0") .. ":(%d+):%d+: ([^\n]*)") do
    check(not seen[line .. reason], c.name, "%s twice on line %s", reason, line)
    seen[line .. reason] = true
    reasons[#reasons + 1] = reason
  end
  for _, says in ipairs(c.says) do
    local found = false
    for _, reason in ipairs(reasons) do found = found or reason:find(says, 1, true) ~= nil end
    check(found, c.name, "does not list '%s'", says)
  end
  for _, reason in ipairs(reasons) do
    local expected = false
    for _, says in ipairs(c.says) do expected = expected or reason:find(says, 1, true) ~= nil end
    check(expected, c.name, "lists '%s'", reason)
  end
  local fails = false
  for _, says in ipairs(c.says) do fails = fails or uses[says] == true end
  local rest, _, rest_status = migrate("--check " .. quoted(path))
  check(rest == "", c.name, "what is left to rewrite: %s", rest)
  check(rest_status == (fails and 1 or 0), c.name, "check after: exit status %d", rest_status)
  os.remove(path)
end
check(#cases >= 60, "the table", "%d cases", #cases)

-- A large file stays quick: two thousand functions, every other with a local of the name.
local parts = {}
for i = 1, 2000 do
  parts[i] = string.format(i % 2 == 0 and "function m.f%d(Memory) Memory.x = %d return Memory end"
    or "function m.f%d() local a = {{X}}.x{{X}}.y = a + %d return {{X}} end", i, i)
end
local large = "local m = {}\n" .. table.concat(parts, "\n"):gsub("x{{X}}", "x {{X}}") .. "\nreturn m\n"
put(folder .. "/large.lua", (large:gsub("{{X}}", "Memory")))
local _, errors, large_status = migrate("--write " .. quoted(folder .. "/large.lua"))
check(large_status == 0, "a large file", "exit status %d: %s", large_status, errors)
check(get(folder .. "/large.lua") == large:gsub("{{X}}", "_home"), "a large file", "differs")

print(string.format("%d passed, %d failed", passed, failed))
if failed > 0 then os.exit(1, true) end
