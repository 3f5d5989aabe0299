-- External tables that are larger than memory should be: filled, scanned and read at random, each in a process of its
-- own. HEARTH_LARGE=1: 10,000,000 entries in sqlite, about 1 GB, and 2,000,000 in file, in TMPDIR.
local t = require "harness"
local test = t.test

local all = os.getenv "HEARTH_LARGE"
-- a sanitizer's memory is not ours
local measured = io.open "/proc/self/status" and (os.getenv "LD_PRELOAD" or "") == ""
local program = t.source "tests/lua/support/large_table.lua"

local function large(scheme, count, most)
  local path = all and os.getenv "TMPDIR" and os.getenv "TMPDIR" .. "/large." .. scheme or t.path("large." .. scheme)
  for _, what in ipairs { "fill", "scan", "read" } do
    local answer = t.run(program, what, scheme .. ":" .. path, count)
    local entries, bytes, seconds, memory, read = answer:match "^(%d+)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\n$"
    assert(entries, answer)
    if measured then
      local each = all and scheme == "sqlite" and 200 or 20 -- SQLite reads its log to take it into the database
      assert(what ~= "fill" or read + 0 < each * count, "a commit reads what was there before: " .. read .. " bytes")
      assert(memory + 0 > 1024, "the memory is not known: " .. answer)
      assert(memory + 0 <= most, what .. ": " .. memory .. " KiB, " .. most .. " KiB are allowed")
    end
    if all then
      print(("figure: an external table of %d entries through %s, %s: %s entries, %s bytes of values, %s s, "
        .. "%.0f MiB of memory"):format(count, scheme, what, entries, bytes, seconds, memory / 1024))
    end
  end
  if all then
    local file <close> = assert(io.open(path))
    print(("figure: %d entries take %d bytes in %s"):format(count, file:seek "end", scheme))
  end
  os.remove(path)
end

local no_sqlite = not package.searchpath("hearth.sqlite", package.cpath) and "no backend sqlite was built"

test("a table through sqlite takes no more memory than caches", function()
  if all then large("sqlite", 10000000, 256 * 1024) else large("sqlite", 100000, 48 * 1024) end
end, no_sqlite)

test("a table through file takes the memory of its index", function()
  if all then large("file", 2000000, 256 * 1024) else large("file", 100000, 32 * 1024) end
end)

t.finish()
