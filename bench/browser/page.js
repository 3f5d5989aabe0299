/**
 * What is measured, inside a page: each function does one thing once and tells how many milliseconds it took. The
 * page is isolated (COOP and COEP) so that its clock has a resolution of 5 microseconds, and has gc().
 */
import "/src/files.js"; // which is loaded with the first instance otherwise: no measurement waits for the server
import { Hearth } from "/src/hearth.js"; // of the npm package
import { IndexedDBStorage } from "/src/indexeddb/storage.js";
import { Instance } from "/src/instance.js";
import { LegacyStore, decodeString, encodeString } from "./legacy.js";

const VALUE = 100; // bytes
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; // 64: as good as incompressible
const LEVELS = { relaxed: "complete", strict: "durable" }; // IndexedDB's word: Hearth's

const FILL = `
local count, size, values = ...
for i = 1, count do _home["key" .. i] = values:sub((i - 1) * size + 1, i * size) end`;
const COUNT = "local n, bytes = 0, 0 for _, v in pairs(_home) do n, bytes = n + 1, bytes + #v end return n, bytes";
const CHANGE = "local key, value = ... _home[key] = value";

/** @type {WebAssembly.Module} */
let module;

/** Compiles hearth.wasm, so that no measurement has to. */
export async function use() {
  if (!crossOriginIsolated) throw new Error("the page is not isolated: its clock is too coarse");
  module = await WebAssembly.compileStreaming(fetch("/src/hearth.wasm"));
}

/** Nothing that was done before is paid for by what is measured next. */
async function quiet(milliseconds = 50) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/* --------------------------------------------------------------- entries */

let values = new Uint8Array(0);

/** `count` values of 100 bytes, one behind the other: the same ones whenever they are made. */
function valuesOf(count) {
  if (values.length === count * VALUE) return values;
  values = new Uint8Array(count * VALUE);
  let state = 0x9e3779b9;
  for (let i = 0; i < values.length; i++) { // xorshift
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = LETTERS.charCodeAt(state >>> 26);
  }
  return values;
}

const valueOf = (count, i) => valuesOf(count).subarray((i - 1) * VALUE, i * VALUE);

/** An entry somewhere in the table, and a value for it that was never there, of the same length. */
let changes = 0;
function newChange(count) {
  changes++;
  return [`key${((changes * 7919) % count) + 1}`, `change ${changes} `.padEnd(VALUE, ".")];
}

/* ----------------------------------------------------------- two methods */

/** The legacy runtime's method. */
class Legacy {
  static async make(name, count) {
    const made = new Legacy();
    made.store = await LegacyStore.open(`legacy:${name}`);
    made.count = count;
    for (let i = 1; i <= count; i++) made.store.home.set(`key${i}`, encodeString(valueOf(count, i)));
    return made;
  }

  change() {
    const [key, value] = newChange(this.count);
    this.store.home.set(key, encodeString(new TextEncoder().encode(value)));
  }

  async save(level) {
    const begin = performance.now();
    const succeeded = await this.store.save(level);
    return { complete: performance.now() - begin, succeeded: succeeded - begin };
  }

  async close() {
    this.store.close();
  }

  /** From nothing until one entry was read. */
  static async reopen(name, count) {
    const begin = performance.now();
    const store = await LegacyStore.open(`legacy:${name}`);
    await store.load();
    const value = decodeString(store.home.get(`key${count}`));
    const took = performance.now() - begin;
    let bytes = 0;
    for (const encoded of store.home.values()) bytes += decodeString(encoded).length;
    if (store.home.size !== count || bytes !== count * VALUE || value.length !== VALUE)
      throw new Error("the legacy store came back wrong");
    store.close();
    return { took };
  }

  static delete(name) {
    return LegacyStore.delete(`legacy:${name}`);
  }
}

/** Hearth's browser store, Lua included. */
class Ours {
  static async make(name, count) {
    const made = new Ours();
    made.hearth = await Hearth.open({ store: `indexeddb:${name}`, wasm: module });
    made.count = count;
    made.hearth.run(FILL, { args: [count, VALUE, valuesOf(count)] });
    return made;
  }

  change() {
    this.hearth.run(CHANGE, { args: newChange(this.count) });
  }

  async save(level) {
    const begin = performance.now();
    await this.hearth.commit({ durability: LEVELS[level] });
    return { complete: performance.now() - begin };
  }

  close() {
    return this.hearth.close();
  }

  static async reopen(name, count) {
    const begin = performance.now();
    const hearth = await Hearth.open({ store: `indexeddb:${name}`, wasm: module });
    const value = hearth.get(`_home.key${count}`);
    const took = performance.now() - begin;
    const [entries, bytes] = hearth.run(COUNT);
    if (entries !== count || bytes !== count * VALUE || value.length !== VALUE)
      throw new Error("the store came back wrong");
    const { memoryBytes, luaBytes, storage } = hearth.stat();
    await hearth.close();
    return { took, memoryBytes, luaBytes, totalBytes: storage.totalBytes };
  }

  static delete(name) {
    return IndexedDBStorage.delete(name);
  }
}

const METHODS = { legacy: Legacy, hearth: Ours };

/* ---------------------------------------------------------- measurements */

/** Everything is saved for the first time, in a new database. */
export async function firstSave(method, count, level) {
  const made = await METHODS[method].make("first", count);
  await quiet();
  const took = await made.save(level);
  await made.close();
  await METHODS[method].delete("first");
  return took;
}

const kept = {};

/** Stores with all entries in them, for those that follow. */
export async function keep(count) {
  for (const method of Object.keys(METHODS)) {
    kept[method] = await METHODS[method].make("kept", count);
    await kept[method].save("strict");
  }
  await quiet(1500); // a Hearth store that rests for a second makes its ballast
}

export async function leave() {
  for (const method of Object.keys(METHODS)) await kept[method].close();
}

export async function deleteKept() {
  for (const method of Object.values(METHODS)) await method.delete("kept");
}

/** One entry has changed, and that is saved. */
export async function oneChange(method, level) {
  kept[method].change();
  await quiet();
  return kept[method].save(level);
}

/** What `keep` made is read, by this page for the first time when nothing was opened in it before. */
export async function open(method, count) {
  await quiet();
  return METHODS[method].reopen("kept", count);
}

/** Where the time of opening goes: milliseconds of its parts, which come one behind the other. */
export async function openPhases(count) {
  await quiet();
  const marks = [];
  const mark = (what) => marks.push([what, performance.now()]);
  const original = {
    storage: IndexedDBStorage.open, make: Instance.make, call: Instance.prototype.call,
    transaction: IDBDatabase.prototype.transaction,
  };
  IDBDatabase.prototype.transaction = function (...args) {
    mark("lock and database");
    IDBDatabase.prototype.transaction = original.transaction;
    return original.transaction.apply(this, args);
  };
  IndexedDBStorage.open = async (...args) => {
    const storage = await original.storage.apply(IndexedDBStorage, args);
    mark("reading");
    return storage;
  };
  Instance.make = async (...args) => {
    const made = await original.make.apply(Instance, args);
    mark("instance and Lua state");
    return made;
  };
  Instance.prototype.call = function (...args) {
    const result = original.call.apply(this, args);
    if (args[0] === "js_open") mark("checking and decoding");
    return result;
  };
  const begin = performance.now();
  try {
    await Ours.reopen("kept", count);
  } finally {
    IndexedDBStorage.open = original.storage;
    Instance.make = original.make;
    Instance.prototype.call = original.call;
    IDBDatabase.prototype.transaction = original.transaction;
  }
  return Object.fromEntries(marks.map(([what, at], i) => [what, at - (marks[i - 1]?.[1] ?? begin)]));
}

/** A WebAssembly instance with a Lua state, and no store. */
export async function instance() {
  await quiet();
  const begin = performance.now();
  const made = await Instance.make(module, { print() {}, warn() {}, changed() {} });
  const took = performance.now() - begin;
  made.delete();
  return took;
}

/* ---------------------------------------------------------- handing over */

/** The moments of one commit, by performance.now(). */
let moments;

/** Notes how long the parts of a commit take. */
export function watch() {
  const wrap = (prototype, name, after) => {
    const original = prototype[name];
    prototype[name] = function (...args) {
      const now = moments;
      if (now === undefined) return original.apply(this, args);
      const begin = performance.now();
      const result = original.apply(this, args);
      after(now, begin, performance.now(), result);
      return result;
    };
  };
  wrap(IndexedDBStorage.prototype, "append", (now, begin, end) => {
    now.append += end - begin; // a large frame has parts
  });
  wrap(IDBDatabase.prototype, "transaction", (now, begin, end, transaction) => {
    now.began = begin;
    transaction.addEventListener("complete", () => (now.completed = performance.now()));
  });
  wrap(IDBTransaction.prototype, "commit", (now, begin, end) => (now.asked = end));
}

async function handOver(hearth, level) {
  await quiet();
  const own = (moments = { append: 0 });
  const begin = performance.now();
  const promise = hearth.commit({ durability: LEVELS[level] });
  const returned = performance.now();
  await promise;
  moments = undefined;
  if (own.append === 0 || own.completed === undefined) throw new Error("nothing was written");
  const request = own.asked - own.began; // transaction(), add(), commit()
  return {
    commit: returned - begin, // with the walk through the graph, in Lua's memory
    append: own.append, // the host's: it copies the frame, and returns
    request,
    handing: own.append + request, // all that the frame costs the thread it comes from
    transaction: own.completed - own.began,
    rest: own.completed - returned, // from commit()'s promise to `complete`
    bytes: hearth.stat().committedBytes,
  };
}

/** One changed entry, committed. */
export function handOverChange(level) {
  kept.hearth.change();
  return handOver(kept.hearth.hearth, level);
}

/** The first commit of a new store. */
export async function handOverFirst(count, level) {
  const made = await Ours.make("first", count);
  const took = await handOver(made.hearth, level);
  await made.close();
  await Ours.delete("first");
  return took;
}
