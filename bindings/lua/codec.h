/*
** The codec's calls and the registrations as Lua functions.
*/
#ifndef HEARTH_LUA_CODEC_H
#define HEARTH_LUA_CODEC_H

#include <lua.h>

int codec_encode(lua_State *L);    /* hearth.encode(value [, options]) -> string | nil, message, code */
int codec_decode(lua_State *L);    /* hearth.decode(bytes [, options]) -> value | nil, message, code */
int codec_persist(lua_State *L);   /* hearth.persist([permanents,] value) -> string; raises */
int codec_unpersist(lua_State *L); /* hearth.unpersist([permanents,] bytes) -> value; raises */
int codec_seal(lua_State *L);      /* hearth.seal(key) -> seal | nil, message, code */
int codec_load_chunk(lua_State *L); /* hearth.load_chunk(bytes [, globals]) -> function | nil, message, code */

int codec_register_permanent(lua_State *L); /* hearth.register_permanent(name, value) */
int codec_register_module(lua_State *L);    /* hearth.register_module(name, module) */
int codec_register_type(lua_State *L);      /* hearth.register_type{name=, metatable=, encode=, decode=} */
int codec_changed_permanents(lua_State *L); /* hearth.changed_permanents() -> list of names */

#endif
