/*
** The store as a Lua value: a userdata with methods.
*/
#ifndef HEARTH_LUA_STORE_H
#define HEARTH_LUA_STORE_H

#include <lua.h>

/* hearth.open(uri [, options]) -> store | nil, message, code */
int store_open(lua_State *L);

/* Makes the userdata's metatable and what the module keeps in the registry. */
void store_setup(lua_State *L);

#endif
