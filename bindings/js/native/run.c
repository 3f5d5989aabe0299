/*
** Running Lua code, and reaching values by a path.
*/
#include <ctype.h>
#include <lauxlib.h>

#include "error.h"
#include "transfer.h"

#define HOOK_EVERY 1000 /* instructions between two looks at the limit */

/* Code that catches the error meets it again a thousand instructions later. */
static void count(lua_State *L, lua_Debug *ar) {
  Bridge *b = bridge_of(L);
  (void)ar;
  b->budget -= HOOK_EVERY;
  if (b->budget <= 0) luaL_error(L, "the limit of instructions is reached");
}

/* Stack: code, chunk name, limit of instructions or nil, arguments. The limit counts in this thread, not in coroutines. */
static int run(lua_State *L) {
  size_t size;
  const char *code = luaL_checklstring(L, 1, &size);
  const char *name = luaL_checkstring(L, 2);
  lua_Integer limit = lua_tointeger(L, 3);
  if (luaL_loadbufferx(L, code, size, name, "t") != LUA_OK) return lua_error(L);
  lua_replace(L, 3);
  if (limit > 0) {
    bridge_of(L)->budget = limit;
    lua_sethook(L, count, LUA_MASKCOUNT, HOOK_EVERY);
  }
  lua_call(L, lua_gettop(L) - 3, LUA_MULTRET);
  return lua_gettop(L) - 2;
}

int EXPORT(js_run)(Bridge *b) {
  lua_State *L = b->current;
  lua_Hook hook = lua_gethook(L); /* a run inside a run's callback has its own limit */
  int mask = lua_gethookmask(L), every = lua_gethookcount(L);
  int64_t budget = b->budget;
  int status = bridge_enter(b, run, true);
  lua_sethook(L, hook, mask, every);
  b->budget = budget;
  return status;
}

/* ------------------------------------------------------------------ paths */

static int bad_path(lua_State *L, const char *path, const char *at) {
  hearth_fail(&bridge_of(L)->error, HEARTH_INVALID, "'%s' is no path: a name, [number] or [\"text\"] expected at column %d",
              path, (int)(at - path) + 1);
  return bridge_fail(L);
}

/* [-0, +1, e] Pushes the key of one step and moves behind it. */
static const char *push_step(lua_State *L, const char *path, const char *at) {
  if (*at == '[') {
    const char *begin = at + 1;
    if (*begin == '"' || *begin == '\'') {
      luaL_Buffer text;
      luaL_buffinit(L, &text);
      for (at = begin + 1; *at != *begin; at++) {
        if (*at == '\\' && at[1] != '\0') at++;
        if (*at == '\0') bad_path(L, path, at);
        luaL_addchar(&text, *at);
      }
      luaL_pushresult(&text);
      at++;
    } else {
      while (*at != ']' && *at != '\0') at++;
      lua_pushlstring(L, begin, (size_t)(at - begin));
      if (lua_stringtonumber(L, lua_tostring(L, -1)) == 0) bad_path(L, path, begin);
      lua_remove(L, -2);
    }
    if (*at != ']') bad_path(L, path, at);
    return at + 1;
  }
  if (at != path) { /* every name but the first stands after a dot */
    if (*at != '.') bad_path(L, path, at);
    at++;
  }
  const char *begin = at;
  if (!isalpha((unsigned char)*at) && *at != '_') bad_path(L, path, at);
  while (isalnum((unsigned char)*at) || *at == '_') at++;
  lua_pushlstring(L, begin, (size_t)(at - begin));
  return at;
}

/* nil can, so that a path to nothing is no error for who only looks. */
static bool can_index(lua_State *L, int index) {
  if (lua_istable(L, index) || lua_isnil(L, index)) return true;
  if (luaL_getmetafield(L, index, "__index") == LUA_TNIL) return false;
  lua_pop(L, 1);
  return true;
}

/*
** Pushes the value that holds the path's last step, and that step's key. A step through what cannot be
** indexed is NOTFOUND.
*/
static void push_holder(lua_State *L, const char *path) {
  const char *at = path;
  lua_pushglobaltable(L);
  for (;;) {
    const char *before = at;
    at = push_step(L, path, at);
    if (!can_index(L, lua_gettop(L) - 1)) {
      hearth_fail(&bridge_of(L)->error, HEARTH_NOTFOUND, "%.*s: is a %s, nothing can be in it", (int)(before - path),
                  path, luaL_typename(L, -2));
      bridge_fail(L);
    }
    if (*at == '\0') return;
    if (!lua_isnil(L, -2)) lua_gettable(L, -2);
    lua_remove(L, lua_isnil(L, -2) ? -1 : -2);
  }
}

/* The same, where it must be there. */
static void push_existing_holder(lua_State *L, const char *path) {
  push_holder(L, path);
  if (!lua_isnil(L, -2)) return;
  hearth_fail(&bridge_of(L)->error, HEARTH_NOTFOUND, "%s: nothing is there that could hold it", path);
  bridge_fail(L);
}

/* Stack: path, arguments. */
static int call_path(lua_State *L) {
  push_existing_holder(L, luaL_checkstring(L, 1));
  lua_gettable(L, -2);
  lua_replace(L, 1);
  lua_pop(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int EXPORT(js_call_path)(Bridge *b) {
  return bridge_enter(b, call_path, true);
}

void bridge_push_path(lua_State *L, const char *path) {
  int top = lua_gettop(L);
  push_holder(L, path);
  if (lua_isnil(L, -2))
    lua_pushnil(L);
  else
    lua_gettable(L, -2);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}

/* Stack: path. */
static int get(lua_State *L) {
  bridge_push_path(L, luaL_checkstring(L, 1));
  return 1;
}

int EXPORT(js_get)(Bridge *b) {
  return bridge_enter(b, get, true);
}

/* Stack: path, value. */
static int set(lua_State *L) {
  push_existing_holder(L, luaL_checkstring(L, 1));
  lua_pushvalue(L, 2);
  lua_settable(L, -3);
  return 0;
}

int EXPORT(js_set)(Bridge *b) {
  return bridge_enter(b, set, true);
}

/* Stack: a function, arguments. */
static int call_value(lua_State *L) {
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int EXPORT(js_call_value)(Bridge *b) {
  return bridge_enter(b, call_value, true);
}
