/*
** Lua's memory: small blocks come from lists, one a size, others from malloc. Lua says how large a block is that it
** gives back, so blocks need no header, and most of what Lua asks for is small.
*/
#ifndef HEARTH_JS_POOL_H
#define HEARTH_JS_POOL_H

#include <stddef.h>

#define POOL_STEP 8     /* sizes are rounded up to a multiple */
#define POOL_LARGEST 512

typedef struct PoolBlock {
  struct PoolBlock *next;
} PoolBlock;

typedef struct Pool {
  PoolBlock *free[POOL_LARGEST / POOL_STEP + 1];
  PoolBlock *chunks;  /* what malloc gave, to be given back at the end */
  unsigned char *next, *end; /* of the newest chunk: not handed out yet */
} Pool;

/* A lua_Alloc; `ud` is the Pool, zeroed at the beginning. */
void *pool_alloc(void *ud, void *ptr, size_t osize, size_t nsize);

/* After the Lua state was closed. */
void pool_free(Pool *p);

#endif
