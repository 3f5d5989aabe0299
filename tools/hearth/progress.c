#include "progress.h"

#include <stdio.h>
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
  if (!p->terminal || ++p->calls % CALLS_BETWEEN_LOOKS != 0) return;
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
