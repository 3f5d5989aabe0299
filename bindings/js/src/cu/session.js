/**
 * One load() of the legacy interface: an open Hearth, and what the interface calls in it.
 *
 * It owns its store; or reads it only, while another tab owns it; or has none, where the browser offers none.
 */
import { Hearth, HearthError } from "../hearth.js";
import { PRISTINE } from "../pristine.js";
import { IO_TABLE, PRELUDE, call } from "./prelude.js";
import { Takeover, clearLegacy, isNew, setAside, withAdvice } from "./takeover.js";
import { warn } from "./warn.js";

const PATIENCE = 60000; // milliseconds for another tab to make the store, whose first commit may be a takeover
const SILENCE = 5000; // milliseconds until it is said what this tab waits for
const PAUSE = 100;
const ANOTHER = "another tab of this site has the store open, and what this one changes is not saved";
const NOWHERE = "there is no IndexedDB here; option 'store' names another store";

/** The store is another tab's; a new one becomes readable with its owner's first commit. */
async function openOwnedOrRead(options) {
  let said = false;
  for (const began = Date.now(); ;) {
    let busy;
    try {
      return { hearth: await Hearth.open(options), owns: true };
    } catch (error) {
      if (error.code !== "busy") throw error;
      busy = error;
    }
    try {
      return { hearth: await Hearth.open({ ...options, readonly: true }), owns: false };
    } catch (error) {
      if (error.code !== "notfound") throw error;
    }
    const waited = Date.now() - began;
    if (waited > PATIENCE) throw busy;
    if (waited > SILENCE && !said) {
      said = true;
      warn(`another tab is making the store ${options.store}: this one waits for it`);
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
    if (store === undefined) session.#unsaved = NOWHERE;
    const owns = await session.#open({ ...opening, [PRISTINE]: PRELUDE });
    try {
      if (legacy !== undefined) {
        session.#takeover = new Takeover(session.hearth, session.#store, legacy, importing);
        await session.#takeOver(owns, autoRestore);
      }
      if (owns && session.#takeover?.failure === undefined) await session.#begin();
      if (!autoRestore) setAside(session.hearth).release();
    } catch (error) {
      await session.hearth.close();
      throw error;
    }
    return session;
  }

  /**
   * Removes what is saved in a store that is not loaded, and the legacy state.
   * @param {object} options as for open
   */
  static async clear({ store, legacy, opening }) {
    if (store === undefined) throw new HearthError("unsupported", NOWHERE);
    let hearth;
    try {
      hearth = await Hearth.open({ ...opening, store, create: false, placeholders: true, [PRISTINE]: PRELUDE });
    } catch (error) {
      if (error.code !== "notfound") throw error; // nothing is saved
    }
    try {
      if (hearth !== undefined) {
        call(hearth, "empty");
        await hearth.commit();
      }
    } finally {
      await hearth?.close();
    }
    if (legacy !== undefined) await clearLegacy(legacy, hearth === undefined ? undefined : store);
  }

  /** Removes the legacy state alone. */
  static async clearLegacy({ legacy }) {
    if (legacy !== undefined) await clearLegacy(legacy);
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

  async #takeOver(owns, autoRestore) {
    const isKept = this.#store !== undefined && !this.#store.startsWith("memory:");
    try {
      if (owns && isKept) await this.#takeover.begin(autoRestore);
      else if (isKept) await this.#takeover.compare();
      else await this.#takeover.show(autoRestore);
    } catch (error) {
      throw withAdvice(error);
    }
  }

  /** A store that is new can be read by another tab after its first commit. */
  async #begin() {
    if (!isNew(this.hearth)) return;
    try {
      await this.hearth.commit();
    } catch (error) {
      warn(`the store is new and nothing could be saved in it: ${error.message}. saveState() tries it again`);
    }
  }

  get unsaved() {
    return this.#unsaved;
  }

  get legacy() {
    return this.#takeover?.state;
  }

  /** Runs code: what it printed, and the last value that it returned. */
  compute(code) {
    const [run] = this.hearth[PRISTINE]("=cu", "return cu.run");
    const captured = this.hearth.capture("local run, code = ... return run(code)",
      { name: "=compute", args: [run, code] });
    const [kind, value] = captured.values;
    return { output: captured.output, kind, value };
  }

  #owned() {
    if (this.#unsaved !== undefined) throw new HearthError("readonly", this.#unsaved);
  }

  async save() {
    this.#owned();
    if (this.#takeover?.unsettled) await this.#takeover.settle();
    await this.hearth.commitNow(); // pages save when they are left
  }

  /** Back to what is saved. */
  async restore() {
    if (this.#store === undefined) throw new HearthError("unsupported", this.#unsaved);
    if (this.#unsaved === undefined) await this.hearth.rollback();
    else await this.hearth.refresh();
    call(this.hearth, "install");
    await this.#takeover?.refill();
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
    const [tables, nextTableId] = call(this.hearth, "tables", homeTableId);
    const texts = (keys) => (Array.isArray(keys) ? keys : []); // an empty table comes over as an object
    return {
      tableCount: tables.length, homeTableId, memoryTableId: homeTableId, nextTableId,
      tables: tables.map(({ id, size, keys }) => ({ id, size, keys: texts(keys) })),
    };
  }

  setIo(key, value) {
    call(this.hearth, "set_io", key, value);
  }

  getIo(key) {
    return call(this.hearth, "get_io", key)[0];
  }

  collect() {
    this.hearth[PRISTINE]("=cu", "collectgarbage()");
  }

  async close() {
    await this.hearth.close();
  }
}

export const ioTableId = IO_TABLE;
