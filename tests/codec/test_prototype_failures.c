/*
** Functions where something is missing or meddled with: no memory, no room on Lua's stack, bytecode that no compiler
** made, stand-ins whose upvalues somebody changed, seals of what does not fit.
*/
#include "blob.h"
#include "codec_testing.h"
#include "hash.h"
#include "prototype.h"

/* Not a hash: enough to tell keys and records apart. */
static int sum_hash(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  const unsigned char *p = bytes;
  memset(out, *(unsigned char *)ud, HEARTH_SEAL_SIZE);
  for (size_t i = 0; i < size; i++) {
    unsigned char *o = &out[i % HEARTH_SEAL_SIZE];
    *o = (unsigned char)(*o * 31u + p[i] + i);
  }
  return 0;
}

/* Appends the record of the function that the code returns. */
static void put_record(lua_State *L, const char *code, const char *chunk_name, Buffer *out) {
  if (luaL_loadbuffer(L, code, strlen(code), chunk_name) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  assert_int_equal(prototype_dump(L, -1, false, NULL, out, NULL), HEARTH_OK);
  lua_pop(L, 1);
}

static Prototype parse(const Buffer *record) {
  Prototype p;
  ChunkFault fault = {0, ""};
  if (!prototype_parse(record->data, record->size, &p, &fault)) fail_msg("%s", fault.why);
  return p;
}

/* ------------------------------------------------------------------ memory */

/* Every request fails once, for records that end anywhere in a block of memory. */
static void test_dump_without_memory(void **state) {
  (void)state;
  unsigned char key = 7;
  const hearth_seal seal = {sum_hash, &key};
  Memory m, other;
  lua_State *L = state_new(&m);
  size_t failures = 0, bare = SIZE_MAX;
  for (int length = 0; length < 130; length++) {
    lua_pushfstring(L, "return load(\"return '\" .. ('x'):rep(%d) .. \"'\", '=f')", length);
    if (luaL_loadstring(L, lua_tostring(L, -1)) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
      fail_msg("%s", lua_tostring(L, -1));
    for (int sealed = 0; sealed < 2; sealed++) {
      hearth_status status = HEARTH_NOMEM;
      for (size_t n = 0; status != HEARTH_OK; n++) {
        Buffer out;
        const char *why = NULL;
        memory_init(&other);
        buffer_init(&out, &(hearth_allocator){memory_alloc, &other});
        buffer_put(&out, "before", 6);
        other.fail_at = other.requests + n;
        status = prototype_dump(L, -1, false, sealed ? &seal : NULL, &out, &why);
        if (status == HEARTH_OK) {
          assert_true(out.size > 6 + (sealed ? HEARTH_SEAL_SIZE : 0));
          if (!sealed) bare = out.size;
          assert_int_equal(out.size, bare + (sealed ? HEARTH_SEAL_SIZE : 0));
        } else {
          assert_int_equal(status, HEARTH_NOMEM);
          assert_int_equal(out.size, 6);
          failures++;
        }
        buffer_free(&out);
        assert_int_equal(other.used, 0);
      }
    }
    lua_settop(L, 0);
  }
  assert_true(failures > 130 * 2);
  state_close(L, &m);
}

/* Nothing more fits on the stack of Lua: said, not crashed; and nothing is left on it. */
static void test_full_stack(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  Buffer record;
  buffer_init(&record, &hearth_libc_allocator);
  put_record(L, "return function() return 1 end", "=f", &record);
  const Prototype p = parse(&record);
  run(L, "chunk = string.dump(function() return 1 end)");
  lua_getglobal(L, "chunk");
  lua_getglobal(L, "dec");
  size_t size;
  const char *chunk = lua_tolstring(L, 1, &size);
  while (lua_checkstack(L, 1)) lua_pushnil(L);
  while (lua_checkstack(L, 1)) lua_pushnil(L); /* 5.4.7 grants 200 more now, for messages */
  const int full = lua_gettop(L);
  assert_int_equal(prototype_dump(L, 2, false, NULL, &record, NULL), HEARTH_NOMEM);
  assert_int_equal(prototype_load(L, &p, NULL, 0, &e), HEARTH_NOMEM);
  assert_int_equal(prototype_push_cell_maker(L, &e), HEARTH_NOMEM);
  assert_int_equal(hearth_load_chunk(L, chunk, size, 0, &e), HEARTH_NOMEM);
  assert_non_null(strstr(e.message, "Lua stack"));
  assert_int_equal(lua_gettop(L), full);
  lua_settop(L, full - 100); /* a little room, but not for a protected call */
  assert_int_equal(hearth_load_chunk(L, chunk, size, 0, &e), HEARTH_NOMEM);
  assert_int_equal(lua_gettop(L), full - 100);
  lua_settop(L, 1);
  assert_int_equal(hearth_load_chunk(L, chunk, size, 0, &e), HEARTH_OK);
  lua_settop(L, 0);
  buffer_free(&record);
  state_close(L, &m);
}

/* -------------------------------------------------- what no compiler makes */

/* Lua loads it as it is, and makes no closure of the nested function, whose upvalue is of a kind that there is not. */
static void test_hand_made_bytecode(void **state) {
  (void)state;
  static const unsigned char nested[] = {0x82, '=', 0x80, 0x80, 0, 0, 2, 0x81, 0, 0, 0, 0, 0x80, /* code */
                                         0x80, 0x81, 0x80, 0x80, 0x80, 0,    0,    2,    0x81, 0, 0, 0,    0,    0x80,
                                         0x81, 1,    0,    9,    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  Buffer record, chunk;
  buffer_init(&record, &hearth_libc_allocator);
  buffer_init(&chunk, &hearth_libc_allocator);
  put_record(L, "return function() end", "=f", &record);
  ChunkHeader own = parse(&record).header;
  ChunkWrap wrap;
  chunk_wrap(&own, 0, &wrap);
  buffer_put(&chunk, wrap.prefix, wrap.prefix_size);
  buffer_put(&chunk, nested, sizeof nested);
  buffer_put(&chunk, wrap.suffix, sizeof wrap.suffix);
  if (luaL_loadbufferx(L, (const char *)chunk.data, chunk.size, "=made", "b") != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  lua_call(L, 0, 1);
  const char *why = NULL;
  size_t before = record.size;
  assert_int_equal(prototype_dump(L, 1, false, NULL, &record, &why), HEARTH_UNSTORABLE);
  assert_string_equal(why, "a nested function's upvalue is out of bounds");
  assert_int_equal(record.size, before);
  assert_int_equal(prototype_dump(L, 1, false, NULL, &record, NULL), HEARTH_UNSTORABLE);
  assert_int_equal(hearth_encode(L, 1, NULL, &e), HEARTH_UNSTORABLE);
  assert_string_equal(e.message, "root: a function cannot be stored: a nested function's upvalue is out of bounds");
  assert_int_equal(lua_gettop(L), 1);
  lua_settop(L, 0);
  buffer_free(&record);
  buffer_free(&chunk);
  state_close(L, &m);
}

/* -------------------------------------------------------------- stand-ins */

/* Pushes a stand-in for a function of the other byte order. */
static void push_stand_in(lua_State *L, const char *chunk_name) {
  Buffer record;
  buffer_init(&record, &hearth_libc_allocator);
  put_record(L, "return function() end", chunk_name, &record);
  record.data[0] ^= PROTOTYPE_LITTLE_ENDIAN;
  lua_pushlstring(L, (const char *)record.data, record.size);
  prototype_push_placeholder(L, lua_gettop(L));
  lua_remove(L, -2);
  buffer_free(&record);
}

/* Calls what is on the top, which raises; answers the message. */
static const char *raised(lua_State *L) {
  lua_pushvalue(L, -1);
  assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
  return lua_tostring(L, -1);
}

/* By debug.setupvalue a program can put anything into the upvalues of a C function. */
static void test_changed_stand_ins(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  push_stand_in(L, "@game.lua");
  assert_non_null(strstr(raised(L), "a stored function cannot be called: the function at game.lua:1 needs Lua 5.4"));
  lua_settop(L, 1);
  assert_non_null(prototype_placeholder_record(L, 1, NULL));
  static const char *const changes[] = {"return nil", "return {}", "return true", "return 'no record'", "return ''"};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    assert_int_equal(luaL_dostring(L, changes[i]), LUA_OK);
    const bool string = lua_type(L, -1) == LUA_TSTRING;
    assert_non_null(lua_setupvalue(L, 1, 1));
    assert_string_equal(raised(L), "a stored function that does not fit this Lua was called");
    lua_settop(L, 1);
    size_t size = 99;
    assert_int_equal(prototype_placeholder_record(L, 1, &size) != NULL, string);
    assert_int_equal(lua_gettop(L), 1);
  }
  lua_pushcfunction(L, lua_tocfunction(L, 1)); /* the same function without its upvalues */
  assert_null(prototype_placeholder_record(L, 2, NULL));
  assert_int_equal(lua_gettop(L), 2);
  assert_string_equal(raised(L), "a stored function that does not fit this Lua was called");
  lua_settop(L, 0);
  state_close(L, &m);
}

/* A long name is cut. */
static void test_long_names(void **state) {
  (void)state;
  static const char fifty[] = "12345678901234567890123456789012345678901234567890";
  Memory m;
  lua_State *L = state_new(&m);
  for (int more = -1; more <= 10; more++) {
    char name[80] = "@", shown[80];
    memcpy(name + 1, fifty, 50);
    for (int i = 0; i < more; i++) name[51 + i] = 'x';
    if (more < 0) name[50] = '\0';
    snprintf(shown, sizeof shown, "the function at %.50s:1 needs", name + 1);
    push_stand_in(L, name);
    assert_non_null(strstr(raised(L), shown));
    lua_settop(L, 0);
  }
  state_close(L, &m);
}

/* A blob of one function with this record. */
static void put_function(Buffer *out, const Buffer *record) {
  const BlobHeader h = {FORMAT_VERSION, FORMAT_READABLE_BY, 0, 0x54, 0x88, 0, 1, 1, 2};
  buffer_init(out, &hearth_libc_allocator);
  blob_header_put(out, &h);
  varint_put(out, record->size);
  fixed_put(out, hash64(record->data, record->size, BLOB_CHECK_SEED), BLOB_CHECK_SIZE);
  buffer_put(out, record->data, record->size);
  buffer_put(out, "\x02\x00\xc9", 3); /* a closure of it, the root */
  assert_false(out->failed);
}

/* What does not fit is not run, but goes back unchanged: it must be sealed, too. */
static void test_seals_of_what_does_not_fit(void **state) {
  (void)state;
  unsigned char key = 1, wrong_key = 2;
  const hearth_seal seal = {sum_hash, &key}, other = {sum_hash, &wrong_key};
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  for (int sealed = 0; sealed < 2; sealed++) {
    Buffer record, blob;
    unsigned char sum[HEARTH_SEAL_SIZE];
    buffer_init(&record, &hearth_libc_allocator);
    put_record(L, "return function() end", "=f", &record);
    record.data[0] ^= PROTOTYPE_LITTLE_ENDIAN;
    if (sealed) {
      record.data[0] |= PROTOTYPE_SEALED;
      sum_hash(&key, record.data, record.size, sum);
      buffer_put(&record, sum, sizeof sum);
    }
    put_function(&blob, &record);
    hearth_codec_options o = options_of(HEARTH_TRUSTED | HEARTH_PLACEHOLDERS);
    assert_int_equal(hearth_decode(L, blob.data, blob.size, &o, &e), HEARTH_OK); /* nobody asks for a seal */
    assert_non_null(prototype_placeholder_record(L, 1, NULL));
    lua_settop(L, 0);
    o.seal = &other;
    assert_int_equal(hearth_decode(L, blob.data, blob.size, &o, &e), HEARTH_SEAL);
    assert_int_equal(e.position, blob.size - 3 - record.size);
    assert_non_null(strstr(e.message, sealed ? "a function's seal does not match" : "a function without a seal"));
    assert_int_equal(lua_gettop(L), 0);
    o.seal = &seal;
    assert_int_equal(hearth_decode(L, blob.data, blob.size, &o, &e), sealed ? HEARTH_OK : HEARTH_SEAL);
    if (sealed) assert_non_null(prototype_placeholder_record(L, 1, NULL));
    lua_settop(L, 0);
    buffer_free(&record);
    buffer_free(&blob);
  }
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dump_without_memory), cmocka_unit_test(test_full_stack),
      cmocka_unit_test(test_hand_made_bytecode),  cmocka_unit_test(test_changed_stand_ins),
      cmocka_unit_test(test_long_names),          cmocka_unit_test(test_seals_of_what_does_not_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
