/*
** The check of an entry where a backend keeps entries in a database of others: XXH3-64 of the value, with the XXH3-64
** of the table's number (eight bytes, the lowest first) and the key as its seed.
*/
#ifndef HEARTH_BACKENDS_ENTRY_CHECK_H
#define HEARTH_BACKENDS_ENTRY_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* `key_size` is at most HEARTH_MAX_KEY. */
uint64_t entry_check(uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size);

#endif
