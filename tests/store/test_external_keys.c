/*
** Keys of external tables: their bytes stand in the order of the keys, and what is no key is refused.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <float.h>
#include <math.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "hearth.h"

#include "external_entry.h"

static uint64_t random_state = 20260102;

static uint64_t random_bits(void) { /* xorshift64*, so that every run is the same */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * UINT64_C(2685821657736338717);
}

/* Pushes a number that is likely to be near an interesting one. */
static void push_number(lua_State *L) {
  uint64_t bits = random_bits();
  uint64_t power = UINT64_C(1) << (random_bits() % 64);
  int64_t near = (int64_t)(power + random_bits() % 5 - 2);
  double d;
  memcpy(&d, &bits, sizeof d);
  switch (random_bits() % 8) {
    case 0: lua_pushinteger(L, (lua_Integer)bits); break;
    case 1: lua_pushinteger(L, (lua_Integer)near); break;
    case 2: lua_pushinteger(L, (lua_Integer)(0 - (uint64_t)near)); break;
    case 3: lua_pushnumber(L, d != d ? 0.5 : d); break;
    case 4: lua_pushnumber(L, nextafter((double)near, random_bits() % 2 ? HUGE_VAL : -HUGE_VAL)); break;
    case 5: lua_pushnumber(L, -(double)near - (double)(random_bits() % 3) / 2); break;
    case 6: lua_pushinteger(L, (lua_Integer)(random_bits() % 7) - 3); break;
    default: lua_pushnumber(L, ((double)(random_bits() % 9) - 4) / 2);
  }
}

/* The key that Lua makes of the number at the index. */
static Value number_key(lua_State *L, int index) {
  Value v = {.kind = VALUE_INTEGER};
  int is_integer;
  lua_Integer n = lua_tointegerx(L, index, &is_integer);
  lua_Number d = lua_tonumber(L, index);
  v.as.integer = n;
  if (!is_integer) {
    v.kind = VALUE_FLOAT;
    memcpy(&v.as.bits, &d, sizeof d);
  }
  return v;
}

static void check_pair(lua_State *L) {
  unsigned char a[EXTERNAL_MAX_KEY], b[EXTERNAL_MAX_KEY];
  Value va = number_key(L, -2), vb = number_key(L, -1), back;
  size_t a_size = external_put_key(a, &va), b_size = external_put_key(b, &vb);
  Cursor c = cursor_over(a, a_size);
  external_get_key(&c, &back);
  if (c.why != NULL) fail_msg("%s: %s", luaL_tolstring(L, -2, NULL), c.why);
  assert_int_equal(back.kind, va.kind);
  assert_true(back.as.bits == va.as.bits);
  int order = value_compare_bytes(a, a_size, b, b_size);
  if (lua_compare(L, -2, -1, LUA_OPLT) != (order < 0) || lua_compare(L, -2, -1, LUA_OPEQ) != (order == 0))
    fail_msg("%s and %s: %d", luaL_tolstring(L, -2, NULL), luaL_tolstring(L, -2, NULL), order);
}

static const char *const special_numbers =
    "return 0, 1, -1, 127, 128, 255, 256, -0.0, 0.5, -0.5, 1e300, -1e300, 5e-324, -5e-324, math.huge, -math.huge,"
    " math.maxinteger, math.mininteger, math.maxinteger - 1, math.mininteger + 1, 2^63, -2^63, 2^63 - 1024, 2^64,"
    " -2^63 - 2048, 1 << 53, (1 << 53) + 1, (1 << 53) - 1, 2.0^53, 2.0^53 + 2, -(1 << 53) - 1, -(1 << 53), -2.0^53 - 2,"
    " (1 << 62) + 511, (1 << 62) + 512, (1 << 62) + 1, -(1 << 62) - 1, 3.14, 2^52 + 0.5, -2^52 - 0.5, 2^-1022";

static void test_number_order(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_checkstack(L, 200, NULL);
  assert_int_equal(luaL_dostring(L, special_numbers), LUA_OK);
  int count = lua_gettop(L);
  for (int i = 1; i <= count; i++)
    for (int k = 1; k <= count; k++) {
      lua_pushvalue(L, i);
      lua_pushvalue(L, k);
      check_pair(L);
      lua_settop(L, count);
    }
  for (int i = 0; i < 200000; i++) {
    push_number(L);
    push_number(L);
    check_pair(L);
    lua_settop(L, count);
  }
  lua_close(L);
}

static void test_kinds_of_keys(void **state) {
  (void)state;
  static const Value keys[] = {
      {.kind = VALUE_FALSE},
      {.kind = VALUE_TRUE},
      {.kind = VALUE_FLOAT, .as.bits = UINT64_C(0xfff0000000000000)}, /* -inf */
      {.kind = VALUE_INTEGER, .as.integer = 0},
      {.kind = VALUE_FLOAT, .as.bits = UINT64_C(0x7ff0000000000000)}, /* inf */
      {.kind = VALUE_STRING, .as.bytes = (const unsigned char *)"", .size = 0},
      {.kind = VALUE_STRING, .as.bytes = (const unsigned char *)"\0", .size = 1},
      {.kind = VALUE_STRING, .as.bytes = (const unsigned char *)"\0\0", .size = 2},
      {.kind = VALUE_STRING, .as.bytes = (const unsigned char *)"a", .size = 1},
      {.kind = VALUE_STRING, .as.bytes = (const unsigned char *)"\xff", .size = 1},
  };
  unsigned char last[EXTERNAL_MAX_KEY], bytes[EXTERNAL_MAX_KEY];
  size_t last_size = 0;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    size_t size = external_put_key(bytes, &keys[i]);
    assert_true(value_compare_bytes(last, last_size, bytes, size) < 0);
    memcpy(last, bytes, size);
    last_size = size;
  }
}

/* Any bytes are refused or are the one form of what they decode to. */
static void test_damaged_keys(void **state) {
  (void)state;
  for (int i = 0; i < 300000; i++) {
    unsigned char bytes[13], again[EXTERNAL_MAX_KEY];
    size_t size = 1 + random_bits() % sizeof bytes;
    Value v;
    for (size_t k = 0; k < size; k++)
      bytes[k] = (unsigned char)(random_bits() % 4 == 0 ? random_bits() : (k == 1 ? 0xc3 : 0));
    bytes[0] = (unsigned char)(random_bits() % 6);
    Cursor c = cursor_over(bytes, size);
    external_get_key(&c, &v);
    if (c.why != NULL) continue;
    assert_int_equal(external_put_key(again, &v), size);
    assert_memory_equal(again, bytes, size);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_number_order),
      cmocka_unit_test(test_kinds_of_keys),
      cmocka_unit_test(test_damaged_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
