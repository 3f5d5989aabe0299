/*
** Every call that the file backend makes fails once, or from then on; the power
** fails at any moment; memory runs out anywhere. What was acknowledged is there
** afterwards, and what is there is always some whole batch's state.
*/
#include <errno.h>

#include "diskstore.h"
#include "scenario.h"

#define BATCHES 80
#define COMPACT_AT 14
#define REOPEN_AT 50

static const hearth_backend *file = &hearth_file_backend;

typedef struct Run {
  DiskStore d;
  uint64_t tried;    /* the last batch that was submitted */
  uint64_t complete; /* acknowledged at any level */
  uint64_t durable;  /* acknowledged as durable */
  bool failed;       /* the store was dead, or could not be opened */
  bool only_full;    /* the faults are of a full disk: nothing may die of them */
} Run;

static void acknowledge(Run *r, uint64_t n, bool durable) {
  r->complete = n;
  if (durable) r->durable = n;
}

/* After IO every call but close answers DEAD. */
static void is_dead(Run *r) {
  char text[SCENARIO_TEXT];
  hearth_error err;
  assert_int_equal(scenario_submit(file, r->d.store, r->tried, false, HEARTH_COMPLETE, &err), HEARTH_DEAD);
  assert_int_equal(scenario_text(file, r->d.store, text, &err), HEARTH_DEAD);
  assert_int_equal(file->compact(r->d.store, 0, &err), HEARTH_DEAD);
  assert_int_equal(file->barrier(r->d.store, HEARTH_DURABLE, &err), HEARTH_DEAD);
  assert_non_null(strstr(err.message, PLACE));
  r->failed = true;
}

/* After FULL nothing has changed, and with room again the batch goes through. */
static void is_full(Run *r, uint64_t n, bool parts, hearth_durability level) {
  assert_int_equal(scenario_verify(file, r->d.store), n - 1);
  hearth_disk_disarm(r->d.disk);
  if (scenario_submit(file, r->d.store, n, parts, level, &r->d.err) != HEARTH_OK) fail_msg("%s", r->d.err.message);
}

static void submit(Run *r, uint64_t n) {
  hearth_durability level = n % 3 == 0 ? HEARTH_DURABLE : HEARTH_COMPLETE;
  bool parts = n % 2 == 0;
  r->tried = n;
  hearth_disk_set_clock(r->d.disk, 1700000000000 + n * 2000);
  hearth_status status = scenario_submit(file, r->d.store, n, parts, level, &r->d.err);
  if (status == HEARTH_FULL) {
    is_full(r, n, parts, level);
    status = HEARTH_OK;
  }
  if (status == HEARTH_OK) {
    acknowledge(r, n, level == HEARTH_DURABLE);
  } else {
    /* DEAD: a compaction that started by itself had failed behind the batch before */
    assert_true(!r->only_full && (status == HEARTH_IO || status == HEARTH_DEAD));
    is_dead(r);
  }
}

static void compact(Run *r, unsigned keep) {
  hearth_status status = file->compact(r->d.store, keep, &r->d.err);
  if (status == HEARTH_FULL) {
    (void)scenario_verify(file, r->d.store);
  } else if (status == HEARTH_OK) {
    r->durable = r->complete;
  } else {
    assert_true(!r->only_full && (status == HEARTH_IO || status == HEARTH_DEAD));
    is_dead(r);
  }
}

static void reopen(Run *r) {
  hearth_status status = diskstore_close(&r->d);
  if (status == HEARTH_OK) r->durable = r->complete;
  if (diskstore_open(&r->d, 0) != HEARTH_OK) r->failed = true;
}

static void run(Run *r, uint64_t batches) {
  if (diskstore_open(&r->d, 0) != HEARTH_OK) {
    r->failed = true;
    return;
  }
  for (uint64_t n = 1; n <= batches && !r->failed; n++) {
    submit(r, n);
    if (n == COMPACT_AT && !r->failed) compact(r, 3);
    if (n == REOPEN_AT && !r->failed) reopen(r);
  }
}

/* Whatever happened, the store opens and holds the state after a whole batch, none acknowledged missing. */
static void recovers(Run *r, uint64_t least) {
  hearth_status status = diskstore_open(&r->d, 0);
  if (status != HEARTH_OK) fail_msg("reopen: %s", r->d.err.message);
  uint64_t n = scenario_verify(file, r->d.store);
  if (n < least || n > r->tried)
    fail_msg("batch %llu is there, %llu were acknowledged, %llu submitted", (unsigned long long)n,
             (unsigned long long)least, (unsigned long long)r->tried);
  assert_int_equal(diskstore_stat(&r->d).durable, n);
  /* and what it said is on the device is there when the power fails now */
  diskstore_kill(&r->d);
  hearth_disk_power_loss(r->d.disk, (unsigned)n);
  if (diskstore_open(&r->d, 0) != HEARTH_OK) fail_msg("reopen: %s", r->d.err.message);
  assert_int_equal(scenario_verify(file, r->d.store), n);
  r->tried = n + 1;
  assert_int_equal(scenario_submit(file, r->d.store, n + 1, false, HEARTH_DURABLE, &r->d.err), HEARTH_OK);
  assert_int_equal(diskstore_close(&r->d), HEARTH_OK);
  assert_int_equal(diskstore_open(&r->d, 0), HEARTH_OK);
  assert_int_equal(scenario_verify(file, r->d.store), n + 1);
}

typedef enum End { END_KILLED, END_CLOSED, END_POWER } End;

/* False when the fault did not strike any more: the run has fewer such calls. */
static bool with_fault(hearth_disk_fault fault, End end) {
  Run r = {0};
  diskstore_init(&r.d);
  r.only_full = fault.failure == ENOSPC;
  hearth_disk_arm(r.d.disk, fault);
  run(&r, BATCHES);
  bool struck = hearth_disk_struck(r.d.disk);
  uint64_t least = r.complete;
  if (end == END_CLOSED && r.d.store != NULL) (void)diskstore_close(&r.d);
  hearth_disk_disarm(r.d.disk);
  diskstore_kill(&r.d);
  if (end == END_POWER) {
    hearth_disk_power_loss(r.d.disk, (unsigned)fault.at + 1);
    least = r.durable;
  }
  recovers(&r, least);
  diskstore_done(&r.d);
  return struck;
}

static void every_call(hearth_disk_fault fault) {
  for (End end = END_KILLED; end <= END_POWER; end++)
    for (fault.at = 0; with_fault(fault, end); fault.at++) continue;
  assert_true(fault.at > 10); /* it did strike */
}

static void every_call_fails_once(void **state) {
  (void)state;
  every_call((hearth_disk_fault){.which = HEARTH_DISK_ALL_CALLS, .failure = EIO});
  every_call((hearth_disk_fault){.which = HEARTH_DISK_READS, .failure = EIO});
}

static void every_call_fails_for_good(void **state) {
  (void)state;
  every_call((hearth_disk_fault){.which = HEARTH_DISK_ALL_CALLS, .failure = EIO, .for_good = true});
  every_call((hearth_disk_fault){.which = HEARTH_DISK_WRITES, .failure = EIO, .for_good = true, .half = true});
}

static void every_write_is_cut_short(void **state) {
  (void)state;
  every_call((hearth_disk_fault){.which = HEARTH_DISK_WRITES, .failure = EIO, .half = true});
  every_call((hearth_disk_fault){.which = HEARTH_DISK_WRITES, .failure = ENOSPC, .half = true});
}

static void the_disk_is_full_from_any_write_on(void **state) {
  (void)state;
  for (End end = END_KILLED; end <= END_POWER; end++)
    for (long at = 0; with_fault((hearth_disk_fault){HEARTH_DISK_WRITES, at, ENOSPC, true, true}, end); at++) continue;
}

static void every_sync_fails(void **state) {
  (void)state;
  every_call((hearth_disk_fault){.which = HEARTH_DISK_SYNCS, .failure = EIO});
  every_call((hearth_disk_fault){.which = HEARTH_DISK_SYNCS, .failure = EIO, .for_good = true});
}

/* A failed sync is not tried again: the pages may be gone, and a second sync would say that all is well. */
static void a_failed_sync_is_final(void **state) {
  (void)state;
  Run r = {0};
  diskstore_init(&r.d);
  assert_int_equal(diskstore_open(&r.d, 0), HEARTH_OK);
  hearth_disk_arm(r.d.disk, (hearth_disk_fault){HEARTH_DISK_SYNCS, 0, EIO, false, false});
  assert_int_equal(scenario_submit(file, r.d.store, 1, false, HEARTH_DURABLE, &r.d.err), HEARTH_IO);
  hearth_disk_arm(r.d.disk, (hearth_disk_fault){HEARTH_DISK_SYNCS, 0, EIO, true, false});
  r.tried = 1;
  is_dead(&r);
  (void)diskstore_close(&r.d);
  assert_false(hearth_disk_struck(r.d.disk));
  diskstore_done(&r.d);
}

/* Recovery itself is interrupted, again and again, at each of its calls. */
static void the_power_fails_at_any_moment(void **state) {
  (void)state;
  for (unsigned seed = 0; seed < 400; seed++) {
    Run r = {0};
    diskstore_init(&r.d);
    run(&r, seed % (BATCHES + 1));
    diskstore_kill(&r.d);
    hearth_disk_power_loss(r.d.disk, seed);
    if (seed % 4 == 0)
      for (long n = 0; n < 60; n++) {
        hearth_disk_arm(r.d.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, n, EIO, true, true});
        hearth_status status = diskstore_open(&r.d, 0);
        hearth_disk_disarm(r.d.disk);
        if (status == HEARTH_OK) n = 60;
        else assert_true(status != HEARTH_DAMAGED && status != HEARTH_NOTSTORE);
        diskstore_kill(&r.d);
        hearth_disk_power_loss(r.d.disk, seed + (unsigned)n);
      }
    recovers(&r, r.durable);
    diskstore_done(&r.d);
  }
}

static void memory_runs_out_anywhere(void **state) {
  (void)state;
  for (int for_good = 0; for_good < 2; for_good++) {
    bool struck = true;
    for (long at = 0; struck; at++) {
      DiskStore d;
      diskstore_init(&d);
      uint64_t done = 0;
      d.memory.fail_at = at;
      d.memory.for_good = for_good != 0;
      for (uint64_t n = 1; n <= BATCHES; n++) {
        hearth_status status = HEARTH_OK;
        if (d.store == NULL) status = diskstore_open(&d, 0);
        if (status == HEARTH_OK) status = scenario_submit(file, d.store, n, n % 2 == 0, HEARTH_COMPLETE, &d.err);
        if (status != HEARTH_OK) {
          assert_int_equal(status, HEARTH_NOMEM);
          d.memory.fail_at = -1;
          if (d.store != NULL) assert_int_equal(scenario_verify(file, d.store), done);
          n--; /* again */
          continue;
        }
        done = n;
        if (n % 12 == 0) {
          status = file->compact(d.store, n == 12 ? 2 : 0, &d.err);
          assert_true(status == HEARTH_OK || status == HEARTH_NOMEM);
          if (status == HEARTH_NOMEM) d.memory.fail_at = -1;
        }
        if (n % 7 == 0) assert_int_equal(diskstore_close(&d), HEARTH_OK);
      }
      struck = d.memory.calls > at;
      d.memory.fail_at = -1;
      if (d.store == NULL) assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
      assert_int_equal(scenario_verify(file, d.store), BATCHES);
      diskstore_done(&d);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_fails_once),
      cmocka_unit_test(every_call_fails_for_good),
      cmocka_unit_test(every_write_is_cut_short),
      cmocka_unit_test(the_disk_is_full_from_any_write_on),
      cmocka_unit_test(every_sync_fails),
      cmocka_unit_test(a_failed_sync_is_final),
      cmocka_unit_test(the_power_fails_at_any_moment),
      cmocka_unit_test(memory_runs_out_anywhere),
  };
  return cmocka_run_group_tests_name("file faults", tests, NULL, NULL);
}
