/*
** Checks of what is in the database, since SQLite itself has none: beside that of each entry (entry_check.h), a total
** of each table's entries, and a check of the store's numbers, in which the totals are summed up. docs/SQLITE.md says
** how each is computed.
*/
#ifndef HEARTH_SQLITE_CHECK_H
#define HEARTH_SQLITE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the entries of a table: how many, the bytes of their keys and values, the sum of their checks. */
typedef struct Total {
  uint64_t entries, bytes, digest;
} Total;

typedef struct Numbers {
  uint64_t sequence, durable;
  uint64_t digest; /* the sum of the checks of all totals */
} Numbers;

/* Of a table without entries: 0. */
uint64_t check_total(uint64_t table, const Total *total);

uint64_t check_numbers(const Numbers *numbers);

static inline bool check_same_total(const Total *a, const Total *b) {
  return a->entries == b->entries && a->bytes == b->bytes && a->digest == b->digest;
}

#endif
