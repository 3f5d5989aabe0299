/* The conformance suite on the indexeddb backend with a host in memory. */
#include "indexeddb_subject.h"

int main(void) {
  return conformance_run(&indexeddb_in_memory);
}
