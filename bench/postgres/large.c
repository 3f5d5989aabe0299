/* A table that is not to be loaded: filled, scanned and read at random, and what memory that takes. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"

#define BATCH 10000
#define READS 5000

static hearth_error err;

static double megabytes(void) {
  struct rusage use;
  (void)getrusage(RUSAGE_SELF, &use);
  return (double)use.ru_maxrss / 1024;
}

static void must(hearth_status status, const char *what) {
  if (status != HEARTH_OK) bench_quit(what, err.message);
}

static void fill(hearth_backend_store *store, size_t entries) {
  static hearth_op ops[BATCH];
  static char keys[BATCH][16], value[80];
  memset(value, 'v', sizeof value);
  for (size_t at = 0; at < entries; at += BATCH) {
    for (size_t i = 0; i < BATCH; i++) {
      (void)snprintf(keys[i], sizeof keys[i], "%012zu", at + i);
      ops[i] = (hearth_op){HEARTH_PUT, 7, keys[i], 12, value, sizeof value};
    }
    const unsigned more = at + BATCH < entries ? HEARTH_BATCH_MORE : 0; /* one batch, in parts */
    must(hearth_postgres_backend.submit(store, ops, BATCH, more, HEARTH_DURABLE, NULL, &err), "fill");
  }
}

static int count_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)table, (void)key, (void)key_size, (void)value, (void)value_size;
  ++*(size_t *)ud;
  return 0;
}

static int stop_at_100(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)count_entry(ud, table, key, key_size, value, value_size);
  return *(size_t *)ud == 100;
}

static void report(const Bench *b, const char *name, size_t count, double seconds) {
  if (!b->check)
    printf("  %-30s %9zu entries  %8.0f per second, most memory so far %.0f MiB\n", name, count,
           (double)count / seconds,
           megabytes());
}

void bench_large(Bench *b) {
  const size_t entries = b->check ? 2 * BATCH : 100 * BATCH, reads = b->check ? 50 : READS;
  char location[500], key[16];
  hearth_backend_store *store;
  size_t seen = 0, found = 0, part = 0;
  server_location(&b->server, "", "large", location, sizeof location);
  const hearth_backend_config config = {.size = sizeof config, .location = location};
  must(hearth_postgres_backend.open(&config, &store, &err), "open");
  if (!b->check) printf("a table of %zu entries:\n", entries);
  double began = bench_now();
  fill(store, entries);
  report(b, "filled, one batch in parts", entries, bench_now() - began);
  began = bench_now();
  must(hearth_postgres_backend.scan(store, 7, NULL, 0, NULL, 0, false, count_entry, &seen, NULL, &err), "scan");
  if (seen != entries) bench_quit("scan", "entries are missing");
  report(b, "scanned", seen, bench_now() - began);
  began = bench_now();
  for (size_t i = 0; i < reads; i++) {
    (void)snprintf(key, sizeof key, "%012zu", i * 7919 * 31 % entries);
    must(hearth_postgres_backend.get(store, 7, key, 12, count_entry, &found, &err), "get");
  }
  report(b, "read one by one", found, bench_now() - began);
  began = bench_now();
  for (size_t i = 0; i < reads / 50; i++) {
    size_t n = 0;
    (void)snprintf(key, sizeof key, "%012zu", i * 7919 * 31 % (entries - 200));
    must(hearth_postgres_backend.scan(store, 7, key, 12, NULL, 0, false, stop_at_100, &n, NULL, &err), "scan");
    part += n;
  }
  report(b, "scanned, 100 at a time", part, bench_now() - began);
  (void)hearth_postgres_backend.close(store, NULL);
}
