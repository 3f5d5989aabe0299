/* What tests of the postgres backend share: a server, stores in it, and an eye on every message. */
#ifndef HEARTH_TESTS_POSTGRES_TESTING_H
#define HEARTH_TESTS_POSTGRES_TESTING_H

#include "../backends/testing.h"

#include <time.h>
#include <unistd.h>

#include "hearth_postgres.h"
#include "server.h"

static const hearth_backend *const postgres = &hearth_postgres_backend;
static Server server;
static size_t messages_seen;

/* Around a group of tests that need the server alone. */
static inline int begin_server(void **state) {
  (void)state;
  server_begin(&server, NULL);
  return 0;
}

static inline int end_server(void **state) {
  (void)state;
  server_end(&server);
  return 0;
}

/* No message of any kind shows a password. */
static inline void must_be_discreet(const char *message) {
  messages_seen++;
  if (strstr(message, SERVER_PASSWORD) != NULL || strstr(message, "a-secret") != NULL)
    fail_msg("a message shows the password: %s", message);
}

static char last_warning[1200];

static inline void hear(void *ud, const char *message) {
  (void)ud;
  must_be_discreet(message);
  (void)snprintf(last_warning, sizeof last_warning, "%s", message);
}

static inline hearth_status open_at(const char *location, unsigned flags, hearth_backend_store **store,
                                    hearth_error *err) {
  hearth_backend_config config = {.size = sizeof config, .location = location, .flags = flags, .warn = hear};
  hearth_status status = postgres->open(&config, store, err);
  must_be_discreet(err->message);
  assert_int_equal(status, err->code);
  if (status != HEARTH_OK) {
    assert_null(*store);
    assert_true(strlen(err->message) > 10);
  }
  return status;
}

/* A store of the test's server, by name. */
static inline hearth_status open_named(const char *name, unsigned flags, hearth_backend_store **store,
                                       hearth_error *err) {
  char location[700];
  server_location(&server, "", name, location, sizeof location);
  return open_at(location, flags, store, err);
}

static inline hearth_backend_store *must_open(const char *name, unsigned flags) {
  hearth_backend_store *store;
  hearth_error err;
  if (open_named(name, flags, &store, &err) != HEARTH_OK) fail_msg("open: %s", err.message);
  return store;
}

static inline void must_close(hearth_backend_store *store) {
  hearth_error err;
  if (postgres->close(store, &err) != HEARTH_OK) fail_msg("close: %s", err.message);
}

static inline hearth_status put_number(hearth_backend_store *store, uint64_t table, const char *key, uint64_t n,
                                       hearth_durability level, hearth_error *err) {
  hearth_op op = {HEARTH_PUT, table, key, strlen(key), &n, sizeof n};
  hearth_status status = postgres->submit(store, &op, 1, 0, level, NULL, err);
  must_be_discreet(err->message);
  assert_int_equal(status, err->code);
  return status;
}

static inline int take_number(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                              size_t value_size) {
  (void)table;
  (void)key;
  (void)key_size;
  if (value_size != sizeof(uint64_t)) abort();
  memcpy(ud, value, sizeof(uint64_t));
  return 0;
}

static inline hearth_status get_number(hearth_backend_store *store, uint64_t table, const char *key, uint64_t *n,
                                       hearth_error *err) {
  hearth_status status = postgres->get(store, table, key, strlen(key), take_number, n, err);
  must_be_discreet(err->message);
  assert_int_equal(status, err->code);
  return status;
}

static inline uint64_t sequence_of(hearth_backend_store *store) {
  hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)};
  hearth_error err;
  if (postgres->stat(store, &stat, &err) != HEARTH_OK) fail_msg("stat: %s", err.message);
  return stat.sequence;
}

static inline void nap(long milliseconds) {
  const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  (void)nanosleep(&t, NULL);
}

/* Ends the sessions of all stores, as an administrator can. */
static inline void end_sessions(void) {
  (void)server_run(&server, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                            " WHERE application_name = 'hearth' AND pid <> pg_backend_pid()");
}

#define MUST(status, call)                                                                                   \
  do {                                                                                                       \
    hearth_status is_ = (call);                                                                              \
    if (is_ != (status)) fail_msg("%s instead of %s: %s", hearth_status_name(is_), hearth_status_name(status), \
                                  err.message);                                                              \
  } while (0)

#endif
