/* An asynchronous backend: what is pending. */
#include "fixture.h"

static hearth_status send(Fixture *f, const hearth_op *ops, size_t count, hearth_durability level, uint64_t *sequence) {
  return kit_judged(f, f->backend->submit(f->store, ops, count, 0, level, sequence, kit_fresh(f)));
}

static hearth_status poll(Fixture *f) {
  return kit_judged(f, f->backend->poll(f->store, kit_fresh(f)));
}

static void settle(Fixture *f) {
  f->subject->settle(f->subject->ud);
}

static void what_is_pending_is_read(Fixture *f) {
  Text t;
  uint64_t sequence = 0;
  hearth_op first[] = {put(1, "a", "x"), put(2, "b", "y")}, second[] = {equal(1, "a", "x"), put(1, "a", "z"), drop(2)};
  ANSWERS(f, HEARTH_PENDING, send(f, first, 2, HEARTH_DEFAULT_DURABILITY, &sequence));
  EQUALS(f, 1, sequence);
  READS(f, "1/a=x 2/b=y ", kit_everything(f, &t));
  EQUALS(f, 0, kit_look(f).sequence);
  ANSWERS(f, HEARTH_PENDING, send(f, second, 3, HEARTH_DEFAULT_DURABILITY, &sequence));
  EQUALS(f, 2, sequence);
  READS(f, "1/a=z ", kit_everything(f, &t));
  READS(f, "1/a=z ", kit_get(f, 1, "a", &t));
  EQUALS(f, 0, kit_look(f).sequence);
  ANSWERS(f, HEARTH_CONFLICT, send(f, second, 3, HEARTH_DEFAULT_DURABILITY, &sequence));
  ANSWERS(f, HEARTH_PENDING, poll(f));
  settle(f);
  ANSWERS(f, HEARTH_OK, poll(f));
  EQUALS(f, 2, kit_look(f).sequence);
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=z ", kit_everything(f, &t));
    kit_reopen(f);
  }
}

static void a_batch_at_the_least_level_is_complete_later(Fixture *f) {
  uint64_t sequence = 0;
  hearth_op op = put(1, "a", "x");
  ANSWERS(f, HEARTH_OK, send(f, &op, 1, HEARTH_VISIBLE, &sequence));
  EQUALS(f, 1, sequence);
  EQUALS(f, 0, kit_look(f).sequence);
  hearth_status status = kit_judged(f, f->backend->barrier(f->store, HEARTH_COMPLETE, kit_fresh(f)));
  ANSWERS(f, HEARTH_PENDING, status);
  settle(f);
  ANSWERS(f, HEARTH_OK, poll(f));
  EQUALS(f, 1, kit_look(f).sequence);
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->barrier(f->store, HEARTH_COMPLETE, kit_fresh(f))));
}

static void batches_are_written_after_closing(Fixture *f) {
  Text t;
  uint64_t sequence = 0;
  hearth_op op = put(1, "a", "x");
  ANSWERS(f, HEARTH_PENDING, send(f, &op, 1, HEARTH_DEFAULT_DURABILITY, &sequence));
  kit_close_store(f);
  settle(f);
  kit_open_store(f);
  READS(f, "1/a=x ", kit_everything(f, &t));
  EQUALS(f, 1, kit_look(f).sequence);
}

const Case kit_pending_cases[] = {
    {"what_is_pending_is_read",
     "get, scan, tables and the checks of later batches see what is complete, overlaid by what is pending; "
     "stat.sequence is the last complete batch.", what_is_pending_is_read, NEEDS_PENDING},
    {"a_batch_at_the_least_level_is_complete_later",
     "OK at the level VISIBLE does not say that a batch is complete; a barrier asks for that.",
     a_batch_at_the_least_level_is_complete_later, NEEDS_PENDING},
    {"batches_are_written_after_closing", "close does not wait: what was submitted is still being written.",
     batches_are_written_after_closing, NEEDS_PENDING | NEEDS_PERSISTENCE},
    {NULL, NULL, NULL, 0},
};
