/*
** The gate before lua_load: what is damaged in a body of bytecode is found, and what passes is safe to load.
*/
#include "chunk_testing.h"

#define HOSTILE_NESTING 300000

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_flipped),
      cmocka_unit_test(test_hostile_nesting),
      cmocka_unit_test(test_every_defect_is_refused),
      cmocka_unit_test(test_a_nested_function_has_too_many_upvalues),
      cmocka_unit_test(test_missing_absolute_lines),
      cmocka_unit_test(test_deepest_source),
      cmocka_unit_test(test_long_function),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
