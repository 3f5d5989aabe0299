#include "protect.h"

#include <string.h>

/*
** What any protected function needs. luaL_checkstack inside would call a stack that memory is missing for an overflow.
*/
#define PROTECT_STACK 256

hearth_status protect(lua_State *L, lua_CFunction f, void *context, int nargs, int nresults, hearth_error *err) {
  hearth_ok(err);
  if (!lua_checkstack(L, PROTECT_STACK)) {
    lua_pop(L, nargs);
    return hearth_fail(err, HEARTH_NOMEM, "no memory for the Lua stack, or it is full");
  }
  lua_pushcfunction(L, f);
  lua_insert(L, -nargs - 1);
  lua_pushlightuserdata(L, context);
  lua_insert(L, -nargs - 1);
  int status = lua_pcall(L, nargs + 1, nresults, 0);
  if (status == LUA_OK) return err->code;
  if (err->code == HEARTH_OK) {
    if (status == LUA_ERRMEM)
      hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
    else
      hearth_fail(err, HEARTH_RAISED, "%s", lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "a Lua error");
  }
  lua_pop(L, 1);
  return err->code;
}

hearth_status protect_without_collector(lua_State *L, lua_CFunction f, void *context, int nargs, int nresults,
                                        hearth_error *err) {
  int running = lua_gc(L, LUA_GCISRUNNING);
  lua_gc(L, LUA_GCSTOP);
  hearth_status status = protect(L, f, context, nargs, nresults, err);
  if (running) lua_gc(L, LUA_GCRESTART);
  return status;
}

void *protect_push_state(lua_State *L, size_t size, lua_CFunction release) {
  void *state = lua_newuserdatauv(L, size, 0);
  memset(state, 0, size);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return state;
}

hearth_allocator protect_allocator(lua_State *L) {
  hearth_allocator a;
  a.alloc = lua_getallocf(L, &a.ud);
  return a;
}
