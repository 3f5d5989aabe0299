/*
** The gate before lua_load, the normal form of bytecode, prototypes and closures.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "prototype.h"

#define CLOSURES 10000
#define HOSTILE_NESTING 300000

/* Chunks that return one function each. */
static const char *const programs[] = {
    "return function() end",
    "return function(a, b, ...) local c <const> = 1.5; local d = a .. 'text'; return c, d, ..., 7, 2^53 | 0 end",
    "local x, y = 1, {}; return function(n) x = x + n; y[n] = x; return x, y end",
    "local a, b = 1, 2; return function() local c = a; return function() c = c + b; "
    "return function() return a, b, c, _ENV, print end end end",
    "local t <close> = nil; return function(t) for k, v in pairs(t) do goto next; ::next:: end "
    "return 'a constant string that is longer than forty characters, so a long one' end",
    "return function(x)\n\n\n\n local y = x\n" /* line jumps that need absolute information */
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
    "return y end",
};
#define PROGRAMS (sizeof programs / sizeof *programs)

static const char *const chunk_names[] = {"=game", "@scripts/game.lua",
                                          "@a/path/of/more/than/forty/characters/game.lua",
                                          NULL /* the program's text */};
#define CHUNK_NAMES (sizeof chunk_names / sizeof *chunk_names)

static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  return L;
}

static void load_named(lua_State *L, const char *program, const char *name) {
  if (luaL_loadbuffer(L, program, strlen(program), name != NULL ? name : program) != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  lua_call(L, 0, 1);
}

static void load(lua_State *L, const char *program) {
  load_named(L, program, "=test");
}

static void dump(lua_State *L, int index, bool strip, const hearth_seal *seal, Buffer *out) {
  const char *why = "";
  buffer_init(out, &hearth_libc_allocator);
  if (prototype_dump(L, index, strip, seal, out, &why) != HEARTH_OK) fail_msg("%s", why);
}

static Prototype parse(const Buffer *record) {
  Prototype p;
  ChunkFault fault = {0, ""};
  if (!prototype_parse(record->data, record->size, &p, &fault)) fail_msg("%s", fault.why);
  return p;
}

/* Pushes a new closure of the record. */
static void instantiate(lua_State *L, const Buffer *record, const hearth_seal *seal) {
  const Prototype p = parse(record);
  hearth_error err;
  if (prototype_load(L, &p, seal, 0, &err) != HEARTH_OK) fail_msg("%s", err.message);
  prototype_instantiate(L, -1, p.nupvalues);
  lua_remove(L, -2);
}

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

/* ------------------------------------------------------------ damaged input */

/* Everything that the codec may do to a function whose body passed the gate. */
static void exercise(lua_State *L, const Prototype *p) {
  hearth_error err;
  const int top = lua_gettop(L);
  const hearth_status status = prototype_load(L, p, NULL, 0, &err);
  if (status != HEARTH_OK) {
    assert_true(status == HEARTH_DAMAGED || status == HEARTH_LUA);
    assert_true(err.message[0] != '\0');
    assert_int_equal(lua_gettop(L), top);
    return;
  }
  prototype_instantiate(L, -1, p->nupvalues);
  prototype_instantiate(L, -2, p->nupvalues);
  const int function = lua_gettop(L);
  for (int i = 1; i <= (int)p->nupvalues; i++) {
    assert_non_null(lua_getupvalue(L, function, i));
    assert_non_null(lua_setupvalue(L, function, i));
    assert_non_null(lua_upvalueid(L, function, i));
    lua_upvaluejoin(L, function, i, function - 1, i);
  }
  assert_null(lua_getupvalue(L, function, (int)p->nupvalues + 1));
  for (int i = 1; lua_pushvalue(L, function), lua_getlocal(L, NULL, i) != NULL; i++) continue;
  lua_Debug info;
  lua_pushvalue(L, function);
  lua_getinfo(L, ">Su", &info);
  if (!info.isvararg) { /* Lua 5.4.4 crashes on the lines of any stripped vararg function */
    lua_pushvalue(L, function);
    lua_getinfo(L, ">L", &info);
  }
  Buffer again;
  buffer_init(&again, &hearth_libc_allocator);
  assert_int_equal(prototype_dump(L, function, false, NULL, &again, NULL), HEARTH_OK);
  buffer_free(&again);
  lua_settop(L, top);
}

static void exercise_bytes(lua_State *L, const unsigned char *bytes, size_t size) {
  unsigned char *copy = malloc(size > 0 ? size : 1); /* of the exact size, so that a sanitizer sees an overrun */
  Prototype p;
  ChunkFault fault = {0, NULL};
  assert_non_null(copy);
  memcpy(copy, bytes, size);
  if (prototype_parse(copy, size, &p, &fault)) {
    exercise(L, &p);
  } else {
    assert_non_null(fault.why);
    assert_true(fault.position <= size);
  }
  free(copy);
}

static void test_truncated(void **state) {
  (void)state;
  lua_State *L = new_state();
  for (size_t i = 0; i < PROGRAMS * 2; i++) {
    Buffer record;
    load(L, programs[i / 2]);
    dump(L, -1, i % 2, NULL, &record);
    const Prototype whole = parse(&record);
    for (size_t size = 0; size < record.size; size++) exercise_bytes(L, record.data, size);
    for (size_t size = 0; size < whole.body_size; size++) { /* the body alone: the gate itself */
      ChunkFault fault = {0, NULL};
      unsigned char *copy = malloc(size > 0 ? size : 1);
      assert_non_null(copy);
      memcpy(copy, whole.body, size);
      assert_false(chunk_check(&whole.header, copy, size, whole.nupvalues, &fault));
      assert_non_null(fault.why);
      assert_true(fault.position <= size);
      free(copy);
    }
    buffer_free(&record);
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void test_flipped(void **state) {
  (void)state;
  static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x7f, 0x81};
  lua_State *L = new_state();
  for (size_t i = 0; i < PROGRAMS * 2; i++) {
    Buffer record;
    load(L, programs[i / 2]);
    dump(L, -1, i % 2, NULL, &record);
    for (size_t at = 0; at < record.size; at++)
      for (size_t flip = 0; flip < sizeof flips; flip++) {
        record.data[at] ^= flips[flip];
        exercise_bytes(L, record.data, record.size);
        record.data[at] ^= flips[flip];
      }
    buffer_free(&record);
    lua_settop(L, 0);
  }
  lua_close(L);
}

static ChunkHeader own_header(lua_State *L) {
  Buffer record;
  load(L, programs[0]);
  dump(L, -1, true, NULL, &record);
  const ChunkHeader header = parse(&record).header;
  buffer_free(&record);
  lua_pop(L, 1);
  return header;
}

/*
** The head of a function with one nested function, and one instruction: source, lines, registers, code, no constants.
*/
static void put_nest(Buffer *b, unsigned char functions) {
  static const unsigned char head[] = {0x80, 0x80, 0x80, 0, 0, 2, 0x81, 0, 0, 0, 0, 0x80, 0x80};
  buffer_put(b, head, sizeof head);
  buffer_byte(b, functions);
}

static bool check_nesting(const ChunkHeader *header, size_t depth, ChunkFault *fault) {
  static const unsigned char debug[] = {0x80, 0x80, 0x80, 0x80};
  Buffer body;
  buffer_init(&body, &hearth_libc_allocator);
  for (size_t i = 1; i < depth; i++) put_nest(&body, 0x81);
  put_nest(&body, 0x80);
  for (size_t i = 0; i < depth; i++) buffer_put(&body, debug, sizeof debug);
  assert_false(body.failed);
  const bool accepted = chunk_check(header, body.data, body.size, 0, fault);
  buffer_free(&body);
  return accepted;
}

static void test_hostile_nesting(void **state) {
  (void)state;
  lua_State *L = new_state();
  const ChunkHeader header = own_header(L);
  ChunkFault fault = {0, ""};
  if (!check_nesting(&header, CHUNK_MAX_NESTING, &fault)) fail_msg("%s", fault.why);
  assert_false(check_nesting(&header, CHUNK_MAX_NESTING + 1, &fault));
  assert_string_equal(fault.why, "functions are nested too deep");
  assert_false(check_nesting(&header, HOSTILE_NESTING, &fault));
  assert_string_equal(fault.why, "functions are nested too deep");
  lua_close(L);
}

/*
** A body by hand, a little-endian one with 8-byte numbers: "=x" with one upvalue, one nested
** function, all of its lists in use.
*/
static const ChunkHeader hand_header = {0x54, 0, 4, 8, 8, true};
static const unsigned char hand_made[] = {
    /*  0 */ 0x83, '=', 'x', 0x81, 0x82, 1, 0, 2,    /* source, lines, parameters, vararg, registers */
    /*  8 */ 0x81, 0, 0, 0, 0,                       /* code */
    /* 13 */ 0x82, 0x04, 0x82, 'a',                  /* constants: "a" */
    /* 17 */ 0x03, 7, 0, 0, 0, 0, 0, 0, 0,           /* and 7 */
    /* 26 */ 0x81, 1, 0, 0,                          /* upvalues */
    /* 30 */ 0x81,                                   /* nested functions */
    /* 31 */ 0x80, 0x81, 0x82, 0, 0, 2,              /* the nested one */
    /* 37 */ 0x81, 0, 0, 0, 0, 0x80,                 /* code, no constants */
    /* 43 */ 0x81, 1, 1, 0, 0x80,                    /* one upvalue, register 1; nothing nested */
    /* 48 */ 0x80, 0x80, 0x80, 0x80,                 /* no debug information */
    /* 52 */ 0x81, 5, 0x81, 0x80, 0x81,              /* lines, absolute lines */
    /* 57 */ 0x81, 0x82, 'n', 0x80, 0x81,            /* locals */
    /* 62 */ 0x81, 0x82, 'u',                        /* upvalues' names */
};

typedef struct Defect {
  size_t at, removed, inserted;
  unsigned char bytes[8];
  const char *why;
} Defect;

static const Defect defects[] = {
    {0, 1, 1, {0x00}, "a number in the bytecode has an impossible form"},
    {1, 1, 1, {'x'}, "a function's source is not in the stored form"},
    {0, 3, 1, {0x81}, "a function's source is not in the stored form"},
    {3, 1, 5, {0x08, 0, 0, 0, 0x80}, "a number in the bytecode exceeds an int"},
    {3, 1, 5, {0x07, 0x7f, 0x7f, 0x7f, 0x80}, "a number in the bytecode exceeds an int"},
    {3, 0, 1, {0x00}, "a number in the bytecode has an impossible form"},
    {5, 1, 1, {3}, "a function's parameters exceed its registers"},
    {6, 1, 1, {2}, "a function's parameters exceed its registers"},
    {5, 3, 3, {0, 0, 0}, "a function's parameters exceed its registers"},
    {8, 5, 1, {0x80}, "a function without code"},
    {8, 1, 1, {0x8f}, "a count in the bytecode exceeds the bytes that remain"},
    {13, 1, 1, {0xff}, "a count in the bytecode exceeds the bytes that remain"},
    {14, 1, 1, {0x05}, "a constant has an unknown type"},
    {15, 2, 1, {0x80}, "a constant string is absent"},
    {15, 1, 1, {0xff}, "a length exceeds the bytes that remain"},
    {15, 1, 8, {1, 1, 1, 1, 1, 1, 1, 0x81}, "a length exceeds the bytes that remain"},
    {15, 1, 8, {1, 1, 1, 1, 1, 1, 1, 1}, "a number in the bytecode has an impossible form"}, /* and it goes on */
    {26, 4, 1, {0x80}, "a function's upvalues are counted twice, differently"},
    {26, 1, 7, {0x82, 1, 0, 0, 1, 1, 0}, "a function's upvalues are counted twice, differently"},
    {27, 1, 1, {0}, "a function's upvalues are not in the stored form"},
    {28, 1, 1, {1}, "a function's upvalues are not in the stored form"},
    {29, 1, 1, {1}, "a function's upvalues are not in the stored form"},
    {30, 1, 1, {0x83}, "a count in the bytecode exceeds the bytes that remain"},
    {31, 1, 3, {0x83, '=', 'x'}, "a function's source is not in the stored form"},
    {31, 1, 2, {0x82, 'x'}, "a function's source is not in the stored form"},
    {44, 1, 1, {2}, "a nested function's upvalue is out of bounds"},
    {44, 1, 1, {0}, "a nested function's upvalue is out of bounds"},
    {45, 1, 1, {2}, "a nested function's upvalue is out of bounds"},
    {46, 1, 1, {4}, "a nested function's upvalue is out of bounds"},
    {51, 1, 2, {0x81, 0x80}, "a function's upvalues are not in the stored form"},
    {52, 1, 1, {0x82}, "line information and code differ in size"},
    {52, 2, 1, {0x80}, "absolute line information is missing"},
    {55, 1, 1, {0x81}, "line information is out of bounds"},
    {54, 3, 5, {0x82, 0x80, 0x80, 0x80, 0x80}, "line information is out of bounds"},
    {58, 2, 1, {0x80}, "a local variable without a name"},
    {62, 1, 1, {0x82}, "upvalues and their names differ in number"},
    {63, 2, 1, {0x80}, "a function's upvalues are not in the stored form"},
    {65, 0, 1, {0}, "bytes follow the function"},
};

static void test_every_defect_is_refused(void **state) {
  (void)state;
  ChunkFault fault = {0, ""};
  if (!chunk_check(&hand_header, hand_made, sizeof hand_made, 1, &fault)) fail_msg("%s", fault.why);
  for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
    const Defect *d = &defects[i];
    Buffer body;
    buffer_init(&body, &hearth_libc_allocator);
    buffer_put(&body, hand_made, d->at);
    buffer_put(&body, d->bytes, d->inserted);
    buffer_put(&body, hand_made + d->at + d->removed, sizeof hand_made - d->at - d->removed);
    assert_false(body.failed);
    if (chunk_check(&hand_header, body.data, body.size, 1, &fault)) fail_msg("defect %zu is accepted", i);
    if (strcmp(fault.why, d->why) != 0) fail_msg("defect %zu: %s", i, fault.why);
    assert_true(fault.position <= body.size);
    buffer_free(&body);
  }
}

/* Their number is a byte: 256 would be 0. */
static void test_a_nested_function_has_too_many_upvalues(void **state) {
  (void)state;
  for (unsigned n = CHUNK_MAX_UPVALUES; n <= CHUNK_MAX_UPVALUES + 1; n++) {
    const unsigned char count[] = {(unsigned char)(n >> 7), (unsigned char)(0x80 | (n & 0x7f))};
    const unsigned char upvalue[] = {1, 1, 0};
    ChunkFault fault = {0, ""};
    Buffer body;
    buffer_init(&body, &hearth_libc_allocator);
    buffer_put(&body, hand_made, 43);
    buffer_put(&body, count, sizeof count);
    for (unsigned i = 0; i < n; i++) buffer_put(&body, upvalue, sizeof upvalue);
    buffer_put(&body, hand_made + 47, sizeof hand_made - 47);
    assert_false(body.failed);
    assert_int_equal(chunk_check(&hand_header, body.data, body.size, 1, &fault), n == CHUNK_MAX_UPVALUES);
    if (n > CHUNK_MAX_UPVALUES) assert_string_equal(fault.why, "a function has too many upvalues");
    buffer_free(&body);
  }
}

/* Lua looks for absolute line information from where the compiler must have written some. */
static void test_missing_absolute_lines(void **state) {
  (void)state;
  for (unsigned absolute = 0; absolute <= 3; absolute++) {
    ChunkFault fault = {0, ""};
    Buffer body;
    buffer_init(&body, &hearth_libc_allocator);
    buffer_put(&body, "\x80\x80\x80\x00\x00\x02\x02\xac", 8); /* 300 instructions */
    for (int i = 0; i < 300 * 4; i++) buffer_byte(&body, 0);
    buffer_put(&body, "\x80\x80\x80\x02\xac", 5);
    for (int i = 0; i < 300; i++) buffer_byte(&body, 0);
    buffer_byte(&body, (unsigned char)(0x80 | absolute));
    for (unsigned i = 0; i < absolute; i++) {
      buffer_byte(&body, (unsigned char)(0x80 | (i + 1)));
      buffer_byte(&body, 0x81);
    }
    buffer_put(&body, "\x80\x80", 2);
    assert_false(body.failed);
    const bool accepted = chunk_check(&hand_header, body.data, body.size, 0, &fault);
    if (accepted != (absolute == 0 || absolute >= 2)) fail_msg("%u: %s", absolute, fault.why);
    buffer_free(&body);
  }
}

/* Every function that the compiler accepts can be stored. */
static void test_deepest_source(void **state) {
  (void)state;
  lua_State *L = new_state();
  size_t compiled = 0;
  for (int depth = 1; depth <= 250; depth++) {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i < depth; i++) luaL_addstring(&b, "function f() ");
    for (int i = 0; i < depth; i++) luaL_addstring(&b, "end ");
    luaL_pushresult(&b);
    if (luaL_loadstring(L, lua_tostring(L, -1)) == LUA_OK) {
      Buffer record;
      dump(L, -1, false, NULL, &record);
      instantiate(L, &record, NULL);
      buffer_free(&record);
      compiled++;
    }
    lua_settop(L, 0);
  }
  assert_true(compiled > 100);
  lua_close(L);
}

static void test_long_function(void **state) {
  (void)state;
  lua_State *L = new_state();
  for (int lines = 100; lines <= 1000; lines += 9) { /* over and around the distance of absolute line information */
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "return function(a, b)\n");
    for (int i = 0; i < lines; i++) luaL_addstring(&b, i % 7 ? "a = b " : "a = b\n");
    luaL_addstring(&b, "\nerror 'here' end");
    luaL_pushresult(&b);
    Buffer record;
    load(L, lua_tostring(L, -1));
    dump(L, -1, false, NULL, &record);
    instantiate(L, &record, NULL);
    lua_pushglobaltable(L);
    lua_setupvalue(L, -2, 1);
    for (int i = 2; i <= 3; i++) { /* the original and the copy name the same line */
      lua_pushvalue(L, i);
      assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
    }
    assert_string_equal(lua_tostring(L, -1), lua_tostring(L, -2));
    buffer_free(&record);
    lua_settop(L, 0);
  }
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

/* -------------------------------------------------------------------- seal */

static int sum_hash(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  const unsigned char *p = bytes;
  memset(out, *(unsigned char *)ud, HEARTH_SEAL_SIZE);
  for (size_t i = 0; i < size; i++) {
    unsigned char *o = &out[i % HEARTH_SEAL_SIZE];
    *o = (unsigned char)(*o * 31u + p[i] + i);
  }
  return 0;
}

static int failing_hash(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  (void)ud, (void)bytes, (void)size;
  memset(out, 0, HEARTH_SEAL_SIZE);
  return 1;
}

static void check_seal(const hearth_seal *seal, const hearth_seal *other) {
  lua_State *L = new_state();
  Buffer sealed, plain;
  hearth_error err;
  load(L, programs[3]);
  dump(L, -1, false, seal, &sealed);
  dump(L, -1, false, NULL, &plain);
  assert_int_equal(sealed.size, plain.size + HEARTH_SEAL_SIZE);
  instantiate(L, &sealed, seal);
  instantiate(L, &sealed, NULL); /* nobody asks for it */
  Prototype p = parse(&sealed);
  assert_int_equal(prototype_load(L, &p, other, 0, &err), HEARTH_SEAL);
  p = parse(&plain);
  assert_int_equal(prototype_load(L, &p, seal, 0, &err), HEARTH_SEAL);
  for (size_t i = 0; i < sealed.size; i++) {
    ChunkFault fault;
    sealed.data[i] ^= 0x10;
    if (prototype_parse(sealed.data, sealed.size, &p, &fault))
      assert_int_equal(prototype_load(L, &p, seal, 0, &err), HEARTH_SEAL);
    sealed.data[i] ^= 0x10;
  }
  buffer_free(&sealed);
  buffer_free(&plain);
  lua_close(L);
}

static void test_seal(void **state) {
  (void)state;
  unsigned char key = 1, other_key = 2;
  const hearth_seal seal = {sum_hash, &key}, other = {sum_hash, &other_key};
  check_seal(&seal, &other);
}

static void test_failing_seal(void **state) {
  (void)state;
  const hearth_seal failing = {failing_hash, NULL};
  lua_State *L = new_state();
  Buffer record;
  hearth_error err;
  const char *why = NULL;
  load(L, programs[3]);
  buffer_init(&record, &hearth_libc_allocator);
  assert_int_equal(prototype_dump(L, -1, false, &failing, &record, &why), HEARTH_SEAL);
  assert_non_null(strstr(why, "failed"));
  assert_int_equal(record.size, 0);
  unsigned char key = 1;
  const hearth_seal seal = {sum_hash, &key};
  assert_int_equal(prototype_dump(L, -1, false, &seal, &record, &why), HEARTH_OK);
  Prototype p = parse(&record);
  assert_int_equal(prototype_load(L, &p, &failing, 0, &err), HEARTH_SEAL);
  assert_non_null(strstr(err.message, "failed"));
  buffer_free(&record);
  lua_close(L);
}

static void test_sodium_seal(void **state) {
  (void)state;
  static const unsigned char key[32] = {1, 2, 3}, other_key[32] = {1, 2, 4};
  hearth_seal seal, other;
  const hearth_status status = hearth_sodium_seal(key, &seal);
  if (status == HEARTH_UNSUPPORTED) skip(); /* built without libsodium */
  assert_int_equal(status, HEARTH_OK);
  assert_int_equal(hearth_sodium_seal(other_key, &other), HEARTH_OK);
  check_seal(&seal, &other);
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
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_flipped),
      cmocka_unit_test(test_hostile_nesting),
      cmocka_unit_test(test_every_defect_is_refused),
      cmocka_unit_test(test_a_nested_function_has_too_many_upvalues),
      cmocka_unit_test(test_missing_absolute_lines),
      cmocka_unit_test(test_deepest_source),
      cmocka_unit_test(test_long_function),
      cmocka_unit_test(test_unfit),
      cmocka_unit_test(test_other_byte_order),
      cmocka_unit_test(test_seal),
      cmocka_unit_test(test_failing_seal),
      cmocka_unit_test(test_sodium_seal),
      cmocka_unit_test(test_failing_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
