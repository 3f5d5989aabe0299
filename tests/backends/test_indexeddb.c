/*
** What only the indexeddb backend promises: batches that are pending and fail, a log whose every byte counts,
** compaction in steps while the store goes on. Sizes are small, so that all of that occurs in short tests.
*/
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

static int setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->memory.fail_at = -1;
  w->fake = fake_new("world");
  *state = w;
  return 0;
}

static int teardown(void **state) {
  World *w = *state;
  if (w->store != NULL) idb->close(w->store, NULL);
  assert_int_equal(w->memory.bytes, 0);
  fake_free(w->fake);
  free(w);
  return 0;
}

static void count_warning(void *ud, const char *message) {
  (void)message;
  ((World *)ud)->warnings++;
}

static hearth_status open_with(World *w, unsigned flags) {
  hearth_backend_config config = {.size = sizeof config, .location = "world", .flags = flags,
                                  .allocator = counting_allocator(&w->memory), .warn = count_warning, .warn_ud = w};
  return idb->open(&config, &w->store, &w->err);
}

static void opens(World *w) {
  if (open_with(w, 0) != HEARTH_OK) fail_msg("open: %s", w->err.message);
}

static void closes(World *w) {
  assert_int_equal(idb->close(w->store, NULL), HEARTH_OK);
  w->store = NULL;
  assert_int_equal(w->memory.bytes, 0);
}

/* The process dies; its memory is given back by closing, which then reaches nobody. */
static void crashes(World *w) {
  hearth_backend_store *store = w->store;
  Fake *spare = fake_new("spare");
  fake_copy(spare, w->fake);
  closes(w);
  (void)store;
  fake_copy(w->fake, spare);
  fake_free(spare);
}

static hearth_status submit(World *w, uint64_t n, hearth_durability level) {
  return scenario_submit(idb, w->store, n, false, level, &w->err);
}

/* Batches `from` to `to` are accepted. */
static void submits(World *w, uint64_t from, uint64_t to) {
  for (uint64_t n = from; n <= to; n++)
    if (submit(w, n, HEARTH_DEFAULT_DURABILITY) != HEARTH_PENDING) fail_msg("submit: %s", w->err.message);
}

static hearth_backend_stat look(World *w) {
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(idb->stat(w->store, &stat, NULL), HEARTH_OK);
  return stat;
}

/* The store reads as after batch n, and counts right. */
static void reads(World *w, uint64_t n) {
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

static hearth_status poll(World *w) {
  hearth_status status = idb->poll(w->store, &w->err);
  assert_int_equal(status, w->err.code);
  return status;
}

/* ------------------------------------------------------------- pending */

static void batches_become_complete_in_their_order(void **state) {
  World *w = *state;
  opens(w);
  assert_int_equal(poll(w), HEARTH_OK);
  submits(w, 1, 3);
  reads(w, 3);
  for (uint64_t n = 0; n < 3; n++) {
    assert_int_equal(poll(w), HEARTH_PENDING);
    assert_int_equal(look(w).sequence, n);
    assert_int_equal(fake_level(w->fake), HEARTH_DURABLE);
    assert_true(fake_settle(w->fake));
  }
  assert_int_equal(poll(w), HEARTH_OK);
  assert_int_equal(look(w).sequence, 3);
  assert_int_equal(look(w).durable, 3);
  closes(w);
  opens(w);
  reads(w, 3);
}

static void levels_are_asked_for(void **state) {
  World *w = *state;
  opens(w);
  assert_int_equal(submit(w, 1, HEARTH_VISIBLE), HEARTH_OK);
  assert_int_equal(look(w).sequence, 0);
  assert_int_equal(poll(w), HEARTH_OK); /* nobody waits */
  assert_int_equal(fake_level(w->fake), HEARTH_COMPLETE);
  assert_int_equal(idb->barrier(w->store, HEARTH_COMPLETE, NULL), HEARTH_PENDING);
  assert_int_equal(poll(w), HEARTH_PENDING);
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_OK);
  assert_int_equal(look(w).sequence, 1);
  assert_int_equal(look(w).durable, 0);
  assert_int_equal(idb->barrier(w->store, HEARTH_COMPLETE, NULL), HEARTH_OK);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_PENDING);
  assert_int_equal(fake_oldest(w->fake), FAKE_FLUSH);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_PENDING);
  assert_int_equal(fake_waiting(w->fake), 1); /* one flush is enough */
  fake_settle_all(w->fake);
  assert_int_equal(look(w).durable, 1);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_OK);
  assert_int_equal(submit(w, 2, HEARTH_COMPLETE), HEARTH_PENDING);
  assert_int_equal(fake_level(w->fake), HEARTH_COMPLETE);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_PENDING);
  fake_fail(w->fake, 1, HEARTH_FULL); /* the flush: the batch is not stacked on it */
  assert_int_equal(poll(w), HEARTH_PENDING);
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_FULL);
  assert_int_equal(poll(w), HEARTH_OK);
  assert_int_equal(look(w).sequence, 2);
  reads(w, 2);
}

/* Batch `fails` of six that are pending fails with `status`. */
static void one_of_six_fails(World *w, size_t fails, hearth_status status) {
  opens(w);
  submits(w, 1, 3);
  fake_settle_all(w->fake);
  submits(w, 4, 9);
  fake_fail(w->fake, fails, status);
  assert_int_equal(submit(w, 10, HEARTH_DURABLE), status == HEARTH_FULL ? HEARTH_BUSY : HEARTH_DEAD);
  if (status == HEARTH_FULL) {
    assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_BUSY);
    assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_BUSY);
    for (size_t i = 0; i < fails; i++) {
      assert_int_equal(poll(w), HEARTH_PENDING);
      reads(w, 9); /* nothing has taken effect yet */
      fake_settle(w->fake);
    }
    assert_int_equal(poll(w), HEARTH_FULL);
    assert_int_equal(poll(w), HEARTH_OK);
    reads(w, 3 + fails);
    assert_int_equal(look(w).sequence, 3 + fails);
    submits(w, 4 + fails, 12);
    fake_settle_all(w->fake);
    assert_int_equal(poll(w), HEARTH_OK);
    reads(w, 12);
    closes(w);
    opens(w);
    reads(w, 12);
  } else {
    assert_int_equal(poll(w), status);
    assert_int_equal(poll(w), HEARTH_DEAD);
    assert_int_equal(idb->get(w->store, 1, "a", 1, NULL, NULL, NULL), HEARTH_DEAD);
    closes(w);
    opens(w);
    reads(w, look(w).sequence);
  }
  closes(w);
}

static void what_is_stacked_on_a_failure_fails(void **state) {
  World *w = *state;
  const hearth_status statuses[] = {HEARTH_FULL, HEARTH_IO, HEARTH_DEAD};
  for (size_t s = 0; s < 3; s++)
    for (size_t fails = 0; fails < 6; fails++) {
      fake_free(w->fake);
      w->fake = fake_new("world");
      one_of_six_fails(w, fails, statuses[s]);
    }
}

static void a_failure_breaks_the_parts_stacked_on_it(void **state) {
  World *w = *state;
  ScenarioBatch batch;
  opens(w);
  for (int polled = 0; polled < 2; polled++) {
    uint64_t n = look(w).sequence + 1;
    submits(w, n, n);
    scenario_batch(n + 1, &batch);
    assert_int_equal(idb->submit(w->store, batch.ops, 1, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, NULL), HEARTH_OK);
    fake_fail(w->fake, 0, HEARTH_FULL);
    if (polled) assert_int_equal(poll(w), HEARTH_FULL);
    assert_int_equal(idb->submit(w->store, batch.ops + 1, batch.count - 1, 0, HEARTH_DURABLE, NULL, &w->err),
                     polled ? HEARTH_FULL : HEARTH_BUSY);
    if (!polled) assert_int_equal(poll(w), HEARTH_FULL);
    reads(w, n - 1);
    submits(w, n, n + 1);
    fake_settle_all(w->fake);
    reads(w, n + 1);
    closes(w);
    opens(w);
    reads(w, n + 1);
  }
}

static void a_lost_lock_is_the_end(void **state) {
  World *w = *state;
  for (int pending = 0; pending < 2; pending++) {
    opens(w);
    uint64_t n = look(w).sequence;
    submits(w, n + 1, n + 2);
    if (!pending) fake_settle_all(w->fake);
    fake_lose(w->fake, HEARTH_DEAD);
    assert_int_equal(poll(w), HEARTH_DEAD);
    assert_non_null(strstr(w->err.message, "as the test wants it"));
    assert_int_equal(submit(w, 3, HEARTH_DURABLE), HEARTH_DEAD);
    assert_int_equal(poll(w), HEARTH_DEAD);
    closes(w);
  }
  opens(w);
  reads(w, 2);
}

static void a_host_that_refuses(void **state) {
  World *w = *state;
  const hearth_status statuses[] = {HEARTH_FULL, HEARTH_NOMEM, HEARTH_IO, HEARTH_DEAD};
  for (size_t s = 0; s < 4; s++)
    for (long calls = 0;; calls++) {
      opens(w);
      uint64_t n = look(w).sequence;
      fake_refuse(w->fake, calls, statuses[s]);
      hearth_status status = submit(w, n + 1, HEARTH_DURABLE);
      fake_refuse(w->fake, -1, HEARTH_OK);
      if (status == HEARTH_PENDING) {
        fake_settle_all(w->fake);
        closes(w);
        if (calls == 0) fail_msg("%s", "nothing was refused");
        break;
      }
      assert_int_equal(status, statuses[s]);
      bool dead = s >= 2;
      if (!dead) {
        reads(w, n);
        submits(w, n + 1, n + 1);
        fake_settle_all(w->fake);
        reads(w, n + 1);
      } else {
        assert_int_equal(submit(w, n + 1, HEARTH_DURABLE), HEARTH_DEAD);
      }
      closes(w);
    }
  opens(w);
  reads(w, look(w).sequence);
}

/* -------------------------------------------------------------- damage */

static void every_prefix_and_every_byte_of_the_log(void **state) {
  World *w = *state;
  size_t size, whole = 0, batches = 0;
  opens(w);
  submits(w, 1, 5);
  fake_settle_all(w->fake);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING);
  fake_settle_all(w->fake);
  submits(w, 6, 9);
  fake_settle_all(w->fake);
  closes(w);
  Fake *good = fake_new("good");
  fake_copy(good, w->fake);
  (void)fake_log(good, &size);
  for (size_t cut = 1; cut <= size; cut++) {
    fake_copy(w->fake, good);
    fake_cut(w->fake, cut);
    hearth_status status = open_with(w, HEARTH_OPEN_READONLY);
    if (status == HEARTH_OK) {
      uint64_t sequence = look(w).sequence;
      if (sequence >= 5) reads(w, sequence);
      if (sequence > batches) batches = (size_t)sequence;
      assert_true(fake_end(w->fake) <= (double)cut);
      whole++;
      closes(w);
    } else {
      assert_int_equal(status, HEARTH_DAMAGED);
      assert_true(w->err.position < cut);
    }
  }
  assert_int_equal(batches, 9);
  assert_true(whole > 9 && whole < 60); /* where frames end, the parts of the base among them */
  for (size_t at = 0; at < size; at++) {
    fake_copy(w->fake, good);
    fake_log(w->fake, &size)[at] ^= (unsigned char)(1u << at % 8);
    assert_int_equal(open_with(w, 0), HEARTH_DAMAGED);
    assert_true(w->err.position <= at);
  }
  fake_free(good);
}

/* ---------------------------------------------------------- compaction */

/* Twelve batches, complete. */
static void fill(World *w) {
  opens(w);
  submits(w, 1, 12);
  fake_settle_all(w->fake);
}

static void compaction_makes_it_small(void **state) {
  World *w = *state;
  size_t before, after;
  fill(w);
  (void)fake_log(w->fake, &before);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING);
  assert_int_equal(fake_oldest(w->fake), FAKE_PIECE);
  assert_int_equal(poll(w), HEARTH_PENDING);
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_OK);
  (void)fake_log(w->fake, &after);
  assert_true(after < before);
  assert_int_equal(look(w).sequence, 12);
  assert_int_equal(look(w).durable, 12);
  closes(w);
  opens(w);
  reads(w, 12);
  assert_int_equal(look(w).sequence, 12);
}

static void nothing_is_compacted_in_an_empty_store(void **state) {
  World *w = *state;
  opens(w);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_OK);
  assert_int_equal(fake_waiting(w->fake), 0);
}

/* Compacts, and after `steps` tickets submits batches that settle in their turn. Answers how many steps it took. */
static size_t change_at_step(World *w, size_t steps, size_t changes) {
  size_t step = 0;
  fill(w);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING);
  for (; step < steps && fake_settle(w->fake); step++) {}
  submits(w, 13, 12 + changes);
  reads(w, 12 + changes);
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_OK);
  assert_int_equal(look(w).sequence, 12 + changes);
  reads(w, 12 + changes);
  submits(w, 13 + changes, 14 + changes);
  fake_settle_all(w->fake);
  closes(w);
  opens(w);
  reads(w, 14 + changes);
  assert_int_equal(look(w).sequence, 14 + changes);
  closes(w);
  return step;
}

static void changes_at_every_step_of_a_compaction(void **state) {
  World *w = *state;
  for (size_t changes = 1; changes < 8; changes++)
    for (size_t steps = 0;; steps++) {
      size_t done = change_at_step(w, steps, changes);
      fake_free(w->fake);
      w->fake = fake_new("world");
      if (done < steps) {
        assert_true(steps > 3);
        break;
      }
    }
}

typedef enum Mishap { PIECE_FULL, BATCH_FULL, PIECE_IO, CRASH, CLOSE, REFUSED, MISHAPS } Mishap;

/* After `steps` tickets of a compaction, with batches pending, something happens. False: it was over before. */
static bool mishap_at_step(World *w, size_t steps, Mishap mishap) {
  fill(w);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING);
  for (size_t i = 0; i < steps; i++) fake_settle(w->fake);
  if (fake_waiting(w->fake) == 0) return false;
  FakeKind kind = fake_oldest(w->fake);
  submits(w, 13, 15);
  uint64_t expected = 15;
  if (mishap == PIECE_FULL || mishap == PIECE_IO) {
    fake_fail(w->fake, 0, mishap == PIECE_FULL ? HEARTH_FULL : HEARTH_IO);
    if (kind == FAKE_REPLACE || mishap == PIECE_IO) expected = 12;
  } else if (mishap == BATCH_FULL) {
    fake_fail(w->fake, 2, HEARTH_FULL);
    expected = 13;
  } else if (mishap == REFUSED) {
    fake_refuse(w->fake, 0, HEARTH_FULL);
    fake_settle(w->fake);
    fake_refuse(w->fake, -1, HEARTH_OK);
  }
  if (mishap == CRASH) {
    crashes(w);
    expected = 12;
  } else if (mishap == CLOSE) {
    closes(w);
  } else {
    fake_settle_all(w->fake);
    hearth_status status = poll(w);
    bool fine = mishap == REFUSED && kind == FAKE_REPLACE; /* nothing was left to refuse */
    assert_int_equal(status, mishap == PIECE_IO ? HEARTH_IO : fine ? HEARTH_OK : HEARTH_FULL);
    if (mishap != PIECE_IO) {
      reads(w, expected);
      assert_int_equal(look(w).sequence, expected);
      assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING); /* begins from the beginning */
      fake_settle_all(w->fake);
      assert_int_equal(poll(w), HEARTH_OK);
      submits(w, expected + 1, expected + 1);
      expected++;
      fake_settle_all(w->fake);
      assert_int_equal(poll(w), HEARTH_OK);
    }
    closes(w);
  }
  opens(w);
  reads(w, expected);
  assert_int_equal(look(w).sequence, expected);
  closes(w);
  return true;
}

static void mishaps_at_every_step_of_a_compaction(void **state) {
  World *w = *state;
  for (Mishap mishap = 0; mishap < MISHAPS; mishap++) {
    bool more = true;
    for (size_t steps = 0; more; steps++) {
      more = mishap_at_step(w, steps, mishap);
      if (w->store != NULL) closes(w);
      fake_free(w->fake);
      w->fake = fake_new("world");
      assert_true(more || steps > 2);
    }
  }
}

static void it_begins_by_itself_when_enough_is_dead(void **state) {
  World *w = *state;
  bool began = false;
  opens(w);
  for (uint64_t n = 1; n <= 120; n++) {
    submits(w, n, n);
    while (fake_waiting(w->fake) > 0 && fake_oldest(w->fake) == FAKE_APPEND) fake_settle(w->fake);
    if (fake_oldest(w->fake) == FAKE_PIECE) {
      began = true;
      if (fake_waiting(w->fake) == 1) assert_int_equal(poll(w), HEARTH_OK); /* nobody waits for it */
      fake_settle(w->fake);
    }
  }
  assert_true(began);
  fake_settle_all(w->fake);
  closes(w);
  opens(w);
  reads(w, 120);
  /* one that fails is told to nobody but the log */
  uint64_t n = 120;
  while (fake_oldest(w->fake) != FAKE_PIECE) {
    submits(w, n + 1, n + 1);
    n++;
    while (fake_oldest(w->fake) == FAKE_APPEND) fake_settle(w->fake);
  }
  w->warnings = 0;
  fake_fail(w->fake, 0, HEARTH_FULL);
  assert_int_equal(w->warnings, 1);
  assert_int_equal(poll(w), HEARTH_OK);
  reads(w, n);
}

static void allocations_fail_while_compacting(void **state) {
  World *w = *state;
  for (long n = 0;; n++) {
    fill(w);
    w->memory.fail_at = w->memory.calls + n;
    long calls = w->memory.calls;
    hearth_status status = idb->compact(w->store, 0, &w->err);
    if (status == HEARTH_PENDING) {
      fake_settle_all(w->fake);
      status = poll(w);
    }
    bool all = w->memory.calls - calls <= n;
    w->memory.fail_at = -1;
    assert_int_equal(status, all ? HEARTH_OK : HEARTH_NOMEM);
    reads(w, 12);
    submits(w, 13, 14);
    fake_settle_all(w->fake);
    closes(w);
    opens(w);
    reads(w, 14);
    closes(w);
    fake_free(w->fake);
    w->fake = fake_new("world");
    if (all) {
      assert_true(n > 3);
      break;
    }
  }
}

/* ------------------------------------------------------------- readers */

static void a_reader_takes_in_what_is_new_when_told(void **state) {
  World *w = *state;
  World reader = {.fake = w->fake, .memory = {.fail_at = -1}};
  assert_int_equal(open_with(&reader, HEARTH_OPEN_READONLY), HEARTH_NOTFOUND);
  opens(w);
  submits(w, 1, 4);
  fake_settle_all(w->fake);
  assert_int_equal(open_with(&reader, HEARTH_OPEN_READONLY), HEARTH_OK);
  reads(&reader, 4);
  submits(w, 5, 6);
  fake_settle_all(w->fake);
  assert_int_equal(idb->refresh(reader.store, NULL), HEARTH_OK);
  reads(&reader, 4); /* the host has not read again */
  fake_read_again(w->fake);
  assert_int_equal(poll(&reader), HEARTH_STALE);
  for (long n = 0;; n++) {
    reader.memory.fail_at = reader.memory.calls + n;
    hearth_status status = idb->refresh(reader.store, NULL);
    reader.memory.fail_at = -1;
    if (status == HEARTH_OK) break;
    assert_int_equal(status, HEARTH_NOMEM);
    reads(&reader, 4);
    fake_read_again(w->fake);
  }
  reads(&reader, 6);
  assert_int_equal(look(&reader).sequence, 6);
  closes(&reader);
}

/* -------------------------------------------------------------- random */

static uint32_t seed;

static uint32_t below(uint32_t n) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % n;
}

/* One random thing happens. `*pending` batches beyond stat.sequence were accepted. */
static void something(World *w, uint64_t *pending) {
  uint64_t next = look(w).sequence + *pending + 1;
  size_t waiting = fake_waiting(w->fake);
  switch (below(10)) {
    case 0: case 1: case 2: {
      hearth_status status = scenario_submit(idb, w->store, next, below(2), (hearth_durability)(1 + below(3)), &w->err);
      if (status >= 0) ++*pending;
      else assert_int_equal(status, HEARTH_BUSY);
      break;
    }
    case 3: case 4: case 5: {
      uint64_t before = look(w).sequence;
      (void)fake_settle(w->fake);
      *pending -= look(w).sequence - before;
      break;
    }
    case 6:
      if (waiting > 0 && below(3) == 0) fake_fail(w->fake, below((uint32_t)waiting), HEARTH_FULL);
      break;
    case 7: (void)idb->barrier(w->store, (hearth_durability)(1 + below(3)), NULL); break;
    case 8:
      if (below(4) == 0) (void)idb->compact(w->store, 0, NULL);
      break;
    default:
      if (below(4) == 0) {
        if (below(2)) crashes(w);
        else closes(w);
        opens(w);
        *pending = 0;
      }
  }
}

static void random_lives(void **state) {
  World *w = *state;
  uint64_t reached = 0;
  for (uint32_t life = 1; life <= 60; life++) {
    seed = life;
    uint64_t pending = 0;
    opens(w);
    for (int i = 0; i < 250; i++) {
      something(w, &pending);
      if (poll(w) < 0) pending = 0; /* told: what failed is forgotten */
      uint64_t sequence = look(w).sequence;
      reads(w, sequence + pending);
      if (sequence > reached) reached = sequence;
    }
    closes(w);
    opens(w);
    reads(w, look(w).sequence);
    closes(w);
    fake_free(w->fake);
    w->fake = fake_new("world");
  }
  assert_true(reached > 30);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(batches_become_complete_in_their_order),
      CHECK(levels_are_asked_for),
      CHECK(what_is_stacked_on_a_failure_fails),
      CHECK(a_failure_breaks_the_parts_stacked_on_it),
      CHECK(a_lost_lock_is_the_end),
      CHECK(a_host_that_refuses),
      CHECK(every_prefix_and_every_byte_of_the_log),
      CHECK(compaction_makes_it_small),
      CHECK(nothing_is_compacted_in_an_empty_store),
      CHECK(changes_at_every_step_of_a_compaction),
      CHECK(mishaps_at_every_step_of_a_compaction),
      CHECK(it_begins_by_itself_when_enough_is_dead),
      CHECK(allocations_fail_while_compacting),
      CHECK(a_reader_takes_in_what_is_new_when_told),
      CHECK(random_lives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
