/*
** Opening a store in a file beside decoding a blob of the same table, each in a new Lua state.
*/
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "stores.h"

typedef struct Open {
  char path[BENCH_PATH];
  lua_State *L; /* of the sample */
  hearth_store *store;
} Open;

enum { NOTE_BLOB = 1 };

static void begin(Bench *b) {
  Open *O = b->own = bench_new(b, sizeof *O);
  lua_State *L = b->L;
  hearth_error err;
  bench_path(b, "open.hearth", O->path);
  hearth_store *S = stores_open(b, L, O->path, 0);
  hearth_push_home(L, S);
  lua_pushnil(L);
  while (lua_next(L, BENCH_VALUE)) { /* the home table itself has the entries */
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  stores_commit(b, L, S, HEARTH_DURABLE);
  hearth_close(L, S);
  bench_ok(b, hearth_encode(L, BENCH_VALUE, NULL, &err), &err);
  lua_rawseti(L, BENCH_NOTES, NOTE_BLOB);
}

static void end(Bench *b) {
  free(b->own);
}

static void before(Bench *b) {
  Open *O = b->own;
  O->L = luaL_newstate();
  if (O->L == NULL) bench_fail(b, "no memory");
  luaL_openlibs(O->L);
  O->store = NULL;
  lua_rawgeti(b->L, BENCH_NOTES, NOTE_BLOB);
}

static void open_run(Bench *b) {
  Open *O = b->own;
  O->store = stores_open(b, O->L, O->path, 0);
}

static void open_readonly_run(Bench *b) {
  Open *O = b->own;
  O->store = stores_open(b, O->L, O->path, HEARTH_OPEN_READONLY);
}

static void decode_run(Bench *b) {
  hearth_error err;
  size_t size;
  const char *bytes = lua_tolstring(b->L, -1, &size);
  bench_ok(b, hearth_decode(((Open *)b->own)->L, bytes, size, NULL, &err), &err);
}

static const char *other_string(lua_State *from, int index, lua_State *to) {
  size_t size;
  const char *s = lua_tolstring(from, index, &size);
  return lua_pushlstring(to, s, size);
}

/* Has the table on the top of the other state the strings of the row's value? */
static void compare_strings(Bench *b, lua_State *there) {
  lua_State *L = b->L;
  lua_Integer found = 0, expected = 0;
  lua_pushnil(L);
  while (lua_next(L, BENCH_VALUE)) {
    (void)other_string(L, -2, there);
    (void)other_string(L, -1, there);
    lua_rotate(there, -2, 1);
    lua_rawget(there, -3);
    if (!lua_rawequal(there, -1, -2)) bench_fail(b, "'%s' is not what was stored", lua_tostring(L, -2));
    lua_pop(there, 2);
    lua_pop(L, 1);
    expected++;
  }
  for (lua_pushnil(there); lua_next(there, -2); lua_pop(there, 1)) found++;
  if (found != expected) bench_fail(b, "%d entries, not %d", (int)found, (int)expected);
}

static void check(Bench *b) {
  Open *O = b->own;
  if (O->store != NULL) hearth_push_home(O->L, O->store);
  compare_strings(b, O->L);
  if (O->store != NULL) hearth_close(O->L, O->store);
  lua_close(O->L);
}

static const Contestant contestants[] = {{"Hearth", before, open_run, check},
                                         {"Hearth, read-only", before, open_readonly_run, check},
                                         {"decode", before, decode_run, check},
                                         {0}};

const Row open_rows[] = {{"open, 10 thousand", "home", 10000, begin, end, contestants},
                         {"open, 100 thousand", "home", 100000, begin, end, contestants},
                         {"open, 1 million", "home", 1000000, begin, end, contestants},
                         {0}};
