/* Bytes written by hand. */
#ifndef HEARTH_TESTS_HEX_H
#define HEARTH_TESTS_HEX_H

#include "buffer.h"
#include "codec_testing.h"

/* Appends bytes given as hex digits, two each; spaces between them do not count. */
static inline void put_hex(Buffer *b, const char *hex) {
  for (; *hex != '\0'; hex++) {
    unsigned byte;
    if (*hex == ' ') continue;
    assert_int_equal(sscanf(hex, "%2x", &byte), 1);
    buffer_byte(b, (unsigned char)byte);
    hex++;
  }
}

#endif
