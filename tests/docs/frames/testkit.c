#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hearth.h>
#include <hearth_testkit_disk.h>

#include <hearth.h>

static int fail(const char *message) {
  fprintf(stderr, "%s\n", message);
  return 1;
}

int main(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  /* @sample@ */
  lua_close(L);
  return 0;
}
