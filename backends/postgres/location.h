/* A location taken apart: libpq's URI, and the name of the store behind the '#'. */
#ifndef HEARTH_POSTGRES_LOCATION_H
#define HEARTH_POSTGRES_LOCATION_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "hearth_status.h"

#define LOCATION_MAX_NAME 200
#define LOCATION_MAX_SETTINGS 64 /* keywords that libpq knows, and a NULL */

typedef struct Location {
  char name[LOCATION_MAX_NAME + 1];
  char label[400];                 /* "postgresql://HOST/DATABASE#NAME" for messages: neither user nor password */
  PQconninfoOption *options;       /* owns what follows */
  const char *keywords[LOCATION_MAX_SETTINGS];
  const char *values[LOCATION_MAX_SETTINGS];
  int connect_seconds;             /* for connecting, all hosts together */
} Location;

/*
** INVALID, NOMEM; the message never has a password in it. `writes`: of several hosts one that can be written is
** wanted.
*/
hearth_status postgres_location_parse(Location *l, const char *text, bool writes, const hearth_allocator *allocator,
                                      hearth_error *err);

void postgres_location_free(Location *l);

#endif
