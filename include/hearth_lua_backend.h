/*
** A backend as a Lua module: for a URI whose scheme S it does not know, hearth.open requires the Lua module
** "hearth.S", which answers the userdata that is made here.
**
**   int luaopen_hearth_S(lua_State *L) {
**     return hearth_lua_push_backend(L, &my_backend);
**   }
**
** Nothing of the library is linked for this: such a module needs its backend, and the host's Lua.
*/
#ifndef HEARTH_LUA_BACKEND_H
#define HEARTH_LUA_BACKEND_H

#include <lauxlib.h>
#include <lua.h>

#include "hearth_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_LUA_BACKEND "hearth.backend" /* the userdata's type */

/*
** [-0, +1, m] Pushes a userdata that stands for the backend, whose name is the scheme and which outlives L. Answers 1.
*/
static inline int hearth_lua_push_backend(lua_State *L, const hearth_backend *backend) {
  const hearth_backend **held = (const hearth_backend **)lua_newuserdatauv(L, sizeof *held, 0);
  *held = backend;
  (void)luaL_newmetatable(L, HEARTH_LUA_BACKEND);
  lua_setmetatable(L, -2);
  return 1;
}

/* [-0, +0, m] The backend that the value at `index` stands for; NULL: it is another value. */
static inline const hearth_backend *hearth_lua_to_backend(lua_State *L, int index) {
  const hearth_backend **held = (const hearth_backend **)luaL_testudata(L, index, HEARTH_LUA_BACKEND);
  return held != NULL ? *held : NULL;
}

#ifdef __cplusplus
}
#endif

#endif
