/* Opening: places that are not there, wrong passwords, tables that are missing, foreign or of others, names. */
#include "postgres_testing.h"

static hearth_error err;

/* Opens at "//USERINFO@127.0.0.1:PORT/DATABASE?MORE#x" and expects the status and a word in the message. */
static void must_refuse(hearth_status right, const char *word, const char *user, int port, const char *rest) {
  char location[600];
  hearth_backend_store *store;
  (void)snprintf(location, sizeof location, "//%s@127.0.0.1:%d/%s", user, port, rest);
  MUST(right, open_at(location, 0, &store, &err));
  if (strstr(err.message, word) == NULL) fail_msg("no '%s' in: %s", word, err.message);
}

#define RIGHT_USER "hearth:" SERVER_PASSWORD

static void wrong_places_are_told(void **state) {
  (void)state;
  must_refuse(HEARTH_INVALID, "password authentication failed", "hearth:a-secret-but-another", server.port,
              "postgres#x");
  must_refuse(HEARTH_INVALID, "password authentication failed", "nobody:a-secret", server.port, "postgres#x");
  must_refuse(HEARTH_NOTFOUND, "\"none\" does not exist", RIGHT_USER, server.port, "none#x");
  must_refuse(HEARTH_IO, "refused", RIGHT_USER, 1, "postgres#x");
  must_refuse(HEARTH_INVALID, "#NAME", RIGHT_USER, server.port, "postgres");
  must_refuse(HEARTH_INVALID, "#NAME", RIGHT_USER, server.port, "postgres#");
  must_refuse(HEARTH_INVALID, "control character", RIGHT_USER, server.port, "postgres#a\nb");
  must_refuse(HEARTH_INVALID, "not a PostgreSQL location", RIGHT_USER, server.port, "postgres?nonsense=1#x");
  must_refuse(HEARTH_INVALID, "not a PostgreSQL location", "hearth:a-secret%zz", server.port, "postgres#x");
  must_refuse(HEARTH_INVALID, "not a PostgreSQL location", RIGHT_USER, server.port, "postgres?password=a-secret%zz#x");
  must_refuse(HEARTH_INVALID, "not a PostgreSQL location", "hearth", server.port, "postgres?password=a-secret=b#x");
  must_refuse(HEARTH_INVALID, "encoding", RIGHT_USER, server.port, "postgres#\xff\xfe");
  must_refuse(HEARTH_IO, "sslmode value", RIGHT_USER, server.port, "postgres?sslmode=perhaps#x");
  (void)setenv("PGPASSFILE", "/nowhere/pgpass", 1);
  must_refuse(HEARTH_INVALID, "no password supplied", "hearth", server.port, "postgres#x");
}

static void other_locations_are_refused(void **state) {
  (void)state;
  hearth_backend_store *store;
  MUST(HEARTH_INVALID, open_at("", 0, &store, &err));
  MUST(HEARTH_INVALID, open_at("host=x password=a-secret#x", 0, &store, &err));
  MUST(HEARTH_INVALID, open_at("/tmp/world.hearth#x", 0, &store, &err));
  MUST(HEARTH_INVALID, open_named("x", 0x80, &store, &err));
}

/* What should have been written %2F, %23 or %40 makes libpq take the rest of a password for something else. */
static void passwords_that_are_misread(void **state) {
  (void)state;
  static const char *const locations[] = {
      "//user:a-secret/tail@localhost/db#world", "//user:a-secret#tail@localhost/db",
      "//user:head@a-secret@localhost/db#world", "//user:a-secret#world"};
  for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
    hearth_backend_store *store;
    MUST(HEARTH_INVALID, open_at(locations[i], 0, &store, &err)); /* open_at looks for the secret */
    assert_null(strstr(err.message, "tail"));
    assert_null(strstr(err.message, "head"));
    assert_non_null(strstr(err.message, "%2F"));
  }
}

static void names_have_200_bytes(void **state) {
  (void)state;
  char name[202];
  hearth_backend_store *store;
  memset(name, 'n', sizeof name - 1);
  name[201] = '\0';
  MUST(HEARTH_INVALID, open_named(name, 0, &store, &err));
  assert_non_null(strstr(err.message, "201 bytes"));
  name[200] = '\0';
  must_close(must_open(name, HEARTH_OPEN_EXCLUSIVE));
  must_close(must_open("it's \"quoted\" % \\ ? \xc3\xa4; DROP TABLE hearth_entry", HEARTH_OPEN_EXCLUSIVE));
  must_close(must_open("it's \"quoted\" % \\ ? \xc3\xa4; DROP TABLE hearth_entry", HEARTH_OPEN_NO_CREATE));
  MUST(HEARTH_NOTFOUND, open_named("none", HEARTH_OPEN_NO_CREATE, &store, &err));
  MUST(HEARTH_NOTFOUND, open_named("none", HEARTH_OPEN_READONLY, &store, &err));
}

/* ------------------------------------------------------ roles and tables */

/* As another role, in a database of its own; "" for no refusal. */
static hearth_status open_as(const char *role, const char *database, const char *name, unsigned flags,
                             hearth_backend_store **store) {
  char location[600];
  (void)snprintf(location, sizeof location, "//%s:%s@127.0.0.1:%d/%s#%s", role, SERVER_PASSWORD, server.port, database,
                 name);
  return open_at(location, flags, store, &err);
}

static const char *run_in(const char *database, const char *sql) {
  Server there = server;
  static char answer[2000];
  char where[500];
  (void)snprintf(where, sizeof where, "host=%s port=%d user=hearth dbname=%s", there.folder, there.port, database);
  PGconn *c = PQconnectdb(where);
  PGresult *r = PQexec(c, sql);
  if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) fail_msg("%s", PQerrorMessage(c));
  (void)snprintf(answer, sizeof answer, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
  PQclear(r);
  PQfinish(c);
  return answer;
}

static void make_database(const char *name) {
  char sql[200];
  (void)snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
  (void)server_run(&server, sql);
}

static void a_role_that_may_not_make_tables(void **state) {
  (void)state;
  hearth_backend_store *store;
  make_database("strict");
  (void)run_in("strict", "CREATE ROLE worker LOGIN PASSWORD '" SERVER_PASSWORD "'; CREATE ROLE looker LOGIN PASSWORD '"
               SERVER_PASSWORD "'; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
  MUST(HEARTH_READONLY, open_as("worker", "strict", "x", 0, &store));
  char sql[sizeof err.message];
  if (strstr(err.message, "CREATE TABLE") == NULL) fail_msg("no SQL in: %s", err.message);
  (void)snprintf(sql, sizeof sql, "%s", strstr(err.message, "CREATE TABLE"));
  MUST(HEARTH_NOTFOUND, open_as("worker", "strict", "x", HEARTH_OPEN_NO_CREATE, &store));
  MUST(HEARTH_NOTFOUND, open_as("worker", "strict", "x", HEARTH_OPEN_READONLY, &store));
  (void)run_in("strict", sql); /* what the message says is what is needed */
  MUST(HEARTH_READONLY, open_as("worker", "strict", "x", 0, &store));
  assert_non_null(strstr(err.message, "permission denied"));
  (void)run_in("strict", "GRANT SELECT, INSERT, UPDATE ON hearth_store TO worker;"
               "GRANT SELECT, INSERT, UPDATE, DELETE ON hearth_entry TO worker;"
               "GRANT SELECT ON hearth_store, hearth_entry TO looker");
  MUST(HEARTH_OK, open_as("worker", "strict", "x", 0, &store));
  hearth_op ops[] = {{HEARTH_PUT, 1, "a", 1, "x", 1}, {HEARTH_DEL, 1, "b", 1, NULL, 0}, {HEARTH_DROP, 2, NULL, 0,
                                                                                         NULL, 0},
                     {HEARTH_CHECK_ABSENT, 1, "a", 1, NULL, 0}};
  MUST(HEARTH_OK, postgres->submit(store, ops, 4, 0, HEARTH_DURABLE, NULL, &err));
  must_close(store);
  MUST(HEARTH_READONLY, open_as("looker", "strict", "x", 0, &store));
  MUST(HEARTH_OK, open_as("looker", "strict", "x", HEARTH_OPEN_READONLY, &store));
  assert_int_equal(sequence_of(store), 1);
  must_close(store);
}

static void a_session_that_may_not_write(void **state) {
  (void)state;
  char location[700];
  hearth_backend_store *store;
  must_close(must_open("written", 0));
  server_location(&server, "options=-c%20default_transaction_read_only%3Don&", "written", location, sizeof location);
  MUST(HEARTH_READONLY, open_at(location, 0, &store, &err));
  MUST(HEARTH_OK, open_at(location, HEARTH_OPEN_READONLY, &store, &err));
  must_close(store);
}

static void foreign_tables_are_refused(void **state) {
  (void)state;
  hearth_backend_store *store;
  make_database("foreign_tables");
  (void)run_in("foreign_tables", "CREATE TABLE hearth_store (id bigint, what text)");
  MUST(HEARTH_NOTSTORE, open_as("hearth", "foreign_tables", "x", 0, &store));
  assert_non_null(strstr(err.message, "hearth_store has other columns"));
  (void)run_in("foreign_tables", "DROP TABLE hearth_store");
  MUST(HEARTH_OK, open_as("hearth", "foreign_tables", "x", 0, &store));
  must_close(store);
  (void)run_in("foreign_tables", "ALTER TABLE hearth_entry ALTER COLUMN value TYPE text USING 'x'");
  MUST(HEARTH_NOTSTORE, open_as("hearth", "foreign_tables", "x", 0, &store));
  assert_non_null(strstr(err.message, "value text"));
  (void)run_in("foreign_tables", "DROP TABLE hearth_entry");
  MUST(HEARTH_NOTSTORE, open_as("hearth", "foreign_tables", "x", 0, &store));
  (void)run_in("foreign_tables", "DROP TABLE hearth_store");
}

static void newer_formats_are_refused(void **state) {
  (void)state;
  hearth_backend_store *store;
  must_close(must_open("newer", 0));
  (void)server_run(&server, "UPDATE hearth_store SET format = 2 WHERE name = 'newer'");
  MUST(HEARTH_VERSION, open_named("newer", 0, &store, &err));
  assert_non_null(strstr(err.message, "format 2"));
  MUST(HEARTH_VERSION, open_named("newer", HEARTH_OPEN_READONLY, &store, &err));
}

/* The tables are those that the role's search path finds first, and stay so whatever is made later. */
static void the_search_path_is_kept(void **state) {
  (void)state;
  hearth_backend_store *store;
  uint64_t n = 0;
  make_database("paths");
  (void)run_in("paths", "CREATE SCHEMA \"Odd \"\" name\"; CREATE SCHEMA evil; ALTER ROLE hearth IN DATABASE paths"
               " SET search_path = \"Odd \"\" name\", public");
  MUST(HEARTH_OK, open_as("hearth", "paths", "x", 0, &store));
  must_close(store);
  (void)run_in("paths", "CREATE FUNCTION evil.octet_length(bytea) RETURNS integer LANGUAGE plpgsql AS"
               " 'BEGIN RAISE division_by_zero; END';"
               "CREATE FUNCTION evil.joined(name, name) RETURNS text LANGUAGE plpgsql "
               "AS 'BEGIN RAISE division_by_zero; END';"
               "CREATE OPERATOR evil.|| (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.joined); ALTER ROLE hearth "
               "IN DATABASE paths SET search_path = evil,"
               " pg_catalog, \"Odd \"\" name\"");
  MUST(HEARTH_OK, open_as("hearth", "paths", "x", 0, &store));
  (void)run_in("paths", "CREATE TABLE evil.hearth_store (LIKE \"Odd \"\" name\".hearth_store);"
               "CREATE TABLE evil.hearth_entry (LIKE \"Odd \"\" name\".hearth_entry)");
  MUST(HEARTH_OK, put_number(store, 1, "n", 7, HEARTH_DURABLE, &err));
  MUST(HEARTH_OK, get_number(store, 1, "n", &n, &err));
  assert_int_equal(n, 7);
  hearth_backend_stat stat = {.size = sizeof stat};
  MUST(HEARTH_OK, postgres->stat(store, &stat, &err));
  assert_int_equal(stat.live_bytes, 9);
  must_close(store);
  assert_string_equal(run_in("paths", "SELECT count(*) FROM \"Odd \"\" name\".hearth_entry"), "1");
  (void)run_in("paths", "DROP SCHEMA evil CASCADE; ALTER ROLE hearth IN DATABASE paths SET search_path = nowhere");
  MUST(HEARTH_IO, open_as("hearth", "paths", "x", 0, &store)); /* no schema to make tables in */
  assert_non_null(strstr(err.message, "no schema"));
}

static int end(void **state) {
  (void)state;
  server_end(&server);
  assert_true(messages_seen > 40);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_places_are_told),
      cmocka_unit_test(other_locations_are_refused),
      cmocka_unit_test(passwords_that_are_misread),
      cmocka_unit_test(names_have_200_bytes),
      cmocka_unit_test(a_role_that_may_not_make_tables),
      cmocka_unit_test(a_session_that_may_not_write),
      cmocka_unit_test(foreign_tables_are_refused),
      cmocka_unit_test(newer_formats_are_refused),
      cmocka_unit_test(the_search_path_is_kept),
  };
  return cmocka_run_group_tests_name("postgres open", tests, begin_server, end);
}
