/**
 * Files in memory, in the place of the package's files.js (a page has none): so that the suites that keep their
 * stores in files run in a page, too.
 */
import { errno, reasonImport } from "/src/errno.js";

const WRITE = 1, EXCLUSIVE = 2; // hearth_environment.h
const folders = ["/"];

/** @type {Map<string, {number: number, bytes: Uint8Array, size: number}>} */
const files = new Map();
/** @type {Map<number, {file: object, writable: boolean}>} */
const opened = new Map();
let numbers = 10;

class Refused extends Error {
  constructor(number) {
    super(`errno ${number}`);
    this.number = number;
  }
}

const folderOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";

function make(path) {
  if (!folders.includes(folderOf(path))) throw new Refused(errno.ENOENT);
  const file = { number: numbers++, bytes: new Uint8Array(1024), size: 0 };
  files.set(path, file);
  return file;
}

function find(path) {
  const file = files.get(path);
  if (file !== undefined) return file;
  throw new Refused(folders.includes(path) ? errno.EISDIR : errno.ENOENT);
}

function of(handle, writes = false) {
  const found = opened.get(handle);
  if (found === undefined || (writes && !found.writable)) throw new Refused(errno.EBADF);
  return found.file;
}

function resize(file, size) {
  if (size > file.bytes.length) {
    const bytes = new Uint8Array(Math.max(size, file.bytes.length * 2));
    bytes.set(file.bytes.subarray(0, file.size));
    file.bytes = bytes;
  }
  if (size < file.size) file.bytes.fill(0, size, file.size);
  file.size = size;
}

/** What a suite's host offers: a new folder. */
export function memoryHost() {
  const folder = `/${folders.length}`;
  folders.push(folder);
  return {
    path: (name) => `${folder}/${name}`,
    read(path) {
      const { bytes, size } = find(path);
      return bytes.slice(0, size);
    },
    write(path, content) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      const file = files.get(path) ?? make(path);
      resize(file, bytes.length);
      file.bytes.set(bytes);
    },
  };
}

function guarded(f) {
  return (...args) => {
    try {
      return f(...args) ?? 0;
    } catch (exception) {
      if (exception instanceof Refused) return exception.number;
      return exception instanceof RangeError ? errno.ENOMEM : errno.EIO;
    }
  };
}

export const fillRandom = (bytes) => crypto.getRandomValues(bytes);

/** The import object of module "hearth_files", as bindings/js/src/node/files.js makes it. */
export function filesImports(instance) {
  const { bytes, text } = instance;
  const view = (at, size) => new DataView(instance.memory.buffer, at, size);
  const put = (out, room, name) => {
    const written = new TextEncoder().encode(`${name}\0`);
    if (written.length > room) throw new Refused(errno.ENAMETOOLONG);
    bytes(out, written.length).set(written);
  };
  const imports = {
    open(path, size, flags, out) {
      const name = text(path, size);
      if (flags & EXCLUSIVE && files.has(name)) return errno.EEXIST;
      const file = flags & EXCLUSIVE ? make(name) : find(name);
      const handle = numbers++;
      opened.set(handle, { file, writable: (flags & WRITE) !== 0 });
      view(out, 4).setInt32(0, handle, true);
    },
    close: (handle) => (opened.delete(handle) ? 0 : errno.EBADF),
    read(handle, offset, to, size, got) {
      const file = of(handle);
      const part = file.bytes.subarray(Math.min(offset, file.size), Math.min(offset + size, file.size));
      bytes(to, part.length).set(part);
      view(got, 4).setUint32(0, part.length, true);
    },
    write(handle, offset, from, size) {
      const file = of(handle, true);
      if (offset + size > file.size) resize(file, offset + size);
      file.bytes.set(bytes(from, size), offset);
    },
    sync: (handle) => void of(handle),
    sync_folder: (path, size) => (folders.includes(text(path, size)) ? 0 : errno.ENOENT),
    truncate: (handle, length) => resize(of(handle, true), length),
    stat(path, size, handle, out) {
      const name = path !== 0 ? text(path, size) : undefined;
      const isFolder = folders.includes(name);
      const found = () => (name !== undefined ? find(name) : of(handle));
      const file = isFolder ? { number: 1 + folders.indexOf(name), size: 0 } : found();
      const fields = [1, file.number, file.size, isFolder ? 0 : 1, isFolder ? 1 : 0];
      fields.forEach((field, i) => view(out, 40).setBigUint64(i * 8, BigInt(field), true));
    },
    like: (handle, model) => void [of(handle), of(model)], // no permissions here
    rename(from, fromSize, to, toSize) {
      const [old, name] = [text(from, fromSize), text(to, toSize)];
      files.set(name, find(old));
      files.delete(old);
    },
    unlink(path, size) {
      find(text(path, size));
      files.delete(text(path, size));
    },
    realpath(path, size, out, room) {
      const name = new URL(text(path, size), "file:///").pathname.replace(/(?<=.)\/+$/, ""); // without . and ..
      if (!folders.includes(name)) find(name);
      put(out, room, name);
    },
    random(to, size) {
      for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes(to + at, Math.min(65536, size - at)));
    },
    boot: (out, room) => put(out, room, "page"),
  };
  const wrapped = Object.fromEntries(Object.entries(imports).map(([name, f]) => [name, guarded(f)]));
  const environment = { clock: () => Date.now(), process: () => 1, alive: (number) => (number === 1 ? 1 : 0) };
  return { ...wrapped, reason: reasonImport(instance), ...environment };
}
