/*
** Making and ending a Lua state, and the buffers that messages stand in.
*/
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "hearth_lua.h"
#include "transfer.h"

/* Lua's warn gives a message in pieces; alone, "@on" and "@off" are its switches, as in the lua program. */
static void warn(void *ud, const char *text, int more) {
  Bridge *b = ud;
  if (!b->warning && !more && text[0] == '@') {
    if (strcmp(text, "@on") == 0) b->silent = false;
    if (strcmp(text, "@off") == 0) b->silent = true;
    return;
  }
  if (!b->silent) js_warn(text, strlen(text), more);
  b->warning = more != 0;
}

/* There is no process to end here: an exit would take the page's state with it. */
static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit: there is no process to end");
}

static int set_up(lua_State *L) {
  Bridge *b = bridge_of(L);
  luaL_checkversion(L);
  luaL_openlibs(L);
  lua_getglobal(L, "os");
  lua_pushcfunction(L, no_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
  callback_setup(L, b);
  luaL_requiref(L, "hearth", luaopen_hearth, 0);
  lua_pop(L, 1);
  return 0;
}

static void release(Bridge *b) {
  buffer_free(&b->in);
  buffer_free(&b->out);
  pool_free(&b->pool);
  free(b);
}

/* A new Lua state with the standard library in it; NULL: memory exhausted. */
Bridge *EXPORT(js_new)(void) {
  Bridge *b = calloc(1, sizeof *b);
  if (b == NULL) return NULL;
  lua_State *L = lua_newstate(pool_alloc, &b->pool);
  if (L == NULL) {
    pool_free(&b->pool);
    free(b);
    return NULL;
  }
  b->L = b->current = L;
  *(Bridge **)lua_getextraspace(L) = b;
  buffer_init(&b->in, &hearth_libc_allocator);
  buffer_init(&b->out, &hearth_libc_allocator);
  lua_setwarnf(L, warn, b);
  lua_pushcfunction(L, set_up);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) return b;
  lua_close(L);
  release(b);
  return NULL;
}

/* Ends it, without committing. */
void EXPORT(js_delete)(Bridge *b) {
  (void)hearth_close(b->L, b->store);
  lua_close(b->L);
  (void)fflush(stdout); /* of finalizers */
  if (b->imported != NULL) (void)hearth_memory_backend.close(b->imported, NULL);
  release(b);
}

/* Room for a message of `size` bytes, which the next call reads; NULL: memory exhausted. */
void *EXPORT(js_in)(Bridge *b, size_t size) {
  buffer_clear(&b->in);
  unsigned char *bytes = buffer_reserve(&b->in, size);
  b->in.size = bytes != NULL ? size : 0;
  return bytes;
}

/* The last answer. */
const void *EXPORT(js_out)(const Bridge *b) {
  return b->out.data;
}

size_t EXPORT(js_out_size)(const Bridge *b) {
  return b->out.size;
}
