/*
** Memory that fails at every single request, what hostile blobs may make a
** decoder allocate, and the state of the collector afterwards.
*/
#include "decoder.h"
#include "sample.h"

/* ------------------------------------------------------ failing requests */

static int protected_sample(lua_State *L) {
  push_sample(L, (int)lua_tointeger(L, 1));
  return 1;
}

static void check_usable(lua_State *L, Memory *m) {
  m->fail_at = SIZE_MAX;
  m->fail_on = false;
  assert_int_equal(lua_gc(L, LUA_GCISRUNNING), 1);
  run(L, "local t = {} for i = 1, 100 do t[i] = {i} end eq(#rt(t), 100) eq(dec(enc(print)), print)");
  lua_gc(L, LUA_GCCOLLECT);
}

/* Fails request 0, 1, 2, ... (and, with `on`, all after it) until `call` succeeds; leaves its result. */
static void with_failures(bool on, int what, hearth_status (*call)(lua_State *L, hearth_error *e)) {
  Memory m;
  lua_State *L = state_new(&m);
  lua_pushcfunction(L, protected_sample);
  lua_pushinteger(L, what);
  assert_int_equal(lua_pcall(L, 1, 1, 0), LUA_OK);
  lua_pushvalue(L, -1);
  encode_top(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  assert_int_equal(lua_gettop(L), 2); /* sample, blob */
  size_t failures = 0, step = rounds(40) < 40 ? 31 : 1;
  for (size_t n = 0;; n += step) {
    hearth_error e;
    m.fail_at = m.requests + n;
    m.fail_on = on;
    hearth_status status = call(L, &e);
    bool reached = m.requests > m.fail_at;
    check_usable(L, &m);
    if (status != HEARTH_OK) {
      if (status != HEARTH_NOMEM) fail_msg("request %zu: %s", n, e.message);
      assert_int_equal(e.code, HEARTH_NOMEM);
      assert_int_equal(lua_gettop(L), 2);
      failures++;
      continue;
    }
    assert_int_equal(lua_gettop(L), 3);
    if (lua_type(L, 3) == LUA_TSTRING) { /* also when a failed request made Lua collect in the middle */
      assert_true(lua_rawequal(L, 2, 3));
    } else {
      encode_top(L, 0);
      assert_int_equal(lua_type(L, 3), LUA_TSTRING);
    }
    lua_settop(L, 2);
    if (!reached) break;
  }
  /* Lua asks again after a collection when one request failed: a step over many may meet no other kind. */
  assert_true(failures > 0 || (!on && step > 1));
  lua_settop(L, 0);
  state_close(L, &m);
}

static hearth_status encode_sample(lua_State *L, hearth_error *e) {
  return hearth_encode(L, 1, NULL, e);
}

static hearth_status decode_sample(lua_State *L, hearth_error *e) {
  size_t size;
  const char *bytes = lua_tolstring(L, 2, &size);
  hearth_codec_options o = options_of(HEARTH_TRUSTED);
  return hearth_decode(L, bytes, size, &o, e);
}

static hearth_status encode_canonically(lua_State *L, hearth_error *e) {
  hearth_codec_options o = options_of(HEARTH_CANONICAL);
  hearth_status status = hearth_encode(L, 1, &o, e);
  if (status != HEARTH_OK) return status;
  lua_pop(L, 1); /* its bytes are others: what is compared is that they decode */
  lua_pushvalue(L, 2);
  return HEARTH_OK;
}

#define EVERYTHING (SAMPLE_CODE | SAMPLE_SPECIAL)

static void test_encode_without_memory(void **state) {
  (void)state;
  with_failures(true, EVERYTHING, encode_sample);
}

static void test_encode_with_one_failure(void **state) {
  (void)state;
  with_failures(false, EVERYTHING, encode_sample);
}

static void test_canonical_without_memory(void **state) {
  (void)state;
  with_failures(true, 0, encode_canonically);
}

static void test_decode_without_memory(void **state) {
  (void)state;
  with_failures(true, EVERYTHING, decode_sample);
}

static void test_decode_with_one_failure(void **state) {
  (void)state;
  with_failures(false, EVERYTHING, decode_sample);
}

/* The very first use in a state: the permanents are made then. */
static void test_first_use_without_memory(void **state) {
  (void)state;
  for (size_t n = 0;; n++) {
    Memory m;
    memory_init(&m);
    lua_State *L = lua_newstate(memory_alloc, &m);
    assert_non_null(L);
    luaL_openlibs(L);
    lua_newtable(L);
    hearth_error e;
    m.fail_at = m.requests + n;
    m.fail_on = true;
    hearth_status status = hearth_encode(L, 1, NULL, &e);
    m.fail_at = SIZE_MAX;
    m.fail_on = false;
    if (status != HEARTH_OK) {
      assert_int_equal(status, HEARTH_NOMEM);
      assert_int_equal(hearth_encode(L, 1, NULL, &e), HEARTH_OK);
    }
    lua_close(L);
    assert_int_equal(m.used, 0);
    if (status == HEARTH_OK) break;
  }
}

/* ---------------------------------------------------------- the collector */

static void test_collector_keeps_its_state(void **state) {
  (void)state;
  static const char *const values[] = {"return {1, {2}}", "return {coroutine.create(print)}",
                                       "return setmetatable({}, {__persist = function() error 'no' end})"};
  for (int stopped = 0; stopped < 2; stopped++) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      Memory m;
      hearth_error e;
      lua_State *L = state_new(&m);
      assert_int_equal(luaL_dostring(L, values[i]), LUA_OK);
      if (stopped) lua_gc(L, LUA_GCSTOP);
      hearth_status status = hearth_encode(L, 1, NULL, &e);
      assert_int_equal(status == HEARTH_OK, i == 0);
      assert_int_equal(lua_gc(L, LUA_GCISRUNNING), !stopped);
      if (status == HEARTH_OK) {
        size_t size;
        const char *bytes = lua_tolstring(L, -1, &size);
        assert_int_equal(hearth_decode(L, bytes, size, NULL, &e), HEARTH_OK);
        assert_int_equal(lua_gc(L, LUA_GCISRUNNING), !stopped);
        assert_int_equal(hearth_decode(L, bytes, size - 1, NULL, &e), HEARTH_DAMAGED);
        assert_int_equal(lua_gc(L, LUA_GCISRUNNING), !stopped);
      }
      lua_settop(L, 0);
      state_close(L, &m);
    }
  }
}

/* ---------------------------------------------------------- amplification */

/* What hearth_decode promises: peak memory in bytes for each byte of the input, beyond a constant. */
#define AMPLIFICATION 160
#define AMPLIFICATION_WITH_STAND_INS 1024
#define CONSTANT (256u << 10)
#define OBJECTS (((size_t)1 << 20) / sizeof(Part) + 1) /* what is remembered of them needs just over a power of two */

/*
** A blob of OBJECTS times one head, told once if it repeats, and one body (it may be empty), with a
** shape and a prototype.
*/
static void put_repeated(Buffer *out, lua_State *L, const void *head, size_t head_size, const void *body,
                         size_t body_size, size_t shape_keys, const char *function, bool repeats) {
  Buffer shape, prototype, heads, bodies;
  buffer_init(&shape, &hearth_libc_allocator);
  buffer_init(&prototype, &hearth_libc_allocator);
  buffer_init(&heads, &hearth_libc_allocator);
  buffer_init(&bodies, &hearth_libc_allocator);
  if (shape_keys > 0) varint_put(&shape, shape_keys);
  for (size_t i = 0; i < shape_keys; i++) {
    char key[2] = {(char)('a' + i / 10), (char)('a' + i % 10)};
    value_put_string(&shape, key, 2);
  }
  if (function != NULL) { /* taken from a blob that has just it */
    size_t size, begin, end;
    if (luaL_dostring(L, function)) fail_msg("%s", lua_tostring(L, -1));
    encode_top(L, HEARTH_STRIP);
    const char *blob = lua_tolstring(L, -1, &size);
    prototypes_of(blob, size, &begin, &end);
    buffer_put(&prototype, blob + begin, end - begin);
    lua_pop(L, 1);
  }
  value_put_tag(&bodies, TAG_NIL); /* the root */
  for (size_t i = 0; i < OBJECTS; i++) {
    if (!repeats || i == 0) buffer_put(&heads, head, head_size);
    buffer_put(&bodies, body, body_size);
  }
  if (repeats) {
    buffer_byte(&heads, OBJECT_REPEAT);
    varint_put(&heads, OBJECTS - 1);
  }
  BlobHeader h = {FORMAT_VERSION, FORMAT_READABLE_BY, 0, 0x54, 0x88, shape_keys > 0, function != NULL, OBJECTS,
                  heads.size};
  blob_header_put(out, &h);
  buffer_put(out, shape.data, shape.size);
  buffer_put(out, prototype.data, prototype.size);
  buffer_put(out, heads.data, heads.size);
  buffer_put(out, bodies.data, bodies.size);
  assert_false(out->failed);
  buffer_free(&shape);
  buffer_free(&prototype);
  buffer_free(&heads);
  buffer_free(&bodies);
}

#define MANY_UPVALUES                                                                                                  \
  "local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x "                                     \
  "return function() return a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x end"

static const struct {
  const char *what, *head, *body;
  size_t head_size, body_size, shape_keys;
  const char *function;
  unsigned flags;
  hearth_status status;
  size_t factor;
  bool repeats;
} greedy[] = {
    {"empty tables", "\x01", "", 1, 0, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"empty weak tables", "\x06", "\x01", 1, 1, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"array of one", "\x11\x01", "\x01", 2, 1, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"array without values", "\x11\x20", "", 2, 0, 0, NULL, 0, HEARTH_DAMAGED, AMPLIFICATION, false},
    {"pairs", "\x41\x01", "\x01\x01", 2, 2, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"pairs, just over a power of two", "\x41\x05", "\1\1\2\2\3\3\4\4\5\5", 2, 10, 0, NULL, 0, HEARTH_OK, AMPLIFICATION,
     false},
    {"negative keys in pairs", "\x41\x03", "\xd8\1\1\xd8\2\1\xd8\3\1", 2, 9, 0, NULL, 0, HEARTH_OK, AMPLIFICATION,
     false},
    {"pairs without values", "\x41\x7f", "", 2, 0, 0, NULL, 0, HEARTH_DAMAGED, AMPLIFICATION, false},
    {"shape of one", "\x21\x00", "\x01", 2, 1, 1, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"shape of 17", "\x21\x00", "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", 2, 17, 17, NULL, 0, HEARTH_OK, AMPLIFICATION,
     false},
    {"shape without values", "\x21\x00", "", 2, 0, 32, NULL, 0, HEARTH_DAMAGED, AMPLIFICATION, false},
    {"weak arrays", "\x06", "\x11\x01\x01", 1, 3, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"strings defined", "\x11\x01", "\xc6\x02xy", 2, 4, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, false},
    {"cells", "\x03", "\xc0", 1, 1, 0, NULL, HEARTH_TRUSTED, HEARTH_OK, AMPLIFICATION, false},
    {"closures", "\x02\x00", "", 2, 0, 0, "return function() end", HEARTH_TRUSTED, HEARTH_OK, AMPLIFICATION, false},
    {"closures without cells", "\x02\x00", "", 2, 0, 0, MANY_UPVALUES, HEARTH_TRUSTED, HEARTH_DAMAGED, AMPLIFICATION,
     false},
    {"metatables", "\x81", "\xc8\x01", 1, 2, 0, NULL, HEARTH_TRUSTED, HEARTH_OK, AMPLIFICATION, false},
    {"special objects without functions", "\x05", "\xc0", 1, 1, 0, NULL, HEARTH_TRUSTED, HEARTH_DAMAGED, AMPLIFICATION,
     false},
    {"special objects that need each other", "\x05", "\xc8\x01", 1, 2, 0, NULL, HEARTH_TRUSTED, HEARTH_CYCLE,
     AMPLIFICATION, false},
    {"objects of an unknown type", "\x15\x80", "\xc0", 2, 1, 0, NULL, HEARTH_TRUSTED, HEARTH_UNKNOWN, AMPLIFICATION,
     false},
    {"array of one, again and again", "\x11\x01", "\x01", 2, 1, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, true},
    {"array of one, without values", "\x11\x01", "", 2, 0, 0, NULL, 0, HEARTH_DAMAGED, AMPLIFICATION, true},
    {"empty tables, again and again", "\x01", "", 1, 0, 0, NULL, 0, HEARTH_DAMAGED, AMPLIFICATION, true},
    {"shape of one, again and again", "\x21\x00", "\x01", 2, 1, 1, NULL, 0, HEARTH_OK, AMPLIFICATION, true},
    {"pairs, again and again", "\x41\x01", "\x01\x01", 2, 2, 0, NULL, 0, HEARTH_OK, AMPLIFICATION, true},
    {"metatables, again and again", "\x81", "\xc9", 1, 1, 0, NULL, HEARTH_TRUSTED, HEARTH_OK, AMPLIFICATION, true},
    {"tables without a place", "\x04\x07", "", 2, 0, 0, NULL, HEARTH_TRUSTED | HEARTH_PLACEHOLDERS, HEARTH_OK,
     AMPLIFICATION_WITH_STAND_INS, false},
    {"userdata without a place", "\x34\x07", "", 2, 0, 0, NULL, HEARTH_TRUSTED | HEARTH_PLACEHOLDERS, HEARTH_OK,
     AMPLIFICATION_WITH_STAND_INS, false},
    {"functions without a place", "\x24\x07", "", 2, 0, 0, NULL, HEARTH_TRUSTED | HEARTH_PLACEHOLDERS, HEARTH_OK,
     AMPLIFICATION_WITH_STAND_INS, false},
    {"cells without a place", "\x44\x07", "", 2, 0, 0, NULL, HEARTH_TRUSTED | HEARTH_PLACEHOLDERS, HEARTH_OK,
     AMPLIFICATION_WITH_STAND_INS, false},
};

/* Decodes and answers the peak in bytes over what was used before; what is left is collected. */
static size_t peak_of(lua_State *L, Memory *m, const char *what, const Buffer *b, const hearth_codec_options *o,
                      hearth_status expected) {
  hearth_error e;
  lua_gc(L, LUA_GCCOLLECT);
  size_t before = m->used;
  m->peak = before;
  hearth_status status = hearth_decode(L, b->data, b->size, o, &e);
  if (status != expected)
    fail_msg("%s: %s instead of %s: %s", what, hearth_status_name(status), hearth_status_name(expected), e.message);
  size_t peak = m->peak - before;
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  lua_gc(L, LUA_GCCOLLECT);
  return peak;
}

static void test_amplification(void **state) {
  (void)state;
  size_t worst = 0;
  for (size_t i = 0; i < sizeof greedy / sizeof *greedy; i++) {
    Memory m;
    lua_State *L = state_new(&m);
    run(L, "dec(enc(print))"); /* the permanents are there already */
    Buffer b;
    buffer_init(&b, &hearth_libc_allocator);
    put_repeated(&b, L, greedy[i].head, greedy[i].head_size, greedy[i].body, greedy[i].body_size, greedy[i].shape_keys,
                 greedy[i].function, greedy[i].repeats);
    hearth_codec_options o = options_of(greedy[i].flags);
    size_t peak = peak_of(L, &m, greedy[i].what, &b, &o, greedy[i].status);
    if (getenv("HEARTH_TEST_VERBOSE") != NULL) print_message("%s: %zu per byte\n", greedy[i].what, peak / b.size);
    if (peak > greedy[i].factor * b.size + CONSTANT)
      fail_msg("%s: %zu bytes of memory for %zu", greedy[i].what, peak, b.size);
    if (greedy[i].factor == AMPLIFICATION && peak / b.size > worst) worst = peak / b.size;
    buffer_free(&b);
    state_close(L, &m);
  }
  assert_true(worst > AMPLIFICATION / 2); /* the promise is not idle: lower it with the code */
}

/* What a search would remember of each in 24 bytes needs just over a power of two. */
#define CHAIN (((size_t)1 << 20) / 24 + 1)

/* A special object that refers to a table, which refers to the next, and so on. */
static void put_chain(Buffer *out, const void *head, size_t head_size, size_t shape_keys) {
  Buffer heads, bodies;
  buffer_init(&heads, &hearth_libc_allocator);
  buffer_init(&bodies, &hearth_libc_allocator);
  buffer_byte(&heads, OBJECT_SPECIAL);
  buffer_put(&heads, head, head_size);
  buffer_byte(&heads, OBJECT_REPEAT);
  varint_put(&heads, CHAIN - 2);
  value_put_tag(&bodies, TAG_NIL); /* the root */
  value_put_ref(&bodies, 2);
  for (size_t i = 2; i < CHAIN; i++) value_put_tag(&bodies, TAG_NEXT);
  value_put_ref(&bodies, 2);
  BlobHeader h = {FORMAT_VERSION, FORMAT_READABLE_BY, 0, 0x54, 0x88, shape_keys, 0, CHAIN, heads.size};
  blob_header_put(out, &h);
  if (shape_keys > 0) {
    varint_put(out, 1);
    value_put_string(out, "a", 1);
  }
  buffer_put(out, heads.data, heads.size);
  buffer_put(out, bodies.data, bodies.size);
  buffer_free(&heads);
  buffer_free(&bodies);
}

static void test_amplification_by_a_chain(void **state) {
  (void)state;
  static const struct {
    const char *what, *head;
    size_t head_size, shape_keys;
  } chains[] = {{"arrays", "\x11\x01", 2, 0}, {"shapes", "\x21\x00", 2, 1}, {"metatables", "\x81", 1, 0}};
  for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
    Memory m;
    lua_State *L = state_new(&m);
    run(L, "dec(enc(print))");
    Buffer b;
    buffer_init(&b, &hearth_libc_allocator);
    put_chain(&b, chains[i].head, chains[i].head_size, chains[i].shape_keys);
    hearth_codec_options o = options_of(HEARTH_TRUSTED);
    size_t peak = peak_of(L, &m, chains[i].what, &b, &o, HEARTH_DAMAGED);
    if (getenv("HEARTH_TEST_VERBOSE") != NULL)
      print_message("a chain of %s: %zu per byte\n", chains[i].what, peak / b.size);
    if (peak > AMPLIFICATION * b.size + CONSTANT)
      fail_msg("a chain of %s: %zu bytes of memory for %zu", chains[i].what, peak, b.size);
    buffer_free(&b);
    state_close(L, &m);
  }
}

/* Memory for one object of each greedy kind is counted: a limit stops what would take much more. */
static void test_max_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof greedy / sizeof *greedy; i++) {
    if (greedy[i].status != HEARTH_OK) continue;
    Memory m;
    lua_State *L = state_new(&m);
    run(L, "dec(enc(print))");
    Buffer b;
    buffer_init(&b, &hearth_libc_allocator);
    put_repeated(&b, L, greedy[i].head, greedy[i].head_size, greedy[i].body, greedy[i].body_size, greedy[i].shape_keys,
                 greedy[i].function, greedy[i].repeats);
    hearth_codec_options o = options_of(greedy[i].flags);
    size_t peak = peak_of(L, &m, greedy[i].what, &b, &o, HEARTH_OK);
    o.max_memory = peak / 8;
    size_t limited = peak_of(L, &m, greedy[i].what, &b, &o, HEARTH_LIMIT);
    if (limited > 7 * (peak / 8) + CONSTANT)
      fail_msg("%s: %zu with a limit, %zu without", greedy[i].what, limited, peak);
    o.max_memory = 4 * peak; /* an estimate, by the sizes of 64 bits, but not a wild one */
    (void)peak_of(L, &m, greedy[i].what, &b, &o, HEARTH_OK);
    buffer_free(&b);
    state_close(L, &m);
  }
}

/* ------------------------------------------------------------ byte limits */

static void test_max_bytes(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  push_sample(L, 0);
  lua_pushvalue(L, -1);
  encode_top(L, 0);
  size_t size;
  const char *bytes = lua_tolstring(L, 2, &size);
  hearth_codec_options o = options_of(0);
  o.max_bytes = size;
  assert_int_equal(hearth_encode(L, 1, &o, &e), HEARTH_OK);
  assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_OK);
  for (o.max_bytes = 1; o.max_bytes < size; o.max_bytes++) {
    assert_int_equal(hearth_encode(L, 1, &o, &e), HEARTH_LIMIT);
    if (o.max_bytes % 64 == 1) assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_LIMIT);
  }
  lua_settop(L, 0);
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_encode_without_memory),    cmocka_unit_test(test_encode_with_one_failure),
      cmocka_unit_test(test_canonical_without_memory), cmocka_unit_test(test_decode_without_memory),
      cmocka_unit_test(test_decode_with_one_failure),  cmocka_unit_test(test_first_use_without_memory),
      cmocka_unit_test(test_collector_keeps_its_state), cmocka_unit_test(test_amplification),
      cmocka_unit_test(test_amplification_by_a_chain), cmocka_unit_test(test_max_memory),
      cmocka_unit_test(test_max_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
