/**
 * One WebAssembly instance: its memory, its imports, and calls into it.
 */
import * as noFiles from "./files.js";
import { fixedDigits, significantDigits } from "./digits.js";
import { HearthError, LuaError, codeName } from "./error.js";
import { indexeddbImports } from "./indexeddb/imports.js";
import { Lines, textOf } from "./lines.js";
import { References } from "./references.js";
import { readMessage, writeMessage } from "./transfer.js";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
export const isNode = typeof process === "object" && process.versions?.node !== undefined;

/** @type {Map<string, Promise<WebAssembly.Module>>} one compilation for all */
const modules = new Map();

async function fetchModule(url) {
  if (url.protocol === "file:" && isNode) {
    const { readFile } = await import(/* @vite-ignore */ /* webpackIgnore: true */ "node:fs/promises");
    return WebAssembly.compile(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new HearthError("notfound", `${url}: ${response.status} ${response.statusText}`);
  return WebAssembly.compile(await response.arrayBuffer()); // whatever its media type
}

/**
 * @param {BufferSource | WebAssembly.Module | URL | string | undefined} wasm
 * @returns {Promise<WebAssembly.Module>}
 */
export async function loadModule(wasm) {
  try {
    return await load(wasm);
  } catch (cause) {
    if (cause instanceof HearthError) throw cause;
    const refused = /Content Security Policy/.test(cause?.message); // it takes 'wasm-unsafe-eval' in script-src
    const code = refused ? "unsupported"
      : cause?.code === "ENOENT" ? "notfound" : cause instanceof WebAssembly.CompileError ? "damaged" : "invalid";
    throw new HearthError(code, `hearth.wasm: ${cause?.message}`, { cause });
  }
}

async function load(wasm) {
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (wasm !== undefined && typeof wasm !== "string" && !(wasm instanceof URL)) return WebAssembly.compile(wasm);
  const url = wasm === undefined ? new URL("./hearth.wasm", import.meta.url) : new URL(wasm, globalThis.location?.href);
  let module = modules.get(url.href);
  if (module === undefined) {
    module = fetchModule(url);
    modules.set(url.href, module);
    module.catch(() => modules.delete(url.href)); // the next open tries again
  }
  return module;
}

/** What an exception says, whatever was thrown. */
function messageOf(exception) {
  try {
    return String(exception?.message ?? exception);
  } catch {
    return "an exception that cannot be shown as text";
  }
}

/** Lua code puts the position before a message that it passes on. */
function contains(value, thrown) {
  return typeof value === "string" && typeof thrown === "string" && thrown !== "" && value.endsWith(thrown);
}

export class Instance {
  /** @type {WebAssembly.Memory} */
  memory;
  exports;
  /** @type {import("./pristine.js").Pristine} set by whoever made the instance */
  pristine;
  #bridge = 0;
  #lines;
  #references;
  #thrown; // the JavaScript exception that a callback threw last, and what it became in Lua
  #sealFailure;
  #streams;
  /** @type {Uint8Array[][]} what is printed goes into the last, where there is one */
  #captured = [];
  #depth = 0;
  #telling = false; // the host's print, warn or seal is at work, inside whatever Lua does
  #changed;
  /** @type {HearthError | undefined} */
  #lost;

  /**
   * @param {{print: (line: string) => void, warn: (line: string) => void, changed: () => void,
   *   seal?: (bytes: Uint8Array) => Uint8Array}} host `changed`: Lua code ran that was called by itself
   * @param {WebAssembly.Module} module
   */
  static async make(module, host) {
    const instance = new Instance();
    const { filesImports, fillRandom } = isNode
      ? await import(/* @vite-ignore */ /* webpackIgnore: true */ "./node/files.js")
      : noFiles;
    instance.#streams = { out: host.print, error: host.warn };
    instance.#changed = host.changed;
    instance.#references = new References(
      (handle) => instance.#bridge !== 0 && instance.exports.js_dereference(instance.#bridge, handle),
      (f, args) => instance.change("js_call_value", [f, ...args]));
    instance.#lines = {
      out: new Lines((line) => instance.#tell("out", line)),
      error: new Lines((line) => instance.#tell("error", line)),
    };
    const { exports } = await WebAssembly.instantiate(module, {
      hearth: instance.#imports(host, fillRandom),
      hearth_files: filesImports(instance),
      hearth_math: Math,
      hearth_indexeddb: indexeddbImports(instance),
    });
    instance.exports = exports;
    instance.memory = exports.memory;
    exports._initialize?.();
    instance.#bridge = exports.js_new();
    if (instance.#bridge === 0) throw new HearthError("nomem", "not enough memory for a Lua state");
    return instance;
  }

  /** A fresh view: it is void after the next call into WebAssembly, whose memory may grow. */
  bytes = (at, size) => new Uint8Array(this.memory.buffer, at, size);

  text = (at, size) => decoder.decode(this.bytes(at, size));

  /** A host's print or warn that throws must not pass through Lua: it is told on the console instead. */
  #tell(stream, line) {
    const before = this.#telling;
    this.#telling = true;
    try {
      this.#streams[stream](line);
    } catch (exception) {
      console.error(exception);
    }
    this.#telling = before;
  }

  #flush() {
    this.#lines.out.flush();
    this.#lines.error.flush();
  }

  #output(stream, bytes) {
    const captured = this.#captured.at(-1);
    if (stream === 2) this.#lines.error.write(bytes);
    else if (captured !== undefined) captured.push(bytes.slice());
    else this.#lines.out.write(bytes);
  }

  /** Keeps what is printed: the function that ends that, and gives the text. */
  capture() {
    const pieces = [];
    this.#captured.push(pieces);
    return () => {
      this.#captured.pop();
      return textOf(pieces);
    };
  }

  #imports(host, fillRandom) {
    let warning = "";
    return {
      call: (number) => this.#callback(number),
      release: (number) => this.#references.releaseFunction(number),
      output: (stream, at, size) => this.#output(stream, this.bytes(at, size)),
      random: (at, size) => void fillRandom(this.bytes(at, size)),
      clock: (kind) => (kind === 0 ? Date.now() : performance.now()),
      number: (at, size) => Number(this.text(at, size)),
      digits: (value, count, fixed, at) => {
        const [digits, before] = fixed !== 0 ? fixedDigits(value, count) : significantDigits(value, count);
        const bytes = this.bytes(at, digits.length);
        for (let i = 0; i < digits.length; i++) bytes[i] = digits.charCodeAt(i);
        return before;
      },
      fmod: (x, y) => x % y,
      timezone: (milliseconds) => new Date(milliseconds).getTimezoneOffset() * -60,
      warn: (at, size, more) => {
        warning += this.text(at, size);
        if (more !== 0) return;
        this.#tell("error", warning);
        warning = "";
      },
      seal: (at, size, out) => {
        const before = this.#telling;
        this.#telling = true;
        try {
          const seal = host.seal(this.bytes(at, size).slice());
          if (!(seal instanceof Uint8Array) || seal.length !== 32)
            throw new HearthError("invalid", "a seal has 32 bytes");
          this.bytes(out, 32).set(seal);
          return 0;
        } catch (exception) {
          this.#sealFailure = exception;
          return 1;
        } finally {
          this.#telling = before;
        }
      },
    };
  }

  /** Lua calls a JavaScript function: 0, or 1 when it threw. */
  #callback(number) {
    try {
      const args = readMessage(this.#out(), this.#references);
      const result = this.#references.functionOf(number)(...args);
      if (typeof result?.then === "function") throw new HearthError("invalid", "Lua cannot wait for a promise");
      this.#in(result === undefined ? [] : [result]);
      return 0;
    } catch (exception) {
      return this.#threw(exception);
    }
  }

  /** What was thrown becomes an error value: of a Lua error that passed through, the value it had. */
  #threw(exception) {
    const value = exception instanceof LuaError ? exception.value : messageOf(exception);
    this.#thrown = { exception, value };
    try {
      this.#in([value]);
    } catch {
      this.exports.js_in(this.#bridge, 0); // nil
    }
    return 1;
  }

  #in(values) {
    const message = writeMessage(values, this.#references);
    const at = this.exports.js_in(this.#bridge, message.length);
    if (at === 0) throw new HearthError("nomem", "not enough memory");
    this.bytes(at, message.length).set(message);
  }

  #out() {
    return this.bytes(this.exports.js_out(this.#bridge), this.exports.js_out_size(this.#bridge));
  }

  /** Calls an exported function with arguments as a message, and numbers: its status, 0 or positive. */
  #enter(name, args, numbers = []) {
    if (this.#bridge === 0) throw new HearthError("closed", "the store is closed");
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#telling) throw new HearthError("busy", "what print, warn or seal call may not go back to Lua");
    if (this.#depth === 0) this.#thrown = undefined;
    if (args !== undefined) this.#in(args);
    this.#depth++;
    let status;
    try {
      status = this.exports[name](this.#bridge, ...numbers);
    } catch (exception) {
      throw this.#lose(exception);
    } finally {
      this.#depth--;
    }
    if (this.#depth === 0) this.#flush();
    if (status < 0) throw this.#failure(status);
    return status;
  }

  /**
   * Something came through WebAssembly without Lua's knowing: a trap, or JavaScript's stack overflowed in the middle of
   * Lua. Nothing there can be relied on any more.
   */
  #lose(exception) {
    this.#lost ??= new HearthError("dead", `the Lua state was lost: ${messageOf(exception)}`, { cause: exception });
    return this.#lost;
  }

  #failure(status) {
    const [position, path, message, traceback, same, value] = readMessage(this.#out(), this.#references);
    const code = codeName(status);
    if (code === "raised") {
      const told = traceback === undefined ? message : value;
      const error = new LuaError(typeof value === "string" ? value : message ?? code,
        { value: told, traceback: traceback ?? "", path });
      const thrown = this.#thrown;
      if (thrown !== undefined && (same || contains(value, thrown.value))) error.cause = thrown.exception;
      return error;
    }
    const error = new HearthError(code, message ?? code, { path, position });
    if (this.#sealFailure !== undefined) error.cause = this.#sealFailure;
    this.#sealFailure = undefined;
    return error;
  }

  /** Calls an exported function that answers values. */
  call(name, args) {
    this.#enter(name, args);
    return readMessage(this.#out(), this.#references);
  }

  /** The same, and what it did may have changed the home table. */
  change(name, args) {
    try {
      return this.call(name, args);
    } finally {
      if (this.#depth === 0) this.#changed();
    }
  }

  /** Calls an exported function that answers bytes. */
  callForBytes(name, args) {
    this.#enter(name, args);
    return this.#out().slice();
  }

  /** Calls an exported function with numbers: its status, 0 or positive. */
  order(name, ...numbers) {
    return this.#enter(name, undefined, numbers);
  }

  /** Calls in progress: a callback of Lua's may come here again. */
  get depth() {
    return this.#depth;
  }

  /** Why nothing can be called any more. */
  get lost() {
    return this.#lost;
  }

  counts() {
    return this.#references.counts();
  }

  delete() {
    const bridge = this.#bridge;
    this.#bridge = 0;
    if (bridge !== 0 && this.#lost === undefined) this.exports.js_delete(bridge);
    if (bridge !== 0) this.#flush();
  }
}
