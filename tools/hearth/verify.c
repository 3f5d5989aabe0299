/*
** hearth verify: everything is read, and what is wrong is said, one line each. Of a
** file first its frames and checksums, then what they hold.
*/
#include "verify.h"

#include <string.h>

#include "look.h"
#include "progress.h"
#include "salvage.h"

typedef struct Verifying {
  Progress progress;
  const char *location;
  uint64_t behind; /* bytes behind the last batch of a file */
} Verifying;

static void on_problem(void *ud, const char *message) {
  Verifying *v = ud;
  progress_end(&v->progress);
  (void)complain(STATUS_FAILED, "%s: %s", v->location, message);
}

static void on_step(void *ud, uint64_t done) {
  Verifying *v = ud;
  progress_step(&v->progress, done);
}

/* The frames of a store in a file. Another failure than damage is told when the store is opened. */
static int verify_frames(Verifying *v, const char *path) {
  hearth_error err;
  LogReport report;
  hearth_status status = file_verify(NULL, NULL, path, NULL, NULL, &report, &err);
  if (status == HEARTH_OK) v->behind = report.behind;
  if (status != HEARTH_DAMAGED) return STATUS_OK;
  (void)file_verify(NULL, NULL, path, print_warning, NULL, &report, &err); /* each place, now that there is one */
  return complain_about(STATUS_FAILED, path, &err);
}

static int tell(const Verifying *v, const ViewVerify *found) {
  (void)printf("%s: %s%llu objects, %llu constants, %llu external tables, %llu fields\n", v->location,
               v->behind > 0 ? "whole but for its end: " : "whole: ", (unsigned long long)found->objects,
               (unsigned long long)found->constants, (unsigned long long)found->externals,
               (unsigned long long)found->fields);
  int status = finish_output();
  if (v->behind == 0) return status;
  return complain(STATUS_FAILED, "%s: %llu bytes behind the last batch: a torn tail, or damaged", v->location,
                  (unsigned long long)v->behind);
}

int command_verify(Call *call) {
  const Option options[] = {{NULL, NULL, NULL}};
  hearth_error err;
  Look look;
  Verifying v;
  int status;
  v.behind = 0;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  if (strncmp(call->uri, "file:", 5) == 0 && (status = verify_frames(&v, call->uri + 5)) != STATUS_OK) return status;
  status = look_at_store(call, &look);
  if (status != STATUS_OK) return status;
  v.location = look.location;
  progress_begin(&v.progress, "verify", "objects");
  ViewVerify verify = {on_problem, on_step, &v, 0, 0, 0, 0, 0};
  hearth_status result = view_verify(&look.view, &verify, &err);
  progress_end(&v.progress);
  if (result != HEARTH_OK) {
    status = complain_about(STATUS_FAILED, look.location, &err);
  } else if (verify.problems > 0) {
    status = complain(STATUS_FAILED, "%s: %llu problems", look.location, (unsigned long long)verify.problems);
  } else {
    status = tell(&v, &verify);
  }
  return look_end(&look, status);
}
