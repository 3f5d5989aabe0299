---@meta hearth.legacy

---Data of the legacy runtime `cu` as Lua values, and back. `require "hearth.legacy"` works once `hearth` was required.
---What the records are, and what a report says: docs/LEGACY.md.
---@class hearth.legacy
local legacy = {}

---One table, or (with the id "__metadata__") the metadata. Values are `{_type = "binary", data = BYTES}`,
---`{["$uint8array"] = BYTES}`, or text; BYTES is a string or a list of numbers.
---@class hearth.legacy.record
---@field id integer|string the table's number, or the name of the metadata
---@field data table<string, string|table> key -> value

---One remark.
---@class hearth.legacy.line
---@field table? integer|string its number
---@field key? string as text, where it is about one entry
---@field what string "damaged", "lossy", "function" ...: docs/LEGACY.md
---@field message string in words

---All remarks, by table and key.
---@class hearth.legacy.report
---@field [integer] hearth.legacy.line one by one
---@field home integer number of the home table
---@field tables integer how many were imported or written
---@field entries integer how many entries these have
---@field saved_at? string ISO text
---@field counts table<string, integer> lines of each `what`

---@class hearth.legacy.import_options
---@field home_table? table the table to fill, which must be empty: `_home`; default: a new one
---@field keys? "integer"|"number"|"text" which keys become numbers; default "integer"
---@field home? integer number of the home table, where the metadata does not tell it
---@field unreachable? string tables that nothing refers to are kept as home[unreachable][id]
---@field globals? table for the first upvalue of functions; default `_G`
---@field warn? fun(line: string) default: Lua's `warn`

---@class hearth.legacy.export_options
---@field runtime? "2.0"|"2.1" which version is to read it; default "2.1"
---@field saved_at? string text for the metadata; default: the time now
---@field globals? table what the first upvalue of functions is; default `_G`

---Fills a table with what the records hold; whoever owns the store commits it. What is damaged is in the report, all
---the rest is imported.
---@param records hearth.legacy.record[]
---@param options? hearth.legacy.import_options
---@return table? home
---@return hearth.legacy.report|string report or the message
---@return "damaged"|"exists"|"invalid"|nil code
function legacy.import(records, options) end

---The records of what a table holds. What they cannot hold is in the report.
---@param home table
---@param options? hearth.legacy.export_options
---@return hearth.legacy.record[]? records
---@return hearth.legacy.report|string report or the message
---@return "invalid"|nil code
function legacy.export(home, options) end

return legacy
