/*
** An environment with one file, in memory: what exports a store to a file does so to bytes.
*/
#ifndef HEARTH_JS_BYTES_H
#define HEARTH_JS_BYTES_H

#include "buffer.h"
#include "hearth_environment.h"

/* The file is `bytes`, whatever its path; it is there when it is not empty. Both are borrowed while `out` is used. */
void bytes_environment(hearth_environment *out, Buffer *bytes);

#endif
