/* What the copy of the first reader offers under its names: tell.h says what. */
#ifndef HEARTH_TESTS_READER_FIRST_H
#define HEARTH_TESTS_READER_FIRST_H

#include <stddef.h>

char *reader1_tell_blob(const void *bytes, size_t size, int *status);
char *reader1_tell_log(const void *bytes, size_t size, int *status);

#endif
