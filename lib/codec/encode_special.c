/*
** Special objects: those whose metatable has a hook, `__persist` in Eris's
** meaning (true: as a plain table; false: forbidden; a function that returns a
** rebuilding function), or belongs to a type that was registered by name.
*/
#include <lauxlib.h>

#include "encoder.h"
#include "permanents.h"

/* Calls the function at the top with the object at `index`; leaves the one result. */
static void call_with(Encoder *E, int index, const char *what) {
  lua_State *L = E->L;
  lua_pushvalue(L, index);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_OK) return;
  if (status == LUA_ERRMEM) encoder_fail_memory(E);
  encoder_fail(E, HEARTH_RAISED, 0, "%s raised: %s", what,
               lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
}

static void put_special(Encoder *E, uint32_t slot, const Head *head) {
  head_put(&E->head, head);
  E->heap->objects[slot].kind = OBJECT_SPECIAL;
  E->ops->special(E, slot);
}

/* The type's name is on the top. */
static void encode_typed(Encoder *E, uint32_t slot, int index) {
  lua_State *L = E->L;
  int name = lua_gettop(L);
  Head head = {.kind = OBJECT_SPECIAL, .flags = HEAD_TYPED};
  head.name.kind = VALUE_STRING;
  head.name.as.bytes = (const unsigned char *)lua_tolstring(L, name, &head.name.size);
  if (!permanents_type(L, E->permanents, name))
    encoder_fail(E, HEARTH_UNKNOWN, 0, "the type '%s' is not registered", lua_tostring(L, name));
  lua_pop(L, 1);
  call_with(E, index, "its type's encode function");
  put_special(E, slot, &head);
  lua_settop(L, name - 1);
}

/* The hook, a function, is on the top. */
static void encode_hooked(Encoder *E, uint32_t slot, int index) {
  lua_State *L = E->L;
  int top = lua_gettop(L) - 1;
  call_with(E, index, "its __persist");
  if (!lua_isfunction(L, -1))
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "its __persist returned a %s, not a rebuilding function",
                 luaL_typename(L, -1));
  Head head = {.kind = OBJECT_SPECIAL};
  put_special(E, slot, &head);
  lua_settop(L, top);
}

/* A userdata, or a table whose __persist is no function. The hook is on the top. */
static bool encode_unhooked(Encoder *E, int index) {
  lua_State *L = E->L;
  int type = lua_type(L, -1);
  bool forbidden = type == LUA_TBOOLEAN && !lua_toboolean(L, -1);
  if (forbidden)
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "a %s whose __persist forbids it cannot be stored", luaL_typename(L, index));
  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "its __persist is a %s, not a boolean or a function", luaL_typename(L, -1));
  lua_pop(L, 1);
  if (lua_istable(L, index)) return false;
  const char *name = "userdata";
  if (lua_getmetatable(L, index)) {
    lua_pushliteral(L, "__name");
    if (lua_rawget(L, -2) == LUA_TSTRING) name = lua_tostring(L, -1);
  }
  encoder_fail(E, HEARTH_UNSTORABLE, 0, "a userdata (%s) without __persist or a registered type cannot be stored",
               name);
}

bool encode_special(Encoder *E, uint32_t slot, int index) {
  lua_State *L = E->L;
  if (!lua_getmetatable(L, index)) {
    lua_pushnil(L);
    return encode_unhooked(E, index);
  }
  if (permanents_type_of(L, E->permanents, index)) {
    encode_typed(E, slot, index);
    lua_pop(L, 1);
    return true;
  }
  lua_pushliteral(L, "__persist");
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_isfunction(L, -1)) return encode_unhooked(E, index);
  encode_hooked(E, slot, index);
  return true;
}
