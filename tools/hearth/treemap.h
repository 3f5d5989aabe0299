/*
** A treemap: a rectangle for each node, inside that of its parent, as large as what it takes. Rows are filled as long
** as that makes their rectangles more square (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000).
*/
#ifndef HEARTH_TOOL_TREEMAP_H
#define HEARTH_TOOL_TREEMAP_H

#include "account.h"

typedef struct TreemapRect {
  double x, y, width, height;
  uint32_t node;
  unsigned depth;
  uint64_t more;  /* 0, or so many children of `node` that are too small to be shown, in one rectangle */
  uint64_t bytes;
  bool itself;    /* what the node takes without its children */
  bool title;     /* it has a strip above its children */
} TreemapRect;

/* Parents before their children. False: no memory. The result is freed as a buffer. */
bool treemap_lay(const Account *a, double width, double height, Buffer *rects);

#endif
