/* A batch may come in parts; the last one commits it. */
#include "fixture.h"

static void parts_become_one_batch(Fixture *f) {
  Text t;
  uint64_t sequence = 99;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "k", "v")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "b", "y"), del(1, "a")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, drop(2), put(1, "b", "yy")));
  READS(f, "1/a=x 2/k=v ", kit_everything(f, &t));
  READS(f, "nothing", kit_get(f, 1, "b", &t));
  EQUALS(f, 1, kit_look(f).sequence);
  hearth_op last = put(1, "c", "z");
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, &last, 1, 0, HEARTH_VISIBLE, &sequence));
  EQUALS(f, 2, sequence);
  for (int i = 0; i < 2; i++) {
    READS(f, "1/b=yy 1/c=z ", kit_everything(f, &t));
    kit_reopen(f);
  }
}

static void the_last_part_may_be_empty(Fixture *f) {
  Text t;
  uint64_t sequence = 99;
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "d", "1")));
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, NULL, 0, 0, HEARTH_DEFAULT_DURABILITY, &sequence));
  EQUALS(f, 1, sequence);
  for (int i = 0; i < 2; i++) {
    READS(f, "1/d=1 ", kit_everything(f, &t));
    kit_reopen(f);
  }
}

static void checks_of_parts_look_before_their_batch(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, del(1, "a"), put(1, "b", "y")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, equal(1, "a", "x"), absent(1, "b")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, equal(1, "a", "x"), absent(1, "b"), put(1, "c", "z")));
  READS(f, "1/b=y 1/c=z ", kit_everything(f, &t));
  EQUALS(f, 2, kit_look(f).sequence);
}

static void parts_can_be_abandoned(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "b", "y"), del(1, "a")));
  ANSWERS(f, HEARTH_OK, kit_submit(f, NULL, 0, HEARTH_BATCH_ABANDON));
  ANSWERS(f, HEARTH_OK, kit_submit(f, NULL, 0, HEARTH_BATCH_ABANDON));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "c", "z")));
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=x 1/c=z ", kit_everything(f, &t));
    EQUALS(f, 2, kit_look(f).sequence);
    kit_reopen(f);
  }
}

static void compaction_is_busy_while_parts_are_open(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "b", "y")));
  ANSWERS(f, HEARTH_BUSY, kit_compact(f, 0));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "c", "z"))); /* the batch goes on */
  ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, absent(1, "z")));
  ANSWERS(f, HEARTH_BUSY, kit_compact(f, 0)); /* checks alone are a part too */
  ANSWERS(f, HEARTH_OK, kit_submit(f, NULL, 0, HEARTH_BATCH_ABANDON));
  ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
  READS(f, "1/a=x 1/b=y 1/c=z ", kit_everything(f, &t));
}

static void a_barrier_leaves_an_open_batch_alone(Fixture *f) {
  Text t;
  hearth_op first = put(1, "a", "x");
  bool can = f->backend->max_durability == HEARTH_DURABLE;
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, &first, 1, 0, HEARTH_VISIBLE, NULL));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "b", "y")));
  ANSWERS(f, HEARTH_OK, kit_barrier(f, HEARTH_DEFAULT_DURABILITY));
  EQUALS(f, can ? 1 : 0, kit_look(f).durable);
  EQUALS(f, 1, kit_look(f).sequence);
  READS(f, "1/a=x ", kit_everything(f, &t));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "c", "z")));
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=x 1/b=y 1/c=z ", kit_everything(f, &t));
    EQUALS(f, 2, kit_look(f).sequence);
    kit_reopen(f);
  }
}

static void a_part_that_fails_takes_its_batch_along(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "d", "1")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT_PART(f, absent(1, "a"), put(1, "g", "1")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "e", "2")));
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "f", "3")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, absent(1, "a"))); /* the last part */
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "h", "4")));
  ANSWERS(f, HEARTH_INVALID, SUBMIT_PART(f, put(HEARTH_MAX_TABLE + 1, "h", "4")));
  ANSWERS(f, HEARTH_OK, kit_compact(f, 0)); /* no batch is open */
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=x 1/e=2 ", kit_everything(f, &t));
    EQUALS(f, 2, kit_look(f).sequence);
    kit_reopen(f);
  }
}

static void parts_without_their_last_are_ignored(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  for (int i = 0; i < 3; i++) {
    ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(1, "f", "3"), del(1, "a")));
    ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, drop(1), put(2, "g", "4")));
    READS(f, "1/a=x ", kit_everything(f, &t));
    kit_close_store(f);
    kit_open_store(f);
    READS(f, f->subject->persistent ? "1/a=x " : "", kit_everything(f, &t));
    EQUALS(f, f->subject->persistent ? 1 : 0, kit_look(f).sequence);
    if (!f->subject->persistent) ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  }
}

const Case kit_part_cases[] = {
    {"parts_become_one_batch", "A batch may come in parts; the last part commits it, under one number.",
     parts_become_one_batch, 0},
    {"the_last_part_may_be_empty", "The last part commits the batch, also when it has no operation.",
     the_last_part_may_be_empty, 0},
    {"checks_of_parts_look_before_their_batch", "A check in a part is judged on what was there before the whole batch.",
     checks_of_parts_look_before_their_batch, 0},
    {"parts_can_be_abandoned", "ABANDON forgets the parts submitted so far, and is no error when there are none.",
     parts_can_be_abandoned, 0},
    {"compaction_is_busy_while_parts_are_open", "compact is BUSY while a batch in parts is open.",
     compaction_is_busy_while_parts_are_open, 0},
    {"a_barrier_leaves_an_open_batch_alone",
     "A barrier asks that every batch so far reach a level; parts are no batch yet.",
     a_barrier_leaves_an_open_batch_alone, 0},
    {"a_part_that_fails_takes_its_batch_along",
     "A part that fails abandons its whole batch, which then starts again at its first part.",
     a_part_that_fails_takes_its_batch_along, 0},
    {"parts_without_their_last_are_ignored", "Parts without their last are ignored, after reopening too.",
     parts_without_their_last_are_ignored, 0},
    {NULL, NULL, NULL, 0},
};
