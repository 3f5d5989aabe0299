/* A binary chunk that did not come through a record: checked, then loaded like one. */
#include <lauxlib.h>

#include "error.h"
#include "hearth.h"
#include "protect.h"
#include "prototype.h"

typedef struct ChunkCall {
  const Prototype *prototype;
  hearth_error *error;
} ChunkCall;

/* Stack: [1] the call, [2] the globals. */
static int load_protected(lua_State *L) {
  const ChunkCall *call = lua_touserdata(L, 1);
  if (prototype_load(L, call->prototype, NULL, 0, call->error) != HEARTH_OK) {
    lua_pushnil(L);
    return lua_error(L);
  }
  prototype_instantiate(L, lua_gettop(L), call->prototype->nupvalues);
  lua_pushvalue(L, 2);
  if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
  return 1;
}

hearth_status hearth_load_chunk(lua_State *L, const void *bytes, size_t size, int globals, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  if (globals != 0 && !lua_istable(L, globals))
    return hearth_fail(err, HEARTH_INVALID, "globals: a table expected, got a %s", luaL_typename(L, globals));
  Prototype p = {0};
  Buffer body;
  ChunkFault fault;
  const hearth_allocator allocator = protect_allocator(L);
  buffer_init(&body, &allocator);
  hearth_status status = HEARTH_OK;
  if (!lua_checkstack(L, LUA_MINSTACK)) {
    status = hearth_fail(err, HEARTH_NOMEM, "no memory for the Lua stack, or it is full");
  } else if (!chunk_normalise(bytes, size, &p.header, &p.nupvalues, &body, &fault)) {
    status = hearth_fail_at(err, HEARTH_DAMAGED, fault.position, "damaged at byte %llu: %s",
                            (unsigned long long)fault.position, fault.why);
  } else if (body.failed) {
    status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  }
  if (status == HEARTH_OK) {
    ChunkCall call = {&p, err};
    p.record = p.body = body.data;
    p.body_size = body.size;
    if (globals != 0)
      lua_pushvalue(L, globals);
    else
      lua_pushglobaltable(L);
    status = protect(L, load_protected, &call, 1, 1, err);
  }
  buffer_free(&body);
  return status;
}
