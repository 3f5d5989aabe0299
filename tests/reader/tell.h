/*
** Everything that a blob or a log holds, as one text: what two readers of the format are compared by. Only C's own
** types, so that a program can have this reader and an earlier one side by side.
*/
#ifndef HEARTH_TESTS_READER_TELL_H
#define HEARTH_TESTS_READER_TELL_H

#include <stddef.h>

/* The text, or where *status (0, or one of hearth_status.h) says that it failed, the message; NULL: no memory.
   free() it. */
char *tell_blob(const void *bytes, size_t size, int *status);

/* Of a log as the file backend and export write it: of the store that its last whole batch leaves. */
char *tell_log(const void *bytes, size_t size, int *status);

#endif
