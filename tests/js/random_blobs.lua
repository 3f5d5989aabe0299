-- random_blobs.lua GRAPHS FOLDER COUNT SEED: blobs of random graphs, every option of encoding in turn.
local hearth = require "hearth"
local path, folder, count, seed = ...
local random_graph = assert(loadfile(path))()

for i = 1, math.tointeger(tonumber(count)) do
  local canonical = i % 3 == 0
  local graph = random_graph.build(math.tointeger(tonumber(seed)) + i,
    { size = i % 40 + 1, object_keys = canonical and 1 or 6, persist = i % 4 == 0 })
  local bytes = assert(hearth.encode(graph, { canonical = canonical, strip = i % 2 == 0 }))
  local file = assert(io.open(string.format("%s/%d.blob", folder, i), "wb"))
  assert(file:write(bytes))
  assert(file:close())
end
