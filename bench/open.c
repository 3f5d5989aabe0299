/*
** Opening a store in a file beside decoding a blob of the same table, each in a new Lua state. What came is compared by
** a digest of all keys and values.
*/
#include <stdlib.h>

#include <lualib.h>

#include "stores.h"

typedef struct Open {
  char path[BENCH_PATH];
  lua_State *L; /* of the sample */
  hearth_store *store;
  uint64_t expected; /* digest of the value */
} Open;

enum { NOTE_BLOB = 1 };

static uint64_t hash_string(lua_State *L, int index) {
  size_t size;
  const char *s = lua_tolstring(L, index, &size);
  uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
  return hash;
}

/* Of all entries of the table of strings at the top, in whatever order they come. */
static uint64_t digest(lua_State *L) {
  uint64_t sum = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    sum += hash_string(L, -2) * 3 + (hash_string(L, -2) ^ hash_string(L, -1)) * 5;
  return sum;
}

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
  lua_pushvalue(L, BENCH_VALUE);
  O->expected = digest(L);
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

static void check(Bench *b) {
  Open *O = b->own;
  if (O->store != NULL) hearth_push_home(O->L, O->store);
  if (digest(O->L) != O->expected) bench_fail(b, "what came is not what was stored");
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
