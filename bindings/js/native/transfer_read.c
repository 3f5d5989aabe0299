/*
** A message to Lua values: the mirror of transfer_write.c.
*/
#include <lauxlib.h>
#include <string.h>

#include "transfer.h"

typedef struct Reader {
  lua_State *L;
  Bridge *bridge;
  const unsigned char *next;
  int tables;        /* stack index: number + 1 -> table */
  lua_Integer count; /* tables met so far */
} Reader;

static unsigned get_u8(Reader *r) {
  return *r->next++;
}

static uint32_t get_u32(Reader *r) {
  const unsigned char *p = r->next;
  r->next += 4;
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_u64(Reader *r) {
  uint64_t low = get_u32(r);
  return low | (uint64_t)get_u32(r) << 32;
}

static void get_string(Reader *r) {
  size_t size = get_u32(r);
  lua_pushlstring(r->L, (const char *)r->next, size);
  r->next += size;
}

static void get_float(Reader *r) {
  lua_Number n;
  uint64_t bits = get_u64(r);
  memcpy(&n, &bits, sizeof n);
  lua_pushnumber(r->L, n);
}

/* A table mentioned for the first time has the next number. */
static void get_table(Reader *r) {
  lua_Integer number = (lua_Integer)get_u32(r);
  if (number < r->count) {
    lua_rawgeti(r->L, r->tables, number + 1);
    return;
  }
  lua_newtable(r->L);
  lua_pushvalue(r->L, -1);
  lua_rawseti(r->L, r->tables, ++r->count);
}

static void get_reference(Reader *r) {
  (void)get_u8(r); /* the type */
  reference_push(r->L, r->bridge, get_u32(r));
}

static void get_value(Reader *r) {
  switch (get_u8(r)) {
    case TRANSFER_FALSE: lua_pushboolean(r->L, 0); break;
    case TRANSFER_TRUE: lua_pushboolean(r->L, 1); break;
    case TRANSFER_SMALL: lua_pushinteger(r->L, (int32_t)get_u32(r)); break;
    case TRANSFER_INTEGER: lua_pushinteger(r->L, (lua_Integer)get_u64(r)); break;
    case TRANSFER_FLOAT: get_float(r); break;
    case TRANSFER_TEXT:
    case TRANSFER_BYTES: get_string(r); break;
    case TRANSFER_TABLE: get_table(r); break;
    case TRANSFER_REFERENCE: get_reference(r); break;
    case TRANSFER_FUNCTION: callback_push(r->L, r->bridge, get_u32(r)); break;
    default: lua_pushnil(r->L); break;
  }
}

/* Fills the table on the top, and pops it. */
static void get_contents(Reader *r) {
  lua_State *L = r->L;
  int table = lua_gettop(L);
  unsigned kind = get_u8(r);
  uint32_t count = get_u32(r);
  for (uint32_t i = 1; i <= count; i++) {
    if (kind == TRANSFER_ARRAY) {
      get_value(r);
      lua_rawseti(L, table, (lua_Integer)i);
    } else {
      get_value(r);
      get_value(r);
      lua_rawset(L, table);
    }
  }
  lua_pop(L, 1);
}

/* Stack: [1] the reader. */
static int read_values(lua_State *L) {
  Reader *r = lua_touserdata(L, 1);
  uint32_t values = get_u32(r);
  if (values > INT32_MAX / 2) luaL_error(L, "too many values");
  luaL_checkstack(L, (int)values + LUA_MINSTACK, "JavaScript");
  lua_newtable(L);
  r->tables = lua_gettop(L);
  for (uint32_t i = 0; i < values; i++) get_value(r);
  for (lua_Integer i = 1; i <= r->count; i++) {
    lua_rawgeti(L, r->tables, i);
    get_contents(r);
  }
  return (int)values;
}

int transfer_read(lua_State *L, Bridge *b) {
  if (b->in.size == 0) return 0;
  luaL_checkstack(L, LUA_MINSTACK, "JavaScript");
  Buffer message = b->in;
  buffer_init(&b->in, &message.allocator);
  Reader r = {L, b, message.data, 0, 0};
  int top = lua_gettop(L);
  lua_pushcfunction(L, read_values);
  lua_pushlightuserdata(L, &r);
  b->reading++;
  int result = lua_pcall(L, 1, LUA_MULTRET, 0);
  b->reading--;
  buffer_free(&b->in);
  b->in = message;
  b->in.size = 0;
  return result == LUA_OK ? lua_gettop(L) - top : lua_error(L);
}
