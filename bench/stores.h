/*
** What the rows about stores share.
*/
#ifndef HEARTH_BENCH_STORES_H
#define HEARTH_BENCH_STORES_H

#include "bench.h"

/* Opens; `path` NULL: in memory. */
hearth_store *stores_open(const Bench *b, lua_State *L, const char *path, unsigned flags);

/* [-1, +0] _home[name] = the value on the top. */
void stores_set_home(lua_State *L, hearth_store *S, const char *name);

/* [-0, +1] Pushes _home[name]. */
void stores_push_home(lua_State *L, hearth_store *S, const char *name);

void stores_commit(const Bench *b, lua_State *L, hearth_store *S, hearth_durability durability);

hearth_stat stores_stat(const Bench *b, hearth_store *S);

/* The bytes of a file that a commit would be compared with: written at its end, then fdatasync. */
typedef struct Raw {
  int file;
  uint64_t size;
} Raw;

void raw_open(const Bench *b, Raw *raw, const char *name);
void raw_append(const Bench *b, Raw *raw, const void *bytes, size_t size);
void raw_close(const Bench *b, Raw *raw);

#endif
