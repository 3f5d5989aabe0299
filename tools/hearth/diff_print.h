/* How differences are printed: as lines of text, or as JSON. */
#ifndef HEARTH_TOOL_DIFF_PRINT_H
#define HEARTH_TOOL_DIFF_PRINT_H

#include "diff.h"

typedef struct DiffPrinter {
  bool json;
  uint64_t printed;
  hearth_status status; /* what could not be read for it */
  hearth_error *err;
} DiffPrinter;

/* A Diff's `found`; `ud` is a DiffPrinter. */
bool print_difference(void *ud, const Difference *d);

/* False: this program has no JSON. */
bool diff_json_available(void);

/* One element. */
hearth_status print_difference_json(const DiffPrinter *p, const Difference *d);

/* What a value is, in one line: a scalar as Lua would read it, an object by its kind and number. */
hearth_status describe_side(Buffer *line, const DiffSide *side, hearth_error *err);

#endif
