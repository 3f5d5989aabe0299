/*
** Records of a store made by hand to deceive: right up to the lie, whose place is told. What belongs into blobs
** only is refused here, and the other way round (tests/codec/test_blob_hostile.c).
*/
#include "../codec/hex.h"
#include "store_testing.h"

static void put_entry(Disk *d, char kind, unsigned char number, const char *hex) {
  const char key[8] = {kind, 0, 0, 0, 0, 0, 0, (char)number};
  Buffer b;
  if (hex == NULL) return;
  buffer_init(&b, &hearth_libc_allocator);
  put_hex(&b, hex);
  disk_set(d, key, sizeof key, b.size > 0 ? b.data : (const unsigned char *)"", b.size);
  buffer_free(&b);
}

/* A store of the home table (1), perhaps another object (2) and a constant (3). */
static void put_store(Disk *d, const char *home, const char *object, const char *constant) {
  const Metadata m = {.written_by = STORE_FORMAT_VERSION, .readable_by = STORE_FORMAT_READABLE_BY, .home_id = 1,
                      .memory_id = 1, .next_id = 10, .page_size = 4096, .writer = "test"};
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  metadata_put(&b, &m);
  disk_set(d, "m", 1, b.data, b.size);
  buffer_free(&b);
  put_entry(d, 'o', 1, home);
  put_entry(d, 'o', 2, object);
  put_entry(d, 'c', 3, constant);
}

static const char shape_of_x[] = "07 01 81 78";

static const struct {
  const char *home, *object, *constant;
  uint64_t position; /* in the entry */
  const char *says;
} lies[] = {
    /* Tags of blobs. */
    {"11 01 C6 01 78", NULL, NULL, 5, "object #1: damaged at byte 5: a tag that belongs in blobs only"},
    {"11 01 A0", NULL, NULL, 3, "object #1: damaged at byte 3: a tag that belongs in blobs only"},
    {"11 01 C7 20", NULL, NULL, 4, "object #1: damaged at byte 4: a tag that belongs in blobs only"},
    {"11 01 C9", "01", NULL, 3, "object #1: damaged at byte 3: a tag that belongs in blobs only"},
    {"41 01 C6 01 78 05", NULL, NULL, 5, "a tag that belongs in blobs only"},
    {"21 03 C9", "01", shape_of_x, 3, "a tag that belongs in blobs only"},
    {"81 C9", "01", NULL, 2, "a metatable that is no table"},
    {"11 01 C8 02", "15 85 70 6F 69 6E 74 00 C9", NULL, 9, "a tag that belongs in blobs only"},
    /* Kinds. */
    {"06", NULL, NULL, 1, "object #1: damaged at byte 1: an object of a kind that belongs elsewhere"},
    {"11 01 C8 02", "06 01", NULL, 1, "object #2: damaged at byte 1: an object of a kind that belongs elsewhere"},
    {"11 01 C8 02", "07 01 81 78", NULL, 1, "an object of a kind that belongs elsewhere"},
    {"11 01 C8 02", "08 00 00 00 00 00 00 00 00", NULL, 9, "an object of a kind that belongs elsewhere"},
    {"11 01 C8 02", "09 05", NULL, 2, "an object of a kind that belongs elsewhere"},
    {"11 01 C8 02", "00", NULL, 0, "an unknown kind of object"},
    {"11 01 C8 02", "05 01 06 C0", NULL, 3, "an object of a kind that belongs elsewhere"},       /* a local one */
    {"11 01 C8 02", "05 01 24 85 70 72 69 6E 74 C0", NULL, 9, "an object of a kind that belongs elsewhere"},
    {"01", NULL, "01", 1, "constant #3: damaged at byte 1: an object of a kind that belongs elsewhere"},
    {"01", NULL, "06", 1, "constant #3: damaged at byte 1: an object of a kind that belongs elsewhere"},
    /* References. */
    {"11 01 C8 09", NULL, NULL, 4, "a reference to an object that is not there"},
    {"11 01 C8 00", NULL, NULL, 4, "a reference to an object that is not there"},
    {"11 01 C8 03", NULL, shape_of_x, 4, "a reference to an object that is not there"},
    {"11 01 CA 00", NULL, NULL, 4, "a reference to an object that is not there"}, /* nothing is local here */
    {"11 01 C8 02", "05 01 01 CA 01", NULL, 5, "a reference to an object that is not there"},
    {"21 04 05", NULL, shape_of_x, 2, "a shape that is not there"},
    {"21 02 05", "01", shape_of_x, 2, "a shape that is not there"},
    {"02 03", NULL, shape_of_x, 2, "a prototype that is not there"},
    {"11 01 C8 02", "03 05", NULL, 4, "a cell where a value belongs"},
    {"81 C8 02", "03 05", NULL, 3, "a metatable that is no table"},
    /* Sizes. */
    {"11 80 80 80 80 08 05", NULL, NULL, 6, "a table is too large"},
    {"41 80 80 80 80 08 05", NULL, NULL, 6, "a table is too large"},
    {"0A 80 80 80 80 08 00", NULL, NULL, 7, "a table is too large"},
    {"11 FF FF FF FF 07 05", NULL, NULL, 6, "the objects are larger than the bytes that fill them"},
    {"0A 00 FF FF FF FF 07", NULL, NULL, 7, "the objects are larger than the bytes that fill them"},
    {"0A 01 00", NULL, NULL, 0, "table #1: damaged at byte 0: it has 0 entries in its pages instead of 1"},
    {"11 01 05 05", NULL, NULL, 3, "bytes follow after its end"},
    {"11 02 05", NULL, NULL, 3, "it ends too early"},
};

static void test_lies(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    World w;
    world_init(&w, 0);
    world_end_state(&w);
    world_begin_state(&w);
    put_store(w.disk, lies[i].home, lies[i].object, lies[i].constant);
    hearth_status status = world_try_open(&w);
    if (status != HEARTH_DAMAGED || strstr(w.error.message, lies[i].says) == NULL ||
        w.error.position != lies[i].position)
      fail_msg("home %s, object %s: %s: %s", lies[i].home, lies[i].object != NULL ? lies[i].object : "none",
               hearth_status_name(status), status != HEARTH_OK ? w.error.message : "it was opened");
    assert_false(w.disk->open);
    assert_int_equal(lua_gettop(w.L), 0);
    world_free(&w);
  }
}

/* The same without the lie. */
static void test_truths(void **state) {
  (void)state;
  static const struct {
    const char *home, *object, *constant, *is;
  } truths[] = {
      {"01", NULL, NULL, "next(home) == nil"},
      {"11 01 05", NULL, NULL, "home[1] == 5"},
      {"11 01 C8 02", "01", NULL, "next(home[1]) == nil"},
      {"41 01 81 78 C8 01", NULL, NULL, "home.x == home"},
      {"21 03 05", NULL, shape_of_x, "home.x == 5"},
      {"81 C8 02", "01", NULL, "next(getmetatable(home)) == nil"},
      {"11 01 C8 02", "15 85 70 6F 69 6E 74 01 11 02 CA 00 01 02", NULL, "coordinates(home[1]) == 1"},
      {"0A 00 00", NULL, NULL, "next(home) == nil"},
  };
  for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
    World w;
    world_init(&w, 0);
    world_end_state(&w);
    world_begin_state(&w);
    put_store(w.disk, truths[i].home, truths[i].object, truths[i].constant);
    if (world_try_open(&w) != HEARTH_OK) fail_msg("%s: %s", truths[i].is, w.error.message);
    lua_pushfstring(w.L, "assert(%s)", truths[i].is);
    run(w.L, lua_tostring(w.L, -1));
    lua_settop(w.L, 0);
    run(w.L, "rollback() home = nil");
    world_free(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lies), cmocka_unit_test(test_truths)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
