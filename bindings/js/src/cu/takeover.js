/**
 * Taking over what the legacy runtime saved, once, into a store that is new; and noticing that an old tab has saved
 * again since.
 *
 * Two databases cannot be written in one transaction. The note is begun, then the store is filled by one commit, then
 * the note is done: a note that was begun means "again" while the store is empty, and "done" when it is not.
 */
import { HearthError } from "../hearth.js";
import { clear, look, read, savedAt } from "../legacy/database.js";
import { fill } from "../legacy/convert.js";
import { PRISTINE } from "../pristine.js";
import { noteOf, removeNote, setNote } from "./notes.js";
import { call } from "./prelude.js";
import { warn } from "./warn.js";

const UNCOMPARED = "it is not known whether an old tab has saved again";
const UNSEEN = "it is not known what the legacy runtime saved, and nothing was taken over";

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

/** Nothing was ever stored in it. */
export const isNew = (hearth) => hearth.stat().storage.sequence === 0;

const isEmpty = (hearth) => call(hearth, "is_empty")[0];

/**
 * Empties the home table: the function that puts everything back.
 * @param {import("../hearth.js").Hearth} hearth
 */
export const setAside = (hearth) => call(hearth, "set_aside")[0];

/** Why load() failed, and what can be done about it. */
export function withAdvice(error) {
  if (error.code !== "damaged") return error;
  return new HearthError("damaged", `${error.message}; load({ home: NUMBER }) chooses it, ` +
    "load({ autoRestore: false }) begins without what was saved, clearLegacyState() removes it", { cause: error });
}

/** Does f, and only warns where that fails. */
async function attempt(what, f) {
  try {
    return await f();
  } catch (error) {
    warn(`${what}: ${error.message}`);
    return undefined;
  }
}

const keyOf = (name, store) => `${name} -> ${store}`;

/**
 * Removes what the legacy runtime saved; a database of this name that is somebody else's stays as it is.
 * @param {string} name
 * @param {string} [store] whose takeover may not have been noted as done: what is saved later is not to be taken over
 */
export async function clearLegacy(name, store) {
  try {
    await clear(name);
  } catch (error) {
    if (error.code !== "damaged") throw error;
    warn(error.message);
  }
  if (store === undefined) return;
  await attempt(`the note about ${name}`, async () => {
    const note = await noteOf(keyOf(name, store));
    if (note?.done === false) await setNote(keyOf(name, store), { ...note, done: true });
  });
}

export class Takeover {
  #hearth;
  #name;
  #store;
  #key;
  #options;
  /** What was taken over and could not be committed: { stamp, report }. */
  #pending;
  /** The stamp of what was taken over, where that could not be noted. */
  #unnoted;
  /** Why what is there could not be taken over, or could not be committed. */
  failure;
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
    this.#store = store;
    this.#key = keyOf(name, store);
    this.#options = options;
  }

  /** The stamp of what the database holds now; undefined where it holds nothing. */
  async #stamp() {
    try {
      const found = await look(this.#name);
      return found && (found.savedAt ?? stampOf(await read(this.#name)));
    } catch (error) {
      if (error.code === "damaged") warn(error.message); // somebody else's
      else if (error.code !== "unsupported") throw error;
      return undefined;
    }
  }

  /** Is the store to be filled? Of one that is neither new nor empty there is no doubt. */
  async #isDue() {
    if (isNew(this.#hearth)) return true; // whatever was noted of one before it
    return isEmpty(this.#hearth) && (await noteOf(this.#key))?.done === false;
  }

  /**
   * For the owner of the store: fills it, if that is to be done; says what there is otherwise.
   * @param {boolean} restore is what was saved needed now? Otherwise it does no harm that it cannot be taken over
   */
  async begin(restore) {
    let stamp;
    try {
      stamp = await this.#stamp();
    } catch (error) {
      const isDue = await this.#isDue();
      if (isDue && restore) throw error;
      if (isDue) this.failure = error;
      warn(`${isDue ? UNSEEN : UNCOMPARED}: ${error.message}`);
      return;
    }
    if (stamp === undefined) return;
    if (await this.#isDue()) await this.#take(stamp, restore);
    else await this.#compare(stamp);
  }

  /** For a reader of the store: says what there is. */
  async compare() {
    await attempt(UNCOMPARED, async () => {
      const stamp = await this.#stamp();
      if (stamp !== undefined) this.#tell(stamp, (await noteOf(this.#key))?.stamp);
    });
  }

  /** Fills a Lua state that nothing saves. */
  async show(restore) {
    const stamp = await this.#stamp();
    const filled = stamp === undefined ? undefined : await this.#fill(stamp, restore);
    if (filled !== undefined) this.#tell(filled.stamp, filled.stamp, filled.report);
  }

  /** A store that is in use already, or was filled before. */
  async #compare(stamp) {
    await attempt(`the note about ${this.#name}`, async () => {
      const note = await noteOf(this.#key);
      this.#tell(stamp, note?.stamp);
      if (note === undefined) await setNote(this.#key, { seen: stamp, done: true }); // never to be taken over unasked
      else if (!note.done) await setNote(this.#key, { ...note, done: true });
    });
    if (this.state === undefined) this.#tell(stamp, undefined);
  }

  async #take(stamp, restore) {
    this.#pending = await this.#fill(stamp, restore);
    if (this.#pending === undefined) return;
    const { report } = this.#pending;
    try {
      await this.settle();
    } catch (error) { // it can be seen all the same, and the legacy database still has it
      this.#fail(stamp, error, report);
      if (restore) return;
      this.#pending = undefined;
      call(this.#hearth, "empty");
      await attempt(`the note about ${this.#name}`, () => removeNote(this.#key));
    }
  }

  /** Fills the home table: { stamp, report }; undefined where that failed and is not needed. */
  async #fill(stamp, restore = true) {
    try {
      const records = await read(this.#name);
      return { stamp: stampOf(records), report: fill(this.#run, records, this.#options) };
    } catch (error) {
      if (restore) throw error;
      call(this.#hearth, "empty");
      this.#fail(stamp, error);
      return undefined;
    }
  }

  #run = (...args) => this.#hearth[PRISTINE]("=legacy", ...args);

  /** Is there something that the store or the notes do not have yet? */
  get unsettled() {
    return this.#pending !== undefined || this.#unnoted !== undefined;
  }

  /** Commits and notes what was taken over. */
  async settle() {
    if (this.#unnoted !== undefined) await this.#done(this.#unnoted);
    if (this.#pending === undefined) return;
    const { stamp, report } = this.#pending;
    await setNote(this.#key, { stamp, done: false });
    await this.#hearth.commit();
    this.#pending = undefined;
    await this.#done(stamp, report);
  }

  /** What was saved last is what was taken over. */
  async refill() {
    if (this.#pending !== undefined) this.#pending = await this.#fill();
  }

  /** Takes it again, in place of what is there. Rejects and changes nothing where that fails. */
  async again() {
    const undo = setAside(this.#hearth);
    let filled;
    try {
      filled = await this.#fill();
      await this.#hearth.commit();
    } catch (error) {
      if (!this.#hearth.closed) undo();
      throw error;
    } finally {
      undo.release();
    }
    this.#pending = undefined;
    await this.#done(filled.stamp, filled.report);
    return filled.report;
  }

  /** Removes what the legacy runtime saved. */
  async clear() {
    await clearLegacy(this.#name, this.unsettled ? this.#store : undefined);
    this.#pending = this.#unnoted = undefined;
    this.state = undefined;
  }

  /** It is stored, whatever becomes of the note. */
  async #done(stamp, report) {
    this.#unnoted = stamp;
    await attempt(`${this.#name} was taken over, and that could not be noted`, async () => {
      await setNote(this.#key, { stamp, done: true });
      this.#unnoted = undefined;
    });
    this.failure = undefined;
    this.#tell(stamp, stamp, report);
  }

  #tell(stamp, taken, report = this.state?.report) {
    const newer = stamp !== taken;
    this.state = { database: this.#name, savedAt: stamp, takenOver: taken, newer, report };
  }

  #fail(stamp, failure, report) {
    this.failure = failure;
    this.state = { database: this.#name, savedAt: stamp, takenOver: undefined, newer: false, report, failure };
  }
}
