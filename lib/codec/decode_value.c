/*
** Values: the mirror of encode_value.c.
*/
#include <lauxlib.h>

#include "decoder.h"

static void push_float(Decoder *D, uint64_t bits) {
  lua_Number n;
  memcpy(&n, &bits, sizeof n);
  lua_pushnumber(D->L, n);
}

static void push_string(Decoder *D, const Value *v) {
  decoder_charge(D, v->size + 32); /* a string's header, at most (lobject.h) */
  lua_pushlstring(D->L, (const char *)v->as.bytes, v->size);
}

static void push_define(Decoder *D, const Value *v) {
  push_string(D, v);
  lua_pushvalue(D->L, -1);
  lua_rawseti(D->L, D->dictionary, (lua_Integer)++D->known);
}

static void push_known(Decoder *D, const Value *v) {
  if (v->as.number >= D->known) decoder_fail(D, HEARTH_DAMAGED, "a string that is not in the dictionary");
  lua_rawgeti(D->L, D->dictionary, (lua_Integer)v->as.number + 1);
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

static void push_object(Decoder *D, const Value *v, uint32_t *waiting) {
  if (v->kind == VALUE_REF && D->ops->push_other != NULL && D->ops->push_other(D, v->as.number)) return;
  uint32_t index = decode_ref(D, v);
  const Part *p = decoder_part(D, index);
  if (p->kind == OBJECT_CELL || (p->kind == OBJECT_PERMANENT && p->flags == PERMANENT_CELL))
    decoder_fail(D, HEARTH_DAMAGED, "a cell where a value belongs");
  if (p->kind == OBJECT_SPECIAL && p->state != PART_BUILT) {
    *waiting = index;
    lua_pushnil(D->L);
  } else {
    lua_rawgeti(D->L, D->objects, (lua_Integer)index + 1);
  }
}

void decode_value(Decoder *D, uint32_t *waiting) {
  Value v;
  value_get(&D->c, &v);
  *waiting = DECODER_NONE;
  decoder_check(D);
  if (!D->relative && (v.kind == VALUE_DEFINE || v.kind == VALUE_KNOWN || v.kind == VALUE_NEXT))
    decoder_fail(D, HEARTH_DAMAGED, "a tag that belongs in blobs only");
  switch (v.kind) {
    case VALUE_NIL: lua_pushnil(D->L); break;
    case VALUE_FALSE: lua_pushboolean(D->L, 0); break;
    case VALUE_TRUE: lua_pushboolean(D->L, 1); break;
    case VALUE_INTEGER: lua_pushinteger(D->L, (lua_Integer)v.as.integer); break;
    case VALUE_FLOAT: push_float(D, v.as.bits); break;
    case VALUE_STRING: push_string(D, &v); break;
    case VALUE_DEFINE: push_define(D, &v); break;
    case VALUE_KNOWN: push_known(D, &v); break;
    default: push_object(D, &v, waiting);
  }
}
