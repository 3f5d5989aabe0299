#include "differential.h"

#include <time.h>

#include "buffer.h"
#include "hearth_testkit_disk.h"
#include "export.h"
#include "random_steps.h"
#include "testing.h"

#ifndef LIVES /* fewer where opening a store takes time */
#define LIVES 30
#endif
#define STEPS 300
#define MOST_SUBJECTS 8

/* What a call answered, as bytes. */
typedef struct Answer {
  Buffer bytes;
  long stop_after;
} Answer;

typedef struct Subject {
  const hearth_testkit_subject *is;
  const char *location;
  hearth_backend_store *store;
  Counting memory;
} Subject;

typedef struct Life {
  Model model;
  Subject subjects[MOST_SUBJECTS];
  size_t count;
  uint64_t seed, random, chance; /* `chance` decides when what is pending settles; the operations do not depend on it */
  unsigned step;
} Life;

static const hearth_testkit_subject *const *given;
static size_t given_count;
static uint64_t first_seed;
static size_t compared;

#define ULL(n) ((unsigned long long)(n))

#define MUST(l, s, condition, ...)                                                                     \
  do {                                                                                                 \
    if (!(condition)) {                                                                                \
      print_error("%s, HEARTH_TEST_SEED=%llu, step %u: ", (s)->is->name, ULL((l)->seed), (l)->step);     \
      fail_msg(__VA_ARGS__);                                                                           \
    }                                                                                                  \
  } while (0)

/* ------------------------------------------------------------- answers */

static int note(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Answer *a = ud;
  const uint64_t numbers[] = {table, key_size, value_size};
  buffer_put(&a->bytes, numbers, sizeof numbers);
  buffer_put(&a->bytes, key, key_size);
  buffer_put(&a->bytes, value, value_size);
  return a->stop_after > 0 && --a->stop_after == 0 ? 7 : 0;
}

static const hearth_allocator *plain_memory(void) {
  static Counting counting = {.fail_at = -1};
  static hearth_allocator allocator;
  allocator = counting_allocator(&counting);
  return &allocator;
}

static void answer_init(Answer *a, long stop_after) {
  buffer_init(&a->bytes, plain_memory());
  a->stop_after = stop_after;
}

static void must_equal(Life *l, const Subject *s, Answer *expected, Answer *actual, const char *what) {
  MUST(l, s, !expected->bytes.failed && !actual->bytes.failed, "out of memory");
  MUST(l, s, expected->bytes.size == actual->bytes.size &&
                 (actual->bytes.size == 0 || memcmp(expected->bytes.data, actual->bytes.data, actual->bytes.size) == 0),
       "%s: %zu bytes expected, got %zu that are others", what, expected->bytes.size, actual->bytes.size);
  buffer_free(&expected->bytes);
  buffer_free(&actual->bytes);
  compared++;
}

static void must_scan(Life *l, Subject *s, hearth_backend_store *store, uint64_t table, const Step *step) {
  Answer expected, actual;
  hearth_error err;
  const bool all = step == NULL;
  const void *from = all || !step->has_from ? NULL : step->keys[0], *to = all || !step->has_to ? NULL : step->to;
  const size_t from_size = from == NULL ? 0 : step->ops[0].key_size, to_size = to == NULL ? 0 : step->to_size;
  const bool reverse = !all && step->reverse;
  int result = -1;
  answer_init(&expected, all ? -1 : step->stop_after);
  answer_init(&actual, all ? -1 : step->stop_after);
  int right = model_scan(&l->model, table, from, from_size, to, to_size, reverse, note, &expected);
  hearth_status status = s->is->backend->scan(store, table, from, from_size, to, to_size, reverse, note, &actual,
                                              &result, &err);
  MUST(l, s, status == HEARTH_OK, "scan: %s", err.message);
  MUST(l, s, result == right, "a scan answered %d instead of %d", result, right);
  must_equal(l, s, &expected, &actual, reverse ? "a reverse scan" : "a scan");
}

static void must_list(Life *l, Subject *s, hearth_backend_store *store, long stop_after) {
  Answer expected, actual;
  int result = -1;
  answer_init(&expected, stop_after);
  answer_init(&actual, stop_after);
  int right = model_tables(&l->model, note, &expected);
  MUST(l, s, s->is->backend->tables(store, note, &actual, &result, NULL) == HEARTH_OK, "tables failed");
  MUST(l, s, result == right, "tables answered %d instead of %d", result, right);
  must_equal(l, s, &expected, &actual, "the tables");
}

static void must_get(Life *l, Subject *s, const hearth_op *op) {
  Answer expected, actual;
  answer_init(&expected, -1);
  answer_init(&actual, -1);
  hearth_status right = model_get(&l->model, op->table, op->key, op->key_size, note, &expected);
  hearth_status status = s->is->backend->get(s->store, op->table, op->key, op->key_size, note, &actual, NULL);
  MUST(l, s, status == right, "get: %s instead of %s", hearth_status_name(status), hearth_status_name(right));
  must_equal(l, s, &expected, &actual, "get");
}

static void must_count(Life *l, Subject *s, hearth_backend_store *store, bool pending) {
  hearth_backend_stat stat = {.size = sizeof stat};
  MUST(l, s, s->is->backend->stat(store, &stat, NULL) == HEARTH_OK, "stat failed");
  MUST(l, s, stat.sequence == l->model.sequence || (pending && stat.sequence < l->model.sequence),
       "batch %llu instead of %llu", ULL(stat.sequence), ULL(l->model.sequence));
  MUST(l, s, stat.entries == l->model.now.count, "%llu entries instead of %zu", ULL(stat.entries), l->model.now.count);
  MUST(l, s, stat.live_bytes == model_bytes(&l->model), "%llu bytes live instead of %llu", ULL(stat.live_bytes),
       ULL(model_bytes(&l->model)));
  compared++;
}

static void must_hold_everything(Life *l, Subject *s, hearth_backend_store *store, bool pending) {
  must_count(l, s, store, pending);
  must_list(l, s, store, -1);
  for (size_t i = 0; i < l->model.now.count; i++)
    if (i == 0 || l->model.now.entries[i].table != l->model.now.entries[i - 1].table)
      must_scan(l, s, store, l->model.now.entries[i].table, NULL);
}

/* --------------------------------------------------------------- steps */

static hearth_backend_config configure(Subject *s, unsigned flags) {
  hearth_backend_config config = {.size = sizeof config, .location = s->location, .flags = flags,
                                  .allocator = counting_allocator(&s->memory)};
  if (s->is->environment != NULL) config.environment = s->is->environment(s->is->ud);
  return config;
}

static void open_store(Life *l, Subject *s) {
  hearth_error err;
  hearth_backend_config config = configure(s, 0);
  MUST(l, s, s->is->backend->open(&config, &s->store, &err) == HEARTH_OK, "open: %s", err.message);
}

static void settle(Life *l, Subject *s, bool in_batch) {
  hearth_error err;
  if (s->is->settle != NULL) s->is->settle(s->is->ud);
  if (s->store == NULL) return;
  /* a compaction may wait for the end of a batch in parts */
  hearth_status status = s->is->backend->poll(s->store, &err);
  MUST(l, s, status == HEARTH_OK || (status == HEARTH_PENDING && in_batch), "poll: %s", hearth_status_name(status));
}

static bool is_pending(Subject *s) {
  return s->is->settle != NULL;
}

static hearth_durability at_most(const Subject *s, hearth_durability level) {
  return level > s->is->backend->max_durability ? HEARTH_DEFAULT_DURABILITY : level;
}

static void do_submit(Life *l, Subject *s, const Step *step, hearth_status right) {
  uint64_t sequence = UINT64_MAX;
  hearth_error err;
  const bool last = step->flags == 0;
  hearth_status status = s->is->backend->submit(s->store, step->ops, step->count, step->flags,
                                                at_most(s, step->level), &sequence, &err);
  MUST(l, s, status == right || (status == HEARTH_PENDING && right == HEARTH_OK && last && is_pending(s)),
       "submit: %s instead of %s", hearth_status_name(status), hearth_status_name(right));
  MUST(l, s, err.code == status, "submit: the error says %s, the call %s", hearth_status_name(err.code),
       hearth_status_name(status));
  if (right == HEARTH_OK && last)
    MUST(l, s, sequence == l->model.sequence, "batch %llu instead of %llu", ULL(sequence), ULL(l->model.sequence));
}

static void do_compact(Life *l, Subject *s, const Step *step) {
  hearth_status right = step->keep > 0 && s->is->keeps_no_batches ? HEARTH_UNSUPPORTED : HEARTH_OK;
  if (l->model.in_batch) right = HEARTH_BUSY;
  hearth_status status = s->is->backend->compact(s->store, step->keep, NULL);
  MUST(l, s, status == right || (status == HEARTH_PENDING && right == HEARTH_OK && is_pending(s)),
       "compact: %s instead of %s", hearth_status_name(status), hearth_status_name(right));
}

static void do_reopen(Life *l, Subject *s, bool in_batch) {
  hearth_error err;
  if (!s->is->persistent) {
    (void)s->is->backend->submit(s->store, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_VISIBLE, NULL, NULL);
    return;
  }
  if (step_chance(&l->chance, 2) == 0) settle(l, s, in_batch);
  MUST(l, s, s->is->backend->close(s->store, &err) == HEARTH_OK, "close: %s", err.message);
  s->store = NULL;
  MUST(l, s, s->memory.bytes == 0, "%zu bytes are left", s->memory.bytes);
  settle(l, s, false); /* what was submitted is still being written */
  open_store(l, s);
}

static void do_read_beside(Life *l, Subject *s) {
  hearth_error err;
  hearth_backend_store *reader;
  if (!s->is->persistent || l->model.sequence == 0) return;
  settle(l, s, l->model.in_batch);
  hearth_backend_config config = configure(s, HEARTH_OPEN_READONLY);
  MUST(l, s, s->is->backend->open(&config, &reader, &err) == HEARTH_OK, "open read-only: %s", err.message);
  must_hold_everything(l, s, reader, false);
  MUST(l, s, s->is->backend->close(reader, &err) == HEARTH_OK, "close: %s", err.message);
}

/* The same bytes from every backend. */
static void do_export(Life *l, Subject *s, hearth_disk *exports, size_t number) {
  char path[32];
  hearth_error err;
  size_t size, first_size;
  (void)snprintf(path, sizeof path, "/export%zu", number);
  hearth_status status = hearth_export(s->is->backend, s->store, hearth_disk_environment(exports), NULL, path, &err);
  MUST(l, s, status == HEARTH_OK, "export: %s", err.message);
  const unsigned char *bytes = hearth_disk_bytes(exports, path, &size);
  const unsigned char *first = hearth_disk_bytes(exports, "/export0", &first_size);
  MUST(l, s, size == first_size && memcmp(bytes, first, size) == 0, "another export than that of %s",
       l->subjects[0].is->name);
  compared++;
}

static void take_step(Life *l, Step *step) {
  hearth_status right = HEARTH_OK;
  const bool in_batch = l->model.in_batch;
  hearth_disk *exports = step->kind == EXPORT ? hearth_disk_new() : NULL;
  if (step->kind == SUBMIT) right = model_submit(&l->model, step->ops, step->count, step->flags);
  if (step->kind == REOPEN) model_reopen(&l->model);
  for (size_t i = 0; i < l->count; i++) {
    Subject *s = &l->subjects[i];
    switch (step->kind) {
      case SUBMIT: do_submit(l, s, step, right); break;
      case GET: must_get(l, s, &step->ops[0]); break;
      case SCAN: must_scan(l, s, s->store, step->ops[0].table, step); break;
      case TABLES: must_list(l, s, s->store, step->stop_after); break;
      case COMPACT: do_compact(l, s, step); break;
      case REOPEN: do_reopen(l, s, in_batch); break;
      case READ_BESIDE: do_read_beside(l, s); break;
      case EXPORT: do_export(l, s, exports, i); break;
      case BARRIER: {
        hearth_status status = s->is->backend->barrier(s->store, at_most(s, step->level), NULL);
        MUST(l, s, status == HEARTH_OK || (status == HEARTH_PENDING && is_pending(s)), "barrier: %s",
             hearth_status_name(status));
      }
    }
    bool everything = step->kind == REOPEN || step->kind == COMPACT || l->step % 10 == 0;
    if (everything) must_hold_everything(l, s, s->store, is_pending(s));
    if (!everything) must_count(l, s, s->store, is_pending(s));
    if (!is_pending(s) || step_chance(&l->chance, 3) > 0) continue;
    settle(l, s, l->model.in_batch);
    must_count(l, s, s->store, false);
  }
  if (exports != NULL) hearth_disk_free(exports);
}

static void live(uint64_t seed) {
  Life l = {.seed = seed, .count = given_count, .random = seed * 2 + 1, .chance = seed * 2 + 99};
  Step *step = step_new();
  for (size_t i = 0; i < l.count; i++) {
    Subject *s = &l.subjects[i];
    *s = (Subject){.is = given[i], .memory = {.fail_at = -1}};
    if (s->is->arrive != NULL) s->location = s->is->arrive(s->is->ud);
    open_store(&l, s);
  }
  for (l.step = 1; l.step <= STEPS; l.step++) {
    step_random(step, &l.random, &l.model.now);
    take_step(&l, step);
  }
  for (size_t i = 0; i < l.count; i++) {
    Subject *s = &l.subjects[i];
    settle(&l, s, l.model.in_batch);
    must_hold_everything(&l, s, s->store, false);
    MUST(&l, s, s->is->backend->close(s->store, NULL) == HEARTH_OK, "close failed");
    MUST(&l, s, s->memory.bytes == 0, "%zu bytes are left", s->memory.bytes);
    if (s->is->leave != NULL) s->is->leave(s->is->ud, s->location);
  }
  step_free(step);
  model_free(&l.model);
}

static void every_backend_answers_as_the_model(void **state) {
  (void)state;
  const char *given_seed = getenv("HEARTH_TEST_SEED");
  first_seed = given_seed != NULL ? strtoull(given_seed, NULL, 10) : (uint64_t)time(NULL) * 1000003 % 1000000007;
  size_t lives = given_seed != NULL ? 1 : rounds(LIVES);
  for (size_t i = 0; i < lives; i++) live(first_seed + i);
  printf("figure: %zu random operations on each of %zu backends, %zu answers equal to the model's\n", lives * STEPS,
         given_count, compared);
}

int differential_run(const hearth_testkit_subject *const *subjects, size_t count) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_backend_answers_as_the_model)};
  given = subjects;
  given_count = count;
  return cmocka_run_group_tests_name("differential", tests, NULL, NULL);
}
