/*
** Tables: the mirror of encode_table.c.
*/
#include <assert.h>

#include <lauxlib.h>

#include "decoder.h"

void decode_shape(Decoder *D, uint32_t index) {
  lua_State *L = D->L;
  Value keys[SHAPE_MAX_KEYS];
  size_t count = shape_get(&D->c, keys);
  decoder_check(D);
  decoder_charge(D, 56 + 56 * count);
  for (size_t i = 0; i < count; i++) lua_pushlstring(L, (const char *)keys[i].as.bytes, keys[i].size);
  if (decoder_keep(D, &D->shapes_kept, index, (uint32_t)count, (uint32_t)count)) return;
  lua_createtable(L, (int)count, 0);
  lua_insert(L, -(int)count - 1);
  for (size_t i = count; i > 0; i--) lua_rawseti(L, -(int)i - 1, (lua_Integer)i);
  lua_rawseti(L, D->shapes, (lua_Integer)index + 1);
}

void decode_metatable(Decoder *D, uint32_t index) {
  Value v;
  value_get(&D->c, &v);
  decoder_check(D);
  if (v.kind != VALUE_REF && v.kind != VALUE_LOCAL && (v.kind != VALUE_NEXT || !D->relative))
    decoder_fail(D, HEARTH_DAMAGED, "a metatable that is no table");
  if (!(D->flags & HEARTH_ALLOW_METATABLES))
    decoder_fail(D, HEARTH_REFUSED, "a metatable, which the options do not allow");
  uint32_t pair[2] = {index, decode_ref(D, &v)};
  const Part *p = decoder_part(D, pair[1]);
  if (p->kind != OBJECT_SPECIAL) {
    decoder_push_object(D, pair[1]);
    bool is_table = lua_istable(D->L, -1);
    lua_pop(D->L, 1);
    if (!is_table) decoder_fail(D, HEARTH_DAMAGED, "a metatable that is no table");
  }
  buffer_put(&D->metatables, pair, sizeof pair);
  if (D->metatables.failed) decoder_fail_memory(D);
}

void decode_table_into(Decoder *D, uint32_t index, int t) {
  const Part *p = decoder_part(D, index); /* parts do not move meanwhile */
  if (p->array > 0) decode_array(D, index, t, 1, p->array);
  if (p->flags & HEAD_SHAPE) decode_shaped(D, index, t);
  if (p->pairs > 0) decode_pairs(D, index, t, p->pairs);
  if (p->flags & HEAD_METATABLE) decode_metatable(D, index);
}

static void decode_table(Decoder *D, uint32_t index) {
  decode_table_into(D, index, decoder_place(D, index));
  if (index >= D->stacked) lua_pop(D->L, 1);
}

/* A weak table's true head comes with its body. */
static void decode_late(Decoder *D, uint32_t index) {
  Head h;
  head_get(&D->c, &h);
  decoder_check(D);
  if (h.kind != OBJECT_TABLE || (h.flags & HEAD_SHAPE))
    decoder_fail(D, HEARTH_DAMAGED, "a late object that is no weak table");
  if (h.array > cursor_left(&D->c) || h.pairs > cursor_left(&D->c) / 2)
    decoder_fail(D, HEARTH_DAMAGED, "a count exceeds the bytes that remain");
  decoder_charge(D, 16 * h.array + 80 * h.pairs);
  Part *p = decoder_part(D, index);
  p->array = (uint32_t)h.array;
  p->pairs = (uint32_t)h.pairs;
  p->flags = h.flags;
  decode_table(D, index);
}

/* ------------------------------------------------------ closures and cells */

static void decode_upvalue(Decoder *D, uint32_t closure, int i, uint32_t cell) {
  lua_State *L = D->L;
  Part *p = decoder_part(D, cell);
  if (p->kind == OBJECT_CELL && p->upvalue == 0) { /* the closure's own fresh cell is the cell */
    p->upvalue = (uint8_t)i;
    p->constant = closure;
    return;
  }
  int top = lua_gettop(L), f = decoder_place(D, closure), from = decoder_place(D, p->constant);
  assert(p->upvalue != 0 && lua_isfunction(L, from) && !lua_iscfunction(L, from)); /* who sets the one sets the other */
  lua_upvaluejoin(L, f, i, from, p->upvalue);
  lua_settop(L, top);
}

/* Reads a reference to a cell; answers the cell's index. */
static uint32_t decode_cell_ref(Decoder *D) {
  Value v;
  value_get(&D->c, &v);
  decoder_check(D);
  if (v.kind != VALUE_REF && v.kind != VALUE_LOCAL && (v.kind != VALUE_NEXT || !D->relative))
    decoder_fail(D, HEARTH_DAMAGED, "an upvalue that is no cell");
  uint32_t cell = decode_ref(D, &v);
  const Part *p = decoder_part(D, cell);
  if (p->kind != OBJECT_CELL && !(p->kind == OBJECT_PERMANENT && p->flags == PERMANENT_CELL))
    decoder_fail(D, HEARTH_DAMAGED, "an upvalue that is no cell");
  return cell;
}

void decode_check_closure(Decoder *D, uint32_t index) {
  uint32_t count = decoder_part(D, index)->array;
  for (uint32_t i = 0; i < count; i++) (void)decode_cell_ref(D);
}

/* Pushes a function of which the cell is the first upvalue, and which no program has. */
static void push_carrier(Decoder *D, uint32_t cell) {
  lua_State *L = D->L;
  decode_ensure_cell(D, cell);
  const Part *p = decoder_part(D, cell);
  decode_push_private_cell(D);
  decoder_push_object(D, p->constant);
  lua_upvaluejoin(L, -2, 1, -1, p->upvalue);
  lua_pop(L, 1);
}

/* A stand-in has a table for the cells' carriers. */
static void decode_stand_in(Decoder *D, uint32_t index) {
  lua_State *L = D->L;
  uint32_t count = decoder_part(D, index)->array;
  decoder_push_object(D, index);
  lua_getupvalue(L, -1, 2);
  for (uint32_t i = 1; i <= count; i++) {
    push_carrier(D, decode_cell_ref(D));
    lua_rawseti(L, -2, (lua_Integer)i);
  }
  lua_pop(L, 2);
}

static void decode_closure(Decoder *D, uint32_t index) {
  const Part *p = decoder_part(D, index);
  if (p->state == PART_STAND_IN) {
    decode_stand_in(D, index);
    return;
  }
  for (uint32_t i = 1; i <= p->array; i++) decode_upvalue(D, index, (int)i, decode_cell_ref(D));
}

static void decode_cell(Decoder *D, uint32_t index) {
  decode_ensure_cell(D, index);
  uint32_t waits = decode_value(D, PLACE_ANY);
  if (waits != DECODER_NONE)
    decode_wait_cell(D, index, waits);
  else
    decode_set_cell(D, index);
}

static void decode_special(Decoder *D, uint32_t index) {
  uint32_t waits = decode_value(D, PLACE_ANY);
  decode_keep_special(D, index, waits);
}

void decode_body(Decoder *D, uint32_t index) {
  Part *p = decoder_part(D, index);
  p->body = cursor_position(&D->c);
  p->top = D->top;
  switch (p->kind) {
    case OBJECT_TABLE: decode_table(D, index); break;
    case OBJECT_LATE: decode_late(D, index); break;
    case OBJECT_CLOSURE: decode_closure(D, index); break;
    case OBJECT_CELL: decode_cell(D, index); break;
    case OBJECT_SPECIAL: decode_special(D, index); break;
    default: break;
  }
}
