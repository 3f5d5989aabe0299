/*
** Which numbers of two stores mean objects whose bytes differ. An object that has the same bytes on both sides refers
** to the same numbers there, so that only these need to be looked at.
*/
#ifndef HEARTH_DIFF_CHANGES_H
#define HEARTH_DIFF_CHANGES_H

#include "intmap.h"
#include "view.h"

enum { CHANGE_BOTH, CHANGE_ONLY_A, CHANGE_ONLY_B, CHANGE_SEEN }; /* values of the map; absent: equal, or nowhere */

typedef struct Changes {
  IntMap numbers;
  uint64_t left;  /* how many are CHANGE_BOTH */
  bool constants; /* a shape, prototype or large string differs: nothing is known to be equal */
} Changes;

void changes_init(Changes *c, const View *v);
void changes_free(Changes *c);

/* Reads both stores once, in the order of their keys. */
hearth_status changes_find(Changes *c, const View *a, const View *b, hearth_error *err);

#endif
