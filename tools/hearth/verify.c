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
static int verify_frames(const char *path) {
  hearth_error err;
  LogReport report;
  if (file_verify(NULL, NULL, path, print_warning, NULL, &report, &err) != HEARTH_DAMAGED) return STATUS_OK;
  return complain_about(STATUS_FAILED, path, &err);
}

int command_verify(Call *call) {
  const Option options[] = {{NULL, NULL, NULL}};
  hearth_error err;
  Look look;
  Verifying v;
  int status;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  if (strncmp(call->uri, "file:", 5) == 0 && (status = verify_frames(call->uri + 5)) != STATUS_OK) return status;
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
    (void)printf("%s: whole: %llu objects, %llu constants, %llu external tables, %llu fields\n", look.location,
                 (unsigned long long)verify.objects, (unsigned long long)verify.constants,
                 (unsigned long long)verify.externals, (unsigned long long)verify.fields);
    status = finish_output();
  }
  return look_end(&look, status);
}
