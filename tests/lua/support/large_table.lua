-- A program with an external table of many entries. Arguments: what to do (fill, scan or read), the store's URI, how
-- many entries. Prints one line: entries, bytes of values, seconds, the most memory that the process had (KiB), and the
-- bytes that it read from files (0: not known).
local hearth = require "hearth"
local what, uri, count = ...
count = assert(math.tointeger(tonumber(count)))
local store <close> = assert(hearth.open(uri, { readonly = what ~= "fill" }))
store:install()

local filler = ("abcdefghijklmnopqrstuvwxyz"):rep(3)

local function value(i)
  return ("entry %010d %s"):format(i, filler:sub(1 + i % 10))
end

-- A figure of this process.
local function figure(name, pattern)
  local file <close> = io.open("/proc/self/" .. name)
  return file and file:read "a":match(pattern) or 0
end

local work = {}

function work.fill()
  local bytes = 0
  _home.entries = ext.table()
  for i = 1, count do
    local v = value(i)
    _home.entries[i] = v
    bytes = bytes + #v
    if i % 10000 == 0 then assert(store:commit()) end
  end
  assert(store:commit())
  return count, bytes
end

function work.scan()
  local seen, bytes = 0, 0
  for i, v in pairs(_home.entries) do
    seen = seen + 1
    assert(i == seen and v == value(i), i)
    bytes = bytes + #v
  end
  assert(seen == count, seen)
  return seen, bytes
end

function work.read()
  local reads, bytes = math.min(count, 1000000), 0
  for _ = 1, reads do
    local i = math.random(count)
    local v = _home.entries[i]
    assert(v == value(i), i)
    bytes = bytes + #v
  end
  return reads, bytes
end

local began = os.time()
local entries, bytes = work[what]()
print(entries, bytes, os.time() - began, figure("status", "VmHWM:%s*(%d+)"), figure("io", "rchar:%s*(%d+)"))
