/*
** The floors' identity map: from an object's address to a number, presized, never growing.
*/
#ifndef HEARTH_BENCH_SEEN_H
#define HEARTH_BENCH_SEEN_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct SeenSlot {
  uintptr_t pointer; /* 0: empty */
  uint32_t number;   /* of the order in which they were met, from 0 */
  uint32_t count;    /* the user's */
} SeenSlot;

typedef struct Seen {
  SeenSlot *slots;
  size_t mask;
  uint32_t met;
} Seen;

/* With room for so many; slots NULL: no memory. */
static inline void seen_init(Seen *s, size_t most) {
  size_t size = 16;
  while (size < 2 * most) size *= 2;
  s->slots = calloc(size, sizeof *s->slots);
  s->mask = size - 1;
  s->met = 0;
}

static inline void seen_clear(Seen *s) {
  memset(s->slots, 0, (s->mask + 1) * sizeof *s->slots);
  s->met = 0;
}

static inline void seen_free(Seen *s) {
  free(s->slots);
  s->slots = NULL;
}

/* The object's slot, a new one if it was not met before: its count is 0 then. */
static inline SeenSlot *seen_meet(Seen *s, const void *object) {
  uintptr_t pointer = (uintptr_t)object;
  size_t i = (size_t)((uint64_t)pointer * UINT64_C(0x9e3779b97f4a7c15) >> 32) & s->mask;
  while (s->slots[i].pointer != pointer) {
    if (s->slots[i].pointer == 0) {
      s->slots[i].pointer = pointer;
      s->slots[i].number = s->met++;
      break;
    }
    i = (i + 1) & s->mask;
  }
  return &s->slots[i];
}

#endif
