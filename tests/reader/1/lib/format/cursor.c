#include "cursor.h"

uint64_t varint_get_bytes(Cursor *c) {
  uint64_t n = 0;
  for (unsigned shift = 0;; shift += 7) {
    unsigned char byte = cursor_byte(c);
    if (shift == 63 && byte > 1) break;
    n |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) break; /* one number has one form */
      return n;
    }
  }
  cursor_fail(c, "a number is not in its shortest form");
  return 0;
}

uint64_t fixed_get_bytes(Cursor *c, unsigned size) {
  const unsigned char *p = cursor_bytes(c, size);
  uint64_t n = 0;
  if (p != NULL)
    for (unsigned i = 0; i < size; i++) n |= (uint64_t)p[i] << (8 * i);
  return n;
}
