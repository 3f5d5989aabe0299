local hearth = require "hearth"
local bytes = assert(hearth.encode { 1 })
local yesterday, now = 1, 2
do
  local store <close> = assert(hearth.open "memory:")
  store:install()
  _home.log = ext.table()
  -- @sample@
end
