-- Reads JSON: for fixtures that are known to be well-formed. null is json.null.
local json = { null = setmetatable({}, { __name = "null" }) }

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local read_value

local function skip(text, at) return text:find("[^ \t\r\n]", at) end

local function read_string(text, at)
  local pieces = {}
  while true do
    local stop = text:find('["\\]', at)
    pieces[#pieces + 1] = text:sub(at, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(pieces), stop + 1 end
    local letter = text:sub(stop + 1, stop + 1)
    at = stop + 2
    if letter == "u" then
      local code = tonumber(text:sub(at, at + 3), 16)
      at = at + 4
      if code >= 0xD800 and code < 0xDC00 then
        code = 0x10000 + ((code & 0x3FF) << 10 | tonumber(text:sub(at + 2, at + 5), 16) & 0x3FF)
        at = at + 6
      end
      pieces[#pieces + 1] = utf8.char(code)
    else
      pieces[#pieces + 1] = assert(escapes[letter])
    end
  end
end

local function read_list(text, at)
  local list = {}
  at = skip(text, at)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    list[#list + 1], at = read_value(text, at)
    at = skip(text, at)
    if text:sub(at, at) == "]" then return list, at + 1 end
    at = at + 1
  end
end

local function read_object(text, at)
  local object, key = {}, nil
  at = skip(text, at)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    key, at = read_string(text, skip(text, at) + 1)
    object[key], at = read_value(text, skip(text, at) + 1)
    at = skip(text, at)
    if text:sub(at, at) == "}" then return object, at + 1 end
    at = at + 1
  end
end

local words = { t = { "true", true }, f = { "false", false }, n = { "null", json.null } }

function read_value(text, at)
  at = skip(text, at)
  local first = text:sub(at, at)
  if first == "{" then return read_object(text, at + 1) end
  if first == "[" then return read_list(text, at + 1) end
  if first == '"' then return read_string(text, at + 1) end
  if words[first] then return words[first][2], at + #words[first][1] end
  local number = assert(text:match("^-?%d[%d.eE+-]*", at))
  return tonumber(number), at + #number
end

function json.read(text) return (read_value(text, 1)) end

return json
