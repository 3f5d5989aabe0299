/* Checking everything that a store holds, beyond what reading checks by itself. */
#ifndef HEARTH_VIEW_VERIFY_H
#define HEARTH_VIEW_VERIFY_H

#include "view.h"

typedef struct ViewVerify {
  void (*problem)(void *ud, const char *message); /* one line */
  void (*step)(void *ud, uint64_t done);          /* after each object */
  void *ud;
  uint64_t objects, constants, externals, fields; /* what was looked at */
  uint64_t problems;
} ViewVerify;

/*
** Reads every object, constant and external table of a store, and checks that references
** mean something of the right kind. Damage is a problem, and the check goes on; other
** failures (IO, NOMEM) end it. The counts are to be zero before.
*/
hearth_status view_verify(View *v, ViewVerify *verify, hearth_error *err);

#endif
