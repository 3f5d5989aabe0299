/*
** Functions that cross: JavaScript functions that Lua calls, and Lua values that
** JavaScript holds.
*/
#include <lauxlib.h>
#include <stdio.h>

#include "transfer.h"

/*
** Calls the JavaScript function with this number. Its arguments stand in `out`, as a message; its results, or what it
** threw (one value), come back in `in`. Not 0: it threw.
*/
IMPORT("hearth", "call") int js_call(uint32_t number);

/* Lua has no use for this function any more. */
IMPORT("hearth", "release") void js_release(uint32_t number);

#define TOKEN "hearth.javascript" /* the userdata that keeps a JavaScript function: its number */

/* ------------------------------------------------------------- references */

uint32_t reference_handle(lua_State *L, Bridge *b, int index) {
  index = lua_absindex(L, index);
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->handles);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    uint32_t handle = b->next_handle++;
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->references);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, handle);
    lua_pop(L, 2);
    lua_pushvalue(L, index);
    lua_pushinteger(L, handle);
    lua_rawset(L, -3);
    lua_pushinteger(L, handle);
  }
  uint32_t handle = (uint32_t)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return handle;
}

void reference_push(lua_State *L, Bridge *b, uint32_t handle) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->references);
  if (lua_rawgeti(L, -1, handle) == LUA_TNIL) luaL_error(L, "a Lua value that was released");
  lua_remove(L, -2);
}

/* JavaScript holds the value no more. Clearing fields allocates nothing. */
void EXPORT(js_dereference)(Bridge *b, uint32_t handle) {
  lua_State *L = b->current;
  if (!lua_checkstack(L, 4)) return; /* it stays until the state is closed */
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->references);
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->handles);
  if (lua_rawgeti(L, -2, handle) != LUA_TNIL) {
    lua_pushnil(L);
    lua_rawset(L, -3); /* handles[value] */
    lua_pushnil(L);
    lua_rawseti(L, -3, handle);
    lua_pop(L, 2);
  } else {
    lua_pop(L, 3);
  }
}

/* -------------------------------------------------------------- callbacks */

const char callback_thrown = 0;

static int callback(lua_State *L) {
  Bridge *b = bridge_of(L);
  uint32_t number = *(uint32_t *)lua_touserdata(L, lua_upvalueindex(1));
  transfer_write(L, b, 1);
  lua_State *before = b->current;
  b->current = L;
  (void)fflush(stdout); /* what Lua printed comes before what JavaScript does */
  int threw = js_call(number);
  b->current = before;
  int count = transfer_read(L, b);
  if (threw == 0) return count;
  lua_settop(L, 1); /* nil, where even the message did not go over */
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &callback_thrown);
  return lua_error(L);
}

/*
** The same function may have got a new Lua function before this one was collected, or get one from the message that
** is being read: the token waits for another collection then.
*/
static int collect(lua_State *L) {
  Bridge *b = bridge_of(L);
  if (b->reading > 0) {
    luaL_setmetatable(L, TOKEN);
    return 0;
  }
  uint32_t number = *(uint32_t *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->functions);
  if (lua_type(L, -1) != LUA_TTABLE || lua_rawgeti(L, -1, number) == LUA_TNIL) js_release(number);
  return 0;
}

void callback_push(lua_State *L, Bridge *b, uint32_t number) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->functions);
  if (lua_rawgeti(L, -1, number) == LUA_TNIL) {
    lua_pop(L, 1);
    *(uint32_t *)lua_newuserdatauv(L, sizeof number, 0) = number;
    luaL_setmetatable(L, TOKEN);
    lua_pushcclosure(L, callback, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, number);
  }
  lua_remove(L, -2);
}

uint32_t callback_number(lua_State *L, int index) {
  uint32_t number = 0;
  if (lua_tocfunction(L, index) != callback) return 0;
  if (lua_getupvalue(L, index, 1) != NULL) {
    const uint32_t *token = lua_touserdata(L, -1);
    if (token != NULL) number = *token;
    lua_pop(L, 1);
  }
  return number;
}

void callback_setup(lua_State *L, Bridge *b) {
  lua_newtable(L);
  b->references = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  b->handles = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  b->functions = luaL_ref(L, LUA_REGISTRYINDEX);
  luaL_newmetatable(L, TOKEN);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  b->next_handle = 1;
}
