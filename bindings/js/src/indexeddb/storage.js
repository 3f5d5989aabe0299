/**
 * One store in IndexedDB, opened: its database, its lock, its log. The backend (backends/indexeddb) in a
 * WebAssembly instance is attached to it and calls the methods that imports.js lists; they never wait.
 */
import { HearthError, STATUS, codeName } from "../error.js";
import { asked, databaseName, factory, openDatabase, openFailure, readDatabase } from "./database.js";
import { Lock } from "./lock.js";
import { Log } from "./log.js";
import { forgetHere, noteHere, wasHere } from "./note.js";
import { Spare, headOf } from "./spare.js";
import { PATIENCE, takeOver } from "./takeover.js";

const BALLAST = 1 << 20; // bytes
const BALLAST_AFTER = 1000; // milliseconds without anything to write
const READONLY = 0x1; // HEARTH_OPEN_READONLY

export class IndexedDBStorage {
  /** @readonly */ name;
  /** @readonly */ readonly;
  /** Will the browser keep it when space gets short? undefined where it cannot be asked. */
  persistent;
  /** Is the loss of this store noticed when it is opened again? Not in workers, which have no localStorage. */
  lossIsNoticed = false;
  /** @type {HearthError | undefined} why the store is dead */
  failure;
  /**
   * Called after the backend was told that something has settled.
   * @type {(ticket: number, code: string) => void} ticket 0: all of it, since the store is dead
   */
  onsettled = () => {};

  #database;
  #lock;
  #log;
  #channel;
  #options;
  #found; // what was read
  #records; // the log while the backend reads it
  #reading = { index: 0, at: 0 }; // which of them it read last, and where in the log that begins
  #again = false; // the database was read once more
  #moved = false; // another tab has written since
  #settle; // the backend's, while it is attached
  #parts = []; // records since the last ticket
  #ticket = 0;
  #unsettled = 0;
  #waiting = []; // resolvers of settled()
  #idlers = []; // of idle()
  #ballastTimer;
  #begun = false; // something was appended
  #closed = false;

  /**
   * Opens or creates. Rejects with a HearthError: "unsupported" and "insecure" where the browser offers no database or
   * no locks, "busy" while another tab has it, "notfound", "exists", "lost", "notstore", "version", "full", "io".
   *
   * @param {string} name
   * @param {object} [options]
   * @param {boolean} [options.readonly] takes no lock and writes nothing
   * @param {boolean} [options.create] false: "notfound" where there is none yet
   * @param {boolean} [options.exclusive] "exists" where there is one
   * @param {boolean} [options.takeover] takes the store from another tab, which is dead from then on
   * @param {boolean} [options.persist] asks the browser to keep this site's storage
   * @param {boolean} [options.acceptLoss] goes on with an empty store where the browser has lost one
   * @param {(line: string) => void} [options.warn]
   * @param {number} [options.ballast] bytes that are kept to be given up in a full database
   * @param {number} [options.patience] milliseconds until a database that does not open is busy
   * @returns {Promise<IndexedDBStorage>}
   */
  static async open(name, options = {}) {
    const storage = new IndexedDBStorage(name, options);
    try {
      await storage.#open();
      return storage;
    } catch (exception) {
      const failure = storage.failure ?? openFailure(name, exception);
      await storage.#letGo();
      throw failure;
    }
  }

  /** Removes a store that nobody has open, and the note of it. "busy" otherwise. */
  static async delete(name) {
    const databases = factory(name);
    const lock = await Lock.take(name, false, () => {});
    try {
      await asked(databases.deleteDatabase(databaseName(name)));
      forgetHere(name);
      Spare.forget(name);
    } finally {
      await lock.release();
    }
  }

  constructor(name, options) {
    this.name = name;
    this.readonly = options.readonly === true;
    this.#options = options;
  }

  async #open() {
    const { takeover, create, exclusive, persist, acceptLoss, patience } = this.#options;
    factory(this.name);
    const lost = () => this.#die("dead", "another tab has taken the store over");
    if (!this.readonly) this.#lock = await Lock.take(this.name, takeover === true, lost);
    this.#database =
      await openDatabase(this.name, { create: !this.readonly && create !== false, acceptLoss, patience });
    this.#watch();
    const warn = (line) => this.#warn(line);
    if (!this.readonly) await Spare.replay(this.#database, this.name, warn, takeover ? PATIENCE : undefined);
    if (takeover && !this.readonly) await takeOver(this.#database, this.name);
    await this.#read();
    if (this.failure !== undefined) throw this.failure; // it was lost meanwhile
    if (this.#found.bytes === 0) this.#judgeEmpty();
    else if (exclusive) throw new HearthError("exists", `${this.name}: there is a store already`);
    else if (!this.readonly) this.lossIsNoticed = noteHere(this.name);
    await this.#askPersistence(persist === true);
  }

  #judgeEmpty() {
    const { acceptLoss, create } = this.#options;
    if (wasHere(this.name) && !acceptLoss)
      throw new HearthError("lost", `${this.name}: the browser has lost this store; acceptLoss begins it anew`);
    if (this.readonly || create === false) throw new HearthError("notfound", `${this.name}: there is no such store`);
  }

  async #read() {
    const found = await readDatabase(this.#database);
    this.#records = found.records;
    this.#reading = { index: 0, at: 0 };
    const sizes = found.records.map((record) => record.length);
    this.#found = { ...found, records: sizes, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }

  async #askPersistence(persist) {
    const manager = globalThis.navigator?.storage;
    try {
      if (persist) await manager?.persist?.(); // not there in workers
      this.persistent = await manager?.persisted?.();
    } catch (exception) {
      this.#warn(`the browser does not say whether it keeps the storage: ${exception.message}`);
    }
    if (persist && this.persistent !== true)
      this.#warn("the browser may delete this site's storage when space gets short");
  }

  #watch() {
    this.#database.onclose = () => this.#die("dead", "the browser has closed the database");
    this.#database.onversionchange = () => this.#die("dead", "another page deletes the database or upgrades it");
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(databaseName(this.name));
    if (this.readonly) this.#channel.onmessage = () => (this.#moved = true);
    this.#channel.unref?.();
  }

  #warn(line) {
    this.#options.warn?.(`${this.name}: ${line}`);
  }

  // -------------------------------------------------------------- settling

  #settled(ticket, outcome) {
    this.#unsettled--;
    if (outcome.complete) this.#channel?.postMessage(ticket);
    if (outcome.complete && !this.lossIsNoticed) this.lossIsNoticed = noteHere(this.name);
    this.#tell(ticket, outcome.complete ? STATUS.ok : STATUS[outcome.code], outcome.reason ?? "");
  }

  #tell(ticket, status, reason) {
    try {
      this.#settle?.(ticket, status, reason);
    } catch (exception) { // the instance is broken
      this.#settle = undefined;
      this.#die("io", `the backend failed: ${exception?.message ?? exception}`);
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.onsettled(ticket, codeName(status));
  }

  #die(code, reason) {
    if (this.failure !== undefined || this.#closed) return;
    this.failure = new HearthError(code, `${this.name}: ${reason}`);
    this.#log?.stop();
    this.#unsettled = 0;
    void this.#letGo();
    this.#tell(0, STATUS[code], reason);
    this.#nowIdle();
  }

  /** The transactions under way go on to their end. */
  async #letGo() {
    this.#closed = true;
    clearTimeout(this.#ballastTimer);
    if (this.#channel !== undefined) this.#channel.onmessage = null;
    this.#channel?.close();
    if (this.#database !== undefined) {
      this.#database.onclose = this.#database.onversionchange = null;
      this.#database.close();
    }
    await this.#lock?.release();
  }

  #nowIdle() {
    for (const resolve of this.#idlers.splice(0)) resolve();
    if (this.#closed || !this.#begun) return;
    clearTimeout(this.#ballastTimer);
    this.#ballastTimer = setTimeout(() => this.#log.ballast(), BALLAST_AFTER);
  }

  /** Resolves when something settles next; at once when nothing is under way. */
  settled() {
    if (this.#unsettled === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when everything appended so far was written or has failed. */
  idle() {
    if (this.#log === undefined || this.failure !== undefined || this.#log.isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }

  /** For a page that is being left: everything appended begins to be written now. */
  urgent() {
    this.#log?.urgent();
  }

  /** For a reader: reads the database again; the backend takes it in when it is told to refresh. */
  async refresh() {
    if (!this.readonly) return;
    if (this.failure !== undefined) throw this.failure;
    this.#moved = false;
    await this.#read();
    this.#again = true;
  }

  /** Waits for what was appended, and lets others have the store. */
  async close() {
    if (this.#closed) {
      await this.#lock?.release();
      return;
    }
    await this.idle();
    this.#log?.stop();
    await this.#letGo();
  }

  // ------------------------------------------------- what the backend calls

  #alive() {
    if (this.failure !== undefined) throw new HearthError("dead", this.failure.message);
    if (this.#closed) throw new HearthError("closed", `${this.name}: was closed`);
  }

  /** @param {(ticket: number, status: number, reason: string) => void} settle */
  attach(flags, settle) {
    this.#alive();
    if (this.#settle !== undefined) throw new HearthError("busy", `${this.name}: is in use`);
    if (this.readonly && (flags & READONLY) === 0)
      throw new HearthError("readonly", `${this.name}: was opened read-only`);
    if (this.#records === undefined) throw new HearthError("busy", `${this.name}: was used before, open it again`);
    this.#settle = settle;
    return this.#found.bytes;
  }

  /**
   * Bytes of the log, from one record: fewer than `size` at its end, none at the log's end.
   * @returns {Uint8Array} borrowed
   */
  read(offset, size) {
    let { index, at } = this.#reading;
    if (offset < at) index = at = 0;
    while (index < this.#records.length && offset >= at + this.#records[index].length)
      at += this.#records[index++].length;
    this.#reading = { index, at };
    return this.#records[index]?.subarray(offset - at, offset - at + size) ?? new Uint8Array(0);
  }

  opened(end) {
    const found = this.#found;
    const records = this.#records;
    this.#records = undefined;
    if (this.readonly) return;
    let [count, size] = [0, 0];
    while (size < end) size += found.records[count++];
    const before = found.records.length - found.counts.at(-1); // in earlier generations
    if (size !== end || count < before)
      throw new HearthError("damaged", `${this.name}: the log does not end with a record`);
    this.#log = new Log(this.#database, found, {
      settled: (ticket, outcome) => this.#settled(ticket, outcome),
      failed: ({ code, reason }) => this.#die(code, reason),
      idle: () => this.#nowIdle(),
      spare: new Spare(this.name),
    }, this.#options.ballast ?? BALLAST);
    this.#log.cut(count - before, end, headOf(records[count - 1]));
  }

  /** @returns {number | undefined} the length of the log that was read again */
  reload() {
    if (!this.#again) return undefined;
    this.#again = false;
    return this.#found.bytes;
  }

  get moved() {
    return this.#moved;
  }

  /** The last ticket that was given. */
  get ticket() {
    return this.#ticket;
  }

  #newTicket() {
    this.#unsettled++;
    return ++this.#ticket;
  }

  /**
   * @param {Uint8Array} record the caller's memory: it is copied
   * @param {number} last IDB_MORE, IDB_LAST or IDB_LAST_SHRINKS
   * @returns {number} a ticket; 0 without `last`
   */
  append(record, last, level) {
    this.#alive();
    this.#parts.push(record.slice());
    if (last === 0) return 0;
    const records = this.#parts;
    this.#parts = [];
    const ticket = this.#newTicket();
    this.#begun = true;
    this.#log.frames(records, level, last === 2, ticket);
    return ticket;
  }

  forget() {
    this.#parts = [];
  }

  flush(level) {
    this.#alive();
    const ticket = this.#newTicket();
    this.#log.flush(level, ticket);
    return ticket;
  }

  compact() {
    this.#alive();
    this.#log.beginGeneration();
  }

  piece(record) {
    this.#alive();
    const ticket = this.#newTicket();
    this.#log.piece(record.slice(), ticket);
    return ticket;
  }

  replace(record) {
    this.#alive();
    const ticket = this.#newTicket();
    this.#log.replace(record.slice(), ticket);
    return ticket;
  }

  stay() {
    this.#log?.stay();
  }

  get occupied() {
    return this.#log?.occupied ?? this.#found.bytes + this.#found.ballast;
  }

  detach() {
    this.#settle = undefined;
    this.#parts = [];
    this.#log?.stay();
  }
}
