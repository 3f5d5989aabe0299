/*
** The normal form of bytecode, prototypes and closures.
*/
#include "chunk_testing.h"

#define CLOSURES 10000

static const char *const chunk_names[] = {"=game", "@scripts/game.lua",
                                          "@a/path/of/more/than/forty/characters/game.lua",
                                          NULL /* the program's text */};
#define CHUNK_NAMES (sizeof chunk_names / sizeof *chunk_names)

/* ------------------------------------------------------------ normal form */

static void test_normal_form_is_stable(void **state) {
  (void)state;
  lua_State *L = new_state();
  for (size_t i = 0; i < PROGRAMS * CHUNK_NAMES * 2; i++) {
    const bool strip = i % 2;
    Buffer first, second;
    load_named(L, programs[i / 2 % PROGRAMS], chunk_names[i / 2 / PROGRAMS]);
    dump(L, -1, strip, NULL, &first);
    instantiate(L, &first, NULL);
    dump(L, -1, false, NULL, &second); /* a stripped function stays one without being stripped again */
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    buffer_free(&first);
    buffer_free(&second);
    lua_settop(L, 0);
  }
  lua_close(L);
}

/* Error messages show a stored function's source as they showed the original's, whatever the text was. */
static void test_source_is_shown_the_same(void **state) {
  (void)state;
  static const char *const texts[] = {"", "x", "a line\nand another", "\n",
                                      "exactly forty-four characters, no more, ok?!",
                                      "exactly forty-five characters, no more, I say",
                                      "forty-six characters are one more than are on",
                                      "a text that is so long that luaO_chunkid cuts it, after forty-five characters"};
  lua_State *L = new_state();
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    lua_Debug before, after;
    Buffer record;
    load_named(L, "return function() end", texts[i]);
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &before);
    dump(L, -1, false, NULL, &record);
    instantiate(L, &record, NULL);
    lua_getinfo(L, ">S", &after);
    assert_string_equal(before.short_src, after.short_src);
    assert_true(after.source[0] == '=');
    assert_true(after.srclen <= 60);
    buffer_free(&record);
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void test_source_with_zero(void **state) {
  (void)state;
  static const char text[] = "--\0\n";
  lua_State *L = new_state();
  lua_getglobal(L, "load");
  lua_pushliteral(L, "return function() end");
  lua_pushlstring(L, text, sizeof text - 1);
  lua_call(L, 2, 1);
  lua_call(L, 0, 1);
  lua_Debug before, after;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &before);
  Buffer record;
  dump(L, -1, false, NULL, &record);
  instantiate(L, &record, NULL);
  lua_getinfo(L, ">S", &after);
  assert_string_equal(before.short_src, after.short_src);
  buffer_free(&record);
  lua_close(L);
}

static void test_info(void **state) {
  (void)state;
  lua_State *L = new_state();
  Buffer record;
  ChunkInfo info;
  load_named(L, "\n\nreturn function(a, b, ...)\nend", "@file.lua");
  dump(L, -1, false, NULL, &record);
  Prototype p = parse(&record);
  chunk_info(&p.header, p.body, p.body_size, &info);
  assert_int_equal(info.source_size, 9);
  assert_memory_equal(info.source, "@file.lua", 9);
  assert_int_equal(info.line, 3);
  assert_int_equal(info.last_line, 4);
  assert_int_equal(info.parameters, 2);
  assert_true(info.vararg);
  buffer_free(&record);
  lua_close(L);
}

/* ---------------------------------------------------------------- closures */

static void test_many_closures_have_cells_of_their_own(void **state) {
  (void)state;
  lua_State *L = new_state();
  Buffer record;
  hearth_error err;
  load(L, programs[2]);
  dump(L, -1, false, NULL, &record);
  Prototype p = parse(&record);
  assert_int_equal(prototype_load(L, &p, NULL, 0, &err), HEARTH_OK);
  buffer_free(&record); /* the maker needs it no more */
  const int maker = lua_gettop(L);
  lua_createtable(L, CLOSURES, 0);
  lua_newtable(L); /* the cells */
  for (int i = 1; i <= CLOSURES; i++) {
    prototype_instantiate(L, maker, 2);
    for (int n = 1; n <= 2; n++) {
      assert_non_null(lua_getupvalue(L, -1, n));
      assert_true(lua_isnil(L, -1));
      lua_pop(L, 1);
      void *id = lua_upvalueid(L, -1, n);
      assert_int_equal(lua_rawgetp(L, maker + 2, id), LUA_TNIL);
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
      lua_rawsetp(L, maker + 2, id);
    }
    lua_pushinteger(L, i);
    assert_string_equal(lua_setupvalue(L, -2, 1), "x");
    lua_rawseti(L, maker + 1, i);
  }
  lua_gc(L, LUA_GCCOLLECT);
  for (int i = 1; i <= CLOSURES; i++) {
    lua_rawgeti(L, maker + 1, i);
    lua_getupvalue(L, -1, 1);
    assert_int_equal(lua_tointeger(L, -1), i);
    lua_pop(L, 2);
  }
  lua_close(L);
}

/* The most upvalues that Lua allows: the last cell has a register to share with the closure. */
static void test_most_upvalues(void **state) {
  (void)state;
  lua_State *L = new_state();
  for (int n = 253; n <= 255; n++) {
    luaL_Buffer b;
    luaL_buffinit(L, &b); /* two functions, since a function has at most 200 local variables */
    for (int i = 1; i <= n; i++) {
      if (i == 129) luaL_addstring(&b, "return (function() ");
      char line[32];
      snprintf(line, sizeof line, "local v%d = %d ", i, i);
      luaL_addstring(&b, line);
    }
    luaL_addstring(&b, "return function() return 0");
    for (int i = 1; i <= n; i++) {
      char term[32];
      snprintf(term, sizeof term, " + v%d", i);
      luaL_addstring(&b, term);
    }
    luaL_addstring(&b, " end end)()");
    luaL_pushresult(&b);
    Buffer record;
    load(L, lua_tostring(L, -1));
    dump(L, -1, false, NULL, &record);
    assert_int_equal(parse(&record).nupvalues, n);
    instantiate(L, &record, NULL);
    for (int i = 1; i <= n; i++) {
      assert_non_null(lua_getupvalue(L, -1, i));
      assert_true(lua_isnil(L, -1));
      lua_pop(L, 1);
      for (int j = 1; j < i; j++) assert_ptr_not_equal(lua_upvalueid(L, -1, i), lua_upvalueid(L, -1, j));
      lua_pushinteger(L, i);
      assert_non_null(lua_setupvalue(L, -2, i));
    }
    lua_call(L, 0, 1);
    assert_int_equal(lua_tointeger(L, -1), n * (n + 1) / 2);
    buffer_free(&record);
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void test_upvalues_can_be_joined(void **state) {
  (void)state;
  lua_State *L = new_state();
  Buffer record;
  load(L, programs[2]);
  dump(L, -1, false, NULL, &record);
  instantiate(L, &record, NULL);
  lua_upvaluejoin(L, 2, 1, 1, 1);
  lua_upvaluejoin(L, 2, 2, 1, 2);
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(L, i);
    lua_pushinteger(L, 5);
    lua_call(L, 1, 1);
    assert_int_equal(lua_tointeger(L, -1), 1 + 5 * i);
    lua_pop(L, 1);
  }
  buffer_free(&record);
  lua_close(L);
}

static void test_cell_maker(void **state) {
  (void)state;
  lua_State *L = luaL_newstate(); /* no libraries */
  hearth_error err;
  assert_int_equal(prototype_push_cell_maker(L, &err), HEARTH_OK);
  prototype_instantiate(L, 1, 1);
  prototype_instantiate(L, 1, 1);
  assert_ptr_not_equal(lua_upvalueid(L, 2, 1), lua_upvalueid(L, 3, 1));
  lua_pushinteger(L, 42);
  assert_non_null(lua_setupvalue(L, 2, 1));
  assert_null(lua_upvalueid(L, 2, 2));
  lua_pushvalue(L, 2);
  lua_call(L, 0, 1);
  assert_int_equal(lua_tointeger(L, -1), 42);
  lua_pushvalue(L, 3);
  lua_call(L, 0, 1);
  assert_true(lua_isnil(L, -1));
  lua_close(L);
}

/* --------------------------------------------------- functions that do not fit */

static void test_unfit(void **state) {
  (void)state;
  static const struct { size_t at; unsigned char value; const char *says; } cases[] = {
      {1, 0x53, "Lua 5.3"}, {1, 0x55, "Lua 5.5"},          {2, 1, "needs"},
      {4, 2, "integers of 2"}, {5, 16, "floats of 16 bytes"},
  };
  lua_State *L = new_state();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Buffer record;
    hearth_error err;
    load_named(L, programs[2], "@game.lua");
    dump(L, -1, false, NULL, &record);
    record.data[cases[i].at] = cases[i].value;
    Prototype p = parse(&record);
    assert_false(prototype_fits(&p));
    assert_int_equal(prototype_load(L, &p, NULL, 100, &err), HEARTH_LUA);
    if (cases[i].at != 5) assert_non_null(strstr(err.message, cases[i].says));
    lua_pushlstring(L, (const char *)record.data, record.size);
    prototype_push_placeholder(L, lua_gettop(L));
    lua_remove(L, -2);
    size_t size = 0;
    const char *kept = prototype_placeholder_record(L, -1, &size);
    assert_non_null(kept);
    assert_int_equal(size, record.size);
    assert_memory_equal(kept, record.data, size);
    assert_non_null(lua_getupvalue(L, -1, 2));
    assert_true(lua_istable(L, -1));
    lua_pop(L, 1);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
    assert_non_null(strstr(lua_tostring(L, -1), "cannot be called"));
    buffer_free(&record);
    lua_settop(L, 0);
  }
  lua_getglobal(L, "print");
  assert_null(prototype_placeholder_record(L, -1, NULL));
  lua_pushinteger(L, 1);
  assert_null(prototype_placeholder_record(L, -1, NULL));
  lua_close(L);
}

/* A function of a machine with the other byte order is checked and named, but not loaded. */
static void test_other_byte_order(void **state) {
  (void)state;
  lua_State *L = new_state();
  Buffer record;
  hearth_error err;
  load_named(L, programs[0], "@game.lua");
  dump(L, -1, false, NULL, &record);
  record.data[0] ^= PROTOTYPE_LITTLE_ENDIAN;
  Prototype p = parse(&record);
  assert_int_equal(prototype_load(L, &p, NULL, 0, &err), HEARTH_LUA);
  assert_non_null(strstr(err.message, "game.lua:1"));
  assert_non_null(strstr(err.message, "endian"));
  buffer_free(&record);
  lua_close(L);
}

/* ------------------------------------------------------------------ memory */

typedef struct Memory {
  long left;     /* allocations until one fails; negative: none fails */
  size_t in_use; /* bytes */
} Memory;

static void *counting_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Memory *m = ud;
  if (ptr == NULL) osize = 0; /* Lua passes a type there */
  if (nsize == 0) {
    m->in_use -= osize;
    free(ptr);
    return NULL;
  }
  if (nsize > osize && m->left >= 0 && m->left-- == 0) {
    m->left = 0; /* and every later one */
    return NULL;
  }
  void *result = realloc(ptr, nsize);
  assert_non_null(result);
  m->in_use += nsize - osize;
  return result;
}

/* What a codec does, in one protected call. The buffer's memory fails as well. */
static int use_prototypes(lua_State *L) {
  hearth_error err;
  Memory *memory = lua_touserdata(L, 2);
  Buffer record;
  buffer_init(&record, &(hearth_allocator){counting_alloc, memory});
  hearth_status status = prototype_dump(L, 1, false, NULL, &record, NULL);
  Prototype p;
  ChunkFault fault;
  if (status == HEARTH_OK && prototype_parse(record.data, record.size, &p, &fault))
    status = prototype_load(L, &p, NULL, 0, &err);
  buffer_free(&record);
  if (status == HEARTH_OK) {
    prototype_instantiate(L, -1, p.nupvalues);
    status = prototype_push_cell_maker(L, &err);
  }
  if (status == HEARTH_OK) {
    prototype_instantiate(L, -1, 1);
    lua_pushliteral(L, "record");
    prototype_push_placeholder(L, lua_gettop(L));
  }
  lua_pushinteger(L, status);
  return 1;
}

static void test_failing_memory(void **state) {
  (void)state;
  Memory memory = {-1, 0};
  lua_State *L = lua_newstate(counting_alloc, &memory);
  assert_non_null(L);
  load(L, programs[3]);
  lua_gc(L, LUA_GCSTOP);
  long failures = 0;
  for (long n = 0;; n++) {
    lua_settop(L, 1);
    lua_gc(L, LUA_GCCOLLECT);
    lua_pushcfunction(L, use_prototypes);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, &memory);
    memory.left = n;
    const int result = lua_pcall(L, 2, 1, 0);
    memory.left = -1;
    if (result == LUA_OK && lua_tointeger(L, -1) == HEARTH_OK) break;
    assert_true(result == LUA_ERRMEM || (result == LUA_OK && lua_tointeger(L, -1) == HEARTH_NOMEM));
    failures++;
  }
  assert_true(failures > 10);
  lua_close(L);
  assert_int_equal(memory.in_use, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normal_form_is_stable),
      cmocka_unit_test(test_source_is_shown_the_same),
      cmocka_unit_test(test_source_with_zero),
      cmocka_unit_test(test_info),
      cmocka_unit_test(test_many_closures_have_cells_of_their_own),
      cmocka_unit_test(test_most_upvalues),
      cmocka_unit_test(test_upvalues_can_be_joined),
      cmocka_unit_test(test_cell_maker),
      cmocka_unit_test(test_unfit),
      cmocka_unit_test(test_other_byte_order),
      cmocka_unit_test(test_failing_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
