/*
** Lives of a store on the kit's disk: each call that it makes fails, once or from then on, and afterwards the store
** opens with every batch that was acknowledged, and is some whole batch's state.
*/
#include <errno.h>

#include "history.h"

#define BATCHES 14
#define COMPACT_AT 6
#define REOPEN_AT 10

typedef struct Life {
  Fixture *f;
  uint64_t tried;    /* the last batch that was submitted */
  uint64_t complete; /* acknowledged at any level */
  uint64_t durable;  /* acknowledged as durable */
  bool over;         /* the store is dead, or could not be opened */
} Life;

/* After IO every call but close answers DEAD. */
static void must_be_dead(Life *l) {
  Fixture *f = l->f;
  Text t = {.count = 0};
  hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)};
  ANSWERS(f, HEARTH_DEAD, kit_history_submit(f, l->tried + 1, HEARTH_DEFAULT_DURABILITY));
  ANSWERS(f, HEARTH_DEAD, kit_barrier(f, HEARTH_DEFAULT_DURABILITY));
  ANSWERS(f, HEARTH_DEAD, kit_compact(f, 0));
  ANSWERS(f, HEARTH_DEAD, kit_everything_in(f, f->store, &t));
  ANSWERS(f, HEARTH_DEAD, kit_judged(f, f->backend->get(f->store, 1, "a", 1, kit_write_down, &t, kit_fresh(f))));
  ANSWERS(f, HEARTH_DEAD, kit_judged(f, f->backend->stat(f->store, &stat, kit_fresh(f))));
  l->over = true;
}

static void judge_failure(Life *l, const char *what, hearth_status status) {
  Fixture *f = l->f;
  /* DEAD: what the store did by itself behind an earlier call had failed */
  MUST(f, status == HEARTH_IO || status == HEARTH_DEAD, "%s answered %s where a call to the system failed: %s", what,
       kit_status_name(status), f->err.message);
  must_be_dead(l);
}

static void live_batch(Life *l, uint64_t n) {
  Fixture *f = l->f;
  hearth_durability level = n % 3 == 0 || n == 1 ? HEARTH_DEFAULT_DURABILITY : HEARTH_VISIBLE;
  l->tried = n;
  hearth_disk_set_clock(f->disk, 1700000000000 + n * 2000);
  hearth_status status = kit_history_submit(f, n, level);
  if (status == HEARTH_FULL) { /* nothing was written, and with room again the batch goes through */
    EQUALS(f, n - 1, kit_history_verify(f));
    hearth_disk_disarm(f->disk);
    hearth_disk_capacity(f->disk, 0);
    status = kit_history_submit(f, n, level);
    ANSWERS(f, HEARTH_OK, status);
  }
  if (status != HEARTH_OK) {
    judge_failure(l, "submit", status);
    return;
  }
  l->complete = n;
  hearth_backend_stat stat = kit_look(f);
  EQUALS(f, n, stat.sequence);
  if (level == HEARTH_DEFAULT_DURABILITY && f->backend->max_durability == HEARTH_DURABLE) EQUALS(f, n, stat.durable);
  if (stat.durable > l->durable) l->durable = stat.durable;
}

/* Reads everything; a read may fail, too. */
static void live_reading(Life *l) {
  Fixture *f = l->f;
  Text t, expected;
  hearth_status status = kit_everything_in(f, f->store, &t);
  if (status != HEARTH_OK) {
    judge_failure(l, "a read", status);
    return;
  }
  kit_history_text(l->complete, &expected);
  READS(f, expected.text, t.text);
}

static void live_compaction(Life *l) {
  hearth_status status = kit_compact(l->f, 0);
  if (status == HEARTH_OK || status == HEARTH_FULL) live_reading(l);
  else judge_failure(l, "compact", status);
}

static bool live_opening(Life *l) {
  if (kit_try_open(l->f, 0, &l->f->store) != HEARTH_OK) {
    l->over = true;
    EQUALS(l->f, 0, l->f->memory.bytes);
  }
  return !l->over;
}

static void live_reopening(Life *l) {
  Fixture *f = l->f;
  hearth_backend_store *closing = f->store;
  f->store = NULL;
  (void)kit_judged(f, f->backend->close(closing, kit_fresh(f)));
  EQUALS(f, 0, f->memory.bytes);
  if (live_opening(l)) live_reading(l);
}

static void live(Life *l, uint64_t batches) {
  if (!live_opening(l)) return;
  for (uint64_t n = 1; n <= batches && !l->over; n++) {
    live_batch(l, n);
    if (n == COMPACT_AT && !l->over) live_compaction(l);
    if (n == REOPEN_AT && !l->over) live_reopening(l);
  }
}

/* The process ends without closing anything: what it held in memory is freed, and the disk sees nothing of it. */
static void kill_process(Fixture *f) {
  hearth_backend_store *closing = f->store;
  f->store = NULL;
  hearth_disk_observe(f->disk, NULL, NULL);
  hearth_disk_arm(f->disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, 0, EIO, true, false});
  if (closing != NULL) (void)f->backend->close(closing, NULL);
  hearth_disk_disarm(f->disk);
  hearth_disk_kill_process(f->disk);
  EQUALS(f, 0, f->memory.bytes);
}

/* The store opens with a batch from `least` on, and goes on from there. */
static void recovers(Life *l, uint64_t least) {
  Fixture *f = l->f;
  kit_open_store(f);
  uint64_t n = kit_history_verify(f);
  MUST(f, n >= least && n <= l->tried,
       "after a failure batch %llu is the last one, %llu were acknowledged, %llu submitted", ULL(n), ULL(least),
       ULL(l->tried));
  ANSWERS(f, HEARTH_OK, kit_history_submit(f, n + 1, HEARTH_DEFAULT_DURABILITY));
  kit_close_store(f);
  if (f->backend->max_durability == HEARTH_DURABLE) hearth_disk_power_loss(f->disk, (unsigned)n);
  kit_open_store(f);
  EQUALS(f, n + 1, kit_history_verify(f));
  kit_close_store(f);
}

typedef enum End { END_KILLED, END_CLOSED, END_POWER_LOST, ENDS } End;

/* False: the fault does not strike any more, since the life has fewer such calls. */
static bool live_with(Fixture *f, hearth_disk_fault fault, End end) {
  Life l = {.f = f};
  hearth_disk_clear(f->disk);
  hearth_disk_arm(f->disk, fault);
  live(&l, BATCHES);
  bool struck = hearth_disk_struck(f->disk);
  uint64_t least = l.complete;
  if (end == END_CLOSED && f->store != NULL) {
    hearth_backend_store *closing = f->store;
    f->store = NULL;
    (void)f->backend->close(closing, NULL);
  }
  kill_process(f);
  if (end == END_POWER_LOST) {
    hearth_disk_power_loss(f->disk, (unsigned)fault.at + 1);
    least = l.durable;
  }
  recovers(&l, least);
  return struck;
}

static void each_call(Fixture *f, hearth_disk_fault fault, bool must_strike) {
  f->disk = hearth_disk_new();
  for (End end = END_KILLED; end < ENDS; end++) {
    for (fault.at = 0; live_with(f, fault, end); fault.at++) continue;
    MUST(f, fault.at > 0 || !must_strike, "the store makes no such call of its environment");
  }
}

static void every_call_may_fail(Fixture *f) {
  each_call(f, (hearth_disk_fault){.which = HEARTH_DISK_ALL_CALLS, .failure = EIO}, true);
}

static void every_call_may_fail_for_good(Fixture *f) {
  each_call(f, (hearth_disk_fault){.which = HEARTH_DISK_ALL_CALLS, .failure = EIO, .for_good = true}, true);
}

static void every_write_may_be_cut_short(Fixture *f) {
  each_call(f, (hearth_disk_fault){.which = HEARTH_DISK_WRITES, .failure = EIO, .half = true}, true);
}

static void every_read_may_fail(Fixture *f) {
  each_call(f, (hearth_disk_fault){.which = HEARTH_DISK_READS, .failure = EIO}, false);
}

static void every_sync_may_fail(Fixture *f) {
  each_call(f, (hearth_disk_fault){.which = HEARTH_DISK_SYNCS, .failure = EIO}, false);
}

/* With room for so many bytes more than are there when the life has begun. */
static void the_disk_may_be_full(Fixture *f) {
  f->disk = hearth_disk_new();
  unsigned full = 0;
  for (uint64_t room = 0; room < 4000; room += room < 700 ? 23 : 331) {
    Life l = {.f = f};
    hearth_disk_clear(f->disk);
    kit_open_store(f);
    live_batch(&l, 1);
    hearth_disk_capacity(f->disk, hearth_disk_used(f->disk) + room);
    uint64_t n = 2;
    Text t;
    while (n < 60) {
      hearth_status status = kit_history_submit(f, n, HEARTH_DEFAULT_DURABILITY);
      if (status == HEARTH_OK) {
        l.tried = l.complete = n++;
        continue;
      }
      ANSWERS(f, HEARTH_FULL, status);
      EQUALS(f, n - 1, kit_history_verify(f));
      ANSWERS(f, HEARTH_FULL, kit_history_submit(f, n, HEARTH_DEFAULT_DURABILITY)); /* as often as one likes */
      full++;
      break;
    }
    hearth_disk_capacity(f->disk, 0);
    ANSWERS(f, HEARTH_OK, kit_history_submit(f, n, HEARTH_DEFAULT_DURABILITY));
    l.tried = l.complete = n;
    (void)kit_everything(f, &t);
    kill_process(f);
    recovers(&l, l.complete);
  }
  MUST(f, full > 0, "the store writes nothing on its disk");
}

/*
** The cache has what the device lacks, and a second sync says that all is well: opened again, without a restart, a
** store does not build on it.
*/
static void a_failed_sync_is_final(Fixture *f) {
  f->disk = hearth_disk_new();
  if (f->backend->max_durability != HEARTH_DURABLE) return;
  for (int keeps = HEARTH_DISK_KEEPS_NONE; keeps <= HEARTH_DISK_KEEPS_ALL; keeps++)
    for (long at = 0, strikes = 1; strikes != 0; at++) {
      Life l = {.f = f};
      hearth_disk_clear(f->disk);
      hearth_disk_failed_sync(f->disk, (hearth_disk_keeps)keeps);
      hearth_disk_arm(f->disk, (hearth_disk_fault){HEARTH_DISK_SYNCS, at, EIO, false, false});
      live(&l, 8);
      strikes = hearth_disk_struck(f->disk) ? 1 : 0;
      kill_process(f);
      hearth_disk_failed_sync(f->disk, HEARTH_DISK_KEEPS_NONE);
      recovers(&l, l.complete); /* it ends with a loss of power */
    }
}

/* For a reader a failure is not the end: what it answers it answers for one call. */
static void readers_survive_failed_calls(Fixture *f) {
  Text t;
  f->disk = hearth_disk_new();
  kit_open_store(f);
  for (uint64_t n = 1; n <= 5; n++) ANSWERS(f, HEARTH_OK, kit_history_submit(f, n, HEARTH_DEFAULT_DURABILITY));
  kit_close_store(f);
  for (long at = 0, strikes = 1; strikes != 0; at++) {
    strikes = 0;
    for (int what = 0; what < 3; what++) { /* opening, reading, refreshing */
      hearth_disk_fault fault = {HEARTH_DISK_ALL_CALLS, at, EIO, false, false};
      if (what > 0) ANSWERS(f, HEARTH_OK, kit_try_open(f, HEARTH_OPEN_READONLY, &f->store));
      hearth_disk_arm(f->disk, fault);
      hearth_status status = what == 0   ? kit_try_open(f, HEARTH_OPEN_READONLY, &f->store)
                             : what == 1 ? kit_everything_in(f, f->store, &t)
                                         : kit_judged(f, f->backend->refresh(f->store, kit_fresh(f)));
      if (hearth_disk_struck(f->disk)) strikes = 1;
      hearth_disk_disarm(f->disk);
      /* STALE: it cannot see whether the store has moved on */
      MUST(f, status == HEARTH_OK || status == HEARTH_IO || status == HEARTH_STALE,
           "a reader answered %s where a call to the system failed: %s", kit_status_name(status), f->err.message);
      if (f->store == NULL) continue;
      EQUALS(f, 5, kit_history_verify(f));
      kit_close_store(f);
    }
  }
}

const Case kit_disk_cases[] = {
    {"every_call_may_fail", "After IO the store is dead; opened again it has every batch that was acknowledged.",
     every_call_may_fail, NEEDS_DISK},
    {"every_call_may_fail_for_good",
     "When every later call fails, too, every batch that was acknowledged is there afterwards.",
     every_call_may_fail_for_good, NEEDS_DISK},
    {"every_write_may_be_cut_short",
     "When a write is cut short, every batch that was acknowledged is there afterwards.",
     every_write_may_be_cut_short, NEEDS_DISK},
    {"every_read_may_fail",
     "When a read fails, the store says so, and has every batch that was acknowledged afterwards.",
     every_read_may_fail, NEEDS_DISK},
    {"every_sync_may_fail", "When a flush fails, every batch that was acknowledged is there afterwards.",
     every_sync_may_fail, NEEDS_DISK},
    {"the_disk_may_be_full", "After FULL nothing was written, and the batch can be retried.", the_disk_may_be_full,
     NEEDS_DISK},
    {"a_failed_sync_is_final", "A failed flush is not tried again: what it may have lost is not built upon.",
     a_failed_sync_is_final, NEEDS_DISK},
    {"readers_survive_failed_calls", "A reader has nothing to lose: a call that failed may be tried again.",
     readers_survive_failed_calls, NEEDS_DISK},
    {NULL, NULL, NULL, 0},
};
