/*
** Functions: the prototype by content, then one reference per upvalue, each to
** its cell. Closures that share a cell refer to the same number.
*/
#include <lauxlib.h>

#include "encoder.h"
#include "permanents.h"
#include "prototype.h"

static uint32_t meet_cell(Encoder *E, int function, int upvalue, void *id) {
  lua_State *L = E->L;
  uint8_t kind = OBJECT_CELL;
  if (permanents_may_know(E->named, (uint64_t)(uintptr_t)id) && permanents_cell_name(L, E->permanents, id)) {
    lua_pop(L, 1);
    kind = OBJECT_PERMANENT;
  }
  uint32_t slot = heap_add(E->heap, (uint64_t)(uintptr_t)id, 0);
  if (slot == HEAP_NONE) encoder_fail_memory(E);
  E->heap->objects[slot].kind = kind;
  E->ops->anchor_cell(E, slot, function, upvalue);
  return slot;
}

/*
** debug.upvaluejoin in a hook may have taken the cell from the function that anchors it: its address is then another's.
*/
void encode_check_cell(Encoder *E, uint32_t slot) {
  lua_State *L = E->L;
  const Object *o = &E->heap->objects[slot];
  lua_rawgeti(L, E->objects, (lua_Integer)slot + 1);
  bool same = (uint64_t)(uintptr_t)lua_upvalueid(L, -1, o->upvalue) == o->pointer;
  lua_pop(L, 1);
  if (!same) encoder_fail(E, HEARTH_UNSTORABLE, 0, "a hook changed what its functions capture");
}

uint32_t encode_reach_cell(Encoder *E, int function, int upvalue) {
  void *id = lua_upvalueid(E->L, function, upvalue);
  uint32_t slot = heap_find(E->heap, (uint64_t)(uintptr_t)id);
  if (slot == HEAP_NONE)
    slot = meet_cell(E, function, upvalue, id);
  else if (E->hooked)
    encode_check_cell(E, slot);
  if (!heap_reach(E->heap, slot, E->current)) encoder_fail_memory(E);
  return slot;
}

static void encode_cell_ref(Encoder *E, int function, int upvalue) {
  if (E->ops->local_cell != NULL && E->ops->local_cell(E, function, upvalue)) return;
  encode_ref(E, encode_reach_cell(E, function, upvalue));
}

/* The constant of the record in E->scratch. */
static uint32_t prototype_constant(Encoder *E) {
  Buffer *b = &E->scratch;
  bool is_new;
  uint32_t index = heap_constant(E->heap, OBJECT_PROTOTYPE, heap_hash(E->heap, b->data, b->size), 0, &is_new);
  if (index == HEAP_NONE) encoder_fail_memory(E);
  if (is_new) E->ops->constant(E, index, b->data, b->size);
  return index;
}

/* A stand-in for a function that does not fit this Lua: its record goes back unchanged. */
static uint32_t placeholder_constant(Encoder *E, const char *record, size_t size) {
  buffer_clear(&E->scratch);
  buffer_put(&E->scratch, record, size);
  encoder_check(E);
  return prototype_constant(E);
}

static uint32_t dump_constant(Encoder *E, int index) {
  const char *why;
  buffer_clear(&E->scratch);
  hearth_status status = prototype_dump(E->L, index, E->strip, E->seal, &E->scratch, &why);
  if (status == HEARTH_NOMEM) encoder_fail_memory(E);
  if (status != HEARTH_OK) encoder_fail(E, status, 0, "a function cannot be stored: %s", why);
  return prototype_constant(E);
}

uint32_t encode_closure(Encoder *E, int index, uint32_t constant) {
  lua_State *L = E->L;
  size_t size;
  const char *record = prototype_placeholder_record(L, index, &size);
  if (constant == HEAP_NONE)
    constant = record != NULL ? placeholder_constant(E, record, size) : dump_constant(E, index);
  E->heap->constants[constant].epoch = E->heap->epoch;
  Head head = {.kind = OBJECT_CLOSURE, .prototype = E->heap->constants[constant].number};
  head_put(&E->head, &head);
  if (E->hooked) encode_needs_closure(E, index);
  if (record == NULL) {
    for (int i = 1; lua_getupvalue(L, index, i) != NULL; i++) {
      lua_pop(L, 1);
      encode_cell_ref(E, index, i);
    }
    return constant;
  }
  lua_getupvalue(L, index, 2); /* the stand-in's cells, each by its carrier */
  for (int i = 1; lua_rawgeti(L, -1, i) == LUA_TFUNCTION; i++) {
    encode_cell_ref(E, lua_gettop(L), 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return constant;
}

void encode_cell(Encoder *E, int function, int upvalue) {
  Head head = {.kind = OBJECT_CELL};
  head_put(&E->head, &head);
  if (E->hooked) encode_needs_cell(E, function, upvalue);
  lua_getupvalue(E->L, function, upvalue);
  encode_value(E, lua_gettop(E->L));
  lua_pop(E->L, 1);
}
