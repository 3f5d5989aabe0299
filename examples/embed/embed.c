/*
** A C program that embeds Lua and lets its world survive. The library links no
** Lua: this program brings its own.
**
** It runs a script twice, each time in a new Lua state, as two starts of the
** program would. What it adds to Lua: a C function, known by name
** (a permanent), and a userdata type that is stored through two functions.
*/
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <hearth.h>

#define POINT "embed.point"

typedef struct Point {
  double x, y;
} Point;

static int point_new(lua_State *L) {
  double x = luaL_checknumber(L, 1), y = luaL_checknumber(L, 2);
  Point *p = lua_newuserdatauv(L, sizeof *p, 0);
  p->x = x;
  p->y = y;
  luaL_setmetatable(L, POINT);
  return 1;
}

static int point_move(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, POINT);
  p->x += luaL_checknumber(L, 2);
  p->y += luaL_checknumber(L, 3);
  lua_settop(L, 1);
  return 1;
}

static int point_tostring(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, POINT);
  lua_pushfstring(L, "(%f, %f)", (LUAI_UACNUMBER)p->x, (LUAI_UACNUMBER)p->y);
  return 1;
}

/* A point is stored as a table of its coordinates. */
static int point_encode(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, POINT);
  lua_createtable(L, 2, 0);
  lua_pushnumber(L, p->x);
  lua_rawseti(L, -2, 1);
  lua_pushnumber(L, p->y);
  lua_rawseti(L, -2, 2);
  return 1;
}

static int point_decode(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_pushcfunction(L, point_new);
  lua_rawgeti(L, 1, 1);
  lua_rawgeti(L, 1, 2);
  lua_call(L, 2, 1);
  return 1;
}

/* host.shout(text): a C function that stored tables and functions may refer to. */
static int host_shout(lua_State *L) {
  printf("%s!\n", luaL_checkstring(L, 1));
  return 0;
}

static hearth_status host_register(lua_State *L, hearth_error *err) {
  static const luaL_Reg functions[] = {{"shout", host_shout}, {"point", point_new}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"move", point_move}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_pushvalue(L, -1);
  lua_setglobal(L, "host");
  hearth_status status = hearth_register_module(L, lua_gettop(L), "host", err);
  lua_pop(L, 1);
  if (status < 0) return status;

  luaL_newmetatable(L, POINT);
  lua_pushcfunction(L, point_tostring);
  lua_setfield(L, -2, "__tostring");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  status = hearth_register_type(L, POINT, lua_gettop(L), point_encode, point_decode, err);
  lua_pop(L, 1);
  return status;
}

static int fail(const char *message) {
  fprintf(stderr, "embed: %s\n", message);
  return EXIT_FAILURE;
}

/* Opens the store, runs the script, commits. */
static int run(lua_State *L, const char *location, const char *script) {
  hearth_store *store;
  hearth_error err;
  if (host_register(L, &err) < 0) return fail(err.message); /* before the store is opened: it may need the names */
  if (hearth_open(L, &hearth_file_backend, location, NULL, &store, &err) < 0) return fail(err.message);
  hearth_install(L, store);
  int result = EXIT_SUCCESS;
  if (luaL_dofile(L, script) != LUA_OK)
    result = fail(lua_tostring(L, -1));
  else if (hearth_commit(L, store, HEARTH_DURABLE, &err) < 0)
    result = fail(err.message);
  if (hearth_close(L, store) < 0 && result == EXIT_SUCCESS) result = fail("the store did not close well");
  return result;
}

int main(int argc, char **argv) {
  if (argc != 3) return fail("usage: embed STORE SCRIPT");
  for (int start = 1; start <= 2; start++) {
    lua_State *L = luaL_newstate();
    if (L == NULL) return fail("memory is exhausted");
    luaL_openlibs(L);
    int result = run(L, argv[1], argv[2]);
    lua_close(L);
    if (result != EXIT_SUCCESS) return result;
  }
  return EXIT_SUCCESS;
}
