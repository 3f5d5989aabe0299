/* The testkit's suite on the shelf: on its disk, and in a file. With an argument: that case alone. */
#include <stdio.h>
#include <string.h>

#include <hearth_testkit.h>
#include <hearth_testkit_disk.h>

#include "shelf.h"

static hearth_disk *disk;

static const char *arrive(void *ud) {
  (void)ud;
  disk = hearth_disk_new();
  return "/world.shelf";
}

static void leave(void *ud, const char *location) {
  (void)ud;
  (void)location;
  hearth_disk_free(disk);
}

static const hearth_environment *environment(void *ud) {
  (void)ud;
  return hearth_disk_environment(disk);
}

static const char *arrive_in_folder(void *ud) {
  static const char *const files[] = {"test.shelf", "test.shelf.lock", "test.shelf.new"};
  (void)ud;
  for (size_t i = 0; i < 3; i++) (void)remove(files[i]);
  return files[0];
}

static void leave_folder(void *ud, const char *location) {
  (void)location;
  (void)arrive_in_folder(ud);
}

int main(int argc, char **argv) {
  const hearth_testkit_subject subject = {
      .size = sizeof subject, .name = "shelf", .backend = &shelf_backend, .persistent = true,
      .arrive = arrive, .leave = leave, .environment = environment, .on_disk = "/world.shelf"};
  const hearth_testkit_subject in_folder = {
      .size = sizeof subject, .name = "shelf in a folder", .backend = &shelf_backend, .persistent = true,
      .arrive = arrive_in_folder, .leave = leave_folder};
  if (argc == 1)
    return hearth_testkit_run(&subject, hearth_testkit_print, NULL) +
               hearth_testkit_run(&in_folder, hearth_testkit_print, NULL) > 0;
  for (size_t i = 0; i < hearth_testkit_case_count(); i++)
    if (strcmp(hearth_testkit_case_name(i), argv[1]) == 0)
      return hearth_testkit_run_case(&subject, i, hearth_testkit_print, NULL) == HEARTH_TESTKIT_FAILED;
  (void)fprintf(stderr, "there is no case %s\n", argv[1]);
  return 2;
}
