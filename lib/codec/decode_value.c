/*
** Values: the mirror of encode_value.c, and those of tables one after the other, which is where most of the time goes.
*/
#include <lauxlib.h>

#include "decoder.h"

static inline void push_string(Decoder *D, const Value *v) {
  decoder_charge(D, v->size + 32); /* a string's header, at most (lobject.h) */
  lua_pushlstring(D->L, (const char *)v->as.bytes, v->size);
}

static void push_define(Decoder *D, const Value *v) {
  push_string(D, v);
  if (D->known < D->stacked_strings) {
    lua_copy(D->L, -1, D->first_string + (int)D->known++);
    return;
  }
  lua_pushvalue(D->L, -1);
  lua_rawseti(D->L, D->dictionary, (lua_Integer)(++D->known - D->stacked_strings));
}

static void push_known(Decoder *D, const Value *v) {
  if (v->as.number >= D->known) decoder_fail(D, HEARTH_DAMAGED, "a string that is not in the dictionary");
  if (v->as.number < D->stacked_strings)
    lua_pushvalue(D->L, D->first_string + (int)v->as.number);
  else
    lua_rawgeti(D->L, D->dictionary, (lua_Integer)(v->as.number - D->stacked_strings) + 1);
}

uint32_t decode_ref(Decoder *D, const Value *v) {
  uint64_t number = v->kind == VALUE_NEXT ? D->top + 1 : v->as.number;
  uint32_t index;
  if (v->kind == VALUE_LOCAL)
    index = number < D->local_count ? D->locals + (uint32_t)number : DECODER_NONE;
  else
    index = D->ops->find(D, number);
  if (index == DECODER_NONE) decoder_fail(D, HEARTH_DAMAGED, "a reference to an object that is not there");
  if (v->kind != VALUE_LOCAL && number > D->top) D->top = number;
  return index;
}

/* Pushes the object; nil where it is a special one that is not built yet, which is answered. */
static uint32_t push_object(Decoder *D, const Value *v) {
  if (v->kind == VALUE_REF && D->ops->push_other != NULL && D->ops->push_other(D, v->as.number)) return DECODER_NONE;
  uint32_t index = decode_ref(D, v);
  const Part *p = decoder_part(D, index);
  if (p->kind == OBJECT_CELL || (p->kind == OBJECT_PERMANENT && p->flags == PERMANENT_CELL))
    decoder_fail(D, HEARTH_DAMAGED, "a cell where a value belongs");
  if (p->kind == OBJECT_SPECIAL && p->state != PART_BUILT) {
    lua_pushnil(D->L);
    return index;
  }
  decoder_push_object(D, index);
  return DECODER_NONE;
}

/* What is no number and no plain string. */
static uint32_t push_rare(Decoder *D, const Value *v, ValuePlace place) {
  if (!D->relative && (v->kind == VALUE_DEFINE || v->kind == VALUE_KNOWN || v->kind == VALUE_NEXT))
    decoder_fail(D, HEARTH_DAMAGED, "a tag that belongs in blobs only");
  switch (v->kind) {
    case VALUE_NIL:
      if (place != PLACE_ANY) decoder_fail(D, HEARTH_DAMAGED, "a nil inside a table"); /* it would be no entry */
      lua_pushnil(D->L);
      break;
    case VALUE_FALSE: lua_pushboolean(D->L, 0); break;
    case VALUE_TRUE: lua_pushboolean(D->L, 1); break;
    case VALUE_DEFINE: push_define(D, v); break;
    case VALUE_KNOWN: push_known(D, v); break;
    default: return push_object(D, v);
  }
  return DECODER_NONE;
}

static inline void push_float(Decoder *D, uint64_t bits, ValuePlace place) {
  lua_Number n;
  memcpy(&n, &bits, sizeof n);
  if (place == PLACE_KEY && n != n) decoder_fail(D, HEARTH_DAMAGED, "a NaN as a key");
  lua_pushnumber(D->L, n);
}

static inline uint32_t push_value(Decoder *D, ValuePlace place) {
  Value v;
  value_get_inline(&D->c, &v);
  decoder_check(D);
  switch (v.kind) {
    case VALUE_INTEGER: lua_pushinteger(D->L, (lua_Integer)v.as.integer); break;
    case VALUE_FLOAT: push_float(D, v.as.bits, place); break;
    case VALUE_STRING: push_string(D, &v); break;
    default: return push_rare(D, &v, place);
  }
  return DECODER_NONE;
}

uint32_t decode_value(Decoder *D, ValuePlace place) {
  return push_value(D, place);
}

/* ------------------------------------------------------ the values of a table */

/* The value on the top is to be put under the integer. */
static void wait_at(Decoder *D, uint32_t index, uint64_t key, uint32_t waits) {
  lua_pushinteger(D->L, (lua_Integer)key);
  lua_insert(D->L, -2);
  decode_wait_field(D, index, DECODER_NONE, waits);
}

/* Inline, these two take half the time of numbers that they would take with a call for each. */
void decode_array(Decoder *D, uint32_t index, int t, uint64_t first, uint64_t count) {
  for (uint64_t i = first; count > 0; i++, count--) {
    uint32_t waits = push_value(D, PLACE_VALUE);
    if (waits == DECODER_NONE)
      lua_rawseti(D->L, t, (lua_Integer)i);
    else
      wait_at(D, index, i, waits);
  }
}

/* Puts the keys of a shape that has no place on the stack on its top; answers the first one's index. */
static int push_keys(Decoder *D, uint32_t shape) {
  lua_State *L = D->L;
  lua_Integer count = (lua_Integer)decoder_shape(D, shape)->count;
  lua_rawgeti(L, D->shapes, (lua_Integer)shape + 1);
  int keys = lua_gettop(L);
  for (lua_Integer i = 1; i <= count; i++) lua_rawgeti(L, keys, i);
  return keys + 1;
}

void decode_shaped(Decoder *D, uint32_t index, int t) {
  lua_State *L = D->L;
  uint32_t constant = decoder_part(D, index)->constant;
  const Kept *shape = decoder_shape(D, constant);
  int first = shape->place != 0 ? shape->place : push_keys(D, constant);
  for (int key = first, end = first + (int)shape->count; key < end; key++) {
    lua_pushvalue(L, key);
    uint32_t waits = push_value(D, PLACE_VALUE);
    if (waits == DECODER_NONE)
      lua_rawset(L, t);
    else
      decode_wait_field(D, index, DECODER_NONE, waits);
  }
  if (shape->place == 0) lua_settop(L, first - 2);
}

void decode_pairs(Decoder *D, uint32_t index, int t, uint64_t count) {
  for (; count > 0; count--) {
    uint32_t key_waits = decode_value(D, PLACE_KEY), value_waits = decode_value(D, PLACE_VALUE);
    if (key_waits == DECODER_NONE && value_waits == DECODER_NONE)
      lua_rawset(D->L, t);
    else
      decode_wait_field(D, index, key_waits, value_waits);
  }
}
