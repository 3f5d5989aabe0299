/* A batch happens whole or not at all, and has a number. */
#include "fixture.h"

static void batches_are_numbered_by_one(Fixture *f) {
  for (uint64_t i = 1; i <= 5; i++) {
    uint64_t sequence = 0;
    hearth_op op = put(1, "a", "x");
    ANSWERS(f, HEARTH_OK, kit_submit_at(f, &op, 1, 0, HEARTH_VISIBLE, &sequence));
    EQUALS(f, i, sequence);
    EQUALS(f, i, kit_look(f).sequence);
    kit_reopen(f);
    EQUALS(f, i, kit_look(f).sequence);
  }
}

static void a_batch_that_fails_has_no_number(Fixture *f) {
  uint64_t sequence = 0;
  hearth_op ops[] = {put(1, "b", "x"), absent(1, "a")};
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  for (int i = 0; i < 3; i++) ANSWERS(f, HEARTH_CONFLICT, kit_submit(f, ops, 2, 0));
  EQUALS(f, 1, kit_look(f).sequence);
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, ops, 1, 0, HEARTH_DEFAULT_DURABILITY, &sequence));
  EQUALS(f, 2, sequence);
  EQUALS(f, 2, kit_look(f).sequence);
}

static void a_batch_without_changes_has_no_number(Fixture *f) {
  uint64_t sequence = 99;
  hearth_op check = absent(1, "a");
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, NULL, 0, 0, HEARTH_DEFAULT_DURABILITY, &sequence));
  EQUALS(f, 0, sequence);
  ANSWERS(f, HEARTH_OK, kit_submit(f, &check, 1, 0));
  EQUALS(f, 0, kit_look(f).sequence);
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "b", "x")));
  sequence = 99;
  ANSWERS(f, HEARTH_OK, kit_submit_at(f, &check, 1, 0, HEARTH_DEFAULT_DURABILITY, &sequence));
  EQUALS(f, 1, sequence);
  EQUALS(f, 1, kit_look(f).sequence);
}

static void checks_decide(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(1, "e", "")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), equal(1, "a", "y")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), equal(1, "a", "xx")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), equal(1, "a", "")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), equal(1, "none", "x")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), equal(1, "none", "")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), equal(2, "a", "x")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), absent(1, "a")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "b", "1"), absent(1, "e")));
  READS(f, "1/a=x 1/e= ", kit_everything(f, &t));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, equal(1, "a", "x"), equal(1, "e", ""), absent(1, "none"), absent(2, "a"),
                               put(1, "c", "z")));
  READS(f, "1/a=x 1/c=z 1/e= ", kit_everything(f, &t));
  EQUALS(f, 2, kit_look(f).sequence);
}

static void checks_look_at_what_was_before_their_batch(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "k", "v")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "new"), equal(1, "a", "x"), put(1, "n", "1"), absent(1, "n")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, equal(1, "a", "new")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, put(1, "m", "1"), equal(1, "m", "1")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, del(1, "a"), absent(1, "a")));
  ANSWERS(f, HEARTH_CONFLICT, SUBMIT(f, drop(2), absent(2, "k")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, drop(2), equal(2, "k", "v")));
  READS(f, "1/a=new 1/n=1 ", kit_everything(f, &t));
}

static void many_checks_in_one_batch(Fixture *f) {
  enum { COUNT_OF_KEYS = 200 };
  hearth_op ops[2 * COUNT_OF_KEYS];
  char names[2 * COUNT_OF_KEYS][8];
  for (unsigned i = 0; i < COUNT_OF_KEYS; i++) {
    (void)snprintf(names[i], sizeof names[i], "k%u", i);
    ops[i] = put(i % 5, names[i], names[i]);
  }
  ANSWERS(f, HEARTH_OK, kit_submit(f, ops, COUNT_OF_KEYS, 0));
  for (unsigned i = 0; i < COUNT_OF_KEYS; i++) {
    (void)snprintf(names[COUNT_OF_KEYS + i], sizeof names[i], "n%u", i);
    ops[i].kind = HEARTH_CHECK_EQUAL;
    ops[COUNT_OF_KEYS + i] = absent(i % 5, names[COUNT_OF_KEYS + i]);
  }
  ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 2 * COUNT_OF_KEYS, 0));
  EQUALS(f, 1, kit_look(f).sequence);
  for (unsigned i = 0; i < 2 * COUNT_OF_KEYS; i += 57) { /* each of them counts */
    hearth_op was = ops[i];
    ops[i] = i < COUNT_OF_KEYS ? equal(i % 5, names[i], "other") : absent(ops[0].table, names[0]);
    ANSWERS(f, HEARTH_CONFLICT, kit_submit(f, ops, 2 * COUNT_OF_KEYS, 0));
    ops[i] = was;
  }
  EQUALS(f, COUNT_OF_KEYS, kit_look(f).entries);
}

static void a_batch_that_fails_leaves_no_trace(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "b", "y")));
  for (int at = 0; at < 5; at++) { /* the check stands at each place */
    hearth_op ops[] = {put(1, "a", "other"), put(3, "c", "z"), del(2, "b"), drop(1), put(1, "d", "w")};
    ops[at] = absent(2, "b");
    ANSWERS(f, HEARTH_CONFLICT, kit_submit(f, ops, 5, 0));
    for (int again = 0; again < 2; again++) {
      READS(f, "1/a=x 2/b=y ", kit_everything(f, &t));
      EQUALS(f, 2, kit_look(f).entries);
      EQUALS(f, 4, kit_look(f).live_bytes);
      EQUALS(f, 1, kit_look(f).sequence);
      if (at == 4) kit_reopen(f);
    }
  }
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "new"))); /* and it is usable */
  READS(f, "1/a=new 2/b=y ", kit_everything(f, &t));
}

static void wrong_batches_are_refused(Fixture *f) {
  Text t;
  static char key[HEARTH_MAX_KEY + 2];
  memset(key, 'k', sizeof key - 1);
  ANSWERS(f, HEARTH_TOOBIG, SUBMIT(f, put(1, "a", "x"), put(1, key, "x")));
  ANSWERS(f, HEARTH_TOOBIG, SUBMIT(f, put(1, "a", "x"), absent(1, key)));
  ANSWERS(f, HEARTH_INVALID, SUBMIT(f, put(1, "a", "x"), put(HEARTH_MAX_TABLE + 1, "a", "x")));
  ANSWERS(f, HEARTH_INVALID, SUBMIT(f, put(1, "a", "x"), drop(UINT64_MAX)));
  ANSWERS(f, HEARTH_INVALID, SUBMIT(f, put(1, "a", "x"), {(hearth_op_kind)9, 1, "a", 1, "x", 1}));
  ANSWERS(f, HEARTH_INVALID, SUBMIT(f, put(1, "a", "x"), {(hearth_op_kind)0, 1, "a", 1, "x", 1}));
  hearth_op huge = put(1, "a", "x");
  huge.value_size = (size_t)HEARTH_MAX_VALUE + 1;
  ANSWERS(f, HEARTH_TOOBIG, kit_submit(f, &huge, 1, 0));
  hearth_op op = put(1, "a", "x");
  ANSWERS(f, HEARTH_INVALID, kit_submit(f, &op, 1, HEARTH_BATCH_ABANDON));
  ANSWERS(f, HEARTH_INVALID, kit_submit(f, NULL, 0, HEARTH_BATCH_ABANDON | HEARTH_BATCH_MORE));
  ANSWERS(f, HEARTH_INVALID, kit_submit(f, &op, 1, 0x80));
  ANSWERS(f, HEARTH_INVALID, kit_submit_at(f, &op, 1, 0, (hearth_durability)9, NULL));
  READS(f, "", kit_everything(f, &t));
  EQUALS(f, 0, kit_look(f).sequence);
  ANSWERS(f, HEARTH_OK, kit_submit(f, &op, 1, 0));
  READS(f, "1/a=x ", kit_everything(f, &t));
}

static void bytes_passed_in_are_borrowed(Fixture *f) {
  Text t;
  char key[] = "key", value[] = "value";
  for (int part = 0; part < 3; part++) {
    hearth_op ops[] = {{HEARTH_PUT, 1, key, 3, value, 5}, {HEARTH_PUT, 2, key, 3, value, 5}};
    key[2] = (char)('1' + part);
    ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 2, part < 2 ? HEARTH_BATCH_MORE : 0));
    memset(ops, 0x5a, sizeof ops);
    memset(key, 'X', 3);
    memset(value, 'Y', 5);
    memcpy(key, "ke", 2);
    memcpy(value, "value", 5);
  }
  READS(f, "1/ke1=value 1/ke2=value 1/ke3=value 2/ke1=value 2/ke2=value 2/ke3=value ", kit_everything(f, &t));
}

const Case kit_batch_cases[] = {
    {"batches_are_numbered_by_one", "Batches are numbered by one, from 1.", batches_are_numbered_by_one, 0},
    {"a_batch_that_fails_has_no_number", "A batch that fails takes no number.", a_batch_that_fails_has_no_number, 0},
    {"a_batch_without_changes_has_no_number",
     "A batch that changes nothing has no number: submit gives that of the last one.",
     a_batch_without_changes_has_no_number, 0},
    {"checks_decide", "CONFLICT unless a value is equal, or a key absent, as a check says.", checks_decide, 0},
    {"checks_look_at_what_was_before_their_batch", "A check is judged on what was there before its batch.",
     checks_look_at_what_was_before_their_batch, 0},
    {"many_checks_in_one_batch", "Every check of a batch counts, and checks alone change nothing.",
     many_checks_in_one_batch, 0},
    {"a_batch_that_fails_leaves_no_trace", "A batch happens whole or not at all, its checks included.",
     a_batch_that_fails_leaves_no_trace, 0},
    {"wrong_batches_are_refused",
     "TOOBIG for a key or a value beyond the limits, INVALID for a table beyond 2^53, an unknown kind, flag or level.",
     wrong_batches_are_refused, 0},
    {"bytes_passed_in_are_borrowed", "Bytes passed in are borrowed until the call returns, and no longer.",
     bytes_passed_in_are_borrowed, 0},
    {NULL, NULL, NULL, 0},
};
