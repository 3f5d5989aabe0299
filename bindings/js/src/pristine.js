/**
 * Lua code of this package itself, run beside a user's, who may have replaced any global: it sees copies of the library
 * tables, made before any other code ran, and keeps its own globals to itself. The string methods, `text:find`, are
 * the user's.
 */

/** Of Hearth.open, an option: code to be run in each new Lua state before the store is opened. Of a Hearth, a method:
 *  `(name, code, ...args)` runs code there: what it returned. */
export const PRISTINE = Symbol("pristine");

/* `home()` is the home table, `on_open(f)` has f called when a store was opened. */
const BEGIN = `
local load, error, next, globals = load, error, next, _G
local environment, listeners, home = {}, {}, nil
local function copy(t)
  local result = {}
  for name, value in next, t do result[name] = value end
  return result
end
for name, value in next, globals do
  environment[name] = type(value) == "table" and value ~= globals and copy(value) or value
end
environment.hearth = copy(require "hearth")
function environment.home() return home end
function environment.on_open(f) listeners[#listeners + 1] = f end

local function run(name, code, ...)
  local f, message = load(code, name, "t", environment)
  if not f then error(message, 0) end
  return f(...)
end
local function opened()
  home = globals._home
  for i = 1, #listeners do listeners[i]() end
end
return run, opened`;

export class Pristine {
  #instance;
  #run;
  #opened;

  /**
   * @param {import("./instance.js").Instance} instance in which nothing has run
   * @param {string} [prelude]
   */
  constructor(instance, prelude) {
    this.#instance = instance;
    [this.#run, this.#opened] = instance.call("js_run", [BEGIN, "=hearth", undefined]);
    if (prelude !== undefined) this.run("=prelude", prelude);
  }

  /** A store was opened. */
  opened() {
    this.#instance.call("js_call_value", [this.#opened]);
  }

  /** Lua code that nobody asked to be run: what it changes is committed by whoever runs it. */
  run(name, code, ...args) {
    return this.#instance.call("js_call_value", [this.#run, name, code, ...args]);
  }
}
