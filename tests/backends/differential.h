/* The same random operations on every backend and on a plain model; every answer must be the model's. */
#ifndef HEARTH_TESTS_DIFFERENTIAL_H
#define HEARTH_TESTS_DIFFERENTIAL_H

#include "hearth_testkit.h"

/* Runs so many lives of stores on each of the subjects, at most 8; the number of tests that failed. */
int differential_run(const hearth_testkit_subject *const *subjects, size_t count);

#endif
