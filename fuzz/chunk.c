/*
** A binary chunk behind its check: what is accepted is inspected by every call of Lua that reads a function, changed
** and dumped, and never called. A dump is accepted again, and is dumped as the same bytes.
*/
#include "buffer.h"
#include "fuzz.h"

static int write_dump(lua_State *L, const void *bytes, size_t size, void *ud) {
  (void)L;
  buffer_put(ud, bytes, size);
  return ((Buffer *)ud)->failed;
}

static void inspect(lua_State *L, int function) {
  lua_Debug ar;
  lua_pushvalue(L, function);
  FUZZ_CHECK(lua_getinfo(L, ">Sut", &ar));
  for (int n = 1; n <= 255; n++) {
    lua_pushvalue(L, function);
    const char *name = lua_getlocal(L, NULL, n);
    lua_pop(L, 1);
    if (name == NULL) break;
  }
  if (!ar.isvararg) { /* the lines of a vararg function without line information crash 5.4.4 itself */
    lua_pushvalue(L, function);
    FUZZ_CHECK(lua_getinfo(L, ">L", &ar));
    lua_pop(L, 1);
  }
}

static void use_upvalues(lua_State *L, int function, int other) {
  for (int n = 1; lua_getupvalue(L, function, n) != NULL; n++) {
    lua_pop(L, 1);
    FUZZ_CHECK(lua_upvalueid(L, function, n) != NULL);
    lua_pushinteger(L, n);
    FUZZ_CHECK(lua_setupvalue(L, function, n) != NULL);
    lua_upvaluejoin(L, function, n, other, n);
    FUZZ_CHECK(lua_upvalueid(L, function, n) == lua_upvalueid(L, other, n));
  }
}

/* The function at the index, dumped into `out`. */
static void dump(lua_State *L, int function, bool strip, Buffer *out) {
  buffer_init(out, &hearth_libc_allocator);
  lua_pushvalue(L, function);
  FUZZ_CHECK(lua_dump(L, write_dump, out, strip) == 0);
  lua_pop(L, 1);
}

static void dump_twice(lua_State *L, int function, bool strip) {
  hearth_error e;
  Buffer first, second;
  dump(L, function, strip, &first);
  if (hearth_load_chunk(L, first.data, first.size, 0, &e) != HEARTH_OK) fuzz_fail("what Lua dumped: %s", e.message);
  dump(L, lua_gettop(L), strip, &second);
  FUZZ_CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
  buffer_free(&first);
  buffer_free(&second);
  lua_pop(L, 1);
}

/* Stack: a table of globals, the function twice. */
static int use(lua_State *L) {
  inspect(L, 2);
  use_upvalues(L, 2, 3);
  dump_twice(L, 2, false);
  dump_twice(L, 2, true);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static FuzzMemory memory;
  static lua_State *L;
  hearth_error e;
  if (L == NULL) L = fuzz_state(&memory);
  lua_gc(L, LUA_GCCOLLECT);
  lua_newtable(L);
  size_t before = memory.peak = memory.used;
  memory.largest = fuzz_largest(size);
  hearth_status status = hearth_load_chunk(L, data, size, 1, &e);
  if (memory.peak - before > 128 * size + ((size_t)256 << 10))
    fuzz_fail("%zu bytes of memory for a chunk of %zu", memory.peak - before, size);
  FUZZ_CHECK(e.code == status && lua_gettop(L) == 1 + (status == HEARTH_OK));
  FUZZ_CHECK(status == HEARTH_OK || status == HEARTH_DAMAGED || status == HEARTH_LUA);
  FUZZ_CHECK(e.position == HEARTH_NO_POSITION || e.position <= size);
  if (status == HEARTH_OK) {
    FUZZ_CHECK(hearth_load_chunk(L, data, size, 0, &e) == HEARTH_OK);
    lua_pushcfunction(L, use);
    lua_insert(L, 1);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) fuzz_fail("%s", lua_tostring(L, -1));
  }
  lua_settop(L, 0);
  return 0;
}
