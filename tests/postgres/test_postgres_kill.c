/*
** Four processes commit all the time, each to a store of its own; they, the server's processes and the server itself
** are killed. A commit is an intent with a number of its own, written together with the batch's number: what was
** acknowledged must be there, and no intent twice, although each is tried again until it is known to be there.
*/
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "postgres_testing.h"

#define KILLS 21
#define WORKERS 4

/* Shared with a worker, which may be killed between any two instructions. */
typedef struct Board {
  volatile uint64_t acknowledged;  /* the last intent */
  /* counts: batches acknowledged; openings; unknown answers that had arrived */
  volatile uint64_t commits, reopened, resolved;
} Board;

typedef struct Worker {
  pid_t pid;
  char name[20];
  Board *board;
} Worker;

static Worker workers[WORKERS];
static hearth_error err;

/* ------------------------------------------------------------- a worker */

static int take_bytes(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  return take_number(ud, table, key, key_size, value, value_size);
}

static void name_key(char key[24], uint64_t n) {
  (void)snprintf(key, 24, "%020" PRIu64, n);
}

/* Batch n carries intent i: the journal's entry n, and the same in entries that are overwritten. */
static hearth_status try_intent(hearth_backend_store *store, uint64_t n, uint64_t i, hearth_durability level) {
  char key[24];
  uint64_t filler[32];
  for (size_t k = 0; k < 32; k++) filler[k] = i * 31 + k;
  name_key(key, n);
  const hearth_op ops[] = {{HEARTH_PUT, 1, key, 20, &i, sizeof i},
                           {HEARTH_PUT, 2, "intent", 6, &i, sizeof i},
                           {HEARTH_DROP, 3, NULL, 0, NULL, 0},
                           {HEARTH_PUT, 3, key, 20, filler, sizeof filler}};
  if (i % 3 != 0) return postgres->submit(store, ops, 4, 0, level, NULL, &err);
  hearth_status status = postgres->submit(store, ops, 2, HEARTH_BATCH_MORE, level, NULL, &err);
  return status == HEARTH_OK ? postgres->submit(store, ops + 2, 2, 0, level, NULL, &err) : status;
}

/* Until the server is back, and the session of a killed process is gone. */
static hearth_backend_store *open_patiently(const Worker *w) {
  hearth_backend_store *store;
  for (int tries = 0; tries < 3000; tries++) {
    if (open_named(w->name, 0, &store, &err) == HEARTH_OK) return store;
    if (err.code != HEARTH_IO && err.code != HEARTH_BUSY) break;
    nap(20);
  }
  (void)fprintf(stderr, "%s: %s\n", w->name, err.message);
  _exit(3);
}

static uint64_t last_intent(hearth_backend_store *store) {
  uint64_t i = 0;
  hearth_status status = postgres->get(store, 2, "intent", 6, take_bytes, &i, &err);
  return status == HEARTH_OK || status == HEARTH_NOTFOUND ? i : UINT64_MAX;
}

static void acknowledge(Board *b, uint64_t i) {
  b->acknowledged = i;
  b->commits++;
}

static void live(const Worker *w) {
  for (uint64_t trying = 0;;) {
    hearth_backend_store *store = open_patiently(w);
    uint64_t n = sequence_of(store), i = last_intent(store);
    w->board->reopened++;
    if (i != UINT64_MAX && trying != 0 && i == trying) { /* the answer was lost, the commit was not */
      w->board->resolved++;
      acknowledge(w->board, i);
    }
    while (i != UINT64_MAX) {
      trying = i + 1;
      if (try_intent(store, n + 1, trying, i % 5 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE) != HEARTH_OK) break;
      acknowledge(w->board, trying);
      i++;
      n++;
    }
    (void)postgres->close(store, &err);
  }
}

static void begin_worker(Worker *w) {
  w->pid = fork();
  assert_true(w->pid >= 0);
  if (w->pid != 0) return;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
  live(w);
}

static void kill_worker(Worker *w) {
  int how;
  assert_int_equal(kill(w->pid, SIGKILL), 0);
  assert_int_equal(waitpid(w->pid, &how, 0), w->pid);
  if (!WIFSIGNALED(how)) fail_msg("a worker ended by itself: %d", WEXITSTATUS(how));
}

/* ------------------------------------------------------------- the kills */

static void wait_for_work(void) {
  for (int w = 0; w < WORKERS; w++) {
    uint64_t before = workers[w].board->commits;
    for (int i = 0; workers[w].board->commits < before + 5; i++) {
      if (i > 6000) fail_msg("%s does not get on", workers[w].name);
      nap(10);
    }
  }
}

static void kill_session(void) {
  const char *pid = server_run(&server, "SELECT pid FROM pg_stat_activity WHERE application_name = 'hearth'"
                                        " ORDER BY random() LIMIT 1");
  if (atoi(pid) > 0) (void)kill((pid_t)atoi(pid), SIGKILL);
}

static bool is_up(void) {
  char where[500];
  (void)snprintf(where, sizeof where, "host=%s port=%d dbname=postgres user=hearth", server.folder, server.port);
  PGconn *c = PQconnectdb(where);
  bool up = PQstatus(c) == CONNECTION_OK;
  PQfinish(c);
  return up;
}

static void kill_one(size_t k) {
  for (int i = 0; i < 3000 && !is_up(); i++) nap(20); /* a session's end by SIGKILL restarts all others */
  switch (k % 3) {
    case 0:
      server_stop(&server, SIGKILL);
      server_start(&server);
      break;
    case 1: kill_session(); break;
    default:
      kill_worker(&workers[k / 3 % WORKERS]);
      begin_worker(&workers[k / 3 % WORKERS]);
  }
}

/* ----------------------------------------------------------- the verdict */

typedef struct Journal {
  uint64_t n, last;
  size_t twice, wrong;
} Journal;

static int read_journal(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                        size_t value_size) {
  Journal *j = ud;
  uint64_t i;
  char expected[24];
  (void)table;
  name_key(expected, ++j->n);
  if (key_size != 20 || memcmp(key, expected, 20) != 0 || value_size != sizeof i) return 7;
  memcpy(&i, value, sizeof i);
  j->twice += i <= j->last;
  j->wrong += i != j->last + 1;
  j->last = i;
  return 0;
}

static void judge(const Worker *w, size_t *lost, size_t *twice) {
  hearth_backend_store *store = must_open(w->name, 0);
  Journal j = {0};
  int result;
  MUST(HEARTH_OK, postgres->scan(store, 1, NULL, 0, NULL, 0, false, read_journal, &j, &result, &err));
  assert_int_equal(result, 0);
  assert_int_equal(j.n, sequence_of(store));
  assert_int_equal(j.last, last_intent(store));
  assert_int_equal(j.wrong, 0);
  if (j.last < w->board->acknowledged) *lost += (size_t)(w->board->acknowledged - j.last);
  *twice += j.twice;
  must_close(store);
}

static void killed_under_load(void **state) {
  (void)state;
  size_t lost = 0, twice = 0, kinds[3] = {0};
  uint64_t commits = 0, reopened = 0, resolved = 0;
  const size_t kills = rounds(KILLS);
  for (int w = 0; w < WORKERS; w++) {
    (void)snprintf(workers[w].name, sizeof workers[w].name, "load %d", w);
    workers[w].board = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(workers[w].board != MAP_FAILED);
    begin_worker(&workers[w]);
  }
  srand(1);
  for (size_t k = 0; k < kills; k++) {
    wait_for_work();
    nap(rand() % 30);
    kill_one(k);
    kinds[k % 3]++;
  }
  wait_for_work();
  for (int w = 0; w < WORKERS; w++) kill_worker(&workers[w]);
  for (int w = 0; w < WORKERS; w++) {
    judge(&workers[w], &lost, &twice);
    commits += workers[w].board->commits;
    reopened += workers[w].board->reopened;
    resolved += workers[w].board->resolved;
  }
  printf("figure: postgres: %zu SIGKILLs under load from %d processes (%zu of the server, %zu of one of its"
         " sessions, %zu of"
         " a client): %" PRIu64 " acknowledged commits, %zu lost, %zu applied twice; %" PRIu64 " openings, %" PRIu64
         " commits found there whose answer was lost\n", kills, WORKERS, kinds[0], kinds[1], kinds[2], commits, lost,
             twice,
         reopened, resolved);
  assert_int_equal(lost, 0);
  assert_int_equal(twice, 0);
  assert_true(commits > kills * 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(killed_under_load)};
  return cmocka_run_group_tests_name("postgres kill", tests, begin_server, end_server);
}
