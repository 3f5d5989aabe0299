/*
** What is committed is in SQLite's log, PATH-wal, and from time to time all of it is taken into the database. The log
** is flushed by a commit that is synced fully, or here; what is no longer in it was flushed into the database before
** (SQLite's documentation, wal.html: "the database file must be synced prior to resetting the WAL").
*/
#include "error.h"
#include "store.h"

#define FRAMES 4000            /* pages in the log before they are taken into the database: 16 MiB */
#define EVERY 5000             /* milliseconds between syncs at the level complete */
#define PATIENCE 5000

hearth_status sqlite_flush_log(hearth_backend_store *store, hearth_error *err) {
  sqlite3_file *log = NULL;
  if (store->durable == store->sequence) return HEARTH_OK;
  if (sqlite3_file_control(store->write.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || log == NULL ||
      log->pMethods == NULL || log->pMethods->xSync(log, SQLITE_SYNC_FULL) != SQLITE_OK)
    return sqlite_lost(store, "its log cannot be flushed to the device", err);
  store->synced++;
  store->durable = store->sequence;
  store->last_sync = store->env->clock(store->env->ud);
  return HEARTH_OK;
}

hearth_status sqlite_flush_when_due(hearth_backend_store *store, hearth_error *err) {
  uint64_t now = store->env->clock(store->env->ud);
  bool due = now < store->last_sync || now - store->last_sync >= EVERY; /* the clock may have been set back */
  return due ? sqlite_flush_log(store, err) : HEARTH_OK;
}

void sqlite_flush_into_database(hearth_backend_store *store) {
  int in_log = 0, taken = 0;
  if (store->frames < FRAMES) return;
  sqlite_snapshot_end(store);
  int result = sqlite3_wal_checkpoint_v2(store->write.db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_log, &taken);
  store->synced += 2;
  if (result == SQLITE_OK && in_log == taken) store->durable = store->sequence;
  if ((result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CORRUPT)
    (void)sqlite_trouble(store, &store->write, "write", NULL);
}

hearth_status sqlite_flush_everything(hearth_backend_store *store, hearth_error *err) {
  sqlite_snapshot_end(store);
  (void)sqlite3_busy_timeout(store->write.db, 0); /* readers may stay as long as they like */
  int result = sqlite3_wal_checkpoint_v2(store->write.db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  hearth_status status = HEARTH_OK;
  if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY && (result & 0xff) != SQLITE_LOCKED)
    status = sqlite_trouble(store, &store->write, "write", err);
  (void)sqlite3_busy_timeout(store->write.db, PATIENCE);
  if (status != HEARTH_OK) return status;
  if (result != SQLITE_OK) return sqlite_flush_log(store, err);
  store->synced += 2;
  store->durable = store->sequence;
  return HEARTH_OK;
}

hearth_status sqlite_flush_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  if (store->in_batch) return hearth_fail(err, HEARTH_BUSY, "%s: a batch in parts is open", store->names.path);
  if (keep > 0) return hearth_fail(err, HEARTH_UNSUPPORTED, "%s: sqlite keeps no earlier batches", store->names.path);
  if (sqlite_moved(&store->write)) return sqlite_lost(store, "another program has moved or removed the file", err);
  sqlite_snapshot_end(store);
  hearth_status status = sqlite_abandon(store, err);
  if (status == HEARTH_OK)
    status = sqlite_connection_sync_fully(&store->write, store->names.path, true, err);
  if (status == HEARTH_OK && sqlite3_exec(store->write.db, "VACUUM", NULL, NULL, NULL) != SQLITE_OK)
    status = sqlite_trouble(store, &store->write, "compact", err);
  return status == HEARTH_OK ? sqlite_flush_everything(store, err) : status;
}
