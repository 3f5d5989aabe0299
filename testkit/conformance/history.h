/* A history of batches in which batch n always does the same, so that what is there after it is known. */
#ifndef HEARTH_TESTKIT_HISTORY_H
#define HEARTH_TESTKIT_HISTORY_H

#include "fixture.h"

#define HISTORY_OPS 5

/* Submits batch n to f->store, in two parts when n is even. */
hearth_status kit_history_submit(Fixture *f, uint64_t n, hearth_durability level);

/* The contents after batch n, as kit_everything gives them. */
void kit_history_text(uint64_t n, Text *t);

/* Ends the case unless f->store has the contents that belong to stat.sequence, which is returned. */
uint64_t kit_history_verify(Fixture *f);

#endif
