/*
** require "hearth": the module, a face over hearth.h and nothing else.
*/
#include "hearth_lua.h"

#include <lauxlib.h>

#include "codec.h"
#include "hearth.h"
#include "result.h"
#include "store.h"

static const luaL_Reg module_functions[] = {
  {"encode", codec_encode},
  {"decode", codec_decode},
  {"persist", codec_persist},
  {"unpersist", codec_unpersist},
  {"seal", codec_seal},
  {"load_chunk", codec_load_chunk},
  {"register_permanent", codec_register_permanent},
  {"register_module", codec_register_module},
  {"register_type", codec_register_type},
  {"changed_permanents", codec_changed_permanents},
  {"open", store_open},
  {NULL, NULL},
};

int luaopen_hearth(lua_State *L) {
  hearth_error err;
  luaL_checkversion(L);
  store_setup(L);
  luaL_newlib(L, module_functions);
  lua_pushstring(L, hearth_version());
  lua_setfield(L, -2, "version");
  /* Stored functions use the module: it is known by name like the standard library. */
  if (hearth_register_module(L, lua_gettop(L), "hearth", &err) < 0) return result_raise(L, &err);
#ifdef HEARTH_HAVE_LEGACY
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_hearth_legacy);
  lua_setfield(L, -2, "hearth.legacy");
  lua_pop(L, 1);
#endif
  return 1;
}
