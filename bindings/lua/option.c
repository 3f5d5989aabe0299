#include "option.h"

#include <stdbool.h>
#include <string.h>

const OptionChoice option_durability[] = {
  {"visible", HEARTH_VISIBLE},
  {"complete", HEARTH_COMPLETE},
  {"durable", HEARTH_DURABLE},
  {NULL, 0},
};

const OptionChoice option_alias[] = {
  {"off", HEARTH_ALIAS_OFF},
  {"on", HEARTH_ALIAS_ON},
  {"track", HEARTH_ALIAS_TRACK},
  {NULL, 0},
};

#define FLAG(name, flag) {name, OPTION_FLAG, flag, 0, 0, 0, NULL}
#define DENY(name, flag) {name, OPTION_DENY, flag, 0, 0, 0, NULL}
#define COUNT(name, least, most) {#name, OPTION_COUNT, 0, offsetof(Settings, name), least, most, NULL}
#define CHOICE(name) {#name, OPTION_CHOICE, 0, offsetof(Settings, name), 0, 0, option_##name}
#define PERMANENTS(flag) {"permanents", OPTION_PERMANENTS, flag, 0, 0, 0, NULL}
#define SEAL() {"seal", OPTION_SEAL, 0, 0, 0, 0, NULL}
#define WARN() {"warn", OPTION_WARN, 0, 0, 0, 0, NULL}
#define END() {NULL, OPTION_FLAG, 0, 0, 0, 0, NULL}

const Option option_encode[] = {
  FLAG("canonical", HEARTH_CANONICAL),
  FLAG("strip", HEARTH_STRIP),
  FLAG("modules_by_value", HEARTH_MODULES_BY_VALUE),
  PERMANENTS(0),
  SEAL(),
  COUNT(max_bytes, 0, LUA_MAXINTEGER),
  END(),
};

const Option option_decode[] = {
  FLAG("trusted", HEARTH_TRUSTED),
  FLAG("functions", HEARTH_ALLOW_FUNCTIONS),
  FLAG("metatables", HEARTH_ALLOW_METATABLES),
  FLAG("placeholders", HEARTH_PLACEHOLDERS),
  PERMANENTS(HEARTH_ALLOW_PERMANENTS),
  SEAL(),
  COUNT(max_bytes, 0, LUA_MAXINTEGER),
  COUNT(max_memory, 0, LUA_MAXINTEGER),
  END(),
};

const Option option_open[] = {
  FLAG("readonly", HEARTH_OPEN_READONLY),
  DENY("create", HEARTH_OPEN_NO_CREATE),
  FLAG("exclusive", HEARTH_OPEN_EXCLUSIVE),
  DENY("functions", HEARTH_STORE_NO_FUNCTIONS),
  FLAG("strip", HEARTH_STORE_STRIP),
  FLAG("modules_by_value", HEARTH_STORE_MODULES_BY_VALUE),
  FLAG("placeholders", HEARTH_STORE_PLACEHOLDERS),
  CHOICE(alias),
  CHOICE(durability),
  SEAL(),
  WARN(),
  COUNT(page_size, 64, 1024 * 1024),
  COUNT(at, 1, LUA_MAXINTEGER),
  COUNT(keep, 0, 0x7fffffff),
  END(),
};

const Option option_compact[] = {
  COUNT(keep, 0, 0x7fffffff),
  END(),
};

static int option_wrong(lua_State *L, int arg, const Option *option, const char *wanted) {
  return luaL_argerror(L, arg, lua_pushfstring(L, "option '%s': %s expected, got %s", option->name, wanted,
                                               luaL_typename(L, -1)));
}

static const Option *option_find(const Option *options, const char *name) {
  for (const Option *option = options; option->name != NULL; option++)
    if (strcmp(option->name, name) == 0) return option;
  return NULL;
}

static void option_refuse_unknown(lua_State *L, int arg, const Option *options) {
  lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, arg, lua_pushfstring(L, "options are named: a key is a %s", luaL_typename(L, -2)));
    const char *name = lua_tostring(L, -2);
    if (option_find(options, name) == NULL) luaL_argerror(L, arg, lua_pushfstring(L, "unknown option '%s'", name));
    lua_pop(L, 1);
  }
}

/* The choices as a message lists them: 'off', 'on', 'track'. */
static const char *option_list(lua_State *L, const OptionChoice *choices) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (const OptionChoice *choice = choices; choice->name != NULL; choice++) {
    luaL_addstring(&b, choice == choices ? "'" : ", '");
    luaL_addstring(&b, choice->name);
    luaL_addchar(&b, '\'');
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

static const OptionChoice *option_choose(lua_State *L, int index, const OptionChoice *choices) {
  const char *name = NULL;
  if (lua_type(L, index) == LUA_TSTRING) name = lua_tostring(L, index);
  if (lua_type(L, index) == LUA_TBOOLEAN) name = lua_toboolean(L, index) ? "on" : "off";
  for (const OptionChoice *choice = choices; name != NULL && choice->name != NULL; choice++)
    if (strcmp(choice->name, name) == 0) return choice;
  return NULL;
}

static bool option_check_boolean(lua_State *L, int arg, const Option *option, const char *wanted) {
  if (lua_type(L, -1) != LUA_TBOOLEAN) option_wrong(L, arg, option, wanted);
  return lua_toboolean(L, -1);
}

static void option_read_count(lua_State *L, int arg, const Option *option, Settings *settings) {
  int is_integer;
  lua_Integer count = lua_tointegerx(L, -1, &is_integer);
  if (lua_type(L, -1) != LUA_TNUMBER || !is_integer) option_wrong(L, arg, option, "an integer");
  if (count < option->least || count > option->most)
    luaL_argerror(L, arg, lua_pushfstring(L, "option '%s': %I is not from %I to %I", option->name,
                                          (LUAI_UACINT)count, (LUAI_UACINT)option->least,
                                          (LUAI_UACINT)option->most));
  *(uint64_t *)(void *)((char *)settings + option->offset) = (uint64_t)count;
}

static void option_read_choice(lua_State *L, int arg, const Option *option, Settings *settings) {
  const OptionChoice *choice = option_choose(L, -1, option->choices);
  if (choice == NULL) {
    const char *got = lua_type(L, -1) == LUA_TSTRING ? lua_pushfstring(L, "'%s'", lua_tostring(L, -1))
                                                     : luaL_typename(L, -1);
    luaL_argerror(L, arg, lua_pushfstring(L, "option '%s': one of %s expected, got %s", option->name,
                                          option_list(L, option->choices), got));
    return;
  }
  *(int *)(void *)((char *)settings + option->offset) = choice->value;
}

/* The option's value is on the top; true if it must stay there. */
static bool option_read_one(lua_State *L, int arg, const Option *option, Settings *settings) {
  switch (option->kind) {
    case OPTION_FLAG:
      if (option_check_boolean(L, arg, option, "a boolean")) settings->flags |= option->flag;
      return false;
    case OPTION_DENY:
      if (!option_check_boolean(L, arg, option, "a boolean")) settings->flags |= option->flag;
      return false;
    case OPTION_COUNT:
      option_read_count(L, arg, option, settings);
      return false;
    case OPTION_CHOICE:
      option_read_choice(L, arg, option, settings);
      return false;
    case OPTION_PERMANENTS:
      if (lua_type(L, -1) == LUA_TTABLE) {
        settings->permanents = lua_gettop(L);
        return true;
      }
      if (option->flag == 0) option_wrong(L, arg, option, "a table");
      if (option_check_boolean(L, arg, option, "a boolean or a table")) settings->flags |= option->flag;
      return false;
    case OPTION_SEAL:
      if (luaL_testudata(L, -1, OPTION_SEAL_TYPE) == NULL) option_wrong(L, arg, option, "a seal");
      settings->seal = lua_gettop(L);
      return true;
    case OPTION_WARN:
      if (lua_type(L, -1) != LUA_TFUNCTION) option_wrong(L, arg, option, "a function");
      settings->warn = lua_gettop(L);
      return true;
  }
  return false;
}

void option_read(lua_State *L, int arg, const Option *options, Settings *settings) {
  if (lua_isnoneornil(L, arg)) return;
  luaL_checktype(L, arg, LUA_TTABLE);
  luaL_checkstack(L, 16, "options");
  option_refuse_unknown(L, arg, options);
  for (const Option *option = options; option->name != NULL; option++) {
    lua_pushstring(L, option->name);
    lua_rawget(L, arg);
    if (lua_isnil(L, -1) || !option_read_one(L, arg, option, settings)) lua_pop(L, 1);
  }
}

int option_check_choice(lua_State *L, int arg, const OptionChoice *choices) {
  const OptionChoice *choice = option_choose(L, arg, choices);
  if (choice == NULL) {
    const char *got = lua_type(L, arg) == LUA_TSTRING ? lua_pushfstring(L, "'%s'", lua_tostring(L, arg))
                                                      : luaL_typename(L, arg);
    luaL_argerror(L, arg, lua_pushfstring(L, "one of %s expected, got %s", option_list(L, choices), got));
    return 0;
  }
  return choice->value;
}
