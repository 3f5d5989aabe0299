/* program STORE: what a user's first program does: counts its starts in a store, and says with which Hearth. */
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hearth.h>

static int count(lua_State *L, const char *location) {
  hearth_store *store;
  hearth_error err;
  if (hearth_open(L, &hearth_file_backend, location, NULL, &store, &err) < 0) {
    fprintf(stderr, "program: %s\n", err.message);
    return 1;
  }
  hearth_install(L, store);
  int result = luaL_dostring(L, "_home.visits = (_home.visits or 0) + 1 print('visit ' .. _home.visits)") != LUA_OK;
  if (hearth_commit(L, store, HEARTH_DURABLE, &err) < 0) result = 1;
  if (hearth_close(L, store) < 0) result = 1;
  return result;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  luaL_openlibs(L);
  printf("Hearth %s\n", hearth_version());
  const int result = count(L, argv[1]);
  lua_close(L);
  return result;
}
