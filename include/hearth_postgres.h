/*
** Stores in a PostgreSQL database, through libpq: many stores in one database, each opened over a connection of its
** own. libhearth_postgres, pkg-config hearth_postgres; docs/POSTGRES.md has the tables, the levels and the failures.
**
** The location is what follows "postgresql:" in "postgresql://USER@HOST:PORT/DATABASE?PARAMETERS#NAME": libpq's own
** URI, and behind the last '#' the name of the store in that database: 1 to 200 bytes without control characters.
*/
#ifndef HEARTH_POSTGRES_H
#define HEARTH_POSTGRES_H

#include "hearth_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values have at most 512 MiB. Compaction is the server's own; earlier batches are not kept. */
HEARTH_API extern const hearth_backend hearth_postgres_backend;

#ifdef __cplusplus
}
#endif

#endif
