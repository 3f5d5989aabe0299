/*
** For a host that links the Lua module into itself: luaL_requiref(L, "hearth",
** luaopen_hearth, 0), or an entry in package.preload.
*/
#ifndef HEARTH_LUA_H
#define HEARTH_LUA_H

#include <lua.h>

#include "hearth_status.h"

/* [-0, +1, e] Pushes the module's table; require "hearth.legacy" works from then on, but in WebAssembly. */
HEARTH_API int luaopen_hearth(lua_State *L);

/* [-0, +1, e] Pushes the table of hearth_push_legacy, hearth_legacy.h. */
HEARTH_API int luaopen_hearth_legacy(lua_State *L);

#endif
