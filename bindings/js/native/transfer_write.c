/*
** Lua values to a message.
*/
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "transfer.h"

typedef struct Writer {
  lua_State *L;
  Bridge *bridge;
  Buffer *out;
  int numbers; /* stack index: table -> its number; number + 1 -> table */
  lua_Integer count;
} Writer;

static void put_u8(Writer *w, unsigned n) {
  unsigned char byte = (unsigned char)n;
  buffer_put(w->out, &byte, 1);
}

static void set_u32(unsigned char *at, size_t n) {
  for (int i = 0; i < 4; i++) at[i] = (unsigned char)(n >> (8 * i));
}

static void put_u32(Writer *w, size_t n) {
  unsigned char bytes[4];
  if (n > UINT32_MAX) luaL_error(w->L, "a value too large for JavaScript");
  set_u32(bytes, n);
  buffer_put(w->out, bytes, sizeof bytes);
}

static void put_u64(Writer *w, uint64_t n) {
  put_u32(w, (uint32_t)n);
  put_u32(w, (uint32_t)(n >> 32));
}

/* Strict UTF-8: what TextDecoder with `fatal` accepts, so that text comes back as the same bytes. */
static bool is_text(const unsigned char *s, size_t size) {
  size_t i = 0;
  while (i < size) {
    unsigned char c = s[i];
    if (c < 0x80) {
      i++;
      continue;
    }
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c < 0xc2 || c > 0xf4 || size - i <= more) return false;
    unsigned char least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80; /* no longer form than needed */
    unsigned char most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;  /* no surrogates, nothing above U+10FFFF */
    if (s[i + 1] < least || s[i + 1] > most) return false;
    for (size_t k = 2; k <= more; k++)
      if ((s[i + k] & 0xc0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

static void put_string(Writer *w, int index) {
  size_t size;
  const char *s = lua_tolstring(w->L, index, &size);
  put_u8(w, is_text((const unsigned char *)s, size) ? TRANSFER_TEXT : TRANSFER_BYTES);
  put_u32(w, size);
  buffer_put(w->out, s, size);
}

static void put_number(Writer *w, int index) {
  if (!lua_isinteger(w->L, index)) {
    lua_Number n = lua_tonumber(w->L, index);
    uint64_t bits;
    memcpy(&bits, &n, sizeof bits);
    put_u8(w, TRANSFER_FLOAT);
    put_u64(w, bits);
    return;
  }
  lua_Integer n = lua_tointeger(w->L, index);
  bool small = n >= INT32_MIN && n <= INT32_MAX;
  put_u8(w, small ? TRANSFER_SMALL : TRANSFER_INTEGER);
  if (small)
    put_u32(w, (uint32_t)n);
  else
    put_u64(w, (uint64_t)n);
}

/* A table met for the first time gets the next number. `index` is absolute, as everywhere here. */
static void put_table(Writer *w, int index) {
  lua_State *L = w->L;
  int top = lua_gettop(L);
  lua_pushvalue(L, index);
  if (lua_rawget(L, w->numbers) == LUA_TNIL) {
    lua_pushvalue(L, index);
    lua_pushinteger(L, w->count);
    lua_rawset(L, w->numbers);
    lua_pushvalue(L, index);
    lua_rawseti(L, w->numbers, w->count + 1);
    lua_pushinteger(L, w->count++);
  }
  lua_Integer number = lua_tointeger(L, -1);
  lua_settop(L, top);
  put_u8(w, TRANSFER_TABLE);
  put_u32(w, (size_t)number);
}

static void put_reference(Writer *w, int index) {
  uint32_t number = callback_number(w->L, index);
  if (number != 0) {
    put_u8(w, TRANSFER_FUNCTION);
    put_u32(w, number);
    return;
  }
  uint32_t handle = reference_handle(w->L, w->bridge, index);
  put_u8(w, TRANSFER_REFERENCE);
  put_u8(w, (unsigned)lua_type(w->L, index));
  put_u32(w, handle);
}

static void put_value(Writer *w, int index) {
  switch (lua_type(w->L, index)) {
    case LUA_TNIL: put_u8(w, TRANSFER_NIL); break;
    case LUA_TBOOLEAN: put_u8(w, lua_toboolean(w->L, index) ? TRANSFER_TRUE : TRANSFER_FALSE); break;
    case LUA_TNUMBER: put_number(w, index); break;
    case LUA_TSTRING: put_string(w, index); break;
    case LUA_TTABLE: put_table(w, index); break;
    default: put_reference(w, index); break;
  }
}

static bool key_is_text(lua_State *L, int index) {
  size_t size;
  if (lua_type(L, index) != LUA_TSTRING) return false;
  const char *s = lua_tolstring(L, index, &size);
  return is_text((const unsigned char *)s, size);
}

/* What the table on the top is for JavaScript, and of how many entries. An empty one is an object. */
static int kind_of(lua_State *L, size_t *count) {
  lua_Unsigned n = lua_rawlen(L, -1);
  size_t listed = 0, texts = 0;
  *count = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    ++*count;
    if (lua_isinteger(L, -1) && (lua_Unsigned)lua_tointeger(L, -1) - 1 < n)
      listed++;
    else if (key_is_text(L, -1))
      texts++;
  }
  if (listed == *count && listed == n && n > 0) return TRANSFER_ARRAY;
  return texts == *count ? TRANSFER_OBJECT : TRANSFER_MAP;
}

/* The table is on the top, and popped. */
static void put_contents(Writer *w) {
  lua_State *L = w->L;
  size_t count;
  int kind = kind_of(L, &count);
  put_u8(w, (unsigned)kind);
  size_t at = w->out->size, written = 0;
  put_u32(w, count);
  if (kind == TRANSFER_ARRAY) {
    for (size_t i = 1; i <= count; i++) {
      lua_rawgeti(L, -1, (lua_Integer)i);
      put_value(w, lua_gettop(L));
      lua_pop(L, 1);
    }
  } else {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      int value = lua_gettop(L);
      put_value(w, value - 1);
      put_value(w, value);
      lua_settop(L, value - 1);
      written++;
    }
    if (!w->out->failed) set_u32(w->out->data + at, written); /* a finalizer may have taken some out meanwhile */
  }
  lua_pop(L, 1);
}

/* Stack: [1] the writer, values. */
static int write_values(lua_State *L) {
  Writer *w = lua_touserdata(L, 1);
  int last = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, "JavaScript");
  lua_newtable(L);
  w->numbers = last + 1;
  put_u32(w, (size_t)(last - 1));
  for (int i = 2; i <= last; i++) put_value(w, i);
  for (lua_Integer i = 1; i <= w->count; i++) {
    lua_rawgeti(L, w->numbers, i);
    put_contents(w);
  }
  return w->out->failed ? luaL_error(L, "not enough memory") : 0;
}

void transfer_write(lua_State *L, Bridge *b, int first) {
  luaL_checkstack(L, LUA_MINSTACK, "JavaScript");
  Buffer message = b->out;
  buffer_init(&b->out, &message.allocator);
  buffer_clear(&message);
  Writer w = {L, b, &message, 0, 0};
  lua_pushcfunction(L, write_values);
  lua_pushlightuserdata(L, &w);
  lua_rotate(L, first, 2);
  int result = lua_pcall(L, lua_gettop(L) - first, 0, 0);
  buffer_free(&b->out);
  b->out = message;
  if (result == LUA_OK) return;
  buffer_clear(&b->out);
  lua_error(L);
}
