/* Many stores in one database, each over a connection of its own, committing small batches at the same time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MOST 32
#define BATCH 20 /* entries */

typedef struct Board { /* shared with child processes */
  atomic_int ready, go, stop;
  atomic_ullong commits;
} Board;

typedef struct Worker {
  const Bench *bench;
  Board *board;
  int number;
} Worker;

static void nap(long milliseconds) {
  const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  (void)nanosleep(&t, NULL);
}

static void commit_one(hearth_backend_store *store, uint64_t n) {
  hearth_error err;
  hearth_op ops[BATCH];
  char keys[BATCH][16], value[100];
  memset(value, (int)(n & 0x7f), sizeof value);
  for (unsigned i = 0; i < BATCH; i++) {
    int size = snprintf(keys[i], sizeof keys[i], "key %u", (unsigned)(n * 7 + i * 13) % 1000);
    ops[i] = (hearth_op){HEARTH_PUT, 1, keys[i], (size_t)size, value, sizeof value};
  }
  if (hearth_postgres_backend.submit(store, ops, BATCH, 0, HEARTH_DURABLE, NULL, &err) != HEARTH_OK)
    bench_quit("submit", err.message);
}

static void *work(void *ud) {
  const Worker *w = ud;
  char location[500], name[32];
  hearth_backend_store *store;
  hearth_error err;
  (void)snprintf(name, sizeof name, "parallel %d", w->number);
  server_location(&w->bench->server, "", name, location, sizeof location);
  const hearth_backend_config config = {.size = sizeof config, .location = location};
  if (hearth_postgres_backend.open(&config, &store, &err) != HEARTH_OK) bench_quit("open", err.message);
  atomic_fetch_add(&w->board->ready, 1);
  while (!atomic_load(&w->board->go)) nap(1);
  for (uint64_t n = 0; !atomic_load(&w->board->stop); n++) {
    commit_one(store, n);
    atomic_fetch_add(&w->board->commits, 1);
  }
  (void)hearth_postgres_backend.close(store, NULL);
  return NULL;
}

static void begin_one(Worker *w, bool processes, pthread_t *thread, pid_t *process) {
  if (!processes) {
    if (pthread_create(thread, NULL, work, w) != 0) bench_quit("thread", "cannot be made");
    return;
  }
  *process = fork();
  if (*process < 0) bench_quit("fork", "failed");
  if (*process == 0) {
    (void)work(w);
    _exit(0);
  }
}

/* Commits per second of `count` at once. */
static double measure(const Bench *b, int count, bool processes, long milliseconds) {
  static Worker workers[MOST];
  pthread_t threads[MOST];
  pid_t children[MOST];
  Board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (board == MAP_FAILED) bench_quit("mmap", "failed");
  for (int i = 0; i < count; i++) {
    workers[i] = (Worker){b, board, i};
    begin_one(&workers[i], processes, &threads[i], &children[i]);
  }
  while (atomic_load(&board->ready) < count) nap(1);
  double began = bench_now();
  atomic_store(&board->go, 1);
  nap(milliseconds);
  double rate = (double)atomic_load(&board->commits) / (bench_now() - began);
  atomic_store(&board->stop, 1);
  for (int i = 0; i < count; i++) {
    int how = 0;
    if (processes && (waitpid(children[i], &how, 0) != children[i] || how != 0)) bench_quit("a process", "failed");
    if (!processes) (void)pthread_join(threads[i], NULL);
  }
  (void)munmap(board, sizeof *board);
  if (rate <= 0) bench_quit("parallel", "nobody committed");
  return rate;
}

void bench_parallel(Bench *b) {
  static const int counts[] = {1, 2, 4, 8, 16, 32};
  const size_t most = b->check ? 2 : sizeof counts / sizeof *counts;
  const long milliseconds = b->check ? 50 : 4000;
  if (!b->check)
    printf("stores at once, durable batches of %d entries, commits per second of all together:\n"
           "  stores  threads of one process  processes\n", BATCH);
  for (size_t i = 0; i < most; i++) {
    double threads = measure(b, counts[i], false, milliseconds), processes = measure(b, counts[i], true, milliseconds);
    if (!b->check) printf("  %6d  %22.0f  %9.0f\n", counts[i], threads, processes);
  }
}
