#include "result.h"

#include <string.h>

int result_failure(lua_State *L, const hearth_error *err) {
  luaL_pushfail(L);
  lua_pushstring(L, err->message);
  lua_pushstring(L, hearth_status_name(err->code));
  return 3;
}

int result_status(lua_State *L, hearth_status status, const hearth_error *err) {
  if (status < 0) return result_failure(L, err);
  lua_pushboolean(L, 1);
  if (status != HEARTH_PENDING) return 1;
  lua_pushstring(L, hearth_status_name(HEARTH_PENDING));
  return 2;
}

int result_raise(lua_State *L, const hearth_error *err) {
  return luaL_error(L, "%s", err->message);
}

const char *result_check_text(lua_State *L, int arg) {
  size_t size;
  const char *text = luaL_checklstring(L, arg, &size);
  luaL_argcheck(L, strlen(text) == size, arg, "a zero byte in the text");
  return text;
}
