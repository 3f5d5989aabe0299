/*
** The conformance suite on the indexeddb backend and the browser's own database, for conformance_page.js. As in the
** package, JavaScript opens, refreshes and closes the database around what the backend does; imports that say
** "waits" suspend the program meanwhile (WebAssembly.Suspending), so that the browser's events go on.
*/
#include <string.h>

#include "error.h"
#include "hearth_testkit.h"
#include "indexeddb.h"

#define PAGE(name) __attribute__((import_module("page"), import_name(#name))) extern
#define EXPORT(name) __attribute__((used, visibility("default"), export_name(#name))) name

/* Writes a name under which there is no database, with its '\0'. */
PAGE(arrive) void page_arrive(char *name, size_t room);

/* Waits: removes the database of that name, which nobody may have open. */
PAGE(leave) void page_leave(const char *name);

/* Waits: opens the database, which the backend then finds by its name: a number above 0, or a status and its reason. */
PAGE(open) int page_open(const char *name, unsigned flags, char *reason, size_t room);

/* The store that the backend has opened there; NULL: it has not, and the database is closed. */
PAGE(opened) void page_opened(int number, const hearth_backend_store *store);

/* The database of a store, which is closed already, is closed when everything appended was written. Does not wait. */
PAGE(close) void page_close(const hearth_backend_store *store);

/* Waits: a reader's database is read again: 0, or a status with its reason. */
PAGE(refresh) int page_refresh(const hearth_backend_store *store, char *reason, size_t room);

/* Waits: everything appended was written, and readers have heard of it. */
PAGE(settle) void page_settle(void);

/* All are texts that end in '\0'; `file` may be NULL. */
PAGE(report) void page_report(hearth_testkit_outcome outcome, const char *message, const char *file, int line);

/* ------------------------------------------------------------- backend */

static hearth_status open_both(const hearth_backend_config *config, hearth_backend_store **out, hearth_error *err) {
  char reason[400];
  *out = NULL;
  int number = page_open(config->location, config->flags, reason, sizeof reason);
  if (number <= 0) return hearth_fail(err, (hearth_status)number, "%s", reason);
  hearth_status status = hearth_indexeddb_backend.open(config, out, err);
  page_opened(number, *out);
  return status;
}

static hearth_status close_both(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = hearth_indexeddb_backend.close(store, err);
  page_close(store);
  return status;
}

static hearth_status refresh_both(hearth_backend_store *store, hearth_error *err) {
  char reason[400];
  int status = page_refresh(store, reason, sizeof reason);
  if (status != HEARTH_OK) return hearth_fail(err, (hearth_status)status, "%s", reason);
  return hearth_indexeddb_backend.refresh(store, err);
}

/* ------------------------------------------------------------- subject */

static const char *arrive(void *ud) {
  static char name[64];
  (void)ud;
  page_arrive(name, sizeof name);
  return name;
}

static void leave(void *ud, const char *location) {
  (void)ud;
  page_leave(location);
}

static void settle(void *ud) {
  (void)ud;
  page_settle();
}

static void report(void *ud, const hearth_testkit_result *result) {
  (void)ud;
  page_report(result->outcome, result->message, result->file, result->line);
}

size_t EXPORT(case_count)(void) {
  return hearth_testkit_case_count();
}

const char *EXPORT(case_name)(size_t number) {
  return hearth_testkit_case_name(number);
}

const char *EXPORT(case_rule)(size_t number) {
  return hearth_testkit_case_rule(number);
}

void EXPORT(case_run)(size_t number) {
  hearth_backend backend = hearth_indexeddb_backend;
  backend.open = open_both;
  backend.close = close_both;
  backend.refresh = refresh_both;
  const hearth_testkit_subject subject = {.size = sizeof subject, .name = "indexeddb", .backend = &backend,
                                          .persistent = true, .arrive = arrive, .leave = leave, .settle = settle,
                                          .begins_with_a_batch = true, .keeps_no_batches = true};
  (void)hearth_testkit_run_case(&subject, number, report, NULL);
}
