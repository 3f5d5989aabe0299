/*
** One object: which chapter writes it.
*/
#include <lauxlib.h>

#include "encoder.h"
#include "permanents.h"

static void value_of_scalar(lua_State *L, int index, Value *v) {
  lua_Number n;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: v->kind = lua_toboolean(L, index) ? VALUE_TRUE : VALUE_FALSE; break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        v->kind = VALUE_INTEGER;
        v->as.integer = (int64_t)lua_tointeger(L, index);
      } else {
        v->kind = VALUE_FLOAT;
        n = lua_tonumber(L, index);
        memcpy(&v->as.bits, &n, sizeof n);
      }
      break;
    default:
      v->kind = VALUE_STRING;
      v->as.bytes = (const unsigned char *)lua_tolstring(L, index, &v->size);
  }
}

static void encode_permanent(Encoder *E, uint32_t slot, int index) {
  lua_State *L = E->L;
  const Object *o = &E->heap->objects[slot];
  int kind = PERMANENT_CELL;
  if (o->upvalue == 0)
    kind = permanents_name(L, E->permanents, E->overlay, index);
  else if (!permanents_cell_name(L, E->permanents, (void *)(uintptr_t)o->pointer))
    kind = PERMANENT_NONE;
  if (kind < 0) encoder_fail(E, HEARTH_UNSTORABLE, 0, "a permanent lost its name while it was encoded");
  Head head = {.kind = OBJECT_PERMANENT, .flags = (unsigned char)kind};
  value_of_scalar(L, lua_gettop(L), &head.name);
  head_put(&E->head, &head);
  lua_pop(L, 1);
}

/* A function's prototype never changes: it is dumped once. */
static void encode_known_closure(Encoder *E, uint32_t slot, int index) {
  uint32_t constant = encode_closure(E, index, E->heap->objects[slot].constant);
  E->heap->objects[slot].constant = constant;
}

static void put_aside(Encoder *E, uint32_t slot, int index) {
  buffer_put(&E->weak, &slot, sizeof slot);
  if (lua_getmetatable(E->L, index)) (void)encode_reach(E, lua_gettop(E->L));
}

/* A table, or a special object. False: put aside. */
static bool encode_table_or_special(Encoder *E, uint32_t slot, int index) {
  Object *o = &E->heap->objects[slot];
  bool has_metatable = lua_getmetatable(E->L, index);
  if (has_metatable) lua_pop(E->L, 1);
  if ((has_metatable || !lua_istable(E->L, index)) && encode_is_special(E, index)) {
    o->kind = OBJECT_SPECIAL;
    return E->ops->special(E, slot, index);
  }
  o->kind = OBJECT_TABLE;
  if (has_metatable && encode_weak_mode(E, index) != 0) {
    put_aside(E, slot, index);
    return false;
  }
  encode_table(E, index, has_metatable);
  return true;
}

bool encode_object(Encoder *E, uint32_t slot) {
  lua_State *L = E->L;
  int top = lua_gettop(L);
  bool done = true;
  E->current = slot;
  lua_rawgeti(L, E->objects, (lua_Integer)slot + 1);
  switch (E->heap->objects[slot].kind) {
    case OBJECT_PERMANENT: encode_permanent(E, slot, top + 1); break;
    case OBJECT_CELL:
      if (E->hooked) encode_check_cell(E, slot);
      encode_cell(E, top + 1, E->heap->objects[slot].upvalue); break;
    case OBJECT_CLOSURE: encode_known_closure(E, slot, top + 1); break;
    default:
      done = encode_table_or_special(E, slot, top + 1);
  }
  lua_settop(L, top);
  encoder_check(E);
  return done;
}

void encode_weak_table(Encoder *E, uint32_t slot) {
  E->current = slot;
  lua_rawgeti(E->L, E->objects, (lua_Integer)slot + 1);
  encode_table(E, lua_gettop(E->L), true);
  lua_pop(E->L, 1);
  encoder_check(E);
}

bool encoder_init(Encoder *E, lua_State *L, const hearth_allocator *a) {
  memset(E, 0, sizeof *E);
  E->L = L;
  E->current = HEAP_NONE;
  Buffer *buffers[] = {&E->head,        &E->body,       &E->scratch, &E->entries,
                       &E->entry_bytes, &E->identities, &E->weak};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], a);
  needs_init(&E->needs, a);
  E->strings = strings_new(a);
  E->shapes = shapes_new(a);
  return E->strings != NULL && E->shapes != NULL;
}

void encoder_free(Encoder *E) {
  Buffer *buffers[] = {&E->head,        &E->body,       &E->scratch, &E->entries,
                       &E->entry_bytes, &E->identities, &E->weak};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
  needs_free(&E->needs);
  strings_free(E->strings);
  shapes_free(E->shapes);
  E->strings = NULL;
  E->shapes = NULL;
}
