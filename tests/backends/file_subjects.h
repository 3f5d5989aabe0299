/* The file backend as a subject of suites for every backend: in a folder of the system, and on the kit's disk. */
#ifndef HEARTH_TESTS_FILE_SUBJECTS_H
#define HEARTH_TESTS_FILE_SUBJECTS_H

#include <stdio.h>
#include <string.h>

#include "folder.h"
#include "hearth_testkit.h"
#include "hearth_testkit_disk.h"

static char subject_place[600];
static hearth_disk *subject_disk;

static const char *arrive_in_folder(void *ud) {
  (void)ud;
  char folder[512];
  folder_make(folder, sizeof folder);
  (void)snprintf(subject_place, sizeof subject_place, "%s/world.hearth", folder);
  return subject_place;
}

static void leave_folder(void *ud, const char *location) {
  (void)ud;
  (void)location;
  *strrchr(subject_place, '/') = '\0';
  folder_remove(subject_place);
}

static const char *arrive_on_disk(void *ud) {
  (void)ud;
  subject_disk = hearth_disk_new();
  return "/world.hearth";
}

static void leave_disk(void *ud, const char *location) {
  (void)ud;
  (void)location;
  hearth_disk_free(subject_disk);
}

static const hearth_environment *environment_of_disk(void *ud) {
  (void)ud;
  return hearth_disk_environment(subject_disk);
}

static const hearth_testkit_subject file_in_folder = {
    .size = sizeof file_in_folder, .name = "file", .backend = &hearth_file_backend, .persistent = true,
    .arrive = arrive_in_folder, .leave = leave_folder};
static const hearth_testkit_subject file_on_disk = {
    .size = sizeof file_on_disk, .name = "file on a simulated disk", .backend = &hearth_file_backend,
    .persistent = true, .arrive = arrive_on_disk, .leave = leave_disk, .environment = environment_of_disk,
    .on_disk = "/world.hearth"};

#endif
