/* The conformance suite on the indexeddb backend with a host in memory. */
#include "testing.h"

#include "indexeddb_subject.h"
#include "hearth_testkit_cmocka.h"

int main(void) {
  return hearth_testkit_run_cmocka(&indexeddb_in_memory);
}
