/*
** Code that may be run. Bytecode is not verified (docs/SECURITY.md), so a target calls functions only where every
** prototype of its input is, byte for byte, one that this library made: of the golden blobs, or of the samples.
*/
#ifndef HEARTH_FUZZ_KNOWN_H
#define HEARTH_FUZZ_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

/* The prototypes of the blob are known from now on. */
void known_add(const void *blob, size_t size);

/* And those of every blob in a folder. */
void known_add_folder(const char *path);

/* Is it a blob, and every prototype in it known? */
bool known_all(const void *blob, size_t size);

/* Is it the record of a known prototype? */
bool known_prototype(const void *record, size_t size);

#endif
