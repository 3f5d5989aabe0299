/*
** What the server refuses: each SQLSTATE of docs/POSTGRES.md, where it can be had, raised by a trigger where it
** cannot.
*/
#include "postgres_testing.h"

static hearth_error err;

/* The next `times` writes to hearth_entry fail with `state`; -1: none. */
static void fail_writes(const char *state, int times) {
  char sql[300];
  (void)snprintf(sql, sizeof sql, "SELECT setval('planned', %d); CREATE OR REPLACE FUNCTION planned_state() RETURNS"
                                  " text"
                 " LANGUAGE sql AS $$SELECT '%s'$$", 1000 - times, state);
  (void)server_run(&server, sql);
}

/* A sequence counts on when its transaction is rolled back. */
static void plan_failures(void) {
  (void)server_run(&server,
                   "CREATE SEQUENCE planned; CREATE FUNCTION planned_state() RETURNS text LANGUAGE sql AS 'SELECT"
                   " NULL';"
                   "SELECT setval('planned', 1000);"
                   "CREATE FUNCTION planned_failure() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS"
                   " $$BEGIN"
                   " IF nextval('planned') <= 1000 THEN RAISE EXCEPTION 'planned' USING ERRCODE = planned_state();"
                   " END IF; RETURN NULL; END$$;"
                   "CREATE TRIGGER planned AFTER INSERT ON hearth_entry FOR EACH STATEMENT"
                   " EXECUTE FUNCTION planned_failure()");
}

static void end_plan(void) {
  (void)server_run(&server, "DROP TRIGGER planned ON hearth_entry; DROP FUNCTION planned_failure(); DROP FUNCTION"
                            " planned_state(); DROP SEQUENCE planned");
}

static void failures_leave_the_store_as_it_was(void **state) {
  (void)state;
  static const struct {
    const char *state;
    hearth_status status;
  } cases[] = {{"53100", HEARTH_FULL},   {"53200", HEARTH_NOMEM}, {"53400", HEARTH_FULL}, {"54000", HEARTH_TOOBIG},
               {"25006", HEARTH_READONLY}, {"42501", HEARTH_READONLY}, {"57014", HEARTH_BUSY}, {"55P03", HEARTH_BUSY}};
  hearth_backend_store *store = must_open("failures", 0);
  uint64_t n = 0;
  plan_failures();
  MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fail_writes(cases[i].state, 1);
    MUST(cases[i].status, put_number(store, 1, "n", 2, HEARTH_DURABLE, &err));
    assert_non_null(strstr(err.message, cases[i].state));
    MUST(HEARTH_OK, get_number(store, 1, "n", &n, &err));
    assert_int_equal(n, i + 1);
    assert_int_equal(sequence_of(store), i + 1);
    MUST(HEARTH_OK, put_number(store, 1, "n", i + 2, HEARTH_DURABLE, &err));
  }
  fail_writes("58030", 1); /* what the server's disk says */
  MUST(HEARTH_IO, put_number(store, 1, "n", 2, HEARTH_DURABLE, &err));
  MUST(HEARTH_DEAD, put_number(store, 1, "n", 2, HEARTH_DURABLE, &err));
  must_close(store);
  end_plan();
}

/* Another transaction is to blame: tried again, a few times; in the middle of parts the caller begins again. */
static void transactions_are_tried_again(void **state) {
  (void)state;
  hearth_backend_store *store = must_open("again", 0);
  static const char *const states[] = {"40001", "40P01"};
  hearth_op part = {HEARTH_PUT, 1, "p", 1, "x", 1};
  plan_failures();
  for (int i = 0; i < 2; i++) {
    fail_writes(states[i], 5);
    MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
    fail_writes(states[i], 900);
    MUST(HEARTH_BUSY, put_number(store, 1, "n", 2, HEARTH_DURABLE, &err));
    fail_writes(states[i], 0);
    MUST(HEARTH_OK, postgres->submit(store, &part, 1, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, &err));
    fail_writes(states[i], 1);
    MUST(HEARTH_BUSY, put_number(store, 1, "n", 3, HEARTH_DURABLE, &err));
    MUST(HEARTH_OK, put_number(store, 1, "n", 4, HEARTH_DURABLE, &err));
    assert_int_equal(sequence_of(store), 2 * i + 2);
    uint64_t n;
    MUST(HEARTH_OK, get_number(store, 1, "n", &n, &err));
    assert_int_equal(n, 4);
    MUST(HEARTH_NOTFOUND, get_number(store, 1, "p", &n, &err));
  }
  must_close(store);
  end_plan();
}

/* A deferred trigger fails at COMMIT: the server says that it rolled back, and nothing is there. */
static void a_commit_that_is_refused(void **state) {
  (void)state;
  hearth_backend_store *store = must_open("deferred", 0);
  uint64_t n;
  (void)server_run(&server, "CREATE FUNCTION too_late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION"
                            " 'late'"
                            " USING ERRCODE = '53100'; END$$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON"
                            " hearth_entry"
                            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION too_late()");
  MUST(HEARTH_FULL, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  MUST(HEARTH_NOTFOUND, get_number(store, 1, "n", &n, &err));
  (void)server_run(&server, "DROP TRIGGER late ON hearth_entry; DROP FUNCTION too_late()");
  MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  assert_int_equal(sequence_of(store), 1);
  must_close(store);
}

static void a_statement_that_takes_too_long(void **state) {
  (void)state;
  char location[700];
  hearth_backend_store *store;
  server_location(&server, "options=-c%20statement_timeout%3D300&", "slow", location, sizeof location);
  MUST(HEARTH_OK, open_at(location, 0, &store, &err));
  PGconn *other = server_connect(&server);
  PQclear(PQexec(other, "BEGIN; LOCK TABLE hearth_entry"));
  MUST(HEARTH_BUSY, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  PQclear(PQexec(other, "ROLLBACK"));
  PQfinish(other);
  MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  must_close(store);
}

static void too_many_connections(void **state) {
  (void)state;
  enum { MOST = 80 };
  static hearth_backend_store *stores[MOST];
  hearth_status status = HEARTH_OK;
  char name[20];
  int n = 0;
  for (; n < MOST && status == HEARTH_OK; n++) {
    (void)snprintf(name, sizeof name, "many %d", n);
    status = open_named(name, 0, &stores[n], &err);
  }
  assert_int_equal(status, HEARTH_BUSY);
  assert_true(n > 20);
  for (int i = 0; i + 1 < n; i++) must_close(stores[i]);
}

static void notices_reach_the_host(void **state) {
  (void)state;
  hearth_backend_store *store = must_open("notices", 0);
  (void)server_run(&server, "CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'the"
                            " cellar"
                            " is cold'; RETURN NULL; END$$; CREATE TRIGGER speak AFTER INSERT ON hearth_entry EXECUTE"
                            " FUNCTION speak()");
  MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  assert_non_null(strstr(last_warning, "the cellar is cold"));
  assert_non_null(strstr(last_warning, "#notices"));
  assert_null(strchr(last_warning, '\n'));
  (void)server_run(&server, "DROP TRIGGER speak ON hearth_entry; DROP FUNCTION speak()");
  must_close(store);
}

/* Levels become what they promise: what the server was told is in the transaction itself. */
static void levels_are_settings(void **state) {
  (void)state;
  static const char *const settings[] = {"off", "local", "on"};
  static const char *const sessions[] = {"off", "local", "on", "remote_apply"};
  (void)server_run(&server, "CREATE TABLE levels (level text); GRANT ALL ON levels TO PUBLIC;"
                            "CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
                            " INSERT INTO public.levels VALUES (current_setting('synchronous_commit')); RETURN"
                            " NULL; END$$;"
                            "CREATE CONSTRAINT TRIGGER note AFTER INSERT OR UPDATE ON hearth_store DEFERRABLE INITIALLY"
                            " DEFERRED FOR EACH ROW EXECUTE FUNCTION note_level()");
  for (int s = 0; s < 4; s++) {
    char location[700], more[80];
    hearth_backend_store *store;
    (void)snprintf(more, sizeof more, "options=-c%%20synchronous_commit%%3D%s&", sessions[s]);
    server_location(&server, more, "levels", location, sizeof location);
    MUST(HEARTH_OK, open_at(location, 0, &store, &err));
    for (int level = HEARTH_VISIBLE; level <= HEARTH_DURABLE; level++) {
      const char *right = level == HEARTH_DURABLE && s == 3 ? "remote_apply" : settings[level - 1];
      (void)server_run(&server, "TRUNCATE levels");
      MUST(HEARTH_OK, put_number(store, 1, "n", 1, (hearth_durability)level, &err));
      assert_string_equal(server_run(&server, "SELECT level FROM levels"), right);
    }
    MUST(HEARTH_OK, put_number(store, 1, "n", 2, HEARTH_VISIBLE, &err));
    hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)};
    MUST(HEARTH_OK, postgres->stat(store, &stat, &err));
    assert_int_equal(stat.durable + 1, stat.sequence);
    (void)server_run(&server, "TRUNCATE levels");
    MUST(HEARTH_OK, postgres->barrier(store, HEARTH_DURABLE, &err));
    assert_string_equal(server_run(&server, "SELECT level FROM levels"), s == 3 ? "remote_apply" : "on");
    MUST(HEARTH_OK, postgres->stat(store, &stat, &err));
    assert_int_equal(stat.durable, stat.sequence);
    (void)server_run(&server, "TRUNCATE levels");
    MUST(HEARTH_OK, postgres->barrier(store, HEARTH_DURABLE, &err)); /* nothing to do any more */
    assert_string_equal(server_run(&server, "SELECT count(*) FROM levels"), "0");
    must_close(store);
  }
  hearth_backend_store *store = must_open("levels", 0); /* and what the server's configuration says changes later */
  (void)server_run(&server, "ALTER SYSTEM SET synchronous_commit = off");
  (void)server_run(&server, "SELECT pg_reload_conf()");
  nap(500);
  assert_string_equal(server_run(&server, "SHOW synchronous_commit"), "off");
  for (int i = 0; i < 3; i++) {
    (void)server_run(&server, "TRUNCATE levels");
    MUST(HEARTH_OK, put_number(store, 1, "n", 3, HEARTH_DURABLE, &err));
    assert_string_equal(server_run(&server, "SELECT level FROM levels"), "on");
  }
  must_close(store);
  (void)server_run(&server, "ALTER SYSTEM RESET synchronous_commit");
  (void)server_run(&server, "SELECT pg_reload_conf()");
  (void)server_run(&server, "DROP TRIGGER note ON hearth_store; DROP FUNCTION note_level(); DROP TABLE levels");
}

static int begin(void **state) {
  (void)state;
  server_begin(&server, NULL);
  must_close(must_open("first", 0)); /* the tables are there */
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(failures_leave_the_store_as_it_was),
      cmocka_unit_test(transactions_are_tried_again),
      cmocka_unit_test(a_commit_that_is_refused),
      cmocka_unit_test(a_statement_that_takes_too_long),
      cmocka_unit_test(too_many_connections),
      cmocka_unit_test(notices_reach_the_host),
      cmocka_unit_test(levels_are_settings),
  };
  return cmocka_run_group_tests_name("postgres failures", tests, begin, end_server);
}
