/** Where there is no file system: every function of module "hearth_files" says so. */
import { errno, reasonImport } from "./errno.js";

const names = ["open", "close", "read", "write", "sync", "sync_folder", "truncate", "stat", "like", "rename",
  "unlink", "realpath", "random", "boot"];

/** @param {Uint8Array} bytes to be filled with what nobody can foresee, at most 65,536 */
export const fillRandom = (bytes) => crypto.getRandomValues(bytes);

/** @param {import("./instance.js").Instance} instance */
export function filesImports(instance) {
  const imports = Object.fromEntries(names.map((name) => [name, () => errno.ENOSYS]));
  return { ...imports, reason: reasonImport(instance), clock: () => Date.now(), process: () => 0, alive: () => 1 };
}
