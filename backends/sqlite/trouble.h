/* Turning what SQLite answers into a status and one line that names the file. */
#ifndef HEARTH_SQLITE_TROUBLE_H
#define HEARTH_SQLITE_TROUBLE_H

#include <sqlite3.h>

#include "hearth_status.h"

/* "PATH: cannot DOING: reason", from the connection's last error. `db` NULL: there was no memory for a connection. */
hearth_status sqlite_failure(sqlite3 *db, const char *path, const char *doing, hearth_error *err);

#endif
