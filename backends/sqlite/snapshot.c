/* The committed state that reads show. */
#include "error.h"
#include "store.h"

hearth_status sqlite_snapshot_numbers(hearth_backend_store *store, Connection *c, Numbers *numbers, hearth_error *err) {
  sqlite3_stmt *statement = sqlite_statement_take(c, GET_NUMBERS);
  int result = statement != NULL ? sqlite3_step(statement) : SQLITE_ERROR;
  hearth_status status = HEARTH_OK;
  if (result == SQLITE_ROW) {
    numbers->sequence = (uint64_t)sqlite3_column_int64(statement, 0);
    numbers->durable = (uint64_t)sqlite3_column_int64(statement, 1);
    numbers->digest = (uint64_t)sqlite3_column_int64(statement, 2);
    if ((uint64_t)sqlite3_column_int64(statement, 3) != check_numbers(numbers))
      status = hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: the checksum of its numbers is wrong", store->names.path);
    else if (sqlite3_step(statement) == SQLITE_ROW)
      status = hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: the table hearth has two rows", store->names.path);
  } else if (result == SQLITE_DONE) {
    status = hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: the table hearth is empty", store->names.path);
  } else {
    status = sqlite_trouble(store, c, "read", err);
  }
  if (statement != NULL) sqlite_statement_give_back(c, GET_NUMBERS, statement);
  return status;
}

static bool size_of(Connection *c, int which, sqlite3_int64 *size) {
  sqlite3_file *file = NULL;
  if (sqlite3_file_control(c->db, "main", which, &file) != SQLITE_OK || file == NULL || file->pMethods == NULL)
    return false;
  return file->pMethods->xFileSize(file, size) == SQLITE_OK;
}

/* A log of no bytes: everything was taken into the database, and flushed, before it was cut. */
static bool log_is_empty(hearth_backend_store *store) {
  sqlite3_int64 size = 0;
  return store->unchanging || (size_of(&store->read, SQLITE_FCNTL_JOURNAL_POINTER, &size) && size == 0);
}

/* SQLite reads a page that the file has only a part of as if the rest were zeros. The log may have it whole. */
hearth_status sqlite_check_length(hearth_backend_store *store, hearth_error *err) {
  sqlite3_int64 size = 0;
  unsigned char header[SQLITE_HEADER];
  bool whole;
  if (!log_is_empty(store) || !size_of(&store->read, SQLITE_FCNTL_FILE_POINTER, &size)) return HEARTH_OK;
  hearth_status status = sqlite_header(&store->read, store->names.path, header, &whole, err);
  if (status != HEARTH_OK) return status;
  const int page_size = header[16] << 8 | header[17]; /* 1 means 65,536 */
  if (page_size == 0 || size % (page_size == 1 ? 65536 : page_size) == 0) return HEARTH_OK;
  return hearth_fail_at(err, HEARTH_DAMAGED, (uint64_t)size,
                        "%s: damaged at byte %lld: it ends in the middle of a page", store->names.path,
                        (long long)size);
}

hearth_status sqlite_snapshot_begin(hearth_backend_store *store, hearth_error *err) {
  Numbers numbers = {0};
  /* after an I/O error, or without memory, SQLite has ended the transaction by itself */
  if (store->read.in_snapshot && sqlite3_get_autocommit(store->read.db) == 0) return HEARTH_OK;
  store->read.in_snapshot = false;
  if (sqlite3_get_autocommit(store->read.db) == 0 && sqlite_statement_run(&store->read, COMMIT) != SQLITE_OK)
    return sqlite_trouble(store, &store->read, "read", err); /* there was no memory to end the last one */
  if (sqlite_statement_run(&store->read, BEGIN_READING) != SQLITE_OK)
    return sqlite_trouble(store, &store->read, "read", err);
  store->read.in_snapshot = true;
  /* the transaction begins with this */
  hearth_status status = sqlite_snapshot_numbers(store, &store->read, &numbers, err);
  if (status != HEARTH_OK) {
    sqlite_snapshot_end(store);
    return status;
  }
  if (store->readonly && store->read.began && numbers.sequence != store->sequence) {
    sqlite_snapshot_end(store);
    return hearth_fail(err, HEARTH_STALE, "%s: has moved on to batch %llu", store->names.path,
                       (unsigned long long)numbers.sequence);
  }
  store->read.began = true;
  store->shown = numbers.digest;
  if (store->readonly) {
    store->sequence = numbers.sequence;
    store->durable = log_is_empty(store) ? numbers.sequence : numbers.durable;
  }
  return HEARTH_OK;
}

void sqlite_snapshot_end(hearth_backend_store *store) {
  if (!store->read.in_snapshot) return;
  store->read.in_snapshot = false;
  if (sqlite3_get_autocommit(store->read.db) == 0) (void)sqlite_statement_run(&store->read, COMMIT);
}
