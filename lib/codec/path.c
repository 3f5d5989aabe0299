/*
** Paths, found when an error needs one: a walk remembers only from which
** object each object was first reached, and the step between the two is
** searched for in the parent. `root.players[3].on_hit^count^metatable`: what is
** reached otherwise than by indexing is set off by '^'.
*/
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "encoder.h"

/* A Lua name; not by <ctype.h>, which the host's locale may change. */
static bool is_name(const char *s, size_t size) {
  if (size == 0 || (*s >= '0' && *s <= '9')) return false;
  for (size_t i = 0; i < size; i++)
    if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || s[i] == '_'))
      return false;
  return true;
}

void path_push_key(lua_State *L, int key) {
  size_t size;
  const char *s;
  switch (lua_type(L, key)) {
    case LUA_TSTRING:
      s = lua_tolstring(L, key, &size);
      if (is_name(s, size)) {
        lua_pushfstring(L, ".%s", s);
      } else {
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        luaL_addstring(&b, "[\"");
        for (size_t i = 0; i < size && i < 64; i++) {
          unsigned char c = (unsigned char)s[i];
          char escape[8];
          if (c == '"' || c == '\\')
            (void)snprintf(escape, sizeof escape, "\\%c", c);
          else if (c < 0x20 || c >= 0x7f)
            (void)snprintf(escape, sizeof escape, "\\x%02x", c);
          else
            (void)snprintf(escape, sizeof escape, "%c", c);
          luaL_addstring(&b, escape);
        }
        luaL_addstring(&b, size > 64 ? "...\"]" : "\"]");
        luaL_pushresult(&b);
      }
      break;
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
      luaL_tolstring(L, key, NULL); /* no metamethods for these types */
      lua_pushfstring(L, "[%s]", lua_tostring(L, -1));
      lua_remove(L, -2);
      break;
    default: lua_pushfstring(L, "[%s]", luaL_typename(L, key));
  }
}

/* Pushes the step from the table at `t` to the value at `child`; "?" when a hook changed the table meanwhile. */
static void push_table_step(lua_State *L, int t, int child) {
  if (lua_getmetatable(L, t)) {
    bool same = lua_rawequal(L, -1, child);
    lua_pop(L, 1);
    if (same) {
      lua_pushliteral(L, "^metatable");
      return;
    }
  }
  lua_pushnil(L);
  while (lua_next(L, t)) {
    bool is_value = lua_rawequal(L, -1, child), is_key = lua_rawequal(L, -2, child);
    lua_pop(L, 1);
    if (is_value) {
      path_push_key(L, lua_gettop(L));
      lua_remove(L, -2);
      return;
    }
    if (is_key) {
      lua_pushfstring(L, "[%s as a key]", luaL_typename(L, child));
      lua_remove(L, -2);
      return;
    }
  }
  lua_pushliteral(L, ".?");
}

/* Pushes the step from the function at `f` to the cell `id`. */
static void push_upvalue_step(lua_State *L, int f, const void *id) {
  const char *name;
  for (int i = 1; (name = lua_getupvalue(L, f, i)) != NULL; i++) {
    lua_pop(L, 1);
    if (!lua_iscfunction(L, f) && lua_upvalueid(L, f, i) == id) {
      if (is_name(name, strlen(name)))
        lua_pushfstring(L, "^%s", name);
      else
        lua_pushfstring(L, "^%d", i);
      return;
    }
  }
  lua_pushliteral(L, "^?");
}

/* Pushes the step from the object in `parent` to the child: a value at `child`, or the object in `slot`. */
static void push_step(Encoder *E, uint32_t parent, int child, uint32_t slot) {
  lua_State *L = E->L;
  const Object *o = &E->heap->objects[parent];
  int top = lua_gettop(L);
  lua_rawgeti(L, E->objects, (lua_Integer)parent + 1);
  bool transparent = o->kind == OBJECT_CELL || o->kind == OBJECT_SPECIAL; /* the step before names it */
  if (!transparent && lua_istable(L, -1))
    push_table_step(L, top + 1, child);
  else if (!transparent && lua_isfunction(L, -1) && slot != HEAP_NONE)
    push_upvalue_step(L, top + 1, (const void *)(uintptr_t)E->heap->objects[slot].pointer);
  else
    lua_pushliteral(L, "");
  lua_remove(L, top + 1);
}

#define MOST_STEPS 64

void encoder_push_path(Encoder *E, uint32_t slot, int index) {
  lua_State *L = E->L;
  luaL_checkstack(L, MOST_STEPS + LUA_MINSTACK, "path");
  int top = lua_gettop(L);
  if (index != 0 && slot != HEAP_NONE)
    push_step(E, slot, index, HEAP_NONE);
  else
    lua_pushliteral(L, "");
  int steps = 0;
  for (; slot != HEAP_NONE && steps < MOST_STEPS; steps++) { /* from the value up to the root: prepend */
    uint32_t parent = E->heap->objects[slot].parent;
    if (parent == HEAP_NONE) break;
    lua_rawgeti(L, E->objects, (lua_Integer)slot + 1);
    push_step(E, parent, lua_gettop(L), slot);
    lua_replace(L, -2);     /* path so far, step */
    lua_insert(L, top + 1); /* step, path so far */
    lua_concat(L, 2);
    slot = parent;
  }
  lua_pushfstring(L, "%s%s", steps == MOST_STEPS ? "..." : E->root, lua_tostring(L, -1));
  lua_remove(L, -2);
}

_Noreturn void encoder_fail(Encoder *E, hearth_status code, int index, const char *format, ...) {
  lua_State *L = E->L;
  char text[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (index != 0 || E->current != HEAP_NONE)
    encoder_push_path(E, E->current, index);
  else
    lua_pushstring(L, E->root);
  const char *path = lua_tostring(L, -1);
  hearth_error_path(E->error, path); /* cut, where it is long: the message must keep its reason */
  char cut[sizeof E->error->path];
  memcpy(cut, E->error->path, sizeof cut);
  hearth_fail(E->error, code, "%s: %s", cut, text);
  hearth_error_path(E->error, cut);
  lua_error(L); /* the boundary looks at the error record only */
  abort();
}

_Noreturn void encoder_fail_memory(Encoder *E) {
  hearth_fail(E->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  lua_pushnil(E->L);
  lua_error(E->L);
  abort();
}
