/* Reading: what is found is passed on as SQLite holds it. */
#include <string.h>

#include "error.h"
#include "store.h"

/* The bytes of a column; false: there was no memory for them. */
static bool column(Connection *c, sqlite3_stmt *statement, int index, const void **bytes, size_t *size) {
  *bytes = sqlite3_column_blob(statement, index);
  *size = (size_t)sqlite3_column_bytes(statement, index);
  if (*bytes == NULL && sqlite3_errcode(c->db) == SQLITE_NOMEM) return false;
  if (*bytes == NULL) *bytes = "";
  return true;
}

static int bind_key(sqlite3_stmt *statement, uint64_t table, const void *key, size_t key_size) {
  int result = sqlite3_bind_int64(statement, 1, (sqlite3_int64)table);
  return result == SQLITE_OK ? sqlite_statement_bind(statement, 2, key, key_size) : result;
}

/* Steps to the entry of a key: SQLITE_ROW, SQLITE_DONE, or a failure. Give *statement back when it is not NULL. */
static int look_up(Connection *c, StatementKind kind, uint64_t table, const void *key, size_t key_size,
                   sqlite3_stmt **statement) {
  *statement = sqlite_statement_take(c, kind);
  int result = *statement != NULL ? bind_key(*statement, table, key, key_size) : SQLITE_ERROR;
  return result == SQLITE_OK ? sqlite3_step(*statement) : result;
}

static hearth_status missing(hearth_backend_store *store, uint64_t table, hearth_error *err) {
  return hearth_fail(err, HEARTH_NOTFOUND, "%s: no such key in table %llu", store->names.path,
                     (unsigned long long)table);
}

hearth_status sqlite_read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                       hearth_found found, void *ud, hearth_error *err) {
  Connection *c = &store->read;
  sqlite3_stmt *statement;
  const void *value;
  size_t size;
  hearth_status status = sqlite_snapshot_begin(store, err);
  if (status != HEARTH_OK) return status;
  if (table > HEARTH_MAX_TABLE) return missing(store, table, err);
  int result = look_up(c, GET, table, key, key_size, &statement);
  if (result == SQLITE_ROW && column(c, statement, 0, &value, &size))
    (void)found(ud, table, key, key_size, value, size);
  else if (result == SQLITE_DONE)
    status = missing(store, table, err);
  else
    status = sqlite_trouble(store, c, "read", err);
  if (statement != NULL) sqlite_statement_give_back(c, GET, statement);
  return status;
}

static StatementKind scan_kind(bool reverse, bool has_to) {
  if (reverse) return has_to ? SCAN_REVERSE_TO : SCAN_REVERSE;
  return has_to ? SCAN_TO : SCAN;
}

static hearth_status scan_rows(hearth_backend_store *store, sqlite3_stmt *statement, uint64_t table, hearth_found found,
                               void *ud, int *answer, hearth_error *err) {
  const void *key, *value;
  size_t key_size, size;
  int result = SQLITE_ROW;
  while (*answer == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
    if (!column(&store->read, statement, 0, &key, &key_size) || !column(&store->read, statement, 1, &value, &size))
      return sqlite_trouble(store, &store->read, "read", err);
    if (key_size > HEARTH_MAX_KEY)
      return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: a key of table %llu has %zu bytes", store->names.path,
                         (unsigned long long)table, key_size);
    *answer = found(ud, table, key, key_size, value, size);
  }
  return result == SQLITE_ROW || result == SQLITE_DONE ? HEARTH_OK : sqlite_trouble(store, &store->read, "read", err);
}

hearth_status sqlite_read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                               const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                               hearth_error *err) {
  Connection *c = &store->read;
  const StatementKind kind = scan_kind(reverse, to != NULL);
  int answer = 0;
  hearth_status status = sqlite_snapshot_begin(store, err);
  if (status != HEARTH_OK) return status;
  sqlite3_stmt *statement = table <= HEARTH_MAX_TABLE ? sqlite_statement_take(c, kind) : NULL;
  int bound = statement != NULL ? bind_key(statement, table, from, from != NULL ? from_size : 0) : SQLITE_ERROR;
  if (bound == SQLITE_OK && to != NULL) bound = sqlite_statement_bind(statement, 3, to, to_size);
  if (bound == SQLITE_OK) status = scan_rows(store, statement, table, found, ud, &answer, err);
  else if (table <= HEARTH_MAX_TABLE) status = sqlite_trouble(store, c, "read", err);
  if (statement != NULL) sqlite_statement_give_back(c, kind, statement);
  if (result != NULL) *result = answer;
  return status;
}

/* The first table behind `table` that has entries, by the index: what is in between is not looked at. */
static int next_table(Connection *c, sqlite3_int64 *table) {
  sqlite3_stmt *statement = sqlite_statement_take(c, NEXT_TABLE);
  if (statement == NULL) return SQLITE_ERROR;
  int result = sqlite3_bind_int64(statement, 1, *table);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  if (result == SQLITE_ROW) *table = sqlite3_column_int64(statement, 0);
  sqlite_statement_give_back(c, NEXT_TABLE, statement);
  return result;
}

hearth_status sqlite_read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                 hearth_error *err) {
  sqlite3_int64 table = -1;
  int answer = 0, step = SQLITE_DONE;
  hearth_status status = sqlite_snapshot_begin(store, err);
  if (status != HEARTH_OK) return status;
  while (answer == 0 && (step = next_table(&store->read, &table)) == SQLITE_ROW)
    answer = found(ud, (uint64_t)table, NULL, 0, NULL, 0);
  if (step != SQLITE_ROW && step != SQLITE_DONE) status = sqlite_trouble(store, &store->read, "read", err);
  if (result != NULL) *result = answer;
  return status;
}

hearth_status sqlite_read_check(hearth_backend_store *store, const hearth_op *op, size_t number, hearth_error *err) {
  const bool equal = op->kind == HEARTH_CHECK_EQUAL;
  const StatementKind kind = equal ? GET : HAS;
  Connection *c = &store->read;
  sqlite3_stmt *statement;
  const void *value = NULL;
  size_t size = 0;
  bool holds = false;
  hearth_status status = sqlite_snapshot_begin(store, err);
  if (status != HEARTH_OK) return status;
  int result = look_up(c, kind, op->table, op->key, op->key_size, &statement);
  if (result != SQLITE_DONE && (result != SQLITE_ROW || (equal && !column(c, statement, 0, &value, &size))))
    status = sqlite_trouble(store, c, "read", err);
  else if (!equal)
    holds = result == SQLITE_DONE;
  else if (result == SQLITE_ROW)
    holds = size == op->value_size && (size == 0 || memcmp(value, op->value, size) == 0);
  if (statement != NULL) sqlite_statement_give_back(c, kind, statement);
  if (status != HEARTH_OK || holds) return status;
  return hearth_fail(err, HEARTH_CONFLICT, "%s: the check of operation %zu failed", store->names.path, number);
}
