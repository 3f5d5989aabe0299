/*
** The reader without Lua: over a store of all kinds, over every truncated prefix and every flipped byte of its
** entries.
*/
#include "view_testing.h"

#define MOST_ENTRIES 4096

typedef struct Entry {
  uint64_t table;
  unsigned char *key, *value;
  size_t key_size, value_size;
} Entry;

typedef struct Entries {
  Entry items[MOST_ENTRIES];
  size_t count;
} Entries;

static unsigned char *copy_of(const void *bytes, size_t size) {
  unsigned char *copy = malloc(size + 1);
  assert_non_null(copy);
  if (size > 0) memcpy(copy, bytes, size);
  return copy;
}

static int keep_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Entries *all = ud;
  assert_true(all->count < MOST_ENTRIES);
  all->items[all->count++] =
      (Entry){table, copy_of(key, key_size), copy_of(value, value_size), key_size, value_size};
  return 0;
}

static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  uint64_t *last = ud;
  *last = table;
  return 0;
}

static const char store_code[] =
    "for k, v in pairs(t) do _home[k] = v end\n"
    "_home.self, _home[t] = _home, nil\n"
    "_home[_home] = _home.nested\n"
    "_home.big = {}\n"
    "for i = 1, 60 do _home.big[i], _home.big['k' .. i], _home.big[-i * 1000] = i, {i}, 'v' .. i end\n"
    "_home.text = ('large '):rep(200)\n"
    "_home.big[('K'):rep(100)] = 'long key'\n"
    "_home.e = ext.table()\n"
    "_home.e.a, _home.e[1], _home.e[2.5], _home.e[true], _home.e.s = 1, 2.5, 'x', false, ('s'):rep(100)\n"
    "_home.e.f = function() return 1 end\n"
    "_home.e.t = {inner = {deep = 'down'}}\n";

/* What a store of all kinds holds. Made in a file, and read out of it through the backend. */
static Entries *make_entries(void) {
  hearth_error err;
  char path[] = "/tmp/hearth-view-XXXXXX";
  char folder_store[64];
  hearth_store *store;
  hearth_options options = {.size = sizeof options, .page_size = 128};
  Entries *all = calloc(1, sizeof *all);
  assert_non_null(all);
  assert_non_null(mkdtemp(path));
  (void)snprintf(folder_store, sizeof folder_store, "%s/s", path);
  lua_State *L = new_state();
  if (hearth_open(L, &hearth_file_backend, folder_store, &options, &store, &err) != HEARTH_OK)
    fail_msg("%s", err.message);
  assert_int_equal(hearth_install(L, store), HEARTH_OK);
  lua_pushfstring(L, "%s%s", all_kinds, store_code);
  if (luaL_dostring(L, lua_tostring(L, -1))) fail_msg("%s", lua_tostring(L, -1));
  if (hearth_commit(L, store, HEARTH_COMPLETE, &err) != HEARTH_OK) fail_msg("%s", err.message);
  assert_int_equal(hearth_close(L, store), HEARTH_OK);
  lua_close(L);
  hearth_backend_store *b;
  hearth_backend_config config = {.size = sizeof config, .location = folder_store, .flags = HEARTH_OPEN_READONLY};
  assert_int_equal(hearth_file_backend.open(&config, &b, &err), HEARTH_OK);
  uint64_t last = 0;
  int result;
  assert_int_equal(hearth_file_backend.tables(b, note_table, &last, &result, &err), HEARTH_OK);
  assert_true(last > 0); /* an external table */
  for (uint64_t table = 0; table <= last; table++)
    assert_int_equal(hearth_file_backend.scan(b, table, NULL, 0, NULL, 0, false, keep_entry, all, &result, &err),
                     HEARTH_OK);
  assert_int_equal(hearth_file_backend.close(b, &err), HEARTH_OK);
  (void)unlink(folder_store);
  (void)snprintf(folder_store, sizeof folder_store, "%s/s.ballast", path);
  (void)unlink(folder_store);
  (void)rmdir(path);
  return all;
}

static void free_entries(Entries *all) {
  for (size_t i = 0; i < all->count; i++) {
    free(all->items[i].key);
    free(all->items[i].value);
  }
  free(all);
}

static hearth_backend_store *open_memory(void) {
  hearth_error err;
  hearth_backend_store *b;
  hearth_backend_config config = {.size = sizeof config};
  assert_int_equal(hearth_memory_backend.open(&config, &b, &err), HEARTH_OK);
  return b;
}

/* value NULL deletes. */
static void put_entry(hearth_backend_store *b, const Entry *e, const void *value, size_t size) {
  hearth_error err;
  hearth_op op = {value != NULL ? HEARTH_PUT : HEARTH_DEL, e->table, e->key, e->key_size, value, size};
  assert_int_equal(hearth_memory_backend.submit(b, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, NULL, &err), HEARTH_OK);
}

static hearth_backend_store *open_entries(const Entries *all) {
  hearth_backend_store *b = open_memory();
  for (size_t i = 0; i < all->count; i++) put_entry(b, &all->items[i], all->items[i].value, all->items[i].value_size);
  return b;
}

typedef struct Problems {
  uint64_t count;
  char first[512];
} Problems;

static void on_problem(void *ud, const char *message) {
  Problems *p = ud;
  assert_null(strchr(message, '\n'));
  if (p->count++ == 0) (void)snprintf(p->first, sizeof p->first, "%s", message);
}

static void on_step(void *ud, uint64_t done) {
  (void)ud;
  assert_true(done > 0);
}

/* Opens, verifies, and follows paths: false when anything at all was wrong. */
static bool read_store(hearth_backend_store *b, Problems *problems, bool paths) {
  hearth_error err;
  View v;
  ViewVerify verify = {.problem = on_problem, .step = on_step, .ud = problems};
  hearth_status status = view_open_store(&v, &hearth_memory_backend, b, &hearth_libc_allocator, &err);
  if (status == HEARTH_OK) {
    status = view_verify(&v, &verify, &err);
    assert_int_equal(problems->count, verify.problems);
    for (size_t i = 0; paths && i < sizeof path_cases / sizeof *path_cases; i++) {
      ViewTarget t;
      view_target_init(&t, &v);
      (void)view_resolve(&t, path_cases[i].path, &err);
      view_target_free(&t);
    }
  }
  view_close(&v);
  return status == HEARTH_OK && problems->count == 0;
}

static void store_of_all_kinds(void **state) {
  (void)state;
  hearth_error err;
  View v;
  Problems problems = {0};
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  if (!read_store(b, &problems, true)) fail_msg("%s", problems.first);
  assert_int_equal(view_open_store(&v, &hearth_memory_backend, b, &hearth_libc_allocator, &err), HEARTH_OK);
  check_path(&v, "_home.name", "\"Ann\"");
  check_path(&v, "big[7]", "7");
  check_path(&v, "big.k60[1]", "60");
  check_path(&v, "big[-60000]", "\"v60\"");
  check_path(&v, "big", "table of 181 ");
  char long_key[128] = "big.";
  memset(long_key + 4, 'K', 100);
  check_path(&v, long_key, "\"long key\"");
  check_path(&v, "text", "string of 1200 bytes ");
  check_path(&v, "e", "external table ");
  check_path(&v, "e.a", "1");
  check_path(&v, "e[1]", "2.5");
  check_path(&v, "e[2.5]", "\"x\"");
  check_path(&v, "e[true]", "false");
  check_path(&v, "e.t.inner.deep", "\"down\"");
  check_path(&v, "e.f", "function ");
  check_path(&v, "e.nothing", "_home.e.nothing: there is nothing at this path");
  check_path(&v, "self.self.nested.nested.name", "\"Cyn\"");
  check_path(&v, "up^shared", "0");
  check_path(&v, "vec^y[1]", "2");
  view_close(&v);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

/* Records say where they end, so that a shorter one is never taken. */
static void every_prefix_of_an_entry(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  for (size_t i = 0; i < all->count; i++) {
    const Entry *e = &all->items[i];
    for (size_t n = 0; n < e->value_size; n++) {
      Problems problems = {0};
      put_entry(b, e, e->value, n);
      if (read_store(b, &problems, n % 8 == 0)) fail_msg("entry %zu cut to %zu bytes was taken", i, n);
    }
    put_entry(b, e, e->value, e->value_size);
  }
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void every_flipped_byte_of_an_entry(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  size_t taken = 0;
  for (size_t i = 0; i < all->count; i++) {
    const Entry *e = &all->items[i];
    for (size_t n = 0; n < e->value_size; n++) {
      static const unsigned char masks[] = {0x01, 0x10, 0x80, 0xFF};
      for (size_t m = 0; m < sizeof masks; m++) {
        Problems problems = {0};
        e->value[n] ^= masks[m];
        put_entry(b, e, e->value, e->value_size);
        taken += read_store(b, &problems, n % 8 == 0);
        e->value[n] ^= masks[m];
      }
    }
    put_entry(b, e, e->value, e->value_size);
  }
  assert_true(taken > 0);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void every_missing_entry(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  for (size_t i = 0; i < all->count && all->items[i].table == 0; i++) {
    Problems problems = {0};
    put_entry(b, &all->items[i], NULL, 0);
    if (read_store(b, &problems, true)) fail_msg("entry %zu is missing, and nothing was said", i);
    put_entry(b, &all->items[i], all->items[i].value, all->items[i].value_size);
  }
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void strange_entries(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  static const struct Strange {
    uint64_t table;
    const char *key;
    size_t size;
  } strange[] = {
    {0, "z", 1}, {0, "m2", 2}, {0, "o\0\0\0\0\0\xFF\xFF", 8}, {0, "c\0\0\0\0\0\0\1\0\0\0\0", 12},
    {0, "o\0\0\0\0\0\0\2\1\0\0\0\0\0\0\0\0\0", 18}, {9999, "\4x", 2},
  };
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    Problems problems = {0};
    Entry e = {strange[i].table, copy_of(strange[i].key, strange[i].size), NULL, strange[i].size, 0};
    put_entry(b, &e, "\0\1", 2);
    if (read_store(b, &problems, true)) fail_msg("strange entry %zu, and nothing was said", i);
    put_entry(b, &e, NULL, 0);
    free(e.key);
  }
  Problems problems = {0};
  if (!read_store(b, &problems, true)) fail_msg("%s", problems.first);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void no_memory_for_a_store(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  bool failed = true;
  for (long n = 0; failed; n++) {
    Failing f = {n, false};
    hearth_allocator a = {failing_alloc, &f};
    View v;
    ViewTarget t;
    Problems problems = {0};
    ViewVerify verify = {.problem = on_problem, .step = on_step, .ud = &problems};
    hearth_status status = view_open_store(&v, &hearth_memory_backend, b, &a, &err);
    if (status == HEARTH_OK) {
      view_target_init(&t, &v);
      status = view_resolve(&t, "e.f", &err);
      view_target_free(&t);
    }
    if (status == HEARTH_OK) status = view_verify(&v, &verify, &err);
    view_close(&v);
    failed = f.failed;
    if (status != (failed ? HEARTH_NOMEM : HEARTH_OK)) fail_msg("allocation %ld: %d, %s", n, status, err.message);
    assert_int_equal(problems.count, 0);
  }
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void empty_store(void **state) {
  (void)state;
  hearth_error err;
  View v;
  hearth_backend_store *b = open_memory();
  assert_int_equal(view_open_store(&v, &hearth_memory_backend, b, &hearth_libc_allocator, &err), HEARTH_NOTSTORE);
  view_close(&v);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(store_of_all_kinds),
      cmocka_unit_test(every_prefix_of_an_entry),
      cmocka_unit_test(every_flipped_byte_of_an_entry),
      cmocka_unit_test(every_missing_entry),
      cmocka_unit_test(strange_entries),
      cmocka_unit_test(empty_store),
      cmocka_unit_test(no_memory_for_a_store),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
