/* Prepared statements, kept from use to use. One that is in use while it is needed again is prepared once more. */
#include "connection.h"

#define OF_TABLE " FROM entry WHERE table_number = ?1"

static const char *const texts[STATEMENTS] = {
    [BEGIN_READING] = "BEGIN",
    [BEGIN_WRITING] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [GET_NUMBERS] = "SELECT sequence, durable FROM hearth",
    [SET_NUMBERS] = "UPDATE hearth SET sequence = ?1, durable = ?2 WHERE sequence = ?3",
    [GET] = "SELECT value" OF_TABLE " AND key = ?2",
    [HAS] = "SELECT 1" OF_TABLE " AND key = ?2",
    [PUT] = "INSERT INTO entry (table_number, key, value) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (table_number, key) DO UPDATE SET value = excluded.value",
    [DEL] = "DELETE" OF_TABLE " AND key = ?2",
    [DROP] = "DELETE" OF_TABLE,
    [SCAN] = "SELECT key, value" OF_TABLE " AND key >= ?2 ORDER BY key",
    [SCAN_TO] = "SELECT key, value" OF_TABLE " AND key >= ?2 AND key < ?3 ORDER BY key",
    [SCAN_REVERSE] = "SELECT key, value" OF_TABLE " AND key >= ?2 ORDER BY key DESC",
    [SCAN_REVERSE_TO] = "SELECT key, value" OF_TABLE " AND key >= ?2 AND key < ?3 ORDER BY key DESC",
    [NEXT_TABLE] = "SELECT table_number FROM entry WHERE table_number > ?1 ORDER BY table_number LIMIT 1",
    [COUNT] = "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM entry",
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
