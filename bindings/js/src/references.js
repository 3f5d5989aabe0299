/**
 * What crosses between Lua and JavaScript by number: JavaScript functions that Lua holds, and Lua values that
 * JavaScript holds. Each keeps its identity: what comes back is the same object.
 */
import { HearthError } from "./error.js";

const TYPES = { 5: "table", 6: "function", 7: "userdata", 8: "thread" }; // LUA_TTABLE and so on

export class References {
  /** @type {Map<number, Function>} */
  #functions = new Map();
  /** @type {Map<Function, number>} */
  #numbers = new Map();
  #next = 1;

  /** @type {Map<number, WeakRef<object>>} */
  #values = new Map();
  /** @type {WeakMap<object, {type: number, handle: number, owner: References}>} */
  static #handles = new WeakMap();
  #collected;
  #dereference;
  #call;

  /**
   * @param {(handle: number) => void} dereference tells Lua that a value is held no more
   * @param {(f: object, args: any[]) => any[]} call calls a Lua function
   */
  constructor(dereference, call) {
    this.#dereference = dereference;
    this.#call = call;
    this.#collected = new FinalizationRegistry(({ handle, weak }) => {
      if (this.#values.get(handle) === weak) this.#forget(handle); // else the value came over again meanwhile
    });
  }

  #forget(handle) {
    this.#values.delete(handle);
    this.#dereference(handle);
  }

  functionNumber(f) {
    let number = this.#numbers.get(f);
    if (number === undefined) {
      number = this.#next++;
      this.#numbers.set(f, number);
      this.#functions.set(number, f);
    }
    return number;
  }

  functionOf(number) {
    return this.#functions.get(number);
  }

  /** Lua has no use for the function any more. */
  releaseFunction(number) {
    const f = this.#functions.get(number);
    if (f === undefined) return;
    this.#functions.delete(number);
    this.#numbers.delete(f);
  }

  reference(type, handle) {
    const known = this.#values.get(handle)?.deref();
    if (known !== undefined) return known;
    const value = TYPES[type] === "function" ? (...args) => this.#call(value, args) : { type: TYPES[type] };
    const weak = new WeakRef(value);
    if (TYPES[type] === "function") Object.defineProperty(value, "type", { value: "function" });
    Object.defineProperty(value, "release", {
      value: () => {
        if (this.#values.get(handle) !== weak) return;
        this.#collected.unregister(weak);
        this.#forget(handle);
      },
    });
    this.#values.set(handle, weak);
    References.#handles.set(value, { type, handle, owner: this });
    this.#collected.register(value, { handle, weak }, weak);
    return value;
  }

  referenceOf(value) {
    const found = References.#handles.get(value);
    if (found === undefined) return undefined;
    if (found.owner !== this) throw new HearthError("foreign", "a Lua value of another Hearth");
    if (this.#values.get(found.handle)?.deref() !== value)
      throw new HearthError("invalid", "a Lua value that was released");
    return found;
  }

  /** How many Lua values JavaScript holds, and JavaScript functions Lua holds. */
  counts() {
    return { values: this.#values.size, functions: this.#functions.size };
  }
}
