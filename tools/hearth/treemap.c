#include "treemap.h"

#include <stdlib.h>

#define DEEPEST 40
#define LEAST_AREA 20.0 /* a smaller rectangle is not shown by itself */
#define STRIP 15.0      /* for the name of what has children */
#define MARGIN 2.0

typedef struct Item {
  uint64_t bytes, more;
  uint32_t node;
  bool itself;
} Item;

typedef struct Area {
  double x, y, width, height;
} Area;

typedef struct Lay {
  const Account *account;
  Buffer *rects;
  bool no_memory;
} Lay;

static int by_bytes(const void *a, const void *b) {
  const Item *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->node < y->node ? -1 : x->node > y->node;
}

/* The children of a node, itself as one of them, the largest first; the small ones together. NULL: no memory. */
static Item *list_items(const Account *a, uint32_t node, double scale, size_t *count) {
  const AccountNode *n = account_node(a, node);
  Item *items = calloc((size_t)n->count + 2, sizeof *items);
  Item small = {.node = node};
  *count = 0;
  if (items == NULL) return NULL;
  if (n->own > 0) items[(*count)++] = (Item){n->own, 0, node, true};
  for (uint32_t i = 0; i < n->count; i++) {
    uint64_t bytes = account_node(a, n->first + i)->total;
    if ((double)bytes * scale >= LEAST_AREA) {
      items[(*count)++] = (Item){bytes, 0, n->first + i, false};
    } else if (bytes > 0) {
      small.bytes += bytes;
      small.more++;
    }
  }
  if (small.more > 0) items[(*count)++] = small;
  qsort(items, *count, sizeof *items, by_bytes);
  return items;
}

/* How far the worst rectangle of a row is from a square. */
static double worst(double sum, double least, double most, double side) {
  double s = side * side, t = sum * sum;
  double wide = s * most / t, tall = t / (s * least);
  return wide > tall ? wide : tall;
}

static void lay_node(Lay *l, uint32_t node, Area area, unsigned depth);

static void put_item(Lay *l, const Item *item, Area area, unsigned depth) {
  TreemapRect r = {area.x, area.y, area.width, area.height, item->node, depth, item->more, item->bytes, item->itself,
                   false};
  if (!item->itself && item->more == 0) {
    lay_node(l, item->node, area, depth);
    return;
  }
  if (area.width < 1 || area.height < 1) return;
  buffer_put(l->rects, &r, sizeof r);
}

/* Fills the shorter side of the area with items first..end, and takes them off the area. */
static void put_row(Lay *l, const Item *first, const Item *end, double sum, double scale, Area *area, unsigned depth) {
  bool upright = area->width >= area->height;
  double side = upright ? area->height : area->width, thick = side > 0 ? sum / side : 0, at = 0;
  for (const Item *i = first; i < end; i++) {
    double length = thick > 0 ? (double)i->bytes * scale / thick : 0;
    Area place = upright ? (Area){area->x, area->y + at, thick, length} : (Area){area->x + at, area->y, length, thick};
    put_item(l, i, place, depth);
    at += length;
  }
  if (upright) {
    area->x += thick;
    area->width -= thick;
  } else {
    area->y += thick;
    area->height -= thick;
  }
}

static void lay_items(Lay *l, const Item *items, size_t count, double scale, Area area, unsigned depth) {
  const Item *first = items, *all = items + count;
  while (first < all) {
    double side = area.width < area.height ? area.width : area.height;
    double most = (double)first->bytes * scale, sum = most, ratio = worst(sum, most, most, side);
    const Item *end = first + 1;
    for (; end < all; end++) {
      double next = (double)end->bytes * scale, longer = worst(sum + next, next, most, side);
      if (longer > ratio) break;
      ratio = longer;
      sum += next;
    }
    put_row(l, first, end, sum, scale, &area, depth);
    first = end;
  }
}

static void lay_node(Lay *l, uint32_t node, Area area, unsigned depth) {
  const AccountNode *n = account_node(l->account, node);
  bool strip = area.height > 2 * STRIP && area.width > 2 * STRIP;
  TreemapRect r = {area.x, area.y, area.width, area.height, node, depth, 0, n->total, false, strip && n->count > 0};
  if (area.width < 1 || area.height < 1) return;
  buffer_put(l->rects, &r, sizeof r);
  Area inner = {area.x + MARGIN, area.y + (strip ? STRIP : MARGIN), area.width - 2 * MARGIN,
                area.height - MARGIN - (strip ? STRIP : MARGIN)};
  if (n->count == 0 || n->total == n->own || depth == DEEPEST || inner.width < 6 || inner.height < 6) return;
  double scale = inner.width * inner.height / (double)n->total;
  size_t count;
  Item *items = list_items(l->account, node, scale, &count);
  if (items == NULL) {
    l->no_memory = true;
    return;
  }
  lay_items(l, items, count, scale, inner, depth + 1);
  free(items);
}

bool treemap_lay(const Account *a, double width, double height, Buffer *rects) {
  Lay l = {a, rects, false};
  if (account_node(a, 0)->total > 0) lay_node(&l, 0, (Area){0, 0, width, height}, 0);
  return !l.no_memory && !rects->failed;
}
