/* The sqlite backend as a subject of suites for every backend. */
#ifndef HEARTH_TESTS_SQLITE_SUBJECT_H
#define HEARTH_TESTS_SQLITE_SUBJECT_H

#include <stdio.h>
#include <string.h>

#include "folder.h"
#include "hearth_sqlite.h"
#include "hearth_testkit.h"

static char sqlite_place[600];

static const char *arrive_at_database(void *ud) {
  (void)ud;
  char folder[512];
  folder_make(folder, sizeof folder);
  (void)snprintf(sqlite_place, sizeof sqlite_place, "%s/world.sqlite", folder);
  return sqlite_place;
}

static void leave_database(void *ud, const char *location) {
  (void)ud;
  (void)location;
  *strrchr(sqlite_place, '/') = '\0';
  folder_remove(sqlite_place);
}

static const hearth_testkit_subject sqlite_in_folder = {
    .size = sizeof sqlite_in_folder, .name = "sqlite", .backend = &hearth_sqlite_backend, .persistent = true,
    .arrive = arrive_at_database, .leave = leave_database, .keeps_no_batches = true};

#endif
