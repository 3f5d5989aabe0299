/**
 * The module "hearth_indexeddb" that the backend imports (backends/indexeddb/host.h): numbers in, numbers out, and
 * nothing is thrown.
 */
import { HearthError, STATUS } from "../error.js";

const encoder = new TextEncoder();
const hosts = new WeakMap();

/** What an instance knows of stores: those opened for it by name, those attached by handle. */
class Host {
  storages = new Map();
  attached = [undefined]; // handle 0 is none
  reason = "";
}

function hostOf(instance) {
  let host = hosts.get(instance);
  if (host === undefined) hosts.set(instance, (host = new Host()));
  return host;
}

/**
 * The backend of this instance will find the storage by its name, until it is detached or closed.
 * @param {object} instance
 * @param {import("./storage.js").IndexedDBStorage} storage
 */
export function offer(instance, storage) {
  hostOf(instance).storages.set(storage.name, storage);
}

/** The storage is not found any more. */
export function withdraw(instance, storage) {
  const { storages } = hostOf(instance);
  if (storages.get(storage.name) === storage) storages.delete(storage.name);
}

/** What f throws is kept as the host's reason, and answered as a status. */
const guardedBy = (host) => (f) => (...args) => {
  try {
    return f(...args) ?? 0;
  } catch (exception) {
    host.reason = exception?.message ?? String(exception);
    if (exception instanceof HearthError) return exception.status;
    return exception instanceof RangeError ? STATUS.nomem : STATUS.io;
  }
};

/** The bytes of a text, as many whole characters as fit. */
function encodeWithin(text, size) {
  const whole = encoder.encode(text);
  if (whole.length <= size) return whole;
  let end = size;
  while (end > 0 && (whole[end] & 0xc0) === 0x80) end--; // not inside a character
  return whole.subarray(0, end);
}

/**
 * @param {{memory: WebAssembly.Memory, exports: WebAssembly.Exports, bytes(at: number, size: number): Uint8Array,
 *   text(at: number, size: number): string}} instance
 */
export function indexeddbImports(instance) {
  const host = hostOf(instance);
  const bytes = (at, size) => instance.bytes(at >>> 0, size >>> 0);
  const of = (handle) => {
    const storage = host.attached[handle];
    if (storage === undefined) throw new HearthError("closed", "no such store is attached");
    return storage;
  };
  const setDouble = (at, value) => new DataView(instance.memory.buffer).setFloat64(at >>> 0, value, true);

  const imports = {
    attach(at, size, flags, store, length) {
      const name = instance.text(at >>> 0, size >>> 0);
      const storage = host.storages.get(name);
      if (storage === undefined) throw new HearthError("notfound", `${name}: no database was opened under this name`);
      setDouble(length, storage.attach(flags, (ticket, status, reason) => {
        host.reason = reason;
        instance.exports.idb_settled(store, ticket, status);
      }));
      return host.attached.push(storage) - 1;
    },
    read(handle, offset, at, size) {
      const storage = of(handle);
      let done = 0;
      for (let part; (part = storage.read(offset + done, (size >>> 0) - done)).length > 0; done += part.length)
        bytes(at + done, part.length).set(part);
      return done;
    },
    opened: (handle, end) => of(handle).opened(end),
    reload(handle, length) {
      const size = of(handle).reload();
      if (size === undefined) return 0;
      setDouble(length, size);
      return 1;
    },
    moved: (handle) => (of(handle).moved ? 1 : 0),
    append: (handle, at, size, last, level) => of(handle).append(bytes(at, size), last, level),
    forget: (handle) => of(handle).forget(),
    flush: (handle, level) => of(handle).flush(level),
    compact: (handle) => of(handle).compact(),
    piece: (handle, at, size) => of(handle).piece(bytes(at, size)),
    replace: (handle, at, size) => of(handle).replace(bytes(at, size)),
    stay: (handle) => of(handle).stay(),
    occupied: (handle) => of(handle).occupied,
    reason(at, size) {
      const text = encodeWithin(host.reason, size >>> 0);
      bytes(at, text.length).set(text);
      return text.length;
    },
    clock: () => Date.now(),
    random: (at, size) => void crypto.getRandomValues(bytes(at, size)),
    detach(handle) {
      const storage = host.attached[handle];
      host.attached[handle] = undefined;
      storage?.detach();
    },
  };
  return Object.fromEntries(Object.entries(imports).map(([name, f]) => [name, guardedBy(host)(f)]));
}
