/*
** Blobs made by hand to deceive: what they say and where they are refused. The
** bytes are right up to the lie.
*/
#include "prototype_record.h"
#include "hex.h"
#include "sample.h"

typedef struct Blob {
  Buffer shapes, prototypes, heads, body;
  uint64_t shape_count, prototype_count, objects;
} Blob;

static void blob_open(Blob *b) {
  memset(b, 0, sizeof *b);
  buffer_init(&b->shapes, &hearth_libc_allocator);
  buffer_init(&b->prototypes, &hearth_libc_allocator);
  buffer_init(&b->heads, &hearth_libc_allocator);
  buffer_init(&b->body, &hearth_libc_allocator);
}

static void blob_free(Blob *b) {
  buffer_free(&b->shapes);
  buffer_free(&b->prototypes);
  buffer_free(&b->heads);
  buffer_free(&b->body);
}

static void blob_put(const Blob *b, Buffer *out) {
  BlobHeader h = {FORMAT_VERSION, FORMAT_READABLE_BY, 0,          0x54, 0x88, b->shape_count, b->prototype_count,
                  b->objects,     b->heads.size};
  buffer_init(out, &hearth_libc_allocator);
  blob_header_put(out, &h);
  buffer_put(out, b->shapes.data, b->shapes.size);
  buffer_put(out, b->prototypes.data, b->prototypes.size);
  buffer_put(out, b->heads.data, b->heads.size);
  buffer_put(out, b->body.data, b->body.size);
  assert_false(out->failed);
}

/* Objects as heads and bodies in hex digits; the first digits of `body` are the root. */
static const struct {
  const char *shapes, *heads, *body;
  unsigned objects;
  hearth_status status;
  const char *says;
} lies[] = {
    /* References. */
    {"", "", "C8 01", 0, HEARTH_DAMAGED, "a reference to an object that is not there"},
    {"", "01", "C8 00", 1, HEARTH_DAMAGED, "a reference to an object that is not there"},
    {"", "01", "C8 02", 1, HEARTH_DAMAGED, "a reference to an object that is not there"},
    {"", "01", "C8 FF FF FF FF FF FF FF FF FF 01", 1, HEARTH_DAMAGED, "a reference to an object that is not there"},
    {"", "11 02", "C9 C9 C9", 1, HEARTH_DAMAGED, "a reference to an object that is not there"},
    {"", "01", "CA 00", 1, HEARTH_DAMAGED, "a reference to an object that is not there"},
    /* Strings of the dictionary. */
    {"", "", "A0", 0, HEARTH_DAMAGED, "a string that is not in the dictionary"},
    {"", "11 02", "C9 C6 01 78 A1", 1, HEARTH_DAMAGED, "a string that is not in the dictionary"},
    {"", "11 02", "C9 C6 01 78 C7 FF FF FF FF FF FF FF FF FF 01", 1, HEARTH_DAMAGED,
     "a string that is not in the dictionary"},
    /* Tables. */
    {"", "11 02 11 02", "C9 01 01", 2, HEARTH_DAMAGED, "the objects are larger than the bytes that fill them"},
    {"", "11 FF FF FF FF 07", "C9 01", 1, HEARTH_DAMAGED, "the objects are larger than the bytes that fill them"},
    {"", "41 FF FF FF FF 07", "C9 01", 1, HEARTH_DAMAGED, "the objects are larger than the bytes that fill them"},
    {"", "11 80 80 80 80 08", "C9 01", 1, HEARTH_DAMAGED, "a table is too large"},
    {"", "11 FF FF FF FF FF FF FF FF FF 01", "C9 01", 1, HEARTH_DAMAGED, "a table is too large"},
    {"", "41 FF FF FF FF FF FF FF FF FF 01", "C9 01", 1, HEARTH_DAMAGED, "a table is too large"},
    {"", "41 80 80 80 80 08", "C9 01", 1, HEARTH_DAMAGED, "a table is too large"},
    {"", "11 01", "C9 C0", 1, HEARTH_DAMAGED, "a nil inside a table"},
    {"", "41 01", "C9 C0 01", 1, HEARTH_DAMAGED, "a nil inside a table"},
    {"", "41 01", "C9 01 C0", 1, HEARTH_DAMAGED, "a nil inside a table"},
    {"", "41 01", "C9 C4 00 00 00 00 00 00 F8 7F 01", 1, HEARTH_DAMAGED, "a NaN as a key"},
    {"", "41 01", "C9 C4 01 00 00 00 00 00 F0 FF 01", 1, HEARTH_DAMAGED, "a NaN as a key"},
    /* Shapes. */
    {"", "21 00", "C9 01", 1, HEARTH_DAMAGED, "a shape that is not there"},
    {"01 81 78", "21 01", "C9 01", 1, HEARTH_DAMAGED, "a shape that is not there"},
    {"01 81 78", "21 00", "C9", 1, HEARTH_DAMAGED, "it ends too early"},
    {"01 81 78", "21 00", "C9 C0", 1, HEARTH_DAMAGED, "a nil inside a table"},
    {"02 81 78 81 78", "21 00", "C9 01 01", 1, HEARTH_DAMAGED, "a shape's keys are not in order"},
    {"00", "", "01", 0, HEARTH_DAMAGED, "a shape without keys, or with too many"},
    /* Metatables. */
    {"", "81 01", "C9 01", 2, HEARTH_DAMAGED, "a metatable that is no table"},
    {"", "81 01", "C9 C0", 2, HEARTH_DAMAGED, "a metatable that is no table"},
    {"", "81 03", "C9 C9 01", 2, HEARTH_DAMAGED, "a metatable that is no table"},
    {"", "81 24 85 70 72 69 6E 74", "C9 C9", 2, HEARTH_DAMAGED, "a metatable that is no table"},
    {"", "81 34 89 69 6F 2E 73 74 64 6F 75 74", "C9 C9", 2, HEARTH_DAMAGED, "a metatable that is no table"},
    /* Cells where values belong, and the other way. */
    {"", "03", "C9 01", 1, HEARTH_DAMAGED, "a cell where a value belongs"},
    {"", "11 01 03", "C9 C9 01", 2, HEARTH_DAMAGED, "a cell where a value belongs"},
    {"", "44 90 67 61 6D 65 2E 73 70 61 77 6E 5E 73 70 61 77 6E", "C9", 1, HEARTH_UNKNOWN, "game.spawn^spawn"},
    {"", "44 92 67 61 6D 65 2E 73 70 61 77 6E 5E 73 70 61 77 6E 65 64", "C9", 1, HEARTH_DAMAGED,
     "a cell where a value belongs"},
    {"", "44 91 67 61 6D 65 2E 73 70 61 77 6E 5E 32 35 36 30 30 30", "C9", 1, HEARTH_UNKNOWN, "game.spawn^256000"},
    /* Kinds. */
    {"", "00", "01", 1, HEARTH_DAMAGED, "an unknown kind of object"},
    {"", "0C", "01", 1, HEARTH_DAMAGED, "an unknown kind of object"},
    {"", "13", "01", 1, HEARTH_DAMAGED, "an unknown kind of object"},
    {"", "07", "01", 1, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere"},
    {"", "08 00 00 00 00 00 00 00 00", "01", 1, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere"},
    {"", "09 05", "01", 1, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere"},
    {"", "0A 00 00", "01", 1, HEARTH_DAMAGED, "an object of a kind that belongs elsewhere"},
    {"", "02 00", "01", 1, HEARTH_DAMAGED, "a prototype that is not there"},
    {"", "54 01", "01", 1, HEARTH_DAMAGED, "an unknown kind of permanent"},
    /* Repeats: of objects that are not there, are no tables, or have no bodies. */
    {"", "0B 01", "C9", 1, HEARTH_DAMAGED, "a repeat of what is no table"},
    {"", "01 1B 01", "C9", 2, HEARTH_DAMAGED, "a repeat of what is no table"},
    {"", "03 0B 01", "01 01", 2, HEARTH_DAMAGED, "a repeat of what is no table"},
    {"", "24 85 70 72 69 6E 74 0B 01", "C9", 2, HEARTH_DAMAGED, "a repeat of what is no table"},
    {"", "06 0B 01", "C9 01", 2, HEARTH_DAMAGED, "a repeat of what is no table"},
    {"", "11 01 0B 02", "C9 01 01", 2, HEARTH_DAMAGED, "a repeat of no heads, or of more than there are objects"},
    {"", "11 01 0B 00", "C9 01 01", 2, HEARTH_DAMAGED, "a repeat of no heads, or of more than there are objects"},
    {"", "11 01 0B FF FF FF FF FF FF FF FF FF 01", "C9 01", 2, HEARTH_DAMAGED, "a repeat of no heads"},
    {"", "11 01 0B 01", "C9", 2, HEARTH_DAMAGED, "the objects are larger than the bytes that fill them"},
    {"01 81 78", "21 00 0B 02", "C9 01 01", 3, HEARTH_DAMAGED, "it ends too early"},
    {"", "01 0B 01", "01 01", 3, HEARTH_DAMAGED, "the heads do not end where they should"},
    {"", "01 0B 04", "C9", 5, HEARTH_DAMAGED, "a count exceeds the bytes that remain"},
    {"", "06", "C9 0B 01", 1, HEARTH_DAMAGED, "an unknown kind of object"},
    /* Weak tables' late heads. */
    {"", "06", "C9 03", 1, HEARTH_DAMAGED, "a late object that is no weak table"},
    {"", "06", "C9 06", 1, HEARTH_DAMAGED, "a late object that is no weak table"},
    {"01 81 78", "06", "C9 21 00 01", 1, HEARTH_DAMAGED, "a late object that is no weak table"},
    {"", "06", "C9 11 05 01", 1, HEARTH_DAMAGED, "a count exceeds the bytes that remain"},
    {"", "06", "C9 41 01 01", 1, HEARTH_DAMAGED, "a count exceeds the bytes that remain"},
    /* Special objects. */
    {"", "05", "C9 C0", 1, HEARTH_DAMAGED, "a rebuilding function that is no function"},
    {"", "05", "C9 C8 01", 1, HEARTH_CYCLE, "need each other"},
    {"", "05 05", "C9 C9 C8 01", 2, HEARTH_CYCLE, "need each other"},
    {"", "15 01", "C9 C0", 1, HEARTH_UNKNOWN, "the type '1' is not registered here"},
    {"", "15 82 6E 6F", "C9 C0", 1, HEARTH_UNKNOWN, "the type 'no' is not registered here"},
    {"", "15 85 70 6F 69 6E 74", "C9 C0", 1, HEARTH_RAISED, "table expected"},
    {"", "05 24 85 70 72 69 6E 74", "C8 01 C8 02", 2, HEARTH_RAISED, "returned a nil"},
    {"", "05 24 8E 63 6F 6C 6C 65 63 74 67 61 72 62 61 67 65", "C8 01 C8 02", 2, HEARTH_RAISED, "returned a number"},
    /* The ends. */
    {"", "01 01", "C9", 1, HEARTH_DAMAGED, "the heads do not end where they should"},
    {"", "11", "01 C9 01", 1, HEARTH_DAMAGED, "the heads do not end where they should"},
    {"", "01", "C9 01", 1, HEARTH_DAMAGED, "bytes follow after its end"},
    {"", "01", "", 1, HEARTH_DAMAGED, "it ends too early"},
    {"", "01", "C9", 3, HEARTH_DAMAGED, "a count exceeds the bytes that remain"},
};

/* The blob whose parts are these bytes in hex. */
static void put_parts(const char *shapes, const char *heads, const char *body, uint64_t objects, Buffer *bytes) {
  Blob b;
  blob_open(&b);
  put_hex(&b.shapes, shapes);
  b.shape_count = shapes[0] != '\0';
  put_hex(&b.heads, heads);
  put_hex(&b.body, body);
  b.objects = objects;
  blob_put(&b, bytes);
  blob_free(&b);
}

static void test_lies(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    Memory m;
    hearth_error e;
    lua_State *L = state_new(&m);
    Buffer bytes;
    hearth_codec_options o = options_of(HEARTH_TRUSTED);
    put_parts(lies[i].shapes, lies[i].heads, lies[i].body, lies[i].objects, &bytes);
    hearth_status status = hearth_decode(L, bytes.data, bytes.size, &o, &e);
    if (status != lies[i].status || strstr(e.message, lies[i].says) == NULL)
      fail_msg("heads %s, body %s: %s: %s", lies[i].heads, lies[i].body, hearth_status_name(status), e.message);
    assert_int_equal(lua_gettop(L), 0);
    lua_gc(L, LUA_GCCOLLECT);
    buffer_free(&bytes);
    state_close(L, &m);
  }
}

/* The same bytes are right without the lie: the table above is not right by accident. */
static void test_truths(void **state) {
  (void)state;
  static const struct {
    const char *shapes, *heads, *body;
    unsigned objects;
    const char *is;
  } truths[] = {
      {"", "", "C0", 0, "v == nil"},
      {"", "01", "C9", 1, "next(v) == nil"},
      {"", "01", "05", 1, "v == 5"}, /* an object that nothing refers to */
      {"", "11 02", "C9 C8 01 C6 01 78", 1, "v[1] == v and v[2] == 'x'"},
      {"", "11 02", "C9 C6 01 78 A0", 1, "v[1] == 'x' and v[2] == 'x'"},
      {"", "41 01", "C9 81 78 01", 1, "v.x == 1"},
      {"01 81 78", "21 00", "C9 01", 1, "v.x == 1"},
      {"", "81 01", "C9 C9", 2, "getmetatable(v) and next(getmetatable(v)) == nil"},
      {"", "81", "C9 C8 01", 1, "getmetatable(v) == v"},
      {"", "24 85 70 72 69 6E 74", "C9", 1, "v == print"},
      {"", "06", "C9 11 02 01 02", 1, "#v == 2"},
      {"", "01 0B 02", "C9", 3, "next(v) == nil"},
      {"", "11 01 0B 02", "C9 C9 C9 05", 3, "v[1][1][1] == 5"},
      {"01 81 78", "21 00 11 01 1B 02", "C9 C9 C9 C9 05", 4, "v.x[1].x[1] == 5"},
      {"", "05 24 91 63 6F 72 6F 75 74 69 6E 65 2E 72 75 6E 6E 69 6E 67", "C8 01 C8 02", 2, "type(v) == 'thread'"},
      {"", "15 85 70 6F 69 6E 74 11 02", "C9 C9 01 02", 2, "coordinates(v) == 1"},
  };
  for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
    Memory m;
    hearth_error e;
    lua_State *L = state_new(&m);
    Buffer bytes;
    hearth_codec_options o = options_of(HEARTH_TRUSTED);
    put_parts(truths[i].shapes, truths[i].heads, truths[i].body, truths[i].objects, &bytes);
    if (hearth_decode(L, bytes.data, bytes.size, &o, &e) != HEARTH_OK) fail_msg("%s: %s", truths[i].is, e.message);
    lua_setglobal(L, "v");
    lua_pushfstring(L, "assert(%s)", truths[i].is);
    run(L, lua_tostring(L, -1));
    lua_settop(L, 0);
    buffer_free(&bytes);
    state_close(L, &m);
  }
}

/* The counts in the header. */
static void test_header_counts(void **state) {
  (void)state;
  static const uint64_t counts[] = {1, 127, 1000, UINT32_MAX, (uint64_t)1 << 40, UINT64_MAX};
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    for (int which = 0; which < 4; which++) {
      BlobHeader h = {FORMAT_VERSION, FORMAT_READABLE_BY, 0, 0x54, 0x88, 0, 0, 0, 0};
      *(which == 0 ? &h.shapes : which == 1 ? &h.prototypes : which == 2 ? &h.objects : &h.heads_size) = counts[i];
      Buffer b;
      buffer_init(&b, &hearth_libc_allocator);
      blob_header_put(&b, &h);
      value_put_tag(&b, TAG_NIL);
      hearth_codec_options o = options_of(HEARTH_TRUSTED);
      size_t before = m.used;
      m.peak = before;
      assert_int_equal(hearth_decode(L, b.data, b.size, &o, &e), HEARTH_DAMAGED);
      assert_true(m.peak - before < 64u << 10);
      buffer_free(&b);
    }
  }
  state_close(L, &m);
}

/* A record of a prototype that does not fit is not copied for each of its closures. */
static void test_many_stand_ins_of_one_large_function(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  Blob b;
  Buffer bytes;
  const size_t size = 200000, closures = 50000;
  unsigned char *record = calloc(1, size);
  assert_non_null(record);
  ChunkHeader other = {0x55, 0, 4, 8, 8, true};
  prototype_put_head(&other, 0, size - PROTOTYPE_HEAD_SIZE, false, record);
  blob_open(&b);
  b.prototype_count = 1;
  varint_put(&b.prototypes, size);
  fixed_put(&b.prototypes, hash64(record, size, BLOB_CHECK_SEED), BLOB_CHECK_SIZE);
  buffer_put(&b.prototypes, record, size);
  free(record);
  for (size_t i = 0; i < closures; i++) put_hex(&b.heads, "02 00");
  b.objects = closures;
  put_hex(&b.body, "C9");
  blob_put(&b, &bytes);
  hearth_codec_options o = options_of(HEARTH_TRUSTED | HEARTH_PLACEHOLDERS);
  size_t before = m.used;
  m.peak = before;
  assert_int_equal(hearth_decode(L, bytes.data, bytes.size, &o, &e), HEARTH_OK);
  assert_true(m.peak - before < 128 * bytes.size);
  lua_settop(L, 0);
  o.flags = HEARTH_TRUSTED;
  assert_int_equal(hearth_decode(L, bytes.data, bytes.size, &o, &e), HEARTH_LUA);
  assert_non_null(strstr(e.message, "Lua 5.5"));
  buffer_free(&bytes);
  blob_free(&b);
  state_close(L, &m);
}

static void test_versions(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  BlobHeader h = {FORMAT_VERSION + 1, FORMAT_VERSION + 1, 0, 0x54, 0x88, 0, 0, 0, 0};
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  blob_header_put(&b, &h);
  value_put_tag(&b, TAG_TRUE);
  assert_int_equal(hearth_decode(L, b.data, b.size, NULL, &e), HEARTH_VERSION);
  assert_string_equal(e.message, "blob: version at byte 6: format 2 is needed to read it, this library reads up to 1");
  buffer_clear(&b);
  h.readable_by = FORMAT_VERSION;
  blob_header_put(&b, &h);
  value_put_tag(&b, TAG_TRUE);
  assert_int_equal(hearth_decode(L, b.data, b.size, NULL, &e), HEARTH_OK);
  assert_true(lua_toboolean(L, -1));
  lua_settop(L, 0);
  buffer_free(&b);
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lies),
      cmocka_unit_test(test_truths),
      cmocka_unit_test(test_header_counts),
      cmocka_unit_test(test_many_stand_ins_of_one_large_function),
      cmocka_unit_test(test_versions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
