/*
** How the module answers: true or values, nil with message and code for a
** failure of storage or data, an error for a wrong argument.
*/
#ifndef HEARTH_LUA_RESULT_H
#define HEARTH_LUA_RESULT_H

#include <lauxlib.h>
#include <lua.h>

#include "hearth.h"

/* Pushes nil, message, code: the result of the calling C function. */
int result_failure(lua_State *L, const hearth_error *err);

/* Pushes true, or true and "pending", or nil, message, code. */
int result_status(lua_State *L, hearth_status status, const hearth_error *err);

/* Raises the error's message; never returns. */
int result_raise(lua_State *L, const hearth_error *err);

/* A string argument for a C interface: without a zero byte in it. */
const char *result_check_text(lua_State *L, int arg);

#endif
