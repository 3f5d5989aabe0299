/* The postgres backend as a subject of suites for every backend: each place is a name of its own in one database. */
#ifndef HEARTH_TESTS_POSTGRES_SUBJECT_H
#define HEARTH_TESTS_POSTGRES_SUBJECT_H

#include <stdio.h>

#include "hearth_postgres.h"
#include "server.h"

static Server subject_server;

static const char *arrive_at_server(void *ud) {
  static char location[600];
  static unsigned count;
  char name[32];
  (void)ud;
  (void)snprintf(name, sizeof name, "place %u", ++count);
  server_location(&subject_server, "", name, location, sizeof location);
  return location;
}

#endif
