/*
** Closures of one prototype: Hearth, making each from one loaded chunk, and loading each.
*/
#include "bench.h"

/* The text of sets.closures' function; the chunk's own locals become the upvalues. */
static const char maker_text[] = "local n, step\nreturn function(x)\n n = n + x * step\n return n\nend\n";

enum { NOTE_MAKER = 1, NOTE_DUMP, NOTE_BLOB };

static void begin(Bench *b) {
  lua_State *L = b->L;
  hearth_error err;
  if (luaL_loadbufferx(L, maker_text, sizeof maker_text - 1, "=closures", "t") != LUA_OK)
    bench_fail(b, "%s", lua_tostring(L, -1));
  lua_rawseti(L, BENCH_NOTES, NOTE_MAKER);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "dump");
  lua_rawgeti(L, BENCH_VALUE, 1);
  bench_call(b, L, 1, 1);
  lua_rawseti(L, BENCH_NOTES, NOTE_DUMP);
  hearth_codec_options options = {.size = sizeof options, .flags = HEARTH_TRUSTED};
  bench_ok(b, hearth_encode(L, BENCH_VALUE, &options, &err), &err);
  lua_rawseti(L, BENCH_NOTES, NOTE_BLOB);
}

static void encode_run(Bench *b) {
  hearth_error err;
  bench_ok(b, hearth_encode(b->L, BENCH_VALUE, NULL, &err), &err);
}

static void decode_top(Bench *b) {
  hearth_codec_options options = {.size = sizeof options, .flags = HEARTH_TRUSTED};
  hearth_error err;
  size_t size;
  const char *bytes = lua_tolstring(b->L, -1, &size);
  bench_ok(b, hearth_decode(b->L, bytes, size, &options, &err), &err);
}

static void check(Bench *b) {
  bench_push_data(b, b->L, "same_closures");
  lua_insert(b->L, -2);
  lua_pushinteger(b->L, b->count);
  bench_call(b, b->L, 2, 0);
}

static void encode_check(Bench *b) {
  bench_figure(b, "bytes", (double)lua_rawlen(b->L, -1));
  decode_top(b);
  check(b);
}

static void decode_before(Bench *b) {
  lua_rawgeti(b->L, BENCH_NOTES, NOTE_BLOB);
}

/* Fills the new function on the top, the i-th: its own upvalue, and the one that the first has. */
static void fill(lua_State *L, int list, lua_Integer i) {
  lua_pushinteger(L, i);
  lua_setupvalue(L, -2, 1);
  if (i == 1) {
    lua_pushinteger(L, 3);
    lua_setupvalue(L, -2, 2);
  } else {
    lua_rawgeti(L, list, 1);
    lua_upvaluejoin(L, -2, 2, -1, 2);
    lua_pop(L, 1);
  }
  lua_rawseti(L, list, i);
}

static void make_before(Bench *b) {
  lua_rawgeti(b->L, BENCH_NOTES, NOTE_MAKER);
}

static void make_run(Bench *b) {
  lua_State *L = b->L;
  int maker = lua_gettop(L), list = maker + 1;
  lua_createtable(L, (int)b->count, 0);
  for (lua_Integer i = 1; i <= b->count; i++) {
    lua_pushvalue(L, maker);
    lua_call(L, 0, 1);
    fill(L, list, i);
  }
}

static void load_before(Bench *b) {
  lua_rawgeti(b->L, BENCH_NOTES, NOTE_DUMP);
}

static void load_run(Bench *b) {
  lua_State *L = b->L;
  size_t size;
  const char *dump = lua_tolstring(L, -1, &size);
  lua_createtable(L, (int)b->count, 0);
  int list = lua_gettop(L);
  for (lua_Integer i = 1; i <= b->count; i++) {
    if (luaL_loadbufferx(L, dump, size, "closures", "b") != LUA_OK) bench_fail(b, "%s", lua_tostring(L, -1));
    fill(L, list, i);
  }
}

static const Contestant encode[] = {{"Hearth", NULL, encode_run, encode_check}, {0}};
static const Contestant decode[] = {{"Hearth", decode_before, decode_top, check},
                                    {"floor", make_before, make_run, check},
                                    {"one lua_load each", load_before, load_run, check},
                                    {0}};

const Row closure_rows[] = {{"encode closures", "closures", 10000, begin, NULL, encode},
                            {"decode closures", "closures", 10000, begin, NULL, decode},
                            {0}};
