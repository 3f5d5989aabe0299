/*
** require "hearth.postgresql": what hearth.open needs for postgresql://...
*/
#include "hearth_lua_backend.h"
#include "hearth_postgres.h"

HEARTH_API int luaopen_hearth_postgresql(lua_State *L);

int luaopen_hearth_postgresql(lua_State *L) {
  return hearth_lua_push_backend(L, &hearth_postgres_backend);
}
