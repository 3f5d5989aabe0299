/* What is left of a damaged store: verify finds the place, salvage saves the rest. */
#include "salvage.h"

#include <errno.h>

#include "diskstore.h"
#include "encode.h"
#include "scenario.h"

#define SAVED "/saved.hearth"
#define BATCHES 9

static const hearth_backend *file = &hearth_file_backend;

/* The bytes of a closed store with batches 1 to BATCHES. */
static unsigned char *make_store(bool compacted, size_t *size) {
  DiskStore d;
  diskstore_init(&d);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  for (uint64_t n = 1; n <= BATCHES; n++)
    assert_int_equal(scenario_submit(file, d.store, n, n % 2 == 0, HEARTH_DURABLE, &d.err), HEARTH_OK);
  if (compacted) assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_OK);
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, size);
  unsigned char *copy = malloc(*size);
  memcpy(copy, bytes, *size);
  diskstore_done(&d);
  return copy;
}

static hearth_status verify(DiskStore *d, LogReport *report) {
  hearth_allocator allocator = counting_allocator(&d->memory);
  hearth_status status =
      file_verify(hearth_disk_environment(d->disk), &allocator, PLACE, diskstore_warn, d, report, &d->err);
  assert_int_equal(d->memory.bytes, 0);
  return status;
}

static hearth_status salvage(DiskStore *d, SalvageReport *report) {
  hearth_allocator allocator = counting_allocator(&d->memory);
  hearth_status status = file_salvage(hearth_disk_environment(d->disk), &allocator, PLACE, SAVED, false, diskstore_warn,
                                      d, report, &d->err);
  assert_int_equal(d->memory.bytes, 0);
  assert_int_equal(status, d->err.code);
  return status;
}

static hearth_status open_saved(DiskStore *d) {
  hearth_backend_config config = {.size = sizeof config, .location = SAVED,
                                  .environment = hearth_disk_environment(d->disk)};
  return file->open(&config, &d->store, &d->err);
}

typedef struct Entries {
  char (*list)[200];
  size_t count;
} Entries;

static int take_line(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Entries *e = ud;
  (void)snprintf(e->list[e->count++], 200, "%d/%.*s=%.*s", (int)table, (int)key_size, (const char *)key,
                 (int)value_size, value_size > 0 ? (const char *)value : "");
  return 0;
}

/* Every entry of the saved store was put by some batch: nothing is made up. Their number. */
static size_t only_what_was_put(DiskStore *d) {
  static char lines[64][200];
  Entries e = {lines, 0};
  int result;
  for (uint64_t table = 1; table <= 2; table++)
    assert_int_equal(file->scan(d->store, table, NULL, 0, NULL, 0, false, take_line, &e, &result, NULL), HEARTH_OK);
  for (size_t i = 0; i < e.count; i++) {
    bool known = false;
    for (uint64_t n = 1; n <= BATCHES && !known; n++) {
      ScenarioBatch batch;
      scenario_batch(n, &batch);
      for (size_t o = 0; o < batch.count && !known; o++) {
        char line[400];
        const hearth_op *op = &batch.ops[o];
        (void)snprintf(line, sizeof line, "%d/%.*s=%.*s", (int)op->table, (int)op->key_size, (const char *)op->key,
                       (int)op->value_size, (const char *)op->value);
        known = op->kind == HEARTH_PUT && strcmp(line, lines[i]) == 0;
      }
    }
    if (!known) fail_msg("made up: %s", lines[i]);
  }
  return e.count;
}

static void a_whole_store_is_verified_and_saved(void **state) {
  (void)state;
  for (int compacted = 0; compacted < 2; compacted++) {
    DiskStore d;
    LogReport log;
    SalvageReport report;
    size_t size;
    unsigned char *bytes = make_store(compacted != 0, &size);
    diskstore_init(&d);
    hearth_disk_put(d.disk, PLACE, bytes, size);
    assert_int_equal(verify(&d, &log), HEARTH_OK);
    assert_int_equal(log.sequence, BATCHES);
    assert_int_equal(log.batches, compacted ? 1 : BATCHES);
    assert_int_equal(log.gaps, 0);
    assert_true(log.closed);
    assert_int_equal(salvage(&d, &report), HEARTH_OK);
    assert_int_equal(salvage(&d, &report), HEARTH_EXISTS);
    assert_int_equal(open_saved(&d), HEARTH_OK);
    assert_int_equal(scenario_verify(file, d.store), BATCHES);
    assert_int_equal(d.warnings, 0);
    file->close(d.store, NULL);
    d.store = NULL;
    diskstore_done(&d);
    free(bytes);
  }
}

/* One byte is damaged, each in turn: verify says where, salvage loses at most what that byte belonged to. */
static void every_flipped_byte_loses_little(void **state) {
  (void)state;
  size_t size;
  unsigned char *bytes = make_store(true, &size);
  char text[SCENARIO_TEXT];
  scenario_expected(BATCHES, text);
  size_t all = 0;
  for (const char *p = text; *p != '\0'; p++) all += *p == '\n';
  for (size_t at = 0; at < size; at++) {
    DiskStore d;
    LogReport log;
    SalvageReport report;
    diskstore_init(&d);
    bytes[at] ^= 0x10;
    hearth_disk_put(d.disk, PLACE, bytes, size);
    hearth_status status = verify(&d, &log);
    if (at >= size - LOG_FRAME_SIZE) {
      assert_int_equal(status, HEARTH_OK); /* the mark at the end: a torn tail */
      assert_int_equal(d.warnings, 1);
    } else {
      assert_int_equal(status, at < LOG_MAGIC_SIZE ? HEARTH_NOTSTORE : HEARTH_DAMAGED);
      if (status == HEARTH_DAMAGED) assert_true(d.err.position <= at);
    }
    status = salvage(&d, &report);
    assert_int_equal(status, at < LOG_MAGIC_SIZE ? HEARTH_NOTSTORE : HEARTH_OK);
    if (status == HEARTH_OK) {
      assert_int_equal(open_saved(&d), HEARTH_OK);
      size_t entries = only_what_was_put(&d);
      assert_true(entries + 1 >= all);
      assert_int_equal(entries, report.entries);
      file->close(d.store, NULL);
      d.store = NULL;
    }
    size_t now;
    assert_memory_equal(hearth_disk_bytes(d.disk, PLACE, &now), bytes, size);
    assert_int_equal(now, size);
    bytes[at] ^= 0x10;
    diskstore_done(&d);
  }
  free(bytes);
}

/* A whole stretch is gone, from any place on; nothing is made up, nothing crashes. */
static void stretches_of_zeros(void **state) {
  (void)state;
  size_t size;
  unsigned char *bytes = make_store(false, &size), *hurt = malloc(size);
  for (size_t at = 0; at < size; at += 3)
    for (size_t length = 50; length <= 400; length += 350) {
      DiskStore d;
      SalvageReport report;
      diskstore_init(&d);
      memcpy(hurt, bytes, size);
      memset(hurt + at, 0, length < size - at ? length : size - at);
      hearth_disk_put(d.disk, PLACE, hurt, size);
      hearth_status status = salvage(&d, &report);
      if (status == HEARTH_OK) {
        assert_int_equal(open_saved(&d), HEARTH_OK);
        (void)only_what_was_put(&d);
        file->close(d.store, NULL);
        d.store = NULL;
      } else { /* the header with both copies of the salt */
        assert_true(at < LOG_HEADER_SIZE);
        assert_true(status == HEARTH_DAMAGED || status == HEARTH_NOTSTORE);
      }
      diskstore_done(&d);
    }
  free(bytes);
  free(hurt);
}

static void every_failure_leaves_no_file(void **state) {
  (void)state;
  size_t size, there;
  unsigned char *bytes = make_store(false, &size);
  bytes[size / 2] ^= 1;
  for (int kind = 0; kind < 3; kind++) {
    long n = 0;
    for (bool struck = true; struck; n++) {
      DiskStore d;
      SalvageReport report;
      diskstore_init(&d);
      hearth_disk_put(d.disk, PLACE, bytes, size);
      if (kind == 0) hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, n, EIO, false, false});
      if (kind == 1) hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_WRITES, n, ENOSPC, false, true});
      if (kind == 2) d.memory.fail_at = n;
      hearth_status status = salvage(&d, &report);
      struck = kind == 2 ? d.memory.calls > n : hearth_disk_struck(d.disk);
      if (struck && kind > 0) assert_int_equal(status, kind == 1 ? HEARTH_FULL : HEARTH_NOMEM);
      if (struck && kind == 0) assert_true(status == HEARTH_IO || status == HEARTH_OK); /* closing what was read */
      if (!struck) assert_int_equal(status, HEARTH_OK);
      assert_int_equal(hearth_disk_bytes(d.disk, SAVED, &there) != NULL, status == HEARTH_OK);
      diskstore_done(&d);
    }
    assert_true(n > 2);
  }
  free(bytes);
}

/* ------------------------------------------------- verify and open agree */

static uint64_t number_at(const unsigned char *p) {
  uint64_t n = 0;
  for (unsigned i = 0; i < 8; i++) n |= (uint64_t)p[i] << (8 * i);
  return n;
}

static bool opens(DiskStore *d) {
  if (diskstore_open(d, HEARTH_OPEN_READONLY) != HEARTH_OK) return false;
  assert_int_equal(diskstore_close(d), HEARTH_OK);
  return true;
}

/* Verify answers the status for these bytes, and open one that fits it. */
static void assert_verified(const void *bytes, size_t size, hearth_status expected) {
  DiskStore d;
  LogReport report;
  diskstore_init(&d);
  hearth_disk_put(d.disk, PLACE, bytes, size);
  hearth_status status = verify(&d, &report);
  if (status != expected) fail_msg("%s: %s", hearth_status_name(status), d.err.message);
  assert_int_equal(opens(&d), expected == HEARTH_OK);
  diskstore_done(&d);
}

/* A frame header that is whole says that earlier batches were synced, though its own payload is damaged. */
static void damage_up_to_the_end_is_no_torn_tail(void **state) {
  (void)state;
  DiskStore d;
  diskstore_init(&d);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  for (int i = 0; i < 3; i++) {
    hearth_op op = {HEARTH_PUT, 1, "key", 3, "value", 5};
    assert_int_equal(file->submit(d.store, &op, 1, 0, HEARTH_DURABLE, NULL, &d.err), HEARTH_OK);
  }
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  size_t size, at = LOG_HEADER_SIZE;
  unsigned char *bytes = (unsigned char *)(uintptr_t)hearth_disk_bytes(d.disk, PLACE, &size);
  assert_verified(bytes, size, HEARTH_OK);
  for (int i = 0; i < 3; i++) {
    bytes[at + LOG_FRAME_SIZE] ^= 1;
    at += LOG_FRAME_SIZE + (size_t)number_at(bytes + at + 8);
  }
  assert_int_equal(at + LOG_FRAME_SIZE, size); /* the mark at the end goes: it is whole */
  assert_verified(bytes, at, HEARTH_DAMAGED);
  diskstore_done(&d);
}

/* A whole frame for the place where it stands, but with another one before it. */
static void a_frame_out_of_order(void **state) {
  (void)state;
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .salt = 5, .first = 1};
  LogFrame f = {.kind = LOG_SYNCED, .sequence = 4, .synced = 4};
  unsigned char bytes[LOG_HEADER_SIZE + LOG_FRAME_SIZE];
  log_encode_header(bytes, &h);
  log_encode_mark(bytes + LOG_HEADER_SIZE, h.salt, LOG_HEADER_SIZE, h.check, &f);
  assert_verified(bytes, sizeof bytes, HEARTH_DAMAGED);
}

/* Right by their checks, but nothing that Hearth writes. */
static void senseless_but_checked(void **state) {
  (void)state;
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .salt = 5, .first = 1};
  LogFrame f = {.kind = LOG_BATCH, .sequence = 1};
  unsigned char bytes[LOG_HEADER_SIZE + LOG_FRAME_SIZE + 1];
  Buffer frame;
  buffer_init(&frame, &hearth_libc_allocator);
  for (unsigned char kind = 0; kind <= HEARTH_DROP; kind++) { /* a payload of one byte: no operation is so short */
    log_encode_header(bytes, &h);
    log_encode_begin(&frame);
    buffer_byte(&frame, kind);
    log_encode_end(&frame, h.salt, LOG_HEADER_SIZE, h.check, &f);
    assert_int_equal(frame.size, LOG_FRAME_SIZE + 1);
    memcpy(bytes + LOG_HEADER_SIZE, frame.data, frame.size);
    assert_verified(bytes, sizeof bytes, HEARTH_DAMAGED);
  }
  buffer_free(&frame);
  assert_verified(bytes, LOG_HEADER_SIZE, HEARTH_OK);
  h.first = 0; /* batches count from 1 */
  log_encode_header(bytes, &h);
  assert_verified(bytes, LOG_HEADER_SIZE, HEARTH_DAMAGED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_store_is_verified_and_saved),
      cmocka_unit_test(every_flipped_byte_loses_little),
      cmocka_unit_test(stretches_of_zeros),
      cmocka_unit_test(every_failure_leaves_no_file),
      cmocka_unit_test(damage_up_to_the_end_is_no_torn_tail),
      cmocka_unit_test(a_frame_out_of_order),
      cmocka_unit_test(senseless_but_checked),
  };
  return cmocka_run_group_tests_name("file salvage", tests, NULL, NULL);
}
