/* One writer, and readers beside it. */
#include "fixture.h"

static void a_second_opener_is_busy(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  size_t held = f->memory.bytes;
  for (int i = 0; i < 3; i++) {
    ANSWERS(f, HEARTH_BUSY, kit_try_open(f, 0, &f->others[0]));
    EQUALS(f, held, f->memory.bytes);
  }
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "b", "y"))); /* the first has it still */
  kit_close_store(f);
  ANSWERS(f, HEARTH_OK, kit_try_open(f, 0, &f->others[0]));
  ANSWERS(f, HEARTH_OK, kit_everything_in(f, f->others[0], &t));
  READS(f, "1/a=x 1/b=y ", t.text);
  ANSWERS(f, HEARTH_BUSY, kit_try_open(f, 0, &f->store));
}

static void readers_do_not_write(Fixture *f) {
  Text t;
  hearth_op op = put(1, "b", "y");
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  kit_close_store(f);
  ANSWERS(f, HEARTH_OK, kit_try_open(f, HEARTH_OPEN_READONLY, &f->store));
  for (int i = 0; i < 2; i++) {
    READS(f, f->subject->persistent ? "1/a=x " : "", kit_everything(f, &t));
    ANSWERS(f, HEARTH_READONLY, kit_submit(f, &op, 1, 0));
    ANSWERS(f, HEARTH_READONLY, kit_submit(f, &op, 1, HEARTH_BATCH_MORE));
    ANSWERS(f, HEARTH_READONLY, kit_compact(f, 0));
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->refresh(f->store, kit_fresh(f))));
  }
  kit_close_store(f);
  kit_open_store(f);
  READS(f, f->subject->persistent ? "1/a=x " : "", kit_everything(f, &t));
}

/* What a reader shows is `before`, or it says STALE; after a refresh it is `after`. */
static void follows(Fixture *f, const char *before, const char *after) {
  Text t;
  hearth_backend_store *reader = f->others[0];
  hearth_status status = kit_everything_in(f, reader, &t);
  MUST(f, status == HEARTH_OK || status == HEARTH_STALE, "a reader beside a writer: %s, %s", kit_status_name(status),
       f->err.message);
  if (status == HEARTH_OK) READS(f, before, t.text);
  ANSWERS(f, HEARTH_STALE, kit_judged(f, f->backend->poll(reader, kit_fresh(f))));
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->refresh(reader, kit_fresh(f))));
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->poll(reader, kit_fresh(f))));
  ANSWERS(f, HEARTH_OK, kit_everything_in(f, reader, &t));
  READS(f, after, t.text);
  EQUALS(f, kit_look(f).sequence, kit_look_at(f, reader).sequence);
}

static void readers_stand_beside_a_writer(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "b", "y")));
  for (size_t i = 0; i < 2; i++) ANSWERS(f, HEARTH_OK, kit_try_open(f, HEARTH_OPEN_READONLY, &f->others[i]));
  for (size_t i = 0; i < 2; i++) {
    ANSWERS(f, HEARTH_OK, kit_everything_in(f, f->others[i], &t));
    READS(f, "1/a=x 2/b=y ", t.text);
    EQUALS(f, 1, kit_look_at(f, f->others[i]).sequence);
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->poll(f->others[i], kit_fresh(f))));
  }
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "xx"), drop(2))); /* the writer is not disturbed */
  follows(f, "1/a=x 2/b=y ", "1/a=xx ");
  ANSWERS(f, HEARTH_OK, SUBMIT_PART(f, put(3, "c", "z")));
  ANSWERS(f, HEARTH_OK, kit_everything_in(f, f->others[0], &t));
  READS(f, "1/a=xx ", t.text);
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(4, "d", "w")));
  follows(f, "1/a=xx ", "1/a=xx 3/c=z 4/d=w ");
  kit_close_store(f);
  kit_open_store(f);
  ANSWERS(f, HEARTH_OK, SUBMIT(f, drop(3)));
  follows(f, "1/a=xx 3/c=z 4/d=w ", "1/a=xx 4/d=w ");
}

/* What a reader shows after a compaction is the same, or it says STALE until it is refreshed. */
static void readers_outlive_a_compaction(Fixture *f) {
  Text t;
  for (int i = 0; i < 4; i++) ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "b", i == 3 ? "y" : "w")));
  ANSWERS(f, HEARTH_OK, kit_try_open(f, HEARTH_OPEN_READONLY, &f->others[0]));
  ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
  hearth_status status = kit_everything_in(f, f->others[0], &t);
  MUST(f, status == HEARTH_OK || status == HEARTH_STALE, "a reader after a compaction: %s, %s", kit_status_name(status),
       f->err.message);
  if (status == HEARTH_OK) READS(f, "1/a=x 2/b=y ", t.text);
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->refresh(f->others[0], kit_fresh(f))));
  ANSWERS(f, HEARTH_OK, kit_everything_in(f, f->others[0], &t));
  READS(f, "1/a=x 2/b=y ", t.text);
  EQUALS(f, 4, kit_look_at(f, f->others[0]).sequence);
}

static void flags_say_what_may_be_there(Fixture *f) {
  bool stays = f->subject->persistent;
  if (f->subject->begins_with_a_batch) ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  kit_close_store(f);
  ANSWERS(f, stays ? HEARTH_EXISTS : HEARTH_OK, kit_try_open(f, HEARTH_OPEN_EXCLUSIVE, &f->store));
  if (f->store != NULL) kit_close_store(f);
  ANSWERS(f, stays ? HEARTH_OK : HEARTH_NOTFOUND, kit_try_open(f, HEARTH_OPEN_NO_CREATE, &f->store));
}

static void nothing_is_found_where_nothing_is(Fixture *f) {
  const hearth_testkit_subject *s = f->subject;
  kit_close_store(f);
  if (s->leave != NULL) s->leave(s->ud, f->location);
  f->location = s->arrive != NULL ? s->arrive(s->ud) : NULL;
  EQUALS(f, 0, f->memory.bytes);
  ANSWERS(f, HEARTH_NOTFOUND, kit_try_open(f, HEARTH_OPEN_NO_CREATE, &f->store));
  ANSWERS(f, HEARTH_NOTFOUND, kit_try_open(f, HEARTH_OPEN_READONLY, &f->store));
  EQUALS(f, 0, f->memory.bytes);
  ANSWERS(f, HEARTH_OK, kit_try_open(f, HEARTH_OPEN_EXCLUSIVE, &f->store));
  EQUALS(f, 0, kit_look(f).sequence);
}

const Case kit_opener_cases[] = {
    {"a_second_opener_is_busy", "A second opener gets BUSY, and does not disturb the first.", a_second_opener_is_busy,
     NEEDS_PERSISTENCE},
    {"readers_do_not_write", "Through a read-only opener nothing is written: READONLY.", readers_do_not_write, 0},
    {"readers_stand_beside_a_writer",
     "A read-only opener takes no lock, sees one commit or says STALE, and refresh shows what is there now.",
     readers_stand_beside_a_writer, NEEDS_PERSISTENCE},
    {"readers_outlive_a_compaction", "A reader of a store that was compacted shows the same, or says STALE.",
     readers_outlive_a_compaction, NEEDS_PERSISTENCE},
    {"flags_say_what_may_be_there", "EXISTS where something is with EXCLUSIVE; NO_CREATE opens what is there.",
     flags_say_what_may_be_there, 0},
    {"nothing_is_found_where_nothing_is", "NOTFOUND where nothing is with NO_CREATE or READONLY, and nothing is made.",
     nothing_is_found_where_nothing_is, NEEDS_PERSISTENCE},
    {NULL, NULL, NULL, 0},
};
