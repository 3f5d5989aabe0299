#include "check.h"

#include "hash.h"

static unsigned char *put64(unsigned char *p, uint64_t n) {
  for (int i = 0; i < 8; i++, n >>= 8) *p++ = (unsigned char)n;
  return p;
}

uint64_t check_total(uint64_t table, const Total *total) {
  unsigned char bytes[32], *p = bytes;
  if (total->entries == 0) return 0;
  p = put64(p, table);
  p = put64(p, total->entries);
  p = put64(p, total->bytes);
  (void)put64(p, total->digest);
  return hash64(bytes, sizeof bytes, 0);
}

uint64_t check_numbers(const Numbers *numbers) {
  unsigned char bytes[24], *p = bytes;
  p = put64(p, numbers->sequence);
  p = put64(p, numbers->durable);
  (void)put64(p, numbers->digest);
  return hash64(bytes, sizeof bytes, 0);
}
