#include "connection.h"

#include <string.h>

#include "error.h"
#include "failure.h"
#include "trouble.h"

/* Milliseconds to wait for locks that are held for moments: of a shell, of a closing connection. */
#define PATIENCE 5000

/*
** fullfsync: on macOS fsync leaves the bytes in the device's cache. mmap_size: an I/O error in a mapping is a signal.
** journal_size_limit: bytes that the log may keep once it is in the database.
*/
static const char settings[] =
    "PRAGMA cache_size = -16384; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;"
    "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA synchronous = NORMAL;"
    "PRAGMA journal_size_limit = 16777216";

/* The path as a URI, which can say more than flags can. NULL: memory exhausted. */
static char *unchanging_uri(const char *path) {
  sqlite3_str *uri = sqlite3_str_new(NULL);
  sqlite3_str_appendall(uri, "file:");
  for (const char *p = path; *p != '\0'; p++) {
    if (strchr("%?#", *p) != NULL) sqlite3_str_appendf(uri, "%%%02X", (unsigned)(unsigned char)*p);
    else sqlite3_str_appendchar(uri, 1, *p);
  }
  sqlite3_str_appendall(uri, "?immutable=1");
  return sqlite3_str_finish(uri);
}

/* What is in the file decides nothing but data: it brings no code of its own. */
static void trust_nothing(sqlite3 *db) {
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
  (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
}

hearth_status sqlite_connection_open(Connection *c, const char *path, ConnectionKind kind, hearth_error *err) {
  const bool unchanging = kind == TO_READ_UNCHANGING;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | (unchanging ? SQLITE_OPEN_URI : 0) |
                    (kind == TO_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
  memset(c, 0, sizeof *c);
  char *uri = unchanging ? unchanging_uri(path) : NULL;
  if (unchanging && uri == NULL) return failure_nomem(err, path);
  int result = sqlite3_open_v2(unchanging ? uri : path, &c->db, flags, NULL);
  sqlite3_free(uri);
  if (result == SQLITE_OK) {
    (void)sqlite3_extended_result_codes(c->db, 1);
    (void)sqlite3_busy_timeout(c->db, PATIENCE);
    trust_nothing(c->db);
    return HEARTH_OK;
  }
  hearth_status status = sqlite_failure(c->db, path, "open it", err);
  sqlite_connection_close(c);
  return status;
}

hearth_status sqlite_connection_run(Connection *c, const char *path, const char *sql, const char *doing,
                                    hearth_error *err) {
  if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK) return HEARTH_OK;
  return sqlite_failure(c->db, path, doing, err);
}

hearth_status sqlite_connection_set_up(Connection *c, const char *path, hearth_error *err) {
  return sqlite_connection_run(c, path, settings, "open it", err);
}

hearth_status sqlite_connection_sync_fully(Connection *c, const char *path, bool fully, hearth_error *err) {
  if (c->full_sync == fully) return HEARTH_OK;
  const char *sql = fully ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
  hearth_status status = sqlite_connection_run(c, path, sql, "choose how it syncs", err);
  if (status == HEARTH_OK) c->full_sync = fully;
  return status;
}

void sqlite_connection_close(Connection *c) {
  for (int i = 0; i < STATEMENTS; i++) (void)sqlite3_finalize(c->kept[i]);
  (void)sqlite3_close(c->db);
  memset(c, 0, sizeof *c);
}
