/*
** Backends that the library does not have: Lua modules "hearth.SCHEME", hearth_lua_backend.h.
*/
#ifndef HEARTH_LUA_BACKEND_FIND_H
#define HEARTH_LUA_BACKEND_FIND_H

#include <stdbool.h>

#include <lua.h>

#include "hearth_backend.h"

/*
** [-0, +0, e] The backend for a URI whose scheme the library does not know, by requiring its module; NULL where it
** knows the scheme. False: `err` is filled.
*/
#ifdef __EMSCRIPTEN__ /* it loads no modules of C */
static inline bool backend_find(lua_State *L, const char *uri, const hearth_backend **out, hearth_error *err) {
  (void)L, (void)uri, (void)err;
  *out = NULL;
  return true;
}
#else
bool backend_find(lua_State *L, const char *uri, const hearth_backend **out, hearth_error *err);
#endif

#endif
