/*
** The benchmark's program. It holds rows; a row is one thing to do, and its contestants do it, each in its own way. The
** program does what bench/run.py tells it to, a line each: begin a row, take one sample of one contestant, end the
** row. So several programs (another revision of the library, another VM) can take turns sample by sample.
**
** Every sample is checked: what fails ends the program with a message.
*/
#ifndef HEARTH_BENCH_H
#define HEARTH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "hearth.h"

typedef struct Row Row;

/* One row at work. Its Lua state has at these indices: */
enum { BENCH_DATA = 1, /* what data.lua returned */
       BENCH_PEERS,    /* the peers' functions */
       BENCH_VALUE,    /* the row's value, or nil */
       BENCH_NOTES,    /* a table of the row's own */
       BENCH_TOP = BENCH_NOTES };

#define BENCH_MOST_FIGURES 8

typedef struct Bench {
  const Row *row;
  const char *sources; /* the folder of bench/ */
  const char *folder;  /* for files of the rows, on the disk that is measured */
  lua_State *L;
  lua_Integer most;    /* no row has more entries; a test needs few */
  lua_Integer count;   /* entries of the row */
  void *own;           /* the row's */
  uint64_t sample;     /* how many were taken before this one */
  struct {
    const char *name;
    double value;
  } figures[BENCH_MOST_FIGURES]; /* of this sample, beside its time */
  int figure_count;
} Bench;

typedef struct Contestant {
  const char *name;             /* NULL: the end of the list. "..., uncollected": no collection before its samples */
  void (*before)(Bench *b);     /* not timed; NULL: none. What it pushes is popped after the sample */
  void (*run)(Bench *b);        /* timed, with Lua's collector stopped; NULL: there are figures and no time */
  void (*check)(Bench *b);      /* not timed */
} Contestant;

struct Row {
  const char *name;
  const char *data;             /* a set of data.lua, or NULL */
  lua_Integer count;            /* entries of it */
  void (*begin)(Bench *b);      /* NULL: none */
  void (*end)(Bench *b);        /* NULL: none. Checks what can be checked only at the end */
  const Contestant *contestants;
};

/* The rows of one area; the last has no name. */
extern const Row codec_rows[], closure_rows[], commit_rows[], change_rows[], batch_rows[], open_rows[],
    external_rows[], memory_rows[];

/* Runs the contestant: what callgrind counts. In a file of its own, so that no call of it disappears. */
void bench_timed(Bench *b, const Contestant *c);

/* Ends the program. */
_Noreturn void bench_fail(const Bench *b, const char *format, ...);

/* So many bytes, 0 in all of them. */
void *bench_new(const Bench *b, size_t size);

/* Fails unless status is OK. */
void bench_ok(const Bench *b, hearth_status status, const hearth_error *err);

/* Tells a figure of this sample. `name` is kept. */
void bench_figure(Bench *b, const char *name, double value);

/* Calls the function below its arguments; failing fails. */
void bench_call(const Bench *b, lua_State *L, int nargs, int nresults);

/* Pushes a field of data.lua. */
void bench_push_data(const Bench *b, lua_State *L, const char *name);

/* Is the value on the top the row's value? Pops it. */
void bench_check_value(Bench *b, double tolerance);

/* A Lua state with the standard library, and with data.lua at BENCH_DATA. */
lua_State *bench_new_state(const Bench *b, lua_Alloc alloc, void *ud);

/* Pushes the row's data set with so many entries. */
void bench_push_set(const Bench *b, lua_State *L, lua_Integer count);

/* A path for a file of the row, in `out` of BENCH_PATH bytes. What has that name, or one that it begins, is removed. */
#define BENCH_PATH 512
void bench_path(const Bench *b, const char *name, char *out);

#endif
