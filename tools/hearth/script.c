#include "script.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "hearth_lua.h"
#include "hearth_lua_backend.h"

/* require "hearth.SCHEME" of a backend that is built in: the upvalue. */
static int open_built_in(lua_State *L) {
  return hearth_lua_push_backend(L, lua_touserdata(L, lua_upvalueindex(1)));
}

static int prepare(lua_State *L) {
  luaL_checkversion(L);
  luaL_openlibs(L);
  luaL_requiref(L, "hearth", luaopen_hearth, 0); /* before the store is opened: what is stored may use it */
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const hearth_backend *const *b = command_backends; *b != NULL; b++) {
    lua_pushfstring(L, "hearth.%s", (*b)->name);
    lua_pushlightuserdata(L, (void *)(uintptr_t)*b);
    lua_pushcclosure(L, open_built_in, 1);
    lua_rawset(L, -3);
  }
  return 0;
}

/* A message for what was raised, whatever it is. */
static const char *message_of(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  return text != NULL ? text : "an error that is no string";
}

/* Requires and registers one module. Stack: its name. */
static int register_module(lua_State *L) {
  hearth_error err;
  lua_getglobal(L, "require");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if (!lua_istable(L, -1)) return luaL_error(L, "module '%s' is no table", lua_tostring(L, 1));
  if (hearth_register_module(L, lua_gettop(L), lua_tostring(L, 1), &err) != HEARTH_OK)
    return luaL_error(L, "%s", err.message);
  return 0;
}

static int register_modules(lua_State *L, const Call *call) {
  for (int i = 0; i < call->module_count; i++) {
    lua_pushcfunction(L, register_module);
    lua_pushstring(L, call->modules[i]);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      const char *message = message_of(L); /* require lists everywhere it looked, a line each: the first says it */
      int status = complain(STATUS_FAILED, "-l %s: %.*s", call->modules[i], (int)strcspn(message, "\n"), message);
      lua_pop(L, 1);
      return status;
    }
  }
  return STATUS_OK;
}

/* The policy of the global Memory; false: complained. */
static bool choose_alias(const Call *call, hearth_alias *out) {
  static const char *const names[] = {
    [HEARTH_ALIAS_OFF] = "off", [HEARTH_ALIAS_ON] = "on", [HEARTH_ALIAS_TRACK] = "track"};
  for (size_t i = 0; call->alias != NULL && i < sizeof names / sizeof *names; i++) {
    if (strcmp(call->alias, names[i]) != 0) continue;
    *out = (hearth_alias)i;
    return true;
  }
  if (call->alias == NULL) return true;
  complain(STATUS_USAGE, "--alias: '%s' is none of off, on, track", call->alias);
  return false;
}

int script_open(const Call *call, unsigned flags, Script *s) {
  hearth_error err;
  hearth_options options = {.size = sizeof options, .flags = flags, .warn = print_warning,
                            .backends = command_backends, .keep = call->keep};
  if (!choose_alias(call, &options.alias)) return STATUS_USAGE;
  s->location = call->uri;
  s->store = NULL;
  s->L = luaL_newstate();
  if (s->L == NULL) return complain(STATUS_FAILED, "%s", hearth_status_text(HEARTH_NOMEM));
  lua_pushcfunction(s->L, prepare);
  if (lua_pcall(s->L, 0, 0, 0) != LUA_OK) {
    int status = complain(STATUS_FAILED, "%s", message_of(s->L));
    lua_close(s->L);
    return status;
  }
  int registered = register_modules(s->L, call);
  if (registered != STATUS_OK) {
    lua_close(s->L);
    return registered;
  }
  if (hearth_open_uri(s->L, call->uri, &options, &s->store, &err) < 0) {
    int status = complain_about(STATUS_NO_STORE, call->uri, &err);
    lua_close(s->L);
    return status;
  }
  hearth_status installed = hearth_install(s->L, s->store);
  if (installed >= 0) return STATUS_OK;
  return script_close(s, complain(STATUS_NO_STORE, "%s: %s", call->uri, hearth_status_text(installed)));
}

int script_close(Script *s, int status) {
  hearth_status closed = hearth_close(s->L, s->store);
  lua_close(s->L);
  if (closed >= 0 || status != STATUS_OK) return status;
  return complain(STATUS_FAILED, "%s: %s", s->location, hearth_status_text(closed));
}

int script_push_arguments(lua_State *L, int argc, char **argv) {
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
  luaL_checkstack(L, argc, "too many arguments");
  for (int i = 1; i < argc; i++) lua_pushstring(L, argv[i]);
  return argc - 1;
}

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL && (luaL_callmeta(L, 1, "__tostring") == 0 || lua_type(L, -1) != LUA_TSTRING))
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  luaL_traceback(L, L, message != NULL ? message : lua_tostring(L, -1), 1);
  return 1;
}

int script_call(lua_State *L, int nargs, int nresults) {
  int base = lua_gettop(L) - nargs;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, base);
  int failed = lua_pcall(L, nargs, nresults, base);
  lua_remove(L, base);
  if (failed == LUA_OK) return STATUS_OK;
  (void)fflush(stdout);
  (void)fprintf(stderr, "hearth: %s\n", message_of(L)); /* of several lines: the traceback */
  lua_pop(L, 1);
  return STATUS_FAILED;
}

int script_print(lua_State *L, int first) {
  int count = lua_gettop(L) - first + 1;
  if (count <= 0) return STATUS_OK;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  if (lua_getglobal(L, "print") != LUA_TFUNCTION)
    return complain(STATUS_FAILED, "the global print is no function any more");
  lua_insert(L, first);
  return script_call(L, count, 0);
}

/* Is the global Memory a table of the program's own? */
static int memory_is_other(lua_State *L) {
  Script *s = lua_touserdata(L, 1);
  lua_pushglobaltable(L);
  lua_pushliteral(L, "Memory");
  lua_rawget(L, -2);
  hearth_push_home(L, s->store);
  lua_pushboolean(L, lua_istable(L, -2) && !lua_rawequal(L, -1, -2));
  return 1;
}

void script_tell_memory(Script *s) {
  hearth_stat stat = {.size = sizeof stat, .storage = {.size = sizeof stat.storage}};
  hearth_error err;
  lua_pushcfunction(s->L, memory_is_other);
  lua_pushlightuserdata(s->L, s);
  if (lua_pcall(s->L, 1, 1, 0) == LUA_OK && lua_toboolean(s->L, -1))
    print_warning(NULL, "the global Memory is a table that nothing saves: it is a name of _home with --alias on");
  lua_pop(s->L, 1);
  if (hearth_store_stat(s->store, &stat, &err) >= 0 && stat.alias_uses > 0)
    (void)complain(STATUS_OK, "uses of the name Memory: %llu", (unsigned long long)stat.alias_uses);
}

int script_commit(Script *s) {
  hearth_error err;
  if (hearth_commit(s->L, s->store, HEARTH_DEFAULT_DURABILITY, &err) >= 0) return STATUS_OK;
  return complain_about(STATUS_FAILED, s->location, &err);
}

void script_rollback(Script *s) {
  hearth_error err;
  if (hearth_rollback(s->L, s->store, &err) < 0) (void)complain_about(STATUS_FAILED, s->location, &err);
}
