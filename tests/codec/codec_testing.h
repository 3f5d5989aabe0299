/*
** What the codec's suites share: a Lua state over an allocator that counts and
** fails on demand, and enc and dec as Lua functions.
*/
#ifndef HEARTH_TESTS_CODEC_TESTING_H
#define HEARTH_TESTS_CODEC_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "../rounds.h"
#include "hearth.h"

/* --------------------------------------------------------------- memory */

#define REUSED_SIZE 128

typedef struct Memory {
  size_t used, peak;  /* bytes */
  size_t requests;    /* for more memory, so far */
  size_t fail_at;     /* the request (from 0) that fails; SIZE_MAX: none */
  bool fail_on;       /* and all after it */
  bool reuse;         /* small blocks come back at once, whatever a sanitizer does */
  void *freed[REUSED_SIZE + 1]; /* lists of them by size */
} Memory;

static inline void memory_init(Memory *m) {
  memset(m, 0, sizeof *m);
  m->fail_at = SIZE_MAX;
}

static inline void *memory_again(Memory *m, size_t size) {
  void *p = m->reuse && size <= REUSED_SIZE ? m->freed[size] : NULL;
  if (p != NULL) memcpy(&m->freed[size], p, sizeof p);
  return p;
}

static inline void memory_free(Memory *m, void *p, size_t size) {
  if (p == NULL) return;
  if (!m->reuse || size > REUSED_SIZE || size < sizeof p) {
    free(p);
    return;
  }
  memcpy(p, &m->freed[size], sizeof p);
  m->freed[size] = p;
}

static inline void *memory_move(Memory *m, void *ptr, size_t osize, size_t nsize) {
  if (!m->reuse) return realloc(ptr, nsize);
  void *p = memory_again(m, nsize);
  if (p == NULL) p = malloc(nsize);
  if (p == NULL || ptr == NULL) return p;
  memcpy(p, ptr, osize < nsize ? osize : nsize);
  memory_free(m, ptr, osize);
  return p;
}

/* After the state was closed. */
static inline void memory_close(Memory *m) {
  for (size_t size = 0; size <= REUSED_SIZE; size++)
    for (void *p = m->freed[size], *next; p != NULL; p = next) {
      memcpy(&next, p, sizeof next);
      free(p);
    }
}

/* Requests for less memory succeed: Lua relies on it. */
static inline void *memory_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Memory *m = ud;
  if (ptr == NULL) osize = 0; /* it is a type then */
  if (nsize == 0) {
    m->used -= osize;
    memory_free(m, ptr, osize);
    return NULL;
  }
  if (nsize > osize) {
    size_t request = m->requests++;
    if (request == m->fail_at || (m->fail_on && request > m->fail_at)) return NULL;
  }
  void *p = memory_move(m, ptr, osize, nsize);
  if (p == NULL) return nsize > osize ? NULL : ptr;
  m->used += nsize - osize;
  /* A block that moves exists twice for a moment. */
  size_t now = m->used + (ptr != NULL && nsize > osize ? osize : 0);
  if (now > m->peak) m->peak = now;
  return p;
}

/* ------------------------------------------------------- enc and dec in Lua */

static inline hearth_codec_options options_of(unsigned flags) {
  hearth_codec_options o = {sizeof o, flags, NULL, 0, 0, 0};
  return o;
}

static inline int push_failure(lua_State *L, const hearth_error *e) {
  lua_pushnil(L);
  lua_pushstring(L, e->message);
  lua_pushstring(L, hearth_status_name(e->code));
  lua_pushstring(L, e->path);
  lua_pushinteger(L, e->position == HEARTH_NO_POSITION ? -1 : (lua_Integer)e->position);
  return 5;
}

/* enc(value [, flags [, permanents]]) -> bytes, or nil, message, code, path */
static inline int lua_enc(lua_State *L) {
  hearth_error e;
  hearth_codec_options o = options_of((unsigned)luaL_optinteger(L, 2, 0));
  if (lua_istable(L, 3)) o.permanents = 3;
  lua_settop(L, 3);
  return hearth_encode(L, 1, &o, &e) == HEARTH_OK ? 1 : push_failure(L, &e);
}

/* dec(bytes [, flags [, permanents]]) -> value, or nil, message, code, path, position */
static inline int lua_dec(lua_State *L) {
  hearth_error e;
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  hearth_codec_options o = options_of((unsigned)luaL_optinteger(L, 2, HEARTH_TRUSTED));
  if (lua_istable(L, 3)) o.permanents = 3;
  lua_settop(L, 3);
  return hearth_decode(L, bytes, size, &o, &e) == HEARTH_OK ? 1 : push_failure(L, &e);
}

/* register(name, metatable, encode, decode) */
static inline int lua_register_type(lua_State *L) {
  hearth_error e;
  if (hearth_register_type_at(L, luaL_checkstring(L, 1), 2, 3, 4, &e) != HEARTH_OK)
    return luaL_error(L, "%s", e.message);
  return 0;
}

/* -------------------------------------------------- a type in C: the point */

typedef struct Point {
  lua_Number x, y;
} Point;

static inline int new_point(lua_State *L) {
  Point *p = lua_newuserdatauv(L, sizeof *p, 0);
  p->x = luaL_checknumber(L, 1);
  p->y = luaL_checknumber(L, 2);
  luaL_setmetatable(L, "Point");
  return 1;
}

static inline int point_encode(lua_State *L) {
  const Point *p = luaL_checkudata(L, 1, "Point");
  lua_createtable(L, 2, 0);
  lua_pushnumber(L, p->x);
  lua_rawseti(L, -2, 1);
  lua_pushnumber(L, p->y);
  lua_rawseti(L, -2, 2);
  return 1;
}

static inline int point_decode(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_rawgeti(L, 1, 1);
  lua_rawgeti(L, 1, 2);
  lua_remove(L, 1);
  return new_point(L);
}

static inline int point_coordinates(lua_State *L) {
  const Point *p = luaL_checkudata(L, 1, "Point");
  lua_pushnumber(L, p->x);
  lua_pushnumber(L, p->y);
  return 2;
}

static const char game_module[] =
    "local spawned = 0\n"
    "local game = {Class = {}}\n"
    "function game.spawn() spawned = spawned + 1 return spawned end\n"
    "game.Class.__index = game.Class\n"
    "function game.Class.name(self) return self.n end\n"
    "return game\n";

/* ----------------------------------------------------------------- states */

static inline void run(lua_State *L, const char *code) {
  if (luaL_loadstring(L, code) != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
}

static inline int open_all(lua_State *L) {
  hearth_error e;
  luaL_openlibs(L);
  lua_register(L, "enc", lua_enc);
  lua_register(L, "dec", lua_dec);
  lua_register(L, "register", lua_register_type);
  lua_register(L, "point", new_point);
  lua_register(L, "coordinates", point_coordinates);
  luaL_newmetatable(L, "Point");
  if (hearth_register_type(L, "point", -1, point_encode, point_decode, &e) != HEARTH_OK)
    return luaL_error(L, "%s", e.message);
  if (luaL_dostring(L, game_module)) return lua_error(L);
  if (hearth_register_module(L, -1, "game", &e) != HEARTH_OK) return luaL_error(L, "%s", e.message);
  lua_setglobal(L, "game");
  static const struct {
    const char *name;
    unsigned value;
  } flags[] = {{"CANONICAL", HEARTH_CANONICAL},
               {"STRIP", HEARTH_STRIP},
               {"FUNCTIONS", HEARTH_ALLOW_FUNCTIONS},
               {"PERMANENTS", HEARTH_ALLOW_PERMANENTS},
               {"METATABLES", HEARTH_ALLOW_METATABLES},
               {"TRUSTED", HEARTH_TRUSTED},
               {"PLACEHOLDERS", HEARTH_PLACEHOLDERS},
               {"BY_VALUE", HEARTH_MODULES_BY_VALUE}};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    lua_pushinteger(L, flags[i].value);
    lua_setglobal(L, flags[i].name);
  }
  lua_settop(L, 0);
  return 0;
}

/* What the suites' Lua code uses beside enc and dec. */
static const char prelude[] =
    "function rt(v, flags) return assert(dec(assert(enc(v, flags)))) end\n"
    "function eq(a, b, what) if a ~= b then error((what or '') .. ': ' .. tostring(a) .. ' ~= ' .. tostring(b), "
    "2) end end\n"
    "function refused(code, path, v, flags)\n"
    "  local b, m, c, p = enc(v, flags)\n"
    "  if b then error('it was encoded', 2) end\n"
    "  eq(c, code, m) if path then eq(p, path, m) eq(m:sub(1, #p + 2), p .. ': ') end\n"
    "  return m\n"
    "end\n";

static inline lua_State *state_over(Memory *m) {
  lua_State *L = lua_newstate(memory_alloc, m);
  assert_non_null(L);
  lua_pushcfunction(L, open_all);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  run(L, prelude);
  return L;
}

static inline lua_State *state_new(Memory *m) {
  memory_init(m);
  return state_over(m);
}

/* Closes the state; nothing may be left. */
static inline void state_close(lua_State *L, Memory *m) {
  assert_int_equal(lua_gettop(L), 0);
  lua_close(L);
  assert_int_equal(m->used, 0);
  memory_close(m);
}

/* Runs the code in a new state whose memory is reused at once. */
static inline void in_tight_state(const char *code) {
  Memory m;
  memory_init(&m);
  m.reuse = true;
  lua_State *L = state_over(&m);
  run(L, code);
  state_close(L, &m);
}

/* Runs the code in a new state. */
static inline void in_new_state(const char *code) {
  Memory m;
  lua_State *L = state_new(&m);
  run(L, code);
  state_close(L, &m);
}

/* xorshift64*, seeded: the same run gives the same numbers. */
static inline uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed >> 12;
  *seed ^= *seed << 25;
  *seed ^= *seed >> 27;
  return *seed * UINT64_C(2685821657736338717);
}

#endif
