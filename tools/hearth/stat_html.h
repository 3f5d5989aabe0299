#ifndef HEARTH_TOOL_STAT_HTML_H
#define HEARTH_TOOL_STAT_HTML_H

#include "look.h"

/* Writes the page about a store to a file, which must not exist, or for "-" to standard output. */
int stat_html(Look *look, const char *path);

#endif
