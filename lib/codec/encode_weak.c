/*
** Weak tables. A weak side is not followed; an entry is written only if its
** weak side was reached strongly. The strong side of such an entry is followed (an
** ephemeron's value lives while its key does), until nothing new is reached.
*/
#include "encode_sorted.h"
#include "permanents.h"

int encode_weak_mode(Encoder *E, int index) {
  lua_State *L = E->L;
  int mode = 0;
  if (!lua_getmetatable(L, index)) return 0;
  lua_pushliteral(L, "__mode");
  lua_rawget(L, -2);
  if (lua_type(L, -1) == LUA_TSTRING) {
    const char *s = lua_tostring(L, -1);
    if (strchr(s, 'k') != NULL) mode |= WEAK_KEYS;
    if (strchr(s, 'v') != NULL) mode |= WEAK_VALUES;
  }
  lua_pop(L, 2);
  return mode;
}

static bool is_object(lua_State *L, int index) {
  return lua_type(L, index) >= LUA_TTABLE; /* table, function, userdata, thread */
}

/*
** Was it reached strongly, or is it a permanent, which always lives? Nothing is reached here: the
** order of `next` must not tell.
*/
static bool lives(Encoder *E, int index) {
  lua_State *L = E->L;
  uint64_t number;
  if (!is_object(L, index)) return true;
  if (E->ops->foreign != NULL && lua_type(L, index) == LUA_TUSERDATA && E->ops->foreign(E, index, &number)) return true;
  uint32_t slot = heap_find(E->heap, (uint64_t)(uintptr_t)lua_topointer(L, index));
  if (slot != HEAP_NONE && heap_reached(E->heap, slot)) return true;
  if (E->ops->held != NULL && E->ops->held(E, index)) return true;
  if (permanents_name(L, E->permanents, E->overlay, index) < 0) return false;
  lua_pop(L, 1);
  return true;
}

bool encode_weak_keeps(Encoder *E, int mode, int key, int value) {
  return (!(mode & WEAK_KEYS) || lives(E, key)) && (!(mode & WEAK_VALUES) || lives(E, value));
}

/* Reaches the value at `index` if it has identity: by writing it, and forgetting the bytes. */
static void follow(Encoder *E, int index) {
  size_t mark = E->body.size;
  uint64_t top = E->top;
  encode_value(E, index);
  E->body.size = mark;
  E->top = top;
}

/* Both sides of an entry that stays, with its key at top - 1 and its value at the top. */
static void follow_entry(Encoder *E) {
  int top = lua_gettop(E->L);
  if (is_object(E->L, top - 1)) follow(E, top - 1);
  if (is_object(E->L, top)) follow(E, top);
}

static void follow_delivered(Encoder *E, int t, int mode) {
  lua_State *L = E->L;
  lua_pushnil(L);
  while (lua_next(L, t)) {
    int top = lua_gettop(L);
    if (encode_weak_keeps(E, mode, top - 1, top)) follow_entry(E);
    lua_pop(L, 1);
  }
}

/* Numbers follow the order in which objects are reached. */
static void follow_sorted(Encoder *E, int t, int mode) {
  lua_State *L = E->L;
  encode_push_sorted_keys(E, t, mode);
  int keys = lua_gettop(L);
  for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
    lua_pushvalue(L, -1);
    lua_rawget(L, t);
    follow_entry(E);
    lua_pop(L, 2);
  }
  lua_settop(L, keys - 1);
}

bool encode_weak_round(Encoder *E) {
  lua_State *L = E->L;
  size_t queued = heap_queued(E->heap);
  for (size_t i = 0; i < E->weak.size; i += sizeof(uint32_t)) {
    uint32_t slot;
    memcpy(&slot, E->weak.data + i, sizeof slot);
    E->current = slot;
    lua_rawgeti(L, E->objects, (lua_Integer)slot + 1);
    int t = lua_gettop(L);
    int mode = encode_weak_mode(E, t);
    if (mode == 0) encoder_fail(E, HEARTH_UNSTORABLE, 0, "a weak table that a hook made a strong one meanwhile");
    if (lua_getmetatable(L, t)) (void)encode_reach(E, t + 1); /* a hook may have changed it, too */
    lua_settop(L, t);
    if (E->canonical)
      follow_sorted(E, t, mode);
    else
      follow_delivered(E, t, mode);
    lua_pop(L, 1);
  }
  encoder_check(E);
  return heap_queued(E->heap) > queued;
}
