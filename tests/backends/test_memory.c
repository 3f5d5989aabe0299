#include "conformance.h"

int main(void) {
  const ConformanceSubject memory = {.name = "memory", .backend = &hearth_memory_backend};
  return conformance_run(&memory);
}
