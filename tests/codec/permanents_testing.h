/*
** What the suites of permanents share: a state, and what names and registers values that expressions give.
*/
#ifndef HEARTH_TESTS_PERMANENTS_TESTING_H
#define HEARTH_TESTS_PERMANENTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "permanents.h"

static inline lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  return L;
}

/* [-0, +1] The value of an expression. */
static inline void push(lua_State *L, const char *expression) {
  lua_pushfstring(L, "return %s", expression);
  if (luaL_loadstring(L, lua_tostring(L, -1)) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_remove(L, -2);
  lua_call(L, 0, 1);
}

static inline void run(lua_State *L, const char *code) {
  if (luaL_dostring(L, code)) fail_msg("%s", lua_tostring(L, -1));
}

/* Is the value of the expression permanent under this name (NULL: not at all)? */
static inline void check_name(lua_State *L, const char *expression, const char *name) {
  const int top = lua_gettop(L);
  permanents_push(L);
  push(L, expression);
  const int kind = permanents_name(L, top + 1, 0, top + 2);
  if (name == NULL) {
    if (kind != PERMANENT_NONE) fail_msg("%s is named %s", expression, lua_tostring(L, -1));
    assert_int_equal(lua_gettop(L), top + 2);
  } else {
    if (kind == PERMANENT_NONE) fail_msg("%s has no name", expression);
    assert_int_equal(kind, permanents_kind(L, top + 2));
    assert_string_equal(lua_tostring(L, -1), name);
    assert_true(permanents_value(L, top + 1, 0, top + 3));
    assert_true(lua_rawequal(L, -1, top + 2));
  }
  lua_settop(L, top);
}

static inline bool is_known(lua_State *L, const char *name) {
  permanents_push(L);
  lua_pushstring(L, name);
  const int top = lua_gettop(L);
  const bool known = permanents_value(L, top - 1, 0, top);
  assert_int_equal(lua_gettop(L), top + known);
  lua_settop(L, top - 2);
  return known;
}

static inline void register_module(lua_State *L, const char *expression, const char *name) {
  hearth_error err;
  push(L, expression);
  if (hearth_register_module(L, -1, name, &err) != HEARTH_OK) fail_msg("%s", err.message);
  lua_pop(L, 1);
}

static inline void register_value(lua_State *L, const char *expression, const char *name) {
  hearth_error err;
  push(L, expression);
  if (hearth_register_permanent(L, -1, name, &err) != HEARTH_OK) fail_msg("%s", err.message);
  lua_pop(L, 1);
}

/* ------------------------------------------------------------------ cells */

static const char counter[] =
    "local count, limit = 0, 10\n"
    "counter = {}\n"
    "function counter.up() count = count + 1 return count end\n"
    "function counter.down() count = count - 1 return limit, print end\n"
    "function counter.closure() return function() return count, limit end end\n"
    "local private = 0\n"
    "function counter.other() return function() local private <const> = private return private end end\n";

static inline void *cell_id(lua_State *L, const char *expression, int upvalue) {
  push(L, expression);
  void *id = lua_upvalueid(L, -1, upvalue);
  assert_non_null(id);
  lua_pop(L, 1);
  return id;
}

static inline void check_cell(lua_State *L, void *id, const char *name) {
  const int top = lua_gettop(L);
  permanents_push(L);
  assert_true(permanents_cell_name(L, top + 1, id));
  assert_string_equal(lua_tostring(L, -1), name);
  const int upvalue = permanents_cell(L, top + 1, top + 2);
  assert_true(upvalue > 0);
  assert_ptr_equal(lua_upvalueid(L, -1, upvalue), id);
  lua_settop(L, top);
}

#endif
