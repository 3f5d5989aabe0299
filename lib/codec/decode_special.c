/*
** Special objects are rebuilt after everything else is filled. One that
** another needs directly (as an upvalue of its rebuilding function, or as its
** value) comes before it, and a cycle of such needs is an error. One that is merely
** reachable through tables comes before it where that is possible; tables may
** hold an object that is rebuilt later, and get it then.
*/

#include <lauxlib.h>

#include "decoder.h"
#include "permanents.h"

typedef struct Patch {
  uint32_t container;   /* table, or cell */
  uint32_t key_waits, value_waits;
  uint32_t next_by_key, next_by_value; /* patch + 1, or 0 */
  uint32_t is_cell;
} Patch;

static Patch *patch_at(Decoder *D, uint32_t i) {
  return (Patch *)(void *)D->patches.data + i;
}

/* A special's part keeps the heads of its two lists of patches (patch + 1) in fields that it has no other use for. */
static uint32_t *list_by_value(Decoder *D, uint32_t index) {
  return &decoder_part(D, index)->array;
}

static uint32_t *list_by_key(Decoder *D, uint32_t index) {
  return &decoder_part(D, index)->pairs;
}

static void add_patch(Decoder *D, Patch patch) {
  uint32_t number = (uint32_t)(D->patches.size / sizeof patch) + 1;
  if (patch.value_waits != DECODER_NONE) {
    patch.next_by_value = *list_by_value(D, patch.value_waits);
    *list_by_value(D, patch.value_waits) = number;
  }
  if (patch.key_waits != DECODER_NONE) {
    patch.next_by_key = *list_by_key(D, patch.key_waits);
    *list_by_key(D, patch.key_waits) = number;
  }
  buffer_put(&D->patches, &patch, sizeof patch);
  if (D->patches.failed) decoder_fail_memory(D);
}

void decode_wait_field(Decoder *D, uint32_t table, uint32_t key_waits, uint32_t value_waits) {
  lua_Integer i = (lua_Integer)(D->patches.size / sizeof(Patch));
  lua_rawseti(D->L, D->waiting, 2 * i + 2);
  lua_rawseti(D->L, D->waiting, 2 * i + 1);
  add_patch(D, (Patch){table, key_waits, value_waits, 0, 0, 0});
}

void decode_wait_cell(Decoder *D, uint32_t cell, uint32_t value_waits) {
  lua_pop(D->L, 1);
  add_patch(D, (Patch){cell, DECODER_NONE, value_waits, 0, 0, 1});
}

void decode_keep_special(Decoder *D, uint32_t index, uint32_t value_waits) {
  decoder_part(D, index)->constant = value_waits;
  lua_rawseti(D->L, D->waiting, -(lua_Integer)index - 1);
}

static bool is_waiting(Decoder *D, uint32_t index) {
  return index != DECODER_NONE && decoder_part(D, index)->state != PART_BUILT;
}

/* Sets what waited for the special objects of this patch, once they are all there. */
static void apply_patch(Decoder *D, uint32_t i) {
  lua_State *L = D->L;
  Patch p = *patch_at(D, i);
  if (is_waiting(D, p.key_waits) || is_waiting(D, p.value_waits)) return;
  if (p.is_cell) {
    decoder_push_object(D, p.value_waits);
    decode_set_cell(D, p.container);
    return;
  }
  decoder_push_object(D, p.container);
  if (p.key_waits != DECODER_NONE)
    decoder_push_object(D, p.key_waits);
  else
    lua_rawgeti(L, D->waiting, 2 * (lua_Integer)i + 1);
  if (p.value_waits != DECODER_NONE)
    decoder_push_object(D, p.value_waits);
  else
    lua_rawgeti(L, D->waiting, 2 * (lua_Integer)i + 2);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static void apply_patches_of(Decoder *D, uint32_t index) {
  for (uint32_t i = *list_by_value(D, index); i != 0; i = patch_at(D, i - 1)->next_by_value) apply_patch(D, i - 1);
  for (uint32_t i = *list_by_key(D, index); i != 0; i = patch_at(D, i - 1)->next_by_key) apply_patch(D, i - 1);
}

/* ----------------------------------------------------------- one object */

static void push_value_of(Decoder *D, uint32_t index) {
  uint32_t other = decoder_part(D, index)->constant;
  if (other != DECODER_NONE)
    decoder_push_object(D, other);
  else
    lua_rawgeti(D->L, D->waiting, -(lua_Integer)index - 1);
}

static void rebuild(Decoder *D, uint32_t index) {
  lua_State *L = D->L;
  Part *p = decoder_part(D, index);
  int top = lua_gettop(L), args = 0;
  const char *outer = D->what;
  uint64_t outer_number = D->what_number;
  D->what = D->relative ? "blob: object" : "hooked object";
  D->what_number = p->number;
  D->c.next = D->c.begin + p->body; /* where errors say it is */
  if (p->flags & HEAD_TYPED) {
    decoder_push_object(D, index); /* the type's name, so far */
    if (!permanents_type(L, D->permanents, top + 1))
      decoder_fail(D, HEARTH_UNKNOWN, "the type '%s' is not registered here", luaL_tolstring(L, top + 1, NULL));
    push_value_of(D, index);
    args = 1;
  } else {
    push_value_of(D, index);
    if (!lua_isfunction(L, -1)) decoder_fail(D, HEARTH_DAMAGED, "a rebuilding function that is no function");
  }
  int status = lua_pcall(L, args, 1, 0);
  lua_gc(L, LUA_GCSTOP); /* as it was: it may have been restarted */
  if (status == LUA_ERRMEM) decoder_fail_memory(D);
  if (status != LUA_OK)
    decoder_fail(D, HEARTH_RAISED, "a rebuilding function raised: %s",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1));
  if (lua_type(L, -1) < LUA_TTABLE) /* table, function, userdata, thread */
    decoder_fail(D, HEARTH_RAISED, "a rebuilding function returned a %s, not an object", luaL_typename(L, -1));
  D->what = outer;
  D->what_number = outer_number;
  if (D->ops->adopt != NULL) D->ops->adopt(D, index);
  decoder_set_object(D, index);
  lua_settop(L, top);
  decoder_part(D, index)->state = PART_BUILT;
  apply_patches_of(D, index);
}

/* -------------------------------------------------------------- searches */

/* Where a search stands in the body of one object. */
typedef struct Frame {
  uint32_t index;
  uint32_t left;     /* values still to look at */
  size_t position;
  uint64_t top;
} Frame;

static Frame frame_of(Decoder *D, uint32_t index) {
  const Part *p = decoder_part(D, index);
  Frame f = {index, 0, p->body, p->top};
  switch (p->kind) {
    case OBJECT_TABLE:
      f.left = p->array + 2 * p->pairs + ((p->flags & HEAD_METATABLE) != 0);
      if (p->flags & HEAD_SHAPE) f.left += decoder_shape(D, p->constant)->count;
      break;
    case OBJECT_CLOSURE: f.left = p->array; break;
    case OBJECT_CELL: f.left = 1; break;
    case OBJECT_SPECIAL: f.left = p->state == PART_BUILT ? 0 : 1; break;
    default: break; /* weak and paged tables are not looked through: their order is not promised */
  }
  return f;
}

/* The next object that the frame's body refers to, or DECODER_NONE at its end. */
static uint32_t next_of(Decoder *D, Frame *f) {
  uint32_t found = DECODER_NONE;
  uint32_t locals = D->locals;
  D->locals = decoder_part(D, f->index)->locals;
  D->local_count = UINT32_MAX; /* checked when the body was read */
  D->c.next = D->c.begin + f->position;
  D->top = f->top;
  while (f->left > 0 && found == DECODER_NONE) {
    Value v;
    value_get(&D->c, &v);
    f->left--;
    if (v.kind == VALUE_NEXT || v.kind == VALUE_LOCAL)
      found = decode_ref(D, &v);
    else if (v.kind == VALUE_REF) { /* what is no object of this heap has nothing to rebuild */
      found = D->ops->find(D, v.as.number);
      if (v.as.number > D->top) D->top = v.as.number;
    }
  }
  f->position = cursor_position(&D->c);
  f->top = D->top;
  D->locals = locals;
  return found;
}

static void push_frame(Decoder *D, Frame f) {
  decoder_part(D, f.index)->mark = D->mark;
  buffer_put(&D->stack, &f, sizeof f);
  if (D->stack.failed) decoder_fail_memory(D);
}

static Frame *top_frame(Decoder *D) {
  return (Frame *)(void *)(D->stack.data + D->stack.size - sizeof(Frame));
}

/*
** What a special object needs directly is found by a search through closures, cells and
** special objects, Tarjan's: it looks at each of them once, however many need it, and finds the cycles.
** A special object is rebuilt when the search leaves it; one that reaches something entered before
** it and still open is part of a cycle. Part.mark is the order of entering.
*/
typedef struct Search {
  Frame frame;
  uint32_t low; /* the earliest open object that is reachable */
} Search;

#define CLOSED UINT32_MAX /* mark of what needs nothing any more */

static Search *top_search(Decoder *D) {
  return (Search *)(void *)(D->stack.data + D->stack.size - sizeof(Search));
}

static void enter(Decoder *D, uint32_t index) {
  Part *p = decoder_part(D, index);
  p->mark = ++D->mark;
  if (p->kind == OBJECT_SPECIAL) p->state = PART_BUILDING;
  Search s = {frame_of(D, index), D->mark};
  buffer_put(&D->stack, &s, sizeof s);
  buffer_put(&D->open, &index, sizeof index);
  if (D->stack.failed || D->open.failed) decoder_fail_memory(D);
}

static _Noreturn void fail_cycle(Decoder *D, uint32_t index) {
  D->c.next = D->c.begin + decoder_part(D, index)->body;
  decoder_fail(D, HEARTH_CYCLE, "rebuilding functions need each other's results");
}

/* Marks up to `seen` are those of earlier searches. */
static void visit(Decoder *D, uint32_t index, uint32_t seen) {
  const Part *p = decoder_part(D, index);
  bool special = p->kind == OBJECT_SPECIAL;
  if (special ? p->state == PART_BUILT : p->kind != OBJECT_CLOSURE && p->kind != OBJECT_CELL) return;
  if (p->mark == CLOSED) return;
  if (special && p->state == PART_BUILDING) fail_cycle(D, index);
  if (p->mark <= seen)
    enter(D, index);
  else if (p->mark < top_search(D)->low)
    top_search(D)->low = p->mark;
}

/* The object and what was entered after it and is still open reach nothing before it. */
static void close_from(Decoder *D, uint32_t index) {
  uint32_t last;
  do {
    D->open.size -= sizeof last;
    memcpy(&last, D->open.data + D->open.size, sizeof last);
    decoder_part(D, last)->mark = CLOSED;
  } while (last != index);
}

static void leave(Decoder *D) {
  Search s = *top_search(D);
  uint32_t index = s.frame.index;
  bool special = decoder_part(D, index)->kind == OBJECT_SPECIAL;
  D->stack.size -= sizeof s;
  if (s.low == decoder_part(D, index)->mark)
    close_from(D, index);
  else if (special)
    fail_cycle(D, index);
  if (special) rebuild(D, index);
  if (D->stack.size > 0 && s.low < top_search(D)->low) top_search(D)->low = s.low;
}

/* Rebuilds the special object at `index` and before it what it needs. */
static void build(Decoder *D, uint32_t index, uint32_t seen) {
  enter(D, index);
  while (D->stack.size > 0) {
    Frame f = top_search(D)->frame;
    uint32_t child = next_of(D, &f);
    top_search(D)->frame = f;
    if (child == DECODER_NONE)
      leave(D);
    else
      visit(D, child, seen);
  }
}

/* Appends the special objects reachable from the one at `index`, and itself last, to D->order. */
static void put_in_order(Decoder *D, uint32_t index) {
  if (decoder_part(D, index)->mark == D->mark) return;
  push_frame(D, frame_of(D, index));
  while (D->stack.size > 0) {
    Frame f = *top_frame(D);
    uint32_t child = next_of(D, &f);
    *top_frame(D) = f;
    bool special = decoder_part(D, f.index)->kind == OBJECT_SPECIAL;
    if (child != DECODER_NONE) {
      if (decoder_part(D, child)->mark == D->mark) continue;
      if (f.left == 0 && !special) D->stack.size -= sizeof f; /* so that a chain of tables takes no memory */
      push_frame(D, frame_of(D, child));
      continue;
    }
    D->stack.size -= sizeof(Frame);
    if (special) buffer_put(&D->order, &f.index, sizeof f.index);
  }
  if (D->order.failed) decoder_fail_memory(D);
}

static void build_all(Decoder *D) {
  uint32_t count = decoder_count(D);
  D->mark++;
  for (uint32_t i = 0; i < count; i++)
    if (decoder_part(D, i)->kind == OBJECT_SPECIAL) put_in_order(D, i);
  uint32_t seen = D->mark;
  for (size_t i = 0; i < D->order.size; i += sizeof(uint32_t)) {
    uint32_t index;
    memcpy(&index, D->order.data + i, sizeof index);
    if (decoder_part(D, index)->state == PART_WAITING) build(D, index, seen);
  }
}

/* ------------------------------------------------------------ metatables */

static bool has_finalizer(lua_State *L, int metatable) {
  lua_pushvalue(L, metatable);
  lua_pushliteral(L, "__gc");
  bool has = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return has;
}

/* Is the metatable at `metatable` that of the table at `t` already? (After a rollback it mostly is.) */
static bool has_metatable(lua_State *L, int t, int metatable) {
  if (!lua_getmetatable(L, t)) return false;
  bool same = lua_rawequal(L, -1, metatable);
  lua_pop(L, 1);
  return same;
}

/* What was a special object may have become anything: found out before the first finalizer is set. */
static void check_metatables(Decoder *D) {
  for (size_t i = 0; i < D->metatables.size; i += 2 * sizeof(uint32_t)) {
    uint32_t pair[2];
    memcpy(pair, D->metatables.data + i, sizeof pair);
    decoder_push_object(D, pair[1]);
    if (!lua_istable(D->L, -1)) decoder_fail(D, HEARTH_DAMAGED, "a metatable that is no table");
    lua_pop(D->L, 1);
  }
}

/*
** First those that are plain; then, when all else is done, those with a finalizer (which may
** have come meanwhile: set again, so that Lua sees it) or that had to be rebuilt.
*/
static void set_metatables(Decoder *D, bool last) {
  lua_State *L = D->L;
  for (size_t i = 0; i < D->metatables.size; i += 2 * sizeof(uint32_t)) {
    uint32_t pair[2];
    memcpy(pair, D->metatables.data + i, sizeof pair);
    bool late = decoder_part(D, pair[1])->kind == OBJECT_SPECIAL;
    if (late && !last) continue;
    decoder_push_object(D, pair[0]);
    decoder_push_object(D, pair[1]);
    late = late || has_finalizer(L, lua_gettop(L));
    if (late == last && (last || !has_metatable(L, -2, lua_gettop(L))))
      lua_setmetatable(L, -2);
    else
      lua_pop(L, 1);
    lua_pop(L, 1);
  }
}

void decode_finish(Decoder *D) {
  set_metatables(D, false);
  if (D->specials) build_all(D);
  check_metatables(D);
  set_metatables(D, true);
}
