/*
** The power fails at every step of a store's life, and every state that this may leave on the disk is opened: nothing
** that was acknowledged as durable is missing, and what is there is the state after some whole batch.
*/
#include "power.h"
#include "../rounds.h"

static Power p; /* large */

static void the_store_is_made(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < rounds(3); seed++) {
    power_begin(&p, seed);
    p.nested = 7;
    power_open(&p);
    assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
    power_end(&p);
  }
}

/* Durable batches, each acknowledged before the next. */
static void batches_are_durable(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < rounds(1); seed++) {
    power_begin(&p, seed);
    power_open(&p);
    for (int i = 0; i < 12; i++) assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

/* Many frames wait for one sync: they may be there in any order. */
static void batches_wait_for_a_sync(void **state) {
  (void)state;
  for (uint64_t seed = 100; seed < 100 + rounds(1); seed++) {
    power_begin(&p, seed);
    power_open(&p);
    for (int i = 1; i <= 16; i++) {
      assert_int_equal(power_batch(&p, 0, HEARTH_COMPLETE), HEARTH_OK);
      if (i % 5 == 0) power_barrier(&p);
    }
    power_close(&p);
    power_end(&p);
  }
}

static void batches_come_in_parts(void **state) {
  (void)state;
  for (uint64_t seed = 200; seed < 200 + rounds(1); seed++) {
    power_begin(&p, seed);
    power_open(&p);
    for (unsigned i = 0; i < 12; i++)
      assert_int_equal(power_batch(&p, 1 + i % 2, i % 4 == 3 ? HEARTH_DURABLE : HEARTH_COMPLETE), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

/* Writes over several sectors of 512 and 4096 bytes. */
static void writes_are_large(void **state) {
  (void)state;
  for (uint64_t seed = 300; seed < 300 + rounds(1); seed++) {
    power_begin(&p, seed);
    p.largest = 9000;
    p.options.sectors[0] = 512;
    p.options.sectors[1] = 4096;
    p.options.sectors[2] = 0;
    power_open(&p);
    for (unsigned i = 0; i < 6; i++)
      assert_int_equal(power_batch(&p, i % 2, i % 2 == 0 ? HEARTH_DURABLE : HEARTH_COMPLETE), HEARTH_OK);
    assert_int_equal(power_compact(&p, 0), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

static void the_store_is_compacted(void **state) {
  (void)state;
  for (uint64_t seed = 400; seed < 400 + rounds(1); seed++) {
    power_begin(&p, seed);
    power_open(&p);
    for (unsigned keep = 0; keep < 4; keep++) {
      for (unsigned i = 0; i < 3; i++)
        assert_int_equal(power_batch(&p, i % 2, i % 2 == 0 ? HEARTH_DURABLE : HEARTH_COMPLETE), HEARTH_OK);
      assert_int_equal(power_compact(&p, keep), HEARTH_OK);
    }
    assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

/* Compaction starts by itself: with the losses tried from when it is near. */
static void the_store_compacts_itself(void **state) {
  (void)state;
  for (uint64_t seed = 500; seed < 500 + rounds(1); seed++) {
    power_begin(&p, seed);
    power_open(&p);
    unsigned compactions = 0;
    for (unsigned i = 0; i < 60 && compactions < 1; i++) {
      uint64_t before = diskstore_stat(&p.d).total_bytes;
      assert_int_equal(power_batch(&p, 0, HEARTH_COMPLETE), HEARTH_OK);
      if (diskstore_stat(&p.d).total_bytes < before) compactions++;
    }
    assert_true(compactions > 0);
    assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
    power_end(&p);
  }
}

/* Closed, killed, and opened again, while the power may fail. */
static void the_store_is_opened_again(void **state) {
  (void)state;
  for (uint64_t seed = 600; seed < 600 + rounds(1); seed++) {
    power_begin(&p, seed);
    p.nested = 61;
    for (unsigned life = 0; life < 6; life++) {
      power_open(&p);
      for (unsigned i = 0; i < 3; i++)
        assert_int_equal(power_batch(&p, i, i == 1 ? HEARTH_DURABLE : HEARTH_COMPLETE), HEARTH_OK);
      if (life % 2 == 0) power_kill(&p);
      else power_close(&p);
    }
    power_end(&p);
  }
}

/* The process is killed at each of its calls, the store opened again with what the cache has; then the power fails. */
static void the_process_was_killed_before(void **state) {
  (void)state;
  for (uint64_t seed = 1000; seed < 1000 + rounds(1); seed++) {
    bool struck = true;
    for (long at = 0; struck; at++) {
      power_begin(&p, seed);
      p.options.whole = 2;
      p.options.samples = 4;
      p.options.sectors[0] = 64;
      struck = power_killed_life(&p, at);
      power_open(&p);
      assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
      power_end(&p);
    }
  }
}

static void the_disk_is_full(void **state) {
  (void)state;
  for (uint64_t seed = 700; seed < 700 + rounds(1); seed++) {
    power_begin(&p, seed);
    unsigned full = 0;
    power_open(&p);
    assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK); /* makes the ballast */
    hearth_disk_capacity(p.d.disk, hearth_disk_used(p.d.disk) + 1000 + seed % 5 * 100);
    for (unsigned i = 0; i < 30; i++)
      if (power_batch(&p, i % 3, i % 4 == 0 ? HEARTH_DURABLE : HEARTH_COMPLETE) == HEARTH_FULL) full++;
    assert_true(full > 0);
    (void)power_compact(&p, 0);
    hearth_disk_capacity(p.d.disk, 0);
    assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

/* The cache has what the device lacks: opened again without a restart, and then the power fails. */
static void a_sync_fails(void **state) {
  (void)state;
  for (uint64_t seed = 800; seed < 800 + rounds(1); seed++)
    for (hearth_disk_keeps keeps = HEARTH_DISK_KEEPS_NONE; keeps <= HEARTH_DISK_KEEPS_ALL; keeps++) {
      power_begin(&p, seed);
      power_open(&p);
      for (unsigned i = 0; i < 3; i++) assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
      power_failed_sync(&p, (long)(seed % 3), keeps);
      for (unsigned i = 0; i < 2; i++) assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
      power_close(&p);
      power_end(&p);
    }
}

/*
** The same of a new file, which has its name by then or gets it later: when a store is made, and when it is compacted.
** The folder's next sync is believed (hearth_disk_failed_sync says why).
*/
static void a_sync_of_a_new_file_fails(void **state) {
  (void)state;
  for (uint64_t seed = 1300; seed < 1300 + rounds(1); seed++)
    for (hearth_disk_keeps keeps = HEARTH_DISK_KEEPS_NONE; keeps <= HEARTH_DISK_KEEPS_ALL; keeps++)
      for (long nth = 0; nth < 2; nth++) {
        power_begin(&p, seed);
        power_failed_making(&p, nth, keeps);
        for (unsigned i = 0; i < 3; i++) assert_int_equal(power_batch(&p, 0, HEARTH_COMPLETE), HEARTH_OK);
        power_failed_compaction(&p, (unsigned)(seed % 3), nth, keeps);
        assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
        power_close(&p);
        power_end(&p);
      }
}

/* Where files cannot be locked, an owner that the loss ended is known by its boot. */
static void files_cannot_be_locked(void **state) {
  (void)state;
  for (uint64_t seed = 900; seed < 900 + rounds(1); seed++) {
    power_begin(&p, seed);
    hearth_disk_locks(p.d.disk, false);
    p.nested = 0;
    p.thin = 1;
    p.may_be_busy = true;
    power_open(&p);
    assert_true(power_totals.busy > 0);
    p.may_be_busy = false;
    for (unsigned i = 0; i < 4; i++) assert_int_equal(power_batch(&p, 0, HEARTH_DURABLE), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

/* -------------------------------------- devices that do worse than is assumed */

/*
** A sector that was being written is garbage as a whole, with what had been synced in it: the last batches may be gone
** then, but not without a word.
*/
static void sectors_are_lost_whole(void **state) {
  (void)state;
  for (uint64_t seed = 1100; seed < 1100 + rounds(4); seed++) {
    power_begin(&p, seed);
    p.worse = true;
    p.options.spills = true;
    p.options.sectors[0] = 512;
    p.options.sectors[1] = 4096;
    p.options.sectors[2] = 0;
    power_open(&p);
    for (unsigned i = 0; i < 30; i++)
      assert_int_equal(power_batch(&p, i % 3, i % 4 == 0 ? HEARTH_DURABLE : HEARTH_COMPLETE), HEARTH_OK);
    power_close(&p);
    power_end(&p);
  }
}

/* Writing the same bytes again, as recovery does, may damage them: the same. */
static void rewriting_damages(void **state) {
  (void)state;
  for (uint64_t seed = 1200; seed < 1200 + rounds(1); seed++) {
    power_begin(&p, seed);
    p.worse = true;
    p.nested = 11;
    p.options.rewrites = true;
    for (unsigned life = 0; life < 4; life++) {
      power_open(&p);
      for (unsigned i = 0; i < 3; i++)
        assert_int_equal(power_batch(&p, i, i == 1 ? HEARTH_DURABLE : HEARTH_COMPLETE), HEARTH_OK);
      power_kill(&p);
    }
    power_end(&p);
  }
}

static void tell(const char *what, const char *unsaid, const PowerTotals *t) {
  printf("figure: %lu simulated power losses%s (different states at %lu steps of the disk, %lu of them during "
         "recovery), %lu acknowledged commits lost%s, %lu wrong contents accepted",
         t->losses, what, t->boundaries, t->nested, t->lost, unsaid, t->wrong);
}

static int tell_totals(void **state) {
  (void)state;
  if (power_totals.losses == 0) return 0;
  tell("", "", &power_totals);
  printf(", %lu torn tails kept\n", power_totals.tails);
  return 0;
}

static int tell_worse(void **state) {
  (void)state;
  if (power_totals.losses == 0) return 0; /* other tests were asked for */
  tell(" on devices that damage bytes beside those written, or bytes written again", " without a word",
       &power_totals);
  printf(", %lu stores said damaged, %lu lost acknowledged commits and told it as a torn tail that is kept\n",
         power_totals.damaged, power_totals.told);
  return 0;
}

static int count_anew(void **state) {
  (void)state;
  power_totals = (PowerTotals){0};
  return 0;
}

/* With an argument only the tests whose names fit it, as in "the_*". */
int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_store_is_made),
      cmocka_unit_test(batches_are_durable),
      cmocka_unit_test(batches_wait_for_a_sync),
      cmocka_unit_test(batches_come_in_parts),
      cmocka_unit_test(writes_are_large),
      cmocka_unit_test(the_store_is_compacted),
      cmocka_unit_test(the_store_compacts_itself),
      cmocka_unit_test(the_store_is_opened_again),
      cmocka_unit_test(the_process_was_killed_before),
      cmocka_unit_test(the_disk_is_full),
      cmocka_unit_test(a_sync_fails),
      cmocka_unit_test(a_sync_of_a_new_file_fails),
      cmocka_unit_test(files_cannot_be_locked),
  };
  const struct CMUnitTest worse[] = {
      cmocka_unit_test(sectors_are_lost_whole),
      cmocka_unit_test(rewriting_damages),
  };
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  int failed = cmocka_run_group_tests_name("power loss", tests, count_anew, tell_totals);
  failed += cmocka_run_group_tests_name("power loss on worse devices", worse, count_anew, tell_worse);
  return failed;
}
