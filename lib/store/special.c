/*
** Special objects in a store. A hook gives a new rebuilding function at each
** commit, so what it reaches must not get numbers of its own: it would be written
** each time. What one special object alone reaches and nothing else in the graph does
** is part of its record, as local objects, in canonical order; what two reach is an
** object of the store like any other.
**
** So hooks are called when the rest of the graph was walked, what they reach is looked
** through (explore), and the records are written when no hook is left (write). Weak tables among it are put aside
** like those of the graph: an entry stays if something else reaches its weak side.
*/
#include <lauxlib.h>

#include "committer.h"
#include "external.h"
#include "permanents.h"
#include "protect.h"
#include "prototype.h"

#define NO_PAGES ((size_t)0)

/* ---------------------------------------------------------------- explore */

/* Is the object at `index` one that could be part of a record? Others are always objects of the store. */
static bool could_be_local(Committer *C, int index) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  int permanent = permanents_name(L, E->permanents, E->overlay, index);
  if (permanent != PERMANENT_NONE) {
    if (permanent >= 0) lua_pop(L, 1);
    return false;
  }
  if (lua_istable(L, index)) return !encode_is_special(E, index);
  return lua_isfunction(L, index) && !lua_iscfunction(L, index);
}

static void push_work(Committer *C, int index, size_t *count) {
  lua_pushvalue(C->E.L, index);
  lua_rawseti(C->E.L, C->work, (lua_Integer)++*count);
}

/* The special object whose it is. Where that is one probed before, either of the two may have had it at the commit. */
static uint32_t owner_of(Committer *C, uint64_t pointer) {
  uint32_t owner = intmap_get(&C->owners, pointer);
  if (owner != INTMAP_NONE || C->probes == NULL) return owner;
  owner = intmap_get(&C->probes->claimed, pointer);
  if (owner != INTMAP_NONE) intmap_remove(&C->probes->unchanged, (uint64_t)owner + 1);
  return owner;
}

/* Decides whose the object is that the special in C->owner reaches. True: now its own, and to be looked through. */
static bool claim(Committer *C, uint64_t pointer, bool *known) {
  uint32_t slot = heap_find(C->E.heap, pointer);
  *known = slot != HEAP_NONE;
  if (*known) {
    if (!heap_reach(C->E.heap, slot, C->owner)) encoder_fail_memory(&C->E);
    return false;
  }
  uint32_t owner = owner_of(C, pointer);
  if (owner == C->owner) {
    *known = true;
    return false;
  }
  return owner == INTMAP_NONE;
}

static void own(Committer *C, uint64_t pointer) {
  if (!intmap_put(&C->owners, pointer, C->owner)) encoder_fail_memory(&C->E);
}

static void visit(Committer *C, int index, size_t *count) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  uint64_t number;
  bool known;
  if (lua_type(L, index) < LUA_TTABLE) { /* no identity */
    if (lua_type(L, index) == LUA_TLIGHTUSERDATA)
      encoder_fail(E, HEARTH_UNSTORABLE, index, "a light userdata cannot be stored");
    return;
  }
  if (lua_type(L, index) == LUA_TUSERDATA && E->ops->foreign(E, index, &number)) return;
  uint64_t pointer = (uint64_t)(uintptr_t)lua_topointer(L, index);
  if (claim(C, pointer, &known) && could_be_local(C, index)) {
    encode_check_storable(E, index);
    own(C, pointer);
    push_work(C, index, count);
  } else if (!known) {
    (void)encode_reach(E, index);
  }
}

static void visit_cell(Committer *C, int function, int upvalue, size_t *count) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  void *id = lua_upvalueid(L, function, upvalue);
  bool known;
  if (!claim(C, (uint64_t)(uintptr_t)id, &known)) {
    if (!known) (void)encode_reach_cell(E, function, upvalue);
    return;
  }
  if (permanents_cell_name(L, E->permanents, id)) {
    lua_pop(L, 1);
    (void)encode_reach_cell(E, function, upvalue);
    return;
  }
  own(C, (uint64_t)(uintptr_t)id);
  lua_getupvalue(L, function, upvalue);
  visit(C, lua_gettop(L), count);
  lua_pop(L, 1);
}

static void put_weak_aside(Committer *C, int index) {
  buffer_put(&C->weak_owners, &C->owner, sizeof C->owner);
  if (C->weak_owners.failed) encoder_fail_memory(&C->E);
  lua_pushvalue(C->E.L, index);
  lua_rawseti(C->E.L, C->weak, (lua_Integer)(C->weak_owners.size / sizeof C->owner));
}

static void look_through(Committer *C, int index, size_t *count) {
  lua_State *L = C->E.L;
  if (lua_isfunction(L, index)) {
    for (int i = 1; lua_getupvalue(L, index, i) != NULL; i++) {
      lua_pop(L, 1);
      visit_cell(C, index, i, count);
    }
    return;
  }
  if (lua_getmetatable(L, index)) {
    visit(C, lua_gettop(L), count);
    lua_pop(L, 1);
  }
  if (encode_weak_mode(&C->E, index) != 0) {
    put_weak_aside(C, index);
    return;
  }
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int top = lua_gettop(L);
    visit(C, top - 1, count);
    visit(C, top, count);
    lua_pop(L, 1);
  }
}

static void look_through_work(Committer *C, size_t count) {
  lua_State *L = C->E.L;
  while (count > 0) {
    lua_rawgeti(L, C->work, (lua_Integer)count--);
    look_through(C, lua_gettop(L), &count);
    lua_pop(L, 1);
  }
}

void special_explore(Committer *C, uint32_t slot) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  int top = lua_gettop(L);
  size_t count = 0;
  Head head;
  E->current = C->owner = slot;
  lua_rawgeti(L, E->objects, (lua_Integer)slot + 1);
  encode_special_value(E, top + 1, &head);
  lua_pushvalue(L, -1);
  lua_rawseti(L, C->values, (lua_Integer)slot + 1);
  if (head.flags & HEAD_TYPED)
    lua_pushlstring(L, (const char *)head.name.as.bytes, head.name.size);
  else
    lua_pushnil(L);
  lua_rawseti(L, C->values, -(lua_Integer)slot - 1);
  visit(C, top + 2, &count);
  look_through_work(C, count);
  lua_settop(L, top);
  encoder_check(E);
}

/* The weak table at `t` belongs to the special object in C->owner. A hook may have changed its metatable, too. */
static void follow_weak(Committer *C, int t) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  size_t count = 0;
  int mode = encode_weak_mode(E, t);
  if (mode == 0) encoder_fail(E, HEARTH_UNSTORABLE, 0, "a weak table that a hook made a strong one meanwhile");
  lua_getmetatable(L, t);
  visit(C, t + 1, &count);
  lua_pop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    int top = lua_gettop(L);
    if (encode_weak_keeps(E, mode, top - 1, top)) {
      visit(C, top - 1, &count);
      visit(C, top, &count);
    }
    lua_pop(L, 1);
  }
  look_through_work(C, count);
}

bool special_weak_round(Committer *C) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  size_t owned = C->owners.count, queued = heap_queued(E->heap);
  for (size_t i = 0; i < C->weak_owners.size / sizeof C->owner; i++) {
    memcpy(&C->owner, C->weak_owners.data + i * sizeof C->owner, sizeof C->owner);
    E->current = C->owner;
    lua_rawgeti(L, C->weak, (lua_Integer)i + 1);
    int t = lua_gettop(L);
    /* once it has a number, it is one of the graph's, and encode_weak_round follows it */
    if (heap_find(E->heap, (uint64_t)(uintptr_t)lua_topointer(L, t)) == HEAP_NONE) follow_weak(C, t);
    lua_settop(L, t - 1);
  }
  encoder_check(E);
  return C->owners.count > owned || heap_queued(E->heap) > queued;
}

/* Once a weak table of another refers to it, it gets a number, and is no part of the record any more. */
bool special_holds(Encoder *E, int index) {
  Committer *C = E->owner;
  return C->dry || intmap_get(&C->owners, (uint64_t)(uintptr_t)lua_topointer(E->L, index)) != INTMAP_NONE;
}

/* ------------------------------------------------------------------ write */

/* The index of a local object, given one if it is new. */
static uint32_t local_index(Committer *C, uint64_t pointer, int index, uint8_t upvalue) {
  uint32_t local = intmap_get(&C->locals, pointer);
  if (local != INTMAP_NONE) return local;
  local = C->local_count++;
  buffer_byte(&C->local_cells, upvalue);
  if (C->local_cells.failed || !intmap_put(&C->locals, pointer, local)) encoder_fail_memory(&C->E);
  lua_pushvalue(C->E.L, index);
  lua_rawseti(C->E.L, C->work, (lua_Integer)local + 1);
  return local;
}

static bool put_local(Encoder *E, int index) {
  Committer *C = E->owner;
  uint64_t pointer = (uint64_t)(uintptr_t)lua_topointer(E->L, index);
  if (heap_find(E->heap, pointer) != HEAP_NONE || intmap_get(&C->owners, pointer) != C->owner) return false;
  value_put_local(&E->body, local_index(C, pointer, index, 0));
  return true;
}

static bool put_local_cell(Encoder *E, int function, int upvalue) {
  Committer *C = E->owner;
  uint64_t pointer = (uint64_t)(uintptr_t)lua_upvalueid(E->L, function, upvalue);
  if (heap_find(E->heap, pointer) != HEAP_NONE || intmap_get(&C->owners, pointer) != C->owner) return false;
  value_put_local(&E->body, local_index(C, pointer, function, (uint8_t)upvalue));
  return true;
}

static void write_local(Committer *C, uint32_t local) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  lua_rawgeti(L, C->work, (lua_Integer)local + 1);
  int top = lua_gettop(L);
  uint8_t upvalue = C->local_cells.data[local];
  if (upvalue != 0)
    encode_cell(E, top, upvalue);
  else if (lua_isfunction(L, top))
    (void)encode_closure(E, top, HEAP_NONE);
  else
    encode_table(E, top, true);
  lua_settop(L, top - 1);
  encoder_check(E);
}

/* Head and body of the special object as E->head and E->body hold its local objects and its value. */
static void assemble(Committer *C, uint32_t slot) {
  Encoder *E = &C->E;
  Head head = {.kind = OBJECT_SPECIAL};
  if (lua_rawgeti(E->L, C->values, -(lua_Integer)slot - 1) == LUA_TSTRING) {
    head.flags = HEAD_TYPED;
    head.name.kind = VALUE_STRING;
    head.name.as.bytes = (const unsigned char *)lua_tolstring(E->L, -1, &head.name.size);
  }
  buffer_clear(&C->record);
  head_put(&C->record, &head);
  varint_put(&C->record, C->local_count);
  buffer_put(&C->record, E->head.data, E->head.size);
  buffer_put(&C->record, E->body.data, E->body.size);
  lua_pop(E->L, 1);
  if (C->record.failed) encoder_fail_memory(E);
}

bool special_write(Committer *C, uint32_t slot) {
  Encoder *E = &C->E;
  EncoderOps ops = *E->ops;
  const EncoderOps *outer = E->ops;
  size_t page_size = E->page_size;
  ops.local = put_local;
  ops.local_cell = put_local_cell;
  E->ops = &ops; /* should the encoder raise meanwhile, it is not used again */
  E->page_size = NO_PAGES;
  E->nested = E->canonical = true;
  E->current = C->owner = slot;
  intmap_free(&C->locals);
  buffer_clear(&C->local_cells);
  buffer_clear(&E->head);
  buffer_clear(&E->body);
  buffer_clear(&C->pages);
  C->local_count = 0;
  lua_rawgeti(E->L, C->values, (lua_Integer)slot + 1);
  encode_needs_special(E, slot, lua_gettop(E->L));
  encode_value(E, lua_gettop(E->L));
  lua_pop(E->L, 1);
  for (uint32_t i = 0; i < C->local_count; i++) write_local(C, i);
  assemble(C, slot);
  E->ops = outer;
  E->page_size = page_size;
  E->nested = E->canonical = false;
  return committer_record(C, slot, &C->record);
}

/* ------------------------------------------------------------------ probe */

typedef struct ProbeCall {
  hearth_store *S;
  hearth_error *error;
  uint32_t slot;
  Probes *probes;
  Committer *committer;
} ProbeCall;

/*
** What is part of the object is nobody else's; what its hook gave stays, so that no address there becomes another's. A
** hook may change its own object: the metatable is kept from before it was called.
*/
static void keep(Committer *C, uint32_t slot, int kept) {
  lua_State *L = C->E.L;
  bool put = true;
  lua_rawgeti(L, C->values, (lua_Integer)slot + 1);
  lua_rawseti(L, kept, (lua_Integer)slot + 1);
  for (size_t i = 0; i < C->owners.capacity && put; i++)
    if (C->owners.entries[i].key != 0) put = intmap_put(&C->probes->claimed, C->owners.entries[i].key, slot);
  if (!put || !intmap_put(&C->probes->unchanged, (uint64_t)slot + 1, 1)) encoder_fail_memory(&C->E);
}

/* Stack: [1] the call, [2] what is kept. */
static int probe_protected(lua_State *L) {
  ProbeCall *call = lua_touserdata(L, 1);
  Committer *C = committer_push(L, call->S, call->error);
  call->committer = C;
  C->dry = true;
  C->probes = call->probes;
  heap_begin_walk(&call->S->heap);
  lua_rawgeti(L, C->E.objects, (lua_Integer)call->slot + 1);
  if (encode_is_special(&C->E, lua_gettop(L))) {
    lua_getmetatable(L, -1);
    lua_rawseti(L, 2, -(lua_Integer)call->slot - 1);
    special_explore(C, call->slot);
    while (special_weak_round(C)) continue;
    if (!special_write(C, call->slot)) keep(C, call->slot, 2);
  }
  return 0;
}

bool special_probe(lua_State *L, hearth_store *S, uint32_t slot, Probes *probes) {
  hearth_error error;
  ProbeCall call = {S, &error, slot, probes, NULL};
  lua_pushvalue(L, -1);
  hearth_status status = protect_without_collector(L, probe_protected, &call, 1, 0, &error);
  if (call.committer != NULL) committer_free(call.committer);
  committer_forget_fresh(L, S);
  return status != HEARTH_NOMEM;
}
