#include "codec.h"

#include <string.h>

#include <lauxlib.h>

#include "hearth.h"
#include "option.h"
#include "result.h"

/* The option table at `arg` as the C interface wants it. */
static hearth_codec_options codec_options(lua_State *L, int arg, const Option *accepted) {
  Settings settings = {0};
  option_read(L, arg, accepted, &settings);
  hearth_codec_options options = {
    .size = sizeof options,
    .flags = settings.flags,
    .seal = settings.seal != 0 ? lua_touserdata(L, settings.seal) : NULL,
    .max_bytes = settings.max_bytes,
    .max_memory = settings.max_memory,
    .permanents = settings.permanents,
  };
  return options;
}

int codec_encode(lua_State *L) {
  hearth_error err;
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  hearth_codec_options options = codec_options(L, 2, option_encode);
  if (hearth_encode(L, 1, &options, &err) < 0) return result_failure(L, &err);
  return 1;
}

int codec_decode(lua_State *L) {
  hearth_error err;
  size_t size;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 1, &size);
  lua_settop(L, 2);
  hearth_codec_options options = codec_options(L, 2, option_decode);
  if (hearth_decode(L, bytes, size, &options, &err) < 0) return result_failure(L, &err);
  return 1;
}

/* Eris's order of arguments: the table of permanents may be left out. It ends up at 1, the other at 2. */
static void codec_order_arguments(lua_State *L) {
  luaL_checkany(L, 1);
  if (lua_gettop(L) == 1) {
    lua_newtable(L);
    lua_insert(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
}

int codec_persist(lua_State *L) {
  hearth_error err;
  codec_order_arguments(L);
  hearth_codec_options options = {.size = sizeof options, .permanents = 1};
  if (hearth_encode(L, 2, &options, &err) < 0) return result_raise(L, &err);
  return 1;
}

int codec_unpersist(lua_State *L) {
  hearth_error err;
  size_t size;
  codec_order_arguments(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 2, &size);
  hearth_codec_options options = {.size = sizeof options, .flags = HEARTH_TRUSTED, .permanents = 1};
  if (hearth_decode(L, bytes, size, &options, &err) < 0) return result_raise(L, &err);
  return 1;
}

typedef struct Seal {
  hearth_seal seal; /* first: option.h */
  unsigned char key[32];
} Seal;

int codec_seal(lua_State *L) {
  hearth_error err;
  size_t size;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *key = lua_tolstring(L, 1, &size);
  luaL_argcheck(L, size == sizeof((Seal *)0)->key, 1, "a key of 32 bytes expected");
  Seal *s = lua_newuserdatauv(L, sizeof *s, 0);
  memcpy(s->key, key, sizeof s->key);
  err.code = hearth_sodium_seal(s->key, &s->seal);
  if (err.code < 0) {
    luaL_pushfail(L);
    lua_pushstring(L, "this Hearth was built without libsodium: it has no seal");
    lua_pushstring(L, hearth_status_name(err.code));
    return 3;
  }
  luaL_newmetatable(L, OPTION_SEAL_TYPE);
  lua_setmetatable(L, -2);
  return 1;
}

/* ------------------------------------------------------------ registrations */

int codec_register_permanent(lua_State *L) {
  hearth_error err;
  const char *name = result_check_text(L, 1);
  luaL_checkany(L, 2);
  if (hearth_register_permanent(L, 2, name, &err) < 0) return result_raise(L, &err);
  return 0;
}

int codec_register_module(lua_State *L) {
  hearth_error err;
  const char *name = result_check_text(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  if (hearth_register_module(L, 2, name, &err) < 0) return result_raise(L, &err);
  return 0;
}

typedef struct TypeField {
  const char *name;
  int type;
} TypeField;

enum { TYPE_NAME = 2, TYPE_METATABLE, TYPE_ENCODE, TYPE_DECODE }; /* where the fields stand on the stack */

static const TypeField type_fields[] = {
  {"name", LUA_TSTRING}, {"metatable", LUA_TTABLE}, {"encode", LUA_TFUNCTION}, {"decode", LUA_TFUNCTION}, {NULL, 0},
};

static void codec_refuse_unknown_fields(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    const TypeField *field = type_fields;
    while (field->name != NULL && strcmp(field->name, key) != 0) field++;
    if (field->name == NULL) luaL_argerror(L, 1, lua_pushfstring(L, "unknown field '%s'", key));
    lua_pop(L, 1);
  }
}

int codec_register_type(lua_State *L) {
  hearth_error err;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  codec_refuse_unknown_fields(L);
  for (const TypeField *field = type_fields; field->name != NULL; field++) {
    lua_pushstring(L, field->name);
    if (lua_rawget(L, 1) != field->type)
      return luaL_argerror(L, 1, lua_pushfstring(L, "field '%s': %s expected, got %s", field->name,
                                                 lua_typename(L, field->type), luaL_typename(L, -1)));
  }
  const char *name = lua_tostring(L, TYPE_NAME);
  luaL_argcheck(L, strlen(name) == lua_rawlen(L, TYPE_NAME), 1, "field 'name': a zero byte in it");
  if (hearth_register_type_at(L, name, TYPE_METATABLE, TYPE_ENCODE, TYPE_DECODE, &err) < 0)
    return result_raise(L, &err);
  return 0;
}

int codec_changed_permanents(lua_State *L) {
  hearth_error err;
  if (hearth_changed_permanents(L, &err) < 0) return result_raise(L, &err);
  return 1;
}

int codec_load_chunk(lua_State *L) {
  hearth_error err;
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
  if (hearth_load_chunk(L, bytes, size, lua_isnoneornil(L, 2) ? 0 : 2, &err) < 0) return result_failure(L, &err);
  return 1;
}
