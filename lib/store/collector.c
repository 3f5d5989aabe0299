/*
** Lua's collector around a commit or a load, which stops it. When it is restarted it has forgotten how much the program
** may allocate before its next step: it would begin a cycle after every commit, and whoever commits often would
** pay for a collector that never rests. So we keep account of it: as long as what the program allocates stays below
** what it was allowed, the rest of that is given back after the next commit. Once per cycle it is allowed a share of
** the heap anew, less than Lua itself allows (its pause is the whole heap), so that garbage never waits longer for us.
*/
#include "store.h"

#define SHARE 8 /* of the heap: 1/8 */
#define MOST_CREDIT ((int64_t)1 << 30)

static int64_t allocated(lua_State *L) {
  return (int64_t)lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB);
}

void collector_resume(lua_State *L, hearth_store *S, bool passed) {
  int64_t now = allocated(L);
  int64_t credit = S->credit - (now - S->allocated);
  if (S->credit <= 0 || credit <= 0) credit = passed ? now / SHARE : 0;
  if (credit > MOST_CREDIT) credit = MOST_CREDIT;
  S->credit = credit;
  S->allocated = now;
  /* A step of a negative size only adds to what may be allocated (lapi.c: it is added to the debt). */
  if (credit >= 1024 && lua_gc(L, LUA_GCISRUNNING)) (void)lua_gc(L, LUA_GCSTEP, -(int)(credit / 1024));
}
