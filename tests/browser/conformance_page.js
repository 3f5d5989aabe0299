/**
 * Inside a page or a worker: the conformance suite (testkit/, conformance.c) with the package's own IndexedDBStorage
 * below the backend. The program waits for promises by WebAssembly.Suspending: Chromium has it since version 137.
 */
import { HearthError } from "/src/error.js";
import { indexeddbImports, offer, withdraw } from "/src/indexeddb/imports.js";
import { IndexedDBStorage } from "/src/indexeddb/storage.js";

const [READONLY, NO_CREATE, EXCLUSIVE] = [0x1, 0x2, 0x4]; // HEARTH_OPEN_...
const OUTCOMES = ["passed", "failed", "skipped"];
const PATIENCE = 10000; // milliseconds until a reader that heard of nothing will not
const decoder = new TextDecoder();

/** The databases of one case. */
class Databases {
  #all = new Map(); // opened: number -> { storage, seen }
  #numbers = new Map(); // number by the address of the backend's store
  #last = 0;
  #closing = [];
  #complete = 0; // tickets
  #instance;

  constructor(instance) {
    this.#instance = instance;
  }

  async open(name, flags) {
    await this.#closed();
    const storage = await IndexedDBStorage.open(name, {
      readonly: (flags & READONLY) !== 0, create: (flags & NO_CREATE) === 0, exclusive: (flags & EXCLUSIVE) !== 0,
      warn: (line) => console.warn(line),
    });
    storage.onsettled = (ticket, code) => (this.#complete += ticket > 0 && code === "ok" ? 1 : 0);
    offer(this.#instance, storage);
    this.#all.set(++this.#last, { storage, seen: this.#complete });
    return this.#last;
  }

  opened(number, store) {
    withdraw(this.#instance, this.#all.get(number).storage);
    if (store === 0) this.#close(number);
    else this.#numbers.set(store, number);
  }

  close(store) {
    this.#close(this.#numbers.get(store));
    this.#numbers.delete(store);
  }

  #close(number) {
    this.#closing.push(this.#all.get(number).storage.close());
    this.#all.delete(number);
  }

  async #closed() {
    await Promise.all(this.#closing.splice(0));
  }

  async refresh(store) {
    const opened = this.#all.get(this.#numbers.get(store));
    opened.seen = this.#complete;
    await opened.storage.refresh();
  }

  async settle() {
    await this.#closed();
    for (const { storage } of this.#all.values()) await storage.idle();
    for (const reader of this.#all.values())
      if (reader.storage.readonly && reader.seen < this.#complete) await this.#told(reader.storage);
  }

  /** Other tabs are told by a BroadcastChannel, a moment later. */
  async #told(storage) {
    for (const end = performance.now() + PATIENCE; !storage.moved && performance.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async leave(name) {
    await this.#closed();
    if (this.#all.size > 0) throw new Error(`${name}: ${this.#all.size} databases were not closed`);
    await IndexedDBStorage.delete(name);
  }
}

/** What Emscripten's C library asks of a system. */
function runtime(program) {
  let high = 0; // the second half of a result
  const env = {
    setTempRet0: (value) => void (high = value), getTempRet0: () => high, emscripten_notify_memory_growth() {},
    getentropy(at, size) {
      crypto.getRandomValues(new Uint8Array(program.memory.buffer, at, size));
      return 0;
    },
  };
  const proc_exit = (code) => {
    throw new Error(`the program has ended itself: ${code}`); // abort
  };
  return { env, wasi_snapshot_preview1: { proc_exit } };
}

/** An instance of the module, and what it imports. */
class Program {
  memory;
  exports;
  result;
  #databases = new Databases(this);

  bytes = (at, size) => new Uint8Array(this.memory.buffer, at, size);
  text = (at, size) => decoder.decode(this.bytes(at, size));

  string(at) {
    const rest = new Uint8Array(this.memory.buffer, at >>> 0);
    return decoder.decode(rest.subarray(0, rest.indexOf(0)));
  }

  #write(text, at, room) {
    const bytes = this.bytes(at, room);
    bytes[new TextEncoder().encodeInto(text, bytes.subarray(0, room - 1)).written] = 0;
  }

  /** The status of a failure, with its reason; what is no HearthError is no answer. */
  #status(error, reason, room) {
    if (!(error instanceof HearthError)) throw error;
    this.#write(error.message, reason, room);
    return error.status;
  }

  async #attempt(promise, reason, room) {
    try {
      return (await promise) ?? 0;
    } catch (error) {
      return this.#status(error, reason, room);
    }
  }

  imports() {
    const databases = this.#databases;
    const waits = (f) => new WebAssembly.Suspending(f);
    const page = {
      arrive: (name, room) => this.#write(`conformance ${crypto.randomUUID()}`, name, room),
      leave: waits((name) => databases.leave(this.string(name))),
      open: waits((name, flags, reason, room) =>
        this.#attempt(databases.open(this.string(name), flags), reason, room)),
      opened: (number, store) => databases.opened(number, store),
      close: (store) => databases.close(store),
      refresh: waits((store, reason, room) => this.#attempt(databases.refresh(store), reason, room)),
      settle: waits(() => databases.settle()),
      report: (outcome, message, file, line) => {
        const where = file === 0 ? "" : `${this.string(file)}:${line}: `;
        this.result = { outcome: OUTCOMES[outcome], message: where + this.string(message) };
      },
    };
    return { page, hearth_indexeddb: indexeddbImports(this), ...runtime(this) };
  }

  static async make(module) {
    const program = new Program();
    program.exports = (await WebAssembly.instantiate(module, program.imports())).exports;
    program.memory = program.exports.memory;
    program.exports._initialize?.();
    return program;
  }
}

const compiled = WebAssembly.compileStreaming(fetch("/conformance.wasm"));

/** The names of all cases and their rules. */
export async function cases() {
  const program = await Program.make(await compiled);
  const { case_count, case_name, case_rule } = program.exports;
  return Array.from({ length: case_count() }, (_, number) =>
    ({ name: program.string(case_name(number)), rule: program.string(case_rule(number)) }));
}

/** Runs a case in a program of its own: { outcome, message }. */
export async function run(number) {
  const program = await Program.make(await compiled);
  await WebAssembly.promising(program.exports.case_run)(number);
  return program.result;
}

Object.assign(globalThis, { cases, run });
if (typeof document === "undefined") postMessage("ready");
