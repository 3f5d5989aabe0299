/*
** Bytes as the file of a store, on a disk in memory: opened, read, verified, written to, opened again, and salvaged.
** What verify calls whole opens; what opens keeps what is put into it; what salvage makes is whole.
*/
#include <stdio.h>
#include <stdlib.h>

#include "hearth_testkit_disk.h"
#include "fuzz.h"
#include "log_mutator.h"
#include "salvage.h"

#define PLACE "/world.hearth"
#define RESCUED "/rescued.hearth"

static FuzzMemory memory;
static hearth_disk *disk;

static void ignore(void *ud, const char *message) {
  (void)ud, (void)message;
}

static hearth_status open_store(const char *place, unsigned flags, hearth_backend_store **store, hearth_error *e) {
  hearth_backend_config config = {.size = sizeof config, .location = place, .flags = flags,
                                  .allocator = fuzz_allocator(&memory), .environment = hearth_disk_environment(disk),
                                  .warn = ignore};
  hearth_status status = hearth_file_backend.open(&config, store, e);
  FUZZ_CHECK(status == e->code);
  FUZZ_CHECK(status == HEARTH_OK || memory.used == 0);
  return status;
}

static void close_store(hearth_backend_store *store) {
  (void)hearth_file_backend.close(store, NULL);
  FUZZ_CHECK(memory.used == 0);
}

/* ----------------------------------------------------------------- reading */

typedef struct Reading {
  hearth_backend_store *store;
  uint64_t entries, sum;
  size_t tables;
} Reading;

static int read_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Reading *r = ud;
  const unsigned char *k = key, *v = value;
  r->entries++;
  r->sum += table;
  for (size_t i = 0; i < key_size; i++) r->sum = r->sum * 31 + k[i];
  for (size_t i = 0; i < value_size; i++) r->sum = r->sum * 31 + v[i];
  return 0;
}

static int read_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Reading *r = ud;
  (void)key, (void)key_size, (void)value, (void)value_size;
  r->tables++;
  hearth_error e;
  return hearth_file_backend.scan(r->store, table, NULL, 0, NULL, 0, r->tables % 2 == 0, read_entry, r, NULL, &e) !=
         HEARTH_OK;
}

/* Everything; false: a value could not be read. */
static bool read_all(hearth_backend_store *store, Reading *r) {
  int result = 0;
  hearth_error e;
  *r = (Reading){.store = store};
  return hearth_file_backend.tables(store, read_table, r, &result, &e) == HEARTH_OK && result == 0;
}

/* ----------------------------------------------------------------- writing */

static const char key[] = "fuzz", value[] = "a value that was put";

static int same_value(void *ud, uint64_t table, const void *k, size_t k_size, const void *v, size_t v_size) {
  (void)table, (void)k, (void)k_size;
  *(bool *)ud = v_size == sizeof value && memcmp(v, value, v_size) == 0;
  return 0;
}

static void check_there(hearth_backend_store *store) {
  bool same = false;
  hearth_error e;
  if (hearth_file_backend.get(store, 77, key, sizeof key, same_value, &same, &e) != HEARTH_OK)
    fuzz_fail("what was put: %s", e.message);
  FUZZ_CHECK(same);
}

static void write_and_reopen(hearth_backend_store *store) {
  hearth_error e;
  hearth_op op = {HEARTH_PUT, 77, key, sizeof key, value, sizeof value};
  Reading before, after;
  hearth_status status = hearth_file_backend.submit(store, &op, 1, 0, HEARTH_DURABLE, NULL, &e);
  if (status != HEARTH_OK) { /* numbers at the end of their range, and the like */
    close_store(store);
    return;
  }
  check_there(store);
  bool readable = read_all(store, &before);
  close_store(store);
  if (open_store(PLACE, 0, &store, &e) != HEARTH_OK) fuzz_fail("after a commit: %s", e.message);
  check_there(store);
  FUZZ_CHECK(read_all(store, &after) == readable);
  if (readable) FUZZ_CHECK(before.entries == after.entries && before.sum == after.sum);
  if (hearth_file_backend.compact(store, 0, &e) == HEARTH_OK) {
    check_there(store);
    close_store(store);
    if (open_store(PLACE, 0, &store, &e) != HEARTH_OK) fuzz_fail("after compaction: %s", e.message);
    check_there(store);
  }
  close_store(store);
}

/* ------------------------------------------------------------------ salvage */

static void salvage(size_t size) {
  hearth_error e;
  SalvageReport report;
  LogReport log;
  hearth_backend_store *store;
  hearth_allocator allocator = fuzz_allocator(&memory);
  hearth_status status =
      file_salvage(hearth_disk_environment(disk), &allocator, PLACE, RESCUED, false, ignore, NULL, &report, &e);
  FUZZ_CHECK(memory.used == 0 && status == e.code);
  if (status != HEARTH_OK) {
    FUZZ_CHECK(hearth_disk_bytes(disk, RESCUED, &(size_t){0}) == NULL);
    return;
  }
  FUZZ_CHECK(report.lost_bytes <= size);
  if (file_verify(hearth_disk_environment(disk), &allocator, RESCUED, ignore, NULL, &log, &e) != HEARTH_OK)
    fuzz_fail("what was salvaged: %s", e.message);
  if (open_store(RESCUED, 0, &store, &e) != HEARTH_OK) fuzz_fail("what was salvaged: %s", e.message);
  Reading all;
  FUZZ_CHECK(read_all(store, &all) && all.entries == report.entries);
  close_store(store);
}

/* -------------------------------------------------------------------- seeds */

static void put_batch(hearth_backend_store *store, uint64_t table, const char *k, const char *v, unsigned flags) {
  hearth_op ops[] = {{HEARTH_PUT, table, k, strlen(k), v, strlen(v)}, {HEARTH_DEL, table, "gone", 4, NULL, 0}};
  FUZZ_CHECK(hearth_file_backend.submit(store, ops, 2, flags, HEARTH_DURABLE, NULL, NULL) == HEARTH_OK);
}

static void write_seed(const char *folder, unsigned number) {
  hearth_backend_store *store;
  hearth_error e;
  size_t size;
  char path[4096];
  disk = hearth_disk_new();
  FUZZ_CHECK(open_store(PLACE, 0, &store, &e) == HEARTH_OK);
  if (number >= 1) put_batch(store, 0, "m", "meta", 0);
  if (number >= 2) {
    put_batch(store, 1, "a", "first", HEARTH_BATCH_MORE);
    put_batch(store, 2, "b", "second", 0);
    hearth_op drop = {HEARTH_DROP, 1, NULL, 0, NULL, 0};
    FUZZ_CHECK(hearth_file_backend.submit(store, &drop, 1, 0, HEARTH_COMPLETE, NULL, &e) == HEARTH_OK);
  }
  if (number == 3) FUZZ_CHECK(hearth_file_backend.compact(store, 1, &e) == HEARTH_OK);
  if (number % 2 == 0) close_store(store);
  const unsigned char *bytes = hearth_disk_bytes(disk, PLACE, &size);
  (void)snprintf(path, sizeof path, "%s/file-%u", folder, number);
  FILE *f = fopen(path, "wb");
  FUZZ_CHECK(f != NULL && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
  if (number % 2 != 0) close_store(store);
  hearth_disk_free(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool seeded;
  const char *folder = getenv("HEARTH_FUZZ_SEEDS");
  hearth_error e;
  hearth_backend_store *store;
  LogReport log;
  Reading all;
  for (unsigned i = 0; !seeded && folder != NULL && i < 4; i++) write_seed(folder, i);
  seeded = true;
  disk = hearth_disk_new();
  hearth_disk_put(disk, PLACE, data, size);
  memory = (FuzzMemory){.largest = fuzz_largest(size)};
  hearth_allocator allocator = fuzz_allocator(&memory);
  hearth_status verified = file_verify(hearth_disk_environment(disk), &allocator, PLACE, ignore, NULL, &log, &e);
  FUZZ_CHECK(verified == e.code && memory.used == 0);
  salvage(size);
  hearth_status status = open_store(PLACE, HEARTH_OPEN_READONLY, &store, &e);
  if (status == HEARTH_OK) {
    bool readable = read_all(store, &all);
    FUZZ_CHECK(readable || verified != HEARTH_OK);
    close_store(store);
  } else if (verified == HEARTH_OK) {
    fuzz_fail("whole, but it does not open for reading: %s", e.message);
  }
  status = open_store(PLACE, 0, &store, &e);
  if (status == HEARTH_OK) write_and_reopen(store);
  hearth_disk_free(disk);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  return log_mutate(data, size, max_size, seed);
}
