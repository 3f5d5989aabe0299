/* hearth stat: the figures of a store. */
#include <inttypes.h>

#include "look.h"
#include "progress.h"
#include "stat_html.h"
#include "totals.h"

typedef struct Counting {
  uint64_t objects, constants, externals;
} Counting;

static int count_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)table, (void)value, (void)value_size;
  Counting *c = ud;
  switch (layout_get_key(key, key_size).kind) {
    case LAYOUT_OBJECT: c->objects++; break;
    case LAYOUT_CONSTANT: c->constants++; break;
    case LAYOUT_EXTERNAL: c->externals++; break;
    default: break;
  }
  return 0;
}

static void line(const char *name, uint64_t n, const char *unit) {
  (void)printf("%-16s %" PRIu64 "%s\n", name, n, unit);
}

static void print_saved(uint64_t milliseconds) {
  char text[TIME_TEXT];
  time_text(text, milliseconds);
  (void)printf("%-16s %s\n", "saved", text);
}

static void print_writer(const char *writer) {
  Buffer text;
  buffer_init(&text, &hearth_libc_allocator);
  view_put_quoted(&text, (const unsigned char *)writer, strlen(writer), 0);
  (void)printf("%-16s %.*s\n", "writer", (int)text.size, text.size > 0 ? (const char *)text.data : "");
  buffer_free(&text);
}

/* What hearth copy compares. */
static int print_digest(const Storage *storage) {
  const CopySide side = {storage->backend, storage->store};
  hearth_error err;
  Progress p;
  Count count;
  char text[TOTALS_TEXT];
  progress_begin(&p, "digest", "entries");
  hearth_status status = totals_begin(&count, &side, &hearth_libc_allocator, &err);
  while (status == HEARTH_OK && (status = totals_step(&count, &err)) == HEARTH_PENDING) {
    progress_portion(&p, count.totals.entries);
    status = HEARTH_OK;
  }
  progress_end(&p);
  totals_end(&count);
  if (status != HEARTH_OK) return complain_about(STATUS_FAILED, storage->location, &err);
  totals_digest_text(&count.totals, text);
  (void)printf("%-16s %s\n", "digest", text);
  return STATUS_OK;
}

int command_stat(Call *call) {
  bool digest = false;
  const char *at = NULL, *html = NULL;
  const Option options[] = {{"digest", &digest, NULL}, {"at", NULL, &at}, {"html", NULL, &html}, {NULL, NULL, NULL}};
  hearth_error err;
  Look look;
  Counting c = {0, 0, 0};
  hearth_backend_stat s = {.size = sizeof s};
  int status, result = 0;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  if (!option_at("at", at, &call->at)) return STATUS_USAGE;
  status = look_at_store(call, &look);
  if (status != STATUS_OK) return status;
  if (html != NULL) return look_end(&look, stat_html(&look, html));
  const Storage *storage = &look.storage;
  const Metadata *m = &look.view.metadata;
  hearth_status outcome = storage->backend->stat(storage->store, &s, &err);
  if (outcome == HEARTH_OK)
    outcome = storage->backend->scan(storage->store, LAYOUT_TABLE, NULL, 0, NULL, 0, false, count_entry, &c, &result,
                                     &err);
  if (outcome != HEARTH_OK) return look_end(&look, complain_about(STATUS_FAILED, look.location, &err));
  (void)printf("%-16s %s:%s\n", "store", storage->backend->name, look.location);
  line("format", m->written_by, "");
  print_writer(m->writer);
  print_saved(m->saved_at);
  line("homeTableId", m->home_id, "");
  line("memoryTableId", m->memory_id, "");
  line("nextTableId", m->next_id, "");
  line("page size", m->page_size, " bytes");
  line("objects", c.objects, "");
  line("constants", c.constants, "");
  line("external tables", c.externals, "");
  line("entries", s.entries, "");
  line("live", s.live_bytes, " bytes");
  line("total", s.total_bytes, " bytes");
  line("last batch", s.sequence, "");
  line("durable batch", s.durable, "");
  status = digest ? print_digest(storage) : STATUS_OK;
  return look_end(&look, status == STATUS_OK ? finish_output() : status);
}
