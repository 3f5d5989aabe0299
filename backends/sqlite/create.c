/* Making a store's file: under another name, whole and on the device, before it gets its own. */
#include <errno.h>
#include <stdio.h>

#include "error.h"
#include "failure.h"
#include "format.h"
#include "store.h"

#define TEXT_OF(number) TEXT(number)
#define TEXT(number) #number

static const char making[] =
    "PRAGMA page_size = 4096; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA synchronous = FULL;"
    "PRAGMA journal_mode = WAL;"
    "BEGIN;"
    "PRAGMA application_id = " TEXT_OF(FORMAT_APPLICATION_ID) ";"
    "PRAGMA user_version = " TEXT_OF(FORMAT_VERSION) ";"
    FORMAT_HEARTH ";" FORMAT_TOTAL ";" FORMAT_ENTRY ";"
    "INSERT INTO hearth VALUES (0, 0, 'hearth, SQLite ' || sqlite_version(), 0, %lld);"
    "COMMIT;"
    "PRAGMA wal_checkpoint(TRUNCATE)";

/* SQLite's own files beside a database. *removed: there was one. */
static hearth_status remove_beside(hearth_backend_store *store, const char *path, bool *removed, hearth_error *err) {
  static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char name[NAMES_SIZE + 16];
    (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    int failure = store->env->unlink(store->env->ud, name);
    if (failure != 0 && failure != ENOENT) return failure_status(err, name, "remove it", failure);
    *removed = *removed || failure == 0;
  }
  return HEARTH_OK;
}

/* Of a making that was interrupted. */
static hearth_status remove_fresh(hearth_backend_store *store, hearth_error *err) {
  bool removed = false;
  int failure = store->env->unlink(store->env->ud, store->names.fresh);
  if (failure != 0 && failure != ENOENT) return failure_status(err, store->names.fresh, "remove it", failure);
  return remove_beside(store, store->names.fresh, &removed, err);
}

/* SQLite makes the file when it is first written to. */
static hearth_status make_empty(hearth_backend_store *store, hearth_error *err) {
  hearth_file file;
  int failure = store->env->open(store->env->ud, store->names.fresh, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file);
  if (failure == 0) failure = store->env->close(store->env->ud, file);
  return failure == 0 ? HEARTH_OK : failure_status(err, store->names.fresh, "make it", failure);
}

static hearth_status fill(hearth_backend_store *store, hearth_error *err) {
  Connection c;
  hearth_status status = sqlite_connection_open(&c, store->names.fresh, TO_WRITE, err);
  if (status != HEARTH_OK) return status;
  static const Numbers none = {0};
  char text[sizeof making + 24];
  (void)snprintf(text, sizeof text, making, (long long)check_numbers(&none));
  status = sqlite_connection_run(&c, store->names.path, text, "make it", err);
  sqlite_connection_close(&c);
  return status;
}

/* The log of a database that had the name before would be taken for this one's: it is gone, for good, before. */
static hearth_status put_in_place(hearth_backend_store *store, hearth_error *err) {
  const hearth_environment *env = store->env;
  bool removed = false;
  hearth_status status = remove_beside(store, store->names.path, &removed, err);
  if (status != HEARTH_OK) return status;
  int failure = removed ? env->sync_folder(env->ud, store->names.folder) : 0;
  if (failure == 0) failure = env->rename(env->ud, store->names.fresh, store->names.path);
  if (failure == 0) failure = env->sync_folder(env->ud, store->names.folder);
  return failure == 0 ? HEARTH_OK : failure_status(err, store->names.path, "make it", failure);
}

hearth_status sqlite_create(hearth_backend_store *store, hearth_error *err) {
  hearth_error ignored;
  hearth_status status = remove_fresh(store, err);
  if (status == HEARTH_OK) status = make_empty(store, err);
  if (status == HEARTH_OK) status = fill(store, err);
  if (status == HEARTH_OK) status = put_in_place(store, err);
  if (status != HEARTH_OK) (void)remove_fresh(store, &ignored);
  return status;
}
