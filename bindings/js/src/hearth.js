/**
 * Hearth: a Lua state whose table `_home` is durable. hearth.d.ts documents all of it.
 */
import { Autocommit } from "./autocommit.js";
import { HearthError, LuaError } from "./error.js";
import { offer } from "./indexeddb/imports.js";
import { IndexedDBStorage } from "./indexeddb/storage.js";
import { Instance, isNode, loadModule } from "./instance.js";
import { noticeLegacy } from "./legacy/notice.js";
import {
  ALIAS, COMMIT, COMPACT, DECODE, DURABILITY, ENCODE, EXPORT_LEGACY, IMPORT, IMPORT_LEGACY, OPEN, RUN, check,
} from "./options.js";
import { Pending } from "./pending.js";
import { PRISTINE, Pristine } from "./pristine.js";

export { HearthError, LuaError };

const PENDING = 1; // hearth_status.h

/* Flags of hearth.h. */
const CODEC = { canonical: 0x01, strip: 0x02, functions: 0x04, permanents: 0x08, metatables: 0x10, trusted: 0x1c };

const REGISTER_MODULES = `
local hearth = require "hearth"
for name, functions in pairs(...) do
  if _G[name] ~= nil or package.loaded[name] ~= nil or name == "_home" or name == "ext" then
    error("option 'modules': there is something else named '" .. name .. "'", 0)
  end
  _G[name], package.loaded[name] = functions, functions
  hearth.register_module(name, functions)
end`;

const REGISTER_SOURCES = `
local hearth = require "hearth"
local sources = ...
for name, text in pairs(sources) do
  package.preload[name] = assert(load(text, "=" .. name, "t"))
end
for name in pairs(sources) do
  hearth.register_module(name, require(name))
end`;

const flagsOf = (options) => Object.keys(options)
  .reduce((flags, name) => (options[name] ? flags | CODEC[name] : flags), 0);

/** "indexeddb:NAME" -> ["indexeddb", "NAME"] */
function splitURI(uri) {
  const colon = uri.indexOf(":");
  const scheme = uri.slice(0, Math.max(colon, 0)), place = uri.slice(colon + 1);
  if (!["memory", "file", "indexeddb"].includes(scheme) || (scheme !== "memory" && place === ""))
    throw new HearthError("invalid", `'${uri}' is no store's URI: it is indexeddb:NAME, file:PATH or memory:`);
  if (scheme === "file" && !isNode)
    throw new HearthError("unsupported", `'${uri}': a page has no files; its stores are indexeddb:NAME`);
  return [scheme, place];
}

function expect(right, what) {
  if (!right) throw new HearthError("invalid", `${what} expected`);
}

const expectPath = (path) => expect(typeof path === "string", "a path: a text");
const expectBytes = (bytes) => expect(bytes instanceof Uint8Array, "bytes: a Uint8Array");

export class Hearth {
  /** @type {Instance} */
  #instance;
  /** @type {IndexedDBStorage | undefined} */
  #storage;
  #pending = new Pending();
  #options;
  #module;
  #uri;
  #autocommit;
  #failure;
  #prelude;
  #state = "opening"; // then "open", "closed"
  #transacting = false;
  /** @type {Promise<void> | undefined} */
  #closing;

  static version = "0.1.0";

  constructor(key, options, prelude) {
    if (key !== Hearth.#key) throw new TypeError("use Hearth.open()");
    this.#options = options;
    this.#uri = options.store ?? "memory:";
    this.#prelude = prelude;
  }
  static #key = Symbol();

  static async open(options) {
    const hearth = new Hearth(Hearth.#key, check(options, OPEN), options?.[PRISTINE]);
    await hearth.#open();
    await hearth.#noticeLegacy();
    return hearth;
  }

  static async importLegacy(options) {
    const { from, keys, home, unreachable, ...rest } = check(options, { ...OPEN, ...IMPORT_LEGACY });
    if (rest.readonly) throw new HearthError("invalid", "option 'readonly': importing writes");
    const { fill, recordsOf } = await import("./legacy/convert.js"); // few need it
    const records = await recordsOf(from);
    const hearth = new Hearth(Hearth.#key, rest);
    let report;
    await hearth.#open((run) => (report = fill(run, records, { keys, home, unreachable })));
    try {
      await hearth.commit({ durability: hearth.#uri.startsWith("memory:") ? "default" : "durable" });
    } catch (error) {
      await hearth.close();
      throw error;
    }
    return { hearth, report };
  }

  /* ------------------------------------------------------------ opening */

  /** @param {(run: import("./legacy/convert.js").Run) => void} [fill] fills the home table before any commit */
  async #open(fill) {
    const [scheme, place] = splitURI(this.#uri);
    const storage = scheme === "indexeddb" ? this.#openStorage(place) : undefined; // the two take their time together
    const [opened, made] = await Promise.allSettled([storage, this.#prepare()]);
    try {
      if (opened.status === "rejected") throw opened.reason;
      if (made.status === "rejected") throw made.reason;
      this.#instance = await this.#start(made.value);
      this.#state = "open";
      await this.#storage?.idle();
      fill?.(this.#runLegacy);
    } catch (error) {
      made.value?.delete();
      await this.#storage?.close();
      throw error;
    }
    this.#autocommit = new Autocommit(this, this.#options);
  }

  [PRISTINE](name, code, ...args) {
    return this.#opened().pristine.run(name, code, ...args);
  }

  #runLegacy = (code, ...args) => this[PRISTINE]("=legacy", code, ...args);

  /** A new store, beside the database of the legacy runtime: it is said how that is taken over. */
  async #noticeLegacy() {
    const { readonly = false, legacyNotice = true } = this.#options;
    if (this.#storage === undefined || readonly || !legacyNotice) return;
    const [{ storage }] = this.#instance.call("js_stat", []);
    if (storage.entries === 0) await noticeLegacy(this.#uri, (line) => this.#warn(line));
  }

  async #prepare() {
    this.#module = await loadModule(this.#options.wasm);
    return this.#makeInstance();
  }

  async #openStorage(name, again = {}) {
    const { readonly, create, exclusive, takeover, persist, acceptLoss } = this.#options;
    this.#storage = await IndexedDBStorage.open(name, {
      readonly, create, exclusive, takeover, persist, acceptLoss, warn: (line) => this.#warn(line), ...again,
    });
    this.#storage.onsettled = (ticket) => this.#settled(ticket);
  }

  /** The database can be read from its beginning again. */
  async #reopenStorage() {
    const { name } = this.#storage;
    await this.#storage.close();
    await this.#openStorage(name, { exclusive: false, takeover: false }); // it is there by now
  }

  /** A new Lua state, which knows what was registered. */
  async #makeInstance() {
    const { modules, sources, seal } = this.#options;
    const host = {
      print: (line) => this.#print(line),
      warn: (line) => this.#warn(line),
      changed: () => this.#autocommit?.schedule(),
      seal,
    };
    const instance = await Instance.make(this.#module, host);
    try {
      instance.pristine = new Pristine(instance, this.#prelude);
      if (modules !== undefined) instance.call("js_run", [REGISTER_MODULES, "=modules", undefined, modules]);
      if (sources !== undefined) instance.call("js_run", [REGISTER_SOURCES, "=sources", undefined, sources]);
    } catch (error) {
      instance.delete();
      throw error;
    }
    return instance;
  }

  #storeOptions() {
    const { readonly, create, exclusive, strip, functions, placeholders, pageSize, seal } = this.#options;
    return {
      readonly, create, exclusive, strip, functions, placeholders, pageSize,
      seal: seal !== undefined,
      durability: DURABILITY[this.#options.durability ?? "default"],
      alias: ALIAS[this.#options.alias ?? "off"],
    };
  }

  /** The store in a new Lua state. */
  async #start(instance, other = {}) {
    if (this.#storage !== undefined) offer(instance, this.#storage);
    try {
      instance.call("js_open", [this.#uri, { ...this.#storeOptions(), ...other }]);
      instance.pristine.opened();
    } catch (error) {
      instance.delete();
      throw error;
    }
    return instance;
  }

  #print(line) {
    (this.#options.print ?? console.log)(line);
  }

  #warn(line) {
    (this.#options.warn ?? console.warn)(line);
  }

  #opened() {
    if (this.#state === "open") return this.#instance;
    throw new HearthError(this.#state === "closed" ? "closed" : "busy",
      this.#state === "closed" ? "the store is closed" : `the store is ${this.#state}`);
  }

  /** The same, and not in the function of a transaction, which would have ended before anything awaited is done. */
  #outside() {
    if (this.#transacting) throw new HearthError("busy", "this cannot be done in a transaction");
    return this.#opened();
  }

  /* ------------------------------------------------------------ running */

  run(code, options) {
    const { name = "=run", instructions, args = [] } = check(options, RUN);
    expect(typeof code === "string" || code instanceof Uint8Array, "Lua code: a text or a Uint8Array");
    return this.#opened().change("js_run", [code, name, instructions, ...args]);
  }

  capture(code, options) {
    const end = this.#opened().capture();
    let values, output;
    try {
      values = this.run(code, options);
    } finally {
      output = end();
    }
    return { values, output };
  }

  call(path, ...args) {
    expectPath(path);
    return this.#opened().change("js_call_path", [path, ...args]);
  }

  get(path) {
    expectPath(path);
    return this.#opened().call("js_get", [path])[0];
  }

  set(path, value) {
    expectPath(path);
    if (path === "_home" || path === "ext")
      throw new HearthError("invalid", `${path} is not to be replaced: set what is in it`, { path });
    this.#opened().change("js_set", [path, value]);
  }

  /* ------------------------------------------------------------- storing */

  /** Resolves when everything that was handed over has been written, whether it succeeded or not. */
  async #idle() {
    while (this.#pending.waiting) await this.#pending.idle();
    await this.#storage?.idle();
  }

  /** A call answered that something is being written now, up to a ticket: resolves when that is done. */
  #written(status, ticket = this.#storage?.ticket) {
    return status === PENDING ? this.#pending.until(ticket) : undefined;
  }

  /** IndexedDB has settled everything up to a ticket, one way or the other. */
  #settled(ticket) {
    this.#failure ??= this.#storage.failure;
    if (this.#state !== "open") return;
    try { // a failure is told once, and is that of everything that waits
      const pending = this.#instance.order("js_poll") === PENDING;
      this.#pending.settle(pending ? ticket : Infinity);
    } catch (error) {
      this.#pending.settle(Infinity, error);
    }
  }

  async commit(options) {
    const { durability = "default" } = check(options, COMMIT);
    await this.#written(this.#opened().order("js_commit", DURABILITY[durability]));
  }

  /** For a page that goes away: what changed is handed to the browser before this returns. */
  commitNow() {
    try {
      return Promise.resolve(this.#written(this.#opened().order("js_commit", DURABILITY.default)));
    } finally { // what was committed before as well
      this.#storage?.urgent();
    }
  }

  async rollback() {
    this.#outside();
    await this.#idle();
    this.#opened().order("js_rollback");
  }

  async transaction(f) {
    expect(typeof f === "function", "a function");
    this.#outside();
    await this.#idle();
    let result, thrown, threw = false;
    const body = () => {
      try {
        result = f(this);
        if (typeof result?.then === "function") {
          Promise.resolve(result).catch(() => {}); // nobody waits for it
          throw new HearthError("invalid", "the function of a transaction may not be async");
        }
      } catch (exception) {
        threw = true;
        thrown = exception;
        throw exception;
      }
    };
    const instance = this.#outside();
    this.#transacting = true;
    try {
      instance.call("js_transaction", [body]);
    } catch (error) {
      throw threw && error.code === "raised" ? thrown : error;
    } finally {
      this.#transacting = false;
    }
    await this.#written(this.#opened().order("js_poll"));
    return result;
  }

  async refresh() {
    this.#outside();
    await this.#storage?.refresh();
    this.#opened().order("js_refresh");
  }

  async compact(options) {
    const { keep = 0 } = check(options, COMPACT);
    this.#outside();
    await this.#idle();
    await this.#written(this.#opened().order("js_compact", keep), Infinity); // it takes many tickets
  }

  /* ------------------------------------------------------------- as bytes */

  encode(value, options) {
    return this.#opened().callForBytes("js_encode", [value, flagsOf(check(options, ENCODE))]);
  }

  encodePath(path, options) {
    expectPath(path);
    return this.#opened().callForBytes("js_encode_path", [path, flagsOf(check(options, ENCODE))]);
  }

  decode(bytes, options) {
    expectBytes(bytes);
    return this.#opened().call("js_decode", [bytes, flagsOf(check(options, DECODE))])[0];
  }

  async export() {
    this.#outside();
    await this.#idle();
    return this.#opened().callForBytes("js_export");
  }

  async exportLegacy(options) {
    const checked = check(options, EXPORT_LEGACY);
    this.#outside();
    const { exportRecords } = await import("./legacy/convert.js");
    return exportRecords(this.#runLegacy, checked);
  }

  async import(bytes, options) {
    const { replace = false } = check(options, IMPORT);
    expectBytes(bytes);
    this.#outside();
    await this.#idle();
    const trial = await this.#import(bytes); // whatever cannot be opened fails here, and nothing has changed
    try {
      const old = this.#opened();
      if (this.#storage === undefined && this.#uri === "memory:") {
        if (!replace && old.call("js_stat", [])[0].storage.entries > 0)
          throw new HearthError("exists", "can only be imported into an empty store");
        this.#instance = trial;
      } else {
        await this.#written(old.call("js_import", [bytes, replace])[0]);
        this.#state = "importing";
        await this.#restart(old);
        trial.delete();
      }
      old.delete();
      this.#state = "open";
    } catch (error) {
      if (this.#instance !== trial) trial.delete();
      throw error;
    }
  }

  /** The store is opened anew; where that fails, it is closed. */
  async #restart(old) {
    try {
      old.order("js_close");
      if (this.#storage !== undefined) await this.#reopenStorage();
      // it is there by now
      this.#instance = await this.#start(await this.#makeInstance(), { create: true, exclusive: false });
    } catch (error) {
      this.#state = "closed";
      old.delete();
      await this.#storage?.close();
      throw error;
    }
  }

  /** A Lua state with a store in memory that holds what the bytes say. */
  async #import(bytes) {
    const instance = await this.#makeInstance();
    try {
      instance.call("js_import", [bytes, false]);
      instance.call("js_open", ["memory:", this.#storeOptions()]);
      instance.pristine.opened();
    } catch (error) {
      instance.delete();
      throw error;
    }
    return instance;
  }

  /* --------------------------------------------------------------- state */

  stat() {
    const instance = this.#opened();
    const [stat] = instance.call("js_stat", []);
    const { aliasUses, aliasPlaces, savedAt, storage, ...rest } = stat;
    return {
      ...rest,
      savedAt: savedAt === 0 ? undefined : new Date(savedAt),
      memoryBytes: instance.memory.buffer.byteLength,
      alias: { uses: aliasUses, places: Array.isArray(aliasPlaces) ? aliasPlaces : [] },
      storage: { ...storage, persistent: this.#storage?.persistent },
    };
  }

  setAlias(policy) {
    if (!Object.hasOwn(ALIAS, policy))
      throw new HearthError("invalid", `'${policy}' is no alias policy: off, on or track`);
    this.#opened().order("js_alias", ALIAS[policy]);
  }

  get failure() {
    return this.#failure ?? this.#instance.lost;
  }

  get closed() {
    return this.#state === "closed";
  }

  async close() {
    if (this.#state !== "closed") this.#outside();
    await (this.#closing ??= this.#close());
  }

  async #close() {
    if (this.#state !== "open") return; // a store that was closed by a failure
    await this.#autocommit.end();
    await this.#idle();
    try {
      if (this.#instance.lost === undefined) this.#instance.order("js_close");
    } finally {
      this.#state = "closed";
      this.#instance.delete();
      await this.#storage?.close();
    }
  }
}

if (Symbol.asyncDispose !== undefined)
  Hearth.prototype[Symbol.asyncDispose] = function () {
    return this.close();
  };
