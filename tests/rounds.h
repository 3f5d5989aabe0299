/* How long random and repeated tests run. */
#ifndef HEARTH_TESTS_ROUNDS_H
#define HEARTH_TESTS_ROUNDS_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* HEARTH_TEST_ROUNDS multiplies the rounds of random tests; a fraction of `all` under valgrind, which is slow. */
static inline size_t rounds(size_t all) {
  const char *s = getenv("HEARTH_TEST_ROUNDS"), *preload = getenv("LD_PRELOAD");
  if (s != NULL && atoi(s) > 0) return all * (size_t)atoi(s);
  return preload != NULL && strstr(preload, "vgpreload") != NULL ? all / 40 + 1 : all;
}

#endif
