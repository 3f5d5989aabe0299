/*
** Encoding and decoding: Hearth, the floors, and the peers, of each data set.
*/
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "floor.h"

#define TEXT_TOLERANCE 1e-13 /* cjson writes 14 digits */

typedef struct Codec {
  unsigned char *flat;
  size_t flat_room, flat_size;
  Seen seen;
  Plan *plan;
  size_t tables, values;
} Codec;

static void measure(Bench *b) {
  Codec *C = b->own = bench_new(b, sizeof *C);
  lua_State *L = b->L;
  bench_push_data(b, L, "measure");
  lua_pushvalue(L, BENCH_VALUE);
  bench_call(b, L, 1, 3);
  C->tables = (size_t)lua_tointeger(L, -3);
  C->values = (size_t)lua_tointeger(L, -2);
  C->flat_room = 9 * C->values + (size_t)lua_tointeger(L, -1) + 8 * C->tables;
  lua_pop(L, 3);
}

static void codec_end(Bench *b) {
  Codec *C = b->own;
  free(C->flat);
  seen_free(&C->seen);
  plan_free(C->plan);
  free(C);
}

/* Keeps the string on the top under the name, or compares it with the one that is there. True: it is the first. */
static bool first_of(Bench *b, const char *name) {
  lua_State *L = b->L;
  bool first = lua_getfield(L, BENCH_NOTES, name) == LUA_TNIL;
  if (!first && !lua_rawequal(L, -1, -2)) bench_fail(b, "%s: not the same bytes again", name);
  lua_pop(L, 1);
  if (!first) return false;
  lua_pushvalue(L, -1);
  lua_setfield(L, BENCH_NOTES, name);
  return true;
}

/* --------------------------------------------------------------- Hearth */

static void hearth_encode_run(Bench *b) {
  hearth_error err;
  bench_ok(b, hearth_encode(b->L, BENCH_VALUE, NULL, &err), &err);
}

static void push_decoded(Bench *b, int index) {
  hearth_error err;
  size_t size;
  const char *bytes = lua_tolstring(b->L, index, &size);
  bench_ok(b, hearth_decode(b->L, bytes, size, NULL, &err), &err);
}

static void hearth_encode_check(Bench *b) {
  bench_figure(b, "bytes", (double)lua_rawlen(b->L, -1));
  if (!first_of(b, "Hearth")) return;
  push_decoded(b, -1);
  bench_check_value(b, 0);
}

static void hearth_decode_before(Bench *b) {
  if (lua_getfield(b->L, BENCH_NOTES, "Hearth") != LUA_TNIL) return;
  hearth_encode_run(b);
  lua_pushvalue(b->L, -1);
  lua_setfield(b->L, BENCH_NOTES, "Hearth");
}

static void hearth_decode_run(Bench *b) {
  push_decoded(b, -1);
}

static void exact_check(Bench *b) {
  bench_check_value(b, 0);
}

/* ---------------------------------------------------------------- floors */

static void flat_begin(Bench *b) {
  measure(b);
  Codec *C = b->own;
  C->flat = bench_new(b, C->flat_room);
  memset(C->flat, 1, C->flat_room); /* so that its pages are there */
  seen_init(&C->seen, C->tables);
  if (C->seen.slots == NULL) bench_fail(b, "no memory");
}

static void walk_run(Bench *b) {
  Codec *C = b->own;
  C->flat_size = (size_t)(floor_walk(b->L, BENCH_VALUE, C->flat, NULL) - C->flat);
}

static void walk_seen_before(Bench *b) {
  seen_clear(&((Codec *)b->own)->seen);
}

/* A collection makes Lua's stack small. */
static void walk_graph_before(Bench *b) {
  Codec *C = b->own;
  seen_clear(&C->seen);
  if (!lua_checkstack(b->L, (int)C->tables + LUA_MINSTACK)) bench_fail(b, "too many tables for Lua's stack");
}

static void walk_seen_run(Bench *b) {
  Codec *C = b->own;
  C->flat_size = (size_t)(floor_walk(b->L, BENCH_VALUE, C->flat, &C->seen) - C->flat);
}

static void walk_graph_run(Bench *b) {
  Codec *C = b->own;
  C->flat_size = (size_t)(floor_walk_graph(b->L, BENCH_VALUE, C->flat, &C->seen) - C->flat);
}

/* The bytes cannot be decoded; that they are there, and as many as the value has, must do. */
static void walk_check(Bench *b) {
  Codec *C = b->own;
  if (C->flat_size < C->values / 2 + C->tables || C->flat_size > C->flat_room)
    bench_fail(b, "the floor wrote %zu bytes for %zu values", C->flat_size, C->values);
  bench_figure(b, "bytes", (double)C->flat_size);
}

static void walk_seen_check(Bench *b) {
  Codec *C = b->own;
  if (C->seen.met != C->tables) bench_fail(b, "the floor met %u of %zu tables", C->seen.met, C->tables);
  walk_check(b);
}

static void plan_begin(Bench *b) {
  measure(b);
  Codec *C = b->own;
  C->plan = plan_make(b->L, BENCH_VALUE, C->tables, C->values);
  if (C->plan == NULL) bench_fail(b, "no plan");
}

static void build_run(Bench *b) {
  plan_build(((const Codec *)b->own)->plan, b->L);
}

/* ----------------------------------------------------------------- peers */

/* Leaves the function and its argument on the stack: the value, or what the peer made of it. */
static void push_peer(Bench *b, const char *peer, const char *function) {
  lua_State *L = b->L;
  lua_getfield(L, BENCH_PEERS, peer);
  lua_getfield(L, -1, function);
  lua_remove(L, -2);
}

static void peer_encode_before(Bench *b, const char *peer, const char *encode) {
  push_peer(b, peer, encode);
  lua_pushvalue(b->L, BENCH_VALUE);
}

static void peer_run(Bench *b) {
  lua_call(b->L, 1, 1);
}

static void peer_encode_check(Bench *b, const char *peer, const char *decode, double tolerance) {
  bench_figure(b, "bytes", (double)lua_rawlen(b->L, -1));
  if (!first_of(b, peer)) return;
  push_peer(b, peer, decode);
  lua_insert(b->L, -2);
  bench_call(b, b->L, 1, 1);
  bench_check_value(b, tolerance);
}

static void peer_decode_before(Bench *b, const char *peer, const char *encode, const char *decode) {
  lua_State *L = b->L;
  push_peer(b, peer, decode);
  if (lua_getfield(L, BENCH_NOTES, peer) != LUA_TNIL) return;
  lua_pop(L, 1);
  peer_encode_before(b, peer, encode);
  bench_call(b, L, 1, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, BENCH_NOTES, peer);
}

static void cjson_encode_before(Bench *b) {
  peer_encode_before(b, "cjson", "encode");
}

static void cjson_encode_check(Bench *b) {
  peer_encode_check(b, "cjson", "decode", TEXT_TOLERANCE);
}

static void cjson_decode_before(Bench *b) {
  peer_decode_before(b, "cjson", "encode", "decode");
}

static void cjson_decode_check(Bench *b) {
  bench_check_value(b, TEXT_TOLERANCE);
}

static void messagepack_encode_before(Bench *b) {
  peer_encode_before(b, "MessagePack", "pack");
}

static void messagepack_encode_check(Bench *b) {
  peer_encode_check(b, "MessagePack", "unpack", 0);
}

static void messagepack_decode_before(Bench *b) {
  peer_decode_before(b, "MessagePack", "pack", "unpack");
}

/* ------------------------------------------------------------------ rows */

#define ENCODE {"Hearth", NULL, hearth_encode_run, hearth_encode_check}
#define WALK {"floor", NULL, walk_run, walk_check}
#define WALK_SEEN {"floor with identity", walk_seen_before, walk_seen_run, walk_seen_check}
#define WALK_GRAPH {"floor with identity", walk_graph_before, walk_graph_run, walk_seen_check}
#define DECODE {"Hearth", hearth_decode_before, hearth_decode_run, exact_check}
#define BUILD {"floor", NULL, build_run, exact_check}

static const Contestant encode_all[] = {
    ENCODE, WALK, WALK_SEEN, {"cjson", cjson_encode_before, peer_run, cjson_encode_check},
    {"MessagePack", messagepack_encode_before, peer_run, messagepack_encode_check}, {0}};
static const Contestant encode_graph[] = {ENCODE, WALK_GRAPH, {0}}; /* no other knows identity */
static const Contestant encode_growth[] = {ENCODE, WALK, {0}};
static const Contestant decode_all[] = {
    DECODE, BUILD, {"cjson", cjson_decode_before, peer_run, cjson_decode_check},
    {"MessagePack", messagepack_decode_before, peer_run, exact_check}, {0}};
static const Contestant decode_alone[] = {DECODE, BUILD, {0}};

#define BOTH(set, count)                                                                       \
  {"encode " set, set, count, flat_begin, codec_end, encode_all},                              \
      {"decode " set, set, count, plan_begin, codec_end, decode_all}
#define GROWTH(set, count, words)                                                              \
  {"encode " set ", " words, set, count, flat_begin, codec_end, encode_growth},                \
      {"decode " set ", " words, set, count, plan_begin, codec_end, decode_alone}

const Row codec_rows[] = {
    BOTH("integers", 100000),
    BOTH("floats", 100000),
    BOTH("records", 10000),
    BOTH("strings", 50000),
    BOTH("long_strings", 1000),
    BOTH("document", 0),
    {"encode graph", "graph", 50000, flat_begin, codec_end, encode_graph},
    {"decode graph", "graph", 50000, plan_begin, codec_end, decode_alone},
    GROWTH("integers", 10000, "10 thousand"),
    GROWTH("integers", 100000, "100 thousand"),
    GROWTH("integers", 1000000, "1 million"),
    GROWTH("strings", 10000, "10 thousand"),
    GROWTH("strings", 100000, "100 thousand"),
    GROWTH("strings", 1000000, "1 million"),
    GROWTH("records", 10000, "10 thousand"),
    GROWTH("records", 100000, "100 thousand"),
    {0}};
