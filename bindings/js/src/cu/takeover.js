/**
 * Taking over what the legacy runtime saved, once, into a store that is empty; and noticing that an old tab has saved
 * again since.
 *
 * Two databases cannot be written in one transaction. The note is begun, then the store is filled by one commit, then
 * the note is done: a note that was begun means "again" while the store is empty, and "done" when it is not.
 */
import { clear, look, read, savedAt } from "../legacy/database.js";
import { fill } from "../legacy/convert.js";
import { noteOf, setNote } from "./notes.js";

/** FNV-1a of 53 bits: of records without a time, the oldest, only their contents tell one state from another. */
function hashOf(text) {
  let [low, high] = [0x811c9dc5, 0x1b873593];
  for (let i = 0; i < text.length; i++) {
    low = Math.imul(low ^ text.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ text.charCodeAt(i), 0x85ebca6b);
  }
  return ((high >>> 11) * 2 ** 32 + (low >>> 0)).toString(36);
}

const stampOf = (records) => savedAt(records) ?? `contents ${hashOf(JSON.stringify(records, (_, value) =>
  (typeof value === "bigint" ? String(value) : value)))}`;

const run = (hearth) => (code, ...args) => hearth.run(code, { name: "=legacy", args });

/** Nothing was ever stored in it. */
export const isNew = (hearth) => hearth.stat().storage.sequence === 0;

const isEmpty = (hearth) => hearth.run("return next(_home) == nil and debug.getmetatable(_home) == nil")[0];

export class Takeover {
  #hearth;
  #name;
  #key;
  #options;
  /** What there is to say about the legacy database; undefined where it holds nothing. */
  state;

  /**
   * @param {import("../hearth.js").Hearth} hearth
   * @param {string} store its URI
   * @param {string} name the legacy database's
   * @param {{keys?: string, home?: number | string, unreachable?: string}} options
   */
  constructor(hearth, store, name, options) {
    this.#hearth = hearth;
    this.#name = name;
    this.#key = `${name} -> ${store}`;
    this.#options = options;
  }

  /** The stamp of what the database holds now; undefined where it holds nothing. */
  async #stamp() {
    try {
      const found = await look(this.#name);
      return found && (found.savedAt ?? stampOf(await read(this.#name)));
    } catch (error) {
      if (error.code === "damaged") console.warn(`[hearth-lua/cu] ${error.message}`); // somebody else's
      else if (error.code !== "unsupported") throw error;
      return undefined;
    }
  }

  /** Fills the store, which can be committed, if that has not been done; says what there is otherwise. */
  async begin() {
    const stamp = await this.#stamp();
    if (stamp === undefined) return;
    const note = await noteOf(this.#key);
    if (isNew(this.#hearth) || (isEmpty(this.#hearth) && !note?.done)) { // new again: the store of the note is gone
      const records = await read(this.#name);
      await setNote(this.#key, { stamp: stampOf(records), done: false });
      await this.#done(records, await this.#fill(records));
      return;
    }
    if (note?.done === false) await setNote(this.#key, { ...note, done: true });
    this.#tell(stamp, note?.stamp);
  }

  /** Fills a Lua state that nothing saves. */
  async show() {
    if ((await this.#stamp()) === undefined) return;
    const records = await read(this.#name);
    const report = fill(run(this.#hearth), records, this.#options);
    const stamp = stampOf(records);
    this.#tell(stamp, stamp, report);
  }

  /** Takes it again, in place of what is there. Rejects and changes nothing where that fails. */
  async again() {
    const records = await read(this.#name);
    const undo = setAside(this.#hearth);
    let report;
    try {
      report = await this.#fill(records);
    } catch (error) {
      if (!this.#hearth.closed) undo();
      throw error;
    } finally {
      undo.release();
    }
    await this.#done(records, report); // where this fails, it will be told as a newer one once more
    return report;
  }

  /** Removes what the legacy runtime saved. */
  async clear() {
    await clear(this.#name);
    this.state = undefined;
  }

  async #fill(records) {
    const report = fill(run(this.#hearth), records, this.#options);
    await this.#hearth.commit();
    return report;
  }

  async #done(records, report) {
    const stamp = stampOf(records);
    await setNote(this.#key, { stamp, done: true });
    this.#tell(stamp, stamp, report);
  }

  #tell(stamp, taken, report = this.state?.report) {
    const newer = stamp !== taken;
    this.state = { database: this.#name, savedAt: stamp, takenOver: taken, newer, report };
  }
}

/**
 * Empties the home table: the function that puts everything back.
 * @param {import("../hearth.js").Hearth} hearth
 */
export function setAside(hearth) {
  return hearth.run(`
    local home, entries, metatable = _home, {}, debug.getmetatable(_home)
    local function empty()
      debug.setmetatable(home, nil)
      for key in next, home do home[key] = nil end
    end
    for key, value in next, home do entries[key] = value end
    empty()
    return function()
      empty()
      for key, value in next, entries do home[key] = value end
      debug.setmetatable(home, metatable)
    end`, { name: "=cu" })[0];
}
