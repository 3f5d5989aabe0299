/* One random operation on a store, and another, of all that a backend can be asked for. */
#ifndef HEARTH_TESTS_RANDOM_STEPS_H
#define HEARTH_TESTS_RANDOM_STEPS_H

#include <stdint.h>

#include "model.h"

#define MOST_OPS 12

typedef struct Step {
  enum { SUBMIT, GET, SCAN, TABLES, BARRIER, COMPACT, REOPEN, READ_BESIDE, EXPORT } kind;
  hearth_op ops[MOST_OPS]; /* for GET and SCAN the first one's table and key */
  size_t count;
  unsigned flags;
  hearth_durability level;
  bool has_from, has_to, reverse; /* a scan from the first operation's key to `to` */
  unsigned char to[HEARTH_MAX_KEY + 1];
  size_t to_size;
  long stop_after;
  unsigned keep;
  unsigned char keys[MOST_OPS][HEARTH_MAX_KEY + 1], *values[MOST_OPS]; /* of the operations */
} Step;

Step *step_new(void);
void step_free(Step *step);

/* Draws the next operation; what is there now decides what most operations are about. */
void step_random(Step *step, uint64_t *random, const ModelState *now);

/* A number from 0 to limit - 1. */
uint64_t step_chance(uint64_t *random, uint64_t limit);

#endif
