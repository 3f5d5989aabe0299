/* Binary chunks behind their check: what is right works, and nothing else gets to lua_load. */
#include "codec_testing.h"

/* Pushes what string.dump gives for the function that the code returns. */
static const char *push_chunk(lua_State *L, const char *code, size_t *size) {
  if (luaL_loadstring(L, "local code, strip = ... return string.dump(assert(load(code))(), strip)") != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  lua_pushstring(L, code);
  lua_pushboolean(L, 1);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  return lua_tolstring(L, -1, size);
}

static const char sample[] =
    "local up <const>, other = {}, 1\n"
    "return function(a, ...)\n"
    "  local function inner(x) return x and inner(x - 1) or up end\n"
    "  return value, a + 1.5, 'a string of more than forty bytes, which is kept by itself', inner, other, ...\n"
    "end";

static void test_globals(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  size_t size;
  lua_State *L = state_new(&m);
  run(L, "value = 'global'");
  const char *chunk = push_chunk(L, "return function() return value end", &size);
  assert_int_equal(hearth_load_chunk(L, chunk, size, 0, &e), HEARTH_OK);
  lua_call(L, 0, 1);
  assert_string_equal(lua_tostring(L, -1), "global");
  lua_newtable(L);
  lua_pushinteger(L, 7);
  lua_setfield(L, -2, "value");
  int globals = lua_gettop(L);
  assert_int_equal(hearth_load_chunk(L, chunk, size, globals, NULL), HEARTH_OK);
  assert_int_equal(lua_gettop(L), globals + 1);
  lua_call(L, 0, 1);
  assert_int_equal(lua_tointeger(L, -1), 7);
  lua_pushinteger(L, 1);
  assert_int_equal(hearth_load_chunk(L, chunk, size, -1, &e), HEARTH_INVALID);
  lua_settop(L, 0);
  chunk = push_chunk(L, "return function(a) return a end", &size); /* without upvalues */
  assert_int_equal(hearth_load_chunk(L, chunk, size, 0, &e), HEARTH_OK);
  lua_settop(L, 0);
  state_close(L, &m);
}

static void test_malformed(void **state) {
  (void)state;
  Memory m;
  size_t size, loaded = 0;
  lua_State *L = state_new(&m);
  const char *chunk = push_chunk(L, sample, &size);
  char *copy = malloc(size + 1);
  for (size_t n = 0; n < size; n++) { /* every prefix, in memory of its size */
    hearth_error e;
    char *prefix = malloc(n > 0 ? n : 1);
    memcpy(prefix, chunk, n);
    assert_int_equal(hearth_load_chunk(L, prefix, n, 0, &e), HEARTH_DAMAGED);
    assert_true(e.position <= n);
    free(prefix);
  }
  memcpy(copy, chunk, size);
  copy[size] = 0;
  assert_int_equal(hearth_load_chunk(L, copy, size + 1, 0, NULL), HEARTH_DAMAGED); /* a byte more */
  for (size_t n = 0; n < size; n++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      hearth_error e;
      copy[n] = (char)(copy[n] ^ (1 << bit));
      hearth_status status = hearth_load_chunk(L, copy, size, 0, &e);
      copy[n] = chunk[n];
      if (status == HEARTH_OK) {
        loaded++;
        lua_settop(L, 1);
      } else if (status != HEARTH_DAMAGED && status != HEARTH_LUA) {
        fail_msg("byte %zu, bit %u: %s", n, bit, e.message);
      }
      assert_int_equal(lua_gettop(L), 1);
    }
  }
  assert_true(loaded > 0 && loaded < 8 * size); /* instructions and constants are not verified, counts are */
  free(copy);
  lua_settop(L, 0);
  state_close(L, &m);
}

static void test_another_lua(void **state) {
  (void)state;
  /* What a Lua with integers of 32 bits dumps of `function() end`: the header, no upvalues, an empty function. */
  static const unsigned char small[] =
      "\x1bLua\x54\0\x19\x93\r\n\x1a\n\x04\x04\x08\x78\x56\0\0\0\0\0\0\0\x28\x77\x40\0"
      "\x80\x81\x81\0\0\x02\x81\x47\0\x01\0\x80\x80\x80\x80\x80\x80\x80";
  Memory m;
  hearth_error e;
  size_t size;
  lua_State *L = state_new(&m);
  hearth_status status = hearth_load_chunk(L, small, sizeof small - 1, 0, &e);
  if (status != HEARTH_LUA) fail_msg("%s: %s", hearth_status_name(status), e.message);
  assert_non_null(strstr(e.message, "integers of 4 bytes"));
  const char *chunk = push_chunk(L, "return function() end", &size);
  char *copy = malloc(size);
  memcpy(copy, chunk, size);
  copy[4] = 0x53;
  assert_int_equal(hearth_load_chunk(L, copy, size, 0, &e), HEARTH_DAMAGED);
  assert_non_null(strstr(e.message, "not a binary chunk of Lua 5.4"));
  free(copy);
  lua_settop(L, 0);
  state_close(L, &m);
}

static void test_without_memory(void **state) {
  (void)state;
  Memory m;
  size_t size, failures = 0;
  lua_State *L = state_new(&m);
  const char *chunk = push_chunk(L, sample, &size);
  for (int on = 0; on < 2; on++) {
    for (size_t n = 0;; n++) {
      hearth_error e;
      m.fail_at = m.requests + n;
      m.fail_on = on;
      hearth_status status = hearth_load_chunk(L, chunk, size, 0, &e);
      bool reached = m.requests > m.fail_at;
      m.fail_at = SIZE_MAX;
      m.fail_on = false;
      if (status == HEARTH_OK) {
        assert_int_equal(lua_gettop(L), 2);
        lua_settop(L, 1);
        if (!reached) break;
        continue;
      }
      assert_int_equal(status, HEARTH_NOMEM);
      assert_int_equal(lua_gettop(L), 1);
      failures++;
    }
  }
  assert_true(failures > 0);
  lua_settop(L, 0);
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_globals),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_another_lua),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
