#include "page.h"

#include <inttypes.h>
#include <stdlib.h>

#define MOST_PATHS 40
#define MOST_COMMITS 40
#define LONGEST_PATH 400

/* ----------------------------------------------------------------- pieces */

static void put_head(Buffer *out, const PageFacts *f) {
  buffer_put(out, "<!doctype html>\n", 16);
  view_print(out, "<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
  view_print(out, "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
  /* nothing is fetched and nothing runs, whatever stands in the store */
  view_print(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
                  "style-src 'unsafe-inline';img-src data:\">\n");
  view_print(out, "<link rel=\"icon\" href=\"data:,\">\n<title>");
  page_put_string(out, f->look->location);
  view_print(out, "</title>\n<style>\n");
  buffer_put(out, page_style, strlen(page_style));
  view_print(out, "</style></head>\n<body><main>\n");
}

static void put_fact(Buffer *out, const char *name, const char *value) {
  view_print(out, "<dt>%s</dt><dd>", name);
  page_put_string(out, value);
  view_print(out, "</dd>\n");
}

static void put_bytes_fact(Buffer *out, const char *name, uint64_t n) {
  view_print(out, "<dt>%s</dt><dd>", name);
  page_put_bytes(out, n);
  view_print(out, " (");
  page_put_number(out, n);
  view_print(out, ")</dd>\n");
}

static void put_count_fact(Buffer *out, const char *name, uint64_t n) {
  view_print(out, "<dt>%s</dt><dd>", name);
  page_put_number(out, n);
  view_print(out, "</dd>\n");
}

static void put_facts(Buffer *out, const PageFacts *f) {
  char time[TIME_TEXT];
  const Metadata *m = &f->look->view.metadata;
  time_text(time, m->saved_at);
  view_print(out, "<h1>");
  page_put_string(out, f->look->location);
  view_print(out, "</h1>\n<dl>\n");
  put_fact(out, "backend", f->look->storage.backend->name);
  put_fact(out, "written by", m->writer);
  put_fact(out, "saved", time);
  put_count_fact(out, "commit", f->stat.sequence);
  put_count_fact(out, "entries", f->stat.entries);
  put_bytes_fact(out, "in use", f->stat.live_bytes);
  put_bytes_fact(out, "where it is stored", f->stat.total_bytes);
  view_print(out, "</dl>\n");
}

static void put_cell(Buffer *out, uint64_t n, bool bytes) {
  view_print(out, "<td class=\"n\">");
  if (bytes)
    page_put_bytes(out, n);
  else
    page_put_number(out, n);
  view_print(out, "</td>");
}

static void put_path(Buffer *out, const Account *a, uint32_t node, const char *step) {
  Buffer path;
  buffer_init(&path, &hearth_libc_allocator);
  account_put_path(a, node, step, &path);
  view_print(out, "<td><code>");
  page_put_shortened(out, &path, LONGEST_PATH);
  view_print(out, "</code></td>");
  out->failed |= path.failed;
  buffer_free(&path);
}

static void begin_table(Buffer *out, const char *heads) {
  view_print(out, "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>%s</tr></thead><tbody>\n", heads);
}

static void end_table(Buffer *out) {
  view_print(out, "</tbody></table></div>\n");
}

/* ------------------------------------------------------------------- paths */

typedef struct Ranked {
  uint64_t own, total;
  uint32_t node;
} Ranked;

/* The nodes that take the most, the largest first; one pass, since there may be millions. */
static size_t rank(const Account *a, Ranked out[MOST_PATHS]) {
  size_t count = 0;
  for (uint32_t i = 1; i < account_count(a); i++) {
    const AccountNode *n = account_node(a, i);
    if (n->total == 0 || (count == MOST_PATHS && n->total <= out[count - 1].total)) continue;
    size_t k = count < MOST_PATHS ? count++ : count - 1;
    for (; k > 0 && out[k - 1].total < n->total; k--) out[k] = out[k - 1];
    out[k] = (Ranked){n->own, n->total, i};
  }
  return count;
}

static void put_paths(Buffer *out, const Account *a) {
  Ranked ranked[MOST_PATHS];
  size_t count = rank(a, ranked);
  begin_table(out, "<th>path</th><th>kind</th><th class=\"n\">with all below</th><th class=\"n\">itself</th>");
  for (size_t i = 0; i < count; i++) {
    view_print(out, "<tr>");
    put_path(out, a, ranked[i].node, NULL);
    view_print(out, "<td>%s</td>", account_one_name(account_node(a, ranked[i].node)->kind));
    put_cell(out, ranked[i].total, true);
    put_cell(out, ranked[i].own, true);
    view_print(out, "</tr>\n");
  }
  end_table(out);
}

static void put_legend(Buffer *out, const Account *a) {
  view_print(out, "<ul class=\"legend\" aria-label=\"Colours\">");
  for (int i = 0; i < ACCOUNT_ROOT; i++) {
    if (a->bytes[i] == 0) continue;
    view_print(out, "<li><span class=\"");
    page_put_class(out, (AccountKind)i);
    view_print(out, "\"></span>%s</li>", account_kind_name((AccountKind)i));
  }
  view_print(out, "</ul>\n");
}

static bool put_space(Buffer *out, const Account *a) {
  view_print(out,
             "<h2>What takes the space</h2>\n<p>Each object under the first path to it, nearest to the home table. "
             "An area is what its keys and values take.</p>\n");
  put_legend(out, a);
  bool ok = page_put_map(out, a);
  put_paths(out, a);
  return ok;
}

static void put_kinds(Buffer *out, const Account *a) {
  view_print(out, "<h2>Objects by kind</h2>\n");
  begin_table(out, "<th>kind</th><th class=\"n\">objects</th><th class=\"n\">bytes</th>");
  for (int i = 0; i < ACCOUNT_ROOT; i++) {
    if (a->counts[i] == 0) continue;
    view_print(out, "<tr><td>%s</td>", account_kind_name((AccountKind)i));
    put_cell(out, a->counts[i], false);
    put_cell(out, a->bytes[i], true);
    view_print(out, "</tr>\n");
  }
  end_table(out);
  if (a->counts[ACCOUNT_EXTERNAL] == 0) return;
  view_print(out, "<p>The external tables have ");
  page_put_number(out, a->entries);
  view_print(out, " entries.</p>\n");
}

/* ----------------------------------------------------------------- commits */

static void put_commits(Buffer *out, const PageFacts *f) {
  const hearth_batch *batches = (const hearth_batch *)(const void *)f->batches.data;
  size_t count = f->batches.size / sizeof *batches;
  view_print(out, "<h2>Commits</h2>\n");
  if (count == 0) {
    view_print(out, "<p>The %s backend keeps no earlier commits.</p>\n", f->look->storage.backend->name);
    return;
  }
  view_print(out, "<p>");
  page_put_number(out, count);
  view_print(out, " of them %s still in the file%s.</p>\n", count == 1 ? "is" : "are",
             batches[0].sequence > 1 ? ", the first with all before it" : "");
  view_print(out, "<p>Bytes of each, oldest first, on a logarithmic scale:</p>\n");
  page_put_chart(out, batches, count);
  begin_table(out, "<th class=\"n\">commit</th><th>time</th><th class=\"n\">bytes</th><th class=\"n\">operations</th>");
  for (size_t i = count, shown = 0; i-- > 0 && shown < MOST_COMMITS; shown++) {
    char time[TIME_TEXT];
    time_text(time, batches[i].time);
    view_print(out, "<tr>");
    put_cell(out, batches[i].sequence, false);
    view_print(out, "<td>%s</td>", time);
    put_cell(out, batches[i].bytes, true);
    put_cell(out, batches[i].operations, false);
    view_print(out, "</tr>\n");
  }
  end_table(out);
}

static void put_list(Buffer *out, const Account *a, const AccountList *l, const char *title, const char *heads) {
  view_print(out, "<h2>%s</h2>\n", title);
  if (l->count == 0) {
    view_print(out, "<p>There are none.</p>\n");
    return;
  }
  begin_table(out, heads);
  for (size_t i = 0; i < l->count; i++) {
    view_print(out, "<tr>");
    put_cell(out, l->items[i].size, true);
    put_path(out, a, l->items[i].node, l->items[i].step);
    view_print(out, "<td><code>");
    page_put_string(out, l->items[i].text);
    view_print(out, "</code></td></tr>\n");
  }
  end_table(out);
}

bool page_make(Buffer *out, const PageFacts *f) {
  const Account *a = &f->account;
  put_head(out, f);
  put_facts(out, f);
  bool ok = put_space(out, a);
  put_kinds(out, a);
  put_commits(out, f);
  put_list(out, a, &a->strings, "Largest strings",
           "<th class=\"n\">size</th><th>path</th><th>how it begins</th>");
  put_list(out, a, &a->prototypes, "Largest prototypes",
           "<th class=\"n\">size</th><th>path of a function that has it</th><th>where it was written</th>");
  view_print(out, "</main></body></html>\n");
  return ok && !out->failed;
}
