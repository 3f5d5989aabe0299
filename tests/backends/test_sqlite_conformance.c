/* The conformance suite on the sqlite backend. */
#include "testing.h"

#include "sqlite_subject.h"
#include "hearth_testkit_cmocka.h"

int main(void) {
  return hearth_testkit_run_cmocka(&sqlite_in_folder);
}
