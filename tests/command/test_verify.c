/*
** What verify says of stores made by hand: sound entries that do not fit together. Their damage within is
** shown by test_view.c.
*/
#include "view_testing.h"

#include "hash.h"

static void put(hearth_backend_store *b, uint64_t table, const void *key, size_t key_size, const void *value,
                size_t size) {
  hearth_error err;
  hearth_op op = {HEARTH_PUT, table, key, key_size, value, size};
  assert_int_equal(hearth_memory_backend.submit(b, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, NULL, &err), HEARTH_OK);
}

/* An entry "o1 01": kind and number of a short key, the value in hex. */
static void put_entry(hearth_backend_store *b, const char *entry) {
  unsigned char key[8] = {(unsigned char)entry[0], 0, 0, 0, 0, 0, 0, (unsigned char)(entry[1] - '0')}, value[64];
  size_t size = read_hex(entry + 2, value, sizeof value);
  put(b, 0, key, sizeof key, value, size);
}

static hearth_backend_store *open_store(const Metadata *m) {
  hearth_error err;
  hearth_backend_store *b;
  hearth_backend_config config = {.size = sizeof config};
  assert_int_equal(hearth_memory_backend.open(&config, &b, &err), HEARTH_OK);
  Buffer bytes;
  buffer_init(&bytes, &hearth_libc_allocator);
  metadata_put(&bytes, m);
  put(b, 0, "m", 1, bytes.data, bytes.size);
  buffer_free(&bytes);
  return b;
}

static const Metadata usual = {.written_by = STORE_FORMAT_VERSION, .readable_by = STORE_FORMAT_READABLE_BY,
                               .home_id = 1, .memory_id = 1, .next_id = 10, .page_size = 64, .writer = "test"};

typedef struct Problems {
  uint64_t count;
  char all[2048];
} Problems;

static void on_problem(void *ud, const char *message) {
  Problems *p = ud;
  size_t used = strlen(p->all);
  p->count++;
  (void)snprintf(p->all + used, sizeof p->all - used, "%s\n", message);
}

static void on_step(void *ud, uint64_t done) {
  (void)ud, (void)done;
}

static hearth_status verify(const hearth_backend *backend, hearth_backend_store *b, Problems *problems,
                            hearth_error *err) {
  hearth_error own;
  View v;
  ViewVerify verify = {.problem = on_problem, .step = on_step, .ud = problems};
  memset(problems, 0, sizeof *problems);
  assert_int_equal(view_open_store(&v, backend, b, &hearth_libc_allocator, &own), HEARTH_OK);
  hearth_status status = view_verify(&v, &verify, err);
  assert_int_equal(problems->count, verify.problems);
  view_close(&v);
  return status;
}

static void check(hearth_backend_store *b, const char *expected) {
  hearth_error err;
  Problems problems;
  assert_int_equal(verify(&hearth_memory_backend, b, &problems, &err), HEARTH_OK);
  if (strstr(problems.all, expected) == NULL || (expected[0] == '\0' && problems.count > 0))
    fail_msg("'%s' instead of '%s'", problems.all, expected);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
}

static void test_entries_that_do_not_fit(void **state) {
  (void)state;
  static const struct {
    const char *entries[3];
    const char *problem; /* "": none */
  } cases[] = {
      {{"o1 01"}, ""},
      {{"o1 01", "o0 01"}, "object 0: no number is zero\n"},
      {{"o1 01", "c0 07 01 81 78"}, "constant 0: no number is zero\n"},
      {{"o1 01", "x0 00 00"}, "external table 0: no number is zero\n"},
      {{"o1 01", "x1 00 00"}, "external table 1: its number belongs to something else too\n"},
      {{"o1 01", "c1 07 01 81 78"}, "object 1: its number belongs to something else too\n"},
      {{"o1 11 01 C8 09"}, "object 1 refers to 9, which is not there\n"},
      {{"o1 11 01 C8 00"}, "a reference to an object that is not there\n"},
      {{"o1 21 00 05"}, "object 1 refers to 0, which is not there\n"},
      {{"o1 02 00"}, "object 1 refers to 0, which is not there\n"},
      {{"o1 11 01 C8 02", "o2 01"}, ""},
      {{"o1 11 01 C8 02", "o2 24 81 78"}, ""},
      {{"o1 11 01 C8 02", "x2 01 00"}, ""},
      {{"o1 11 01 C8 02", "o2 03 05"}, "object 1 refers to 2 as a value, which it is not\n"},
      {{"o1 11 01 C8 02", "o2 44 81 78"}, "object 1 refers to 2 as a value, which it is not\n"},
      {{"o1 11 01 C8 02", "c2 07 01 81 78"}, "object 1 refers to 2 as a value, which it is not\n"},
      {{"o1 21 02 05", "c2 07 01 81 78"}, ""},
      {{"o1 21 02 05", "o2 01"}, "object 1 refers to 2 as a shape, which it is not\n"},
      {{"o1 01", "o2 02 03", "c3 07 01 81 78"}, "object 2 refers to 3 as a prototype, which it is not\n"},
      {{"o1 81 C8 02", "o2 01"}, ""},
      {{"o1 81 C8 02", "o2 0A 00 00"}, ""},
      {{"o1 81 C8 02", "o2 04 81 78"}, ""},
      {{"o1 81 C8 02", "o2 15 81 78 00 05"}, ""},
      {{"o1 81 C8 02", "o2 03 05"}, "object 1 refers to 2 as a metatable, which it is not\n"},
      {{"o1 81 C8 02", "o2 44 81 78"}, "object 1 refers to 2 as a metatable, which it is not\n"},
      {{"o1 81 C8 02", "x2 01 00"}, "object 1 refers to 2 as a metatable, which it is not\n"},
      {{"o1 11 01 C8 02", "o2 15 81 78 01 01 CA 00"}, ""}, /* a local object */
      {{"o1 11 01 C8 02", "o2 15 81 78 01 11 01 CA 00 C8 09"}, "object 2 refers to 9, which is not there\n"},
      {{"o1 03 05"}, "the home table is number 1, which is no table\n"},
      {{"o2 01"}, "the home table is number 1, which is no table\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hearth_backend_store *b = open_store(&usual);
    for (size_t k = 0; k < 3 && cases[i].entries[k] != NULL; k++) put_entry(b, cases[i].entries[k]);
    check(b, cases[i].problem);
  }
}

static void test_metadata(void **state) {
  (void)state;
  Metadata m = usual;
  hearth_backend_store *b = open_store(&m);
  put_entry(b, "o1 01");
  put_entry(b, "o9 01");
  check(b, "");
  m.next_id = 9;
  b = open_store(&m);
  put_entry(b, "o1 01");
  put_entry(b, "o9 01");
  check(b, "nextTableId is 9, and 9 is in use\n");
  m.memory_id = 2;
  b = open_store(&m);
  put_entry(b, "o1 01");
  check(b, "homeTableId is 1, and memoryTableId 2\n");
  m.home_id = m.memory_id = 0;
  b = open_store(&m);
  put_entry(b, "o1 01");
  check(b, "the metadata names no home table\n");
}

/* What an external table refers to. */
static void test_external_tables(void **state) {
  (void)state;
  static const struct {
    unsigned char number;
    const char *problem;
  } cases[] = {{2, ""},
               {1, "object 2 refers to 1 as an external table, which it is not\n"},
               {9, "object 2 refers to 9, which is not there\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hearth_backend_store *b = open_store(&usual);
    const unsigned char value[] = {0x00, TAG_REF, cases[i].number};
    put_entry(b, "o1 01");
    put_entry(b, "x2 00 00");
    put(b, 2, "\4k", 2, value, sizeof value);
    check(b, cases[i].problem);
  }
  hearth_backend_store *b = open_store(&usual);
  put_entry(b, "o1 01");
  put(b, 3, "\4k", 2, "\0\5", 2);
  check(b, "entries of table 3, which is no external table\n");
}

/* A page of keys that are no integers; open and verify refuse the same. */
static void test_pages(void **state) {
  (void)state;
  static const struct {
    const char *page, *problem;
  } cases[] = {{"C3 00 00 00 3F 05", ""},
               {"C4 00 00 00 00 00 00 F8 7F 05", "a NaN as a key"},
               {"C4 01 00 00 00 00 00 F0 FF 05", "a NaN as a key"},
               {"05 05", "a key that does not belong there"},
               {"C0 05", "a key that does not belong there"},
               {"C3 00 00 00 3F C0", "a nil inside a table"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unsigned char key[LAYOUT_MAX_KEY], value[32];
    const LayoutKey page = {.kind = LAYOUT_PAGE, .number = 1, .section = 1};
    hearth_backend_store *b = open_store(&usual);
    put_entry(b, "o1 0A 00 01");
    put(b, 0, key, layout_put_key(key, &page), value, read_hex(cases[i].page, value, sizeof value));
    check(b, cases[i].problem);
  }
}

/* --------------------------------------------------------- what open refuses */

/* The memory backend, opening what is open already. */
static hearth_backend_store *opened;

static hearth_status hand_over(const hearth_backend_config *config, hearth_backend_store **store, hearth_error *err) {
  (void)config, (void)err;
  *store = opened;
  return HEARTH_OK;
}

static hearth_status keep_open(hearth_backend_store *store, hearth_error *err) {
  (void)store, (void)err;
  return HEARTH_OK;
}

static hearth_status try_open(hearth_backend_store *b, hearth_error *err) {
  hearth_store *S;
  hearth_backend handed = hearth_memory_backend;
  handed.open = hand_over;
  handed.close = keep_open;
  opened = b;
  lua_State *L = new_state();
  hearth_status status = hearth_open(L, &handed, "", NULL, &S, err);
  if (status == HEARTH_OK) assert_int_equal(hearth_close(L, S), HEARTH_OK);
  lua_close(L);
  return status;
}

#define RUNNING "91 63 6F 72 6F 75 74 69 6E 65 2E 72 75 6E 6E 69 6E 67" /* "coroutine.running": gives a thread */
/* The entry of FORMAT.md's prototype, which has one upvalue. */
#define PROTOTYPE(key)                                                                                              \
  (key " 08 CB BE 57 4C C2 E1 2E 8B 02 54 00 04 08 08 01 25 00 00 00 80 84 84 00 00 02 85 09 00 00 00 15 00 00 80"  \
   "2F 00 80 06 0A 00 00 00 47 00 01 00 80 81 01 00 00 80 80 80 80 80")

/* Stores that hold what no commit writes: what open calls damaged, verify finds, and nothing else. */
static const struct {
  const char *entries[5];
  const char *problem; /* "": none */
  hearth_status opened;
  const char *says;    /* the end of what open says */
} refused[] = {
    /* Local objects of special ones. */
    {{"o1 11 01 C8 02", "o2 15 81 78 03 01 02 04 03 CA 00 CA 02 05", PROTOTYPE("c4")}, "", HEARTH_UNKNOWN, ""},
    {{"o1 11 01 C8 02", "o2 15 81 78 01 24 " RUNNING "CA 00"},
     "object 2 is damaged at byte 4 of its record: an object of a kind that belongs elsewhere\n", HEARTH_DAMAGED,
     "an object of a kind that belongs elsewhere"},
    {{"o1 11 01 C8 02", "o2 15 81 78 01 05 CA 00 05"},
     "object 2 is damaged at byte 4 of its record: an object of a kind that belongs elsewhere\n", HEARTH_DAMAGED,
     "an object of a kind that belongs elsewhere"},
    {{"o1 11 01 C8 02", "o2 15 81 78 01 06 CA 00 01"},
     "object 2 is damaged at byte 4 of its record: an object of a kind that belongs elsewhere\n", HEARTH_DAMAGED,
     "an object of a kind that belongs elsewhere"},
    {{"o1 11 01 C8 02", "o2 15 81 78 01 0A 00 00 CA 00"},
     "object 2 is damaged at byte 4 of its record: an object of a kind that belongs elsewhere\n", HEARTH_DAMAGED,
     "an object of a kind that belongs elsewhere"},
    {{"o1 11 01 C8 02", "o2 15 81 78 01 03 CA 00 05"},
     "object 2 is damaged at byte 5 of its record: a cell where a value belongs\n", HEARTH_DAMAGED,
     "a cell where a value belongs"},
    {{"o1 11 01 C8 02", "o2 15 81 78 00 C8 03", "o3 03 05"}, "object 2 refers to 3 as a value, which it is not\n",
     HEARTH_DAMAGED, "a cell where a value belongs"},
    /* Constants. */
    {{"o1 01", "c2 07 01 81 78", "c3 07 01 81 79"}, "", HEARTH_OK, ""},
    {{"o1 01", "c2 07 01 81 78", "c3 07 01 81 78"}, "constant 3: a constant that is there twice: 2 is the same\n",
     HEARTH_DAMAGED, "a constant that is there twice"},
    {{"o1 01", PROTOTYPE("c4"), PROTOTYPE("c7")}, "constant 7: a constant that is there twice: 4 is the same\n",
     HEARTH_DAMAGED, "a constant that is there twice"},
    {{"o1 01", "c2 09 00", "c3 09 00"}, "constant 3: a constant that is there twice: 2 is the same\n",
     HEARTH_DAMAGED, "a constant that is there twice"},
    {{"o1 01", "c0 07 01 81 78"}, "constant 0: no number is zero\n", HEARTH_DAMAGED, "its number is 0"},
    {{"o1 01", "o0 01"}, "object 0: no number is zero\n", HEARTH_DAMAGED, "its number is 0"},
    /* What stands for a special object without a type is a function. */
    {{"o1 11 01 C8 02", "o2 15 81 78 00 C0"}, "", HEARTH_UNKNOWN, ""},
    {{"o1 11 01 C8 02", "o2 05 00 C8 03", "o3 24 " RUNNING}, "", HEARTH_OK, ""},
    {{"o1 11 01 C8 02", "o2 05 01 02 04 CA 00 C8 03", "o3 03 05", PROTOTYPE("c4")}, "", HEARTH_RAISED,
     "returned a nil, not an object"},
    {{"o1 11 01 C8 02", "o2 05 00 C8 05", "o5 02 04 C8 03", "o3 03 05", PROTOTYPE("c4")}, "", HEARTH_RAISED,
     "returned a nil, not an object"},
    {{"o1 11 01 C8 02", "o2 05 00 C0"},
     "object 2 is damaged at byte 2 of its record: a rebuilding function that is no function\n", HEARTH_DAMAGED,
     "a rebuilding function that is no function"},
    {{"o1 11 01 C8 02", "o2 05 00 2A"},
     "object 2 is damaged at byte 2 of its record: a rebuilding function that is no function\n", HEARTH_DAMAGED,
     "a rebuilding function that is no function"},
    {{"o1 11 01 C8 02", "o2 05 01 01 CA 00"},
     "object 2 is damaged at byte 3 of its record: a rebuilding function that is no function\n", HEARTH_DAMAGED,
     "a rebuilding function that is no function"},
    {{"o1 11 01 C8 02", "o2 05 00 C8 01"}, "object 2 refers to 1 as a rebuilding function, which it is not\n",
     HEARTH_DAMAGED, "a rebuilding function that is no function"},
    {{"o1 11 01 C8 02", "o2 05 00 C8 03", "x3 00 00"},
     "object 2 refers to 3 as a rebuilding function, which it is not\n", HEARTH_DAMAGED,
     "a rebuilding function that is no function"},
    {{"o1 11 01 C8 02", "o2 05 00 C8 03", "c3 09 00"},
     "object 2 refers to 3 as a rebuilding function, which it is not\n", HEARTH_DAMAGED,
     "a rebuilding function that is no function"},
    {{"o1 11 01 C8 02", "o2 05 00 C8 03", "o3 03 05"},
     "object 2 refers to 3 as a rebuilding function, which it is not\n", HEARTH_DAMAGED,
     "a cell where a value belongs"},
    {{"o1 11 01 C8 02", "o2 05 00 C8 03", "o3 44 81 78"},
     "object 2 refers to 3 as a rebuilding function, which it is not\n", HEARTH_UNKNOWN, ""},
    /* A special object may have become a function; that this one became a thread, only Lua can tell. */
    {{"o1 11 01 C8 02", "o2 05 00 C8 03", "o3 05 00 C8 04", "o4 24 " RUNNING}, "", HEARTH_DAMAGED,
     "a rebuilding function that is no function"},
};

static void test_what_open_refuses(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    hearth_error err = {0};
    Problems problems;
    hearth_backend_store *b = open_store(&usual);
    for (size_t k = 0; k < 5 && refused[i].entries[k] != NULL; k++) put_entry(b, refused[i].entries[k]);
    assert_int_equal(verify(&hearth_memory_backend, b, &problems, NULL), HEARTH_OK);
    if (strcmp(problems.all, refused[i].problem) != 0)
      fail_msg("case %zu: '%s' instead of '%s'", i, problems.all, refused[i].problem);
    if (try_open(b, &err) != refused[i].opened || strstr(err.message, refused[i].says) == NULL)
      fail_msg("case %zu: open says '%s'", i, err.message);
    assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  }
}

/* Large strings are the same by their bytes, which are in their parts, and of a shape they are no copy. */
static void test_strings_that_are_there_twice(void **state) {
  (void)state;
  static const struct {
    const char *second, *problem;
  } cases[] = {{"abd", ""}, {"abc", "constant 3: a constant that is there twice: 2 is the same\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hearth_error err;
    hearth_backend_store *b = open_store(&usual);
    const char *const parts[] = {"abc", cases[i].second, "\1\x81x"};
    static const char *const entries[] = {"o1 01", "c2 09 03", "c3 09 03", "c4 09 03", "c5 07 01 81 78"};
    for (size_t k = 0; k < sizeof entries / sizeof *entries; k++) put_entry(b, entries[k]);
    for (size_t k = 0; k < 3; k++) {
      unsigned char key[LAYOUT_MAX_KEY];
      const LayoutKey part = {.kind = LAYOUT_CHUNK, .number = 2 + k};
      put(b, 0, key, layout_put_key(key, &part), parts[k], 3);
    }
    assert_int_equal(try_open(b, &err), i == 0 ? HEARTH_OK : HEARTH_DAMAGED);
    check(b, cases[i].problem);
  }
}

/* ------------------------------------------------- a backend that cannot read */

static long scans_left;

static hearth_status failing_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                  const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                  int *result, hearth_error *err) {
  if (scans_left-- == 0) {
    memset(err, 0, sizeof *err);
    return err->code = HEARTH_IO;
  }
  return hearth_memory_backend.scan(store, table, from, from_size, to, to_size, reverse, found, ud, result, err);
}

/* That is no problem of the store: it is told as what it is, at whatever scan. */
static void test_reading_fails(void **state) {
  (void)state;
  hearth_error err;
  Problems problems;
  hearth_backend failing = hearth_memory_backend;
  failing.scan = failing_scan;
  hearth_backend_store *b = open_store(&usual);
  put_entry(b, "o1 11 01 C8 02");
  put_entry(b, "x2 00 00");
  put_entry(b, "c3 07 01 81 78");
  put(b, 2, "\4k", 2, "\0\5", 2);
  hearth_status status = HEARTH_IO;
  long n = 0;
  for (; status != HEARTH_OK; n++) {
    scans_left = n;
    status = verify(&failing, b, &problems, n % 2 ? &err : NULL);
    assert_int_equal(status, scans_left < 0 ? HEARTH_IO : HEARTH_OK);
    assert_int_equal(problems.count, 0);
  }
  assert_true(n > 5);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_entries_that_do_not_fit), cmocka_unit_test(test_metadata),
      cmocka_unit_test(test_external_tables),         cmocka_unit_test(test_pages),
      cmocka_unit_test(test_what_open_refuses),       cmocka_unit_test(test_strings_that_are_there_twice),
      cmocka_unit_test(test_reading_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
