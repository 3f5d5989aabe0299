/*
** A scan of a whole table, in one go or as scans that follow each other, sees whether entries are missing: what was
** passed on must be the table's total in the end.
*/
#ifndef HEARTH_SQLITE_WALK_H
#define HEARTH_SQLITE_WALK_H

#include <stdbool.h>

#include "check.h"
#include "hearth_backend.h"

/* What was passed on up to a key. */
typedef struct WalkedTo {
  Total total;
  size_t size;
  unsigned char key[HEARTH_MAX_KEY];
} WalkedTo;

typedef struct Walk {
  bool whole;         /* from the table's first entry on, none was left out */
  uint64_t table, sequence;
  unsigned last;      /* which of `to` is the last entry; the other one is the entry before it */
  WalkedTo to[2];
} Walk;

/* A scan begins, of the state that `sequence` numbers. `before`: the last scan upwards. */
void walk_begin(Walk *w, const Walk *before, uint64_t table, uint64_t sequence, const void *from, size_t from_size);

/* An entry with this check is passed on. */
void walk_add(Walk *w, const void *key, size_t key_size, size_t value_size, uint64_t check);

#endif
