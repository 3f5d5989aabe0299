/* What commands that print JSON share; there is Jansson where it is included. */
#ifndef HEARTH_TOOL_DUMP_JSON_H
#define HEARTH_TOOL_DUMP_JSON_H

#include <jansson.h>

#include "view.h"

/* A value that was read from `o` (NULL: from no object), as dump writes it. NULL: memory is exhausted. */
json_t *dump_json_value(const ViewObject *o, const Value *v);

#endif
