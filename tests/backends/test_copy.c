/* Copies between any two stores: what arrives, what is refused, what goes on where it was stopped. */
#include "copying.h"
#include "diskstore.h"

typedef struct Fixture {
  CopySide source;
  Copying copying;
  DiskStore disk;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->source = copying_memory(NULL);
  f->copying = (Copying){.from = f->source, .to = copying_memory(NULL), .steps = -1};
  diskstore_init(&f->disk);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  copying_close(&f->source);
  if (f->copying.to.backend != &hearth_file_backend) copying_close(&f->copying.to);
  diskstore_done(&f->disk);
  free(f);
  return 0;
}

/* What the other cases copy: something in several tables. */
static void fill(const CopySide *side) {
  copying_put_metadata(side, STORE_FORMAT_VERSION);
  copying_put(side, 0, "an entry of table 0 that is there before the metadata", "1");
  copying_put(side, 0, "o", "");
  for (char c = 'a'; c <= 'z'; c++) {
    char key[] = {c, '\0'};
    copying_put(side, 3, key, "a value of some length");
    copying_put(side, 4, key, c == 'k' ? "" : "v");
  }
}

static void empty_memory(CopySide *side) {
  copying_close(side);
  *side = copying_memory(NULL);
}

/* --------------------------------------------------------------- contents */

static void everything_arrives(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  fill(&f->source);
  copying_succeeds(c);
  assert_true(copying_same(&f->source, &c->to));
  assert_int_equal(c->copy.mode, COPY_NEW);
  assert_int_equal(c->copy.from_totals.tables, 3);
  assert_int_equal(c->copy.from_totals.entries, 3 + 52);
  assert_int_equal(c->copy.written, 2 + 52); /* and the metadata */
  assert_true(totals_equal(&c->copy.from_totals, &c->copy.to_totals));
  assert_false(copying_is_unfinished(&c->to));
}

/* The digest is what docs and scripts compare: it is the same on every machine, and in every version. */
static void digests_stay_what_they_are(void **state) {
  Fixture *f = *state;
  char text[TOTALS_TEXT];
  copying_put(&f->source, 0, "o", "");
  copying_put(&f->source, 3, "a key", "a value");
  copying_put(&f->source, HEARTH_MAX_TABLE, "", "value of an empty key");
  copying_succeeds(&f->copying);
  totals_digest_text(&f->copying.copy.to_totals, text);
  assert_string_equal(text, "48736e3d4d789139fa1567ecae3a62d0");
}

static void keys_and_values_at_their_limits(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  static unsigned char long_key[HEARTH_MAX_KEY], large[10000];
  memset(long_key, 0xff, sizeof long_key);
  memset(large, 'x', sizeof large);
  copying_put(&f->source, 1, "", "");
  copying_put(&f->source, HEARTH_MAX_TABLE, "", "last table");
  for (int last = 0xfd; last <= 0xff; last++)
    for (int first = 'a'; first <= 0xff; first += 0xff - 'a') {
      long_key[0] = (unsigned char)first;
      long_key[HEARTH_MAX_KEY - 1] = (unsigned char)last;
      copying_op(&f->source, &(hearth_op){HEARTH_PUT, 1, long_key, HEARTH_MAX_KEY, large, (size_t)last * 30});
    }
  copying_op(&f->source, &(hearth_op){HEARTH_PUT, 2, "large", 5, large, sizeof large});
  copying_succeeds(c);
  assert_true(copying_same(&f->source, &c->to));
}

static void nothing_and_little(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  copying_succeeds(c); /* of an empty store an empty store */
  assert_true(copying_same(&f->source, &c->to));
  assert_int_equal(c->copy.from_totals.entries, 0);
  assert_int_equal(c->copy.from_totals.tables, 0);
  copying_put_metadata(&f->source, STORE_FORMAT_VERSION); /* and the metadata alone */
  empty_memory(&c->to);
  copying_succeeds(c);
  assert_true(copying_same(&f->source, &c->to));
  assert_int_equal(c->copy.from_totals.entries, 1);
  assert_int_equal(c->copy.written, 0);
}

static hearth_status reopen_disk(Copying *c) {
  Fixture *f = (Fixture *)(void *)((char *)c - offsetof(Fixture, copying));
  assert_int_equal(diskstore_close(&f->disk), HEARTH_OK);
  hearth_status status = diskstore_open(&f->disk, HEARTH_OPEN_NO_CREATE);
  c->to.store = f->disk.store;
  return status;
}

static void to_a_file_and_back(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  CopySide back = c->to;
  fill(&f->source);
  assert_int_equal(diskstore_open(&f->disk, HEARTH_OPEN_EXCLUSIVE), HEARTH_OK);
  c->to = (CopySide){&hearth_file_backend, f->disk.store};
  c->reopen = reopen_disk;
  copying_succeeds(c);
  assert_true(copying_same(&f->source, &c->to));
  assert_int_equal(diskstore_stat(&f->disk).sequence, diskstore_stat(&f->disk).durable);
  assert_int_equal(diskstore_close(&f->disk), HEARTH_OK);
  assert_int_equal(diskstore_open(&f->disk, HEARTH_OPEN_READONLY), HEARTH_OK);
  Copying again = {.from = {&hearth_file_backend, f->disk.store}, .to = back, .steps = -1};
  copying_succeeds(&again);
  assert_true(copying_same(&f->source, &back));
  assert_true(totals_equal(&c->copy.from_totals, &again.copy.to_totals));
  c->to = back;
}

/* -------------------------------------------------------------- half-way */

static void never_a_store_before_its_end(Copying *c) {
  if (c->copy.finishing) return;
  assert_true(copying_is_unfinished(&c->to));
}

static void an_unfinished_copy_is_none(void **state) {
  Fixture *f = *state;
  fill(&f->source);
  f->copying.between = never_a_store_before_its_end;
  copying_succeeds(&f->copying);
  assert_false(copying_is_unfinished(&f->copying.to));
}

/* Left after each number of steps; what was written is not written again. */
static void goes_on_where_it_was_left(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  fill(&f->source);
  long steps = 0;
  for (;; steps++) {
    empty_memory(&c->to);
    c->steps = steps;
    if (copying_run(c) == HEARTH_OK) break;
    uint64_t written = c->copy.written;
    assert_true(copying_is_unfinished(&c->to));
    c->steps = -1;
    copying_succeeds(c);
    assert_int_equal(c->copy.mode, COPY_RESUMED);
    assert_false(c->copy.moved_on);
    assert_int_equal(c->copy.written + written, 2 + 52);
    assert_true(copying_same(&f->source, &c->to));
  }
  assert_true(steps > 10);
}

static void the_source_moves_on_between(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  for (size_t round = 0; round < rounds(1500); round++) {
    uint64_t seed = round;
    empty_memory(&c->to);
    copying_put_metadata(&f->source, STORE_FORMAT_VERSION);
    copying_change(&f->source, &seed, 30);
    for (int part = 0; part < 3; part++) {
      c->steps = (long)copying_random(&seed, 40);
      hearth_status status = copying_run(c);
      if (status == HEARTH_OK) break;
      assert_int_equal(status, HEARTH_PENDING);
      assert_true(copying_is_unfinished(&c->to));
      copying_change(&f->source, &seed, 10);
    }
    if (copying_is_unfinished(&c->to)) {
      c->steps = -1;
      copying_succeeds(c);
      assert_int_equal(c->copy.mode, COPY_RESUMED);
      assert_true(c->copy.moved_on);
      assert_true(copying_same(&f->source, &c->to));
    }
  }
}

/* More to be deleted between two keys than a batch holds. */
static void much_has_to_go(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  copying_put(&f->source, 5, "a", "first");
  copying_put(&f->source, 5, "z", "last");
  c->steps = 0;
  assert_int_equal(copying_run(c), HEARTH_PENDING);
  for (int i = 0; i < 1000; i++) {
    char key[40];
    (void)snprintf(key, sizeof key, "key %d", i);
    copying_put(&c->to, (uint64_t)i % 2 * 5, key, "v");
    copying_put(&c->to, (uint64_t)i + 10, key, "v");
  }
  c->steps = -1;
  copying_succeeds(c);
  assert_true(copying_same(&f->source, &c->to));
  assert_int_equal(c->copy.written, 2);
}

/* ----------------------------------------------------------------- refused */

static void fails(Copying *c, hearth_status status, const char *text) {
  assert_int_equal(copying_run(c), status);
  if (strstr(c->err.message, text) == NULL) fail_msg("%s", c->err.message);
}

static void what_is_no_source(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  copying_put_metadata(&f->source, STORE_FORMAT_VERSION + 1);
  fails(c, HEARTH_VERSION, "format 2 is needed");
  assert_true(c->copy.at_source);
  copying_put(&f->source, 0, "m", "\1");
  fails(c, HEARTH_DAMAGED, "damaged at byte");
  assert_true(c->copy.at_source);
  Copying other = {.from = c->to, .steps = 0}; /* makes the source an unfinished copy */
  empty_memory(&f->source);
  other.to = c->from = f->source;
  assert_int_equal(copying_run(&other), HEARTH_PENDING);
  fails(c, HEARTH_NOTSTORE, "an unfinished copy of " SOURCE_NAME);
  assert_true(c->copy.at_source);
  Buffer contents;
  copying_contents(&c->to, &contents);
  assert_int_equal(contents.size, 0); /* the destination was not touched */
  buffer_free(&contents);
}

static void what_is_no_destination(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  fill(&f->source);
  copying_put(&c->to, 9, "key", "value");
  fails(c, HEARTH_EXISTS, "is not empty");
  assert_false(c->copy.at_source);
  copying_put_metadata(&c->to, STORE_FORMAT_VERSION + 1);
  fails(c, HEARTH_EXISTS, "is not empty");
  copying_put(&c->to, 0, "m", "no metadata");
  fails(c, HEARTH_EXISTS, "is not empty");
  empty_memory(&c->to);
  c->steps = 3;
  assert_int_equal(copying_run(c), HEARTH_PENDING);
  c->name = "file:another one";
  c->steps = -1;
  fails(c, HEARTH_EXISTS, "an unfinished copy of another store, " SOURCE_NAME);
  c->replace = true;
  copying_succeeds(c);
  assert_true(copying_same(&f->source, &c->to));
}

static void long_names_of_sources(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  char name[2000];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  c->name = name;
  fill(&f->source);
  c->steps = 3;
  assert_int_equal(copying_run(c), HEARTH_PENDING);
  c->steps = -1;
  copying_succeeds(c);
  assert_int_equal(c->copy.mode, COPY_RESUMED);
  empty_memory(&c->to);
  c->name = ""; /* still a mark */
  c->steps = 3;
  assert_int_equal(copying_run(c), HEARTH_PENDING);
  assert_int_equal(copy_check_finished(&c->to, NULL), HEARTH_NOTSTORE);
}

/* ---------------------------------------------------------------- replace */

static Buffer before;

static void what_it_was_or_what_it_shall_be(Copying *c) {
  Buffer now;
  copying_contents(&c->to, &now);
  bool old = now.size == before.size && memcmp(now.data, before.data, now.size) == 0;
  if (!old) assert_true(copying_same(&c->from, &c->to));
  buffer_free(&now);
}

static void replaced_at_once(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  c->replace = true;
  c->between = what_it_was_or_what_it_shall_be;
  for (size_t round = 0; round < rounds(500); round++) {
    uint64_t seed = round;
    empty_memory(&c->to);
    if (round % 3 > 0) copying_put_metadata(&f->source, STORE_FORMAT_VERSION);
    if (round % 2 > 0) copying_put_metadata(&c->to, STORE_FORMAT_VERSION + round % 3);
    copying_change(&f->source, &seed, 10);
    copying_change(&c->to, &seed, 30);
    copying_put(&c->to, 2, "x", "something");
    copying_contents(&c->to, &before);
    c->steps = (long)copying_random(&seed, 30);
    if (copying_run(c) != HEARTH_OK) {
      c->steps = -1;
      copying_succeeds(c);
    }
    assert_int_equal(c->copy.mode, COPY_REPLACED);
    assert_true(copying_same(&f->source, &c->to));
    buffer_free(&before);
  }
}

/* ------------------------------------------------------------------ check */

static int meddling; /* which change between transfer and check */

static hearth_status meddle(Copying *c) {
  static const hearth_op changes[] = {
      {HEARTH_PUT, 3, "k", 1, "a value of sone length", 22}, {HEARTH_DEL, 3, "k", 1, NULL, 0},
      {HEARTH_PUT, 3, "k2", 2, "", 0},                       {HEARTH_PUT, 4, "k", 1, "v", 1},
      {HEARTH_DROP, 4, NULL, 0, NULL, 0},                    {HEARTH_PUT, 5, "k", 1, "", 0},
      {HEARTH_PUT, 0, "o", 1, "x", 1},                       {HEARTH_DEL, 4, "k", 1, NULL, 0},
  };
  if (meddling == sizeof changes / sizeof *changes) { /* an entry that changes its table, an empty one */
    copying_op(&c->to, &(hearth_op){HEARTH_DEL, 4, "k", 1, NULL, 0});
    copying_op(&c->to, &(hearth_op){HEARTH_PUT, 3, "K", 1, NULL, 0});
    return HEARTH_OK;
  }
  copying_op(&c->to, &changes[meddling]);
  return HEARTH_OK;
}

/* What is not what the source has is found, and mended by the next copy. */
static void differences_are_found(void **state) {
  Fixture *f = *state;
  Copying *c = &f->copying;
  fill(&f->source);
  for (meddling = 0; meddling <= 8; meddling++) {
    empty_memory(&c->to);
    c->reopen = meddle;
    fails(c, HEARTH_DAMAGED, "the copy is not what the source is: 3 tables, 55 entries");
    assert_false(c->copy.at_source);
    assert_true(copying_is_unfinished(&c->to));
    c->reopen = NULL;
    copying_succeeds(c);
    assert_true(copying_same(&f->source, &c->to));
  }
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(everything_arrives),
      CHECK(digests_stay_what_they_are),
      CHECK(keys_and_values_at_their_limits),
      CHECK(nothing_and_little),
      CHECK(to_a_file_and_back),
      CHECK(an_unfinished_copy_is_none),
      CHECK(goes_on_where_it_was_left),
      CHECK(the_source_moves_on_between),
      CHECK(much_has_to_go),
      CHECK(what_is_no_source),
      CHECK(what_is_no_destination),
      CHECK(long_names_of_sources),
      CHECK(replaced_at_once),
      CHECK(differences_are_found),
  };
  return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
