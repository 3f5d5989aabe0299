/**
 * What the legacy interface needs in Lua, made before any code of the user's runs; pristine.js says what it sees. Its
 * functions are in the table `cu` there.
 */
import { PRISTINE } from "../pristine.js";

export const IO_TABLE = 2; // the legacy runtime's numbers
const FIRST_TABLE = 3;

/* ext.table() gave a table that the home table can refer to: a plain one is. `_io` is stored by its name, so that what
 * refers to it finds it again, and what is in it is never stored. */
export const PRELUDE = `
cu = {}

local channel = {}
rawset(_G, "_io", channel)
hearth.register_permanent("_io", channel)

function cu.install() rawset(_G, "ext", {table = function() return {} end}) end
on_open(cu.install)

local shown = {boolean = true, integer = true, float = true, string = true}

function cu.run(code)
  local f, message = load(code, code, "t")
  if not f then error(message, 0) end
  local function last(n, ...)
    local value = nil
    if n > 0 then value = (select(n, ...)) end
    local kind = math.type(value) or type(value)
    return kind, shown[kind] and value
  end
  local function all(...) return last(select("#", ...), ...) end
  return all(f())
end

local ids, next_id = setmetatable({}, {__mode = "k"}), ${FIRST_TABLE}

local function id_of(t)
  if not ids[t] then ids[t], next_id = next_id, next_id + 1 end
  return ids[t]
end

local function text_of(key)
  local ok, text = pcall(tostring, key)
  return ok and text or "(a " .. type(key) .. ")"
end

function cu.tables(home_id)
  local home_table = home()
  ids[home_table], ids[channel] = home_id, ${IO_TABLE}
  local queue, seen, list = {home_table}, {[home_table] = true}, {}
  if next(channel) ~= nil then queue[2], seen[channel] = channel, true end
  for _, t in ipairs(queue) do
    local keys = {}
    for key, value in next, t do
      keys[#keys + 1] = text_of(key)
      if type(value) == "table" and not seen[value] then
        seen[value] = true
        queue[#queue + 1] = value
      end
    end
    list[#list + 1] = {id = id_of(t), size = #keys, keys = keys}
  end
  return list, next_id
end

function cu.set_io(key, value) channel[key] = value end
function cu.get_io(key) return channel[key] end

function cu.is_empty() return next(home()) == nil and debug.getmetatable(home()) == nil end

function cu.empty()
  debug.setmetatable(home(), nil)
  for key in next, home() do home()[key] = nil end
end

-- Empties the home table: the function that puts everything back.
function cu.set_aside()
  local entries, metatable = {}, debug.getmetatable(home())
  for key, value in next, home() do entries[key] = value end
  cu.empty()
  return function()
    cu.empty()
    for key, value in next, entries do home()[key] = value end
    debug.setmetatable(home(), metatable)
  end
end
`;

/**
 * Calls one of these functions: what it returned.
 * @param {import("../hearth.js").Hearth} hearth
 * @param {string} name
 */
export const call = (hearth, name, ...args) => hearth[PRISTINE]("=cu", `return cu.${name}(...)`, ...args);

