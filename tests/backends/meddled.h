/* What suites share that meddle with a store's disk: one store, a new one for each test. */
#ifndef HEARTH_TESTS_MEDDLED_H
#define HEARTH_TESTS_MEDDLED_H

#include "diskstore.h"
#include "meddler.h"

static DiskStore d; /* hooks see it too */

static int begin(void **state) {
  (void)state;
  diskstore_init(&d);
  meddle(d.disk);
  return 0;
}

static int end(void **state) {
  (void)state;
  meddle_no_more();
  diskstore_done(&d);
  return 0;
}

#endif
