/* Rows that are not what Hearth wrote: keys that no store has, values whose checksum is another one. */
#include "postgres_testing.h"

static hearth_error err;

static int count_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)value, (void)size;
  assert_true(key_size <= HEARTH_MAX_KEY);
  ++*(size_t *)ud;
  return 0;
}

static hearth_status scan_all(hearth_backend_store *store, bool reverse, size_t *seen) {
  int result;
  *seen = 0;
  return postgres->scan(store, 1, NULL, 0, NULL, 0, reverse, count_entry, seen, &result, &err);
}

static void change(const char *sql) {
  (void)server_run(&server, sql);
}

/* Nobody's buffer for keys has room for it: a scan stops there, whichever page it is on, and the store lives. */
static void keys_that_no_store_has(void **state) {
  (void)state;
  enum { MANY = 100 };
  hearth_backend_store *store = must_open("long keys", 0);
  size_t seen;
  for (int i = 0; i < MANY; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %03d", i);
    MUST(HEARTH_OK, put_number(store, 1, key, 7, HEARTH_VISIBLE, &err));
  }
  static unsigned char longest[HEARTH_MAX_KEY + 1];
  memset(longest, 'k', sizeof longest);
  hearth_op op = {HEARTH_PUT, 1, longest, HEARTH_MAX_KEY, "x", 1};
  MUST(HEARTH_OK, postgres->submit(store, &op, 1, 0, HEARTH_DURABLE, NULL, &err));
  MUST(HEARTH_OK, scan_all(store, false, &seen));
  assert_int_equal(seen, MANY + 1);
  static const char *const firsts[] = {"00", "6b657920303530", "ff"}; /* of the key: first, in the middle, last */
  for (int i = 0; i < 3; i++) {
    char sql[400];
    (void)snprintf(sql, sizeof sql, "INSERT INTO hearth_entry SELECT id, 1, '\\x%s'::bytea ||"
                   " decode(repeat('00', 1025), 'hex'), 'x', 0 FROM hearth_store WHERE name = 'long keys'", firsts[i]);
    change(sql);
    for (int reverse = 0; reverse < 2; reverse++) {
      MUST(HEARTH_DAMAGED, scan_all(store, reverse != 0, &seen));
      assert_non_null(strstr(err.message, "is longer than 1024 bytes"));
      assert_true(seen <= MANY + 1);
    }
    change("DELETE FROM hearth_entry WHERE octet_length(key) > 1024");
    MUST(HEARTH_OK, scan_all(store, false, &seen));
    assert_int_equal(seen, MANY + 1);
  }
  MUST(HEARTH_OK, put_number(store, 1, "after", 1, HEARTH_DURABLE, &err));
  hearth_op longer = {HEARTH_PUT, 1, longest, sizeof longest, "x", 1};
  MUST(HEARTH_TOOBIG, postgres->submit(store, &longer, 1, 0, HEARTH_DURABLE, NULL, &err));
  must_close(store);
}

/* Told wherever the entry is read, and nothing of it is passed on; it can be written again. */
static void values_that_changed(void **state) {
  (void)state;
  static const char *const changes[] = {
      "UPDATE hearth_entry SET value = set_bit(value, 3, 1 - get_bit(value, 3)) WHERE key = 'k5'",
      "UPDATE hearth_entry SET value = value || '\\x00' WHERE key = 'k5'",
      "UPDATE hearth_entry SET checksum = checksum + 1 WHERE key = 'k5'"};
  hearth_backend_store *store = must_open("damage", 0);
  uint64_t n;
  size_t seen;
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    for (char key[3] = "k0"; key[1] <= '9'; key[1]++)
      MUST(HEARTH_OK, put_number(store, 1, key, (uint64_t)key[1], HEARTH_VISIBLE, &err));
    MUST(HEARTH_OK, scan_all(store, false, &seen));
    change(changes[i]);
    MUST(HEARTH_DAMAGED, get_number(store, 1, "k5", &n, &err));
    assert_non_null(strstr(err.message, "table 1 has an entry whose checksum is wrong"));
    MUST(HEARTH_DAMAGED, scan_all(store, false, &seen));
    assert_int_equal(seen, 5);
    MUST(HEARTH_DAMAGED, scan_all(store, true, &seen));
    assert_int_equal(seen, 4);
    MUST(HEARTH_OK, get_number(store, 1, "k6", &n, &err));
    MUST(HEARTH_OK, put_number(store, 1, "k5", 5, HEARTH_DURABLE, &err));
    MUST(HEARTH_OK, scan_all(store, false, &seen));
    assert_int_equal(seen, 10);
  }
  /* an entry that is in the place of another one */
  change("UPDATE hearth_entry SET key = 'k55' WHERE key = 'k5'");
  MUST(HEARTH_NOTFOUND, get_number(store, 1, "k5", &n, &err));
  MUST(HEARTH_DAMAGED, get_number(store, 1, "k55", &n, &err));
  MUST(HEARTH_DAMAGED, scan_all(store, false, &seen));
  must_close(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_that_no_store_has),
      cmocka_unit_test(values_that_changed),
  };
  return cmocka_run_group_tests_name("postgres damage", tests, begin_server, end_server);
}
