/* TLS by libpq's own means, with a certificate that the test makes; and what becomes of a connection that breaks. */
#include <signal.h>
#include <sys/wait.h>

#include "postgres_testing.h"

static hearth_error err;

static hearth_status open_with(const char *parameters, hearth_backend_store **store) {
  char location[900];
  (void)snprintf(location, sizeof location, "//hearth:%s@localhost:%d/postgres?hostaddr=127.0.0.1&%s#tls",
                 SERVER_PASSWORD,
                 server.port, parameters);
  return open_at(location, 0, store, &err);
}

static const char *is_encrypted(void) {
  return server_run(&server, "SELECT count(*) || ' ' || bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING"
                             " (pid)"
                             " WHERE application_name = 'hearth'");
}

static void a_server_without_tls(void **state) {
  (void)state;
  hearth_backend_store *store;
  MUST(HEARTH_IO, open_with("sslmode=require", &store));
  assert_non_null(strstr(err.message, "does not support SSL"));
}

static void certificates_are_verified(void **state) {
  (void)state;
  hearth_backend_store *store;
  char parameters[500];
  server_secure(&server);
  MUST(HEARTH_OK, open_with("sslmode=require", &store));
  assert_string_equal(is_encrypted(), "1 true");
  must_close(store);
  (void)snprintf(parameters, sizeof parameters, "sslmode=verify-full&sslrootcert=%s/server.crt", server.folder);
  MUST(HEARTH_OK, open_with(parameters, &store));
  assert_string_equal(is_encrypted(), "1 true");
  MUST(HEARTH_OK, put_number(store, 1, "n", 1, HEARTH_DURABLE, &err));
  must_close(store);
  (void)snprintf(parameters, sizeof parameters, "sslmode=verify-full&sslrootcert=%s/other.crt", server.folder);
  MUST(HEARTH_IO, open_with(parameters, &store));
  assert_non_null(strstr(err.message, "certificate verify failed"));
  MUST(HEARTH_IO, open_with("sslmode=verify-full&sslrootcert=/nowhere/root.crt", &store));
}

/* The default action of SIGPIPE would end this program. */
static void a_broken_connection_raises_no_signal(void **state) {
  (void)state;
  hearth_backend_store *store;
  struct sigaction now;
  static unsigned char value[1 << 20];
  hearth_op op = {HEARTH_PUT, 1, "big", 3, value, sizeof value};
  assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
  assert_true(now.sa_handler == SIG_DFL);
  static const char *const modes[] = {"sslmode=require", "sslmode=disable"};
  for (int i = 0; i < 2; i++) {
    MUST(HEARTH_OK, open_with(modes[i], &store));
    end_sessions();
    MUST(HEARTH_IO, postgres->submit(store, &op, 1, 0, HEARTH_DURABLE, NULL, &err));
    must_be_discreet(err.message);
    must_close(store);
    MUST(HEARTH_OK, open_with(modes[i], &store));
    end_sessions();
    must_close(store); /* a goodbye that nobody hears */
  }
}

/* A child that closes what it inherited says nothing over the parent's connection. */
static void a_child_leaves_the_session_alone(void **state) {
  (void)state;
  hearth_backend_store *store;
  int how;
  MUST(HEARTH_OK, open_with("sslmode=require", &store));
  pid_t child = fork();
  if (child == 0) _exit(postgres->close(store, &err) == HEARTH_OK ? 0 : 1);
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_int_equal(how, 0);
  MUST(HEARTH_OK, put_number(store, 1, "n", 2, HEARTH_DURABLE, &err));
  must_close(store);
}

static int begin(void **state) {
  (void)state;
  (void)signal(SIGPIPE, SIG_DFL);
  server_begin(&server, NULL);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server_without_tls),
      cmocka_unit_test(certificates_are_verified),
      cmocka_unit_test(a_broken_connection_raises_no_signal),
      cmocka_unit_test(a_child_leaves_the_session_alone),
  };
  return cmocka_run_group_tests_name("postgres tls", tests, begin, end_server);
}
