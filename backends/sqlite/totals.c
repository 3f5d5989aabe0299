/* The totals of the tables: how they are read, and how a batch keeps them right. */
#include "error.h"
#include "store.h"

hearth_status sqlite_damaged(hearth_backend_store *store, uint64_t table, const char *what, hearth_error *err) {
  return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: table %llu %s", store->names.path, (unsigned long long)table,
                     what);
}

static uint64_t take_total(sqlite3_stmt *statement, Total *total) {
  total->entries = (uint64_t)sqlite3_column_int64(statement, 1);
  total->bytes = (uint64_t)sqlite3_column_int64(statement, 2);
  total->digest = (uint64_t)sqlite3_column_int64(statement, 3);
  return (uint64_t)sqlite3_column_int64(statement, 0);
}

hearth_status sqlite_total_get(hearth_backend_store *store, Connection *c, uint64_t table, Total *total,
                               hearth_error *err) {
  *total = (Total){0};
  sqlite3_stmt *statement = sqlite_statement_take(c, GET_TOTAL);
  int result = statement != NULL ? sqlite3_bind_int64(statement, 1, (sqlite3_int64)table) : SQLITE_ERROR;
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  if (result == SQLITE_ROW) (void)take_total(statement, total);
  hearth_status status =
      result == SQLITE_ROW || result == SQLITE_DONE ? HEARTH_OK : sqlite_trouble(store, c, "read", err);
  if (statement != NULL) sqlite_statement_give_back(c, GET_TOTAL, statement);
  return status;
}

/* The number of a table that has entries, which a column holds; there may be none: after all others, then. */
static uint64_t table_at(sqlite3_stmt *statement, int column) {
  const bool none = sqlite3_column_type(statement, column) == SQLITE_NULL;
  return none ? UINT64_MAX : (uint64_t)sqlite3_column_int64(statement, column);
}

hearth_status sqlite_totals(hearth_backend_store *store, int (*found)(void *ud, uint64_t table, const Total *total),
                            void *ud, int *answer, hearth_error *err) {
  Connection *c = &store->read;
  uint64_t digest = 0;
  uint64_t next = UINT64_MAX; /* of the tables with entries, the one behind the last total */
  bool first = true, strays = false;
  Total total;
  *answer = 0;
  hearth_status status = sqlite_snapshot_begin(store, err);
  if (status != HEARTH_OK) return status;
  const uint64_t shown = store->shown;
  sqlite3_stmt *statement = sqlite_statement_take(c, SCAN_TOTALS);
  int result = statement != NULL ? SQLITE_ROW : SQLITE_ERROR;
  while (*answer == 0 && result == SQLITE_ROW && (result = sqlite3_step(statement)) == SQLITE_ROW) {
    uint64_t table = take_total(statement, &total);
    digest += check_total(table, &total);
    if (first) next = table_at(statement, 4);
    if (next < table) strays = true;
    next = table_at(statement, 5);
    first = false;
    *answer = found(ud, table, &total);
  }
  if (result != SQLITE_ROW && result != SQLITE_DONE) status = sqlite_trouble(store, c, "read", err);
  if (statement != NULL) sqlite_statement_give_back(c, SCAN_TOTALS, statement);
  if (status == HEARTH_OK && result == SQLITE_DONE && digest != shown)
    return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: the totals of its tables are not what its last batch left",
                       store->names.path);
  if (status == HEARTH_OK && result == SQLITE_DONE && (strays || next != UINT64_MAX))
    return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: a table has entries and no total", store->names.path);
  return status;
}

/* -------------------------------------------------------------- a batch */

void sqlite_batch_begin(hearth_backend_store *store) {
  store->batch = (BatchTotals){.digest = store->digest};
}

static int set_total(Connection *c, uint64_t table, const Total *total) {
  const StatementKind kind = total->entries > 0 ? SET_TOTAL : DEL_TOTAL;
  sqlite3_stmt *statement = sqlite_statement_take(c, kind);
  if (statement == NULL) return SQLITE_ERROR;
  int result = sqlite3_bind_int64(statement, 1, (sqlite3_int64)table);
  if (kind == SET_TOTAL) {
    if (result == SQLITE_OK) result = sqlite3_bind_int64(statement, 2, (sqlite3_int64)total->entries);
    if (result == SQLITE_OK) result = sqlite3_bind_int64(statement, 3, (sqlite3_int64)total->bytes);
    if (result == SQLITE_OK) result = sqlite3_bind_int64(statement, 4, (sqlite3_int64)total->digest);
  }
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  sqlite_statement_give_back(c, kind, statement);
  return result;
}

hearth_status sqlite_batch_end(hearth_backend_store *store, hearth_error *err) {
  BatchTotals *b = &store->batch;
  if (!b->open || check_same_total(&b->was, &b->now)) return HEARTH_OK;
  if (set_total(&store->write, b->table, &b->now) != SQLITE_DONE)
    return sqlite_trouble(store, &store->write, "write", err);
  b->digest += check_total(b->table, &b->now) - check_total(b->table, &b->was);
  b->was = b->now;
  return HEARTH_OK;
}

/* The batch goes on with this table. */
static hearth_status turn_to(hearth_backend_store *store, uint64_t table, hearth_error *err) {
  BatchTotals *b = &store->batch;
  if (b->open && b->table == table) return HEARTH_OK;
  hearth_status status = sqlite_batch_end(store, err);
  b->open = false;
  if (status == HEARTH_OK) status = sqlite_total_get(store, &store->write, table, &b->was, err);
  if (status != HEARTH_OK) return status;
  b->now = b->was;
  b->table = table;
  b->open = true;
  return HEARTH_OK;
}

hearth_status sqlite_batch_add(hearth_backend_store *store, uint64_t table, uint64_t check, uint64_t bytes,
                               hearth_error *err) {
  hearth_status status = turn_to(store, table, err);
  if (status != HEARTH_OK) return status;
  Total *now = &store->batch.now;
  *now = (Total){now->entries + 1, now->bytes + bytes, now->digest + check};
  return HEARTH_OK;
}

hearth_status sqlite_batch_remove(hearth_backend_store *store, uint64_t table, uint64_t check, uint64_t bytes,
                                  hearth_error *err) {
  hearth_status status = turn_to(store, table, err);
  if (status != HEARTH_OK) return status;
  Total *now = &store->batch.now;
  if (now->entries == 0 || now->bytes < bytes) return sqlite_damaged(store, table, "has more than its total says", err);
  *now = (Total){now->entries - 1, now->bytes - bytes, now->digest - check};
  return HEARTH_OK;
}

hearth_status sqlite_batch_drop(hearth_backend_store *store, uint64_t table, hearth_error *err) {
  hearth_status status = turn_to(store, table, err);
  if (status == HEARTH_OK) store->batch.now = (Total){0};
  return status;
}
