/*
** require "hearth.legacy": data of the legacy runtime. Not in hearth.wasm, where the npm package brings its text.
*/
#include "hearth_legacy.h"

#include <lauxlib.h>

#include "hearth_lua.h"
#include "result.h"

int luaopen_hearth_legacy(lua_State *L) {
  hearth_error err;
  luaL_checkversion(L);
  if (hearth_push_legacy(L, &err) < 0) return result_raise(L, &err);
  return 1;
}
