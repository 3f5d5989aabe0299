/* Levels of durability, barriers, and compaction. */
#include "fixture.h"

static void levels_beyond_the_backend_are_unsupported(Fixture *f) {
  Text t;
  uint64_t done = 0;
  for (int level = HEARTH_VISIBLE; level <= HEARTH_DURABLE; level++) {
    bool can = level <= (int)f->backend->max_durability;
    hearth_op op = put(1, can ? "can" : "cannot", "x");
    ANSWERS(f, can ? HEARTH_OK : HEARTH_UNSUPPORTED, kit_submit_at(f, &op, 1, 0, (hearth_durability)level, NULL));
    ANSWERS(f, can ? HEARTH_OK : HEARTH_UNSUPPORTED, kit_barrier(f, (hearth_durability)level));
    if (can) done++;
    EQUALS(f, done, kit_look(f).sequence);
  }
  READS(f, "nothing", kit_get(f, 1, "cannot", &t));
  ANSWERS(f, HEARTH_INVALID, kit_barrier(f, (hearth_durability)9));
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->poll(f->store, kit_fresh(f))));
}

static void what_is_durable_is_told(Fixture *f) {
  hearth_op op = put(1, "a", "x");
  bool can = f->backend->max_durability == HEARTH_DURABLE;
  EQUALS(f, 0, kit_look(f).durable);
  for (uint64_t n = 1; n <= 6; n++) {
    hearth_durability level = n % 3 != 0 ? HEARTH_VISIBLE : HEARTH_DEFAULT_DURABILITY;
    ANSWERS(f, HEARTH_OK, kit_submit_at(f, &op, 1, 0, level, NULL));
    if (n % 3 == 0) EQUALS(f, can ? n : 0, kit_look(f).durable);
    if (n == 4) ANSWERS(f, HEARTH_OK, kit_barrier(f, HEARTH_DEFAULT_DURABILITY));
    if (n == 4) EQUALS(f, can ? n : 0, kit_look(f).durable);
    EQUALS(f, n, kit_look(f).sequence);
  }
  /* a batch that changes nothing answers as a barrier does */
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, &op, 1, 0, HEARTH_VISIBLE, NULL));
  ANSWERS(f, HEARTH_OK, kit_submit(f, NULL, 0, 0));
  EQUALS(f, can ? 7 : 0, kit_look(f).durable);
}

static void compaction_keeps_everything(Fixture *f) {
  Text t;
  for (unsigned keep = 0; keep < 7; keep++) {
    ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(1, "b", "y")));
    ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "xx"), del(1, "b"), put(2, "c", "z")));
    uint64_t sequence = kit_look(f).sequence;
    bool refused = keep > 0 && f->subject->keeps_no_batches;
    ANSWERS(f, refused ? HEARTH_UNSUPPORTED : HEARTH_OK, kit_compact(f, keep));
    for (int i = 0; i < 2; i++) {
      READS(f, "1/a=xx 2/c=z ", kit_everything(f, &t));
      EQUALS(f, sequence, kit_look(f).sequence);
      EQUALS(f, 5, kit_look(f).live_bytes);
      kit_reopen(f);
    }
  }
}

static void numbers_go_on_after_compaction(Fixture *f) {
  uint64_t sequence = 0;
  hearth_op op = put(1, "a", "x");
  for (uint64_t n = 1; n <= 4; n++) {
    ANSWERS(f, HEARTH_OK, kit_submit_at(f, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, &sequence));
    EQUALS(f, n, sequence);
    ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
    if (n % 2 == 0) kit_reopen(f);
  }
  op = drop(1);
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, &sequence));
  ANSWERS(f, HEARTH_OK, kit_compact(f, 0)); /* nothing lives, but it was not nothing */
  kit_reopen(f);
  EQUALS(f, 5, kit_look(f).sequence);
  EQUALS(f, 0, kit_look(f).entries);
}

const Case kit_level_cases[] = {
    {"levels_beyond_the_backend_are_unsupported",
     "A level beyond max_durability is UNSUPPORTED, for submit and barrier, and nothing happens.",
     levels_beyond_the_backend_are_unsupported, 0},
    {"what_is_durable_is_told", "When N is durable, so is every earlier batch, and stat says so.",
     what_is_durable_is_told, 0},
    {"compaction_keeps_everything", "compact gives back the space of dead entries and changes nothing else.",
     compaction_keeps_everything, 0},
    {"numbers_go_on_after_compaction", "Batches are numbered by one, whatever was compacted.",
     numbers_go_on_after_compaction, 0},
    {NULL, NULL, NULL, 0},
};
