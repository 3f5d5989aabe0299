/*
** A commit of 1,000 entries of an external table, over loopback, beside what the same rows cost without Hearth: one
** INSERT from arrays in PostgreSQL's binary format, a prepared statement, into a table with the same columns and key.
** Samples are taken in turns; each contestant writes new values to the same keys.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bench.h"
#include "hearth.h"
#include "params.h"

#define ENTRIES 1000
#define MOST_SAMPLES 201
#define MOST_BYTES 200

typedef struct Rows {
  size_t count;
  struct {
    unsigned char key[MOST_BYTES], value[MOST_BYTES];
    size_t key_size, value_size;
  } rows[ENTRIES];
} Rows;

static Rows rows; /* what Hearth stores: the same bytes for both */

static int take_row(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Rows *r = ud;
  (void)table;
  if (r->count == ENTRIES || key_size > MOST_BYTES || value_size > MOST_BYTES) return 1;
  memcpy(r->rows[r->count].key, key, key_size);
  memcpy(r->rows[r->count].value, value, value_size);
  r->rows[r->count].key_size = key_size;
  r->rows[r->count++].value_size = value_size;
  return 0;
}

/* ------------------------------------------------------------------ bare */

static PGconn *begin_bare(const Bench *b) {
  char where[400];
  (void)snprintf(where, sizeof where, "host=127.0.0.1 port=%d user=hearth password=%s dbname=postgres", b->server.port,
                 SERVER_PASSWORD);
  PGconn *c = PQconnectdb(where);
  PQclear(PQexec(c, "CREATE TABLE bare (store bigint NOT NULL, tab bigint NOT NULL, key bytea NOT NULL,"
                    " value bytea NOT NULL, PRIMARY KEY (store, tab, key))"));
  PGresult *r = PQprepare(c, "bare", "INSERT INTO bare (store, tab, key, value) SELECT $1::bigint, $2::bigint, u.k, u.v"
                          " FROM unnest($3::bytea[], $4::bytea[]) AS u(k, v) ON CONFLICT (store, tab, key)"
                          " DO UPDATE SET value = EXCLUDED.value", 0, NULL);
  if (PQresultStatus(r) != PGRES_COMMAND_OK) bench_quit("bare", PQerrorMessage(c));
  PQclear(r);
  return c;
}

static double time_bare(PGconn *c) {
  Params p = {0};
  Buffer keys, values;
  double began = bench_now();
  buffer_init(&keys, &hearth_libc_allocator);
  buffer_init(&values, &hearth_libc_allocator);
  postgres_array_begin(&keys, TYPE_BYTES);
  postgres_array_begin(&values, TYPE_BYTES);
  for (size_t i = 0; i < ENTRIES; i++) {
    postgres_array_bytes(&keys, rows.rows[i].key, rows.rows[i].key_size);
    postgres_array_bytes(&values, rows.rows[i].value, rows.rows[i].value_size);
  }
  postgres_array_end(&keys, ENTRIES);
  postgres_array_end(&values, ENTRIES);
  postgres_params_number(&p, 1);
  postgres_params_number(&p, 1);
  postgres_params_array(&p, &keys);
  postgres_params_array(&p, &values);
  PGresult *r = PQexecPrepared(c, "bare", p.count, p.values, p.lengths, p.formats, 1);
  if (PQresultStatus(r) != PGRES_COMMAND_OK || strcmp(PQcmdTuples(r), "1000") != 0)
    bench_quit("bare", PQerrorMessage(c));
  PQclear(r);
  buffer_free(&keys);
  buffer_free(&values);
  return bench_now() - began;
}

/* ------------------------------------------------------------------- Lua */

static const char assign_text[] =
    "local round = ...  local t = _home.t\n"
    "for i = 1, 1000 do t['entry number ' .. i] = ('%06d of this and other rounds, with some more"
    " text'):format(round) end";

static void run_lua(lua_State *L, const char *text, lua_Integer argument) {
  if (luaL_loadstring(L, text) != LUA_OK) bench_quit("Lua", lua_tostring(L, -1));
  lua_pushinteger(L, argument);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) bench_quit("Lua", lua_tostring(L, -1));
}

typedef struct Times {
  double assign, commit;
} Times;

static Times time_hearth(lua_State *L, hearth_store *store, lua_Integer round) {
  hearth_error err;
  Times t;
  double began = bench_now();
  run_lua(L, assign_text, round);
  t.assign = bench_now() - began;
  began = bench_now();
  if (hearth_commit(L, store, HEARTH_DURABLE, &err) != HEARTH_OK) bench_quit("commit", err.message);
  t.commit = bench_now() - began;
  return t;
}

/* --------------------------------------------------------------- backend */

static double time_backend(hearth_backend_store *store) {
  static hearth_op ops[ENTRIES];
  hearth_error err;
  double began = bench_now();
  for (size_t i = 0; i < ENTRIES; i++)
    ops[i] = (hearth_op){HEARTH_PUT, 1, rows.rows[i].key, rows.rows[i].key_size, rows.rows[i].value,
                         rows.rows[i].value_size};
  if (hearth_postgres_backend.submit(store, ops, ENTRIES, 0, HEARTH_DURABLE, NULL, &err) != HEARTH_OK)
    bench_quit("submit", err.message);
  return bench_now() - began;
}

static hearth_backend_store *open_backend(const Bench *b, const char *name, unsigned flags) {
  char location[500];
  hearth_backend_store *store;
  hearth_error err;
  server_location(&b->server, "", name, location, sizeof location);
  const hearth_backend_config config = {.size = sizeof config, .location = location, .flags = flags};
  if (hearth_postgres_backend.open(&config, &store, &err) != HEARTH_OK) bench_quit("open", err.message);
  return store;
}

/* The rows of the external table as they are stored. */
static void take_rows(const Bench *b) {
  char sql[200];
  (void)snprintf(sql, sizeof sql, "SELECT tab FROM hearth_entry GROUP BY tab HAVING count(*) >= %d", ENTRIES);
  hearth_backend_store *store = open_backend(b, "lua", HEARTH_OPEN_READONLY);
  const uint64_t table = strtoull(server_run(&b->server, sql), NULL, 10);
  int result;
  hearth_status status = hearth_postgres_backend.scan(store, table, NULL, 0, NULL, 0, false, take_row, &rows, &result,
                                                      NULL);
  if (status != HEARTH_OK || rows.count != ENTRIES)
    bench_quit("rows", "not those that were stored");
  (void)hearth_postgres_backend.close(store, NULL);
}

static void change_values(size_t round) {
  const unsigned char letter = (unsigned char)('a' + round % 26);
  for (size_t i = 0; i < ENTRIES; i++) rows.rows[i].value[rows.rows[i].value_size - 1] = letter;
}

static void report(const char *name, double *values, size_t count, double bare) {
  double median = bench_median(values, count);
  printf("  %-44s %7.2f ms  %5.2f times the bare upsert\n", name, median * 1e3, median / bare);
}

void bench_commit(Bench *b) {
  static double bare[MOST_SAMPLES], backend[MOST_SAMPLES], commit[MOST_SAMPLES], whole[MOST_SAMPLES];
  const size_t samples = b->check ? 2 : MOST_SAMPLES, warm = b->check ? 1 : 10;
  char location[500];
  hearth_store *store;
  hearth_error err;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  server_location(&b->server, "", "lua", location, sizeof location);
  if (hearth_open(L, &hearth_postgres_backend, location, NULL, &store, &err) != HEARTH_OK)
    bench_quit("open", err.message);
  hearth_install(L, store);
  run_lua(L, "_home.t = ext.table()", 0);
  (void)time_hearth(L, store, 0);
  take_rows(b);
  PGconn *c = begin_bare(b);
  hearth_backend_store *direct = open_backend(b, "direct", 0);
  for (size_t i = 0; i < samples + warm; i++) {
    const size_t at = i < warm ? 0 : i - warm;
    change_values(i);
    for (size_t turn = 0; turn < 3; turn++) { /* nobody always comes behind the same one */
      const size_t who = (turn * (1 + i / 3 % 2) + i) % 3;
      if (who == 0) bare[at] = time_bare(c);
      if (who == 1) backend[at] = time_backend(direct);
      if (who != 2) continue;
      Times t = time_hearth(L, store, (lua_Integer)i + 1);
      commit[at] = t.commit;
      whole[at] = t.commit + t.assign;
    }
  }
  (void)hearth_postgres_backend.close(direct, NULL);
  PQfinish(c);
  hearth_close(L, store);
  lua_close(L);
  if (b->check) return;
  double middle = bench_median(bare, samples);
  printf("1,000 entries over loopback, durable, %zu samples in turns, medians:\n", samples);
  report("bare libpq, one INSERT from unnest", bare, samples, middle);
  report("the backend's submit", backend, samples, middle);
  report("hearth_commit of an external table's entries", commit, samples, middle);
  report("the same with the assignments in Lua", whole, samples, middle);
}
