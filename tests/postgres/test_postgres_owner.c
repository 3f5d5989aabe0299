/* One writer: who is told what when there are two, when the lock, the token or the connection is lost. */
#include <fcntl.h>
#include <sys/wait.h>

#include "postgres_testing.h"

static hearth_error err;

static void a_second_opener_is_told_who_has_it(void **state) {
  (void)state;
  hearth_backend_store *one = must_open("owner", 0), *two, *reader;
  char pid[40];
  MUST(HEARTH_OK, put_number(one, 1, "n", 1, HEARTH_DURABLE, &err));
  MUST(HEARTH_BUSY, open_named("owner", 0, &two, &err));
  (void)snprintf(pid, sizeof pid, "process %s ", server_run(&server,
                 "SELECT pid FROM pg_stat_activity WHERE application_name = 'hearth'"));
  if (strstr(err.message, pid) == NULL) fail_msg("not '%s': %s", pid, err.message);
  reader = must_open("owner", HEARTH_OPEN_READONLY);
  must_close(reader);
  MUST(HEARTH_OK, put_number(one, 1, "n", 2, HEARTH_DURABLE, &err));
  must_close(one);
  char token[60];
  (void)snprintf(token, sizeof token, "%s", server_run(&server, "SELECT owner FROM hearth_store WHERE name = 'owner'"));
  two = must_open("owner", 0);
  assert_string_not_equal(server_run(&server, "SELECT owner FROM hearth_store WHERE name = 'owner'"), token);
  assert_int_equal(sequence_of(two), 2);
  must_close(two);
}

static void stores_are_apart(void **state) {
  (void)state;
  hearth_backend_store *stores[5];
  char name[20];
  uint64_t n;
  for (unsigned i = 0; i < 5; i++) {
    (void)snprintf(name, sizeof name, "apart %u", i);
    stores[i] = must_open(name, 0);
  }
  for (unsigned i = 0; i < 5; i++)
    for (unsigned k = 0; k <= i; k++) MUST(HEARTH_OK, put_number(stores[i], 1, "n", i, HEARTH_COMPLETE, &err));
  for (unsigned i = 0; i < 5; i++) {
    assert_int_equal(sequence_of(stores[i]), i + 1);
    MUST(HEARTH_OK, get_number(stores[i], 1, "n", &n, &err));
    assert_int_equal(n, i);
    must_close(stores[i]);
  }
}

/* The session ends, and the lock with it: whoever had it is dead, whoever comes next gets everything. */
static void a_lost_session_is_a_dead_store(void **state) {
  (void)state;
  uint64_t n;
  for (int first = 0; first < 3; first++) {
    hearth_backend_store *one = must_open("lost", 0), *two;
    uint64_t sequence = sequence_of(one);
    MUST(HEARTH_OK, put_number(one, 1, "n", 10, HEARTH_DURABLE, &err));
    end_sessions();
    two = must_open("lost", 0);
    MUST(HEARTH_OK, put_number(two, 1, "n", 11, HEARTH_DURABLE, &err));
    if (first == 0) MUST(HEARTH_IO, put_number(one, 1, "n", 12, HEARTH_DURABLE, &err));
    if (first == 1) MUST(HEARTH_IO, get_number(one, 1, "n", &n, &err));
    if (first == 2) MUST(HEARTH_IO, postgres->scan(one, 1, NULL, 0, NULL, 0, false, take_number, &n, NULL, &err));
    MUST(HEARTH_DEAD, put_number(one, 1, "n", 12, HEARTH_DURABLE, &err));
    MUST(HEARTH_DEAD, get_number(one, 1, "n", &n, &err));
    MUST(HEARTH_DEAD, postgres->poll(one, &err));
    must_be_discreet(err.message);
    MUST(HEARTH_OK, get_number(two, 1, "n", &n, &err));
    assert_int_equal(n, 11);
    assert_int_equal(sequence_of(two), sequence + 2);
    must_close(one);
    must_close(two);
  }
}

/* Where there are no locks (a pooler, another server), the token alone decides. */
static void a_lost_token_is_a_dead_store(void **state) {
  (void)state;
  uint64_t n;
  for (int first = 0; first < 6; first++) {
    hearth_backend_store *one = must_open("token", 0), *two;
    uint64_t sequence = sequence_of(one);
    int result;
    MUST(HEARTH_OK, put_number(one, 1, "n", 1, HEARTH_VISIBLE, &err));
    (void)server_run(&server, "UPDATE hearth_store SET owner = gen_random_uuid() WHERE name = 'token'");
    hearth_op part = {HEARTH_DROP, 1, NULL, 0, NULL, 0};
    switch (first) {
      case 0: MUST(HEARTH_IO, put_number(one, 1, "n", 2, HEARTH_DURABLE, &err)); break;
      case 1: MUST(HEARTH_IO, get_number(one, 1, "n", &n, &err)); break;
      case 2: MUST(HEARTH_IO, postgres->scan(one, 1, NULL, 0, NULL, 0, true, take_number, &n, &result, &err)); break;
      case 3: MUST(HEARTH_IO, postgres->tables(one, take_number, &n, &result, &err)); break;
      case 4: MUST(HEARTH_IO, postgres->barrier(one, HEARTH_DURABLE, &err)); break;
      default: MUST(HEARTH_IO, postgres->submit(one, &part, 1, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, &err));
    }
    assert_non_null(strstr(err.message, "another opener"));
    MUST(HEARTH_DEAD, put_number(one, 1, "n", 2, HEARTH_DURABLE, &err));
    must_close(one);
    two = must_open("token", 0);
    assert_int_equal(sequence_of(two), sequence + 1);
    MUST(HEARTH_OK, get_number(two, 1, "n", &n, &err));
    assert_int_equal(n, 1);
    must_close(two);
  }
}

/* Somebody else committed under the same token: what this opener knows is not what is there. */
static void another_number_is_a_dead_store(void **state) {
  (void)state;
  hearth_backend_store *one = must_open("number", 0);
  MUST(HEARTH_OK, put_number(one, 1, "n", 1, HEARTH_DURABLE, &err));
  (void)server_run(&server, "UPDATE hearth_store SET seq = 2 WHERE name = 'number'");
  MUST(HEARTH_IO, put_number(one, 1, "n", 2, HEARTH_DURABLE, &err));
  MUST(HEARTH_DEAD, put_number(one, 1, "n", 2, HEARTH_DURABLE, &err));
  must_close(one);
}

/* An opener waits for the transaction of the one before it, and knows how that ended. */
static void an_opener_waits_for_the_transaction_before(void **state) {
  (void)state;
  hearth_backend_store *two;
  char location[700];
  must_close(must_open("before", 0));
  /* whatever the role's transactions are otherwise */
  server_location(&server, "options=-c%20default_transaction_isolation%3Dserializable&", "before", location,
                  sizeof location);
  for (int commits = 0; commits < 2; commits++) {
    PGconn *old = server_connect(&server);
    PQclear(PQexec(old, "BEGIN; UPDATE hearth_store SET seq = seq + 1 WHERE name = 'before'"));
    pid_t child = fork();
    if (child == 0) { /* libpq's connection is the child's from here on */
      nap(400);
      PGresult *r = PQexec(old, commits ? "COMMIT" : "ROLLBACK");
      _exit(PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : 1);
    }
    MUST(HEARTH_OK, open_at(location, 0, &two, &err));
    assert_int_equal(sequence_of(two), commits);
    MUST(HEARTH_OK, put_number(two, 1, "n", 1, HEARTH_DURABLE, &err));
    (void)server_run(&server, "UPDATE hearth_store SET seq = 0 WHERE name = 'before'");
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    must_close(two);
    PQfinish(old);
  }
}

static void a_forked_child_has_no_store(void **state) {
  (void)state;
  hearth_backend_store *one = must_open("fork", 0);
  int how;
  MUST(HEARTH_OK, put_number(one, 1, "n", 1, HEARTH_DURABLE, &err));
  pid_t child = fork();
  if (child == 0) {
    uint64_t n;
    if (put_number(one, 1, "n", 2, HEARTH_DURABLE, &err) != HEARTH_DEAD) _exit(1);
    if (get_number(one, 1, "n", &n, &err) != HEARTH_DEAD) _exit(2);
    _exit(postgres->close(one, &err) == HEARTH_OK ? 0 : 3);
  }
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_int_equal(how, 0);
  MUST(HEARTH_OK, put_number(one, 1, "n", 3, HEARTH_DURABLE, &err));
  assert_int_equal(sequence_of(one), 2);
  must_close(one);
}

static int call_the_store(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                          size_t value_size) {
  uint64_t n;
  (void)table, (void)key, (void)key_size, (void)value, (void)value_size;
  return get_number(ud, 1, "n", &n, &err) == HEARTH_BUSY && put_number(ud, 1, "n", 1, HEARTH_DURABLE, &err) ==
      HEARTH_BUSY
             ? 5 : 6;
}

static void a_scan_is_not_disturbed(void **state) {
  (void)state;
  hearth_backend_store *one = must_open("scan", 0);
  int result = 0;
  uint64_t n;
  MUST(HEARTH_OK, put_number(one, 1, "n", 1, HEARTH_DURABLE, &err));
  MUST(HEARTH_OK, postgres->scan(one, 1, NULL, 0, NULL, 0, false, call_the_store, one, &result, &err));
  assert_int_equal(result, 5);
  MUST(HEARTH_OK, postgres->tables(one, call_the_store, one, &result, &err));
  assert_int_equal(result, 5);
  MUST(HEARTH_OK, get_number(one, 1, "n", &n, &err));
  must_close(one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_second_opener_is_told_who_has_it),
      cmocka_unit_test(stores_are_apart),
      cmocka_unit_test(a_lost_session_is_a_dead_store),
      cmocka_unit_test(a_lost_token_is_a_dead_store),
      cmocka_unit_test(another_number_is_a_dead_store),
      cmocka_unit_test(an_opener_waits_for_the_transaction_before),
      cmocka_unit_test(a_forked_child_has_no_store),
      cmocka_unit_test(a_scan_is_not_disturbed),
  };
  return cmocka_run_group_tests_name("postgres owner", tests, begin_server, end_server);
}
