/** The numbers of WASI's errno, which are Emscripten's C library's too (wasi_snapshot_preview1). */
export const errno = Object.freeze({
  EACCES: 2, EAGAIN: 6, EBADF: 8, EBUSY: 10, EDQUOT: 19, EEXIST: 20, EFBIG: 22, EINTR: 27, EINVAL: 28, EIO: 29,
  EISDIR: 31, ELOOP: 32, EMFILE: 33, EMLINK: 34, ENAMETOOLONG: 37, ENFILE: 41, ENODEV: 43, ENOENT: 44, ENOMEM: 48,
  ENOSPC: 51, ENOSYS: 52, ENOTDIR: 54, ENOTEMPTY: 55, ENOTSUP: 58, ENXIO: 60, EPERM: 63, EROFS: 69, ETXTBSY: 74,
  EXDEV: 75, ESPIPE: 70,
});

/** The number of an exception of Node's file system. */
export function errnoOf(exception) {
  return errno[exception?.code] ?? errno.EIO;
}
