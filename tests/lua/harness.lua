-- A test harness: test(name, f) runs at once; finish() prints the closing line and ends the process. With the argument
-- --only=PATTERN of Lua only the tests whose names match it run.
local harness = { passed = 0, failed = 0, skipped = 0 }
local only = arg and arg[1] and arg[1]:match "^%-%-only=(.*)"

-- Inside WebAssembly there are no files and no processes: who runs the suite there offers what it can of path, read,
-- write and run as functions of this table, `skip`, a function of a test's name that says why it cannot run, and
-- `finish`. A test that needs what is not offered is skipped, and counted.
local host = package.loaded["harness.host"]

local function missing(what)
  return function() error({ missing = what }) end
end

local function describe(message)
  return type(message) == "table" and message.missing and message or debug.traceback(message)
end

-- `missing` says what this build lacks for the test; false or nil: nothing.
function harness.test(name, f, missing)
  if only and not name:find(only) then return end
  local reason = host and host.skip and host.skip(name) or missing
  local ok, trace
  if not reason then ok, trace = xpcall(f, describe) end
  reason = reason or type(trace) == "table" and "there are no " .. trace.missing
  if reason then
    harness.skipped = harness.skipped + 1
    print(string.format("skipped: %s: %s", name, reason))
  elseif ok then
    harness.passed = harness.passed + 1
  else
    harness.failed = harness.failed + 1
    io.stderr:write("FAILED ", name, "\n  ", tostring(trace):gsub("\n", "\n  "), "\n")
  end
end

local function show(value)
  if type(value) == "string" then
    local text = string.format("%q", value)
    return #text > 200 and text:sub(1, 200) .. "..." or text
  end
  if math.type(value) == "float" then return string.format("%a", value) end
  return tostring(value)
end

-- The same value, its subtype included; -0.0 differs from 0.0. `what` is for the message.
function harness.equal(actual, expected, what)
  local same = rawequal(actual, expected) and math.type(actual) == math.type(expected)
  if same and actual == 0 and math.type(actual) == "float" then same = 1 / actual == 1 / expected end
  if not same then
    error(string.format("%s%s expected, got %s", what and what .. ": " or "", show(expected), show(actual)), 2)
  end
end

-- f(...) must raise an error whose text contains `text` (plain).
function harness.raises(text, f, ...)
  local ok, message = pcall(f, ...)
  if ok then error("an error expected, with: " .. text, 2) end
  if not tostring(message):find(text, 1, true) then
    error(string.format("an error with %q expected, got: %s", text, tostring(message)), 2)
  end
end

-- nil, message, code as a call returned them: the code must be `code`, the message contain `text` (plain).
function harness.fails(code, text, value, message, actual, ...)
  if value ~= nil or type(message) ~= "string" then
    error(string.format("nil, message, %q expected, got %s, %s, %s", code, show(value), show(message), show(actual)), 2)
  end
  if actual ~= code then error(string.format("code %q expected, got %s: %s", code, show(actual), message), 2) end
  if text and not message:find(text, 1, true) then
    error(string.format("a message with %q expected, got: %s", text, message), 2)
  end
  if message:find("\n", 1, true) then error("the message has more than one line: " .. message, 2) end
end

-- How often something random is repeated: HEARTH_TEST_ROUNDS multiplies.
function harness.rounds(usually)
  return usually * math.max(1, math.tointeger(tonumber(os.getenv "HEARTH_TEST_ROUNDS")) or 1)
end

-- The first of the seeds of a random test: HEARTH_TEST_SEED, or another one in each run.
function harness.seed()
  return math.tointeger(tonumber(os.getenv "HEARTH_TEST_SEED")) or os.time() % 1000000 * 1000
end

-- A new path for a store's file. Everything at such paths is removed at the end.
local folder
function harness.path(name)
  if not folder then
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir '" .. folder .. "'"))
  end
  return folder .. "/" .. name
end

-- The bytes of a file.
function harness.read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

function harness.write(path, bytes)
  local file = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  assert(file:close())
end

-- The text of a file of the repository.
function harness.source(name)
  return harness.read((arg[0]:match "^(.*)/" or ".") .. "/../../" .. name)
end

-- Runs Lua code in another process, with arguments; returns what it printed.
function harness.run(code, ...)
  local script = harness.path("script.lua")
  harness.write(script, code)
  local command = { "'" .. os.getenv("HEARTH_TEST_LUA") .. "'", "'" .. script .. "'" }
  for _, argument in ipairs { ... } do command[#command + 1] = "'" .. argument .. "'" end
  local pipe = assert(io.popen(table.concat(command, " ") .. " 2>&1"))
  local output = pipe:read "a"
  local ok, _, status = pipe:close()
  if not ok then error("the other process ended with " .. tostring(status) .. ":\n" .. output, 2) end
  return output
end

function harness.finish()
  if folder then os.execute("rm -rf '" .. folder .. "'") end
  print(string.format("%d passed, %d failed", harness.passed, harness.failed))
  os.exit(harness.failed == 0 and harness.passed > 0, true)
end

if host then
  harness.path = host.path or missing "files"
  harness.read = host.read or missing "files"
  harness.write = host.write or missing "files"
  harness.source = host.source or missing "files"
  harness.run = host.run or missing "processes"
  function harness.finish() host.finish(harness.passed, harness.failed, harness.skipped) end
end

return harness
