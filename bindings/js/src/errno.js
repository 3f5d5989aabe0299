/** The numbers of WASI's errno, which are Emscripten's C library's too (wasi_snapshot_preview1). */
export const errno = Object.freeze({
  EACCES: 2, EAGAIN: 6, EBADF: 8, EBUSY: 10, EDQUOT: 19, EEXIST: 20, EFBIG: 22, EINTR: 27, EINVAL: 28, EIO: 29,
  EISDIR: 31, ELOOP: 32, EMFILE: 33, EMLINK: 34, ENAMETOOLONG: 37, ENFILE: 41, ENODEV: 43, ENOENT: 44, ENOMEM: 48,
  ENOSPC: 51, ENOSYS: 52, ENOTDIR: 54, ENOTEMPTY: 55, ENOTSUP: 58, ENXIO: 60, EPERM: 63, EROFS: 69, ETXTBSY: 74,
  EXDEV: 75, ESPIPE: 70,
});

const REASONS = {
  EACCES: "Permission denied", EAGAIN: "Resource temporarily unavailable", EBADF: "Bad file descriptor",
  EBUSY: "Resource busy", EDQUOT: "Quota exceeded", EEXIST: "File exists", EFBIG: "File too large",
  EINTR: "Interrupted system call", EINVAL: "Invalid argument", EIO: "I/O error", EISDIR: "Is a directory",
  ELOOP: "Symbolic link loop", EMFILE: "No file descriptors available", EMLINK: "Too many links",
  ENAMETOOLONG: "Filename too long", ENFILE: "Too many open files in system", ENODEV: "No such device",
  ENOENT: "No such file or directory", ENOMEM: "Out of memory", ENOSPC: "No space left on device",
  ENOSYS: "Function not implemented", ENOTDIR: "Not a directory", ENOTEMPTY: "Directory not empty",
  ENOTSUP: "Not supported", ENXIO: "No such device or address", EPERM: "Operation not permitted",
  EROFS: "Read-only file system", ETXTBSY: "Text file busy", EXDEV: "Cross-device link", ESPIPE: "Invalid seek",
};

/** What a number means, for C's strerror. */
export function reasonOf(number) {
  const name = Object.keys(errno).find((key) => errno[key] === number);
  return REASONS[name] ?? `error ${number}`;
}

const encoder = new TextEncoder();

/** The import "reason" of module "hearth_files": writes the text, as much as there is room for; how many bytes. */
export const reasonImport = (instance) => (number, out, room) =>
  encoder.encodeInto(reasonOf(number), instance.bytes(out, room)).written;

/** The number of an exception of Node's file system. */
export function errnoOf(exception) {
  return errno[exception?.code] ?? errno.EIO;
}
