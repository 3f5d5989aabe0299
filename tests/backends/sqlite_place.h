/* A folder with a store in an SQLite database, and another program's hand on it. */
#ifndef HEARTH_TESTS_SQLITE_PLACE_H
#define HEARTH_TESTS_SQLITE_PLACE_H

#include <sqlite3.h>
#include <unistd.h>

#include "folder.h"
#include "hearth_sqlite.h"
#include "scenario.h"

static const hearth_backend *const sqlite = &hearth_sqlite_backend;

typedef struct Place {
  char folder[512], path[600];
  hearth_backend_store *store;
  hearth_error err;
} Place;

static inline int setup(void **state) {
  Place *p = calloc(1, sizeof *p);
  folder_make(p->folder, sizeof p->folder);
  (void)snprintf(p->path, sizeof p->path, "%s/a%%20world?#.sqlite", p->folder);
  *state = p;
  return 0;
}

static inline int teardown(void **state) {
  Place *p = *state;
  if (p->store != NULL) (void)sqlite->close(p->store, NULL);
  folder_remove(p->folder);
  free(p);
  return 0;
}

static inline hearth_status open_store(Place *p, unsigned flags) {
  hearth_backend_config config = {.size = sizeof config, .location = p->path, .flags = flags};
  return sqlite->open(&config, &p->store, &p->err);
}

static inline void close_store(Place *p) {
  assert_int_equal(sqlite->close(p->store, &p->err), HEARTH_OK);
  p->store = NULL;
}

static inline void make(Place *p, uint64_t batches) {
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  for (uint64_t n = 1; n <= batches; n++)
    assert_int_equal(scenario_submit(sqlite, p->store, n, n % 2 == 0, HEARTH_VISIBLE, &p->err), HEARTH_OK);
  close_store(p);
}

/* Something that makes the store too large for it to be read whole when it is opened. */
static inline void make_large(Place *p) {
  static unsigned char large[(1 << 20) + 1];
  hearth_op op = {HEARTH_PUT, 1000, "large", 5, large, sizeof large};
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(sqlite->submit(p->store, &op, 1, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  close_store(p);
}

/* As another program does, with a connection of its own. */
static inline void run_sql(const char *path, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline size_t bytes_of(const char *path, unsigned char *out, size_t size) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  size_t n = fread(out, 1, size, f);
  (void)fclose(f);
  return n;
}

static inline void put_bytes(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  assert_int_equal(fclose(f), 0);
}

#endif
