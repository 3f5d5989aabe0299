/*
** Values: scalars in place, objects by reference. Here new objects are met,
** that is, numbered, anchored and queued; nothing recurses.
*/
#include <lauxlib.h>

#include "encoder.h"
#include "permanents.h"
#include "prototype.h"

/* A Lua that was configured otherwise (LUA_32BITS) would read other values than were written. */
_Static_assert(sizeof(lua_Integer) == 8 && sizeof(lua_Number) == 8, "Hearth needs Lua's 64-bit integers and doubles");

static void encode_float(Encoder *E, int index) {
  lua_Number n = lua_tonumber(E->L, index);
  uint64_t bits;
  memcpy(&bits, &n, sizeof bits);
  value_put_float(&E->body, bits);
}

void encode_ref(Encoder *E, uint32_t slot) {
  uint64_t number = E->heap->objects[slot].number;
  if (E->relative && number == E->top + 1)
    value_put_tag(&E->body, TAG_NEXT);
  else
    value_put_ref(&E->body, number);
  if (number > E->top) E->top = number;
}

static bool may_be_named(const Encoder *E, int index) {
  return permanents_may_know(E->named, (uint64_t)(uintptr_t)lua_topointer(E->L, index));
}

/* Refuses what cannot be stored by itself; special objects are recognised when they are written. */
void encode_check_storable(Encoder *E, int index) {
  lua_State *L = E->L;
  switch (lua_type(L, index)) {
    case LUA_TTHREAD: encoder_fail(E, HEARTH_UNSTORABLE, index, "a coroutine cannot be stored");
    case LUA_TFUNCTION:
      if (lua_iscfunction(L, index) && prototype_placeholder_record(L, index, NULL) == NULL)
        encoder_fail(E, HEARTH_UNSTORABLE, index, "a C function without a name cannot be stored");
      if (E->no_functions) encoder_fail(E, HEARTH_REFUSED, index, "functions are refused in this store");
      break;
    case LUA_TTABLE:
      if (E->modules != 0 && may_be_named(E, index) && permanents_module_of(L, E->modules, index))
        encoder_fail(E, HEARTH_UNSTORABLE, index, "the module '%s' is not registered (hearth.register_module)",
                     lua_tostring(L, -1));
      break;
    default: break;
  }
}

static void anchor(Encoder *E, uint32_t slot, int index) {
  lua_pushvalue(E->L, index);
  lua_rawseti(E->L, E->objects, (lua_Integer)slot + 1);
}

/* The first sight of an object. */
static uint32_t meet(Encoder *E, int index, uint64_t pointer) {
  lua_State *L = E->L;
  bool unnamed = E->overlay == 0 && !permanents_may_know(E->named, pointer);
  int permanent = unnamed ? PERMANENT_NONE : permanents_name(L, E->permanents, E->overlay, index);
  if (permanent == PERMANENT_BAD_NAME)
    encoder_fail(E, HEARTH_INVALID, index, "the permanents give it a name that is no string, number or boolean");
  if (permanent == PERMANENT_NONE)
    encode_check_storable(E, index);
  else
    lua_pop(L, 1);
  uint32_t slot = heap_add(E->heap, pointer, 0);
  if (slot == HEAP_NONE) encoder_fail_memory(E);
  if (permanent != PERMANENT_NONE)
    E->heap->objects[slot].kind = OBJECT_PERMANENT;
  else if (lua_isfunction(L, index))
    E->heap->objects[slot].kind = OBJECT_CLOSURE;
  anchor(E, slot, index);
  return slot;
}

uint32_t encode_reach(Encoder *E, int index) {
  uint64_t pointer = (uint64_t)(uintptr_t)lua_topointer(E->L, index);
  uint32_t slot = heap_find(E->heap, pointer);
  if (slot == HEAP_NONE) slot = meet(E, index, pointer);
  if (!heap_reach(E->heap, slot, E->current)) encoder_fail_memory(E);
  return slot;
}

static void encode_object_value(Encoder *E, int index) {
  uint64_t number;
  if (E->ops->foreign != NULL && lua_type(E->L, index) == LUA_TUSERDATA && E->ops->foreign(E, index, &number))
    value_put_ref(&E->body, number);
  else if (E->ops->local == NULL || !E->ops->local(E, index))
    encode_ref(E, encode_reach(E, index));
}

void encode_value(Encoder *E, int index) {
  lua_State *L = E->L;
  switch (lua_type(L, index)) {
    case LUA_TNIL: value_put_tag(&E->body, TAG_NIL); break;
    case LUA_TBOOLEAN: value_put_tag(&E->body, lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE); break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index))
        value_put_integer(&E->body, (int64_t)lua_tointeger(L, index));
      else
        encode_float(E, index);
      break;
    case LUA_TSTRING: encode_string(E, index); break;
    case LUA_TLIGHTUSERDATA:
      encoder_fail(E, HEARTH_UNSTORABLE, index, "a light userdata cannot be stored");
    default: encode_object_value(E, index);
  }
}

void encoder_check(Encoder *E) {
  if (E->head.failed || E->body.failed || E->scratch.failed || E->entries.failed || E->entry_bytes.failed ||
      E->identities.failed || E->weak.failed || E->heap->queue.failed)
    encoder_fail_memory(E);
  if (E->max_bytes != 0 && E->body.size - E->front + E->head.size > E->max_bytes)
    encoder_fail(E, HEARTH_LIMIT, 0, "the encoded value is larger than max_bytes");
}
