/* cmocka with what it wants included first, and an allocator that counts and fails. */
#ifndef HEARTH_TESTS_TESTING_H
#define HEARTH_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../rounds.h"
#include "hearth_status.h"

typedef struct Counting {
  long calls;   /* allocations so far, frees not counted */
  long fail_at; /* this call fails; -1: none */
  bool for_good; /* and every later one too */
  size_t bytes; /* held now */
} Counting;

static inline void *counting_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Counting *c = ud;
  if (nsize == 0) {
    c->bytes -= ptr != NULL ? osize : 0;
    free(ptr);
    return NULL;
  }
  long call = c->calls++;
  if (c->fail_at >= 0 && (call == c->fail_at || (c->for_good && call > c->fail_at))) return NULL;
  void *fresh = realloc(ptr, nsize);
  if (fresh != NULL) c->bytes += nsize - (ptr != NULL ? osize : 0);
  return fresh;
}

static inline hearth_allocator counting_allocator(Counting *c) {
  return (hearth_allocator){counting_alloc, c};
}

#endif
