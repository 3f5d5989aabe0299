#include "failure.h"

#include <errno.h>
#include <string.h>

#include "error.h"

bool failure_is_full(int failure) {
#ifdef EDQUOT
  if (failure == EDQUOT) return true;
#endif
  return failure == ENOSPC || failure == EFBIG;
}

static hearth_status status_of(int failure) {
  if (failure_is_full(failure)) return HEARTH_FULL;
  switch (failure) {
    case ENOENT:
    case ENOTDIR: return HEARTH_NOTFOUND;
    case EEXIST: return HEARTH_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return HEARTH_READONLY;
    case EISDIR: return HEARTH_NOTSTORE;
    case ENAMETOOLONG: return HEARTH_INVALID;
    case ENOMEM: return HEARTH_NOMEM;
    default: return HEARTH_IO;
  }
}

hearth_status failure_status(hearth_error *err, const char *path, const char *doing, int failure) {
  return hearth_fail(err, status_of(failure), "%s: cannot %s: %s", path, doing, strerror(failure));
}

hearth_status failure_io(hearth_error *err, const char *path, const char *doing, int failure) {
  return hearth_fail(err, HEARTH_IO, "%s: cannot %s: %s", path, doing, strerror(failure));
}

hearth_status failure_nomem(hearth_error *err, const char *path) {
  return hearth_fail(err, HEARTH_NOMEM, "%s: out of memory", path);
}
