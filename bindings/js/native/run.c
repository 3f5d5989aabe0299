/*
** Running Lua code, and reaching values by a path.
*/
#include <lauxlib.h>
#include <string.h>

#include "error.h"
#include "transfer.h"

#define HOOK_EVERY 1000 /* instructions between two looks at the limit */

/* Code that catches the error meets it again with its next instruction, so that no loop around a pcall goes on. */
static void count(lua_State *L, lua_Debug *ar) {
  Bridge *b = bridge_of(L);
  (void)ar;
  if (!b->limited) { /* a coroutine that was made in a limited run */
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  b->budget -= lua_gethookcount(L);
  if (b->budget > 0) return;
  lua_sethook(L, count, LUA_MASKCOUNT, 1);
  luaL_error(L, "the limit of instructions is reached");
}

/*
** Stack: code, chunk name, limit of instructions or nil, arguments. The limit counts in this thread and in coroutines
** that are made meanwhile: they inherit the hook.
*/
static int run(lua_State *L) {
  size_t size;
  const char *code = luaL_checklstring(L, 1, &size);
  const char *name = luaL_checkstring(L, 2);
  lua_Integer limit = lua_tointeger(L, 3);
  if (luaL_loadbufferx(L, code, size, name, "t") != LUA_OK) return lua_error(L);
  lua_replace(L, 3);
  if (limit > 0) {
    bridge_of(L)->budget = limit;
    bridge_of(L)->limited = true;
    lua_sethook(L, count, LUA_MASKCOUNT, limit < HOOK_EVERY ? (int)limit : HOOK_EVERY);
  }
  lua_call(L, lua_gettop(L) - 3, LUA_MULTRET);
  return lua_gettop(L) - 2;
}

int EXPORT(js_run)(Bridge *b) {
  lua_State *L = b->current;
  lua_Hook hook = lua_gethook(L); /* a run inside a run's callback has its own limit */
  int mask = lua_gethookmask(L), every = lua_gethookcount(L);
  int64_t budget = b->budget;
  bool limited = b->limited;
  int status = bridge_enter(b, run, true);
  lua_sethook(L, hook, mask, every);
  b->budget = budget;
  b->limited = limited;
  return status;
}

/* ------------------------------------------------------------------ paths */

static int bad_path(lua_State *L, const char *path, const char *at) {
  hearth_fail(&bridge_of(L)->error, HEARTH_INVALID,
              "'%s' is no path: a name, [number] or [\"text\"] expected at column %d", path, (int)(at - path) + 1);
  return bridge_fail(L);
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What stands behind a backslash, as in Lua: the byte, or -1. Moves over it. */
static int get_escape(const char **at) {
  static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
  const char *s = *at, *letter = *s != '\0' ? strchr(letters, *s) : NULL;
  int byte = -1;
  if (letter != NULL) {
    byte = (unsigned char)meanings[letter - letters];
    s++;
  } else if (*s == 'x' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
    byte = hex_digit(s[1]) * 16 + hex_digit(s[2]);
    s += 3;
  } else if (is_digit(*s)) {
    for (int i = byte = 0; i < 3 && is_digit(*s); i++) byte = byte * 10 + (*s++ - '0');
  }
  *at = s;
  return byte <= 255 ? byte : -1;
}

/* [-0, +1, e] Pushes the text in quotes at `at`: what stands behind it. */
static const char *push_quoted(lua_State *L, const char *path, const char *at) {
  luaL_Buffer text;
  char quote = *at++;
  luaL_buffinit(L, &text);
  while (*at != quote) {
    const char *here = at;
    int byte = (unsigned char)*at++;
    if (byte == '\\') byte = get_escape(&at);
    if (byte < 0 || *here == '\0') bad_path(L, path, here);
    luaL_addchar(&text, (char)byte);
  }
  luaL_pushresult(&text);
  return at + 1;
}

/* [-0, +1, e] Pushes what stands between brackets without quotes. */
static const char *push_plain(lua_State *L, const char *path, const char *at) {
  const char *end = strchr(at, ']');
  if (end == NULL) bad_path(L, path, at + strlen(at));
  lua_pushlstring(L, at, (size_t)(end - at));
  const char *word = lua_tostring(L, -1);
  bool is_true = strcmp(word, "true") == 0;
  if (is_true || strcmp(word, "false") == 0)
    lua_pushboolean(L, is_true);
  else if (lua_stringtonumber(L, word) == 0)
    bad_path(L, path, at);
  lua_remove(L, -2);
  return end;
}

/* [-0, +1, e] Pushes the key of one step and moves behind it. */
static const char *push_step(lua_State *L, const char *path, const char *at) {
  if (*at == '[') {
    at++;
    at = *at == '"' || *at == '\'' ? push_quoted(L, path, at) : push_plain(L, path, at);
    if (*at != ']') bad_path(L, path, at);
    return at + 1;
  }
  if (at != path) { /* every name but the first stands after a dot */
    if (*at != '.') bad_path(L, path, at);
    at++;
  }
  const char *begin = at;
  if (!is_letter(*at)) bad_path(L, path, at);
  while (is_letter(*at) || is_digit(*at)) at++;
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
** [-0, +2, e] Of the path at `index`: pushes the value that holds its last step, and that step's key. A step through
** what cannot be indexed is NOTFOUND.
*/
static void push_holder(lua_State *L, int index) {
  size_t size;
  const char *path = luaL_checklstring(L, index, &size), *at = path;
  if (strlen(path) != size) bad_path(L, path, path + strlen(path));
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
static void push_existing_holder(lua_State *L, int index) {
  push_holder(L, index);
  if (!lua_isnil(L, -2)) return;
  hearth_fail(&bridge_of(L)->error, HEARTH_NOTFOUND, "%s: nothing is there that could hold it",
              lua_tostring(L, index));
  bridge_fail(L);
}

/* Stack: path, arguments. */
static int call_path(lua_State *L) {
  push_existing_holder(L, 1);
  lua_gettable(L, -2);
  lua_replace(L, 1);
  lua_pop(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int EXPORT(js_call_path)(Bridge *b) {
  return bridge_enter(b, call_path, true);
}

void bridge_push_path(lua_State *L, int index) {
  int top = lua_gettop(L);
  push_holder(L, index);
  if (lua_isnil(L, -2))
    lua_pushnil(L);
  else
    lua_gettable(L, -2);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}

/* Stack: path. */
static int get(lua_State *L) {
  bridge_push_path(L, 1);
  return 1;
}

int EXPORT(js_get)(Bridge *b) {
  return bridge_enter(b, get, true);
}

/* Stack: path, value. */
static int set(lua_State *L) {
  push_existing_holder(L, 1);
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
