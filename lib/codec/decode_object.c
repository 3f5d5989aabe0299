/*
** Heads: the objects are created, in their right sizes, before anything refers
** to them.
*/
#include <lauxlib.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "decoder.h"
#include "permanents.h"
#include "prototype.h"

/* What is to be told is in the error. */
static _Noreturn void raise_filled(lua_State *L) {
  lua_pushnil(L);
  for (;;) lua_error(L); /* it does not return */
}

_Noreturn void decoder_fail(Decoder *D, hearth_status code, const char *format, ...) {
  char text[384], number[32] = "";
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  uint64_t position = (D->c.why != NULL ? D->c.position : cursor_position(&D->c)) - D->bias;
  if (D->what_number != 0) (void)snprintf(number, sizeof number, " #%llu", (unsigned long long)D->what_number);
  hearth_fail_at(D->error, code, position, "%s%s: %s at byte %llu: %s", D->what, number, hearth_status_name(code),
                 (unsigned long long)position, text);
  raise_filled(D->L);
}

_Noreturn void decoder_fail_memory(Decoder *D) {
  hearth_fail(D->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  raise_filled(D->L);
}

_Noreturn void decoder_fail_limit(Decoder *D) {
  decoder_fail(D, HEARTH_LIMIT, "the values need more than max_memory (%llu bytes)", (unsigned long long)D->max_memory);
}

void decoder_init(Decoder *D, lua_State *L, const hearth_allocator *a) {
  memset(D, 0, sizeof *D);
  D->L = L;
  D->locals = DECODER_NONE;
  D->max_memory = UINT64_MAX;
  buffer_init(&D->parts, a);
  buffer_init(&D->patches, a);
  buffer_init(&D->metatables, a);
  buffer_init(&D->order, a);
  buffer_init(&D->stack, a);
  buffer_init(&D->open, a);
  buffer_init(&D->shapes_kept, a);
  buffer_init(&D->prototypes_kept, a);
}

void decoder_free(Decoder *D) {
  buffer_free(&D->parts);
  buffer_free(&D->patches);
  buffer_free(&D->metatables);
  buffer_free(&D->order);
  buffer_free(&D->stack);
  buffer_free(&D->open);
  buffer_free(&D->shapes_kept);
  buffer_free(&D->prototypes_kept);
}

static uint32_t least(uint64_t a, uint32_t b) {
  return a < b ? (uint32_t)a : b;
}

/* What belongs on the stack in this decoding, if there is room. */
static void make_room(Decoder *D, uint64_t objects) {
  size_t left = cursor_left(&D->c);
  if (D->relative) {
    D->stacked = least(objects, STACKED_OBJECTS);
    D->stacked_strings = least(left / 8, STACKED_STRINGS);
  }
  D->room = least(left, STACKED_CONSTANTS);
  if (lua_checkstack(D->L, (int)(D->stacked + D->stacked_strings + D->room) + DECODER_STACK)) return;
  D->stacked = D->stacked_strings = D->room = 0;
  luaL_checkstack(D->L, DECODER_STACK, "decode");
}

void decoder_push_tables(Decoder *D, uint64_t objects) {
  lua_State *L = D->L;
  make_room(D, objects);
  lua_createtable(L, (int)((objects - D->stacked) & INT_MAX), 0); /* it grows, should there be more */
  D->objects = lua_gettop(L);
  lua_newtable(L);
  D->shapes = lua_gettop(L);
  lua_newtable(L);
  D->prototypes = lua_gettop(L);
  lua_newtable(L);
  D->dictionary = lua_gettop(L);
  lua_newtable(L);
  D->waiting = lua_gettop(L);
  permanents_push(L);
  D->permanents = lua_gettop(L);
  lua_pushnil(L);
  D->cell_maker = lua_gettop(L);
  D->first_string = D->cell_maker + 1;
  lua_settop(L, D->cell_maker + (int)D->stacked_strings);
}

void decoder_begin_objects(Decoder *D) {
  D->first_object = lua_gettop(D->L) + 1;
}

bool decoder_keep(Decoder *D, Buffer *kept, uint32_t index, uint32_t values, uint32_t count) {
  bool room = values <= D->room;
  const Kept k = {room ? lua_gettop(D->L) - (int)values + 1 : 0, count};
  /* a store's constants of both kinds have one range */
  const size_t place = index * sizeof k, gap = place - kept->size;
  unsigned char *p = buffer_reserve(kept, gap + sizeof k);
  if (kept->failed) decoder_fail_memory(D);
  memset(p, 0, gap);
  memcpy(p + gap, &k, sizeof k);
  kept->size = place + sizeof k;
  if (room) D->room -= values;
  return room;
}

/* ----------------------------------------------------------- prototypes */

void decode_prototype(Decoder *D, uint32_t index, size_t size) {
  lua_State *L = D->L;
  size_t base = cursor_position(&D->c);
  if (!(D->flags & HEARTH_ALLOW_FUNCTIONS))
    decoder_fail(D, HEARTH_REFUSED, "a function, which the options do not allow");
  const unsigned char *bytes = cursor_bytes(&D->c, size);
  decoder_check(D);
  Prototype p;
  ChunkFault fault;
  if (!prototype_parse(bytes, size, &p, &fault)) {
    D->c.next = bytes + fault.position;
    decoder_fail(D, HEARTH_DAMAGED, "%s", fault.why);
  }
  decoder_charge(D, 8 * (uint64_t)size);
  if ((D->flags & (HEARTH_PLACEHOLDERS | DECODER_KEEP_UNFIT)) && !prototype_fits(&p)) {
    if (prototype_check_seal(&p, D->seal, base, D->error) != HEARTH_OK) raise_filled(L);
    lua_pushlstring(L, (const char *)bytes, size);
  } else if (prototype_load(L, &p, D->seal, base, D->error) != HEARTH_OK) {
    raise_filled(L);
  }
  if (!decoder_keep(D, &D->prototypes_kept, index, 1, p.nupvalues))
    lua_rawseti(L, D->prototypes, (lua_Integer)index + 1);
}

/* Pushes a new closure of the prototype at p->constant, or its stand-in. */
static void push_closure(Decoder *D, Part *p) {
  lua_State *L = D->L;
  const Kept *prototype = decoder_prototype(D, p->constant);
  int maker = prototype->place;
  decoder_charge(D, 40 + 48 * (uint64_t)prototype->count);
  p->array = prototype->count;
  if (maker == 0) {
    lua_rawgeti(L, D->prototypes, (lua_Integer)p->constant + 1);
    maker = lua_gettop(L);
  }
  if (lua_type(L, maker) == LUA_TSTRING) {
    p->state = PART_STAND_IN;
    prototype_push_placeholder(L, maker);
  } else {
    prototype_instantiate(L, maker, prototype->count);
  }
  if (prototype->place == 0) lua_remove(L, maker);
}

void decode_push_private_cell(Decoder *D) {
  lua_State *L = D->L;
  decoder_charge(D, 88);
  if (lua_isnil(L, D->cell_maker)) {
    if (prototype_push_cell_maker(L, D->error) != HEARTH_OK) raise_filled(L);
    lua_replace(L, D->cell_maker);
  }
  prototype_instantiate(L, D->cell_maker, 1);
}

/* ------------------------------------------------------------ permanents */

void decode_push_name(lua_State *L, const Value *name) {
  lua_Number n;
  switch (name->kind) {
    case VALUE_FALSE: lua_pushboolean(L, 0); break;
    case VALUE_TRUE: lua_pushboolean(L, 1); break;
    case VALUE_INTEGER: lua_pushinteger(L, (lua_Integer)name->as.integer); break;
    case VALUE_FLOAT:
      memcpy(&n, &name->as.bits, sizeof n);
      lua_pushnumber(L, n);
      break;
    default: lua_pushlstring(L, (const char *)name->as.bytes, name->size);
  }
}

/* Pushes the permanent, the function that captured it for a cell, or a stand-in. */
static void push_permanent(Decoder *D, const Head *h, Part *p) {
  lua_State *L = D->L;
  decode_push_name(L, &h->name);
  int name = lua_gettop(L);
  if (!(D->flags & HEARTH_ALLOW_PERMANENTS)) { /* those that the caller lists pass */
    lua_pushvalue(L, name);
    if (h->flags == PERMANENT_CELL || D->overlay == 0 || lua_rawget(L, D->overlay) == LUA_TNIL)
      decoder_fail(D, HEARTH_REFUSED, "the permanent '%s', which the options do not allow",
                   luaL_tolstring(L, name, NULL));
    lua_remove(L, name);
    return;
  }
  if (h->flags == PERMANENT_CELL) {
    int upvalue = permanents_cell(L, D->permanents, name);
    p->upvalue = (uint8_t)upvalue;
    if (upvalue != 0) {
      lua_remove(L, name);
      return;
    }
  } else if (permanents_value(L, D->permanents, D->overlay, name)) {
    lua_remove(L, name);
    return;
  }
  const char *text = luaL_tolstring(L, name, NULL); /* a scalar: no metamethod */
  if (!(D->flags & HEARTH_PLACEHOLDERS)) decoder_fail(D, HEARTH_UNKNOWN, "the permanent '%s' is not known here", text);
  lua_pop(L, 1);
  if (h->flags == PERMANENT_CELL) { /* a cell that holds nil stands in; a store keeps its name */
    decode_push_private_cell(D);
    lua_remove(L, name);
    p->upvalue = 1;
    return;
  }
  /* A table's or a userdata's stand-in has a table of events. */
  decoder_charge(D, h->flags == PERMANENT_TABLE || h->flags == PERMANENT_USERDATA ? 1024 : 96);
  permanents_placeholder(L, D->permanents, (PermanentKind)h->flags, name);
  lua_remove(L, name);
}

/* ----------------------------------------------------------------- heads */

/* What the bodies hold takes a byte each, at least: so much may be made before they are read. */
static void count_fields(Decoder *D, uint64_t fields) {
  D->fields += fields;
  if (D->fields > D->most_fields)
    decoder_fail(D, HEARTH_DAMAGED, "the objects are larger than the bytes that fill them");
}

static void push_table(Decoder *D, const Part *p) {
  uint64_t fields = p->pairs;
  if (p->flags & HEAD_SHAPE) fields += decoder_shape(D, p->constant)->count;
  count_fields(D, p->array + fields + p->pairs);
  /* a node has 40 bytes or less, the count is rounded up */
  decoder_charge(D, 56 + 16 * (uint64_t)p->array + 80 * fields);
  lua_createtable(D->L, (int)p->array, (int)(fields & INT_MAX));
}

static void create_table(Decoder *D, const Head *h, Part *p) {
  if (h->array > INT_MAX || h->pairs > INT_MAX) decoder_fail(D, HEARTH_DAMAGED, "a table is too large");
  if (h->flags & HEAD_SHAPE) {
    p->constant = D->ops->find_constant(D, OBJECT_SHAPE, h->shape);
    if (p->constant == DECODER_NONE) decoder_fail(D, HEARTH_DAMAGED, "a shape that is not there");
  }
  p->array = (uint32_t)h->array;
  p->pairs = (uint32_t)h->pairs;
  push_table(D, p);
}

/* Pushes the new object, or nil for what comes into being later. */
static void create(Decoder *D, const Head *h, Part *p) {
  switch (h->kind) {
    case OBJECT_PAGED:
      if (D->relative) decoder_fail(D, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere");
      create_table(D, h, p);
      break;
    case OBJECT_TABLE: create_table(D, h, p); break;
    case OBJECT_LATE:
      if (!D->relative) decoder_fail(D, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere");
      decoder_charge(D, 56);
      D->late = true;
      lua_newtable(D->L);
      break;
    case OBJECT_CLOSURE:
      p->constant = D->ops->find_constant(D, OBJECT_PROTOTYPE, h->prototype);
      if (p->constant == DECODER_NONE) decoder_fail(D, HEARTH_DAMAGED, "a prototype that is not there");
      count_fields(D, decoder_prototype(D, p->constant)->count);
      push_closure(D, p);
      break;
    case OBJECT_PERMANENT: push_permanent(D, h, p); break;
    case OBJECT_SPECIAL:
      if (!(D->flags & HEARTH_ALLOW_METATABLES))
        decoder_fail(D, HEARTH_REFUSED, "an object of a class, which the options do not allow");
      D->specials = true;
      if (h->flags & HEAD_TYPED)
        decode_push_name(D->L, &h->name); /* until it is built */
      else
        lua_pushnil(D->L);
      break;
    case OBJECT_CELL:
      if (!(D->flags & HEARTH_ALLOW_FUNCTIONS))
        decoder_fail(D, HEARTH_REFUSED, "a function, which the options do not allow");
      lua_pushnil(D->L);
      break;
    default: decoder_fail(D, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere");
  }
}

/* The next part, which counts when its object is there. */
static Part *next_part(Decoder *D) {
  Part *p = (Part *)(void *)buffer_reserve(&D->parts, sizeof *p);
  if (p == NULL) decoder_fail_memory(D);
  return p;
}

/* The object of the next part is on the top: where it stays, if it has a place on the stack. */
static uint32_t add_part(Decoder *D) {
  uint32_t index = decoder_count(D);
  D->parts.size += sizeof(Part);
  if (index >= D->stacked) decoder_set_object(D, index);
  return index;
}

static uint32_t add_object(Decoder *D, const Head *h, uint64_t number) {
  Part *p = next_part(D);
  *p = (Part){.number = number,
              .constant = decoder_count(D),
              .locals = D->locals,
              .kind = (uint8_t)h->kind,
              .flags = h->flags};
  create(D, h, p);
  return add_part(D);
}

uint32_t decode_head(Decoder *D, uint64_t number) {
  Head h;
  head_get(&D->c, &h);
  decoder_check(D);
  return add_object(D, &h, number);
}

void decode_head_or_repeat(Decoder *D, HeadReader *heads, uint64_t number) {
  Head h;
  unsigned before = heads_next(heads, &D->c, &h);
  decoder_check(D);
  if (before == 0) {
    (void)add_object(D, &h, number);
    return;
  }
  Part *p = next_part(D);
  *p = p[-(ptrdiff_t)before]; /* a table: its part says as much as its head */
  p->number = number;
  push_table(D, p);
  (void)add_part(D);
}

void decode_ensure_cell(Decoder *D, uint32_t index) {
  if (decoder_part(D, index)->upvalue != 0) return;
  decode_push_private_cell(D);
  decoder_set_object(D, index);
  decoder_part(D, index)->upvalue = 1;
}

void decode_set_cell(Decoder *D, uint32_t index) {
  lua_State *L = D->L;
  const Part *p = decoder_part(D, index);
  int value = lua_gettop(L), carrier = decoder_place(D, p->constant);
  if (carrier > value) lua_pushvalue(L, value);
  lua_setupvalue(L, carrier, p->upvalue);
  lua_settop(L, value - 1);
}
