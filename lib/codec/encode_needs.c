/*
** What special objects need directly, as the bytes say it: found while they are written, so that nothing is handed
** out that decode_special.c would refuse. It mirrors the search there: closures, cells and special objects are looked
** through, tables are not.
**
** Only once a hook was called can there be a cycle: what was written before is gathered then, from objects that
** nothing has changed since.
*/
#include <lauxlib.h>

#include "encoder.h"
#include "prototype.h"

static uint64_t key_of(const void *address) {
  return (uint64_t)(uintptr_t)address;
}

static void add_cell(Encoder *E, int function, int upvalue) {
  needs_add(&E->needs, key_of(lua_upvalueid(E->L, function, upvalue)));
}

static void add_value(Encoder *E, int index) {
  int type = lua_type(E->L, index);
  if (type == LUA_TFUNCTION || type == LUA_TTABLE || type == LUA_TUSERDATA)
    needs_add(&E->needs, key_of(lua_topointer(E->L, index)));
}

void encode_needs_closure(Encoder *E, int index) {
  lua_State *L = E->L;
  int top = lua_gettop(L);
  needs_begin(&E->needs, key_of(lua_topointer(L, index)), false);
  if (prototype_placeholder_record(L, index, NULL) == NULL) {
    for (int i = 1; lua_getupvalue(L, index, i) != NULL; i++) {
      lua_pop(L, 1);
      add_cell(E, index, i);
    }
  } else {
    lua_getupvalue(L, index, 2); /* the stand-in's cells, each by its carrier */
    for (int i = 1; lua_rawgeti(L, top + 1, i) == LUA_TFUNCTION; i++) {
      add_cell(E, top + 2, 1);
      lua_pop(L, 1);
    }
  }
  lua_settop(L, top);
}

void encode_needs_cell(Encoder *E, int function, int upvalue) {
  needs_begin(&E->needs, key_of(lua_upvalueid(E->L, function, upvalue)), false);
  lua_getupvalue(E->L, function, upvalue);
  add_value(E, lua_gettop(E->L));
  lua_pop(E->L, 1);
}

void encode_needs_special(Encoder *E, uint32_t slot, int value) {
  needs_begin(&E->needs, E->heap->objects[slot].pointer, true);
  add_value(E, value);
}

void encode_needs_so_far(Encoder *E) {
  lua_State *L = E->L;
  int top = lua_gettop(L);
  for (size_t i = 0; i < E->done; i++) {
    uint32_t slot = heap_queue_at(E->heap, i);
    const Object *o = &E->heap->objects[slot];
    if (o->kind != OBJECT_CLOSURE && o->kind != OBJECT_CELL) continue;
    lua_rawgeti(L, E->objects, (lua_Integer)slot + 1);
    if (o->kind == OBJECT_CLOSURE)
      encode_needs_closure(E, top + 1);
    else
      encode_needs_cell(E, top + 1, o->upvalue);
    lua_pop(L, 1);
  }
}

void encode_check_needs(Encoder *E) {
  uint64_t key;
  if (!needs_find_cycle(&E->needs, &key)) encoder_fail_memory(E);
  if (key == 0) return;
  E->current = heap_find(E->heap, key);
  encoder_fail(E, HEARTH_CYCLE, 0, "rebuilding functions need each other's results");
}
