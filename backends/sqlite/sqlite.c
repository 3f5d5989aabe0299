/*
** The sqlite backend: opening, closing, and the table of its functions.
*/
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "buffer.h"
#include "error.h"
#include "failure.h"
#include "store.h"
#include "trouble.h"

/* ------------------------------------------------------------ failures */

hearth_status sqlite_trouble(hearth_backend_store *store, Connection *c, const char *doing, hearth_error *err) {
  hearth_status status = sqlite_failure(c->db, store->names.path, doing, err);
  if (status == HEARTH_IO && !store->readonly) store->dead = true;
  return status;
}

hearth_status sqlite_lost(hearth_backend_store *store, const char *what, hearth_error *err) {
  store->dead = true;
  return hearth_fail(err, HEARTH_IO, "%s: %s", store->names.path, what);
}

bool sqlite_moved(Connection *c) {
  int moved = 0;
  return sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

bool sqlite_log_lost(hearth_backend_store *store) {
  char name[NAMES_SIZE + 8];
  hearth_file_info info;
  sqlite3_int64 size;
  sqlite3_file *log = NULL;
  (void)snprintf(name, sizeof name, "%s-wal", store->names.path);
  if (sqlite3_file_control(store->write.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || log == NULL ||
      log->pMethods == NULL || log->pMethods->xFileSize(log, &size) != SQLITE_OK)
    return false;
  return store->env->stat(store->env->ud, name, &info) != 0 || info.length != (uint64_t)size;
}

hearth_status sqlite_alive(hearth_backend_store *store, hearth_error *err) {
  if (store->env->process(store->env->ud) != store->process)
    return hearth_fail(err, HEARTH_DEAD, "%s: belongs to the process that this one was forked from", store->names.path);
  if (store->dead) return hearth_fail(err, HEARTH_DEAD, "%s: failed earlier and must be reopened", store->names.path);
  return HEARTH_OK;
}

hearth_status sqlite_writable(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  if (status == HEARTH_OK && store->readonly)
    return hearth_fail(err, HEARTH_READONLY, "%s: the store was opened read-only", store->names.path);
  return status;
}

/* A read that is running would see what it did not begin with. */
static hearth_status outside_callbacks(hearth_backend_store *store, hearth_error *err) {
  if (store->callbacks == 0) return HEARTH_OK;
  return hearth_fail(err, HEARTH_BUSY, "%s: something is being read", store->names.path);
}

/* ------------------------------------------------------------- opening */

/* Only a plain file, or nothing, may be there. */
static hearth_status look_first(hearth_backend_store *store, unsigned flags, bool *empty, hearth_error *err) {
  const char *path = store->names.path;
  hearth_file_info info;
  int failure = store->env->stat(store->env->ud, path, &info);
  const bool make = (flags & (HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_READONLY)) == 0;
  *empty = failure == ENOENT || (failure == 0 && info.length == 0);
  if (failure == ENOENT)
    return make ? HEARTH_OK : hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no such store", path);
  if (failure != 0) return failure_status(err, path, "look at it", failure);
  if ((flags & HEARTH_OPEN_EXCLUSIVE) != 0)
    return hearth_fail(err, HEARTH_EXISTS, "%s: there is something already", path);
  if (info.folder) return hearth_fail(err, HEARTH_NOTSTORE, "%s: is a folder, not a Hearth store", path);
  if (!info.regular) return hearth_fail(err, HEARTH_NOTSTORE, "%s: is not a plain file", path);
  if (*empty && !make) return hearth_fail(err, HEARTH_NOTSTORE, "%s: is an empty file, not a Hearth store", path);
  return HEARTH_OK;
}

/* Before there is an owner file beside it. */
static hearth_status look_inside(hearth_backend_store *store, hearth_error *err) {
  Connection c;
  hearth_status status = sqlite_connection_open(&c, store->names.path, TO_READ, err);
  if (status != HEARTH_OK) return status;
  status = sqlite_identify(&c, store->names.path, err);
  sqlite_connection_close(&c);
  return status;
}

static int count_frames(void *ud, sqlite3 *db, const char *name, int frames) {
  hearth_backend_store *store = ud;
  (void)db;
  (void)name;
  store->frames = frames;
  return SQLITE_OK;
}

static hearth_status connect(hearth_backend_store *store, Connection *c, ConnectionKind kind, hearth_error *err) {
  hearth_status status = sqlite_connection_open(c, store->names.path, kind, err);
  if (status == HEARTH_OK) status = sqlite_identify(c, store->names.path, err);
  if (status == HEARTH_OK) status = sqlite_connection_set_up(c, store->names.path, err);
  if (status == HEARTH_OK) status = sqlite_identify_tables(c, store->names.path, err);
  return status;
}

/* Databases are made with a log; a copy that another program made may have none. */
static hearth_status begin_log(hearth_backend_store *store, hearth_error *err) {
  sqlite3_stmt *statement = NULL;
  Connection *c = &store->write;
  const char *mode = NULL;
  hearth_status status = HEARTH_OK;
  if (sqlite3_prepare_v2(c->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW)
    mode = (const char *)sqlite3_column_text(statement, 0);
  if (mode == NULL)
    status = sqlite_failure(c->db, store->names.path, "open it", err);
  else if (strcmp(mode, "wal") != 0)
    status = hearth_fail(err, HEARTH_UNSUPPORTED, "%s: SQLite cannot keep a log (WAL) on this file system",
                         store->names.path);
  (void)sqlite3_finalize(statement);
  (void)sqlite3_wal_hook(c->db, count_frames, store); /* instead of SQLite's own, which ignores failures */
  return status;
}

static hearth_status open_writer(hearth_backend_store *store, unsigned flags, hearth_error *err) {
  Numbers numbers = {0};
  bool empty;
  hearth_status status = owner_take(&store->owner, store->env, store->names.path, store->names.owner, err);
  /* another owner may have made it since we looked */
  if (status == HEARTH_OK) status = look_first(store, flags, &empty, err);
  if (status == HEARTH_OK && empty) status = sqlite_create(store, err);
  if (status == HEARTH_OK) status = connect(store, &store->write, TO_WRITE, err);
  if (status == HEARTH_OK) status = begin_log(store, err);
  if (status == HEARTH_OK) status = sqlite_snapshot_numbers(store, &store->write, &numbers, err);
  store->sequence = numbers.sequence;
  store->digest = numbers.digest;
  if (status == HEARTH_OK) status = sqlite_flush_everything(store, err);
  if (status == HEARTH_OK) status = connect(store, &store->read, TO_READ, err);
  if (status == HEARTH_OK) status = sqlite_snapshot_begin(store, err);
  if (status == HEARTH_OK) status = sqlite_check_length(store, err);
  return status;
}

static bool on_readonly_device(const char *path) {
  struct statvfs info;
  return statvfs(path, &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

/* The database is there: what SQLite cannot find are files beside it, which it cannot make either. */
static bool lacks_files_beside(hearth_backend_store *store, hearth_status status) {
  hearth_file_info info;
  return status == HEARTH_READONLY ||
         (status == HEARTH_NOTFOUND && store->env->stat(store->env->ud, store->names.path, &info) == 0);
}

static hearth_status connect_reader(hearth_backend_store *store, hearth_error *err) {
  const ConnectionKind kind = store->unchanging ? TO_READ_UNCHANGING : TO_READ;
  hearth_status status = connect(store, &store->read, kind, err);
  if (status == HEARTH_OK) status = connect(store, &store->write, kind, err);
  if (status == HEARTH_OK) status = sqlite_snapshot_begin(store, err);
  if (status == HEARTH_OK) status = sqlite_check_length(store, err);
  if (!lacks_files_beside(store, status)) return status;
  return hearth_fail(err, HEARTH_READONLY,
                     "%s: cannot read it: SQLite needs files beside it, and cannot write the folder",
                     store->names.path);
}

/* A log that holds something belongs to the database, and somebody may be writing it. */
static bool has_log(hearth_backend_store *store) {
  char name[NAMES_SIZE + 8];
  hearth_file_info info;
  (void)snprintf(name, sizeof name, "%s-wal", store->names.path);
  return store->env->stat(store->env->ud, name, &info) != 0 ? false : info.length > 0;
}

/*
** As beside a writer, who may be on the other side of a read-only mount; without one it cannot be
** on a read-only device.
*/
static hearth_status open_reader(hearth_backend_store *store, hearth_error *err) {
  store->unchanging = false;
  hearth_status status = connect_reader(store, err);
  if (status != HEARTH_READONLY || !on_readonly_device(store->names.path) || has_log(store)) return status;
  sqlite_connection_close(&store->read);
  sqlite_connection_close(&store->write);
  store->unchanging = true;
  return connect_reader(store, err);
}

static hearth_status open_store(hearth_backend_store *store, const hearth_backend_config *config, hearth_error *err) {
  bool empty;
  hearth_status status = names_resolve(&store->names, store->env, config->location, err);
  if (status == HEARTH_OK) status = look_first(store, config->flags, &empty, err);
  if (status == HEARTH_OK && !empty) status = look_inside(store, err);
  if (status != HEARTH_OK) return status;
  status = store->readonly ? open_reader(store, err) : open_writer(store, config->flags, err);
  return status == HEARTH_OK ? sqlite_check_small(store, err) : status;
}

/* SQLite notes for the process what it has locked: a forked child would take its parent's locks for its own. */
static atomic_uint open_stores;
static _Atomic uint64_t opened_by;

static hearth_status begin_to_use_sqlite(const hearth_backend_store *store, const char *name, hearth_error *err) {
  if (atomic_load(&open_stores) > 0 && atomic_load(&opened_by) != store->process)
    return hearth_fail(err, HEARTH_UNSUPPORTED, "%s: this process was forked from one that has a store in SQLite open",
                       name);
  atomic_store(&opened_by, store->process);
  (void)atomic_fetch_add(&open_stores, 1);
  return HEARTH_OK;
}

/* In a forked process SQLite's memory stays as it is: closing would act on locks that the parent has. */
static void release(hearth_backend_store *store) {
  hearth_allocator allocator = store->allocator;
  if (store->env->process(store->env->ud) == store->process) {
    if (store->dead && store->write.db != NULL) /* what the log is worth, its checksums tell whoever opens it next */
      (void)sqlite3_db_config(store->write.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    sqlite_connection_close(&store->read);
    sqlite_connection_close(&store->write);
    (void)atomic_fetch_sub(&open_stores, 1);
  }
  owner_release(&store->owner, store->env, store->names.owner);
  hearth_free(&allocator, store, sizeof *store);
}

static hearth_status sqlite_open(const hearth_backend_config *given, hearth_backend_store **out, hearth_error *err) {
  hearth_backend_config config;
  hearth_error local;
  if (err == NULL) err = &local;
  contract_config(&config, given);
  *out = NULL;
  const char *name = config.location != NULL ? config.location : "";
  if ((config.flags & ~(HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_EXCLUSIVE)) != 0)
    return hearth_fail(err, HEARTH_INVALID, "%s: unknown flags 0x%x", name, config.flags);
  if (config.environment != NULL)
    return hearth_fail(err, HEARTH_UNSUPPORTED, "%s: SQLite does its own input and output, not that of an environment",
                       name);
  hearth_backend_store *store = hearth_realloc(&config.allocator, NULL, 0, sizeof *store);
  if (store == NULL) return failure_nomem(err, name);
  memset(store, 0, sizeof *store);
  store->allocator = config.allocator;
  store->env = &hearth_system_environment;
  store->process = store->env->process(store->env->ud);
  store->readonly = (config.flags & HEARTH_OPEN_READONLY) != 0;
  store->last_sync = store->env->clock(store->env->ud);
  hearth_status status = begin_to_use_sqlite(store, name, err);
  if (status != HEARTH_OK) {
    hearth_free(&config.allocator, store, sizeof *store);
    return status;
  }
  status = open_store(store, &config, err);
  if (status != HEARTH_OK) {
    release(store);
    return status;
  }
  *out = store;
  return hearth_ok(err);
}

static hearth_status sqlite_close(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  hearth_status status = HEARTH_OK;
  if (err == NULL) err = &local;
  if (store == NULL) return hearth_ok(err);
  if (sqlite_writable(store, err) == HEARTH_OK) {
    status = sqlite_abandon(store, err);
    if (status == HEARTH_OK) status = sqlite_flush_log(store, err);
    /* what is on the device can wait in the log */
    if (status == HEARTH_OK) (void)sqlite_flush_everything(store, &local);
  }
  release(store);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

/* --------------------------------------------------------- its functions */

static hearth_status done(hearth_status status, hearth_error *err) {
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status sqlite_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                hearth_found found, void *ud, hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  store->callbacks++;
  if (status == HEARTH_OK) status = sqlite_read_get(store, table, key, key_size, found, ud, err);
  store->callbacks--;
  return done(status, err);
}

static hearth_status sqlite_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                 const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                 int *result, hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  store->callbacks++;
  if (status == HEARTH_OK)
    status = sqlite_read_scan(store, table, from, from_size, to, to_size, reverse, found, ud, result, err);
  store->callbacks--;
  return done(status, err);
}

static hearth_status sqlite_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                   hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = sqlite_writable(store, err);
  if (status == HEARTH_OK) status = outside_callbacks(store, err);
  if (status == HEARTH_OK) status = sqlite_write(store, ops, count, flags, level, sequence, err);
  return done(status, err);
}

static hearth_status sqlite_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  if (status == HEARTH_OK) status = contract_level(&hearth_sqlite_backend, &level, err);
  if (status == HEARTH_OK && level == HEARTH_DURABLE && !store->readonly) status = sqlite_flush_log(store, err);
  return done(status, err);
}

static hearth_status sqlite_poll(hearth_backend_store *store, hearth_error *err) {
  Numbers numbers = {0};
  hearth_status status = sqlite_alive(store, err);
  if (status != HEARTH_OK || !store->readonly) return done(status, err);
  if (sqlite_moved(&store->write))
    return hearth_fail(err, HEARTH_STALE, "%s: is another file by now", store->names.path);
  status = sqlite_snapshot_numbers(store, &store->write, &numbers, err);
  if (status == HEARTH_OK && numbers.sequence != store->sequence)
    return hearth_fail(err, HEARTH_STALE, "%s: has moved on to batch %llu", store->names.path,
                       (unsigned long long)numbers.sequence);
  return done(status, err);
}

static hearth_status sqlite_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  hearth_status status = sqlite_writable(store, err);
  if (status == HEARTH_OK) status = outside_callbacks(store, err);
  if (status == HEARTH_OK) status = sqlite_flush_compact(store, keep, err);
  return done(status, err);
}

/* The name may mean another file: connections to that one replace those that there are, if they can be made. */
static hearth_status reconnect(hearth_backend_store *store, hearth_error *err) {
  const Connection read = store->read, write = store->write;
  const uint64_t sequence = store->sequence, durable = store->durable;
  const bool unchanging = store->unchanging;
  memset(&store->read, 0, sizeof store->read);
  memset(&store->write, 0, sizeof store->write);
  bool empty;
  store->walk.whole = false; /* the same number may mean another state there */
  hearth_status status = look_first(store, HEARTH_OPEN_READONLY, &empty, err);
  if (status == HEARTH_OK) status = open_reader(store, err);
  Connection old_read = read, old_write = write;
  if (status != HEARTH_OK) {
    old_read = store->read;
    old_write = store->write;
    store->read = read;
    store->write = write;
    store->sequence = sequence;
    store->durable = durable;
    store->unchanging = unchanging;
  }
  sqlite_connection_close(&old_read);
  sqlite_connection_close(&old_write);
  return status;
}

static hearth_status sqlite_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  if (status != HEARTH_OK || !store->readonly) return done(status, err);
  status = outside_callbacks(store, err);
  return done(status == HEARTH_OK ? reconnect(store, err) : status, err);
}

static hearth_status sqlite_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  if (status == HEARTH_OK) status = sqlite_read_stat(store, stat, err);
  return done(status, err);
}

static hearth_status sqlite_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                   hearth_error *err) {
  hearth_status status = sqlite_alive(store, err);
  store->callbacks++;
  if (status == HEARTH_OK) status = sqlite_read_tables(store, found, ud, result, err);
  store->callbacks--;
  return done(status, err);
}

const hearth_backend hearth_sqlite_backend = {
    .size = sizeof(hearth_backend),
    .abi = HEARTH_BACKEND_ABI,
    .name = "sqlite",
    .max_durability = HEARTH_DURABLE,
    .open = sqlite_open,
    .close = sqlite_close,
    .get = sqlite_get,
    .scan = sqlite_scan,
    .submit = sqlite_submit,
    .barrier = sqlite_barrier,
    .poll = sqlite_poll,
    .compact = sqlite_compact,
    .refresh = sqlite_refresh,
    .stat = sqlite_stat,
    .tables = sqlite_tables,
};
