/* The figures of a store. Counting entries adds up the totals of all tables: only for a caller who has room. */
#include <stdio.h>

#include "store.h"

static int add_up(void *ud, uint64_t table, const Total *total) {
  hearth_backend_stat *full = ud;
  (void)table;
  full->entries += total->entries;
  full->live_bytes += total->bytes;
  return 0;
}

static uint64_t length_of(hearth_backend_store *store, const char *suffix) {
  char name[NAMES_SIZE + 8];
  hearth_file_info info;
  (void)snprintf(name, sizeof name, "%s%s", store->names.path, suffix);
  return store->env->stat(store->env->ud, name, &info) == 0 ? info.length : 0;
}

static uint64_t figure(Connection *c, int which) {
  int now = 0, most = 0;
  if (c->db == NULL || sqlite3_db_status(c->db, which, &now, &most, 0) != SQLITE_OK || now < 0) return 0;
  return (uint64_t)now;
}

static uint64_t memory_of(Connection *c) {
  return figure(c, SQLITE_DBSTATUS_CACHE_USED) + figure(c, SQLITE_DBSTATUS_SCHEMA_USED) +
         figure(c, SQLITE_DBSTATUS_STMT_USED);
}

hearth_status sqlite_read_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_backend_stat full = {0};
  int answer;
  hearth_status status = HEARTH_OK;
  if (store->readonly) status = sqlite_snapshot_begin(store, err); /* which brings its numbers */
  if (status == HEARTH_OK && stat->size > offsetof(hearth_backend_stat, entries))
    status = sqlite_totals(store, add_up, &full, &answer, err);
  if (status != HEARTH_OK) return status;
  full.sequence = store->sequence;
  full.durable = store->durable;
  full.total_bytes = length_of(store, "") + length_of(store, "-wal");
  full.index_bytes = memory_of(&store->read) + memory_of(&store->write) + sizeof *store;
  full.synced = store->synced;
  full.written = figure(&store->write, SQLITE_DBSTATUS_CACHE_WRITE) * 4096; /* pages, into the log */
  contract_stat(stat, &full);
  return HEARTH_OK;
}
