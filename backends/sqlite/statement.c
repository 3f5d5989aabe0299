/* Prepared statements, kept from use to use. One that is in use while it is needed again is prepared once more. */
#include "connection.h"

#define OF_TABLE " FROM entry WHERE table_number = ?1"

static const char *const texts[STATEMENTS] = {
    [BEGIN_READING] = "BEGIN",
    [BEGIN_WRITING] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [GET_NUMBERS] = "SELECT sequence, durable, digest, checksum FROM hearth",
    [SET_NUMBERS] = "UPDATE hearth SET sequence = ?1, durable = ?2, digest = ?3, checksum = ?4 WHERE sequence = ?5",
    [GET] = "SELECT value, checksum" OF_TABLE " AND key = ?2",
    [HAS] = "SELECT 1" OF_TABLE " AND key = ?2",
    [ADD] = "INSERT INTO entry (table_number, key, checksum, value) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (table_number, key) DO NOTHING",
    [OLD] = "SELECT checksum, length(key) + length(value)" OF_TABLE " AND key = ?2",
    [REPLACE] = "UPDATE entry SET checksum = ?3, value = ?4 WHERE table_number = ?1 AND key = ?2",
    [DEL] = "DELETE" OF_TABLE " AND key = ?2",
    [DROP] = "DELETE" OF_TABLE,
    [SCAN] = "SELECT key, value, checksum, table_number" OF_TABLE " AND key >= ?2 ORDER BY key",
    [SCAN_TO] = "SELECT key, value, checksum, table_number" OF_TABLE " AND key >= ?2 AND key < ?3 ORDER BY key",
    [SCAN_REVERSE] = "SELECT key, value, checksum, table_number" OF_TABLE " AND key >= ?2 ORDER BY key DESC",
    [SCAN_REVERSE_TO] =
        "SELECT key, value, checksum, table_number" OF_TABLE " AND key >= ?2 AND key < ?3 ORDER BY key DESC",
    [GET_TOTAL] = "SELECT table_number, entries, bytes, digest FROM total WHERE table_number = ?1",
    [SET_TOTAL] = "INSERT OR REPLACE INTO total (table_number, entries, bytes, digest) VALUES (?1, ?2, ?3, ?4)",
    [DEL_TOTAL] = "DELETE FROM total WHERE table_number = ?1",
    [SCAN_TOTALS] = "SELECT table_number, entries, bytes, digest,"
                    " (SELECT min(table_number) FROM entry),"
                    " (SELECT min(table_number) FROM entry WHERE table_number > total.table_number)"
                    " FROM total ORDER BY table_number",
};

sqlite3_stmt *sqlite_statement_take(Connection *c, StatementKind kind) {
  sqlite3_stmt *statement = c->kept[kind];
  c->kept[kind] = NULL;
  if (statement == NULL) /* it stays NULL where this fails */
    (void)sqlite3_prepare_v3(c->db, texts[kind], -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  return statement;
}

void sqlite_statement_give_back(Connection *c, StatementKind kind, sqlite3_stmt *statement) {
  (void)sqlite3_reset(statement); /* a failure of the last step was told by it */
  (void)sqlite3_clear_bindings(statement);
  if (c->kept[kind] == NULL) c->kept[kind] = statement;
  else (void)sqlite3_finalize(statement);
}

int sqlite_statement_bind(sqlite3_stmt *statement, int index, const void *bytes, size_t size) {
  if (size == 0) return sqlite3_bind_zeroblob(statement, index, 0);
  return sqlite3_bind_blob64(statement, index, bytes, size, SQLITE_STATIC);
}

int sqlite_statement_run(Connection *c, StatementKind kind) {
  sqlite3_stmt *statement = sqlite_statement_take(c, kind);
  if (statement == NULL) return sqlite3_extended_errcode(c->db);
  int result = sqlite3_step(statement);
  sqlite_statement_give_back(c, kind, statement);
  return result == SQLITE_DONE || result == SQLITE_ROW ? SQLITE_OK : result;
}
