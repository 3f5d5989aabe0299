/*
** A store in the browser's database, whose host is the fake one. The helpers fail the test where something is not so.
*/
#ifndef HEARTH_TESTS_IDBSTORE_H
#define HEARTH_TESTS_IDBSTORE_H

#include "fake_indexeddb.h"
#include "scenario.h"

static const hearth_backend *const idb = &hearth_indexeddb_backend;

typedef struct World {
  Fake *fake;
  hearth_backend_store *store;
  Counting memory;
  hearth_error err;
  int warnings;
} World;

static inline int setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->memory.fail_at = -1;
  w->fake = fake_new("world");
  *state = w;
  return 0;
}

static inline int teardown(void **state) {
  World *w = *state;
  if (w->store != NULL) idb->close(w->store, NULL);
  assert_int_equal(w->memory.bytes, 0);
  fake_free(w->fake);
  free(w);
  return 0;
}

static inline void count_warning(void *ud, const char *message) {
  (void)message;
  ((World *)ud)->warnings++;
}

static inline hearth_status open_with(World *w, unsigned flags) {
  hearth_backend_config config = {.size = sizeof config, .location = "world", .flags = flags,
                                  .allocator = counting_allocator(&w->memory), .warn = count_warning, .warn_ud = w};
  return idb->open(&config, &w->store, &w->err);
}

static inline void opens(World *w) {
  if (open_with(w, 0) != HEARTH_OK) fail_msg("open: %s", w->err.message);
}

static inline void closes(World *w) {
  assert_int_equal(idb->close(w->store, NULL), HEARTH_OK);
  w->store = NULL;
  assert_int_equal(w->memory.bytes, 0);
}

/* The process dies; its memory is given back by closing, which then reaches nobody. */
static inline void crashes(World *w) {
  Fake *spare = fake_new("spare");
  fake_copy(spare, w->fake);
  closes(w);
  fake_copy(w->fake, spare);
  fake_free(spare);
}

static inline hearth_status submit(World *w, uint64_t n, hearth_durability level) {
  return scenario_submit(idb, w->store, n, false, level, &w->err);
}

/* Batches `from` to `to` are accepted. */
static inline void submits(World *w, uint64_t from, uint64_t to) {
  for (uint64_t n = from; n <= to; n++)
    if (submit(w, n, HEARTH_DEFAULT_DURABILITY) != HEARTH_PENDING) fail_msg("submit: %s", w->err.message);
}

static inline hearth_backend_stat look(World *w) {
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(idb->stat(w->store, &stat, NULL), HEARTH_OK);
  return stat;
}

/* The store reads as after batch n, and counts right. */
static inline void reads(World *w, uint64_t n) {
  char expected[SCENARIO_TEXT], text[SCENARIO_TEXT];
  scenario_expected(n, expected);
  assert_int_equal(scenario_text(idb, w->store, text, &w->err), HEARTH_OK);
  assert_string_equal(text, expected);
  uint64_t entries = 0, bytes = 0;
  for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    bytes += (uint64_t)(end - strchr(line, '/')) - 2; /* "table/key=value" */
    entries++;
  }
  hearth_backend_stat stat = look(w);
  assert_int_equal(stat.entries, entries);
  assert_int_equal(stat.live_bytes, bytes);
}

static inline hearth_status poll(World *w) {
  hearth_status status = idb->poll(w->store, &w->err);
  assert_int_equal(status, w->err.code);
  return status;
}

/* The database is forgotten, and another one is there under its name. */
static inline void renews(World *w) {
  fake_free(w->fake);
  w->fake = fake_new("world");
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
