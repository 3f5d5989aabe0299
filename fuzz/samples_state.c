#include "samples_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "samples.h"

/* --------------------------------------- a type in C, as the golden blobs have it */

static int new_point(lua_State *L) {
  lua_Number x = luaL_checknumber(L, 1), y = luaL_checknumber(L, 2);
  lua_Number *p = lua_newuserdatauv(L, 2 * sizeof *p, 0);
  p[0] = x;
  p[1] = y;
  luaL_setmetatable(L, "Point");
  return 1;
}

static int encode_point(lua_State *L) {
  const lua_Number *p = luaL_checkudata(L, 1, "Point");
  lua_createtable(L, 2, 0);
  for (int i = 0; i < 2; i++) {
    lua_pushnumber(L, p[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int decode_point(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_rawgeti(L, 1, 1);
  lua_rawgeti(L, 1, 2);
  lua_remove(L, 1);
  return new_point(L);
}

/* A state that has decoded something: what it keeps is set up. */
lua_State *samples_state(FuzzMemory *m) {
  hearth_error e;
  lua_State *L = fuzz_state(m);
  lua_register(L, "point", new_point);
  luaL_newmetatable(L, "Point");
  if (hearth_register_type(L, "point", -1, encode_point, decode_point, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
  lua_getglobal(L, "point");
  FUZZ_CHECK(hearth_register_permanent(L, -1, "point", &e) == HEARTH_OK);
  FUZZ_CHECK(hearth_encode(L, -1, NULL, &e) == HEARTH_OK);
  size_t size;
  const char *bytes = lua_tolstring(L, -1, &size);
  hearth_codec_options o = {.size = sizeof o, .flags = HEARTH_TRUSTED};
  FUZZ_CHECK(hearth_decode(L, bytes, size, &o, &e) == HEARTH_OK);
  lua_settop(L, 0);
  return L;
}

/* --------------------------------------------------------------- samples */

bool samples_push(lua_State *L, size_t i) {
  if (i >= sizeof samples / sizeof *samples) return false;
  if (luaL_loadbuffer(L, samples[i], strlen(samples[i]), "=sample") != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
    fuzz_fail("%s", lua_tostring(L, -1));
  return true;
}

void samples_learn(void) {
  known_add_folder(HEARTH_GOLDEN);
  for (unsigned strip = 0; strip < 2; strip++) {
    FuzzMemory m = {0};
    hearth_error e;
    size_t size;
    lua_State *L = samples_state(&m);
    hearth_codec_options o = {.size = sizeof o, .flags = strip ? HEARTH_STRIP : 0};
    for (size_t i = 0; samples_push(L, i); i++) {
      if (hearth_encode(L, 1, &o, &e) != HEARTH_OK) fuzz_fail("sample %zu: %s", i, e.message);
      const char *bytes = lua_tolstring(L, -1, &size);
      known_add(bytes, size);
      lua_settop(L, 0);
    }
    lua_close(L);
  }
}

const char *samples_folder(void) {
  return getenv("HEARTH_FUZZ_SEEDS");
}

void samples_write(const char *folder, const char *name, size_t number, const void *bytes, size_t size) {
  char path[4096];
  (void)snprintf(path, sizeof path, "%s/%s-%zu", folder, name, number);
  FILE *f = fopen(path, "wb");
  FUZZ_CHECK(f != NULL && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}
