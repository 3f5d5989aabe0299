/*
** What the suites of chunks and prototypes share: programs, and what dumps, parses and instantiates their functions.
*/
#ifndef HEARTH_TESTS_CHUNK_TESTING_H
#define HEARTH_TESTS_CHUNK_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "prototype.h"

/* Chunks that return one function each. */
static const char *const programs[] = {
    "return function() end",
    "return function(a, b, ...) local c <const> = 1.5; local d = a .. 'text'; return c, d, ..., 7, 2^53 | 0 end",
    "local x, y = 1, {}; return function(n) x = x + n; y[n] = x; return x, y end",
    "local a, b = 1, 2; return function() local c = a; return function() c = c + b; "
    "return function() return a, b, c, _ENV, print end end end",
    "local t <close> = nil; return function(t) for k, v in pairs(t) do goto next; ::next:: end "
    "return 'a constant string that is longer than forty characters, so a long one' end",
    "return function(x)\n\n\n\n local y = x\n" /* line jumps that need absolute information */
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
    "return y end",
};
#define PROGRAMS (sizeof programs / sizeof *programs)

static inline lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  return L;
}

static inline void load_named(lua_State *L, const char *program, const char *name) {
  if (luaL_loadbuffer(L, program, strlen(program), name != NULL ? name : program) != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  lua_call(L, 0, 1);
}

static inline void load(lua_State *L, const char *program) {
  load_named(L, program, "=test");
}

static inline void dump(lua_State *L, int index, bool strip, const hearth_seal *seal, Buffer *out) {
  const char *why = "";
  buffer_init(out, &hearth_libc_allocator);
  if (prototype_dump(L, index, strip, seal, out, &why) != HEARTH_OK) fail_msg("%s", why);
}

static inline Prototype parse(const Buffer *record) {
  Prototype p;
  ChunkFault fault = {0, ""};
  if (!prototype_parse(record->data, record->size, &p, &fault)) fail_msg("%s", fault.why);
  return p;
}

/* Pushes a new closure of the record. */
static inline void instantiate(lua_State *L, const Buffer *record, const hearth_seal *seal) {
  const Prototype p = parse(record);
  hearth_error err;
  if (prototype_load(L, &p, seal, 0, &err) != HEARTH_OK) fail_msg("%s", err.message);
  prototype_instantiate(L, -1, p.nupvalues);
  lua_remove(L, -2);
}

#endif
