/* Writing: a batch is a transaction, which parts keep open. */
#include "entry_check.h"
#include "error.h"
#include "store.h"

/* Where there is no memory for it, whatever needs another transaction tries again. */
hearth_status sqlite_abandon(hearth_backend_store *store, hearth_error *err) {
  store->in_batch = store->changed = false;
  /* SQLite may have rolled back by itself */
  if (sqlite3_get_autocommit(store->write.db) != 0) return HEARTH_OK;
  if (sqlite_statement_run(&store->write, ROLLBACK) == SQLITE_OK) return HEARTH_OK;
  hearth_status status = sqlite_trouble(store, &store->write, "roll back", err);
  return status == HEARTH_NOMEM ? status : sqlite_lost(store, "an unfinished batch cannot be rolled back", err);
}

/* The batch failed with `status`, which `err` tells: leave the store as it was before. */
static hearth_status undo(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  hearth_error worse;
  hearth_status undone = sqlite_abandon(store, &worse);
  if (undone == HEARTH_OK || undone == HEARTH_NOMEM) return status;
  if (err != NULL) *err = worse;
  return undone;
}

/*
** The transaction begins with the first change. Of a batch in parts the level comes with its last: it is synced fully.
** Reads begin anew, so that checks see the state that the transaction begins with.
*/
static hearth_status begin(hearth_backend_store *store, bool fully, hearth_error *err) {
  if (store->changed) return HEARTH_OK;
  if (sqlite_moved(&store->write)) return sqlite_lost(store, "another program has moved or removed the file", err);
  if (sqlite_log_lost(store)) return sqlite_lost(store, "another program has removed its log", err);
  hearth_status status = sqlite_abandon(store, err);
  if (status == HEARTH_OK)
    status = sqlite_connection_sync_fully(&store->write, store->names.path, fully, err);
  if (status != HEARTH_OK) return status;
  if (sqlite_statement_run(&store->write, BEGIN_WRITING) != SQLITE_OK)
    return sqlite_trouble(store, &store->write, "write", err);
  store->changed = true;
  sqlite_batch_begin(store);
  sqlite_snapshot_end(store);
  return HEARTH_OK;
}

/* Runs a statement about the key of an operation; checksum and value are bound where it has them. */
static hearth_status run(hearth_backend_store *store, StatementKind kind, const hearth_op *op, uint64_t check,
                         hearth_error *err) {
  const bool has_value = kind == ADD || kind == REPLACE;
  sqlite3_stmt *statement = sqlite_statement_take(&store->write, kind);
  int result = statement != NULL ? sqlite3_bind_int64(statement, 1, (sqlite3_int64)op->table) : SQLITE_ERROR;
  if (result == SQLITE_OK && kind != DROP) result = sqlite_statement_bind(statement, 2, op->key, op->key_size);
  if (result == SQLITE_OK && has_value) result = sqlite3_bind_int64(statement, 3, (sqlite3_int64)check);
  if (result == SQLITE_OK && has_value) result = sqlite_statement_bind(statement, 4, op->value, op->value_size);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  hearth_status status = result == SQLITE_DONE ? HEARTH_OK : sqlite_trouble(store, &store->write, "write", err);
  if (statement != NULL) sqlite_statement_give_back(&store->write, kind, statement);
  return status;
}

/* The entry that has the key by now leaves its table's total. *there: is there one? */
static hearth_status remove_old(hearth_backend_store *store, const hearth_op *op, bool *there, hearth_error *err) {
  uint64_t check = 0, bytes = 0;
  sqlite3_stmt *statement = sqlite_statement_take(&store->write, OLD);
  int result = statement != NULL ? sqlite3_bind_int64(statement, 1, (sqlite3_int64)op->table) : SQLITE_ERROR;
  if (result == SQLITE_OK) result = sqlite_statement_bind(statement, 2, op->key, op->key_size);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  *there = result == SQLITE_ROW;
  if (*there) {
    check = (uint64_t)sqlite3_column_int64(statement, 0);
    bytes = (uint64_t)sqlite3_column_int64(statement, 1);
  }
  hearth_status status =
      *there || result == SQLITE_DONE ? HEARTH_OK : sqlite_trouble(store, &store->write, "write", err);
  if (statement != NULL) sqlite_statement_give_back(&store->write, OLD, statement);
  return *there ? sqlite_batch_remove(store, op->table, check, bytes, err) : status;
}

static hearth_status put(hearth_backend_store *store, const hearth_op *op, hearth_error *err) {
  const uint64_t check = entry_check(op->table, op->key, op->key_size, op->value, op->value_size);
  bool there;
  hearth_status status = run(store, ADD, op, check, err);
  if (status == HEARTH_OK && sqlite3_changes(store->write.db) == 0) {
    status = remove_old(store, op, &there, err);
    if (status == HEARTH_OK) status = run(store, REPLACE, op, check, err);
  }
  return status == HEARTH_OK ? sqlite_batch_add(store, op->table, check, op->key_size + op->value_size, err) : status;
}

static hearth_status apply(hearth_backend_store *store, const hearth_op *op, hearth_error *err) {
  bool there;
  if (op->kind == HEARTH_PUT) return put(store, op, err);
  hearth_status status =
      op->kind == HEARTH_DROP ? sqlite_batch_drop(store, op->table, err) : remove_old(store, op, &there, err);
  return status == HEARTH_OK ? run(store, op->kind == HEARTH_DROP ? DROP : DEL, op, 0, err) : status;
}

static hearth_status add_ops(hearth_backend_store *store, const hearth_op *ops, size_t count, bool fully,
                             hearth_error *err) {
  for (size_t i = 0; i < count; i++) {
    const bool check = ops[i].kind == HEARTH_CHECK_EQUAL || ops[i].kind == HEARTH_CHECK_ABSENT;
    hearth_status status = check ? sqlite_read_check(store, &ops[i], i + 1, err) : begin(store, fully, err);
    if (status == HEARTH_OK && !check) status = apply(store, &ops[i], err);
    if (status != HEARTH_OK) return status;
  }
  return HEARTH_OK;
}

/* SQLite limits the bytes of a row. Known before anything happens. */
static hearth_status check_sizes(hearth_backend_store *store, const hearth_op *ops, size_t count, hearth_error *err) {
  const size_t most = (size_t)sqlite3_limit(store->write.db, SQLITE_LIMIT_LENGTH, -1) - 64;
  for (size_t i = 0; i < count; i++)
    if (ops[i].kind == HEARTH_PUT && ops[i].value_size > most - ops[i].key_size)
      return hearth_fail(err, HEARTH_TOOBIG,
                         "%s: operation %zu of the batch has a value of %zu bytes, SQLite's limit is %zu",
                         store->names.path, i + 1, ops[i].value_size, most - ops[i].key_size);
  return HEARTH_OK;
}

/* The batch gets its number, on condition that the last one was ours. */
static hearth_status number_batch(hearth_backend_store *store, hearth_error *err) {
  const Numbers numbers = {store->sequence + 1, store->durable, store->batch.digest};
  const uint64_t values[] = {numbers.sequence, numbers.durable, numbers.digest, check_numbers(&numbers),
                             store->sequence};
  sqlite3_stmt *statement = sqlite_statement_take(&store->write, SET_NUMBERS);
  int result = statement != NULL ? SQLITE_OK : SQLITE_ERROR;
  for (int i = 0; i < 5 && result == SQLITE_OK; i++)
    result = sqlite3_bind_int64(statement, i + 1, (sqlite3_int64)values[i]);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  hearth_status status = result == SQLITE_DONE ? HEARTH_OK : sqlite_trouble(store, &store->write, "write", err);
  if (statement != NULL) sqlite_statement_give_back(&store->write, SET_NUMBERS, statement);
  if (status != HEARTH_OK || sqlite3_changes(store->write.db) == 1) return status;
  store->dead = true; /* and ours is rolled back */
  return hearth_fail(err, HEARTH_DEAD, "%s: another program has written a batch", store->names.path);
}

static hearth_status commit(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = sqlite_batch_end(store, err);
  if (status == HEARTH_OK) status = number_batch(store, err);
  if (status != HEARTH_OK) return status;
  sqlite_snapshot_end(store);
  if (sqlite_statement_run(&store->write, COMMIT) != SQLITE_OK)
    return sqlite_trouble(store, &store->write, "commit", err);
  store->in_batch = store->changed = false;
  store->digest = store->batch.digest;
  store->sequence++;
  if (store->write.full_sync) {
    store->durable = store->sequence;
    store->synced++;
    store->last_sync = store->env->clock(store->env->ud);
  }
  return HEARTH_OK;
}

/* The last part is there. */
static hearth_status finish(hearth_backend_store *store, hearth_durability level, uint64_t *sequence,
                            hearth_error *err) {
  const bool changed = store->changed;
  store->in_batch = false;
  hearth_status status = changed ? commit(store, err) : HEARTH_OK;
  if (status != HEARTH_OK) return undo(store, status, err);
  if (sequence != NULL) *sequence = store->sequence;
  status = level == HEARTH_DURABLE ? sqlite_flush_log(store, err) : sqlite_flush_when_due(store, err);
  if (status == HEARTH_OK && changed) sqlite_flush_into_database(store);
  return status;
}

hearth_status sqlite_write(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                           hearth_durability level, uint64_t *sequence, hearth_error *err) {
  const bool more = (flags & HEARTH_BATCH_MORE) != 0;
  hearth_status status = contract_level(&hearth_sqlite_backend, &level, err);
  if (status == HEARTH_OK) status = contract_check(ops, count, flags, err);
  if (status == HEARTH_OK) status = check_sizes(store, ops, count, err);
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_ABANDON) != 0) return sqlite_abandon(store, err);
  if (status == HEARTH_OK) status = add_ops(store, ops, count, more || level == HEARTH_DURABLE, err);
  if (status != HEARTH_OK) return undo(store, status, err);
  store->in_batch = more;
  return more ? HEARTH_OK : finish(store, level, sequence, err);
}
