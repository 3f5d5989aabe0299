/*
** hearth copy: from one backend to another, whole and checked. What a copy that was stopped leaves is no store, and the
** same command goes on with it.
*/
#include "copy.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "copy_uri.h"
#include "progress.h"

typedef struct Copying {
  Copy copy;
  Call from, to;
  Storage source, target;
  Progress progress;
  char of_all[48];  /* the progress line's unit: "of 1000 entries" */
  bool transferred; /* every entry is written */
} Copying;

typedef hearth_status (*CopyStep)(Copy *c, hearth_error *err);

/* -------------------------------------------------------------- interrupt */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
  (void)number;
  interrupted = 1;
}

/* The first one ends the copy between two steps, a second one the process. */
static void watch_interrupts(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART | (int)SA_RESETHAND;
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* as under nohup */
      (void)sigaction(numbers[i], &action, NULL);
}

/* ------------------------------------------------------------------ steps */

/* What a copy that ends early leaves behind. */
static const char *remains(const Copying *c) {
  switch (c->copy.mode) {
    case COPY_NEW:
    case COPY_RESUMED: return " (what is copied so far stays: the same command goes on)";
    case COPY_REPLACED: return c->transferred ? " (the destination was replaced)" : " (the destination is what it was)";
    default: return "";
  }
}

static int fail(Copying *c, const hearth_error *err) {
  hearth_error all = *err;
  bool refused = c->copy.at_source && c->copy.mode == 0 && err->code != HEARTH_IO && err->code != HEARTH_NOMEM;
  if (all.message[0] == '\0') (void)snprintf(all.message, sizeof all.message, "%s", hearth_status_text(all.code));
  const char *hint = all.code == HEARTH_EXISTS ? " (--replace makes it what the source is)" : remains(c);
  size_t used = strlen(all.message), room = sizeof all.message - 1 - strlen(hint);
  (void)snprintf(all.message + (used < room ? used : room), strlen(hint) + 1, "%s", hint);
  return complain_about(refused ? STATUS_NO_STORE : STATUS_FAILED,
                        c->copy.at_source ? c->source.location : c->target.location, &all);
}

/* Repeats a step until it is done. Every backend here answers at once: PENDING means that there is more to do. */
static int repeat(Copying *c, const char *what, CopyStep step) {
  hearth_error err;
  hearth_status status;
  progress_begin(&c->progress, what, c->of_all);
  while ((status = step(&c->copy, &err)) == HEARTH_PENDING && !interrupted)
    progress_portion(&c->progress, c->copy.done);
  progress_end(&c->progress);
  if (status == HEARTH_PENDING) return complain(STATUS_FAILED, "%s: interrupted%s", c->target.location, remains(c));
  return status == HEARTH_OK ? STATUS_OK : fail(c, &err);
}

/* What is checked shall be read from where it is kept, not from what the writer remembers. */
static int reopen(Copying *c) {
  if (c->target.backend->max_durability <= HEARTH_VISIBLE) return STATUS_OK; /* nothing survives a close */
  int status = storage_close(&c->target);
  c->target.store = NULL;
  if (status == STATUS_OK) status = storage_open(&c->to, HEARTH_OPEN_NO_CREATE, &c->target);
  copy_reopened(&c->copy, c->target.store);
  return status;
}

/* Only for a terminal: some backends count by looking at everything. */
static void note_entries(Copying *c) {
  hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, live_bytes)};
  (void)snprintf(c->of_all, sizeof c->of_all, "entries");
  progress_begin(&c->progress, "copy", c->of_all);
  if (c->progress.terminal && c->source.backend->stat(c->source.store, &stat, NULL) == HEARTH_OK)
    (void)snprintf(c->of_all, sizeof c->of_all, "of %" PRIu64 " entries", stat.entries);
}

static int print_result(const Copying *c) {
  const Totals *t = &c->copy.from_totals;
  char digest[TOTALS_TEXT];
  totals_digest_text(t, digest);
  if (c->copy.mode != COPY_NEW)
    (void)printf("%" PRIu64 " entries were written, the others were there\n", c->copy.written);
  (void)printf("copied %" PRIu64 " tables, %" PRIu64 " entries, %" PRIu64 " bytes, digest %s: equal on both sides\n",
               t->tables, t->entries, t->bytes, digest);
  return finish_output();
}

/* Both stores are open, and the source can be read. */
static int copy_all(Copying *c) {
  hearth_error err;
  const CopySide to = {c->target.backend, c->target.store};
  if (copy_into(&c->copy, &to, &err) != HEARTH_OK) return fail(c, &err);
  if (c->copy.mode == COPY_RESUMED)
    (void)printf("%s: going on with an unfinished copy%s\n", c->target.location,
                 c->copy.moved_on ? "; the source has moved on since, and what differs is written again" : "");
  (void)fflush(stdout);
  note_entries(c);
  int status = repeat(c, "copy", copy_transfer);
  if (status != STATUS_OK) return status;
  c->transferred = true;
  if ((status = reopen(c)) != STATUS_OK) return status;
  if ((status = repeat(c, "check", copy_check)) != STATUS_OK) return status;
  if ((status = repeat(c, "copy", copy_finish)) != STATUS_OK) return status;
  return print_result(c);
}

static int copy_from(Copying *c, const char *source, bool replace) {
  hearth_error err;
  const CopySide from = {c->source.backend, c->source.store};
  const CopyOptions options = {.source = source, .replace = replace};
  int status = copy_begin(&c->copy, &from, &options, &err) != HEARTH_OK ? fail(c, &err) : STATUS_OK;
  if (status == STATUS_OK) status = storage_open(&c->to, 0, &c->target);
  if (status == STATUS_OK) status = copy_all(c);
  copy_end(&c->copy);
  int closed = c->target.store != NULL ? storage_close(&c->target) : STATUS_OK;
  return status != STATUS_OK ? status : closed;
}

/* What a URI names in the file system, if it names something there. */
static bool find_file(const char *uri, struct stat *info) {
  const char *colon = strchr(uri, ':');
  return colon != NULL && strncmp(uri, "postgresql:", 11) != 0 && stat(colon + 1, info) == 0;
}

/* Is it one file, whatever its names are? Two names of one place in a server cannot be told: nothing differs there. */
static bool is_same(const char *from, const char *to) {
  struct stat a, b;
  if (strcmp(from, to) == 0) return true;
  return find_file(from, &a) && find_file(to, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int command_copy(Call *call) {
  const char *to = NULL;
  bool replace = false;
  const Option options[] = {{"from", NULL, &call->uri}, {"to", NULL, &to}, {"replace", &replace, NULL},
                            {NULL, NULL, NULL}};
  char source[4352];
  int status;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  if (to == NULL) return complain(STATUS_USAGE, "copy: --to URI is missing (try: hearth copy --help)");
  if (is_same(call->uri, to)) return complain(STATUS_USAGE, "copy: --from and --to are the same store");
  Copying c = {.from = *call, .to = *call};
  c.to.uri = to;
  (void)snprintf(source, sizeof source, "%s", call->uri);
  hide_passwords(source, "");
  status = storage_open(&c.from, HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE, &c.source);
  if (status != STATUS_OK) return status;
  watch_interrupts();
  status = copy_from(&c, source, replace);
  int closed = storage_close(&c.source);
  return status != STATUS_OK ? status : closed;
}
