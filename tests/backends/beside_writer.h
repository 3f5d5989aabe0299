/*
** Readers in processes of their own beside a writer that commits and compacts all the time: each look is of one commit,
** or the reader is told that it is stale.
*/
#ifndef HEARTH_TESTS_BESIDE_WRITER_H
#define HEARTH_TESTS_BESIDE_WRITER_H

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "killed_store.h"
#include "scenario.h"

#define READERS 3
#define COMMITS 400

/* What the readers found, in memory that is shared. */
typedef struct Readings {
  atomic_int begin, ready, stop;
  atomic_long reads, stale, told;
} Readings;

static inline hearth_status beside_open(const hearth_backend *backend, const char *path, unsigned flags,
                                        hearth_backend_store **store, hearth_error *err) {
  hearth_backend_config config = {.size = sizeof config, .location = path, .flags = flags};
  return backend->open(&config, store, err);
}

/* The number of the commit that all of it is of; 0: told to be stale. */
static inline uint64_t beside_look(const hearth_backend *backend, hearth_backend_store *store, Readings *r) {
  hearth_backend_stat stat = {.size = sizeof stat};
  hearth_error err;
  char text[SCENARIO_TEXT], expected[SCENARIO_TEXT];
  if (backend->stat(store, &stat, &err) != HEARTH_OK) _exit(9);
  hearth_status status = scenario_text(backend, store, text, &err);
  if (status == HEARTH_STALE) atomic_fetch_add(&r->stale, 1);
  if (status == HEARTH_STALE) return 0;
  if (status != HEARTH_OK) _exit(10);
  scenario_expected(stat.sequence, expected);
  if (strcmp(text, expected) != 0) _exit(11);
  atomic_fetch_add(&r->reads, 1);
  return stat.sequence;
}

/* What is seen stays so until it is refreshed; poll tells when there is another one. */
static inline void beside_read(const hearth_backend *backend, const char *path, Readings *r) {
  hearth_backend_store *store;
  hearth_error err;
  uint64_t last = 0;
  while (!atomic_load(&r->begin)) killer_wait(1000000);
  if (beside_open(backend, path, HEARTH_OPEN_READONLY, &store, &err) != HEARTH_OK) _exit(3);
  atomic_fetch_add(&r->ready, 1);
  while (!atomic_load(&r->stop)) {
    uint64_t first = beside_look(backend, store, r), second = beside_look(backend, store, r);
    if (first != 0 && second != 0 && first != second) _exit(4);
    if ((first != 0 && first < last) || (second != 0 && second < last)) _exit(5);
    last = second != 0 ? second : first != 0 ? first : last;
    hearth_status status = backend->poll(store, &err);
    if (status == HEARTH_STALE) atomic_fetch_add(&r->told, 1);
    else if (status != HEARTH_OK) _exit(6);
    if (backend->refresh(store, &err) == HEARTH_OK) continue;
    (void)fprintf(stderr, "%s\n", err.message);
    _exit(7);
  }
  _exit(backend->close(store, &err) == HEARTH_OK ? 0 : 8);
}

static inline void beside_end(pid_t children[READERS], Readings *r) {
  atomic_store(&r->stop, 1);
  for (int i = 0; i < READERS; i++) {
    int how;
    assert_int_equal(waitpid(children[i], &how, 0), children[i]);
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0) fail_msg("reader %d ended with %d", i, how);
  }
}

static inline void readers_beside_a_writer_of(const hearth_backend *backend, const char *path) {
  hearth_backend_store *store;
  hearth_error err;
  pid_t children[READERS];
  Readings *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(r != MAP_FAILED);
  for (int i = 0; i < READERS; i++) /* before this process opens anything */
    if ((children[i] = fork()) == 0) beside_read(backend, path, r);
  assert_int_equal(beside_open(backend, path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(backend, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  atomic_store(&r->begin, 1);
  while (atomic_load(&r->ready) < READERS) killer_wait(1000000);
  uint64_t n = 1;
  for (size_t i = 0; i < rounds(COMMITS) || (atomic_load(&r->told) < 20 && i < 100000); i++) {
    n++;
    assert_int_equal(scenario_submit(backend, store, n, n % 2 == 0, HEARTH_COMPLETE, &err), HEARTH_OK);
    if (n % 100 == 0) assert_int_equal(backend->compact(store, 0, &err), HEARTH_OK);
  }
  beside_end(children, r);
  assert_int_equal(scenario_verify(backend, store), n);
  assert_int_equal(backend->close(store, &err), HEARTH_OK);
  assert_true(atomic_load(&r->told) >= 20);
  printf("figure: %s: %d readers beside a writer of %llu commits: %ld looks, each of one commit, %ld answered stale;"
         " poll said stale %ld times\n", backend->name, READERS, (unsigned long long)n, atomic_load(&r->reads),
         atomic_load(&r->stale), atomic_load(&r->told));
  assert_int_equal(munmap(r, sizeof *r), 0);
}

#endif
