/* The table that generate.py makes. */
#ifndef HEARTH_TESTKIT_GOLDEN_H
#define HEARTH_TESTKIT_GOLDEN_H

#include "hearth_testkit.h"

typedef struct GoldenRow {
  const char *name;
  hearth_testkit_golden_kind kind;
  unsigned version;
  const unsigned char *bytes;
  size_t size;
  const unsigned char *text; /* with a '\0' behind it */
  size_t text_size;
} GoldenRow;

extern const GoldenRow kit_golden_rows[];
extern const size_t kit_golden_count;

#endif
