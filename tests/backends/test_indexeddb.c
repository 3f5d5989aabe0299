/*
** What only the indexeddb backend promises: batches that are pending and fail, a log whose every byte counts,
** readers that take in what is new when told.
*/
#include "idbstore.h"

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
      renews(w);
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

/* What was complete when the process ended need not be on the device: whoever asks for that waits for a flush. */
static void what_is_found_is_not_durable(void **state) {
  World *w = *state;
  opens(w);
  assert_int_equal(submit(w, 1, HEARTH_COMPLETE), HEARTH_PENDING);
  fake_settle_all(w->fake);
  crashes(w);
  opens(w);
  reads(w, 1);
  assert_int_equal(look(w).durable, 0);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_PENDING);
  assert_int_equal(fake_oldest(w->fake), FAKE_FLUSH);
  fake_settle_all(w->fake);
  assert_int_equal(look(w).durable, 1);
  assert_int_equal(idb->barrier(w->store, HEARTH_DURABLE, NULL), HEARTH_OK);
}

/* Every five seconds a batch is durable although nobody asked, counted from the last durable one. */
static void durable_every_five_seconds(void **state) {
  World *w = *state;
  opens(w);
  for (uint64_t n = 1; n <= 12; n++) {
    bool due = n % 3 == 0;
    if (due) fake_pass(5000);
    assert_int_equal(submit(w, n, HEARTH_COMPLETE), HEARTH_PENDING);
    assert_int_equal(fake_level(w->fake), due ? HEARTH_DURABLE : HEARTH_COMPLETE);
    fake_settle_all(w->fake);
    assert_int_equal(look(w).durable, n - n % 3);
    assert_int_equal(look(w).synced, n / 3);
  }
}

static hearth_status put(World *w, size_t size) {
  static const char value[100];
  const hearth_op op = {HEARTH_PUT, 1, "key", 3, value, size};
  return idb->submit(w->store, &op, 1, 0, HEARTH_DURABLE, NULL, &w->err);
}

/* The ballast is for what makes the store smaller, not for what leaves it as large as it is. */
static void a_full_database_takes_what_shrinks_it(void **state) {
  World *w = *state;
  opens(w);
  assert_int_equal(put(w, 50), HEARTH_PENDING);
  fake_settle_all(w->fake);
  fake_fill(w->fake);
  for (size_t size = 51; size >= 50; size--) {
    assert_int_equal(put(w, size), HEARTH_FULL);
    assert_true(fake_has_ballast(w->fake));
  }
  assert_int_equal(put(w, 49), HEARTH_PENDING);
  assert_false(fake_has_ballast(w->fake));
  fake_settle_all(w->fake);
  assert_int_equal(poll(w), HEARTH_OK);
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
      assert_true(sequence >= 5); /* the header of the compacted log says so */
      reads(w, sequence);
      if (sequence > batches) batches = (size_t)sequence;
      assert_true(fake_end(w->fake) <= (double)cut);
      whole++;
      closes(w);
    } else {
      assert_int_equal(status, HEARTH_DAMAGED);
      assert_true(w->err.position <= cut);
    }
  }
  assert_int_equal(batches, 9);
  assert_true(whole >= 5 && whole < 30); /* where frames end, the parts of batches among them */
  for (size_t at = 0; at < size; at++) {
    fake_copy(w->fake, good);
    fake_log(w->fake, &size)[at] ^= (unsigned char)(1u << at % 8);
    assert_int_equal(open_with(w, 0), HEARTH_DAMAGED);
    assert_true(w->err.position <= at);
  }
  fake_free(good);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      CHECK(batches_become_complete_in_their_order),
      CHECK(levels_are_asked_for),
      CHECK(what_is_stacked_on_a_failure_fails),
      CHECK(a_failure_breaks_the_parts_stacked_on_it),
      CHECK(a_lost_lock_is_the_end),
      CHECK(a_host_that_refuses),
      CHECK(what_is_found_is_not_durable),
      CHECK(durable_every_five_seconds),
      CHECK(a_full_database_takes_what_shrinks_it),
      CHECK(every_prefix_and_every_byte_of_the_log),
      CHECK(a_reader_takes_in_what_is_new_when_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
