/**
 * Node's file system for the file backend: what bindings/js/native/environment.c imports. All of it is
 * synchronous: when a commit returns, its bytes are on the device.
 */
import * as fs from "node:fs";
import { randomFillSync } from "node:crypto";
import { errno, errnoOf, reasonImport } from "../errno.js";

const FILE_WRITE = 1, FILE_EXCLUSIVE = 2, FILE_PRIVATE = 4; // hearth_environment.h

/** What every function here is wrapped in: nothing throws into WebAssembly. */
function guarded(f) {
  return (...args) => {
    try {
      return f(...args) ?? 0;
    } catch (exception) {
      return errnoOf(exception);
    }
  };
}

function syncFolder(path) {
  let folder;
  try {
    folder = fs.openSync(path, "r");
  } catch (exception) {
    if (process.platform === "win32") return 0; // folders cannot be opened there
    throw exception;
  }
  try {
    fs.fsyncSync(folder);
  } catch (exception) {
    // it keeps its names without being asked
    if (exception.code !== "EINVAL" && exception.code !== "EPERM") throw exception;
  } finally {
    fs.closeSync(folder);
  }
  return 0;
}

/** Whether the system lets it. */
function owned(file, owner, group) {
  try {
    fs.fchownSync(file, owner, group);
    return true;
  } catch {
    return false;
  }
}

/** Gives a file the permissions of another, and its owner and group as far as the system lets this process. */
function makeLike(file, model) {
  const { mode, uid, gid } = fs.fstatSync(model);
  let permissions = mode & 0o777;
  if (!owned(file, uid, gid) && !owned(file, process.geteuid?.() ?? uid, gid)) {
    const both = (permissions >> 3) & permissions & 0o7; // who is in one group alone gets what all others had as well
    permissions = (permissions & 0o700) | (both << 3) | both;
  }
  try {
    fs.fchmodSync(file, permissions);
  } catch {
    // a file system without permissions: it keeps those that it has for all files
  }
}

/** Names the running system: another one after a restart. The same text that the native library reads. */
function bootName() {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").split(/\s/)[0];
  } catch {
    return "unknown"; // every boot has the same name then, so process numbers alone decide
  }
}

function isAlive(number) {
  if (number === 0 || number > 0x7fffffff) return false;
  try {
    process.kill(number, 0);
    return true;
  } catch (exception) {
    return exception.code !== "ESRCH";
  }
}

export const fillRandom = randomFillSync; // Node 18 has no global crypto

/**
 * The import object of module "hearth_files".
 * @param {import("../instance.js").Instance} instance
 */
export function filesImports(instance) {
  const { bytes, text } = instance;
  const view = (at, size) => new DataView(instance.memory.buffer, at, size);
  return {
    open: guarded((path, size, flags, out) => {
      let mode = flags & FILE_WRITE ? fs.constants.O_RDWR : fs.constants.O_RDONLY;
      if (flags & FILE_EXCLUSIVE) mode |= fs.constants.O_CREAT | fs.constants.O_EXCL;
      const permissions = flags & FILE_PRIVATE ? 0o600 : 0o666;
      view(out, 4).setInt32(0, fs.openSync(text(path, size), mode, permissions), true);
    }),
    close: guarded((file) => fs.closeSync(file)),
    read: guarded((file, offset, to, size, got) => {
      let done = 0;
      for (let n = 1; done < size && n > 0; done += n)
        n = fs.readSync(file, bytes(to + done, size - done), 0, size - done, offset + done);
      view(got, 4).setUint32(0, done, true);
    }),
    write: guarded((file, offset, from, size) => {
      for (let done = 0; done < size;) {
        const n = fs.writeSync(file, bytes(from + done, size - done), 0, size - done, offset + done);
        if (n === 0) return errno.EIO;
        done += n;
      }
    }),
    sync: guarded((file) => fs.fsyncSync(file)),
    sync_folder: guarded((path, size) => syncFolder(text(path, size))),
    truncate: guarded((file, length) => fs.ftruncateSync(file, length)),
    stat: guarded((path, size, file, out) => {
      const info = path !== 0 ? fs.statSync(text(path, size), { bigint: true }) : fs.fstatSync(file, { bigint: true });
      const fields = [info.dev, info.ino, info.size, info.isFile() ? 1n : 0n, info.isDirectory() ? 1n : 0n];
      fields.forEach((field, i) => view(out, 40).setBigUint64(i * 8, BigInt.asUintN(64, field), true));
    }),
    like: guarded(makeLike),
    rename: guarded((from, fromSize, to, toSize) => fs.renameSync(text(from, fromSize), text(to, toSize))),
    unlink: guarded((path, size) => fs.unlinkSync(text(path, size))),
    realpath: guarded((path, size, out, room) => {
      const full = new TextEncoder().encode(fs.realpathSync.native(text(path, size)) + "\0");
      if (full.length > room) return errno.ENAMETOOLONG;
      bytes(out, full.length).set(full);
    }),
    reason: reasonImport(instance),
    clock: () => Date.now(),
    random: guarded((to, size) => {
      randomFillSync(bytes(to, size));
    }),
    process: () => process.pid,
    boot: guarded((out, room) => {
      const name = new TextEncoder().encode(bootName().slice(0, room - 1) + "\0");
      bytes(out, name.length).set(name);
    }),
    alive: (number) => (isAlive(number) ? 1 : 0),
  };
}
