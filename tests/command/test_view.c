/*
** The reader without Lua: over a blob of all kinds, over every truncated prefix and every flipped bit of it.
*/
#include "view_testing.h"

static void blob_of_all_kinds(void **state) {
  (void)state;
  static const unsigned flags[] = {0, HEARTH_STRIP};
  for (size_t i = 0; i < 2; i++) {
    hearth_error err;
    Seen seen = {0};
    size_t size;
    lua_State *L = new_state();
    unsigned char *bytes = encode(L, flags[i], &size);
    if (try_blob(bytes, size, &seen, &err) != HEARTH_OK) fail_msg("%s", err.message);
    assert_int_equal(seen.failures, 0);
    assert_true(seen.kinds[OBJECT_TABLE] >= 10);
    assert_int_equal(seen.kinds[OBJECT_CLOSURE], 4); /* up, down, __persist and what it returned */
    assert_true(seen.kinds[OBJECT_CELL] >= 4);
    assert_true(seen.kinds[OBJECT_PERMANENT] >= 2);
    assert_int_equal(seen.kinds[OBJECT_SPECIAL], 1);
    free(bytes);
    lua_close(L);
  }
}

static void check_paths(View *v, const char *root) {
  for (size_t i = 0; i + 1 < sizeof path_cases / sizeof *path_cases; i++)
    check_path(v, path_cases[i].path, path_cases[i].expected);
  static const struct PathCase failures[] = {
    {"nothing", ".nothing: there is nothing at this path"},
    {"name.x", ".name.x: there is nothing at this path"},
    {"nested.nothing.x", ".nested.nothing: there is nothing at this path"},
    {"[4711]", "[4711]: there is nothing at this path"},
    {"up^nothing", ".up^nothing: there is nothing at this path"},
  };
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    char expected[200];
    (void)snprintf(expected, sizeof expected, "%s%s", root, failures[i].expected);
    check_path(v, failures[i].path, expected);
  }
  static const char *const bad[] = {".",     "a..b",  "a[",   "a[]",    "a[1",    "a b", "[\"x]", "['\\q']",
                                    "[nil]", "a]",    "^",    "a^",     "[1e]",   "[-]", "[--1]", "['\\999']",
                                    "[\"",   "['\\x", "a[ 1]", "a[1 ]", "a['b'x]"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    hearth_error err;
    ViewTarget t;
    view_target_init(&t, v);
    hearth_status status = view_resolve(&t, bad[i], &err);
    if (status == HEARTH_OK || strchr(err.message, '\n') != NULL) fail_msg("%s was taken", bad[i]);
    view_target_free(&t);
  }
}

static void paths_in_a_blob(void **state) {
  (void)state;
  hearth_error err;
  size_t size;
  View v;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  assert_int_equal(view_open_blob(&v, bytes, size, &hearth_libc_allocator, &err), HEARTH_OK);
  check_paths(&v, "root");
  check_path(&v, "root.name", "\"Ann\"");
  check_path(&v, "root[1]", "1");
  view_close(&v);
  free(bytes);
  lua_close(L);
}

static void every_prefix_of_a_blob(void **state) {
  (void)state;
  hearth_error err;
  Seen seen = {0};
  size_t size;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  for (size_t n = 0; n < size; n++) {
    assert_int_equal(try_blob(bytes, n, &seen, &err), HEARTH_DAMAGED);
    assert_true(err.position <= n);
    assert_non_null(strstr(err.message, "at byte"));
  }
  free(bytes);
  lua_close(L);
}

/* What the decoder takes, the reader takes: they know the same format. */
static void every_flipped_bit_of_a_blob(void **state) {
  (void)state;
  hearth_error err;
  hearth_codec_options trusted = {.size = sizeof trusted, .flags = HEARTH_TRUSTED | HEARTH_PLACEHOLDERS};
  size_t size, taken = 0;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  for (size_t i = 0; i < size; i++) {
    for (unsigned bit = 0; bit < 9; bit++) {
      Seen seen = {0};
      unsigned char mask = bit < 8 ? (unsigned char)(1u << bit) : 0xFF;
      bytes[i] ^= mask;
      hearth_status status = try_blob(bytes, size, &seen, &err);
      assert_true(status == HEARTH_OK || status == HEARTH_DAMAGED || status == HEARTH_VERSION);
      if (status == HEARTH_OK) {
        taken++;
        assert_int_equal(seen.failures, 0);
      } else if (hearth_decode(L, bytes, size, &trusted, NULL) == HEARTH_OK) {
        fail_msg("byte %zu, mask %02x: decoded, but the reader says: %s", i, mask, err.message);
      }
      lua_settop(L, 0);
      bytes[i] ^= mask;
    }
  }
  assert_true(taken > 0); /* flips inside strings and numbers */
  free(bytes);
  lua_close(L);
}

/* Blobs made by hand: what the decoder calls damaged whatever names mean, the reader calls the same. */
static void what_the_decoder_refuses(void **state) {
  (void)state;
  static const struct {
    const char *bytes; /* in hex, from the counts of the header on */
    const char *why;   /* NULL: both take it */
  } cases[] = {
      {"00 00 01 01  03  C9  01", "a cell where a value belongs"},
      {"00 00 01 01  03  C8 01  01", "a cell where a value belongs"},
      {"00 00 01 03  44 81 61  C9", "a cell where a value belongs"},
      {"00 00 01 03  04 81 61  C9", NULL},
      {"00 00 01 01  05  C9  C0", "a rebuilding function that is no function"},
      {"00 00 01 01  05  C9  2A", "a rebuilding function that is no function"},
      {"00 00 01 01  05  C9  81 78", "a rebuilding function that is no function"},
      {"00 00 02 02  05 01  C9  C9", "a rebuilding function that is no function"},
      {"00 00 02 02  05 06  C9  C9  01", "a rebuilding function that is no function"},
      {"00 00 02 02  05 03  C9  C9  01", "a cell where a value belongs"},
      {"00 00 02 14  05 24 91 63 6F 72 6F 75 74 69 6E 65 2E 72 75 6E 6E 69 6E 67  C9  C9", NULL},
  };
  hearth_codec_options trusted = {.size = sizeof trusted, .flags = HEARTH_TRUSTED | HEARTH_PLACEHOLDERS};
  lua_State *L = new_state();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *why = cases[i].why;
    hearth_error err, decoders;
    Seen seen = {0};
    unsigned char bytes[64] = "\xCE\x48\x74\x68\1\1\0\x54\x88";
    size_t size = 9 + read_hex(cases[i].bytes, bytes + 9, sizeof bytes - 9);
    hearth_status status = try_blob(bytes, size, &seen, &err);
    hearth_status decoded = hearth_decode(L, bytes, size, &trusted, &decoders);
    if (status != (why != NULL ? HEARTH_DAMAGED : HEARTH_OK) || decoded != status)
      fail_msg("%s: '%s', and the decoder: '%s'", cases[i].bytes, err.message, decoders.message);
    if (why != NULL) {
      assert_non_null(strstr(err.message, why));
      assert_non_null(strstr(decoders.message, why));
    }
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void no_memory_for_a_blob(void **state) {
  (void)state;
  size_t size;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  bool failed = true;
  for (long n = 0; failed; n++) {
    hearth_error err;
    Failing f = {n, false};
    hearth_allocator a = {failing_alloc, &f};
    View v;
    ViewTarget t;
    hearth_status status = view_open_blob(&v, bytes, size, &a, &err);
    if (status == HEARTH_OK) {
      view_target_init(&t, &v);
      status = view_resolve(&t, "up^shared", &err);
      view_target_free(&t);
    }
    view_close(&v);
    failed = f.failed;
    if (status != (failed ? HEARTH_NOMEM : HEARTH_OK)) fail_msg("allocation %ld: %d, %s", n, status, err.message);
  }
  free(bytes);
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blob_of_all_kinds),
      cmocka_unit_test(paths_in_a_blob),
      cmocka_unit_test(every_prefix_of_a_blob),
      cmocka_unit_test(every_flipped_bit_of_a_blob),
      cmocka_unit_test(what_the_decoder_refuses),
      cmocka_unit_test(no_memory_for_a_blob),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
