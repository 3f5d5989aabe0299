/* The indexeddb backend, with a host in memory, as a subject of suites for every backend. */
#ifndef HEARTH_TESTS_INDEXEDDB_SUBJECT_H
#define HEARTH_TESTS_INDEXEDDB_SUBJECT_H

#include "fake_indexeddb.h"
#include "hearth_testkit.h"

static Fake *subject_host;

static const char *arrive_in_browser(void *ud) {
  (void)ud;
  subject_host = fake_new("world");
  return "world";
}

static void leave_browser(void *ud, const char *location) {
  (void)ud;
  (void)location;
  fake_free(subject_host);
}

static void settle_browser(void *ud) {
  (void)ud;
  fake_settle_all(subject_host);
  fake_read_again(subject_host);
}

static const hearth_testkit_subject indexeddb_in_memory = {
    .size = sizeof indexeddb_in_memory, .name = "indexeddb", .backend = &hearth_indexeddb_backend, .persistent = true,
    .arrive = arrive_in_browser, .leave = leave_browser, .settle = settle_browser, .begins_with_a_batch = true,
    .keeps_no_batches = true};

#endif
