/*
** A commit beside an encoding of the same graph, in memory, so that nothing but the walk and what it writes counts.
*/
#include <stdlib.h>

#include "stores.h"

typedef struct Commits {
  hearth_store *store;
  uint64_t sequence; /* of the store's last batch before the sample */
} Commits;

static void begin(Bench *b) {
  Commits *C = b->own = bench_new(b, sizeof *C);
  C->store = stores_open(b, b->L, NULL, 0);
  lua_pushvalue(b->L, BENCH_VALUE);
  stores_set_home(b->L, C->store, "data");
  stores_commit(b, b->L, C->store, HEARTH_VISIBLE);
}

static void end(Bench *b) {
  Commits *C = b->own;
  hearth_close(b->L, C->store);
  free(C);
}

static void unchanged_before(Bench *b) {
  Commits *C = b->own;
  C->sequence = stores_stat(b, C->store).storage.sequence;
}

static void commit_run(Bench *b) {
  stores_commit(b, b->L, ((Commits *)b->own)->store, HEARTH_VISIBLE);
}

static void unchanged_check(Bench *b) {
  Commits *C = b->own;
  if (stores_stat(b, C->store).storage.sequence != C->sequence) bench_fail(b, "a commit without a change wrote");
}

static void encode_run(Bench *b) {
  hearth_error err;
  bench_ok(b, hearth_encode(b->L, BENCH_VALUE, NULL, &err), &err);
}

static void encode_check(Bench *b) {
  hearth_error err;
  size_t size;
  const char *bytes = lua_tolstring(b->L, -1, &size);
  bench_ok(b, hearth_decode(b->L, bytes, size, NULL, &err), &err);
  bench_check_value(b, 0);
}

/* A store of its own for each first commit. */
static void first_before(Bench *b) {
  Commits *C = b->own;
  hearth_close(b->L, C->store);
  C->store = stores_open(b, b->L, NULL, 0);
  lua_pushvalue(b->L, BENCH_VALUE);
  stores_set_home(b->L, C->store, "data");
}

static void first_check(Bench *b) {
  hearth_error err;
  Commits *C = b->own;
  unchanged_before(b);
  commit_run(b);
  unchanged_check(b);
  lua_pushnil(b->L);
  stores_set_home(b->L, C->store, "data");
  bench_ok(b, hearth_rollback(b->L, C->store, &err), &err);
  stores_push_home(b->L, C->store, "data");
  bench_check_value(b, 0);
}

/* After a collection an address no longer tells that a string is the same: large tables are looked at anew. */
static const Contestant unchanged[] = {{"Hearth", unchanged_before, commit_run, unchanged_check},
                                       {"Hearth, uncollected", unchanged_before, commit_run, unchanged_check},
                                       {"encode", NULL, encode_run, encode_check},
                                       {0}};
static const Contestant first[] = {{"Hearth", first_before, commit_run, first_check},
                                   {"encode", NULL, encode_run, encode_check},
                                   {0}};

#define UNCHANGED(set, count, words) {"commit walk " set words, set, count, begin, end, unchanged}
#define FIRST(set, count) {"first commit " set, set, count, begin, end, first}

const Row commit_rows[] = {
    UNCHANGED("integers", 100000, ""),
    UNCHANGED("floats", 100000, ""),
    UNCHANGED("records", 10000, ""),
    UNCHANGED("strings", 50000, ""),
    UNCHANGED("long_strings", 1000, ""),
    UNCHANGED("document", 0, ""),
    UNCHANGED("graph", 50000, ""),
    UNCHANGED("integers", 10000, ", 10 thousand"),
    UNCHANGED("integers", 100000, ", 100 thousand"),
    UNCHANGED("integers", 1000000, ", 1 million"),
    UNCHANGED("strings", 10000, ", 10 thousand"),
    UNCHANGED("strings", 100000, ", 100 thousand"),
    UNCHANGED("strings", 1000000, ", 1 million"),
    UNCHANGED("records", 10000, ", 10 thousand"),
    UNCHANGED("records", 100000, ", 100 thousand"),
    FIRST("integers", 100000),
    FIRST("records", 10000),
    FIRST("strings", 50000),
    {0}};
