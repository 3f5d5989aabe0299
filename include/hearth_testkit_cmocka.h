/*
** The conformance suite as a group of cmocka tests. Include what cmocka.h asks for and cmocka.h itself before.
*/
#ifndef HEARTH_TESTKIT_CMOCKA_H
#define HEARTH_TESTKIT_CMOCKA_H

#include <stdlib.h>
#include <string.h>

#include "hearth_testkit.h"

/* What cmocka hands to one test, and what it said; for the functions below alone. */
typedef struct hearth_testkit_cmocka_case {
  const hearth_testkit_subject *subject; /* borrowed for the group's run */
  size_t number;                         /* of the case, from 0 */
  const char *file;                      /* where it failed, as in hearth_testkit_result */
  int line;                              /* there */
  char message[1024];                    /* the result's, cut where it is longer */
} hearth_testkit_cmocka_case;

static inline void hearth_testkit_cmocka_note(void *ud, const hearth_testkit_result *result) {
  hearth_testkit_cmocka_case *c = (hearth_testkit_cmocka_case *)ud;
  size_t size = strlen(result->message);
  if (size >= sizeof c->message) size = sizeof c->message - 1;
  memcpy(c->message, result->message, size);
  c->message[size] = '\0';
  c->file = result->file;
  c->line = result->line;
}

/* One case as a test. */
static inline void hearth_testkit_cmocka_run(void **state) {
  hearth_testkit_cmocka_case *c = (hearth_testkit_cmocka_case *)*state;
  switch (hearth_testkit_run_case(c->subject, c->number, hearth_testkit_cmocka_note, c)) {
  case HEARTH_TESTKIT_PASSED: break;
  case HEARTH_TESTKIT_SKIPPED:
    print_message("skipped: %s\n", c->message);
    skip();
    break;
  case HEARTH_TESTKIT_FAILED:
    print_error("%s (the rule: %s)\n", c->message, hearth_testkit_case_rule(c->number));
    _fail(c->file, c->line);
  }
}

/* Runs the suite as a group named like the subject; the number of tests that failed. */
static inline int hearth_testkit_run_cmocka(const hearth_testkit_subject *subject) {
  size_t count = hearth_testkit_case_count();
  struct CMUnitTest *tests = (struct CMUnitTest *)calloc(count, sizeof *tests);
  hearth_testkit_cmocka_case *cases = (hearth_testkit_cmocka_case *)calloc(count, sizeof *cases);
  if (tests == NULL || cases == NULL) abort();
  for (size_t i = 0; i < count; i++) {
    cases[i].subject = subject;
    cases[i].number = i;
    tests[i].name = hearth_testkit_case_name(i);
    tests[i].test_func = hearth_testkit_cmocka_run;
    tests[i].initial_state = &cases[i];
  }
  int failed = _cmocka_run_group_tests(subject->name, tests, count, NULL, NULL);
  free(cases);
  free(tests);
  return failed;
}

#endif
