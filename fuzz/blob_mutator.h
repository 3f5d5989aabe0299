/* Mutating a blob as a blob: records are dropped, doubled, swapped, renumbered, fields changed; lengths stay right. */
#ifndef HEARTH_FUZZ_BLOB_MUTATOR_H
#define HEARTH_FUZZ_BLOB_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

/*
** Changes the blob in data, in place; answers its new size, at most max_size, or 0 when it is
** no blob, or grew too large (then data is as before).
*/
size_t blob_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
