/* Read-only openers beside a writer: every read is of one commit, or stale. And tables that are larger than a page. */
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "postgres_testing.h"

#define LOOKS 150
#define ENTRIES 60

static hearth_error err;

static uint64_t common, count;

static int must_be_common(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                          size_t value_size) {
  uint64_t n;
  (void)ud, (void)table, (void)key, (void)key_size;
  if (value_size != sizeof n) return 8;
  memcpy(&n, value, sizeof n);
  if (count++ == 0) common = n;
  return n == common ? 0 : 9;
}

static hearth_status submit_all(hearth_backend_store *store, uint64_t n) {
  hearth_op ops[ENTRIES + 1];
  char keys[ENTRIES][8];
  ops[0] = (hearth_op){HEARTH_DROP, 1, NULL, 0, NULL, 0}; /* what is there is all new each time */
  for (unsigned i = 0; i < ENTRIES; i++) {
    (void)snprintf(keys[i], sizeof keys[i], "k%02u", i);
    ops[i + 1] = (hearth_op){HEARTH_PUT, 1, keys[i], 3, &n, sizeof n};
  }
  return postgres->submit(store, ops, ENTRIES + 1, 0, HEARTH_VISIBLE, NULL, &err);
}

static void write_for_ever(void) {
  hearth_backend_store *store;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (open_named("beside", 0, &store, &err) != HEARTH_OK) _exit(3);
  for (uint64_t n = sequence_of(store) + 1;; n++)
    if (submit_all(store, n) != HEARTH_OK) _exit(4);
}

/* One look: a scan and a get, with a poll and a session's end in between now and then. The batch that it saw. */
static uint64_t look(hearth_backend_store *reader, size_t i) {
  uint64_t n = 0;
  int result = 0;
  count = 0;
  hearth_status status = postgres->scan(reader, 1, NULL, 0, NULL, 0, i % 2 == 0, must_be_common, NULL, &result, &err);
  if (status == HEARTH_STALE) return 0;
  MUST(HEARTH_OK, status);
  assert_int_equal(result, 0);
  assert_int_equal(count, ENTRIES);
  if (i % 10 == 9)
    (void)server_run(&server, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                              " WHERE application_name = 'reader'");
  status = get_number(reader, 1, "k33", &n, &err);
  if (status == HEARTH_IO) status = get_number(reader, 1, "k33", &n, &err); /* it may be tried again */
  if (status == HEARTH_STALE) return 0;
  MUST(HEARTH_OK, status);
  assert_int_equal(n, common);
  assert_int_equal(sequence_of(reader), n);
  return n;
}

static void every_read_is_of_one_commit(void **state) {
  (void)state;
  char location[700];
  hearth_backend_store *reader, *first = must_open("beside", 0);
  size_t stale = 0, polls = 0, looks = rounds(LOOKS);
  uint64_t batches = 0, last = 0;
  MUST(HEARTH_OK, submit_all(first, 1));
  must_close(first);
  pid_t writer = fork();
  if (writer == 0) write_for_ever();
  server_location(&server, "application_name=reader&", "beside", location, sizeof location);
  MUST(HEARTH_OK, open_at(location, HEARTH_OPEN_READONLY, &reader, &err));
  for (size_t i = 0; i < looks; i++) {
    uint64_t n = look(reader, i);
    stale += n == 0;
    if (n != 0) assert_true(n >= last);
    if (n > last) batches++;
    if (n != 0) last = n;
    hearth_status status = postgres->poll(reader, &err);
    if (status == HEARTH_IO && i % 10 == 9) status = postgres->poll(reader, &err);
    if (status != HEARTH_OK) MUST(HEARTH_STALE, status);
    polls += status == HEARTH_STALE;
    /* it shows what it showed */
    if (status == HEARTH_STALE && n != 0 && i % 10 != 9) assert_int_equal(look(reader, 0), n);
    if (i % 3 != 2) MUST(HEARTH_OK, postgres->refresh(reader, &err));
  }
  must_close(reader);
  assert_int_equal(kill(writer, SIGKILL), 0);
  assert_int_equal(waitpid(writer, NULL, 0), writer);
  printf("figure: postgres: %zu looks of a reader beside a writer: each of one commit (%" PRIu64 " commits), or"
         " stale (%zu);"
         " poll said stale %zu times\n", looks, batches, stale, polls);
  assert_true(batches > looks / 10);
  assert_true(stale > 0 && polls > 0);
}

/* A standby follows; it is a place to read. */
static void a_server_in_recovery_is_read(void **state) {
  (void)state;
  hearth_backend_store *store = must_open("standby", 0), *reader;
  uint64_t n = 0;
  char location[700];
  MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  Server standby;
  server_follow(&standby, &server);
  server_location(&standby, "", "standby", location, sizeof location);
  MUST(HEARTH_OK, open_at(location, HEARTH_OPEN_READONLY, &reader, &err));
  MUST(HEARTH_OK, get_number(reader, 1, "n", &n, &err));
  assert_int_equal(n, 1);
  MUST(HEARTH_OK, put_number(store, 1, "n", 2, HEARTH_DURABLE, &err));
  hearth_status status = HEARTH_OK;
  for (int i = 0; i < 3000 && (status = postgres->poll(reader, &err)) == HEARTH_OK; i++) nap(20);
  MUST(HEARTH_STALE, status);
  MUST(HEARTH_OK, get_number(reader, 1, "n", &n, &err));
  assert_int_equal(n, 1);
  MUST(HEARTH_OK, postgres->refresh(reader, &err));
  MUST(HEARTH_OK, get_number(reader, 1, "n", &n, &err));
  assert_int_equal(n, 2);
  must_close(reader);
  must_close(store);
  hearth_backend_store *writer;
  MUST(HEARTH_READONLY, open_at(location, 0, &writer, &err));
  server_end(&standby);
}

/* ----------------------------------------------------------- large tables */

typedef struct Walk {
  uint64_t expected, step; /* the next number */
  uint64_t left;           /* stop after so many; 0: never */
} Walk;

static int walk(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Walk *w = ud;
  char name[16];
  (void)table, (void)value, (void)value_size;
  (void)snprintf(name, sizeof name, "%08" PRIu64, w->expected);
  if (key_size != 8 || memcmp(key, name, 8) != 0) return 9;
  w->expected += w->step;
  return w->left > 0 && --w->left == 0 ? 5 : 0;
}

#define LARGE 20000

static void large_tables_come_in_pages(void **state) {
  (void)state;
  hearth_backend_store *store = must_open("large", 0);
  static hearth_op ops[LARGE];
  static char keys[LARGE][16];
  static unsigned char value[3000];
  int result;
  for (unsigned i = 0; i < LARGE; i++) {
    (void)snprintf(keys[i], sizeof keys[i], "%08u", i);
    ops[i] = (hearth_op){HEARTH_PUT, 5, keys[i], 8, value, i % 1000 == 7 ? sizeof value : i % 50};
  }
  MUST(HEARTH_OK, postgres->submit(store, ops, LARGE, 0, HEARTH_DURABLE, NULL, &err));
  for (int reverse = 0; reverse < 2; reverse++) {
    Walk all = {.expected = reverse ? LARGE - 1 : 0, .step = reverse ? UINT64_MAX : 1};
    MUST(HEARTH_OK, postgres->scan(store, 5, NULL, 0, NULL, 0, reverse, walk, &all, &result, &err));
    assert_int_equal(result, 0);
    assert_true(all.expected == (reverse ? UINT64_MAX : LARGE));
    const uint64_t stops[] = {1, 15, 16, 17, 79, 80, 81, 5000};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
      Walk some = {.expected = reverse ? 18999 : 1000, .step = all.step, .left = stops[i]};
      MUST(HEARTH_OK, postgres->scan(store, 5, "00001000", 8, "00019000", 8, reverse, walk, &some, &result, &err));
      assert_int_equal(result, 5);
      assert_true(some.left == 0);
    }
  }
  must_close(store);
}

static int is_large(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  (void)table, (void)key, (void)key_size;
  *(size_t *)ud = value_size;
  const unsigned char *bytes = value;
  for (size_t i = 0; i < value_size; i += 4099)
    if (bytes[i] != (unsigned char)(i * 7)) return 9;
  return 0;
}

static void large_values(void **state) {
  (void)state;
  const size_t size = (size_t)40 << 20;
  hearth_backend_store *store = must_open("values", 0);
  unsigned char *value = malloc(size);
  size_t got = 0;
  assert_non_null(value);
  for (size_t i = 0; i < size; i++) value[i] = (unsigned char)(i * 7);
  hearth_op ops[] = {{HEARTH_PUT, 1, "big", 3, value, size}, {HEARTH_PUT, 1, "a", 1, value, size / 8}};
  MUST(HEARTH_OK, postgres->submit(store, ops, 2, 0, HEARTH_DURABLE, NULL, &err));
  assert_int_equal(postgres->get(store, 1, "big", 3, is_large, &got, &err), HEARTH_OK);
  assert_true(got == size);
  ops[0].kind = HEARTH_CHECK_EQUAL;
  ops[1].kind = HEARTH_DEL;
  MUST(HEARTH_OK, postgres->submit(store, ops, 2, 0, HEARTH_DURABLE, NULL, &err));
  ops[0].kind = HEARTH_PUT;
  ops[0].value_size = ((size_t)512 << 20) + 1;
  MUST(HEARTH_TOOBIG, postgres->submit(store, ops, 1, 0, HEARTH_DURABLE, NULL, &err));
  assert_int_equal(sequence_of(store), 2);
  free(value);
  must_close(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_read_is_of_one_commit),
      cmocka_unit_test(a_server_in_recovery_is_read),
      cmocka_unit_test(large_tables_come_in_pages),
      cmocka_unit_test(large_values),
  };
  return cmocka_run_group_tests_name("postgres readers", tests, begin_server, end_server);
}
