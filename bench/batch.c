/*
** A durable batch of 20 small puts: into an external table, into SQLite, and as plain bytes at the end of a file.
**
** Each sample puts other values. At the end both stores are opened again, and the last of each key must be there.
*/
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stores.h"

#define PUTS 20
#define KEYS 10000 /* that are put in turns */
#define TEXT 40    /* bytes for a key or a value */

typedef struct Batch {
  hearth_store *store;
  char path[BENCH_PATH], database_path[BENCH_PATH];
  sqlite3 *database;
  sqlite3_stmt *put, *start, *commit;
  Raw raw;
  uint64_t hearth_batches, sqlite_batches;
} Batch;

static void text_of(char *out, const char *what, uint64_t number) {
  (void)snprintf(out, TEXT, "%s %llu", what, (unsigned long long)number);
}

/* The i-th put of all: its key and its value. */
static void entry_of(uint64_t i, char key[TEXT], char value[TEXT]) {
  text_of(key, "key", i % KEYS);
  text_of(value, "a small value, the", i);
}

/* ------------------------------------------------------------------ SQLite */

static void must(const Bench *b, sqlite3 *database, int code, int expected) {
  if (code != expected) bench_fail(b, "SQLite: %s", sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare(const Bench *b, sqlite3 *database, const char *text) {
  sqlite3_stmt *statement;
  must(b, database, sqlite3_prepare_v2(database, text, -1, &statement, NULL), SQLITE_OK);
  return statement;
}

static void sqlite_open(Bench *b, Batch *B) {
  bench_path(b, "batch.sqlite", B->database_path);
  must(b, B->database, sqlite3_open(B->database_path, &B->database), SQLITE_OK);
  must(b, B->database,
       sqlite3_exec(B->database,
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                    "CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;",
                    NULL, NULL, NULL),
       SQLITE_OK);
  B->put = prepare(b, B->database, "INSERT OR REPLACE INTO entries VALUES (?1, ?2)");
  B->start = prepare(b, B->database, "BEGIN");
  B->commit = prepare(b, B->database, "COMMIT");
}

static void step(const Bench *b, const Batch *B, sqlite3_stmt *statement) {
  must(b, B->database, sqlite3_step(statement), SQLITE_DONE);
  sqlite3_reset(statement);
}

static void sqlite_run(Bench *b) {
  Batch *B = b->own;
  char key[TEXT], value[TEXT];
  step(b, B, B->start);
  for (uint64_t i = B->sqlite_batches * PUTS; i < (B->sqlite_batches + 1) * PUTS; i++) {
    entry_of(i, key, value);
    sqlite3_bind_text(B->put, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(B->put, 2, value, -1, SQLITE_STATIC);
    step(b, B, B->put);
  }
  step(b, B, B->commit);
  B->sqlite_batches++;
}

static void sqlite_end(Bench *b, Batch *B) {
  char key[TEXT], value[TEXT];
  sqlite3_finalize(B->put);
  sqlite3_finalize(B->start);
  sqlite3_finalize(B->commit);
  must(b, B->database, sqlite3_close(B->database), SQLITE_OK);
  must(b, B->database, sqlite3_open(B->database_path, &B->database), SQLITE_OK);
  sqlite3_stmt *get = prepare(b, B->database, "SELECT value FROM entries WHERE key = ?1");
  uint64_t puts = B->sqlite_batches * PUTS;
  for (uint64_t i = puts > KEYS ? puts - KEYS : 0; i < puts; i++) {
    entry_of(i, key, value);
    sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    must(b, B->database, sqlite3_step(get), SQLITE_ROW);
    if (strcmp((const char *)sqlite3_column_text(get, 0), value) != 0) bench_fail(b, "SQLite lost '%s'", key);
    sqlite3_reset(get);
  }
  sqlite3_finalize(get);
  sqlite3_close(B->database);
}

/* ------------------------------------------------------------------ Hearth */

static void begin(Bench *b) {
  hearth_error err;
  Batch *B = b->own = bench_new(b, sizeof *B);
  bench_path(b, "batch.hearth", B->path);
  raw_open(b, &B->raw, "batch.raw");
  B->store = stores_open(b, b->L, B->path, 0);
  bench_ok(b, hearth_push_table(b->L, B->store, &err), &err);
  stores_set_home(b->L, B->store, "data");
  stores_commit(b, b->L, B->store, HEARTH_DURABLE);
  sqlite_open(b, B);
}

static void hearth_before(Bench *b) {
  stores_push_home(b->L, ((Batch *)b->own)->store, "data");
}

static void hearth_run(Bench *b) {
  Batch *B = b->own;
  char key[TEXT], value[TEXT];
  for (uint64_t i = B->hearth_batches * PUTS; i < (B->hearth_batches + 1) * PUTS; i++) {
    entry_of(i, key, value);
    lua_pushstring(b->L, value);
    lua_setfield(b->L, -2, key);
  }
  stores_commit(b, b->L, B->store, HEARTH_DURABLE);
  B->hearth_batches++;
}

static void hearth_check(Bench *b) {
  hearth_stat stat = stores_stat(b, ((Batch *)b->own)->store);
  if (stat.storage.durable != stat.storage.sequence) bench_fail(b, "the batch is not durable");
  bench_figure(b, "bytes", (double)stat.committed_bytes);
}

static void raw_run(Bench *b) {
  Batch *B = b->own;
  char bytes[PUTS * 2 * TEXT], key[TEXT], value[TEXT];
  size_t size = 0;
  for (uint64_t i = 0; i < PUTS; i++) {
    entry_of(B->raw.size + i, key, value);
    size += (size_t)snprintf(bytes + size, sizeof bytes - size, "%s%s", key, value);
  }
  raw_append(b, &B->raw, bytes, size);
}

static void end(Bench *b) {
  Batch *B = b->own;
  char key[TEXT], value[TEXT];
  hearth_close(b->L, B->store);
  lua_State *L = luaL_newstate();
  hearth_store *again = stores_open(b, L, B->path, HEARTH_OPEN_READONLY);
  stores_push_home(L, again, "data");
  uint64_t puts = B->hearth_batches * PUTS;
  for (uint64_t i = puts > KEYS ? puts - KEYS : 0; i < puts; i++) {
    entry_of(i, key, value);
    if (lua_getfield(L, -1, key) != LUA_TSTRING || strcmp(lua_tostring(L, -1), value) != 0)
      bench_fail(b, "Hearth lost '%s'", key);
    lua_pop(L, 1);
  }
  hearth_close(L, again);
  lua_close(L);
  raw_close(b, &B->raw);
  sqlite_end(b, B);
  free(B);
}

static const Contestant contestants[] = {{"Hearth", hearth_before, hearth_run, hearth_check},
                                         {"write + fdatasync", NULL, raw_run, NULL},
                                         {"SQLite", NULL, sqlite_run, NULL},
                                         {0}};

const Row batch_rows[] = {{"durable batch of 20 puts", NULL, 20, begin, end, contestants}, {0}};
