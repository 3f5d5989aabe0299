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
  if (!E->hooked) encode_needs_so_far(E);
  E->hooked = true;
  shapes_forget(E->shapes);
  int status = lua_pcall(L, 1, 1, 0);
  lua_gc(L, LUA_GCSTOP); /* it may have been restarted: a finalizer may change what is half written */
  if (status == LUA_OK) return;
  if (status == LUA_ERRMEM) encoder_fail_memory(E);
  encoder_fail(E, HEARTH_RAISED, 0, "%s raised: %s", what,
               lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
}

/* The type's name is on the top; leaves the value that stands for the object instead. */
static void typed_value(Encoder *E, int index, Head *head) {
  lua_State *L = E->L;
  int name = lua_gettop(L);
  head->flags = HEAD_TYPED;
  head->name.kind = VALUE_STRING;
  head->name.as.bytes = (const unsigned char *)lua_tolstring(L, name, &head->name.size); /* the registry keeps it */
  if (!permanents_type(L, E->permanents, name))
    encoder_fail(E, HEARTH_UNKNOWN, 0, "the type '%s' is not registered", lua_tostring(L, name));
  lua_pop(L, 1);
  call_with(E, index, "its type's encode function");
  lua_replace(L, name);
  lua_settop(L, name);
}

/* The hook, a function, is on the top; leaves the rebuilding function instead. */
static void hooked_value(Encoder *E, int index) {
  call_with(E, index, "its __persist");
  if (!lua_isfunction(E->L, -1))
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "its __persist returned a %s, not a rebuilding function",
                 luaL_typename(E->L, -1));
}

/*
** Refuses an object without a hook, unless it is a table that does not forbid it. The value of __persist is on the top.
*/
static void check_unhooked(Encoder *E, int index) {
  lua_State *L = E->L;
  int type = lua_type(L, -1);
  if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1))
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "a %s whose __persist forbids it cannot be stored", luaL_typename(L, index));
  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "its __persist is a %s, not a boolean or a function", luaL_typename(L, -1));
  if (lua_istable(L, index)) return;
  const char *name = "userdata";
  if (lua_getmetatable(L, index)) {
    lua_pushliteral(L, "__name");
    if (lua_rawget(L, -2) == LUA_TSTRING) name = lua_tostring(L, -1);
  }
  encoder_fail(E, HEARTH_UNSTORABLE, 0, "a userdata (%s) without __persist or a registered type cannot be stored",
               name);
}

/* Pushes the raw __persist of the object's metatable, or nil. */
static void push_hook(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) {
    lua_pushnil(L);
    return;
  }
  lua_pushliteral(L, "__persist");
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

bool encode_is_special(Encoder *E, int index) {
  lua_State *L = E->L;
  int top = lua_gettop(L);
  bool special = permanents_type_of(L, E->permanents, index);
  if (!special) {
    push_hook(L, index);
    special = lua_isfunction(L, -1);
    if (!special) check_unhooked(E, index);
  }
  lua_settop(L, top);
  return special;
}

void encode_special_value(Encoder *E, int index, Head *head) {
  lua_State *L = E->L;
  memset(head, 0, sizeof *head);
  head->kind = OBJECT_SPECIAL;
  if (permanents_type_of(L, E->permanents, index)) {
    typed_value(E, index, head);
  } else {
    push_hook(L, index);
    hooked_value(E, index);
  }
}
