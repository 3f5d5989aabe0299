/* encoder EXPRESSION: writes the blob of a Lua expression's value to standard output. */
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>

#include "hearth.h"

int main(int argc, char **argv) {
  hearth_error err;
  size_t size;
  lua_State *L = luaL_newstate();
  if (argc != 2 || L == NULL) return 2;
  luaL_openlibs(L);
  lua_pushfstring(L, "return %s", argv[1]);
  if (luaL_dostring(L, lua_tostring(L, -1)) || hearth_encode(L, -1, NULL, &err) != HEARTH_OK) return 1;
  const char *bytes = lua_tolstring(L, -1, &size);
  int status = fwrite(bytes, 1, size, stdout) == size && fflush(stdout) == 0 ? 0 : 1;
  lua_close(L);
  return status;
}
