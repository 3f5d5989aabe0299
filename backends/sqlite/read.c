/* Reading: what is found is passed on as SQLite holds it. */
#include <string.h>

#include "entry_check.h"
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

/*
** DAMAGED unless the checksum in a column is the entry's, and what is before it are blobs: text of the same bytes would
** be elsewhere in SQLite's order, and so would keys near it that somebody looks for.
*/
static hearth_status check(hearth_backend_store *store, sqlite3_stmt *statement, int index, uint64_t computed,
                           uint64_t table, hearth_error *err) {
  bool right = sqlite3_column_type(statement, index) == SQLITE_INTEGER &&
               (uint64_t)sqlite3_column_int64(statement, index) == computed;
  for (int i = 0; i < index; i++) right = right && sqlite3_column_type(statement, i) == SQLITE_BLOB;
  if (right) return HEARTH_OK;
  return sqlite_damaged(store, table, "has an entry whose checksum is wrong", err);
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
  if (table > HEARTH_MAX_TABLE || key_size > HEARTH_MAX_KEY) return missing(store, table, err);
  int result = look_up(c, GET, table, key, key_size, &statement);
  if (result == SQLITE_ROW && column(c, statement, 0, &value, &size)) {
    status = check(store, statement, 1, entry_check(table, key, key_size, value, size), table, err);
    if (status == HEARTH_OK) (void)found(ud, table, key, key_size, value, size);
  } else {
    status = result == SQLITE_DONE ? missing(store, table, err) : sqlite_trouble(store, c, "read", err);
  }
  if (statement != NULL) sqlite_statement_give_back(c, GET, statement);
  return status;
}

static StatementKind scan_kind(bool reverse, bool has_to) {
  if (reverse) return has_to ? SCAN_REVERSE_TO : SCAN_REVERSE;
  return has_to ? SCAN_TO : SCAN;
}

/* All of the table was passed on: was that all? */
static hearth_status check_whole(hearth_backend_store *store, const Walk *walk, hearth_error *err) {
  Total total;
  hearth_status status = sqlite_total_get(store, &store->read, walk->table, &total, err);
  if (status != HEARTH_OK || check_same_total(&total, &walk->to[walk->last].total)) return status;
  return sqlite_damaged(store, walk->table, "does not have the entries that its total says", err);
}

static hearth_status scan_rows(hearth_backend_store *store, sqlite3_stmt *statement, Walk *walk, hearth_found found,
                               void *ud, int *answer, hearth_error *err) {
  const uint64_t table = walk->table;
  const void *key, *value;
  size_t key_size, size;
  int result = SQLITE_ROW;
  while (*answer == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
    if (!column(&store->read, statement, 0, &key, &key_size) || !column(&store->read, statement, 1, &value, &size))
      return sqlite_trouble(store, &store->read, "read", err);
    if (key_size > HEARTH_MAX_KEY)
      return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: a key of table %llu has %zu bytes", store->names.path,
                         (unsigned long long)table, key_size);
    /* the number is the index's, whose order it decides */
    const uint64_t number = (uint64_t)sqlite3_column_int64(statement, 3);
    const uint64_t computed = entry_check(number, key, key_size, value, size);
    hearth_status status = check(store, statement, 2, computed, table, err);
    if (status != HEARTH_OK) return status;
    walk_add(walk, key, key_size, size, computed);
    *answer = found(ud, table, key, key_size, value, size);
  }
  if (result == SQLITE_DONE && walk->whole) return check_whole(store, walk, err);
  return result == SQLITE_ROW || result == SQLITE_DONE ? HEARTH_OK : sqlite_trouble(store, &store->read, "read", err);
}

hearth_status sqlite_read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                               const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                               hearth_error *err) {
  Connection *c = &store->read;
  const StatementKind kind = scan_kind(reverse, to != NULL);
  int answer = 0;
  Walk walk;
  hearth_status status = sqlite_snapshot_begin(store, err);
  if (status != HEARTH_OK) return status;
  if (from == NULL) from_size = 0;
  walk_begin(&walk, &store->walk, table, store->sequence, from, from_size);
  walk.whole = walk.whole && to == NULL && (!reverse || from_size == 0);
  sqlite3_stmt *statement = table <= HEARTH_MAX_TABLE ? sqlite_statement_take(c, kind) : NULL;
  int bound = statement != NULL ? bind_key(statement, table, from, from_size) : SQLITE_ERROR;
  if (bound == SQLITE_OK && to != NULL) bound = sqlite_statement_bind(statement, 3, to, to_size);
  if (bound == SQLITE_OK) status = scan_rows(store, statement, &walk, found, ud, &answer, err);
  else if (table <= HEARTH_MAX_TABLE) status = sqlite_trouble(store, c, "read", err);
  if (statement != NULL) sqlite_statement_give_back(c, kind, statement);
  if (!reverse) store->walk = walk;
  if (result != NULL) *result = answer;
  return status;
}

typedef struct Listing {
  hearth_found found;
  void *ud;
} Listing;

static int list(void *ud, uint64_t table, const Total *total) {
  const Listing *l = ud;
  (void)total;
  return l->found(l->ud, table, NULL, 0, NULL, 0);
}

hearth_status sqlite_read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                 hearth_error *err) {
  Listing l = {found, ud};
  int answer;
  hearth_status status = sqlite_totals(store, list, &l, &answer, err);
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
  if (result != SQLITE_DONE && (result != SQLITE_ROW || (equal && !column(c, statement, 0, &value, &size)))) {
    status = sqlite_trouble(store, c, "read", err);
  } else if (!equal) {
    holds = result == SQLITE_DONE;
  } else if (result == SQLITE_ROW) {
    const uint64_t computed = entry_check(op->table, op->key, op->key_size, value, size);
    status = check(store, statement, 1, computed, op->table, err);
    holds = size == op->value_size && (size == 0 || memcmp(value, op->value, size) == 0);
  }
  if (statement != NULL) sqlite_statement_give_back(c, kind, statement);
  if (status != HEARTH_OK || holds) return status;
  return hearth_fail(err, HEARTH_CONFLICT, "%s: the check of operation %zu failed", store->names.path, number);
}
