#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_quit(const char *what, const char *why) {
  (void)fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(1);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double bench_median(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
  return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv) {
  Bench b = {.check = argc > 1 && strcmp(argv[1], "check") == 0};
  server_begin(&b.server, "shared_buffers = 128MB\nmax_connections = 100");
  if (!b.check) printf("%s\n", server_run(&b.server, "SELECT version()"));
  bench_commit(&b);
  bench_parallel(&b);
  bench_large(&b);
  server_end(&b.server);
  return 0;
}
