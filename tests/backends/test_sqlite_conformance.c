#include "sqlite_subject.h"

int main(void) {
  return conformance_run(&sqlite_in_folder);
}
