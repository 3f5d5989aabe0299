/* The conformance suite on the memory backend. */
#include "testing.h"

#include "hearth_testkit_cmocka.h"

int main(void) {
  const hearth_testkit_subject memory = {.size = sizeof memory, .name = "memory", .backend = &hearth_memory_backend};
  return hearth_testkit_run_cmocka(&memory);
}
