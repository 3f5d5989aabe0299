/**
 * What the tests of the IndexedDB host do inside a page or a worker: a store of raw records. It stands in for the
 * backend: what it read at open, what it appended, what settled and how.
 */
import { IndexedDBStorage } from "/bindings/js/src/indexeddb/storage.js";

export const STRICT = 3;
export const RELAXED = 2;

export const bytesOf = (text, size = text.length) => {
  const bytes = new Uint8Array(size);
  for (let i = text.length; i < size; i += 65536) crypto.getRandomValues(bytes.subarray(i, Math.min(size, i + 65536)));
  bytes.set(new TextEncoder().encode(text));
  return bytes;
};

export class Raw {
  events = [];
  records = []; // the text of each, up to its first space

  /** @returns {Promise<Raw>}; rejects with the storage's error */
  static async open(name, options = {}) {
    const raw = new Raw();
    raw.warnings = [];
    const warn = (line) => raw.warnings.push(line);
    raw.storage = await IndexedDBStorage.open(name, { ballast: 0, warn, ...options });
    raw.attach();
    return raw;
  }

  attach() {
    const length = this.storage.attach(this.storage.readonly ? 1 : 0, (ticket, status, reason) =>
      this.events.push(status === 0 ? `${ticket}` : `${ticket}: ${status} ${reason}`));
    this.bytes = new Uint8Array(length);
    for (let at = 0, part; (part = this.storage.read(at, length - at)).length > 0; at += part.length)
      this.bytes.set(part, at);
    const lines = new TextDecoder().decode(this.bytes).split("\n").filter((line) => line !== "");
    this.records = lines.map((line) => line.split(" ")[0]);
    this.storage.opened(length);
    return this;
  }

  /** A record of its own batch: its text, filled up to `size` with noise, and a line end. */
  append(text, { size = 0, level = STRICT, last = 1 } = {}) {
    const bytes = size > text.length + 2 ? bytesOf(`${text} `, size) : bytesOf(text, text.length + 1);
    for (let i = text.length + 1; i < bytes.length - 1; i++) if (bytes[i] === 10) bytes[i] = 11;
    bytes[bytes.length - 1] = 10;
    return this.storage.append(bytes, last, level);
  }

  /** Resolves when there is a ballast. */
  async ballast() {
    for (let i = 0; i < 200 && this.storage.occupied < 1 << 20; i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
  }

  async told() {
    await this.storage.idle();
    return this.events.splice(0);
  }
}

/** What an open that fails fails with: "code: message"; "opened" when it does not. */
export async function failureOf(promise) {
  try {
    const raw = await promise;
    await raw.storage?.close();
    return "opened";
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`;
  }
}

/** Everything in the database, as text: "1,0=a 1,1=b". */
export async function dump(name) {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(`hearth:${name}`);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const log = database.transaction("log").objectStore("log");
  const ask = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
  const [keys, values] = await Promise.all([ask(log.getAllKeys()), ask(log.getAll())]);
  database.close();
  const first = (bytes) => new TextDecoder().decode(bytes).split(/[ \n]/)[0];
  const textOf = (value) => (typeof value === "string" ? `<${value}>` : first(value));
  return keys.map((key, i) => `${key}=${textOf(values[i])}`).join(" ");
}

/** The transaction that is committed next is aborted instead, as the browser does with this error. */
export function failNext(name) {
  const { commit } = IDBTransaction.prototype;
  IDBTransaction.prototype.commit = function () {
    IDBTransaction.prototype.commit = commit;
    this.abort();
    if (name !== undefined) Object.defineProperty(this, "error", { value: new DOMException("", name) });
  };
}

Object.assign(globalThis, { failNext, Raw, STRICT, RELAXED, failureOf, dump, bytesOf, IndexedDBStorage });
