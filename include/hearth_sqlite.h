/*
** The backend sqlite: a store in an SQLite database of its own, for more entries than an index in memory allows. Its
** library is libhearth_sqlite; the location is a path, the URI sqlite:PATH. Its tables, and what it needs:
** docs/SQLITE.md.
*/
#ifndef HEARTH_SQLITE_H
#define HEARTH_SQLITE_H

#include "hearth_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
** SQLite does its own input and output, and has its own memory: an environment is UNSUPPORTED, and the allocator is
** used for what the backend itself holds. compact with keep > 0 is UNSUPPORTED.
*/
HEARTH_API extern const hearth_backend hearth_sqlite_backend;

#ifdef __cplusplus
}
#endif

#endif
