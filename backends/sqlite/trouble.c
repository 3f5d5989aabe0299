#include "trouble.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "failure.h"

/* A file that cannot be opened, as the system says why. */
static hearth_status status_of_open(int failure) {
  switch (failure) {
    case ENOENT:
    case ENOTDIR: return HEARTH_NOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS: return HEARTH_READONLY;
    case ENOSPC: return HEARTH_FULL;
    case ENOMEM: return HEARTH_NOMEM;
    case EISDIR: return HEARTH_NOTSTORE;
    default: return HEARTH_IO;
  }
}

static hearth_status status_of(int code, int failure) {
  if (code == SQLITE_IOERR_NOMEM) return HEARTH_NOMEM;
  if (code == SQLITE_READONLY_DBMOVED) return HEARTH_IO; /* the file was moved or removed under us */
  switch (code & 0xff) {
    case SQLITE_NOMEM: return HEARTH_NOMEM;
    case SQLITE_FULL: return HEARTH_FULL;
    case SQLITE_IOERR: return code == SQLITE_IOERR_WRITE && failure_is_full(failure) ? HEARTH_FULL : HEARTH_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return HEARTH_BUSY; /* the last: others kept coming between us and the log */
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return HEARTH_READONLY;
    case SQLITE_CANTOPEN: return status_of_open(failure);
    case SQLITE_TOOBIG: return HEARTH_TOOBIG;
    case SQLITE_NOTADB: return HEARTH_NOTSTORE;
    case SQLITE_CORRUPT:
    case SQLITE_ERROR: /* of statements that are right: a table is missing, or another one than ours */
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT: return HEARTH_DAMAGED;
    default: return HEARTH_IO;
  }
}

/* SQLite forgets the system's errno when a commit fails; the log's file, or the database's, has it. */
static int errno_of(sqlite3 *db, int code) {
  static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
  int failure = sqlite3_system_errno(db);
  for (size_t i = 0; failure == 0 && code == SQLITE_IOERR_WRITE && i < 2; i++) {
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", pointers[i], &file) == SQLITE_OK && file != NULL && file->pMethods != NULL &&
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &failure) != SQLITE_OK)
      failure = 0;
  }
  return failure;
}

hearth_status sqlite_failure(sqlite3 *db, const char *path, const char *doing, hearth_error *err) {
  if (db == NULL) return failure_nomem(err, path);
  const int code = sqlite3_extended_errcode(db);
  const bool of_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
  const int failure = of_system ? errno_of(db, code) : 0;
  const hearth_status status = status_of(code, failure);
  if (status == HEARTH_NOMEM) return failure_nomem(err, path);
  return hearth_fail(err, status, "%s: cannot %s: %s%s%s", path, doing, sqlite3_errmsg(db), failure != 0 ? ": " : "",
                     failure != 0 ? strerror(failure) : "");
}
