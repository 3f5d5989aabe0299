/* hearth log: the commits that are still there, oldest first. */
#include <inttypes.h>

#include "command.h"

typedef struct Listing {
  bool json;
  uint64_t count;
} Listing;

static int print_json(Listing *l, const hearth_batch *b) {
  (void)printf("%s\n{\"commit\":%" PRIu64 ",\"time\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"operations\":%" PRIu64 "}",
               l->count++ > 0 ? "," : "", b->sequence, b->time, b->bytes, b->operations);
  return ferror(stdout);
}

/* The first may stand for all before it. */
static int print_line(Listing *l, const hearth_batch *b) {
  char time[TIME_TEXT];
  time_text(time, b->time);
  bool base = l->count++ == 0 && b->sequence > 1;
  (void)printf("%8" PRIu64 "  %-27s %12" PRIu64 " %10" PRIu64 "%s\n", b->sequence, time, b->bytes, b->operations,
               base ? "  with all before it" : "");
  return ferror(stdout);
}

static int on_batch(void *ud, const hearth_batch *batch) {
  Listing *l = ud;
  return l->json ? print_json(l, batch) : print_line(l, batch);
}

static int list(const Storage *s, Listing *l) {
  hearth_error err;
  int stopped = 0;
  if (!hearth_backend_keeps_batches(s->backend))
    return complain(STATUS_NO_STORE, "%s: the %s backend keeps no earlier commits", s->location, s->backend->name);
  if (l->json)
    (void)putchar('[');
  else
    (void)printf("%8s  %-27s %12s %10s\n", "commit", "time", "bytes", "operations");
  if (s->backend->history(s->store, on_batch, l, &stopped, &err) != HEARTH_OK)
    return complain_about(STATUS_FAILED, s->location, &err);
  if (l->json) (void)fputs("\n]\n", stdout);
  return finish_output();
}

int command_log(Call *call) {
  Listing l = {0};
  const Option options[] = {{"json", &l.json, NULL}, {NULL, NULL, NULL}};
  Storage s;
  int status;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  status = storage_open(call, HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE, &s);
  if (status != STATUS_OK) return status;
  status = list(&s, &l);
  int closed = storage_close(&s);
  return status != STATUS_OK ? status : closed;
}
