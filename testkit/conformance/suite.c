/* The list of cases, and running them. */
#include "fixture.h"

static const Case *const chapters[] = {kit_reading_cases, kit_batch_cases,  kit_part_cases,  kit_level_cases,
                                       kit_pending_cases, kit_opener_cases, kit_earlier_cases, kit_memory_cases,
                                       kit_older_cases,   kit_disk_cases,   kit_power_cases};

#define CHAPTERS (sizeof chapters / sizeof *chapters)

static const Case *find_case(size_t number) {
  for (size_t i = 0; i < CHAPTERS; i++)
    for (const Case *c = chapters[i]; c->name != NULL; c++)
      if (number-- == 0) return c;
  return NULL;
}

size_t hearth_testkit_case_count(void) {
  size_t count = 0;
  while (find_case(count) != NULL) count++;
  return count;
}

const char *hearth_testkit_case_name(size_t number) {
  const Case *c = find_case(number);
  return c != NULL ? c->name : NULL;
}

const char *hearth_testkit_case_rule(size_t number) {
  const Case *c = find_case(number);
  return c != NULL ? c->rule : NULL;
}

static const char *missing(const hearth_testkit_subject *s, unsigned needs) {
  if ((needs & NEEDS_PERSISTENCE) != 0 && !s->persistent) return "the subject is not persistent";
  if ((needs & NEEDS_PENDING) != 0 && s->settle == NULL) return "the subject is not asynchronous";
  if ((needs & NEEDS_DISK) != 0 && s->on_disk == NULL) return "the subject does not run on the disk of the kit";
  if ((needs & NEEDS_HISTORY) != 0 && !hearth_backend_keeps_batches(s->backend)) return "the backend keeps no batches";
  return NULL;
}

/* Whatever the case has left open is closed, and nothing judged any more. */
static void clean_up(Fixture *f) {
  if (f->disk != NULL) hearth_disk_observe(f->disk, NULL, NULL);
  if (f->disk != NULL) hearth_disk_disarm(f->disk);
  f->memory.fail_at = -1;
  for (size_t i = 0; i < MOST_STORES; i++)
    if (f->others[i] != NULL) (void)f->backend->close(f->others[i], NULL);
  if (f->store != NULL) (void)f->backend->close(f->store, NULL);
  for (size_t i = 0; i < 2; i++)
    if (f->after[i] != NULL) hearth_disk_free(f->after[i]);
  if (f->disk != NULL) hearth_disk_free(f->disk);
  for (size_t i = 0; i < 2; i++) free(f->scratch[i]);
  if (f->disk == NULL && f->subject->leave != NULL) f->subject->leave(f->subject->ud, f->location);
}

static void run(Fixture *f, const Case *c) {
  bool alone = (c->needs & NEEDS_DISK) != 0; /* such a case makes its own disks */
  if (!alone && f->subject->arrive != NULL) f->location = f->subject->arrive(f->subject->ud);
  if (setjmp(f->end) == 0) {
    if (!alone) kit_open_store(f);
    c->run(f);
    kit_judge(f);
    for (size_t i = 0; i < MOST_STORES; i++)
      if (f->others[i] != NULL) kit_close_other(f, i);
    if (f->store != NULL) kit_close_store(f);
  }
  clean_up(f);
}

hearth_testkit_outcome hearth_testkit_run_case(const hearth_testkit_subject *given, size_t number,
                                               hearth_testkit_report report, void *ud) {
  const Case *c = find_case(number);
  if (c == NULL || given->size < offsetof(hearth_testkit_subject, on_disk)) abort();
  hearth_testkit_subject subject = {0};
  memcpy(&subject, given, given->size < sizeof subject ? given->size : sizeof subject);
  hearth_testkit_result result = {.name = c->name, .rule = c->rule, .message = missing(&subject, c->needs)};
  Fixture *f = calloc(1, sizeof *f);
  if (f == NULL) abort();
  f->subject = &subject;
  f->backend = subject.backend;
  f->memory.fail_at = -1;
  if (result.message != NULL) {
    result.outcome = HEARTH_TESTKIT_SKIPPED;
  } else {
    run(f, c);
    result.outcome = f->failed ? HEARTH_TESTKIT_FAILED : HEARTH_TESTKIT_PASSED;
    result.file = f->file;
    result.line = f->line;
    result.message = f->message;
  }
  if (report != NULL) report(ud, &result);
  free(f);
  return result.outcome;
}

size_t hearth_testkit_run(const hearth_testkit_subject *subject, hearth_testkit_report report, void *ud) {
  size_t failed = 0;
  for (size_t i = 0; i < hearth_testkit_case_count(); i++)
    if (hearth_testkit_run_case(subject, i, report, ud) == HEARTH_TESTKIT_FAILED) failed++;
  return failed;
}

void hearth_testkit_print(void *ud, const hearth_testkit_result *result) {
  static const char *const outcomes[] = {"ok      ", "FAILED  ", "skipped "};
  (void)ud;
  printf("%s %s%s%s\n", outcomes[result->outcome], result->name, result->message[0] != '\0' ? ": " : "",
         result->message);
  (void)fflush(stdout);
  if (result->outcome == HEARTH_TESTKIT_FAILED)
    (void)fprintf(stderr, "%s failed at %s:%d: %s\n    the rule: %s\n", result->name, result->file, result->line,
                  result->message, result->rule);
}
