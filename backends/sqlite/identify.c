/* Telling a store from other files, before anything is done to it. */
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "failure.h"
#include "format.h"
#include "store.h"
#include "trouble.h"

static uint32_t read32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

hearth_status sqlite_header(Connection *c, const char *path, unsigned char header[SQLITE_HEADER], bool *whole,
                            hearth_error *err) {
  sqlite3_file *file = NULL;
  memset(header, 0, SQLITE_HEADER);
  *whole = false;
  if (sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file->pMethods == NULL)
    return hearth_fail(err, HEARTH_IO, "%s: cannot open it", path);
  int result = file->pMethods->xRead(file, header, SQLITE_HEADER, 0);
  if (result == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM) return failure_nomem(err, path);
  if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ)
    return hearth_fail(err, HEARTH_IO, "%s: cannot read its header", path);
  *whole = result == SQLITE_OK;
  return HEARTH_OK;
}

/*
** Through SQLite's own descriptor: closing another one of the file would drop the locks that this process has on it.
** The numbers are in the file itself before it gets its name, never in the log alone.
*/
hearth_status sqlite_identify(Connection *c, const char *path, hearth_error *err) {
  unsigned char header[SQLITE_HEADER];
  bool whole;
  hearth_status status = sqlite_header(c, path, header, &whole, err);
  if (status != HEARTH_OK) return status;
  if (memcmp(header, "SQLite format 3", 16) != 0)
    return hearth_fail(err, HEARTH_NOTSTORE, "%s: is not a Hearth store (no SQLite database)", path);
  if (!whole) return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: it ends in its header", path);
  if (read32(header + 68) != FORMAT_APPLICATION_ID)
    return hearth_fail(err, HEARTH_NOTSTORE, "%s: is another program's SQLite database, not a Hearth store", path);
  uint32_t version = read32(header + 60);
  if (version == FORMAT_VERSION) return HEARTH_OK;
  return hearth_fail(err, version > FORMAT_VERSION ? HEARTH_VERSION : HEARTH_DAMAGED,
                     "%s: is in format %" PRIu32 ", this library knows %d", path, version, FORMAT_VERSION);
}

static hearth_status check_table(Connection *c, const char *path, sqlite3_stmt *statement, const char *name,
                                 const char *sql, hearth_error *err) {
  int result = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  if (result != SQLITE_ROW && result != SQLITE_DONE) return sqlite_failure(c->db, path, "read", err);
  const char *text = result == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  if (text != NULL && strcmp(text, sql) == 0) return HEARTH_OK;
  return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: its table %s is missing or another one", path, name);
}

hearth_status sqlite_identify_tables(Connection *c, const char *path, hearth_error *err) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(c->db, "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1", -1, &statement,
                         NULL) != SQLITE_OK)
    return sqlite_failure(c->db, path, "read", err);
  hearth_status status = check_table(c, path, statement, "hearth", FORMAT_HEARTH, err);
  (void)sqlite3_reset(statement);
  if (status == HEARTH_OK) status = check_table(c, path, statement, "entry", FORMAT_ENTRY, err);
  (void)sqlite3_reset(statement);
  if (status == HEARTH_OK) status = check_table(c, path, statement, "total", FORMAT_TOTAL, err);
  (void)sqlite3_finalize(statement);
  return status;
}
