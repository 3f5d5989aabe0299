/*
** The connection is cut at every boundary between two messages, in both directions, of a store's life: opening,
** batches in one and in several parts, reading, closing. Whoever opens again knows whether the last batch is there.
*/
#include <inttypes.h>

#include "postgres_testing.h"
#include "proxy.h"

static hearth_error err;
static Proxy proxy;

/* What a life has come to know. */
typedef struct Life {
  uint64_t sequence;     /* of the last batch that was acknowledged, or found when opening */
  bool opened;
  bool uncertain;        /* a batch was answered by IO */
  hearth_status ended;   /* the first status that was not OK */
} Life;

static uint64_t seen_sum, seen_count;

static int sum_up(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  (void)ud, (void)table, (void)key, (void)key_size;
  uint64_t n;
  if (value_size != sizeof n) return 9;
  memcpy(&n, value, sizeof n);
  seen_sum += n;
  seen_count++;
  return 0;
}

/* Batch n makes every one of 40 entries of table 1 hold n, and drops and makes table 2. */
static hearth_status submit_batch(hearth_backend_store *store, uint64_t n, bool parts) {
  hearth_op ops[42];
  char keys[40][8];
  for (unsigned i = 0; i < 40; i++) {
    (void)snprintf(keys[i], sizeof keys[i], "k%02u", i);
    ops[i] = (hearth_op){HEARTH_PUT, 1, keys[i], 3, &n, sizeof n};
  }
  ops[40] = (hearth_op){HEARTH_DROP, 2, NULL, 0, NULL, 0};
  ops[41] = (hearth_op){HEARTH_PUT, 2, "n", 1, &n, sizeof n};
  if (!parts) return postgres->submit(store, ops, 42, 0, HEARTH_DURABLE, NULL, &err);
  hearth_status status = postgres->submit(store, ops, 20, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, &err);
  if (status == HEARTH_OK) status = postgres->submit(store, ops + 20, 22, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL,
                                                     &err);
  return status == HEARTH_OK ? postgres->submit(store, NULL, 0, 0, HEARTH_DURABLE, NULL, &err) : status;
}

static hearth_status commit(Life *life, hearth_backend_store *store, bool parts) {
  hearth_status status = submit_batch(store, life->sequence + 1, parts);
  if (status == HEARTH_OK) life->sequence++;
  life->uncertain = status != HEARTH_OK;
  return status;
}

/* Everything read is of the batch that this life knows. */
static hearth_status read_everything(const Life *life, hearth_backend_store *store) {
  uint64_t n;
  int result;
  if (life->sequence == 0) return HEARTH_OK;
  hearth_status status = get_number(store, 1, "k07", &n, &err);
  if (status != HEARTH_OK) return status;
  assert_int_equal(n, life->sequence);
  seen_sum = seen_count = 0;
  status = postgres->scan(store, 1, NULL, 0, NULL, 0, life->sequence % 2 == 0, sum_up, NULL, &result, &err);
  if (status != HEARTH_OK) return status;
  assert_int_equal(result, 0);
  assert_int_equal(seen_count, 40);
  assert_int_equal(seen_sum, 40 * life->sequence);
  return HEARTH_OK;
}

static hearth_status live_in(Life *life, hearth_backend_store *store) {
  hearth_status status = read_everything(life, store);
  if (status == HEARTH_OK) status = commit(life, store, false);
  if (status == HEARTH_OK) status = commit(life, store, true);
  if (status == HEARTH_OK) status = read_everything(life, store);
  if (status == HEARTH_OK) status = postgres->barrier(store, HEARTH_DURABLE, &err);
  return status;
}

/* After the failure that the cut is, the store is dead and says so, whatever it is asked. */
static void must_be_dead(hearth_backend_store *store) {
  uint64_t n;
  MUST(HEARTH_DEAD, get_number(store, 1, "k07", &n, &err));
  MUST(HEARTH_DEAD, put_number(store, 1, "k07", 1, HEARTH_DURABLE, &err));
}

static void live(Life *life, const char *location) {
  hearth_backend_store *store;
  life->ended = open_at(location, 0, &store, &err);
  if (life->ended != HEARTH_OK) return;
  life->opened = true;
  life->sequence = sequence_of(store);
  life->ended = live_in(life, store);
  must_be_discreet(err.message);
  if (life->ended != HEARTH_OK) must_be_dead(store);
  (void)postgres->close(store, &err);
}

/* How it is after the cut: what was acknowledged is there, and of an uncertain batch all or nothing. */
static void look_after(Life *life, uint64_t before, size_t *there, size_t *not_there) {
  hearth_backend_store *store = must_open("cut", 0);
  Life now = {.sequence = sequence_of(store)};
  uint64_t known = life->opened ? life->sequence : before;
  if (now.sequence < known) fail_msg("batch %" PRIu64 " is lost, the last is %" PRIu64, known, now.sequence);
  if (now.sequence > known + (life->uncertain ? 1 : 0))
    fail_msg("batch %" PRIu64 " is there, which nobody committed", now.sequence);
  if (life->uncertain && now.sequence > known) ++*there;
  if (life->uncertain && now.sequence == known) ++*not_there;
  MUST(HEARTH_OK, read_everything(&now, store));
  must_close(store);
  life->sequence = now.sequence;
}

static void cut_at_every_boundary(void **state) {
  (void)state;
  char location[700];
  size_t cuts = 0, there = 0, not_there = 0;
  uint64_t before = 0;
  (void)snprintf(location, sizeof location, "//hearth:%s@127.0.0.1:%d/postgres?sslmode=disable#cut", SERVER_PASSWORD,
                 proxy.port);
  for (long after = 0;; after++) {
    Life life = {.sequence = before};
    proxy_arm(&proxy, after);
    live(&life, location);
    bool cut = atomic_load(&proxy.shared->cut) != 0;
    if (!cut) {
      assert_int_equal(life.ended, HEARTH_OK);
      break;
    }
    cuts++;
    /* a cut in the goodbye may not be noticed; any other is */
    if (life.ended == HEARTH_OK && proxy.shared->last != 'X') fail_msg("a cut at '%c' unnoticed", proxy.shared->last);
    if (life.ended != HEARTH_OK && life.ended != HEARTH_IO) fail_msg("%s", hearth_status_name(life.ended));
    look_after(&life, before, &there, &not_there);
    before = life.sequence;
  }
  printf("figure: postgres: the connection cut at each of %zu boundaries between messages, both directions: 0"
         " acknowledged"
         " commits lost; of those with an unknown answer %zu were there and %zu were not\n", cuts, there, not_there);
  assert_true(cuts > 80);
  assert_true(there > 0 && not_there > 0);
}

/* A reader is never dead: it goes on, or says that the store has moved on. */
static void a_reader_goes_on_after_a_cut(void **state) {
  (void)state;
  char location[700];
  hearth_backend_store *writer = must_open("cut reader", 0), *reader;
  Life life = {.sequence = 1};
  assert_int_equal(submit_batch(writer, 1, false), HEARTH_OK);
  (void)snprintf(location, sizeof location, "//hearth:%s@127.0.0.1:%d/postgres?sslmode=disable#cut reader",
                 SERVER_PASSWORD, proxy.port);
  for (long after = 1; after < 30; after++) {
    proxy_arm(&proxy, -1);
    MUST(HEARTH_OK, open_at(location, HEARTH_OPEN_READONLY, &reader, &err));
    MUST(HEARTH_OK, read_everything(&life, reader));
    proxy_arm(&proxy, after);
    hearth_status status = HEARTH_OK;
    while (status == HEARTH_OK && !atomic_load(&proxy.shared->cut)) status = read_everything(&life, reader);
    if (status != HEARTH_OK) assert_int_equal(status, HEARTH_IO);
    proxy_arm(&proxy, -1);
    if (after % 2 == 0) assert_int_equal(submit_batch(writer, life.sequence + 1, false), HEARTH_OK);
    MUST(after % 2 == 0 ? HEARTH_STALE : HEARTH_OK, read_everything(&life, reader));
    MUST(after % 2 == 0 ? HEARTH_STALE : HEARTH_OK, postgres->poll(reader, &err));
    if (after % 2 == 0) life.sequence++;
    MUST(HEARTH_OK, postgres->refresh(reader, &err));
    MUST(HEARTH_OK, read_everything(&life, reader));
    MUST(HEARTH_OK, postgres->poll(reader, &err));
    must_close(reader);
  }
  must_close(writer);
}

static int begin(void **state) {
  (void)state;
  server_begin(&server, NULL);
  proxy_begin(&proxy, server.port);
  return 0;
}

static int end(void **state) {
  (void)state;
  proxy_end(&proxy);
  server_end(&server);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cut_at_every_boundary),
      cmocka_unit_test(a_reader_goes_on_after_a_cut),
  };
  return cmocka_run_group_tests_name("postgres cut", tests, begin, end);
}
