/* The conformance suite on files of the operating system, and on the disk that the fault tests use ("disk"). */
#include "testing.h"

#include "file_subjects.h"
#include "hearth_testkit_cmocka.h"

int main(int argc, char **argv) {
  bool on_disk = argc > 1 && strcmp(argv[1], "disk") == 0;
  return hearth_testkit_run_cmocka(on_disk ? &file_on_disk : &file_in_folder);
}
