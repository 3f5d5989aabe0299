/* The differential oracle on every backend. A new backend is one line in `subjects`. */
#include <stdio.h>
#include <stdlib.h>

#include "differential.h"
#include "disk.h"
#include "fake_indexeddb.h"
#include "folder.h"

static char place[600];
static Disk *disk;
static Fake *fake;

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
  (void)ud;
  disk = disk_new();
  return "/world.hearth";
}

static void leave_disk(void *ud, const char *location) {
  (void)ud;
  (void)location;
  disk_free(disk);
}

static const hearth_environment *the_disk(void *ud) {
  (void)ud;
  return disk_environment(disk);
}

static const char *arrive_in_browser(void *ud) {
  (void)ud;
  fake = fake_new("world");
  return "world";
}

static void leave_browser(void *ud, const char *location) {
  (void)ud;
  (void)location;
  fake_free(fake);
}

static void settle_browser(void *ud) {
  (void)ud;
  fake_settle_all(fake);
}

static const ConformanceSubject memory = {.name = "memory", .backend = &hearth_memory_backend};
static const ConformanceSubject simulated = {.name = "file on a simulated disk", .backend = &hearth_file_backend,
                                             .persistent = true, .arrive = arrive_on_disk, .leave = leave_disk,
                                             .environment = the_disk};
static const ConformanceSubject file = {.name = "file", .backend = &hearth_file_backend, .persistent = true,
                                        .arrive = arrive_in_folder, .leave = leave_folder};
static const ConformanceSubject indexeddb = {.name = "indexeddb", .backend = &hearth_indexeddb_backend,
                                             .persistent = true, .arrive = arrive_in_browser, .leave = leave_browser,
                                             .settle = settle_browser, .begins_with_a_batch = true,
                                             .keeps_no_batches = true};

static const ConformanceSubject *const subjects[] = {
    &memory,
    &simulated,
    &file,
    &indexeddb,
};

int main(void) {
  return differential_run(subjects, sizeof subjects / sizeof *subjects);
}
