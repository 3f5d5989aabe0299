/* The conformance suite on files of the operating system, and on the disk that the fault tests use. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conformance.h"
#include "disk.h"
#include "folder.h"

static char place[600];

static const char *arrive_in_folder(void *ud) {
  (void)ud;
  char folder[512];
  folder_make(folder, sizeof folder);
  (void)snprintf(place, sizeof place, "%s/world.hearth", folder);
  return place;
}

static void leave_folder(void *ud, const char *location) {
  (void)ud;
  (void)location;
  *strrchr(place, '/') = '\0';
  folder_remove(place);
}

static const char *arrive_on_disk(void *ud) {
  *(Disk **)ud = disk_new();
  return "/world.hearth";
}

static void leave_disk(void *ud, const char *location) {
  (void)location;
  disk_free(*(Disk **)ud);
}

static const hearth_environment *the_disk(void *ud) {
  return disk_environment(*(Disk **)ud);
}

int main(void) {
  Disk *disk;
  const ConformanceSubject file = {.name = "file", .backend = &hearth_file_backend, .persistent = true,
                                   .arrive = arrive_in_folder, .leave = leave_folder};
  const ConformanceSubject simulated = {.name = "file on a simulated disk", .backend = &hearth_file_backend,
                                        .persistent = true, .arrive = arrive_on_disk, .leave = leave_disk,
                                        .environment = the_disk, .ud = &disk};
  return conformance_run(&file) + conformance_run(&simulated);
}
