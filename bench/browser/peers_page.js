/**
 * Those who keep a home of many entries in IndexedDB, inside a page: Hearth, and what else a program in JavaScript
 * takes. Each does one thing once and tells how many milliseconds it took; what it stored is compared with the data.
 *
 * The others are told which entries have changed; Hearth finds that out, unless they are in an external table, which is
 * told by being written. Their entries are JavaScript's values, a record of the database each; those of Hearth and
 * wasmoon are Lua's.
 */
import "/src/files.js"; // which is loaded with the first instance otherwise: no measurement waits for the server
import { Hearth } from "/src/hearth.js"; // of the npm package
import { IndexedDBStorage } from "/src/indexeddb/storage.js";
import { Dexie } from "/dexie/dist/dexie.mjs";
import * as idbKeyval from "/idb-keyval/dist/index.js";

const LEVELS = { relaxed: "complete", strict: "durable" }; // IndexedDB's word: Hearth's

const FILL = `
local data, set, count, outside = ...
local home = _home
if outside then _home.entries = ext.table() home = _home.entries end
for key, value in pairs(assert(load(data))().sets[set](count)) do
  home[set == "records" and value.name or key] = value
end`;

/** @type {WebAssembly.Module} */
let module;
let dataSource;
let wasmoonFactory;

const text = async (url) => (await fetch(url)).text();

/** Those that are no modules define globals. */
const script = (url) =>
  new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${url} cannot be loaded`));
    document.head.append(Object.assign(element, { src: url }));
  });

/** Loads and compiles, so that no measurement has to. */
export async function use() {
  if (!crossOriginIsolated) throw new Error("the page is not isolated: its clock is too coarse");
  module = await WebAssembly.compileStreaming(fetch("/src/hearth.wasm"));
  dataSource = await text("/bench/data.lua");
  for (const path of ["localforage/dist/localforage.min.js", "msgpackr/dist/index.js", "wasmoon/dist/index.js"])
    await script(`/${path}`);
  wasmoonFactory = new wasmoon.LuaFactory("/wasmoon/dist/glue.wasm");
  await wasmoonFactory.getLuaModule();
}

/** What the others' transactions that write ask for: most have no option for it. Hearth has, and is let alone. */
let level;
const { transaction } = IDBDatabase.prototype;
IDBDatabase.prototype.transaction = function (stores, mode, options) {
  const asked = level !== undefined && mode === "readwrite" ? { ...options, durability: level } : options;
  return transaction.call(this, stores, mode, asked);
};

/** Nothing that was done before is paid for by what is measured next. */
async function quiet() {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 50));
}

/* ------------------------------------------------------------------ data */

let made = {};

/** The entries of a data set of bench/data.lua, by key. */
async function entriesOf(set, count) {
  if (made.set !== set || made.count !== count) {
    const hearth = await Hearth.open({ wasm: module });
    hearth.run(FILL, { args: [dataSource, set, count] });
    made = { set, count, entries: hearth.get("_home") };
    await hearth.close();
  }
  return structuredClone(made.entries);
}

const keyOf = (set, i) => `${set === "records" ? "user" : "key"}${i}`;

/** The keys that the change of this number has, and the number that is put into them. */
function changeOf({ set, count }, number, size) {
  const keys = Array.from({ length: size }, (_, i) => keyOf(set, ((number * 7919 + i * 104729) % count) + 1));
  return [keys, number + 0.5];
}

/** What a change makes of an entry, in JavaScript and in Lua. */
const changed = (value, number) => (typeof value === "string" ? `changed to ${number}` : { ...value, score: number });
const CHANGE = `
local home, number, keys = ...
for _, key in ipairs(keys) do
  local value = home[key]
  if type(value) == "string" then value = "changed to " .. number else value.score = number end
  home[key] = value
end`;

function same(a, b) {
  if (typeof a !== "object" || a === null || b === null) return Object.is(a, b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
}

/* ----------------------------------------------------------- contestants */

/** A home of JavaScript's values. */
class InJavaScript {
  async fill({ set, count }) {
    this.entries = new Map(Object.entries(await entriesOf(set, count)));
  }

  change(keys, number) {
    for (const key of keys) this.entries.set(key, changed(this.entries.get(key), number));
  }

  pairs(keys = this.entries.keys()) {
    return Array.from(keys, (key) => [key, this.entries.get(key)]);
  }

  get all() {
    return Object.fromEntries(this.entries);
  }
}

/** A store for idb-keyval, which would never close its own. */
async function keyvalStore(name) {
  const request = indexedDB.open(name);
  request.onupgradeneeded = () => request.result.createObjectStore("entries");
  const database = await idbKeyval.promisifyRequest(request);
  const use = (mode, f) => Promise.resolve(f(database.transaction("entries", mode).objectStore("entries")));
  return Object.assign(use, { close: () => database.close() });
}

class IdbKeyval extends InJavaScript {
  async open(name) {
    this.store = await keyvalStore(name);
  }

  save(keys) {
    const pairs = this.pairs(keys);
    return pairs.length === 1 ? idbKeyval.set(...pairs[0], this.store) : idbKeyval.setMany(pairs, this.store);
  }

  async load() {
    this.entries = new Map(await idbKeyval.entries(this.store));
  }

  close() {
    this.store.close();
  }
}

class LocalForage extends InJavaScript {
  async open(name) {
    this.name = name;
    this.store = localforage.createInstance({ name, storeName: "entries", driver: localforage.INDEXEDDB });
    await this.store.ready();
  }

  /** It has nothing that saves several, so each is a transaction of its own. */
  save(keys) {
    return Promise.all(this.pairs(keys).map(([key, value]) => this.store.setItem(key, value)));
  }

  async load() {
    this.entries = new Map();
    await this.store.iterate((value, key) => void this.entries.set(key, value));
  }

  close() {} // it has nothing that closes

  static remove = (name) => localforage.dropInstance({ name });
}

const TEXT = { encode: (value) => JSON.stringify(value), decode: (value) => JSON.parse(value) };
/** What pack gives is a part of a large buffer, all of which the database would copy. */
const BYTES = { encode: (value) => msgpackr.pack(value).slice(), decode: (value) => msgpackr.unpack(value) };

const inDexie = (format) => class extends InJavaScript {
  async open(name) {
    this.database = new Dexie(name);
    this.database.version(1).stores({ entries: "key" });
    await this.database.open();
  }

  save(keys) {
    const rows = this.pairs(keys).map(([key, value]) => ({ key, value: format.encode(value) }));
    const { entries } = this.database;
    return rows.length === 1 ? entries.put(rows[0]) : entries.bulkPut(rows);
  }

  async load() {
    const rows = await this.database.entries.toArray();
    this.entries = new Map(rows.map(({ key, value }) => [key, format.decode(value)]));
  }

  close() {
    this.database.close();
  }
};

/** Another Lua 5.4 in WebAssembly, which gives its tables to JavaScript; idb-keyval stores them. */
class Wasmoon {
  async open(name) {
    this.store = await keyvalStore(name);
    this.engine = await wasmoonFactory.createEngine({ enableProxy: false });
  }

  async fill({ set, count }) {
    this.engine.global.set("home", await entriesOf(set, count));
  }

  change(keys, number) {
    this.engine.global.set("changes", keys);
    this.engine.global.set("number", number);
    this.engine.doStringSync(`(function(...) ${CHANGE} end)(home, number, changes)`);
  }

  save(keys) {
    if (keys === undefined) return idbKeyval.setMany(Object.entries(this.all), this.store);
    const pairs = keys.map((key) => [key, this.engine.doStringSync(`return home["${key}"]`)]);
    return pairs.length === 1 ? idbKeyval.set(...pairs[0], this.store) : idbKeyval.setMany(pairs, this.store);
  }

  async load() {
    this.engine.global.set("home", Object.fromEntries(await idbKeyval.entries(this.store)));
  }

  get all() {
    return this.engine.global.get("home");
  }

  close() {
    this.engine.global.close();
    this.store.close();
  }
}

class Ours {
  async open(name) {
    this.hearth = await Hearth.open({ store: `indexeddb:${name}`, wasm: module });
  }

  async fill({ set, count }) {
    this.hearth.run(FILL, { args: [dataSource, set, count] });
  }

  change(keys, number) {
    this.hearth.run(`(function(...) ${CHANGE} end)(_home, ...)`, { args: [number, keys] });
  }

  save(keys, how) {
    return this.hearth.commit({ durability: LEVELS[how] });
  }

  load() {} // it is there

  get all() {
    return this.hearth.get("_home");
  }

  close() {
    return this.hearth.close();
  }

  static remove = (name) => IndexedDBStorage.delete(name);
}

/** Tables within an external table are external, too. */
const COPY = `
local function copy(value)
  if type(value) ~= "userdata" then return value end
  local made = {}
  for key, inner in pairs(value) do made[key] = copy(inner) end
  return made
end
loaded = copy(_home.entries)`;

/** The entries stay in the store, and are read and written one by one. */
class Outside extends Ours {
  async fill({ set, count }) {
    this.hearth.run(FILL, { args: [dataSource, set, count, true] });
  }

  change(keys, number) {
    this.hearth.run(`(function(...) ${CHANGE} end)(_home.entries, ...)`, { args: [number, keys] });
  }

  load() {
    this.hearth.run(COPY);
  }

  get all() {
    return this.hearth.run("return loaded")[0];
  }
}

const CONTESTANTS = {
  "Hearth": Ours,
  "Hearth, external table": Outside,
  "idb-keyval": IdbKeyval,
  "localForage": LocalForage,
  "Dexie, JSON": inDexie(TEXT),
  "Dexie, msgpackr": inDexie(BYTES),
  "wasmoon, idb-keyval": Wasmoon,
};
export const contestants = Object.keys(CONTESTANTS);

const nameOf = (who, what) => `${what} of ${who}`;

async function open(who, what) {
  const one = new CONTESTANTS[who]();
  await one.open(nameOf(who, what));
  return one;
}

function remove(who, what) {
  const name = nameOf(who, what);
  return CONTESTANTS[who].remove?.(name) ?? idbKeyval.promisifyRequest(indexedDB.deleteDatabase(name));
}

async function timed(who, how, f) {
  await quiet();
  level = CONTESTANTS[who].prototype instanceof Ours || CONTESTANTS[who] === Ours ? undefined : how;
  const begin = performance.now();
  await f();
  const took = performance.now() - begin;
  level = undefined;
  return took;
}

function compare(who, one, expected) {
  if (!same(expected, one.all)) throw new Error(`${who}: what came back is not what was saved`);
}

/* ---------------------------------------------------------- measurements */

/** Everything is saved, in a new database. */
export async function saveAll(who, data, how) {
  const one = await open(who, "all");
  await one.fill(data);
  const took = await timed(who, how, () => one.save(undefined, how));
  await one.close();
  const again = await open(who, "all");
  await again.load();
  compare(who, again, await entriesOf(data.set, data.count));
  await again.close();
  await remove(who, "all");
  return took;
}

const kept = {};

/** Databases with everything in them, for those that follow. */
export async function keep(data) {
  for (const who of contestants) {
    kept[who] = await open(who, "kept");
    await kept[who].fill(data);
    await timed(who, "relaxed", () => kept[who].save(undefined, "strict"));
  }
  await new Promise((resolve) => setTimeout(resolve, 1500)); // a Hearth store that rests for a second makes its ballast
}

/** So many entries have changed, and that is saved. */
export async function saveSome(who, data, number, size, how) {
  const [keys, value] = changeOf(data, number, size);
  kept[who].change(keys, value);
  return timed(who, how, () => kept[who].save(keys, how));
}

export async function leave() {
  for (const who of contestants) await kept[who].close();
}

/** Everything is loaded, by a page that has loaded nothing yet; `changes` are those of saveSome, [number, size]. */
export async function loadAll(who, data, changes) {
  let one;
  const took = await timed(who, undefined, async () => {
    one = await open(who, "kept");
    await one.load();
  });
  const expected = await entriesOf(data.set, data.count);
  for (const [number, size] of changes) {
    const [keys, value] = changeOf(data, number, size);
    for (const key of keys) expected[key] = changed(expected[key], value);
  }
  compare(who, one, expected);
  await one.close();
  return took;
}

export async function removeKept() {
  for (const who of contestants) await remove(who, "kept");
}
