/**
 * One load() of the legacy interface: an open Hearth, and what the interface calls in it.
 *
 * It owns its store; or reads it only, while another tab owns it; or has none, where the browser offers none.
 */
import { Hearth, HearthError } from "../hearth.js";
import { Takeover, isNew, setAside } from "./takeover.js";

const PATIENCE = 5000; // milliseconds for another tab to make the store, whose first commit may be a takeover
const PAUSE = 50;
const ANOTHER = "another tab of this site has the store open, and what this one changes is not saved";

const IO_TABLE = 2, FIRST_TABLE = 3; // the legacy runtime's numbers

/* ext.table() gave a table that the home table can refer to: a plain one is. */
const PREPARE = `
ext = {table = function() return {} end}
_io = {}
local home, channel = _home, _io

local shown = {boolean = true, integer = true, float = true, string = true}

local function run(code)
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

local function tables(home_id)
  ids[home], ids[channel] = home_id, ${IO_TABLE}
  local queue, seen, list = {home}, {[home] = true}, {}
  if next(channel) ~= nil then queue[2], seen[channel] = channel, true end
  for _, t in ipairs(queue) do
    local keys = {}
    for key, value in next, t do
      keys[#keys + 1] = tostring(key)
      if type(value) == "table" and not seen[value] then
        seen[value] = true
        queue[#queue + 1] = value
      end
    end
    list[#list + 1] = {id = id_of(t), size = #keys, keys = keys}
  end
  return list, next_id
end

return run, tables,
  function(key, value) channel[key] = value end,
  function(key) return channel[key] end`;

/** The store is another tab's; a new one becomes readable with its owner's first commit. */
async function openOwnedOrRead(options) {
  for (const end = Date.now() + PATIENCE; ;) {
    try {
      return { hearth: await Hearth.open(options), owns: true };
    } catch (error) {
      if (error.code !== "busy") throw error;
      try {
        return { hearth: await Hearth.open({ ...options, readonly: true }), owns: false };
      } catch (other) {
        if (other.code !== "notfound" || Date.now() > end) throw other.code === "notfound" ? error : other;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

export class Session {
  /** @type {Hearth} */
  hearth;
  initialised = false;
  /** Why saveState() cannot save, where it cannot. */
  #unsaved;
  #store;
  /** @type {Takeover | undefined} */
  #takeover;
  #run;
  #tables;
  #setIo;
  #getIo;

  /**
   * @param {object} options
   * @param {string | undefined} options.store its URI; undefined where there can be none
   * @param {boolean} options.autoRestore false: begins with an empty home table, whatever is stored
   * @param {string | undefined} options.legacy name of the legacy database to be taken over
   * @param {object} options.importing options of importLegacy
   * @param {object} options.opening options of Hearth.open
   */
  static async open({ store, autoRestore, legacy, importing, opening }) {
    const session = new Session();
    session.#store = store;
    if (store === undefined) session.#unsaved = "there is no IndexedDB here; option 'store' names another store";
    const owns = await session.#open(opening);
    try {
      if (legacy !== undefined) session.#takeover = new Takeover(session.hearth, session.#store, legacy, importing);
      if (owns && session.#store.startsWith("indexeddb:")) await session.#takeover?.begin();
      else if (owns || session.#store === undefined) await session.#takeover?.show();
      if (owns && isNew(session.hearth)) await session.hearth.commit(); // from now on another tab can read it
      if (!autoRestore) setAside(session.hearth).release();
      [session.#run, session.#tables, session.#setIo, session.#getIo] = session.hearth.run(PREPARE, { name: "=cu" });
    } catch (error) {
      await session.hearth.close();
      throw error;
    }
    return session;
  }

  /** Does this tab own the store? */
  async #open(opening) {
    if (this.#store !== undefined) {
      try {
        const { hearth, owns } = await openOwnedOrRead({ ...opening, store: this.#store });
        this.hearth = hearth;
        if (!owns) this.#unsaved = ANOTHER;
        return owns;
      } catch (error) {
        if (error.code !== "unsupported" && error.code !== "insecure") throw error;
        this.#unsaved = `this browser offers no store here: ${error.message}`;
        this.#store = undefined;
      }
    }
    this.hearth = await Hearth.open({ ...opening, store: "memory:" });
    return false;
  }

  get unsaved() {
    return this.#unsaved;
  }

  get legacy() {
    return this.#takeover?.state;
  }

  /** Runs code: what it printed, and the last value that it returned. */
  compute(code) {
    const captured = this.hearth.capture("local run, code = ... return run(code)",
      { name: "=compute", args: [this.#run, code] });
    const [kind, value] = captured.values;
    return { output: captured.output, kind, value };
  }

  #owned() {
    if (this.#unsaved !== undefined) throw new HearthError("readonly", this.#unsaved);
  }

  async save() {
    this.#owned();
    await this.hearth.commitNow(); // pages save when they are left
  }

  /** Back to what is saved. */
  async restore() {
    if (this.#store === undefined) throw new HearthError("unsupported", this.#unsaved);
    if (this.#unsaved === undefined) await this.hearth.rollback();
    else await this.hearth.refresh();
  }

  /** Removes what is saved, the legacy state too; the Lua state stays as it is. */
  async clear() {
    this.#owned();
    const undo = setAside(this.hearth);
    const committed = this.hearth.commit(); // it has looked at the home table when it returns
    undo();
    undo.release();
    await committed;
    await this.#takeover?.clear();
  }

  async takeLegacy() {
    this.#owned();
    if (this.#takeover === undefined) throw new HearthError("notfound", "there is no legacy database here");
    return this.#takeover.again();
  }

  async clearLegacy() {
    await this.#takeover?.clear();
  }

  tables() {
    const homeTableId = this.hearth.stat().homeId;
    const [tables, nextTableId] = this.#tables(homeTableId);
    const texts = (keys) => (Array.isArray(keys) ? keys : []); // an empty table comes over as an object
    return {
      tableCount: tables.length, homeTableId, memoryTableId: homeTableId, nextTableId,
      tables: tables.map(({ id, size, keys }) => ({ id, size, keys: texts(keys) })),
    };
  }

  setIo(key, value) {
    this.#setIo(key, value);
  }

  getIo(key) {
    return this.#getIo(key)[0];
  }

  async close() {
    await this.hearth.close();
  }
}

export const ioTableId = IO_TABLE;
