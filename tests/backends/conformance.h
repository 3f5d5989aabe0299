/* What every backend must do, run on each through a small description of it. */
#ifndef HEARTH_TESTS_CONFORMANCE_H
#define HEARTH_TESTS_CONFORMANCE_H

#include "hearth_backend.h"
#include "hearth_environment.h"

typedef struct ConformanceSubject {
  const char *name;
  const hearth_backend *backend;
  bool persistent; /* what was committed is there after reopening */
  /* Makes a place where nothing is, and returns its location, valid until leave; NULL where there are none. */
  const char *(*arrive)(void *ud);
  void (*leave)(void *ud, const char *location);
  const hearth_environment *(*environment)(void *ud); /* NULL: the operating system's */
  /* Lets what is pending come to its end, well; NULL where nothing ever is. */
  void (*settle)(void *ud);
  bool begins_with_a_batch; /* there is no store at a place before its first batch */
  bool keeps_no_batches;    /* compact with keep > 0 is unsupported */
  const char *on_disk;      /* as in hearth_testkit_subject */
  void *ud;
} ConformanceSubject;

/* Runs the suite; the number of tests that failed. */
int conformance_run(const ConformanceSubject *subject);

#endif
