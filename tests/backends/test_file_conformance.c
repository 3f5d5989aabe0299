/* The conformance suite on files of the operating system, and on the disk that the fault tests use. */
#include "testing.h"

#include "file_subjects.h"
#include "hearth_testkit_cmocka.h"

int main(void) {
  return hearth_testkit_run_cmocka(&file_in_folder) + hearth_testkit_run_cmocka(&file_on_disk);
}
