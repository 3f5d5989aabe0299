/*
** How much a store holds, and a digest of it: the same entries give the same, whatever keeps them. The digest is
** the sum over all entries of 128 bits made of table, key and value. It tells damage, not an attacker.
*/
#ifndef HEARTH_COPY_TOTALS_H
#define HEARTH_COPY_TOTALS_H

#include "hash.h"
#include "walk.h"

typedef struct Totals {
  uint64_t tables, entries, bytes; /* bytes of keys and values */
  Hash128 digest;
} Totals;

typedef struct Count {
  Walk walk;
  Totals totals;
  uint64_t last_table;
  size_t portion; /* bytes of the present one */
  bool replaced;  /* the metadata record counts as what `metadata` is, or not at all */
  const void *metadata;
  size_t metadata_size;
} Count;

#define TOTALS_TEXT 33

hearth_status totals_begin(Count *c, const CopySide *side, const hearth_allocator *allocator, hearth_error *err);
void totals_end(Count *c);

/* The metadata record is not there yet: another one, or none (NULL), counts in its place. Borrowed until totals_end. */
void totals_replace_metadata(Count *c, const void *metadata, size_t size);

/* Reads a portion. PENDING: there is more; OK: c->totals is complete; and what the backend's scan answers. */
hearth_status totals_step(Count *c, hearth_error *err);

bool totals_equal(const Totals *a, const Totals *b);

/* The digest as 32 hexadecimal digits. */
void totals_digest_text(const Totals *t, char out[TOTALS_TEXT]);

#endif
