/* Verify and salvage over logs that are made by hand, and with something that fails or changes while they read. */
#include "salvage.h"

#include <errno.h>

#include "handmade.h"
#include "meddled.h"

#define SAVED "/saved.hearth"

static const hearth_backend *const file = &hearth_file_backend;

static void put(const Handmade *m) {
  hearth_disk_put(d.disk, PLACE, m->bytes.data, m->bytes.size);
}

static hearth_status verify(LogReport *report) {
  hearth_allocator allocator = counting_allocator(&d.memory);
  d.warnings = 0;
  hearth_status status = file_verify(hearth_disk_environment(d.disk), &allocator, PLACE, diskstore_warn, &d,
                                     report, &d.err);
  assert_int_equal(d.memory.bytes, 0);
  return status;
}

static bool whole_batches;

static hearth_status salvage(SalvageReport *report) {
  size_t size;
  hearth_allocator allocator = counting_allocator(&d.memory);
  hearth_status status =
      file_salvage(hearth_disk_environment(d.disk), &allocator, PLACE, SAVED, whole_batches, diskstore_warn, &d, report,
                   &d.err);
  assert_int_equal(d.memory.bytes, 0);
  assert_int_equal(hearth_disk_bytes(d.disk, SAVED, &size) != NULL, status == HEARTH_OK);
  return status;
}

static int take_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size;
  (void)snprintf(ud, 16, "%.*s", (int)size, (const char *)value);
  return 0;
}

/* The saved store opens with this last batch, as many entries, and this value of "k" ("": none). It is removed. */
static void assert_saved(uint64_t sequence, uint64_t entries, const char *k) {
  char value[16] = "";
  hearth_backend_stat stat = {.size = sizeof stat};
  hearth_backend_config config = {.size = sizeof config, .location = SAVED,
                                  .environment = hearth_disk_environment(d.disk)};
  assert_int_equal(file->open(&config, &d.store, &d.err), HEARTH_OK);
  assert_int_equal(file->stat(d.store, &stat, NULL), HEARTH_OK);
  assert_int_equal(stat.sequence, sequence);
  assert_int_equal(stat.entries, entries);
  (void)file->get(d.store, 1, "k", 1, take_value, value, NULL);
  assert_string_equal(value, k);
  assert_int_equal(file->close(d.store, NULL), HEARTH_OK);
  d.store = NULL;
  hearth_disk_remove(d.disk, SAVED);
}

/* ----------------------------------------------------------------- verify */

/* Two values whose own check is wrong, in a frame whose check is right. */
static void values_that_are_not_theirs(void **state) {
  (void)state;
  LogReport r;
  Handmade m;
  static const char payload[] = "\x01\x01\x01k\x01"
                                "\1\2\3\4\5\6\7\10v"
                                "\x01\x01\x01l\x01"
                                "\1\2\3\4\5\6\7\10w";
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_frame(&m, LOG_BATCH, 2, 1, payload, sizeof payload - 1);
  uint64_t first = m.frame_at + LOG_FRAME_SIZE + 13;
  for (int tail = 0; tail < 2; tail++) { /* what may follow is behind it */
    if (tail) handmade_garbage(&m, 10);
    put(&m);
    assert_int_equal(verify(&r), HEARTH_DAMAGED);
    assert_int_equal(d.err.position, first);
    assert_int_equal(d.warnings, 2 + tail);
    assert_int_equal(r.operations, 3);
  }
  handmade_free(&m);
}

/* Is what is missing at the end a torn tail? Verify says so when open does. */
static void tails(void **state) {
  (void)state;
  static const struct {
    uint64_t header_synced; /* as the header says */
    uint64_t batches;       /* whole ones, from 1 on */
    uint64_t part, synced;  /* then a part of this batch, which says that these were synced; 0: none */
    size_t tail;            /* bytes of garbage */
    hearth_status status;
  } cases[] = {
      {0, 2, 0, 0, 11, HEARTH_OK},      {2, 2, 0, 0, 11, HEARTH_OK},      {3, 2, 0, 0, 11, HEARTH_DAMAGED},
      {3, 2, 0, 0, 0, HEARTH_DAMAGED},  {2, 2, 0, 0, 0, HEARTH_OK},       {0, 3, 6, 5, 11, HEARTH_DAMAGED},
      {5, 0, 6, 0, 11, HEARTH_DAMAGED}, {0, 2, 3, 2, 11, HEARTH_OK},      {0, 0, 0, 0, 11, HEARTH_OK},
      {1, 0, 0, 0, 11, HEARTH_DAMAGED},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    LogReport r;
    SalvageReport s;
    Handmade m;
    handmade_begin(&m, 1, cases[i].header_synced);
    for (uint64_t n = 1; n <= cases[i].batches; n++) handmade_batch(&m, n, n - 1);
    if (cases[i].part != 0) handmade_put(&m, LOG_PART, cases[i].part, cases[i].synced, "p", "", 0);
    handmade_garbage(&m, cases[i].tail);
    put(&m);
    (void)salvage(&s);
    assert_int_equal(s.tail_bytes, cases[i].status == HEARTH_OK ? cases[i].tail : 0);
    hearth_disk_remove(d.disk, SAVED);
    hearth_status status = verify(&r);
    if (status != cases[i].status) fail_msg("case %zu: %s", i, hearth_status_name(status));
    assert_int_equal(diskstore_open(&d, HEARTH_OPEN_READONLY), status);
    if (d.store != NULL) assert_int_equal(diskstore_close(&d), HEARTH_OK);
    handmade_free(&m);
  }
}

static void an_empty_file_may_become_a_store(void **state) {
  (void)state;
  LogReport r;
  hearth_disk_put(d.disk, PLACE, "", 0);
  assert_int_equal(verify(&r), HEARTH_OK);
  assert_int_equal(d.warnings, 0);
}

/* Whoever does not want to be told anything: the status is the same. */
static void nobody_is_told(void **state) {
  (void)state;
  LogReport r;
  SalvageReport s;
  Handmade m;
  const hearth_allocator none = {NULL, NULL};
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_batch(&m, 2, 1);
  m.bytes.data[m.frame_at - 1] ^= 1;
  put(&m);
  const hearth_environment *env = hearth_disk_environment(d.disk);
  assert_int_equal(file_verify(env, NULL, PLACE, NULL, NULL, &r, NULL), HEARTH_DAMAGED);
  assert_int_equal(file_verify(env, &none, PLACE, NULL, NULL, &r, NULL), HEARTH_DAMAGED);
  assert_int_equal(file_salvage(env, &none, PLACE, SAVED, false, NULL, NULL, &s, NULL), HEARTH_OK);
  assert_saved(2, 1, "2");
  handmade_free(&m);
}

/* ---------------------------------------------------------------- salvage */

/* Batches 2 and 3 are damaged, but the header of 3 says that 2 was on the device: no torn tail, so its values count. */
static void a_tail_that_was_on_the_device(void **state) {
  (void)state;
  for (uint64_t synced = 1; synced <= 2; synced++) {
    SalvageReport s;
    Handmade m;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    handmade_put(&m, LOG_BATCH, 2, 1, "k", "two", 3);
    m.bytes.data[m.frame_at + 8] ^= 1; /* its header; the value is whole */
    size_t tail = m.frame_at;
    handmade_put(&m, LOG_BATCH, 3, synced, "l", "three", 5);
    m.bytes.data[m.bytes.size - 1] ^= 1;
    put(&m);
    assert_int_equal(salvage(&s), HEARTH_OK);
    assert_int_equal(s.rescued, synced - 1);
    assert_int_equal(s.tail_bytes, synced == 2 ? 0 : m.bytes.size - tail);
    assert_saved(1, 1, synced == 2 ? "two" : "1");
    handmade_free(&m);
  }
}

/* What counts as the end of a batch: a mark, the next batch, its own last frame. */
static void parts_without_their_last(void **state) {
  (void)state;
  for (int behind = 0; behind < 4; behind++) {
    SalvageReport s;
    Handmade m;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    handmade_put(&m, LOG_PART, 2, 1, "k", "two", 3);
    handmade_garbage(&m, 9);
    if (behind == 1) handmade_frame(&m, LOG_SYNCED, 2, 2, "", 0); /* its last frame is lost, but it was there */
    if (behind == 2) handmade_put(&m, LOG_BATCH, 3, 2, "l", "", 0);
    if (behind == 3) handmade_put(&m, LOG_BATCH, 2, 1, "l", "", 0);
    put(&m);
    assert_int_equal(salvage(&s), HEARTH_OK);
    assert_saved(behind == 0 ? 1 : behind == 2 ? 3 : 2, behind < 2 ? 1 : 2, behind == 0 ? "1" : "two");
    handmade_free(&m);
  }
}

/* One of the handmade logs below, and where its damage is. */
typedef struct Broken {
  const char *what;
  uint64_t broken;         /* batches */
  uint64_t entries, whole; /* saved; of them with whole batches alone */
} Broken;

/* Batch n puts "a", and in a part of its own "b": a transfer. Answers where its first frame begins. */
static size_t transfer(Handmade *m, uint64_t n, bool keys_of_its_own) {
  char a[8] = "a", b[8] = "b";
  size_t at = m->bytes.size;
  if (keys_of_its_own) (void)snprintf(a, sizeof a, "a%d", (int)n);
  if (keys_of_its_own) (void)snprintf(b, sizeof b, "b%d", (int)n);
  handmade_put(m, LOG_PART, n, n - 1, a, "0", 1);
  handmade_put(m, LOG_BATCH, n, n - 1, b, "1", 1);
  return at;
}

static void assert_broken(const Handmade *m, Broken is) {
  put(m);
  for (int whole = 0; whole < 2; whole++) {
    SalvageReport s;
    hearth_backend_stat stat = {.size = sizeof stat};
    hearth_backend_config config = {.size = sizeof config, .location = SAVED,
                                    .environment = hearth_disk_environment(d.disk)};
    whole_batches = whole != 0;
    if (salvage(&s) != HEARTH_OK) fail_msg("%s: %s", is.what, d.err.message);
    whole_batches = false;
    if (s.broken != is.broken) fail_msg("%s: %d batches are broken", is.what, (int)s.broken);
    assert_int_equal(file->open(&config, &d.store, &d.err), HEARTH_OK);
    assert_int_equal(file->stat(d.store, &stat, NULL), HEARTH_OK);
    if (stat.entries != (whole ? is.whole : is.entries)) fail_msg("%s: %d entries", is.what, (int)stat.entries);
    assert_int_equal(file->close(d.store, NULL), HEARTH_OK);
    d.store = NULL;
    hearth_disk_remove(d.disk, SAVED);
  }
}

/* Batches 1 to 4, each in two parts with keys of its own; a bit is flipped `offset` bytes into a frame of batch 2. */
static void break_transfer(Handmade *m, bool last_part, size_t offset) {
  handmade_begin(m, 1, 0);
  (void)transfer(m, 1, true);
  size_t at = transfer(m, 2, true);
  if (last_part) at = m->frame_at;
  (void)transfer(m, 3, true);
  (void)transfer(m, 4, true);
  m->bytes.data[at + offset] ^= 1;
}

/* How many they are, and what is left of them, which can be left out: half of a transfer is worse than none. */
static void batches_that_are_not_whole(void **state) {
  (void)state;
  Handmade m;
  size_t value = LOG_FRAME_SIZE + 14, header = 8;
  handmade_begin(&m, 1, 0);
  for (uint64_t n = 1; n <= 3; n++) (void)transfer(&m, n, n > 1);
  assert_broken(&m, (Broken){"none", 0, 6, 6});
  m.bytes.data[30] ^= 1;
  assert_broken(&m, (Broken){"the header of the file", 0, 6, 6});
  handmade_free(&m);
  break_transfer(&m, false, value);
  assert_broken(&m, (Broken){"the value of a first part", 1, 7, 6});
  handmade_free(&m);
  break_transfer(&m, false, header);
  assert_broken(&m, (Broken){"the header of a first part", 1, 8, 6});
  handmade_free(&m);
  break_transfer(&m, true, value);
  assert_broken(&m, (Broken){"the value of a last part", 1, 7, 6});
  handmade_free(&m);
  break_transfer(&m, true, header); /* whether batch 3 began in the damaged bytes is not known then */
  assert_broken(&m, (Broken){"the header of a last part", 2, 8, 4});
  handmade_free(&m);
  handmade_begin(&m, 1, 0);
  (void)transfer(&m, 1, true);
  size_t at = transfer(&m, 2, true);
  handmade_frame(&m, LOG_SYNCED, 2, 2, "", 0);
  m.bytes.data[at + header] ^= 1;
  m.bytes.data[m.frame_at - 1] ^= 1; /* the value of the last part, too */
  assert_broken(&m, (Broken){"a mark behind it", 1, 3, 2});
  handmade_free(&m);
  handmade_begin(&m, 1, 2);
  (void)transfer(&m, 1, true);
  (void)transfer(&m, 2, true);
  m.bytes.data[m.frame_at + header] ^= 1;
  assert_broken(&m, (Broken){"the end, which was on the device", 1, 4, 2});
  m.bytes.size = m.frame_at;
  assert_broken(&m, (Broken){"cut off", 1, 2, 2});
  handmade_free(&m);
}

static void when_there_is_nothing_to_save(void **state) {
  (void)state;
  static const struct {
    uint64_t synced;
    size_t garbage;
    bool header, rescue; /* the header is whole; a value is among the garbage */
    hearth_status status;
  } cases[] = {
      {0, 0, true, false, HEARTH_OK},        {0, 50, true, false, HEARTH_OK},  {1, 50, true, false, HEARTH_DAMAGED},
      {0, 50, false, false, HEARTH_DAMAGED}, {1, 50, true, true, HEARTH_OK},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    SalvageReport s;
    Handmade m;
    handmade_begin(&m, 1, cases[i].synced);
    if (cases[i].rescue) {
      handmade_batch(&m, 1, 0);
      m.bytes.data[m.frame_at] ^= 1;
    }
    handmade_garbage(&m, cases[i].garbage);
    if (!cases[i].header) m.bytes.data[30] ^= 1;
    put(&m);
    hearth_status status = salvage(&s);
    if (status != cases[i].status) fail_msg("case %zu: %s", i, d.err.message);
    if (status == HEARTH_OK) assert_saved(1, cases[i].rescue, cases[i].rescue ? "1" : "");
    else assert_non_null(strstr(d.err.message, "nothing in it can be read"));
    handmade_free(&m);
  }
}

/* Once it is said to be there, what was saved is on the device, and whole. */
static void what_was_saved_survives_a_power_loss(void **state) {
  for (unsigned seed = 0; seed < 200; seed++) {
    SalvageReport s;
    Handmade m;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    handmade_put(&m, LOG_BATCH, 2, 1, "other", "value", 5);
    m.bytes.data[m.frame_at + 8] ^= 1; /* its header */
    for (uint64_t n = 3; n <= 6; n++) handmade_batch(&m, n, n - 1);
    put(&m);
    handmade_free(&m);
    assert_int_equal(salvage(&s), HEARTH_OK);
    hearth_disk_kill_process(d.disk);
    hearth_disk_power_loss(d.disk, seed);
    assert_saved(6, 2, "6");
    (void)end(state);
    (void)begin(state);
  }
}

static long cut_at;

static int cut_file(uint64_t offset, size_t size) {
  (void)offset, (void)size;
  if (meddler.calls++ == cut_at) hearth_disk_put(d.disk, PLACE, "", 0);
  return 0;
}

static int fail_read(uint64_t offset, size_t size) {
  (void)offset, (void)size;
  return meddler.calls++ == cut_at ? EACCES : 0;
}

/* While it is read it fails, or another program empties it: an error that says why, and no file. */
static void every_read_goes_wrong(void **state) {
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_put(&m, LOG_BATCH, 2, 1, "other", "value", 5);
  m.bytes.data[m.bytes.size - 1] ^= 1;
  handmade_put(&m, LOG_BATCH, 3, 2, "third", "value", 5);
  for (uint64_t n = 4; n <= 5; n++) { /* and a damaged tail that was on the device */
    handmade_batch(&m, n, n - 1);
    m.bytes.data[m.bytes.size - 1] ^= 1;
  }
  for (int cut = 0; cut < 2; cut++) {
    bool struck = true;
    for (cut_at = 0; struck; cut_at++) {
      SalvageReport s;
      put(&m);
      meddler.pread = cut ? cut_file : fail_read;
      hearth_status status = salvage(&s);
      struck = meddler.calls > cut_at;
      if (!struck) assert_int_equal(status, HEARTH_OK);
      else if (!cut) assert_int_equal(status, HEARTH_IO);
      else assert_true(status == HEARTH_IO || status == HEARTH_DAMAGED);
      if (struck && !cut) assert_non_null(strstr(d.err.message, strerror(EACCES)));
      (void)end(state);
      (void)begin(state);
    }
    assert_true(cut_at > 4);
  }
  handmade_free(&m);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(values_that_are_not_theirs),
      CHECK(tails),
      CHECK(an_empty_file_may_become_a_store),
      CHECK(nobody_is_told),
      CHECK(a_tail_that_was_on_the_device),
      CHECK(parts_without_their_last),
      CHECK(batches_that_are_not_whole),
      CHECK(when_there_is_nothing_to_save),
      CHECK(what_was_saved_survives_a_power_loss),
      CHECK(every_read_goes_wrong),
  };
  return cmocka_run_group_tests_name("rescue", tests, NULL, NULL);
}
