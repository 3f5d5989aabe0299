/*
** What a backend must do, written as simply as can be: a sorted array of entries, looked through from its start,
** and a batch that works on a copy of it.
*/
#ifndef HEARTH_TESTS_MODEL_H
#define HEARTH_TESTS_MODEL_H

#include "hearth_backend.h"

typedef struct ModelEntry {
  uint64_t table;
  unsigned char *key, *value; /* its own copies */
  size_t key_size, value_size;
} ModelEntry;

typedef struct ModelState {
  ModelEntry *entries; /* in order of table, then key */
  size_t count;
} ModelState;

typedef struct Model {
  ModelState now;    /* what can be read */
  ModelState batch;  /* what will be there when the batch in parts is committed */
  bool in_batch;     /* parts have been submitted */
  size_t changes;    /* that they contain */
  uint64_t sequence; /* of the last batch */
} Model;

void model_free(Model *m);

hearth_status model_submit(Model *m, const hearth_op *ops, size_t count, unsigned flags);

/* Parts without their last are forgotten. */
void model_reopen(Model *m);

hearth_status model_get(const Model *m, uint64_t table, const void *key, size_t key_size, hearth_found found, void *ud);
int model_scan(const Model *m, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,
               bool reverse, hearth_found found, void *ud);
int model_tables(const Model *m, hearth_found found, void *ud);

/* Bytes of all keys and values. */
uint64_t model_bytes(const Model *m);

#endif
