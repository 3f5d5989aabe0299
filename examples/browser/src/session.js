/**
 * The page's one store, from opening to its end, and what the page does with it. Listeners hear of each change of
 * `state`, and of each time something ran.
 */
import { Hearth, HearthError } from "hearth-lua";
import inspect from "./inspect.lua";
import rescue from "./rescue.lua";
import rescued from "./rescued.lua";

const LOOK_AGAIN = 500; // milliseconds between two looks at whether the store died
const OURS = "=(page)"; // the chunks of the page itself, in tracebacks

export class Session extends EventTarget {
  /**
   * "opening", "open", "refused" (it could not be opened), "dead" (its Lua state goes on), "broken" (it does not), or
   * "working": something is under way that must not be disturbed.
   */
  state = "opening";
  /** @type {Error | undefined} why it is not open */
  error;
  /** Something ran since the last commit. */
  dirty = false;
  uri;
  #hearth;
  #inspect;
  #lines;

  /** @param {string} uri @param {(line: string) => void} onwarning */
  constructor(uri, onwarning) {
    super();
    this.uri = uri;
    this.onwarning = onwarning;
    setInterval(() => this.#look(), LOOK_AGAIN);
    document.addEventListener("visibilitychange", () => this.#look());
  }

  get usable() {
    return this.state === "open" || this.state === "dead";
  }

  #set(state, error) {
    this.state = state;
    this.error = error;
    this.dispatchEvent(new Event("state"));
  }

  /** Another tab may have taken the store, or the browser closed it. */
  #look() {
    if (this.state === "open" && this.#hearth.failure !== undefined) this.#set("dead", this.#hearth.failure);
  }

  /** @param {{takeover?: boolean, acceptLoss?: boolean}} [options] */
  async open(options = {}) {
    this.#set("opening");
    try {
      this.#hearth = await Hearth.open({
        store: this.uri,
        print: (line) => this.#lines?.print(line),
        warn: (line) => (this.#lines ? this.#lines.warn(line) : this.onwarning(line)),
        ...options,
      });
      this.#begin();
      this.#set("open");
    } catch (error) {
      this.#set("refused", error);
    }
  }

  /** What the page itself needs in a Lua state that is new. */
  #begin() {
    [this.#inspect] = this.#hearth.run(inspect, { name: OURS });
    this.dirty = false;
  }

  /** The tree, as far as it is open. @param {Map<string, number>} limits */
  read(limits) {
    return this.#inspect.read(limits)[0];
  }

  /**
   * Runs a program: what it returned, as text. Throws what Hearth throws.
   * @param {string} code
   * @param {{instructions?: number, lines: {print(line: string): void, warn(line: string): void}}} options
   * @returns {string[]}
   */
  run(code, { instructions, lines }) {
    this.#lines = lines;
    this.dirty = true;
    try {
      const options = { name: OURS, instructions, args: [this.#inspect.execute, code] };
      const [texts] = this.#hearth.run("local execute, code = ... return execute(code)", options);
      return Array.isArray(texts) ? texts : [];
    } finally {
      this.#lines = undefined;
      this.#look();
      this.dispatchEvent(new Event("ran"));
    }
  }

  /** Nothing else may begin meanwhile. */
  async #work(work) {
    if (!this.usable) throw new HearthError("busy", "the store is not open");
    const before = this.state;
    this.#set("working");
    try {
      return await work(this.#hearth);
    } finally {
      this.#after(before);
    }
  }

  #after(before) {
    try {
      this.#hearth.stat();
    } catch (error) { // an import that failed half-way
      this.#set("broken", error);
      return;
    }
    this.#set(before, before === "dead" ? this.#hearth.failure : undefined);
    this.#look();
  }

  commit() {
    return this.#work(async (hearth) => {
      await hearth.commit();
      this.dirty = false;
    });
  }

  rollback() {
    return this.#work(async (hearth) => {
      await hearth.rollback();
      this.dirty = false;
    });
  }

  compact() {
    return this.#work(async (hearth) => {
      await hearth.compact();
      this.dirty = false; // it commits
    });
  }

  /** The store as last committed. */
  export() {
    return this.#work((hearth) => hearth.export());
  }

  /** What is in memory, committed or not: also of a store that is dead. */
  exportMemory() {
    return this.#work(async (hearth) => {
      const [externals, parts] = hearth.run(rescue, { name: OURS });
      const other = await Hearth.open({ store: "memory:" });
      try {
        other.run(rescued, { name: OURS, args: [externals, parts] });
        await other.commit();
        return await other.export();
      } finally {
        await other.close();
      }
    });
  }

  /** @param {Uint8Array} bytes @param {boolean} replace "exists" without, where there is something already */
  async import(bytes, replace) {
    await this.#work(async (hearth) => {
      await hearth.import(bytes, { replace });
      this.#begin();
    });
  }

  stat() {
    return this.#hearth.stat();
  }
}
