/*
** require "hearth.sqlite": what hearth.open needs for sqlite:PATH.
*/
#include "hearth_lua_backend.h"
#include "hearth_sqlite.h"

HEARTH_API int luaopen_hearth_sqlite(lua_State *L);

int luaopen_hearth_sqlite(lua_State *L) {
  return hearth_lua_push_backend(L, &hearth_sqlite_backend);
}
