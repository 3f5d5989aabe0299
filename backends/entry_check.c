#include "entry_check.h"

#include <string.h>

#include "hash.h"
#include "hearth_backend.h"

uint64_t entry_check(uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  unsigned char place[8 + HEARTH_MAX_KEY];
  for (int i = 0; i < 8; i++) place[i] = (unsigned char)(table >> 8 * i);
  if (key_size > 0) memcpy(place + 8, key, key_size);
  return hash64(value, value_size, hash64(place, 8 + key_size, 0));
}
