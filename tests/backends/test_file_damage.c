/* Every truncated prefix, every flipped byte and, of files that were closed, every flipped bit of a store's file. */
#include <errno.h>

#include "diskstore.h"
#include "export.h"
#include "format.h"
#include "scenario.h"

#define BATCHES 9

typedef struct History {
  unsigned char *bytes;
  size_t size;
  uint64_t base;             /* the first sequence number that can be recovered */
  size_t end[BATCHES + 1];   /* where each batch ends */
} History;

static const hearth_backend *file = &hearth_file_backend;

/* Batches 1 to BATCHES, some in parts, the last at `last` level; compacted after `compact`. The process is killed. */
static void make_history(History *h, hearth_durability last, uint64_t compact) {
  DiskStore d;
  diskstore_init(&d);
  memset(h, 0, sizeof *h);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  h->end[0] = LOG_HEADER_SIZE;
  for (uint64_t n = 1; n <= BATCHES; n++) {
    hearth_durability level = n == BATCHES ? last : HEARTH_DURABLE;
    assert_int_equal(scenario_submit(file, d.store, n, n % 2 == 0, level, &d.err), HEARTH_OK);
    if (n == compact) {
      assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_OK);
      h->base = n;
    }
    size_t mark = level != HEARTH_DURABLE ? 0 : LOG_FRAME_SIZE;
    h->end[n] = (size_t)diskstore_stat(&d).total_bytes - mark;
  }
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &h->size);
  h->bytes = malloc(h->size);
  memcpy(h->bytes, bytes, h->size);
  diskstore_kill(&d);
  diskstore_done(&d);
}

/* The store must be good for more work. */
static void goes_on(DiskStore *d) {
  uint64_t n = scenario_verify(file, d->store) + 1;
  if (scenario_submit(file, d->store, n, false, HEARTH_DURABLE, &d->err) != HEARTH_OK) fail_msg("%s", d->err.message);
  assert_int_equal(diskstore_close(d), HEARTH_OK);
  d->warnings = 0;
  assert_int_equal(diskstore_open(d, 0), HEARTH_OK);
  assert_int_equal(scenario_verify(file, d->store), n);
  assert_int_equal(d->warnings, 0);
}

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static void was_untouched(DiskStore *d, const unsigned char *bytes, size_t size) {
  size_t now;
  const unsigned char *there = hearth_disk_bytes(d->disk, PLACE, &now);
  assert_int_equal(now, size);
  assert_memory_equal(there, bytes, size);
  assert_null(hearth_disk_name(d->disk, 1)); /* no owner file, no tail */
}

static void was_refused(DiskStore *d, const unsigned char *bytes, size_t size) {
  was_untouched(d, bytes, size);
  assert_true(starts_with(d->err.message, PLACE ": "));
  if (d->err.code == HEARTH_DAMAGED) assert_true(d->err.position <= size);
}

/* How many bytes behind the last batch must be kept in a tail file? Whole parts without their last need not. */
static void tail_was_kept(DiskStore *d, const unsigned char *bytes, size_t size, size_t end) {
  const char *name = strrchr(d->warning, ' ');
  assert_int_equal(d->warnings, 1);
  assert_non_null(name);
  size_t kept;
  const unsigned char *tail = hearth_disk_bytes(d->disk, name + 1, &kept);
  assert_non_null(tail);
  assert_int_equal(kept, size - end);
  assert_memory_equal(tail, bytes + end, kept);
}

static void every_prefix(const History *h) {
  for (size_t size = 0; size < h->size; size++) {
    DiskStore d;
    diskstore_init(&d);
    hearth_disk_put(d.disk, PLACE, h->bytes, size);
    uint64_t last = 0;
    for (uint64_t n = 1; n <= BATCHES; n++)
      if (n >= h->base && h->end[n] <= size) last = n;
    bool refused = size < LOG_HEADER_SIZE ? size > 0 : last < h->base;
    /* a reader first: it must see the same and change nothing */
    hearth_status reading = diskstore_open(&d, HEARTH_OPEN_READONLY);
    assert_int_equal(reading, refused ? HEARTH_DAMAGED : HEARTH_OK);
    if (reading == HEARTH_OK) {
      assert_int_equal(scenario_verify(file, d.store), last);
      assert_int_equal(diskstore_close(&d), HEARTH_OK);
      was_untouched(&d, h->bytes, size);
    }
    int told = d.warnings; /* the reader, of a torn tail */
    d.warnings = 0;
    hearth_status status = diskstore_open(&d, 0);
    if (refused) {
      assert_int_equal(status, HEARTH_DAMAGED);
      was_refused(&d, h->bytes, size);
    } else {
      if (status != HEARTH_OK) fail_msg("%zu bytes: %s", size, d.err.message);
      assert_int_equal(scenario_verify(file, d.store), last);
      if (size == 0) assert_non_null(strstr(d.warning, "was an empty file")); /* not without a word */
      assert_int_equal(told, size > 0 ? d.warnings : 0);
      if (d.warnings > 0 && size > 0) tail_was_kept(&d, h->bytes, size, h->end[last]);
      goes_on(&d);
    }
    diskstore_done(&d);
  }
}

/* `certain`: every byte before this place was on the device, and the file proves it. */
static void every_flip(const History *h, size_t certain, uint64_t before) {
  const unsigned char masks[] = {0x01, 0x80, 0xff};
  unsigned char *bytes = malloc(h->size);
  for (size_t at = 0; at < h->size; at++)
    for (size_t m = 0; m < sizeof masks; m++) {
      DiskStore d;
      diskstore_init(&d);
      memcpy(bytes, h->bytes, h->size);
      bytes[at] ^= masks[m];
      hearth_disk_put(d.disk, PLACE, bytes, h->size);
      hearth_status status = diskstore_open(&d, 0);
      if (at < certain) {
        if (status == HEARTH_OK) fail_msg("byte %zu changed and nobody noticed", at);
        assert_true(status == HEARTH_DAMAGED || (status == HEARTH_NOTSTORE && at < LOG_MAGIC_SIZE));
        if (status == HEARTH_DAMAGED) assert_true(d.err.position <= at);
        was_refused(&d, bytes, h->size);
      } else {
        if (status != HEARTH_OK) fail_msg("byte %zu: %s", at, d.err.message);
        assert_int_equal(scenario_verify(file, d.store), before);
        assert_int_equal(d.warnings, 1);
        goes_on(&d);
      }
      diskstore_done(&d);
    }
  free(bytes);
}

static void prefixes_recover_the_last_whole_batch(void **state) {
  (void)state;
  History h;
  make_history(&h, HEARTH_DURABLE, 0);
  every_prefix(&h);
  free(h.bytes);
}

static void prefixes_of_a_compacted_store(void **state) {
  (void)state;
  History h;
  make_history(&h, HEARTH_DURABLE, 5);
  every_prefix(&h);
  free(h.bytes);
}

static void flips_in_a_synced_store_are_refused(void **state) {
  (void)state;
  History h;
  make_history(&h, HEARTH_DURABLE, 0);
  every_flip(&h, h.end[BATCHES], BATCHES); /* only the mark behind is not needed */
  free(h.bytes);
}

static void flips_in_a_compacted_store_are_refused(void **state) {
  (void)state;
  History h;
  make_history(&h, HEARTH_DURABLE, 5);
  every_flip(&h, h.end[BATCHES], BATCHES);
  free(h.bytes);
}

static void flips_in_a_batch_that_was_not_synced_cut_it_off(void **state) {
  (void)state;
  History h;
  make_history(&h, HEARTH_COMPLETE, 0);
  every_flip(&h, h.end[BATCHES - 1], BATCHES - 1);
  free(h.bytes);
}

/* ---------------------------------------------- every bit of a closed file */

typedef enum Making { PLAIN, IN_PARTS, COMPACTED, KEPT, EXPORTED } Making;

typedef struct Closed {
  unsigned char *bytes;
  size_t size, mark; /* where the closing mark begins */
  char text[SCENARIO_TEXT];
  uint64_t sequence;
} Closed;

static size_t bits, noticed, unharmed;

/* A batch whose values do not fit into one frame, nor one of them into a chunk. */
static void submit_large(DiskStore *d) {
  static char value[4 * (size_t)LOG_CHUNK / 3];
  hearth_op ops[] = {{HEARTH_PUT, 3, "a", 1, value, sizeof value}, {HEARTH_PUT, 3, "b", 1, value, sizeof value / 2},
                     {HEARTH_PUT, 3, "c", 1, value, sizeof value}};
  memset(value, 'v', sizeof value);
  assert_int_equal(file->submit(d->store, ops, 3, 0, HEARTH_DURABLE, NULL, &d->err), HEARTH_OK);
}

static void make_closed(Closed *c, Making how) {
  static const char exported[] = "/exported";
  DiskStore d;
  diskstore_init(&d);
  memset(c, 0, sizeof *c);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  for (uint64_t n = 1; n <= BATCHES; n++) {
    hearth_durability level = n % 2 == 1 ? HEARTH_COMPLETE : HEARTH_DURABLE; /* for the last only the mark is proof */
    assert_int_equal(scenario_submit(file, d.store, n, false, level, &d.err), HEARTH_OK);
  }
  if (how == IN_PARTS) submit_large(&d);
  if (how == COMPACTED) assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_OK);
  if (how == KEPT) assert_int_equal(file->compact(d.store, 4, &d.err), HEARTH_OK);
  if (how == EXPORTED)
    assert_int_equal(hearth_export(file, d.store, hearth_disk_environment(d.disk), NULL, exported, &d.err), HEARTH_OK);
  assert_int_equal(scenario_text(file, d.store, c->text, &d.err), HEARTH_OK);
  c->sequence = how == EXPORTED ? 1 : diskstore_stat(&d).sequence;
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(d.disk, how == EXPORTED ? exported : PLACE, &c->size);
  c->bytes = malloc(c->size);
  memcpy(c->bytes, bytes, c->size);
  c->mark = c->size - LOG_FRAME_SIZE;
  assert_memory_equal(c->bytes + c->mark, LOG_FRAME_MAGIC, LOG_FRAME_MAGIC_SIZE);
  assert_int_equal(c->bytes[c->mark + LOG_FRAME_MAGIC_SIZE], LOG_CLOSED);
  diskstore_done(&d);
}

/* What is open holds all that it held when it was closed. */
static void nothing_is_missing(DiskStore *d, const Closed *c) {
  char text[SCENARIO_TEXT];
  if (scenario_text(file, d->store, text, &d->err) != HEARTH_OK) fail_msg("%s", d->err.message);
  assert_string_equal(text, c->text);
  assert_int_equal(diskstore_stat(d).sequence, c->sequence);
}

static void flip_bit(const Closed *c, unsigned char *bytes, size_t at, unsigned bit, unsigned flags) {
  DiskStore d;
  diskstore_init(&d);
  bytes[at] ^= (unsigned char)(1u << bit);
  hearth_disk_put(d.disk, PLACE, bytes, c->size);
  hearth_status status = diskstore_open(&d, flags);
  bits++;
  if (status == HEARTH_OK) {
    unharmed++;
    nothing_is_missing(&d, c);
    if (at < c->mark) fail_msg("bit %u of byte %zu changed and nobody noticed", bit, at);
    assert_int_equal(diskstore_close(&d), HEARTH_OK);
    if ((flags & HEARTH_OPEN_READONLY) != 0) was_untouched(&d, bytes, c->size);
    assert_int_equal(diskstore_open(&d, flags), HEARTH_OK);
    nothing_is_missing(&d, c);
  } else {
    noticed++;
    assert_true(status == HEARTH_DAMAGED || (status == HEARTH_NOTSTORE && at < LOG_MAGIC_SIZE));
    was_refused(&d, bytes, c->size);
  }
  bytes[at] ^= (unsigned char)(1u << bit);
  diskstore_done(&d);
}

static void every_bit_of_a_closed_file(void **state) {
  (void)state;
  const bool all = rounds(40) >= 40; /* one of eight under valgrind */
  for (Making how = PLAIN; how <= EXPORTED; how++) {
    Closed c;
    make_closed(&c, how);
    DiskStore d;
    diskstore_init(&d);
    hearth_disk_put(d.disk, PLACE, c.bytes, c.size);
    assert_int_equal(diskstore_open(&d, 0), HEARTH_OK); /* without a flip it is the store that was closed */
    nothing_is_missing(&d, &c);
    diskstore_done(&d);
    for (size_t at = 0; at < c.size; at++)
      for (unsigned bit = 0; bit < 8; bit++)
        if (all || bit == at % 8) flip_bit(&c, c.bytes, at, bit, (at + bit) % 5 == 0 ? HEARTH_OPEN_READONLY : 0);
    free(c.bytes);
  }
  assert_true(unharmed > 0 && noticed > unharmed);
  printf("figure: %zu flipped bits in closed files: %zu refused, %zu in the closing mark, opened with everything\n",
         bits, noticed, unharmed);
}

/* A value may contain anything, a copy of the store's own frames too. */
static void copies_of_frames_are_no_frames(void **state) {
  (void)state;
  History h;
  DiskStore d;
  make_history(&h, HEARTH_DURABLE, 0);
  diskstore_init(&d);
  hearth_disk_put(d.disk, PLACE, h.bytes, h.end[3]);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  hearth_op op = {HEARTH_PUT, 7, "k", 1, h.bytes, h.size};
  assert_int_equal(file->submit(d.store, &op, 1, 0, HEARTH_COMPLETE, NULL, &d.err), HEARTH_OK);
  diskstore_kill(&d);
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &size);
  unsigned char *torn = malloc(size);
  memcpy(torn, bytes, size);
  /* a frame header in the value says that batch 8 was synced, but is only a copy */
  hearth_disk_put(d.disk, PLACE, torn, size - 100);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(scenario_verify(file, d.store), 3);
  free(torn);
  free(h.bytes);
  diskstore_done(&d);
}

/* Bytes that change under an open store: a value is checked when it is read. */
static void a_changed_value_is_not_delivered(void **state) {
  (void)state;
  DiskStore d;
  char text[SCENARIO_TEXT];
  diskstore_init(&d);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(scenario_submit(file, d.store, 1, false, HEARTH_DURABLE, &d.err), HEARTH_OK);
  size_t size, at = 0;
  const unsigned char *there = hearth_disk_bytes(d.disk, PLACE, &size);
  unsigned char *bytes = malloc(size);
  memcpy(bytes, there, size);
  while (memcmp(bytes + at, "value 1", 7) != 0) at++;
  bytes[at + 3] ^= 1;
  hearth_disk_put(d.disk, PLACE, bytes, size);
  assert_int_equal(scenario_text(file, d.store, text, &d.err), HEARTH_DAMAGED);
  assert_int_equal(d.err.position, at);
  assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_DAMAGED);
  free(bytes);
  diskstore_done(&d);
}

static void other_files_are_not_stores(void **state) {
  (void)state;
  DiskStore d;
  diskstore_init(&d);
  hearth_disk_put(d.disk, PLACE, "#!/bin/sh\n", 10);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_NOTSTORE);
  was_refused(&d, (const unsigned char *)"#!/bin/sh\n", 10);
  diskstore_done(&d);
}

/* With a byte of batch 2 changed, whose value is the only one of 33 bytes: a store that is damaged, not torn. */
static void knows_that_batch_2_was_durable(DiskStore *d) {
  static const char value[] = "what was confirmed to be durable.";
  DiskStore copy;
  size_t size, at = 0;
  const unsigned char *bytes = hearth_disk_bytes(d->disk, PLACE, &size);
  unsigned char *damaged = malloc(size);
  memcpy(damaged, bytes, size);
  while (memcmp(damaged + at, value, sizeof value - 1) != 0) at++;
  damaged[at]++;
  diskstore_init(&copy);
  hearth_disk_put(copy.disk, PLACE, damaged, size);
  assert_int_equal(diskstore_open(&copy, 0), HEARTH_DAMAGED);
  diskstore_done(&copy);
  free(damaged);
}

/* What a barrier confirms is durable also while a batch in parts is open, whether or not parts of it are written. */
static void a_barrier_inside_a_batch(void **state) {
  (void)state;
  for (size_t part_size = 10; part_size < 1000; part_size += 900) {
    DiskStore store, *d = &store;
    diskstore_init(d);
    assert_int_equal(diskstore_open(d, 0), HEARTH_OK);
    assert_int_equal(scenario_submit(file, d->store, 1, false, HEARTH_DURABLE, &d->err), HEARTH_OK);
    char part[1000] = {0};
    hearth_op confirmed = {HEARTH_PUT, 9, "c", 1, "what was confirmed to be durable.", 33};
    hearth_op parts = {HEARTH_PUT, 9, "p", 1, part, part_size};
    assert_int_equal(file->submit(d->store, &confirmed, 1, 0, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
    assert_int_equal(file->submit(d->store, &parts, 1, HEARTH_BATCH_MORE, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
    assert_int_equal(file->barrier(d->store, HEARTH_DURABLE, &d->err), HEARTH_OK);
    assert_int_equal(diskstore_stat(d).durable, 2);
    if (part_size < 100) knows_that_batch_2_was_durable(d); /* behind parts there is no room for a mark */
    parts.key = "q";
    uint64_t sequence;
    assert_int_equal(file->submit(d->store, &parts, 1, 0, HEARTH_COMPLETE, &sequence, &d->err), HEARTH_OK);
    assert_int_equal(sequence, 3);
    knows_that_batch_2_was_durable(d);
    diskstore_kill(d);
    assert_int_equal(diskstore_open(d, 0), HEARTH_OK);
    assert_int_equal(diskstore_stat(d).sequence, 3);
    assert_int_equal(d->warnings, 0);
    diskstore_done(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prefixes_recover_the_last_whole_batch),
      cmocka_unit_test(prefixes_of_a_compacted_store),
      cmocka_unit_test(flips_in_a_synced_store_are_refused),
      cmocka_unit_test(flips_in_a_compacted_store_are_refused),
      cmocka_unit_test(flips_in_a_batch_that_was_not_synced_cut_it_off),
      cmocka_unit_test(a_barrier_inside_a_batch),
      cmocka_unit_test(every_bit_of_a_closed_file),
      cmocka_unit_test(copies_of_frames_are_no_frames),
      cmocka_unit_test(a_changed_value_is_not_delivered),
      cmocka_unit_test(other_files_are_not_stores),
  };
  return cmocka_run_group_tests_name("file damage", tests, NULL, NULL);
}
