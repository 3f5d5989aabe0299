/* Turning an errno value into a status and one line that names the file. */
#ifndef HEARTH_BACKENDS_FAILURE_H
#define HEARTH_BACKENDS_FAILURE_H

#include <stdbool.h>

#include "hearth_status.h"

/* The device, a quota or a limit leaves no room. */
bool failure_is_full(int failure);

/*
** "PATH: cannot DOING: reason". NOTFOUND, EXISTS, READONLY, FULL, NOMEM, NOTSTORE (a folder),
** INVALID (a name too long) or IO.
*/
hearth_status failure_status(hearth_error *err, const char *path, const char *doing, int failure);

/* The same, when whatever happened leaves the store dead: always IO. */
hearth_status failure_io(hearth_error *err, const char *path, const char *doing, int failure);

hearth_status failure_nomem(hearth_error *err, const char *path);

#endif
