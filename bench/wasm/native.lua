-- native.lua FOLDER-OF-DATA MODULE: answers each line, an expression with `codec` in it, with one.
local folder, module = ...
local hearth = assert(package.loadlib(module, "luaopen_hearth"))()
local codec = assert(loadfile(folder .. "/wasm/codec.lua"))(hearth, dofile(folder .. "/data.lua"), os.clock)
for line in io.lines() do
  local done, result = pcall(assert(load("local codec = ... return " .. line)), codec)
  io.write(done and "" or "error: ", tostring(result), "\n")
  io.flush()
end
