/*
** Compaction of a store in the browser's database: in steps, while the store goes on, with something going wrong at
** each of them; and random lives. Sizes are small, so that all of that occurs in short tests.
*/
#include "idbstore.h"

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

/* Twelve batches, complete, not durable; a compaction whose last record is under way. */
static void compact_to_the_last(World *w) {
  opens(w);
  for (uint64_t n = 1; n <= 12; n++) assert_int_equal(submit(w, n, HEARTH_COMPLETE), HEARTH_PENDING);
  fake_settle_all(w->fake);
  assert_int_equal(look(w).durable, 0);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING);
  while (fake_oldest(w->fake) == FAKE_PIECE) fake_settle(w->fake);
  assert_int_equal(fake_oldest(w->fake), FAKE_REPLACE);
}

/* The new generation is on the device, whatever its batches asked for. */
static void what_was_compacted_is_durable(void **state) {
  World *w = *state;
  compact_to_the_last(w);
  uint64_t synced = look(w).synced;
  fake_settle_all(w->fake);
  assert_int_equal(look(w).durable, 12);
  assert_int_equal(look(w).synced, synced + 1);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_OK);
}

/* A compaction may fail: whoever waits for the device does not rely on it. */
static void a_barrier_does_not_wait_for_a_compaction(void **state) {
  World *w = *state;
  compact_to_the_last(w);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_PENDING);
  assert_int_equal(fake_waiting(w->fake), 2);
  fake_fail(w->fake, 0, HEARTH_FULL);
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_FULL);
  assert_int_equal(look(w).durable, 0);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_PENDING);
  assert_int_equal(fake_oldest(w->fake), FAKE_FLUSH);
  fake_settle_all(w->fake);
  assert_int_equal(look(w).durable, 12);
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
      renews(w);
      if (done < steps) {
        assert_true(steps > 3);
        break;
      }
    }
}

/* A batch in parts is open, handed to the host in part, while `steps` more tickets settle; then the batch ends. */
static size_t part_at_step(World *w, size_t before, size_t steps, bool abandon) {
  static char large[400]; /* more than a frame */
  const hearth_op put = {HEARTH_PUT, 9, "large", 5, large, sizeof large}, drop = {HEARTH_DROP, 9, NULL, 0, NULL, 0};
  size_t step = 0;
  ScenarioBatch b;
  fill(w);
  assert_int_equal(idb->compact(w->store, 0, NULL), HEARTH_PENDING);
  while (step < before && fake_settle(w->fake)) step++;
  scenario_batch(13, &b);
  assert_int_equal(idb->submit(w->store, &put, 1, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, NULL), HEARTH_OK);
  assert_int_equal(idb->submit(w->store, b.ops, b.count, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, NULL), HEARTH_OK);
  while (step < before + steps && fake_settle(w->fake)) step++;
  reads(w, 12);
  if (abandon) {
    assert_int_equal(idb->submit(w->store, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_DURABLE, NULL, NULL), HEARTH_OK);
    submits(w, 13, 13);
  } else {
    assert_int_equal(idb->submit(w->store, &drop, 1, 0, HEARTH_DURABLE, NULL, NULL), HEARTH_PENDING);
  }
  submits(w, 14, 14);
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_OK);
  closes(w);
  opens(w);
  reads(w, 14);
  assert_int_equal(look(w).sequence, 14);
  closes(w);
  return step;
}

static void parts_at_every_step_of_a_compaction(void **state) {
  World *w = *state;
  for (int abandon = 0; abandon < 2; abandon++)
    for (size_t before = 0;; before++) {
      size_t done = before;
      for (size_t steps = 0; steps < 12; steps += 1 + steps / 3) {
        done = part_at_step(w, before, steps, abandon == 1);
        renews(w);
      }
      if (done < before) break;
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
      renews(w);
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
    renews(w);
    if (all) {
      assert_true(n > 3);
      break;
    }
  }
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
    renews(w);
  }
  assert_true(reached > 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CHECK(compaction_makes_it_small),
      CHECK(what_was_compacted_is_durable),
      CHECK(a_barrier_does_not_wait_for_a_compaction),
      CHECK(nothing_is_compacted_in_an_empty_store),
      CHECK(changes_at_every_step_of_a_compaction),
      CHECK(parts_at_every_step_of_a_compaction),
      CHECK(mishaps_at_every_step_of_a_compaction),
      CHECK(it_begins_by_itself_when_enough_is_dead),
      CHECK(allocations_fail_while_compacting),
      CHECK(random_lives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
