/* The conformance suite on the indexeddb backend with a host in memory. */
#include "conformance.h"
#include "fake_indexeddb.h"

static Fake *fake;

static const char *arrive(void *ud) {
  (void)ud;
  fake = fake_new("world");
  return "world";
}

static void leave(void *ud, const char *location) {
  (void)ud;
  (void)location;
  fake_free(fake);
}

static void settle(void *ud) {
  (void)ud;
  fake_settle_all(fake);
}

int main(void) {
  const ConformanceSubject indexeddb = {.name = "indexeddb", .backend = &hearth_indexeddb_backend, .persistent = true,
                                        .arrive = arrive, .leave = leave, .settle = settle,
                                        .begins_with_a_batch = true, .keeps_no_batches = true};
  return conformance_run(&indexeddb);
}
