/*
** From JavaScript into Lua: every call is protected, and whatever went wrong becomes an
** answer.
*/
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "transfer.h"

/*
** The answer of a failure, as a message: position (nil without one), path (nil), message, and, of what Lua code
** raised, traceback, whether it is what a JavaScript function raised last, and error value. Stack: those three, or
** fewer.
*/
static int answer_error(lua_State *L) {
  Bridge *b = bridge_of(L);
  const hearth_error *e = &b->error;
  if (e->position != HEARTH_NO_POSITION)
    lua_pushnumber(L, (lua_Number)e->position);
  else
    lua_pushnil(L);
  if (e->path[0] != '\0')
    lua_pushstring(L, e->path);
  else
    lua_pushnil(L);
  lua_pushstring(L, e->message);
  lua_rotate(L, 1, 3); /* before what was on the stack */
  transfer_write(L, b, 1);
  return 0;
}

/* The same without Lua, where even that fails: the message alone. */
static void answer_plainly(Bridge *b) {
  static const unsigned char values[] = {3, 0, 0, 0, TRANSFER_NIL, TRANSFER_NIL, TRANSFER_TEXT};
  uint32_t size = (uint32_t)strlen(b->error.message);
  unsigned char bytes[] = {(unsigned char)size, (unsigned char)(size >> 8), 0, 0}; /* the record has room for 511 */
  buffer_clear(&b->out);
  buffer_put(&b->out, values, sizeof values);
  buffer_put(&b->out, bytes, sizeof bytes);
  buffer_put(&b->out, b->error.message, size);
  if (b->out.failed) buffer_clear(&b->out);
}

static const char failed = 0;    /* raised by bridge_fail: the error is filled in */
static const char traceback = 0; /* the registry's key of where the last error was raised */

/*
** Keeps where an error was raised. The value stays what it is: Lua's parser, which calls this too when it overflows the
** stack, gives it to who called load.
*/
static int message_handler(lua_State *L) {
  if (lua_touserdata(L, 1) == &failed) return 1;
  luaL_traceback(L, L, NULL, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &traceback);
  return 1;
}

/* Stack: [1] an error value. What it says, as text. */
static int describe(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* The error value is on the top, and popped. */
static int raised(lua_State *L, Bridge *b, int result) {
  hearth_status status = result == LUA_ERRMEM ? HEARTH_NOMEM : HEARTH_RAISED;
  int value = lua_gettop(L);
  if (result != LUA_ERRRUN) { /* memory ran out, or the handler failed: Lua's own text */
    hearth_fail(&b->error, status, "%s",
                lua_type(L, value) == LUA_TSTRING ? lua_tostring(L, value) : hearth_status_text(status));
    answer_plainly(b);
    lua_pop(L, 1);
    return status;
  }
  lua_pushcfunction(L, describe);
  lua_pushvalue(L, value);
  bool told = lua_pcall(L, 1, 1, 0) == LUA_OK;
  hearth_fail(&b->error, status, "%s", told ? lua_tostring(L, -1) : "an error value that cannot be shown as text");
  lua_settop(L, value);
  lua_pushcfunction(L, answer_error);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &traceback);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &callback_thrown);
  lua_pushboolean(L, lua_rawequal(L, -1, value));
  lua_replace(L, -2);
  lua_pushvalue(L, value);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) { /* the value itself does not go over */
    lua_pop(L, 1);
    lua_pushcfunction(L, answer_error);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &traceback);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) answer_plainly(b);
  }
  lua_settop(L, value - 1);
  lua_pushnil(L); /* the keys are there, or stay away: nothing is allocated */
  lua_rawsetp(L, LUA_REGISTRYINDEX, &callback_thrown);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &traceback);
  return status;
}

int bridge_fail(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&failed);
  return lua_error(L);
}

hearth_status bridge_check(lua_State *L, hearth_status status) {
  if (status < 0) bridge_fail(L);
  return status;
}

typedef struct Entry {
  Bridge *bridge;
  lua_CFunction f;
  bool answers;
} Entry;

int bridge_answer(Bridge *b, hearth_status status) {
  lua_State *L = b->current;
  buffer_clear(&b->out);
  if (status >= 0 || !lua_checkstack(L, LUA_MINSTACK)) return status;
  lua_pushcfunction(L, answer_error);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    answer_plainly(b);
    lua_pop(L, 1);
  }
  return status;
}

/* Stack: [1] the entry. The message's values become f's arguments. */
static int enter(lua_State *L) {
  const Entry *entry = lua_touserdata(L, 1);
  Bridge *b = entry->bridge;
  lua_settop(L, 0);
  lua_pushcfunction(L, entry->f);
  int count = transfer_read(L, b);
  lua_call(L, count, entry->answers ? LUA_MULTRET : 0);
  if (entry->answers) transfer_write(L, b, 1);
  return 0;
}

int bridge_enter(Bridge *b, lua_CFunction f, bool answers) {
  lua_State *L = b->current;
  Entry entry = {b, f, answers};
  hearth_ok(&b->error);
  buffer_clear(&b->out);
  if (!lua_checkstack(L, LUA_MINSTACK)) return hearth_fail(&b->error, HEARTH_NOMEM, "the Lua stack is full");
  int top = lua_gettop(L);
  lua_pushcfunction(L, message_handler);
  lua_pushcfunction(L, enter);
  lua_pushlightuserdata(L, &entry);
  int result = lua_pcall(L, 1, 0, top + 1);
  b->in.size = 0;
  (void)fflush(stdout); /* io.write leaves its bytes in the C library's buffer */
  int status = HEARTH_OK;
  if (result != LUA_OK && lua_touserdata(L, -1) == &failed)
    status = bridge_answer(b, b->error.code);
  else if (result != LUA_OK)
    status = raised(L, b, result);
  lua_settop(L, top);
  return status;
}
