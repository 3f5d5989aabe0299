/*
** Decoding keeps what it uses all the time on Lua's stack, as much as there is room for: more than that, and a stack
** without room, make no difference to what comes out.
*/
#include "prototype_record.h"
#include "sample.h"

/* 1,100 prototypes: more makers than have a place. */
static void test_many_prototypes(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  run(L, "local t = {} for i = 1, 1100 do t[i] = load('local n = ... return function() n = n + 1 return n * ' .. i .. "
         "' end')(1) end\n"
         "local r = rt(t) eq(#r, 1100) for i = 1, 1100 do eq(r[i](), 2 * i) eq(r[i](), 3 * i) end");
  state_close(L, &m);
}

/* Shapes of 32 keys each, more keys than have a place. */
static void test_many_shapes(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  run(L, "local t = {} for i = 1, 100 do local s = {} for j = 1, 32 do s['key' .. i .. '_' .. j] = {i * j} end "
         "t[i] = s end\n"
         "local r = rt(t) for i = 1, 100 do local n = 0 for k, v in pairs(r[i]) do n = n + 1 eq(v[1], t[i][k][1]) end "
         "eq(n, 32) end");
  state_close(L, &m);
}

/* Strings of the dictionary, more than have a place. */
static void test_many_strings(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  run(L, "local t = {} for i = 1, 900 do t[i] = 'string ' .. i % 300 end\n"
         "local r = rt(t) for i = 1, 900 do eq(r[i], t[i]) end");
  state_close(L, &m);
}

/* More objects than have a place: whose place is where, and references across. */
static void test_many_objects(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  run(L, "local n = 262144 + 300 local t = {} for i = 1, n do t[i] = {i} end "
         "for i = 1, 200 do t[i][2], t[n - i][2] = t[n - i], t[i] end\n"
         "local c = {} local x = 0 for i = 1, 100 do c[i] = function() x = x + i return x end end t.c = c\n"
         "local r = rt(t) for i = 1, n do eq(r[i][1], i) end\n"
         "for i = 1, 200 do eq(rawequal(r[i][2], r[n - i]), true) eq(rawequal(r[n - i][2], r[i]), true) end\n"
         "local sum = 0 for i = 1, 100 do sum = sum + i eq(r.c[i](), sum) end");
  state_close(L, &m);
}

/* The program has left no room. What is decoded there has the bytes that it came from. */
static void test_full_stack(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  run(L, "big = enc((function() local t = {} for i = 1, 3000 do t[i] = {x = i, 'a' .. i % 7} end return t end)())");
  lua_getglobal(L, "big");
  size_t size;
  const char *blob = lua_tolstring(L, 1, &size);
  hearth_codec_options o = options_of(HEARTH_TRUSTED);
  hearth_error e;
  while (lua_checkstack(L, 100000)) lua_settop(L, lua_gettop(L) + 100000);
  while (lua_checkstack(L, 1000)) lua_settop(L, lua_gettop(L) + 1000);
  lua_settop(L, lua_gettop(L) - 2000); /* enough for all but the objects */
  if (hearth_decode(L, blob, size, &o, &e) != HEARTH_OK) fail_msg("%s", e.message);
  encode_top(L, 0);
  assert_true(lua_rawequal(L, -1, 1));
  lua_settop(L, 0);
  state_close(L, &m);
}

/* Two closures share a cell: the second upvalue of the one, and what does not fit here has it as its first. */
static void test_cell_of_a_stand_in(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  run(L, "local a, b = 'the first', 'the second'\n"
         "blob = enc({function() return a, b end, function() return b .. 'x' end})");
  lua_getglobal(L, "blob");
  size_t size;
  const char *blob = lua_tolstring(L, 1, &size);
  unsigned char *bytes = malloc(size);
  memcpy(bytes, blob, size);
  Cursor c = cursor_over(bytes, size);
  BlobHeader h;
  bool newer;
  assert_true(blob_header_get(&c, &h, &newer));
  assert_int_equal(h.prototypes, 2);
  for (int i = 0; i < 2; i++) {
    size_t record = count_get(&c);
    size_t check = cursor_position(&c);
    c.next += BLOB_CHECK_SIZE;
    unsigned char *p = bytes + cursor_position(&c);
    c.next += record;
    if (i == 0) continue;
    p[0] ^= PROTOTYPE_LITTLE_ENDIAN;
    uint64_t hash = hash64(p, record, BLOB_CHECK_SEED);
    for (unsigned j = 0; j < 8; j++) bytes[check + j] = (unsigned char)(hash >> (8 * j));
  }
  hearth_codec_options o = options_of(HEARTH_TRUSTED | HEARTH_PLACEHOLDERS);
  assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_OK);
  encode_top(L, 0);
  assert_int_equal(lua_rawlen(L, 2), size);
  assert_memory_equal(lua_tostring(L, 2), bytes, size);
  free(bytes);
  lua_settop(L, 0);
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many_prototypes), cmocka_unit_test(test_many_shapes), cmocka_unit_test(test_many_strings),
      cmocka_unit_test(test_many_objects),    cmocka_unit_test(test_full_stack),
      cmocka_unit_test(test_cell_of_a_stand_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
