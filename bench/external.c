/*
** One entry of an external table, read and written from Lua, beside calling an empty C function; and read where no
** cache has it, beside pread and building the value.
**
** Each sample is a loop in Lua. What the loop itself costs is measured as well, and the report takes it off.
*/
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stores.h"

#define LOOPS 20000
#define CACHED 64 /* keys that are read and written again and again */
#define VALUE_SIZE 100
#define VALUE_FORMAT "value %094d"

typedef struct External {
  hearth_store *store;
  int file;        /* the same values, one behind the other */
  uint64_t writes;
  const char *loop;
} External;

enum { NOTE_TABLE = 1, NOTE_EMPTY, NOTE_PREAD };

/* `t` is the table or the function, `n` how many entries there are. The stride is a prime: it comes to each. */
static const char loop_cached[] = "local t, n = ... local v for i = 1, 20000 do local k = i & 63 v = k end return v";
static const char call_cached[] = "local t, n = ... local v for i = 1, 20000 do local k = i & 63 v = t(k) end return v";
static const char read_cached[] = "local t, n = ... local v for i = 1, 20000 do local k = i & 63 v = t[k] end return v";
static const char write_cached[] =
    "local t, n, s = ... for i = 1, 20000 do local k = i & 63 t[k] = s end return s";
static const char loop_wide[] =
    "local t, n = ... local v for i = 1, 20000 do local k = i * 7919 % n v = k end return v";
static const char call_wide[] =
    "local t, n = ... local v for i = 1, 20000 do local k = i * 7919 % n v = t(k) end return v";
static const char read_wide[] =
    "local t, n = ... local v for i = 1, 20000 do local k = i * 7919 % n v = t[k] end return v";

static int empty(lua_State *L) {
  (void)L;
  return 0;
}

static int read_plainly(lua_State *L) {
  char bytes[VALUE_SIZE];
  int file = (int)lua_tointeger(L, lua_upvalueindex(1));
  if (pread(file, bytes, sizeof bytes, (off_t)lua_tointeger(L, 1) * VALUE_SIZE) != VALUE_SIZE)
    return luaL_error(L, "pread: %s", strerror(errno));
  lua_pushlstring(L, bytes, sizeof bytes);
  return 1;
}

static void make_entries(Bench *b, lua_State *L) {
  External *X = b->own;
  char value[VALUE_SIZE + 1];
  for (lua_Integer i = 0; i < b->count; i++) {
    (void)snprintf(value, sizeof value, VALUE_FORMAT, (int)i);
    if (pwrite(X->file, value, VALUE_SIZE, (off_t)i * VALUE_SIZE) != VALUE_SIZE) bench_fail(b, "the plain file");
    lua_pushlstring(L, value, VALUE_SIZE);
    lua_seti(L, -2, i);
  }
}

static void begin(Bench *b) {
  External *X = b->own = bench_new(b, sizeof *X);
  lua_State *L = b->L;
  char path[BENCH_PATH];
  hearth_error err;
  bench_path(b, "external.raw", path);
  X->file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  bench_path(b, "external.hearth", path);
  X->store = stores_open(b, L, path, 0);
  bench_ok(b, hearth_push_table(L, X->store, &err), &err);
  make_entries(b, L);
  lua_pushvalue(L, -1);
  lua_rawseti(L, BENCH_NOTES, NOTE_TABLE);
  stores_set_home(L, X->store, "data");
  stores_commit(b, L, X->store, HEARTH_DURABLE);
  lua_pushcfunction(L, empty);
  lua_rawseti(L, BENCH_NOTES, NOTE_EMPTY);
  lua_pushinteger(L, X->file);
  lua_pushcclosure(L, read_plainly, 1);
  lua_rawseti(L, BENCH_NOTES, NOTE_PREAD);
}

static void prepare(Bench *b, const char *text, lua_Integer subject) {
  lua_State *L = b->L;
  if (luaL_loadstring(L, text) != LUA_OK) bench_fail(b, "%s", lua_tostring(L, -1));
  lua_rawgeti(L, BENCH_NOTES, subject);
  lua_pushinteger(L, b->count);
  lua_pushliteral(L, "value that is short");
}

static void run(Bench *b) {
  lua_call(b->L, 3, 1);
}

static void loop_before(Bench *b) {
  prepare(b, loop_cached, NOTE_TABLE);
}

static void call_before(Bench *b) {
  prepare(b, call_cached, NOTE_EMPTY);
}

static void read_before(Bench *b) {
  prepare(b, read_cached, NOTE_TABLE);
  lua_pushvalue(b->L, -4);
  for (int i = 1; i <= 3; i++) lua_pushvalue(b->L, -4);
  bench_call(b, b->L, 3, 0); /* once, so that the cache has them */
}

static void write_before(Bench *b) {
  prepare(b, write_cached, NOTE_TABLE);
}

static void loop_wide_before(Bench *b) {
  prepare(b, loop_wide, NOTE_TABLE);
}

static void pread_before(Bench *b) {
  prepare(b, call_wide, NOTE_PREAD);
}

static void read_wide_before(Bench *b) {
  prepare(b, read_wide, NOTE_TABLE);
}

/* The last key's value came; and the values of all that the loop read, looked at again. */
static void check_read(Bench *b, lua_Integer last) {
  char value[VALUE_SIZE + 1];
  (void)snprintf(value, sizeof value, VALUE_FORMAT, (int)last);
  if (strcmp(lua_tostring(b->L, -1), value) != 0) bench_fail(b, "entry %d is '%s'", (int)last, lua_tostring(b->L, -1));
}

static void check_entries(Bench *b, lua_Integer stride, lua_Integer most) {
  lua_State *L = b->L;
  lua_rawgeti(L, BENCH_NOTES, NOTE_TABLE);
  for (lua_Integer i = 1; i <= most; i++) {
    lua_Integer key = i * stride % b->count;
    lua_geti(L, -1, key);
    check_read(b, key);
    lua_pop(L, 1);
  }
}

static void read_check(Bench *b) {
  check_read(b, LOOPS & (CACHED - 1));
  check_entries(b, 1, CACHED - 1);
}

static void read_wide_check(Bench *b) {
  check_read(b, (lua_Integer)LOOPS * 7919 % b->count);
  check_entries(b, 7919, 100);
}

static void pread_check(Bench *b) {
  check_read(b, (lua_Integer)LOOPS * 7919 % b->count);
}

/* What was written is read; then it goes, so that what is stored is read again. */
static void write_check(Bench *b) {
  hearth_error err;
  lua_State *L = b->L;
  lua_rawgeti(L, BENCH_NOTES, NOTE_TABLE);
  for (lua_Integer i = 0; i < CACHED; i++) {
    lua_geti(L, -1, i);
    if (strcmp(luaL_checkstring(L, -1), "value that is short") != 0) bench_fail(b, "what was written is not there");
    lua_pop(L, 1);
  }
  bench_ok(b, hearth_rollback(L, ((External *)b->own)->store, &err), &err);
}

static void end(Bench *b) {
  External *X = b->own;
  hearth_close(b->L, X->store);
  close(X->file);
  free(X);
}

static const Contestant cached[] = {{"read", read_before, run, read_check},
                                    {"write", write_before, run, write_check},
                                    {"empty C function", call_before, run, NULL},
                                    {"loop", loop_before, run, NULL},
                                    {0}};
static const Contestant uncached[] = {{"read", read_wide_before, run, read_wide_check},
                                      {"pread + build", pread_before, run, pread_check},
                                      {"loop", loop_wide_before, run, NULL},
                                      {0}};

const Row external_rows[] = {
    {"external table, 20000 cached accesses", NULL, 100000, begin, end, cached},
    {"external table, 20000 uncached reads, 10 thousand", NULL, 10000, begin, end, uncached},
    {"external table, 20000 uncached reads, 100 thousand", NULL, 100000, begin, end, uncached},
    {"external table, 20000 uncached reads, 1 million", NULL, 1000000, begin, end, uncached},
    {0}};
