/**
 * Hearth: a Lua state whose table `_home` is durable. hearth.d.ts documents all of it.
 */
import { Autocommit } from "./autocommit.js";
import { HearthError, LuaError } from "./error.js";
import { IndexedDBStorage } from "./indexeddb/storage.js";
import { Instance, isNode, loadModule } from "./instance.js";
import { ALIAS, COMMIT, COMPACT, DECODE, DURABILITY, ENCODE, IMPORT, OPEN, RUN, check } from "./options.js";
import { Pending } from "./pending.js";

export { HearthError, LuaError };

const PENDING = 1; // hearth_status.h

/* Flags of hearth.h. */
const CODEC = { canonical: 0x01, strip: 0x02, functions: 0x04, permanents: 0x08, metatables: 0x10, trusted: 0x1c };

const REGISTER_MODULES = `
local hearth = require "hearth"
for name, functions in pairs(...) do
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

const flagsOf = (options) => Object.keys(options).reduce((flags, name) => (options[name] ? flags | CODEC[name] : flags), 0);

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
  #state = "opening"; // then "open", "closed"

  static version = "0.1.0";

  constructor(key, options) {
    if (key !== Hearth.#key) throw new TypeError("use Hearth.open()");
    this.#options = options;
    this.#uri = options.store ?? "memory:";
  }
  static #key = Symbol();

  static async open(options) {
    const hearth = new Hearth(Hearth.#key, check(options, OPEN));
    await hearth.#open();
    return hearth;
  }

  /* ------------------------------------------------------------ opening */

  async #open() {
    const [scheme, place] = splitURI(this.#uri);
    this.#module = await loadModule(this.#options.wasm);
    if (scheme === "indexeddb") await this.#openStorage(place);
    try {
      this.#instance = await this.#start();
      this.#state = "open";
      await this.#storage?.idle();
    } catch (error) {
      this.#instance?.delete();
      await this.#storage?.close();
      throw error;
    }
    this.#autocommit = new Autocommit(this, this.#options);
  }

  async #openStorage(name) {
    const { readonly, create, exclusive, takeover, persist, acceptLoss } = this.#options;
    this.#storage = await IndexedDBStorage.open(name, {
      readonly, create, exclusive, takeover, persist, acceptLoss, warn: (line) => this.#warn(line),
    });
    this.#storage.onsettled = (ticket) => this.#settled(ticket);
    this.#storage.ondead = (error) => {
      this.#failure ??= error;
    };
  }

  /** A new Lua state, which knows what was registered. */
  async #makeInstance() {
    const { modules, sources, seal } = this.#options;
    const host = { print: (line) => this.#print(line), warn: (line) => this.#warn(line), seal };
    const instance = await Instance.make(this.#module, host, this.#storage);
    try {
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

  /** A new Lua state with the store in it. */
  async #start() {
    const instance = await this.#makeInstance();
    try {
      instance.call("js_open", [this.#uri, this.#storeOptions()]);
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

  /* ------------------------------------------------------------ running */

  /** Values that Lua code may have changed the home table to get: automatic commits follow. */
  #changing(name, args) {
    const instance = this.#opened();
    try {
      return instance.call(name, args);
    } finally {
      if (instance.depth === 0) this.#autocommit?.schedule();
    }
  }

  run(code, options) {
    const { name = "=run", instructions, args = [] } = check(options, RUN);
    return this.#changing("js_run", [code, name, instructions, ...args]);
  }

  capture(code, options) {
    const lines = [];
    const undo = this.#opened().redirect((line) => lines.push(line));
    let values;
    try {
      values = this.run(code, options);
    } finally {
      undo();
    }
    return { values, output: lines.map((line) => line + "\n").join("") };
  }

  call(path, ...args) {
    return this.#changing("js_call_path", [path, ...args]);
  }

  get(path) {
    return this.#opened().call("js_get", [path])[0];
  }

  set(path, value) {
    this.#changing("js_set", [path, value]);
  }

  /* ------------------------------------------------------------- storing */

  /** Resolves when everything that was handed over has been written, whether it succeeded or not. */
  async #idle() {
    while (this.#pending.waiting) await this.#pending.idle();
  }

  /** A call answered that something is being written now: resolves when that is done. */
  #written(status) {
    if (status !== PENDING) return undefined;
    return this.#pending.until(this.#storage.lastTicket);
  }

  /** IndexedDB has settled everything up to a ticket, one way or the other. */
  #settled(ticket) {
    if (this.#state === "closed") return;
    let failure;
    try {
      this.#instance.order("js_poll");
    } catch (error) {
      failure = error;
      if (error.code === "io" || error.code === "dead") this.#failure ??= error;
    }
    this.#pending.settle(ticket, failure);
  }

  async commit(options) {
    const { durability = "default" } = check(options, COMMIT);
    await this.#written(this.#opened().order("js_commit", DURABILITY[durability]));
  }

  /** For a page that goes away: what changed is handed to the browser before this returns. */
  commitNow() {
    const written = this.#written(this.#opened().order("js_commit", DURABILITY.default));
    this.#storage?.urgent();
    return Promise.resolve(written);
  }

  async rollback() {
    this.#opened();
    await this.#idle();
    this.#opened().order("js_rollback");
  }

  async transaction(f) {
    this.#opened();
    await this.#idle();
    let result, thrown, threw = false;
    const body = () => {
      try {
        result = f(this);
        if (typeof result?.then === "function") throw new HearthError("invalid", "the function of a transaction may not be async");
      } catch (exception) {
        threw = true;
        thrown = exception;
        throw exception;
      }
    };
    try {
      this.#opened().call("js_transaction", [body]);
    } catch (error) {
      throw threw && error.code === "raised" ? thrown : error;
    }
    await this.#written(this.#opened().order("js_poll"));
    return result;
  }

  async refresh() {
    this.#opened();
    await this.#storage?.refresh();
    this.#opened().order("js_refresh");
  }

  async compact(options) {
    const { keep = 0 } = check(options, COMPACT);
    await this.#idle();
    await this.#written(this.#opened().order("js_compact", keep));
  }

  /* ------------------------------------------------------------- as bytes */

  encode(value, options) {
    return this.#opened().callForBytes("js_encode", [value, flagsOf(check(options, ENCODE))]);
  }

  encodePath(path, options) {
    return this.#opened().callForBytes("js_encode_path", [path, flagsOf(check(options, ENCODE))]);
  }

  decode(bytes, options) {
    return this.#opened().call("js_decode", [bytes, flagsOf(check(options, DECODE))])[0];
  }

  async export() {
    this.#opened();
    await this.#idle();
    return this.#opened().callForBytes("js_export");
  }

  async import(bytes, options) {
    const { replace = false } = check(options, IMPORT);
    this.#opened();
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
        old.order("js_close");
        this.#instance = await this.#start();
        trial.delete();
      }
      old.delete();
      this.#state = "open";
    } catch (error) {
      if (this.#instance !== trial) trial.delete();
      throw error;
    }
  }

  /** A Lua state with a store in memory that holds what the bytes say. */
  async #import(bytes) {
    const instance = await this.#makeInstance();
    try {
      instance.call("js_import", [bytes, false]);
      instance.call("js_open", ["memory:", this.#storeOptions()]);
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
    if (!Object.hasOwn(ALIAS, policy)) throw new HearthError("invalid", `'${policy}' is no alias policy: off, on or track`);
    this.#opened().order("js_alias", ALIAS[policy]);
  }

  get failure() {
    return this.#failure;
  }

  get closed() {
    return this.#state === "closed";
  }

  async close() {
    if (this.#state === "closed") return;
    this.#opened();
    await this.#autocommit?.end();
    await this.#idle();
    if (this.#state !== "open") return;
    try {
      this.#opened().order("js_close");
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
