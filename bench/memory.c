/*
** Memory: what is asked of the allocator while encoding and while opening, at its most, beside what must be there.
*/
#include <stdlib.h>
#include <sys/stat.h>

#include <lualib.h>

#include "stores.h"

typedef struct Memory {
  size_t used, most; /* bytes */
} Memory;

static void *counted(void *ud, void *ptr, size_t osize, size_t nsize) {
  Memory *m = ud;
  if (ptr == NULL) osize = 0; /* it is a type then */
  if (nsize == 0) {
    m->used -= osize;
    free(ptr);
    return NULL;
  }
  void *p = realloc(ptr, nsize);
  if (p == NULL) return NULL;
  m->used += nsize - osize;
  if (m->used > m->most) m->most = m->used;
  return p;
}

/* From here on; a collection first, so that what was needed before does not count. */
static size_t count_from_here(lua_State *L, Memory *m) {
  lua_gc(L, LUA_GCCOLLECT);
  m->most = m->used;
  return m->used;
}

static void encode_check(Bench *b) {
  Memory m = {0, 0};
  hearth_error err;
  lua_State *L = bench_new_state(b, counted, &m);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson"); /* the document's set needs it */
  bench_call(b, L, 1, 0);
  bench_push_set(b, L, b->count);
  int value = lua_gettop(L);
  bench_push_data(b, L, "measure");
  lua_pushvalue(L, value);
  bench_call(b, L, 1, 3);
  double objects = (double)lua_tointeger(L, -3);
  lua_settop(L, value);
  bench_ok(b, hearth_encode(L, value, NULL, &err), &err); /* what is made once for a state is there */
  lua_settop(L, value);
  size_t before = count_from_here(L, &m);
  bench_ok(b, hearth_encode(L, value, NULL, &err), &err);
  bench_figure(b, "peak", (double)(m.most - before));
  bench_figure(b, "output", (double)lua_rawlen(L, -1));
  bench_figure(b, "objects", objects);
  lua_close(L);
}

static void open_check(Bench *b) {
  Memory m = {0, 0};
  char path[BENCH_PATH];
  struct stat file;
  hearth_error err;
  bench_path(b, "memory.hearth", path);
  hearth_store *S = stores_open(b, b->L, path, 0);
  lua_pushvalue(b->L, BENCH_VALUE);
  stores_set_home(b->L, S, "data");
  stores_commit(b, b->L, S, HEARTH_DURABLE);
  uint64_t live = stores_stat(b, S).storage.live_bytes;
  hearth_close(b->L, S);
  if (stat(path, &file) != 0) bench_fail(b, "%s is not there", path);

  bench_ok(b, hearth_encode(b->L, BENCH_VALUE, NULL, &err), &err);
  size_t size;
  const char *bytes = lua_tolstring(b->L, -1, &size);
  lua_State *L = lua_newstate(counted, &m);
  luaL_openlibs(L);
  bench_ok(b, hearth_decode(L, "", 0, NULL, &err) != HEARTH_OK ? HEARTH_OK : HEARTH_INVALID, &err);
  size_t before = count_from_here(L, &m);
  bench_ok(b, hearth_decode(L, bytes, size, NULL, &err), &err);
  lua_gc(L, LUA_GCCOLLECT);
  size_t values = m.used - before;
  lua_settop(L, 0);

  before = count_from_here(L, &m);
  S = stores_open(b, L, path, 0);
  bench_figure(b, "peak", (double)(m.most - before));
  lua_gc(L, LUA_GCCOLLECT);
  bench_figure(b, "kept", (double)(m.used - before));
  bench_figure(b, "values", (double)values);
  bench_figure(b, "bytes", (double)live);
  hearth_close(L, S);
  lua_close(L);
}

static const Contestant encode[] = {{"Hearth", NULL, NULL, encode_check}, {0}};
static const Contestant open[] = {{"Hearth", NULL, NULL, open_check}, {0}};

const Row memory_rows[] = {{"memory of encoding integers", "integers", 100000, NULL, NULL, encode},
                           {"memory of encoding records", "records", 10000, NULL, NULL, encode},
                           {"memory of encoding strings", "strings", 50000, NULL, NULL, encode},
                           {"memory of encoding long_strings", "long_strings", 1000, NULL, NULL, encode},
                           {"memory of encoding graph", "graph", 50000, NULL, NULL, encode},
                           {"memory of encoding document", "document", 0, NULL, NULL, encode},
                           {"memory of opening strings", "strings", 100000, NULL, NULL, open},
                           {"memory of opening records", "records", 10000, NULL, NULL, open},
                           {0}};
