/** The Web Lock that one tab, and no other, holds while it has a store open. */
import { HearthError } from "../error.js";

// A page that is being left may release its lock a moment after its successor has begun.
const GRACE = 400; // milliseconds

export class Lock {
  #release = () => {};
  #done = Promise.resolve();

  /**
   * Takes the lock. "busy" when another tab holds it, "insecure" where there are none.
   * @param {string} name of the store
   * @param {boolean} steal
   * @param {() => void} onlost called when another tab has stolen it
   * @returns {Promise<Lock>}
   */
  static async take(name, steal, onlost) {
    const locks = globalThis.navigator?.locks;
    if (!locks)
      throw new HearthError("insecure", `${name}: no Web Locks here: a store needs https, or localhost`);
    const lock = new Lock();
    const options = steal ? { steal: true } : { signal: AbortSignal.timeout(GRACE) };
    await new Promise((resolve, reject) => {
      let held = false;
      const hold = () => {
        held = true;
        resolve();
        return new Promise((release) => (lock.#release = release));
      };
      lock.#done = locks.request(`hearth:${name}`, options, hold).catch((exception) => {
        if (held) onlost();
        else reject(Lock.#failure(name, exception));
      });
    });
    return lock;
  }

  static #failure(name, exception) {
    if (exception?.name === "TimeoutError" || exception?.name === "AbortError")
      return new HearthError("busy", `${name}: another tab has the store open`);
    const text = `${name}: Web Locks are refused here: ${exception?.message ?? exception}`;
    return new HearthError("insecure", text, { cause: exception });
  }

  /** Resolves when another tab can have it. */
  release() {
    this.#release();
    return this.#done;
  }
}
