/* The drawings of the page: the treemap, and the chart of commits. */
#include <inttypes.h>

#include "page.h"
#include "treemap.h"

#define MAP_WIDTH 1200.0
#define MAP_HEIGHT 640.0
#define CHARACTER 6.8 /* about as wide as one of a label is */
#define MOST_RECTS 4000

#define CHART_WIDTH 1200.0
#define CHART_HEIGHT 160.0
#define MOST_BARS 240

void page_put_class(Buffer *out, AccountKind kind) {
  view_print(out, "k%d", (int)kind);
}

static void put_name(Buffer *out, const Account *a, const TreemapRect *r, Buffer *path) {
  buffer_clear(path);
  account_put_path(a, r->node, NULL, path);
  if (path->size == 0) view_print(path, "the store");
  page_put_shortened(out, path, 300);
  if (r->more > 0) {
    view_print(out, ": ");
    page_put_number(out, r->more);
    view_print(out, " smaller ones");
  } else if (r->itself) {
    view_print(out, " without what it leads to");
  }
}

/* Within its rectangle: how wide a letter is, the reader's font says, so that what is too long is cut off there. */
static void put_label(Buffer *out, const Account *a, const TreemapRect *r) {
  const AccountNode *n = account_node(a, r->node);
  size_t room = (size_t)((r->width - 6) / CHARACTER);
  Buffer step = {.data = a->steps.data + n->step, .size = n->step_size};
  if (step.size > 0 && step.data[0] == '.') {
    step.data++;
    step.size--;
  }
  bool fits = r->height >= 14 && room >= 3 && (step.size <= room || room >= 8);
  if (r->more > 0 || r->itself || step.size == 0 || !fits) return;
  view_print(out, "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                  "<text x=\"3\" y=\"11.5\" aria-hidden=\"true\">", r->x, r->y, r->width, r->height);
  page_put_shortened(out, &step, room);
  view_print(out, "</text></svg>");
}

static void put_rect(Buffer *out, const Account *a, const TreemapRect *r, Buffer *path) {
  view_print(out, "<g><title>");
  put_name(out, a, r, path);
  view_print(out, ", ");
  page_put_bytes(out, r->bytes);
  view_print(out, "</title><rect class=\"");
  page_put_class(out, r->more > 0 ? ACCOUNT_ROOT : account_node(a, r->node)->kind);
  view_print(out, "\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", r->x, r->y, r->width, r->height);
  put_label(out, a, r);
  view_print(out, "</g>\n");
}

bool page_put_map(Buffer *out, const Account *a) {
  Buffer rects, path;
  buffer_init(&rects, &hearth_libc_allocator);
  buffer_init(&path, &hearth_libc_allocator);
  bool ok = treemap_lay(a, MAP_WIDTH, MAP_HEIGHT, &rects);
  size_t count = rects.size / sizeof(TreemapRect);
  view_print(out, "<div class=\"scroll\" tabindex=\"0\"><svg class=\"drawing\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
                  "aria-labelledby=\"map\">", MAP_WIDTH, MAP_HEIGHT);
  view_print(out, "<title id=\"map\">");
  view_print(out, "Treemap: rectangles as large as what the objects take; the table below says the same</title>\n");
  for (size_t i = 0; i < count && i < MOST_RECTS && ok; i++)
    put_rect(out, a, (const TreemapRect *)(const void *)rects.data + i, &path);
  view_print(out, "</svg></div>\n");
  ok = ok && !path.failed;
  buffer_free(&rects);
  buffer_free(&path);
  return ok;
}

/* To base 2, and 0 of 0; between powers of two a straight line. */
static double logarithm(uint64_t n) {
  int whole = 0;
  if (n == 0) return 0;
  while (n >> whole > 1) whole++;
  return whole + (double)n / (double)((uint64_t)1 << whole) - 1;
}

void page_put_chart(Buffer *out, const hearth_batch *batches, size_t count) {
  size_t first = count > MOST_BARS ? count - MOST_BARS : 0;
  uint64_t most = 2;
  for (size_t i = first; i < count; i++)
    if (batches[i].bytes > most) most = batches[i].bytes;
  double step = CHART_WIDTH / (double)(count - first), width = step > 60 ? 60 : step;
  view_print(out, "<svg class=\"drawing\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"chart\">",
             CHART_WIDTH, CHART_HEIGHT);
  view_print(out, "<title id=\"chart\">");
  view_print(out, "Bytes of each commit as bars on a logarithmic scale, up to ");
  page_put_bytes(out, most);
  view_print(out, "; the table below says the same of the last ones</title>\n");
  for (size_t i = first; i < count; i++) {
    const hearth_batch *b = &batches[i];
    double height = logarithm(b->bytes) / logarithm(most) * CHART_HEIGHT;
    char time[TIME_TEXT];
    time_text(time, b->time);
    view_print(out, "<g><title>commit %" PRIu64 ", %s, ", b->sequence, time);
    page_put_bytes(out, b->bytes);
    view_print(out, "</title><rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></g>\n",
               (double)(i - first) * width, CHART_HEIGHT - height, width, height);
  }
  view_print(out, "</svg>\n");
}
