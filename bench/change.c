/*
** One changed entry of many, durable: in a home table, and in an external table.
**
** Each sample changes another entry. At the end the store is opened again, and all of them must be there.
*/
#include <stdlib.h>
#include <string.h>

#include "stores.h"

typedef struct Change {
  hearth_store *store;
  char path[BENCH_PATH];
  Raw raw;
  uint64_t changed;     /* entries so far */
  uint64_t sequence;    /* of the last batch */
  uint64_t synced;
  uint64_t total_bytes;
  unsigned char *bytes; /* as many as the last commit appended: what the plain write writes */
  size_t size;
} Change;

static void open_store(Bench *b) {
  Change *C = b->own = bench_new(b, sizeof *C);
  bench_path(b, "change.hearth", C->path);
  raw_open(b, &C->raw, "change.raw");
  C->store = stores_open(b, b->L, C->path, 0);
  C->size = 4096;
  C->bytes = bench_new(b, C->size);
}

static void home_begin(Bench *b) {
  open_store(b);
  Change *C = b->own;
  lua_pushvalue(b->L, BENCH_VALUE);
  stores_set_home(b->L, C->store, "data");
  stores_commit(b, b->L, C->store, HEARTH_DURABLE);
}

static void external_begin(Bench *b) {
  hearth_error err;
  open_store(b);
  Change *C = b->own;
  lua_State *L = b->L;
  bench_ok(b, hearth_push_table(L, C->store, &err), &err);
  lua_pushvalue(L, -1);
  stores_set_home(L, C->store, "data");
  for (lua_Integer i = 1; i <= b->count; i++) {
    lua_pushinteger(L, i);
    lua_seti(L, -2, i);
  }
  stores_commit(b, L, C->store, HEARTH_DURABLE);
}

/* Pushes the key of the n-th change and a value that was not there before. The strings' keys are key1, key2 ... */
static void push_entry(const Bench *b, lua_State *L, uint64_t n) {
  lua_Integer i = (lua_Integer)(n * 7919 % (uint64_t)b->count) + 1;
  if (b->row->data != NULL && strcmp(b->row->data, "strings") == 0) {
    lua_pushfstring(L, "key%I", i);
    lua_pushfstring(L, "changed %I", (lua_Integer)n);
  } else {
    lua_pushinteger(L, i);
    lua_pushinteger(L, 1000000007 + (lua_Integer)n);
  }
}

static void change_before(Bench *b) {
  Change *C = b->own;
  hearth_stat stat = stores_stat(b, C->store);
  C->sequence = stat.storage.sequence;
  C->synced = stat.storage.synced;
  C->total_bytes = stat.storage.total_bytes;
  stores_push_home(b->L, C->store, "data");
}

static void change_run(Bench *b) {
  Change *C = b->own;
  push_entry(b, b->L, C->changed);
  lua_settable(b->L, -3);
  stores_commit(b, b->L, C->store, HEARTH_DURABLE);
}

static void change_check(Bench *b) {
  Change *C = b->own;
  hearth_stat stat = stores_stat(b, C->store);
  C->changed++;
  if (stat.storage.sequence != C->sequence + 1 || stat.storage.durable != stat.storage.sequence ||
      stat.storage.synced <= C->synced)
    bench_fail(b, "the change is not durable");
  bench_figure(b, "bytes", (double)stat.committed_bytes);
  if (stat.storage.total_bytes > C->total_bytes) C->size = (size_t)(stat.storage.total_bytes - C->total_bytes);
  free(C->bytes);
  C->bytes = bench_new(b, C->size);
  memset(C->bytes, (int)C->changed, C->size);
}

/* The walk of a commit that finds no change, then as many bytes as a change takes. */
static void walk_and_write_run(Bench *b) {
  Change *C = b->own;
  stores_commit(b, b->L, C->store, HEARTH_VISIBLE);
  raw_append(b, &C->raw, C->bytes, C->size);
}

static void walk_before(Bench *b) {
  Change *C = b->own;
  C->sequence = stores_stat(b, C->store).storage.sequence;
}

static void write_run(Bench *b) {
  Change *C = b->own;
  raw_append(b, &C->raw, C->bytes, C->size);
}

static void walk_check(Bench *b) {
  Change *C = b->own;
  if (stores_stat(b, C->store).storage.sequence != C->sequence) bench_fail(b, "a commit without a change wrote");
}

/* Every changed entry, in another Lua state. */
static void end(Bench *b) {
  Change *C = b->own;
  hearth_close(b->L, C->store);
  lua_State *L = luaL_newstate();
  hearth_store *again = stores_open(b, L, C->path, HEARTH_OPEN_READONLY);
  stores_push_home(L, again, "data");
  for (uint64_t n = 0; n < C->changed; n++) {
    if (n + (uint64_t)b->count < C->changed) continue; /* it was changed again */
    push_entry(b, L, n);
    lua_insert(L, -2);
    lua_gettable(L, -3);
    if (!lua_rawequal(L, -1, -2)) bench_fail(b, "change %d is not there after reopening", (int)n);
    lua_pop(L, 2);
  }
  hearth_close(L, again);
  lua_close(L);
  raw_close(b, &C->raw);
  free(C->bytes);
  free(C);
}

static const Contestant home[] = {{"Hearth", change_before, change_run, change_check},
                                  {"Hearth, uncollected", change_before, change_run, change_check},
                                  {"walk + write + fdatasync", walk_before, walk_and_write_run, walk_check},
                                  {"walk + write + fdatasync, uncollected", walk_before, walk_and_write_run,
                                   walk_check},
                                  {0}};
static const Contestant external[] = {{"Hearth", change_before, change_run, change_check},
                                      {"write + fdatasync", NULL, write_run, NULL},
                                      {0}};

const Row change_rows[] = {
    {"one change of integers, 10 thousand", "integers", 10000, home_begin, end, home},
    {"one change of integers, 100 thousand", "integers", 100000, home_begin, end, home},
    {"one change of integers, 1 million", "integers", 1000000, home_begin, end, home},
    {"one change of strings, 1 million", "strings", 1000000, home_begin, end, home},
    {"one change of an external table, 10 thousand", NULL, 10000, external_begin, end, external},
    {"one change of an external table, 100 thousand", NULL, 100000, external_begin, end, external},
    {"one change of an external table, 1 million", NULL, 1000000, external_begin, end, external},
    {0}};
