local hearth = require "hearth"
-- @sample@
