/* libFuzzer's hook: half of the mutations know what a blob is. */
#include "blob_mutator.h"
#include "fuzz.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  size_t mutated = seed % 2 == 0 ? blob_mutate(data, size, max_size, seed) : 0;
  return mutated > 0 ? mutated : LLVMFuzzerMutate(data, size, max_size);
}
