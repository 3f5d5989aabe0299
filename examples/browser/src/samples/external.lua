-- An external table keeps its entries in the store and not in
-- the Lua heap: each is read and written one key at a time.
_home.log = _home.log or ext.table()
local log = _home.log

for _ = 1, 1000 do
  log[#log + 1] = os.date "%H:%M:%S" .. " entry " .. #log + 1
end
print(#log .. " entries")

-- A range, in the order of the keys, from the last one back.
for key, entry in ext.scan(log, #log - 2, #log, true) do
  print(key, entry)
end
