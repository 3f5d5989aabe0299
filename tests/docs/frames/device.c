#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hearth.h>

static int fail(const char *message) {
  fprintf(stderr, "%s\n", message);
  return 1;
}

static int measure(lua_State *L, hearth_store *store) {
  hearth_error err;
  /* @sample@ */
  return 0;
}

int main(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  hearth_store *store;
  if (hearth_open(L, &hearth_file_backend, "device.hearth", NULL, &store, NULL) < 0) return 1;
  int status = measure(L, store);
  lua_close(L);
  return status;
}
