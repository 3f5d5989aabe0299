/* Memory: all of it through the allocator, all of it given back, and running out of it changes nothing. */
#include "fixture.h"

static const char before[] = "1/a=x 2/b=y ";

typedef struct Attempt {
  hearth_status (*at)(Fixture *f);
  const char *after; /* what is there when it went through */
} Attempt;

static hearth_status attempt_batch(Fixture *f) {
  return SUBMIT(f, put(1, "a", "two"), drop(2), del(1, "b"), put(1, "c", "z"), equal(1, "a", "x"));
}

static hearth_status attempt_parts(Fixture *f) {
  hearth_status status = SUBMIT_PART(f, put(1, "a", "one"), put(3, "k", "v"));
  if (status == HEARTH_OK) status = SUBMIT_PART(f, del(3, "none"), put(3, "l", "v"));
  return status == HEARTH_OK ? SUBMIT(f, put(1, "a", "two"), drop(2), put(1, "c", "z")) : status;
}

static hearth_status attempt_compaction(Fixture *f) {
  return kit_compact(f, 0);
}

static hearth_status attempt_barrier(Fixture *f) {
  return kit_barrier(f, HEARTH_DEFAULT_DURABILITY);
}

static const Attempt attempts[] = {{attempt_batch, "1/a=two 1/c=z "},
                                   {attempt_parts, "1/a=two 1/c=z 3/k=v 3/l=v "},
                                   {attempt_barrier, before},
                                   {attempt_compaction, before}};

/* The nth allocation of the attempt fails. False: it has fewer. */
static bool fail_one(Fixture *f, const Attempt *attempt, long n, bool for_good) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, drop(1), drop(2), drop(3), put(1, "a", "x"), put(2, "b", "y")));
  long calls = f->memory.calls;
  f->memory.fail_at = calls + n;
  f->memory.for_good = for_good;
  hearth_status status = attempt->at(f);
  f->memory.fail_at = -1;
  bool struck = f->memory.calls > calls + n;
  if (!struck || status != HEARTH_NOMEM) ANSWERS(f, HEARTH_OK, status); /* it may do without */
  READS(f, status == HEARTH_OK ? attempt->after : before, kit_everything(f, &t));
  return struck;
}

static void fail_each(Fixture *f, bool for_good) {
  Text t;
  for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
    for (long n = 0; fail_one(f, &attempts[i], n, for_good); n++) continue;
    kit_reopen(f);
    READS(f, attempts[i].after, kit_everything(f, &t));
  }
}

static void failed_allocations_change_nothing(Fixture *f) {
  fail_each(f, false);
}

static void memory_that_stays_exhausted_changes_nothing(Fixture *f) {
  fail_each(f, true);
}

/* Reading, too, may need memory. */
static void reads_survive_failed_allocations(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "b", "y")));
  kit_reopen(f);
  if (!f->subject->persistent) return;
  for (long n = 0;; n++) {
    long calls = f->memory.calls;
    f->memory.fail_at = calls + n;
    hearth_status status = kit_everything_in(f, f->store, &t);
    f->memory.fail_at = -1;
    if (status == HEARTH_OK) READS(f, "1/a=x 2/b=y ", t.text);
    else ANSWERS(f, HEARTH_NOMEM, status);
    READS(f, "1/a=x 2/b=y ", kit_everything(f, &t));
    if (f->memory.calls <= calls + n) break;
    kit_close_store(f);
    kit_open_store(f);
  }
}

static void open_without_memory(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  kit_close_store(f);
  for (unsigned i = 0; i < 4; i++) { /* as a writer, once and for good, and as a reader */
    unsigned flags = i < 2 ? 0 : HEARTH_OPEN_READONLY;
    for (long n = 0;; n++) {
      long calls = f->memory.calls;
      f->memory.fail_at = calls + n;
      f->memory.for_good = i % 2 == 1;
      hearth_status status = kit_try_open(f, flags, &f->store);
      f->memory.fail_at = -1;
      if (status == HEARTH_OK) {
        MUST(f, n > 0, "open made a store without its allocator");
        READS(f, f->subject->persistent ? "1/a=x " : "", kit_everything(f, &t));
        bool struck = f->memory.calls > calls + n;
        kit_close_store(f);
        if (!struck) break;
        continue;
      }
      ANSWERS(f, HEARTH_NOMEM, status);
      EQUALS(f, 0, f->memory.bytes);
    }
  }
}

static void close_gives_everything_back(Fixture *f) {
  const size_t sizes[] = {0, 100, 5000, 200000};
  static unsigned char value[200000];
  for (unsigned i = 0; i < 4; i++) {
    hearth_op ops[] = {put(1, "a", "x"), put(1, "big", ""), put(2, "b", "y")};
    ops[1].value = value;
    ops[1].value_size = sizes[i];
    ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 3, 0));
    ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(3, "c", "z"), absent(1, "a")));
    if (i % 2 == 1) ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 3, HEARTH_BATCH_MORE)); /* a batch that is open */
    if (i == 2) ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
    kit_close_store(f);
    EQUALS(f, 0, f->memory.bytes);
    kit_open_store(f);
  }
}

const Case kit_memory_cases[] = {
    {"failed_allocations_change_nothing", "After NOMEM the store is unchanged and usable, whichever allocation failed.",
     failed_allocations_change_nothing, 0},
    {"memory_that_stays_exhausted_changes_nothing",
     "After NOMEM the store is unchanged and usable, also when memory was exhausted for a while.",
     memory_that_stays_exhausted_changes_nothing, 0},
    {"reads_survive_failed_allocations", "A read that has no memory answers NOMEM, and the next one reads.",
     reads_survive_failed_allocations, 0},
    {"open_without_memory", "All memory comes from the allocator; an open that fails holds none.",
     open_without_memory, 0},
    {"close_gives_everything_back", "close releases everything, a batch that is open included.",
     close_gives_everything_back, 0},
    {NULL, NULL, NULL, 0},
};
