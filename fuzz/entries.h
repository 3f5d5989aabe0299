/*
** The entries of a store as an input: one after the other, each the kind of its key, what that kind has, and the
** value behind its length. Numbers have 2 bytes, the lowest first.
**
**   0  metadata                      4  page: number, section, depth (1 byte each), prefix (8)
**   1  constant: number              5  external table: number
**   2  part of a constant: number,   6  entry of an external table: number, size of the key (1), key
**      index                         7  any key of table 0: size of the key (1), key
**   3  object: number
*/
#ifndef HEARTH_FUZZ_ENTRIES_H
#define HEARTH_FUZZ_ENTRIES_H

#include "buffer.h"
#include "fuzz.h"
#include "hearth_backend.h"

/* One entry; the bytes point into the input, the key into `own` or the input. */
typedef struct Entry {
  uint64_t table;
  const unsigned char *key, *value;
  size_t key_size, value_size;
  unsigned char own[32];
  const uint8_t *begin; /* of the entry in the input */
  size_t value_at;      /* from there; the 2 bytes before are its length */
} Entry;

/* The next one; false at the end. */
bool entries_next(FuzzInput *in, Entry *e);

/* The mirror. What the form cannot hold (numbers and values over 65,535) is left out. */
void entries_put(Buffer *out, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size);

/* A new store in memory that holds the entries; close it. */
hearth_backend_store *entries_open(const uint8_t *data, size_t size);

/* Everything that a store holds, as an input. */
void entries_write(const hearth_backend *backend, hearth_backend_store *store, Buffer *out);

/* Changes one entry, or which there are. Answers the new size, or 0. */
size_t entries_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
