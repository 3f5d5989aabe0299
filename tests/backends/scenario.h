/*
** A history of batches in which batch n always does the same, so that the contents
** that belong to a sequence number are known whatever happened in between.
*/
#ifndef HEARTH_TESTS_SCENARIO_H
#define HEARTH_TESTS_SCENARIO_H

#include "hearth_backend.h"
#include "testing.h"

#define SCENARIO_OPS 8
#define SCENARIO_TEXT 8192

typedef struct ScenarioBatch {
  hearth_op ops[SCENARIO_OPS];
  size_t count;
  char text[SCENARIO_OPS][2][160];
} ScenarioBatch;

/* Fills the batch with number n. The ops point into it. */
void scenario_batch(uint64_t n, ScenarioBatch *batch);

/* Submits batch n, in two parts when `parts`. */
hearth_status scenario_submit(const hearth_backend *backend, hearth_backend_store *store, uint64_t n, bool parts,
                              hearth_durability level, hearth_error *err);

/* All contents as text; the status of the first call that failed. */
hearth_status scenario_text(const hearth_backend *backend, hearth_backend_store *store, char out[SCENARIO_TEXT],
                            hearth_error *err);

/* The contents after batch n. */
void scenario_expected(uint64_t n, char out[SCENARIO_TEXT]);

/* Fails the test unless the store has exactly the contents of its sequence number, which is returned. */
uint64_t scenario_verify(const hearth_backend *backend, hearth_backend_store *store);

#endif
