#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fputs("fuzz: ", stderr);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  abort();
}

/* Has the library called something: a rebuilding function, a hook, a finalizer? Level 0 is the library's own. */
static bool runs_code(lua_State *L) {
  lua_Debug ar;
  return L != NULL && lua_getstack(L, 1, &ar);
}

void *fuzz_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  FuzzMemory *m = ud;
  if (ptr == NULL) osize = 0; /* it is a type then */
  if (nsize == 0) {
    m->used -= osize;
    free(ptr);
    return NULL;
  }
  if (m->largest > 0 && nsize > m->largest && !runs_code(m->L))
    fuzz_fail("a request of %zu bytes, over %zu", nsize, m->largest);
  if (nsize > osize && m->limit > 0 && m->used - osize + nsize > m->limit) return NULL;
  void *p = realloc(ptr, nsize);
  if (p == NULL) return NULL;
  m->used = m->used - osize + nsize;
  /* A block that moves exists twice for a moment. */
  size_t now = m->used + (nsize > osize ? osize : 0);
  if (now > m->peak) m->peak = now;
  return p;
}

/* ------------------------------------------------------------- Lua states */

static void remove_fields(lua_State *L, const char *table, const char *const *names) {
  lua_getglobal(L, table);
  for (; *names != NULL; names++) {
    lua_pushnil(L);
    lua_setfield(L, -2, *names);
  }
  lua_pop(L, 1);
}

static int open_libraries(lua_State *L) {
  static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},        {LUA_TABLIBNAME, luaopen_table},
                                       {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
                                       {LUA_UTF8LIBNAME, luaopen_utf8},  {NULL, NULL}};
  static const char *const of_globals[] = {"collectgarbage", "dofile", "load",  "loadfile", "pcall",
                                           "print",          "warn",   "xpcall", NULL};
  static const char *const of_string[] = {"find", "gmatch", "gsub", "match", "rep", NULL};
  static const char *const of_table[] = {"concat", "insert", "move", "remove", "sort", NULL};
  for (const luaL_Reg *library = libraries; library->name != NULL; library++) {
    luaL_requiref(L, library->name, library->func, 1);
    lua_pop(L, 1);
  }
  remove_fields(L, LUA_GNAME, of_globals);
  remove_fields(L, LUA_STRLIBNAME, of_string);
  remove_fields(L, LUA_TABLIBNAME, of_table);
  return 0;
}

static lua_State *new_state(FuzzMemory *m, lua_CFunction open) {
  lua_State *L = lua_newstate(fuzz_alloc, m);
  FUZZ_CHECK(L != NULL);
  lua_pushcfunction(L, open);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) fuzz_fail("%s", lua_tostring(L, -1));
  return L;
}

lua_State *fuzz_state(FuzzMemory *m) {
  return new_state(m, open_libraries);
}

static int open_whole(lua_State *L) {
  luaL_openlibs(L);
  return 0;
}

lua_State *fuzz_whole_state(FuzzMemory *m) {
  return new_state(m, open_whole);
}

/* Raises at every instruction from now on, so that nothing goes on by catching it. */
static void out_of_instructions(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, out_of_instructions, LUA_MASKCOUNT, 1);
  luaL_error(L, "too many instructions");
}

void fuzz_limit_instructions(lua_State *L, int instructions) {
  lua_sethook(L, out_of_instructions, LUA_MASKCOUNT, instructions);
}

void fuzz_run(lua_State *L, const char *code, const char *name) {
  if (luaL_loadbuffer(L, code, strlen(code), name) != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK)
    fuzz_fail("%s", lua_tostring(L, -1));
}
