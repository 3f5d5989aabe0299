/*
** Lives that are killed: a child process goes through the phases of a store's life again and again and acknowledges
** what it was told to be committed; it is killed in a phase that the test chooses, at any moment of it.
*/
#ifndef HEARTH_TESTS_KILLED_H
#define HEARTH_TESTS_KILLED_H

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef enum Phase { OPENING, COMMITTING, COMPACTING, CLOSING, PHASES } Phase;

static const char *const phase_names[PHASES] = {"opening", "committing", "compacting", "closing"};

typedef struct Life {
  const char *path;
  int acknowledge;    /* a pipe */
  atomic_int *phase;  /* shared with the parent; -1: not begun */
} Life;

typedef struct Killer {
  void (*live)(const Life *life); /* runs in the child and never returns */
  const char *path;
  atomic_int *phase;
  uint64_t acknowledged;   /* the last number */
  size_t acknowledgements; /* so many in all */
  size_t kills[PHASES];    /* the phase that the child was in when it died */
} Killer;

static inline void life_acknowledge(const Life *life, uint64_t number) {
  if (write(life->acknowledge, &number, sizeof number) != (ssize_t)sizeof number) _exit(6);
}

static inline void killer_init(Killer *k, const char *path, void (*live)(const Life *life)) {
  *k = (Killer){.live = live, .path = path};
  k->phase = mmap(NULL, sizeof *k->phase, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(k->phase != MAP_FAILED);
}

static inline void killer_free(Killer *k) {
  assert_int_equal(munmap(k->phase, sizeof *k->phase), 0);
}

static inline void killer_wait(long nanoseconds) {
  struct timespec t = {0, nanoseconds};
  if (nanoseconds > 0) (void)nanosleep(&t, NULL);
}

/*
** Kill number i: a child lives on what the one before it left, and dies when it enters the phase whose turn it is,
** within the next calls to the system, or within milliseconds.
*/
static inline void killer_kill(Killer *k, size_t i) {
  static const int longest[] = {1, 100000, 3000000}; /* nanoseconds */
  const int phase = (int)(i % PHASES);
  int ends[2], how;
  uint64_t n;
  assert_int_equal(pipe(ends), 0);
  atomic_store(k->phase, -1);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)close(ends[0]);
    k->live(&(Life){k->path, ends[1], k->phase});
    _exit(2);
  }
  (void)close(ends[1]);
  pid_t ended = 0;
  while (atomic_load(k->phase) != phase && (ended = waitpid(child, &how, WNOHANG)) == 0) killer_wait(1);
  if (ended == 0) {
    killer_wait(rand() % longest[i / PHASES % 3]);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &how, 0), child);
  }
  if (!WIFSIGNALED(how)) fail_msg("the child ended by itself: %d", WEXITSTATUS(how));
  int died = atomic_load(k->phase);
  if (died >= 0) k->kills[died]++;
  while (read(ends[0], &n, sizeof n) == (ssize_t)sizeof n) {
    k->acknowledged = n;
    k->acknowledgements++;
  }
  (void)close(ends[0]);
}

/* The figure; every phase must have been hit when there were rounds enough for it. */
static inline void killer_report(const Killer *k, const char *what, size_t least, size_t lost) {
  size_t all = 0;
  for (int i = 0; i < PHASES; i++) all += k->kills[i];
  printf("figure: %s: %zu SIGKILLs (", what, all);
  for (int i = 0; i < PHASES; i++) printf("%s%zu %s", i == 0 ? "" : ", ", k->kills[i], phase_names[i]);
  printf("), %zu acknowledged commits, %zu lost\n", k->acknowledgements, lost);
  assert_int_equal(lost, 0);
  if (all < least) return;
  for (int i = 0; i < PHASES; i++)
    if (k->kills[i] == 0) fail_msg("no kill while %s", phase_names[i]);
}

#endif
