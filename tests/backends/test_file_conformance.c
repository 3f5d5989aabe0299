/* The conformance suite on files of the operating system, and on the disk that the fault tests use. */
#include "file_subjects.h"

int main(void) {
  return conformance_run(&file_in_folder) + conformance_run(&file_on_disk);
}
