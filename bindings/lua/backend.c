#include "backend.h"

#include <string.h>

#include <lauxlib.h>

#include "error.h"
#include "hearth.h"
#include "hearth_lua_backend.h"

#define LONGEST_SCHEME 32

/* The length of a scheme that may be part of a module's name, or 0. */
static size_t scheme_length(const char *uri) {
  size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789_+-");
  return n <= LONGEST_SCHEME && uri[n] == ':' ? n : 0;
}

/* Stack: the module's name. Answers what the global require does. */
static int require_module(lua_State *L) {
  if (lua_getglobal(L, "require") != LUA_TFUNCTION) return luaL_error(L, "there is no function require");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* What require said, in one line; of a module that was not found without all the places where it looked. */
static const char *reason(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  if (text == NULL) return "it raised an error that is no string";
  if (strncmp(text, "module '", 8) == 0) return lua_pushlstring(L, text, strcspn(text, ":\n"));
  return luaL_gsub(L, luaL_gsub(L, text, "\t", ""), "\n", " ");
}

/* Stack: the module's name, at the top; replaced by what it answers. */
static bool backend_of_module(lua_State *L, const char *uri, size_t scheme, const hearth_backend **out,
                              hearth_error *err) {
  const char *module = lua_tostring(L, -1);
  lua_pushcfunction(L, require_module);
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    hearth_fail(err, HEARTH_INVALID, "'%.*s:...': no such store in the library (memory:, file:), and require: %s",
                (int)scheme, uri, reason(L));
    return false;
  }
  *out = hearth_lua_to_backend(L, -1);
  if (*out == NULL) {
    hearth_fail(err, HEARTH_INVALID, "'%.*s:...' is no store's URI: the Lua module %s holds no backend", (int)scheme,
                uri, module);
    return false;
  }
  if ((*out)->abi == HEARTH_BACKEND_ABI) return true;
  hearth_fail(err, HEARTH_VERSION,
              "the backend of the Lua module %s is made for another version of Hearth (%u, not %d)", module,
              (*out)->abi, HEARTH_BACKEND_ABI);
  return false;
}

bool backend_find(lua_State *L, const char *uri, const hearth_backend **out, hearth_error *err) {
  const char *location;
  const int top = lua_gettop(L);
  *out = NULL;
  if (hearth_backend_for_uri(uri, NULL, &location, err) != NULL) return true;
  const size_t scheme = location == NULL ? scheme_length(uri) : 0;
  if (scheme == 0) return false;
  lua_pushliteral(L, "hearth.");
  lua_pushlstring(L, uri, scheme);
  lua_concat(L, 2);
  const bool found = backend_of_module(L, uri, scheme, out, err);
  lua_settop(L, top);
  return found;
}
