#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define QUIET_SECONDS 1.0
#define BETWEEN_SECONDS 0.2
#define CALLS_BETWEEN_LOOKS 64

static double seconds_since(const struct timespec *then) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

void progress_begin(Progress *p, const char *what, const char *unit) {
  p->what = what;
  p->unit = unit;
  p->terminal = isatty(STDERR_FILENO) == 1;
  p->shown = false;
  p->calls = 0;
  (void)clock_gettime(CLOCK_MONOTONIC, &p->began);
  p->shown_at = p->began;
}

void progress_step(Progress *p, uint64_t done) {
  if (p->terminal && ++p->calls % CALLS_BETWEEN_LOOKS == 0) progress_portion(p, done);
}

void progress_portion(Progress *p, uint64_t done) {
  if (!p->terminal) return;
  if (seconds_since(&p->began) < QUIET_SECONDS || seconds_since(&p->shown_at) < BETWEEN_SECONDS) return;
  (void)clock_gettime(CLOCK_MONOTONIC, &p->shown_at);
  p->shown = true;
  (void)fprintf(stderr, "\r%s: %llu %s\x1b[K", p->what, (unsigned long long)done, p->unit);
  (void)fflush(stderr);
}

void progress_end(Progress *p) {
  if (p->shown) (void)fputs("\r\x1b[K", stderr);
  p->shown = false;
}

/* ------------------------------------------------------------------ watch */

static const char *volatile watched; /* what is done; NULL: nothing. A signal handler has no other way to know */
static volatile sig_atomic_t watched_seconds;

/* Only what a signal handler may call. */
static void on_tick(int number) {
  char line[64] = "\r", digits[16];
  size_t n = 1, d = sizeof digits;
  (void)number;
  int code = errno;
  const char *what = watched;
  unsigned seconds = (unsigned)++watched_seconds;
  if (what == NULL) return;
  do digits[--d] = (char)('0' + seconds % 10);
  while ((seconds /= 10) > 0);
  for (; *what != '\0' && n < 32; what++) line[n++] = *what;
  line[n++] = ':';
  line[n++] = ' ';
  memcpy(line + n, digits + d, sizeof digits - d);
  n += sizeof digits - d;
  memcpy(line + n, " s\x1b[K", 5);
  if (write(STDERR_FILENO, line, n + 5) < 0) watched = NULL; /* nobody sees it */
  errno = code;
}

static void set_timer(time_t seconds) {
  struct itimerval timer = {{seconds, 0}, {seconds, 0}};
  (void)setitimer(ITIMER_REAL, &timer, NULL);
}

void progress_watch(const char *what) {
  struct sigaction action;
  if (isatty(STDERR_FILENO) != 1) return;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_tick;
  action.sa_flags = SA_RESTART;
  (void)sigemptyset(&action.sa_mask);
  watched = what;
  watched_seconds = 0;
  if (sigaction(SIGALRM, &action, NULL) == 0) set_timer(1);
}

void progress_watch_end(void) {
  if (watched == NULL) return;
  set_timer(0);
  watched = NULL;
  if (watched_seconds > 0) (void)fputs("\r\x1b[K", stderr);
}
