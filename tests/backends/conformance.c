#include "conformance.h"

#include "buffer.h"
#include "testing.h"

static const ConformanceSubject *subject; /* cmocka's group setup has no argument of its own */

typedef struct Fixture {
  const char *location;
  hearth_backend_store *store;
  Counting memory;
} Fixture;

static hearth_backend_config configure(Fixture *f, unsigned flags) {
  hearth_backend_config config = {.size = sizeof config, .location = f->location, .flags = flags,
                                  .allocator = counting_allocator(&f->memory)};
  if (subject->environment != NULL) config.environment = subject->environment(subject->ud);
  return config;
}

static void open_store(Fixture *f) {
  hearth_error err;
  hearth_backend_config config = configure(f, 0);
  if (subject->backend->open(&config, &f->store, &err) != HEARTH_OK) fail_msg("open: %s", err.message);
}

static void close_store(Fixture *f) {
  hearth_error err;
  if (subject->backend->close(f->store, &err) != HEARTH_OK) fail_msg("close: %s", err.message);
  f->store = NULL;
  assert_int_equal(f->memory.bytes, 0);
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->memory.fail_at = -1;
  f->location = subject->arrive != NULL ? subject->arrive(subject->ud) : NULL;
  open_store(f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  if (f->store != NULL) subject->backend->close(f->store, NULL);
  if (subject->leave != NULL) subject->leave(subject->ud, f->location);
  free(f);
  return 0;
}

/* ------------------------------------------------------------- helpers */

static hearth_op put(uint64_t table, const char *key, const char *value) {
  return (hearth_op){HEARTH_PUT, table, key, strlen(key), value, strlen(value)};
}

static hearth_op del(uint64_t table, const char *key) {
  return (hearth_op){HEARTH_DEL, table, key, strlen(key), NULL, 0};
}

static hearth_op drop(uint64_t table) {
  return (hearth_op){HEARTH_DROP, table, NULL, 0, NULL, 0};
}

static hearth_op equal(uint64_t table, const char *key, const char *value) {
  return (hearth_op){HEARTH_CHECK_EQUAL, table, key, strlen(key), value, strlen(value)};
}

static hearth_op absent(uint64_t table, const char *key) {
  return (hearth_op){HEARTH_CHECK_ABSENT, table, key, strlen(key), NULL, 0};
}

/* What the status of a call becomes when the subject is asynchronous and the test waits. */
static hearth_status settled(Fixture *f, hearth_status status) {
  if (status < 0 || subject->settle == NULL) return status;
  assert_int_equal(subject->backend->poll(f->store, NULL), status);
  subject->settle(subject->ud);
  return subject->backend->poll(f->store, NULL);
}

static hearth_status submit_at(Fixture *f, const hearth_op *ops, size_t count, unsigned flags, hearth_durability level,
                               uint64_t *sequence) {
  return settled(f, subject->backend->submit(f->store, ops, count, flags, level, sequence, NULL));
}

static hearth_status submit(Fixture *f, const hearth_op *ops, size_t count, unsigned flags) {
  return submit_at(f, ops, count, flags, HEARTH_DEFAULT_DURABILITY, NULL);
}

static hearth_status compact(Fixture *f, unsigned keep) {
  return settled(f, subject->backend->compact(f->store, keep, NULL));
}

#define SUBMIT(f, ...) \
  submit(f, (hearth_op[]){__VA_ARGS__}, sizeof((hearth_op[]){__VA_ARGS__}) / sizeof(hearth_op), 0)
#define SUBMIT_PART(f, ...) \
  submit(f, (hearth_op[]){__VA_ARGS__}, sizeof((hearth_op[]){__VA_ARGS__}) / sizeof(hearth_op), HEARTH_BATCH_MORE)

/* Everything found, as text: "1/a=x 2/b=y ". */
typedef struct Text {
  char text[4096];
  int stop_after; /* > 0: stop with 7 after so many */
} Text;

static int write_down(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Text *t = ud;
  size_t n = strlen(t->text);
  snprintf(t->text + n, sizeof t->text - n, "%llu/%.*s=%.*s ", (unsigned long long)table, (int)key_size,
           key_size > 0 ? (const char *)key : "", (int)value_size, value_size > 0 ? (const char *)value : "");
  return t->stop_after > 0 && --t->stop_after == 0 ? 7 : 0;
}

static const char *get(Fixture *f, uint64_t table, const char *key, Text *t) {
  memset(t, 0, sizeof *t);
  hearth_error err;
  hearth_status status = subject->backend->get(f->store, table, key, strlen(key), write_down, t, &err);
  assert_int_equal(status, err.code);
  if (status == HEARTH_NOTFOUND) return "nothing";
  if (status != HEARTH_OK) fail_msg("get: %s", err.message);
  return t->text;
}

static const char *range(Fixture *f, uint64_t table, const char *from, const char *to, bool reverse, Text *t) {
  memset(t, 0, sizeof *t);
  int result = -1;
  hearth_error err;
  hearth_status status = subject->backend->scan(f->store, table, from, from != NULL ? strlen(from) : 0, to,
                                                to != NULL ? strlen(to) : 0, reverse, write_down, t, &result, &err);
  if (status != HEARTH_OK) fail_msg("scan: %s", err.message);
  assert_int_equal(result, 0);
  return t->text;
}

static int scan_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  uint64_t *tables = ud;
  assert_null(key);
  assert_null(value);
  assert_int_equal(key_size + value_size, 0);
  tables[++tables[0]] = table;
  return 0;
}

static const char *everything(Fixture *f, Text *t) {
  uint64_t tables[64] = {0};
  int result = -1;
  Text one;
  memset(t, 0, sizeof *t);
  assert_int_equal(subject->backend->tables(f->store, scan_table, tables, &result, NULL), HEARTH_OK);
  assert_int_equal(result, 0);
  for (uint64_t i = 1; i <= tables[0]; i++) strcat(t->text, range(f, tables[i], NULL, NULL, false, &one));
  return t->text;
}

static hearth_backend_stat look(Fixture *f) {
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(subject->backend->stat(f->store, &stat, NULL), HEARTH_OK);
  return stat;
}

static void reopen(Fixture *f) {
  if (!subject->persistent) return;
  close_store(f);
  open_store(f);
}

/* --------------------------------------------------------------- tests */

static void a_new_store_is_empty(void **state) {
  Fixture *f = *state;
  Text t;
  assert_string_equal(everything(f, &t), "");
  assert_string_equal(get(f, 1, "a", &t), "nothing");
  hearth_backend_stat stat = look(f);
  assert_int_equal(stat.sequence, 0);
  assert_int_equal(stat.entries, 0);
  assert_int_equal(stat.live_bytes, 0);
}

static void puts_are_read_back_in_order(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(2, "b", "1"), put(1, "ab", "2"), put(1, "a", "3"), put(1, "b", ""),
                          put(HEARTH_MAX_TABLE, "", "4"), put(1, "a\xff", "5")), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/a=3 1/ab=2 1/a\xff=5 1/b= 2/b=1 9007199254740992/=4 ");
    assert_string_equal(get(f, 1, "a", &t), "1/a=3 ");
    assert_string_equal(get(f, 1, "b", &t), "1/b= ");
    assert_string_equal(get(f, HEARTH_MAX_TABLE, "", &t), "9007199254740992/=4 ");
    assert_string_equal(get(f, 2, "a", &t), "nothing");
    reopen(f);
  }
}

static void the_last_operation_on_a_key_counts(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(1, "a", "old"), put(1, "a", "new"), put(1, "b", "x"), del(1, "b"), del(1, "c"),
                          put(2, "a", "x"), drop(2), put(2, "b", "y"), put(3, "a", "z"), drop(3), drop(4)), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/a=new 2/b=y ");
    reopen(f);
  }
  assert_int_equal(SUBMIT(f, del(1, "a"), put(2, "b", "yy")), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "2/b=yy ");
    hearth_backend_stat stat = look(f);
    assert_int_equal(stat.entries, 1);
    assert_int_equal(stat.live_bytes, 3);
    assert_int_equal(stat.sequence, 2);
    reopen(f);
  }
}

static void a_drop_takes_every_entry(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(2, "a", "x"), put(2, "b", "y"), put(2, "c", "z"), put(3, "a", "x")),
                   HEARTH_OK);
  assert_int_equal(SUBMIT(f, drop(2)), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/a=x 3/a=x ");
    reopen(f);
  }
}

static void scans_keep_their_bounds(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(1, "z", "0"), put(2, "a", "1"), put(2, "b", "2"), put(2, "c", "3"), put(3, "a", "4")),
                   HEARTH_OK);
  assert_string_equal(range(f, 2, NULL, NULL, false, &t), "2/a=1 2/b=2 2/c=3 ");
  assert_string_equal(range(f, 2, NULL, NULL, true, &t), "2/c=3 2/b=2 2/a=1 ");
  assert_string_equal(range(f, 2, "b", NULL, false, &t), "2/b=2 2/c=3 ");
  assert_string_equal(range(f, 2, "aa", "c", false, &t), "2/b=2 ");
  assert_string_equal(range(f, 2, "a", "c", true, &t), "2/b=2 2/a=1 ");
  assert_string_equal(range(f, 2, NULL, "b", true, &t), "2/a=1 ");
  assert_string_equal(range(f, 2, "c", "a", false, &t), "");
  assert_string_equal(range(f, 2, "b", "b", true, &t), "");
  assert_string_equal(range(f, 9, NULL, NULL, true, &t), "");
}

static void a_callback_ends_a_scan(void **state) {
  Fixture *f = *state;
  Text t = {.stop_after = 2};
  int result = 0;
  assert_int_equal(SUBMIT(f, put(1, "a", "1"), put(1, "b", "2"), put(1, "c", "3")), HEARTH_OK);
  assert_int_equal(subject->backend->scan(f->store, 1, NULL, 0, NULL, 0, false, write_down, &t, &result, NULL),
                   HEARTH_OK);
  assert_int_equal(result, 7);
  assert_string_equal(t.text, "1/a=1 1/b=2 ");
}

static void batches_are_numbered_by_one(void **state) {
  Fixture *f = *state;
  for (uint64_t i = 1; i <= 5; i++) {
    uint64_t sequence = 0;
    hearth_op op = put(1, "a", "x");
    assert_int_equal(submit_at(f, &op, 1, 0, HEARTH_VISIBLE, &sequence), HEARTH_OK);
    assert_int_equal(sequence, i);
    assert_int_equal(look(f).sequence, i);
    reopen(f);
    assert_int_equal(look(f).sequence, i);
  }
}

static void checks_decide(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(1, "e", "")), HEARTH_OK);
  assert_int_equal(SUBMIT(f, put(1, "b", "1"), equal(1, "a", "y")), HEARTH_CONFLICT);
  assert_int_equal(SUBMIT(f, put(1, "b", "1"), equal(1, "a", "xx")), HEARTH_CONFLICT);
  assert_int_equal(SUBMIT(f, put(1, "b", "1"), equal(1, "none", "x")), HEARTH_CONFLICT);
  assert_int_equal(SUBMIT(f, put(1, "b", "1"), equal(1, "none", "")), HEARTH_CONFLICT);
  assert_int_equal(SUBMIT(f, put(1, "b", "1"), absent(1, "a")), HEARTH_CONFLICT);
  assert_string_equal(everything(f, &t), "1/a=x 1/e= ");
  /* a check looks at what was there before its batch */
  assert_int_equal(SUBMIT(f, put(1, "a", "new"), equal(1, "a", "x"), equal(1, "e", ""), put(1, "n", "1"), absent(1, "n")),
                   HEARTH_OK);
  assert_int_equal(SUBMIT(f, equal(1, "a", "new")), HEARTH_OK);
  assert_string_equal(everything(f, &t), "1/a=new 1/e= 1/n=1 ");
  assert_int_equal(look(f).sequence, 2);
}

static void parts_become_one_batch(void **state) {
  Fixture *f = *state;
  Text t;
  uint64_t sequence = 99;
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(2, "k", "v")), HEARTH_OK);
  assert_int_equal(SUBMIT_PART(f, put(1, "b", "y"), del(1, "a")), HEARTH_OK);
  assert_int_equal(SUBMIT_PART(f, drop(2), equal(1, "a", "x")), HEARTH_OK);
  assert_string_equal(everything(f, &t), "1/a=x 2/k=v ");
  assert_int_equal(look(f).sequence, 1);
  hearth_op last = put(1, "c", "z");
  assert_int_equal(submit_at(f, &last, 1, 0, HEARTH_VISIBLE, &sequence), HEARTH_OK);
  assert_int_equal(sequence, 2);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/b=y 1/c=z ");
    reopen(f);
  }
  /* the last part may be empty */
  assert_int_equal(SUBMIT_PART(f, put(1, "d", "1")), HEARTH_OK);
  assert_int_equal(submit(f, NULL, 0, 0), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/b=y 1/c=z 1/d=1 ");
    reopen(f);
  }
}

static void parts_can_be_abandoned(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(1, "a", "x")), HEARTH_OK);
  assert_int_equal(SUBMIT_PART(f, put(1, "b", "y"), del(1, "a")), HEARTH_OK);
  assert_int_equal(compact(f, 0), HEARTH_BUSY);
  assert_int_equal(submit(f, NULL, 0, HEARTH_BATCH_ABANDON), HEARTH_OK);
  assert_int_equal(submit(f, NULL, 0, HEARTH_BATCH_ABANDON), HEARTH_OK);
  assert_int_equal(SUBMIT_PART(f, absent(1, "z")), HEARTH_OK);
  assert_int_equal(compact(f, 0), HEARTH_BUSY); /* checks alone are a part too */
  assert_int_equal(submit(f, NULL, 0, HEARTH_BATCH_ABANDON), HEARTH_OK);
  assert_int_equal(SUBMIT(f, put(1, "c", "z")), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/a=x 1/c=z ");
    reopen(f);
  }
  /* a part that fails takes the parts before it along */
  assert_int_equal(SUBMIT_PART(f, put(1, "d", "1")), HEARTH_OK);
  assert_int_equal(SUBMIT_PART(f, absent(1, "a")), HEARTH_CONFLICT);
  assert_int_equal(SUBMIT(f, put(1, "e", "2")), HEARTH_OK);
  /* parts without their last are ignored */
  assert_int_equal(SUBMIT_PART(f, put(1, "f", "3")), HEARTH_OK);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(everything(f, &t), "1/a=x 1/c=z 1/e=2 ");
    reopen(f);
  }
}

static void wrong_batches_are_refused(void **state) {
  Fixture *f = *state;
  Text t;
  static char key[HEARTH_MAX_KEY + 2];
  memset(key, 'k', sizeof key - 1);
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(1, key, "x")), HEARTH_TOOBIG);
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(HEARTH_MAX_TABLE + 1, "a", "x")), HEARTH_INVALID);
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), {(hearth_op_kind)9, 1, "a", 1, "x", 1}), HEARTH_INVALID);
  hearth_op huge = put(1, "a", "x");
  huge.value_size = (size_t)HEARTH_MAX_VALUE + 1;
  assert_int_equal(submit(f, &huge, 1, 0), HEARTH_TOOBIG);
  hearth_op op = put(1, "a", "x");
  assert_int_equal(submit(f, &op, 1, HEARTH_BATCH_ABANDON), HEARTH_INVALID);
  assert_int_equal(submit(f, &op, 1, 0x80), HEARTH_INVALID);
  assert_int_equal(submit_at(f, &op, 1, 0, (hearth_durability)9, NULL), HEARTH_INVALID);
  assert_string_equal(everything(f, &t), "");
  key[HEARTH_MAX_KEY] = '\0';
  assert_int_equal(SUBMIT(f, put(1, key, "x")), HEARTH_OK);
  assert_int_equal(look(f).entries, 1);
}

static void a_batch_without_changes_has_no_number(void **state) {
  Fixture *f = *state;
  assert_int_equal(submit(f, NULL, 0, 0), HEARTH_OK);
  assert_int_equal(SUBMIT(f, absent(1, "a")), HEARTH_OK);
  assert_int_equal(look(f).sequence, 0);
}

static void levels_beyond_the_backend_are_unsupported(void **state) {
  Fixture *f = *state;
  hearth_op op = put(1, "a", "x");
  for (int level = HEARTH_VISIBLE; level <= HEARTH_DURABLE; level++) {
    hearth_status expected = level <= (int)subject->backend->max_durability ? HEARTH_OK : HEARTH_UNSUPPORTED;
    assert_int_equal(submit_at(f, &op, 1, 0, (hearth_durability)level, NULL), expected);
    assert_int_equal(settled(f, subject->backend->barrier(f->store, (hearth_durability)level, NULL)), expected);
  }
  assert_int_equal(subject->backend->poll(f->store, NULL), HEARTH_OK);
}

static void compaction_keeps_everything(void **state) {
  Fixture *f = *state;
  Text t;
  for (unsigned keep = 0; keep < 7; keep++) {
    assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(1, "b", "y")), HEARTH_OK);
    assert_int_equal(SUBMIT(f, put(1, "a", "xx"), del(1, "b"), put(2, "c", "z")), HEARTH_OK);
    uint64_t sequence = look(f).sequence;
    bool kept = keep > 0 && subject->keeps_no_batches;
    assert_int_equal(compact(f, keep), kept ? HEARTH_UNSUPPORTED : HEARTH_OK);
    for (int i = 0; i < 2; i++) {
      assert_string_equal(everything(f, &t), "1/a=xx 2/c=z ");
      assert_int_equal(look(f).sequence, sequence);
      assert_int_equal(look(f).live_bytes, 5);
      reopen(f);
    }
  }
}

static void values_of_many_sizes(void **state) {
  Fixture *f = *state;
  static unsigned char big[3 << 20];
  for (size_t i = 0; i < sizeof big; i++) big[i] = (unsigned char)(i * 131 + i / 255);
  const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 16385, 1 << 20, sizeof big};
  hearth_op ops[9];
  char keys[9][2];
  for (unsigned i = 0; i < 9; i++) {
    keys[i][0] = (char)('a' + (int)i);
    ops[i] = (hearth_op){HEARTH_PUT, 1, keys[i], 1, big, sizes[i]};
  }
  assert_int_equal(submit(f, ops, 9, 0), HEARTH_OK);
  for (int again = 0; again < 2; again++) {
    for (unsigned i = 0; i < 9; i++) {
      hearth_op check = ops[i];
      check.kind = HEARTH_CHECK_EQUAL;
      assert_int_equal(submit(f, &check, 1, 0), HEARTH_OK);
    }
    reopen(f);
  }
}

static int get_another(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  Fixture *f = ud;
  Text t;
  char name[8];
  unsigned char first = *(const unsigned char *)value;
  (void)table;
  (void)key;
  (void)key_size;
  for (unsigned i = 0; i < 600; i++) {
    snprintf(name, sizeof name, "%u", i);
    (void)get(f, 1, name, &t);
  }
  assert_int_equal(value_size, 100);
  assert_int_equal(*(const unsigned char *)value, first);
  return 0;
}

static void a_callback_of_get_may_get(void **state) {
  Fixture *f = *state;
  char name[8], value[101];
  for (unsigned i = 0; i < 600; i++) {
    snprintf(name, sizeof name, "%u", i);
    snprintf(value, sizeof value, "%0100u", i);
    value[0] = (char)(i & 127);
    hearth_op op = {HEARTH_PUT, 1, name, strlen(name), value, 100};
    assert_int_equal(submit_at(f, &op, 1, 0, HEARTH_VISIBLE, NULL), HEARTH_OK);
  }
  for (unsigned i = 0; i < 600; i += 50) {
    snprintf(name, sizeof name, "%u", i);
    assert_int_equal(subject->backend->get(f->store, 1, name, strlen(name), get_another, f, NULL), HEARTH_OK);
    assert_int_equal(subject->backend->get(f->store, 1, name, strlen(name), get_another, f, NULL), HEARTH_OK);
  }
}

/* Every allocation of every call fails once; nothing changes, and then it works. */
static void failed_allocations_change_nothing(void **state) {
  Fixture *f = *state;
  Text t;
  assert_int_equal(SUBMIT(f, put(1, "a", "x"), put(2, "b", "y")), HEARTH_OK);
  long failures = 0;
  for (int parts = 0; parts < 2; parts++)
    for (long n = 0;; n++) {
      f->memory.fail_at = f->memory.calls + n;
      long before = f->memory.calls;
      hearth_status status = HEARTH_OK;
      if (parts) status = SUBMIT_PART(f, put(1, "a", "one"), put(3, "k", "v"));
      if (status == HEARTH_OK) status = SUBMIT(f, put(1, "a", "two"), drop(2), del(1, "b"), put(1, "c", "z"));
      f->memory.fail_at = -1;
      if (status == HEARTH_OK && f->memory.calls - before <= n) break;
      if (status == HEARTH_OK) fail_msg("%s", "an allocation failed and nobody noticed");
      assert_int_equal(status, HEARTH_NOMEM);
      failures++;
      assert_string_equal(everything(f, &t), parts ? "1/a=two 1/c=z " : "1/a=x 2/b=y ");
    }
  assert_true(failures >= 4);
  assert_string_equal(everything(f, &t), "1/a=two 1/c=z 3/k=v ");
  reopen(f);
  assert_string_equal(everything(f, &t), "1/a=two 1/c=z 3/k=v ");
  close_store(f);
  failures = 0;
  for (long n = 0;; n++) {
    hearth_error err;
    hearth_backend_config config = configure(f, 0);
    f->memory.fail_at = f->memory.calls + n;
    hearth_status status = subject->backend->open(&config, &f->store, &err);
    f->memory.fail_at = -1;
    if (status == HEARTH_OK) break;
    assert_int_equal(status, HEARTH_NOMEM);
    assert_int_equal(err.code, HEARTH_NOMEM);
    assert_null(f->store);
    assert_int_equal(f->memory.bytes, 0);
    failures++;
  }
  assert_true(failures >= 1);
}

static void readers_do_not_write(void **state) {
  Fixture *f = *state;
  Text t;
  hearth_op op = put(1, "b", "y");
  assert_int_equal(SUBMIT(f, put(1, "a", "x")), HEARTH_OK);
  close_store(f);
  hearth_backend_config config = configure(f, HEARTH_OPEN_READONLY);
  assert_int_equal(subject->backend->open(&config, &f->store, NULL), HEARTH_OK);
  assert_string_equal(everything(f, &t), subject->persistent ? "1/a=x " : "");
  assert_int_equal(submit(f, &op, 1, 0), HEARTH_READONLY);
  assert_int_equal(compact(f, 0), HEARTH_READONLY);
  assert_int_equal(subject->backend->refresh(f->store, NULL), HEARTH_OK);
}

static void flags_say_what_may_be_there(void **state) {
  Fixture *f = *state;
  if (subject->begins_with_a_batch) assert_int_equal(SUBMIT(f, put(1, "a", "x")), HEARTH_OK);
  close_store(f);
  hearth_error err;
  hearth_backend_config config = configure(f, HEARTH_OPEN_EXCLUSIVE);
  assert_int_equal(subject->backend->open(&config, &f->store, &err),
                   subject->persistent ? HEARTH_EXISTS : HEARTH_OK);
  if (f->store != NULL) close_store(f);
  config = configure(f, HEARTH_OPEN_NO_CREATE);
  assert_int_equal(subject->backend->open(&config, &f->store, &err),
                   subject->persistent ? HEARTH_OK : HEARTH_NOTFOUND);
}

static void callers_of_older_headers(void **state) {
  Fixture *f = *state;
  struct {
    hearth_backend_stat stat;
    unsigned char after;
  } old = {.stat = {.size = offsetof(hearth_backend_stat, entries), .entries = 77}};
  assert_int_equal(SUBMIT(f, put(1, "a", "x")), HEARTH_OK);
  assert_int_equal(subject->backend->stat(f->store, &old.stat, NULL), HEARTH_OK);
  assert_int_equal(old.stat.sequence, 1);
  assert_int_equal(old.stat.entries, 77);
}

int conformance_run(const ConformanceSubject *s) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(a_new_store_is_empty),
      CHECK(puts_are_read_back_in_order),
      CHECK(the_last_operation_on_a_key_counts),
      CHECK(a_drop_takes_every_entry),
      CHECK(scans_keep_their_bounds),
      CHECK(a_callback_ends_a_scan),
      CHECK(batches_are_numbered_by_one),
      CHECK(checks_decide),
      CHECK(parts_become_one_batch),
      CHECK(parts_can_be_abandoned),
      CHECK(wrong_batches_are_refused),
      CHECK(a_batch_without_changes_has_no_number),
      CHECK(levels_beyond_the_backend_are_unsupported),
      CHECK(compaction_keeps_everything),
      CHECK(values_of_many_sizes),
      CHECK(a_callback_of_get_may_get),
      CHECK(failed_allocations_change_nothing),
      CHECK(readers_do_not_write),
      CHECK(flags_say_what_may_be_there),
      CHECK(callers_of_older_headers),
  };
  subject = s;
  return cmocka_run_group_tests_name(s->name, tests, NULL, NULL);
}
