/* What the server's SQLSTATE means as a status: docs/POSTGRES.md has the table. */
#ifndef HEARTH_POSTGRES_FAILURES_H
#define HEARTH_POSTGRES_FAILURES_H

#include <stdbool.h>

#include "hearth_status.h"

/* IO for what is not in the table; `state` has five characters, or none when the connection failed by itself. */
hearth_status postgres_status_of(const char *state);

/* The transaction was rolled back for the sake of another one, and may be tried again. */
bool postgres_is_transient(const char *state);

#endif
