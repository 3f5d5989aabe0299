#include "golden.h"

bool hearth_testkit_golden(size_t number, hearth_testkit_golden_file *out) {
  if (number >= kit_golden_count) return false;
  const GoldenRow *row = &kit_golden_rows[number];
  *out = (hearth_testkit_golden_file){row->name, row->kind, row->version,   row->bytes,
                                      row->size, (const char *)row->text, row->text_size};
  return true;
}
