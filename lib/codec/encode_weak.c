/*
** Weak tables. A weak side is not followed; an entry is written only if its
** weak side was reached strongly. The strong side of such an entry is followed (an
** ephemeron's value lives while its key does), until nothing new is reached.
*/
#include "encoder.h"

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

static bool lives(Encoder *E, int index) {
  bool is_object;
  uint64_t number;
  if (E->ops->foreign != NULL && lua_type(E->L, index) == LUA_TUSERDATA && E->ops->foreign(E, index, &number))
    return true;
  return encode_find_reached(E, index, &is_object) != HEAP_NONE || !is_object;
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

static bool is_object(lua_State *L, int index) {
  return lua_type(L, index) >= LUA_TTABLE; /* table, function, userdata, thread */
}

static void follow_strong_sides(Encoder *E, int t, int mode) {
  lua_State *L = E->L;
  lua_pushnil(L);
  while (lua_next(L, t)) {
    int top = lua_gettop(L);
    if (encode_weak_keeps(E, mode, top - 1, top)) {
      if (is_object(L, top - 1)) follow(E, top - 1);
      if (is_object(L, top)) follow(E, top);
    }
    lua_pop(L, 1);
  }
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
    follow_strong_sides(E, t, encode_weak_mode(E, t));
    lua_pop(L, 1);
  }
  encoder_check(E);
  return heap_queued(E->heap) > queued;
}
