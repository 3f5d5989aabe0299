-- LuaJIT's string.buffer, another VM: a program that run.py tells what to do as it does bench.c.
--   luajit luajit.lua SOURCES FOLDER
local sources, folder = ...
local buffer = require "string.buffer"
local ffi = require "ffi"
local data = dofile(sources .. "/data.lua")

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]

local MONOTONIC, PROCESS_CPUTIME_ID = 1, 2 -- on Linux

local function nanoseconds(clock)
  local time = ffi.new("bench_time")
  assert(ffi.C.clock_gettime(clock, time) == 0)
  return tonumber(time.seconds) * 1e9 + tonumber(time.nanoseconds)
end

local NAME = "LuaJIT string.buffer"
local sets = { integers = 100000, floats = 100000, records = 10000, strings = 50000, long_strings = 1000, document = 0 }
local row, value, blob

local commands = {}

function commands.rows()
  for set, count in pairs(sets) do
    for _, what in ipairs { "encode", "decode" } do
      print(('{"row":"%s %s","count":%d,"contestants":["%s"]}'):format(what, set, count, NAME))
    end
  end
  print "{}"
end

function commands.begin(name)
  local what, set = name:match "^(%l+) ([%l_]+)$"
  assert(sets[set], "there is no such row")
  value = data.sets[set](sets[set], folder .. "/document.json")
  row, blob = what, buffer.encode(value)
  print "{}"
end

function commands.sample(name)
  assert(name == NAME, "there is no such contestant")
  local coder, argument = buffer[row], row == "encode" and value or blob
  collectgarbage()
  collectgarbage "stop"
  local began, used = nanoseconds(MONOTONIC), nanoseconds(PROCESS_CPUTIME_ID)
  local result = coder(argument)
  used = nanoseconds(PROCESS_CPUTIME_ID) - used
  local ended = nanoseconds(MONOTONIC)
  collectgarbage "restart"
  if row == "encode" then assert(result == blob, "not the same bytes again") end
  data.same(value, row == "encode" and buffer.decode(result) or result, 0)
  print(('{"ns":%d,"cpu":%d,"bytes":%d}'):format(ended - began, used, #blob))
end

commands["end"] = function()
  row, value, blob = nil, nil, nil
  print "{}"
end

for line in io.lines() do
  local command, argument = line:match "^(%l+) ?(.*)$"
  commands[command](argument)
  io.flush()
end
