/* hearth compact, export, import: whole stores, as bytes. */
#include <errno.h>
#include <string.h>

#include "copy.h"
#include "export.h"
#include "hearth.h"
#include "progress.h"
#include "script.h"

/* Through the store and not the backend alone: external tables that only refer to each other go too. */
int command_compact(Call *call) {
  const char *keep_text = NULL;
  const Option options[] = {{"keep", NULL, &keep_text}, {NULL, NULL, NULL}};
  unsigned keep = 0;
  hearth_error err;
  Script script;
  int status;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  if (!option_keep(keep_text, &keep)) return STATUS_USAGE;
  status = script_open(call, HEARTH_OPEN_NO_CREATE | HEARTH_STORE_PLACEHOLDERS, &script); /* names stay as they are */
  if (status != STATUS_OK) return status;
  progress_watch("compact");
  hearth_status outcome = hearth_compact(script.L, script.store, keep, &err);
  progress_watch_end();
  if (outcome != HEARTH_OK)
    status = complain_about(outcome == HEARTH_UNSUPPORTED ? STATUS_NO_STORE : STATUS_FAILED, call->uri, &err);
  return script_close(&script, status);
}

int command_export(Call *call) {
  const char *at = NULL;
  const Option options[] = {{"at", NULL, &at}, {NULL, NULL, NULL}};
  hearth_error err;
  Storage s;
  int status;
  if (!call_options(call, options, false, 1, 1, &status)) return status;
  if (!option_new_file(call, call->argv[0]) || !option_at("at", at, &call->at)) return STATUS_USAGE;
  status = storage_open(call, HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE, &s);
  if (status != STATUS_OK) return status;
  const CopySide side = {s.backend, s.store};
  if (copy_check_finished(&side, &err) != HEARTH_OK) {
    (void)complain_about(STATUS_NO_STORE, s.location, &err);
    (void)storage_close(&s);
    return STATUS_NO_STORE;
  }
  progress_watch("export");
  hearth_status outcome = hearth_export(s.backend, s.store, NULL, NULL, call->argv[0], &err);
  progress_watch_end();
  if (outcome != HEARTH_OK)
    status = complain_about(STATUS_FAILED, call->argv[0], &err);
  int closed = storage_close(&s);
  return status != STATUS_OK ? status : closed;
}

/* Before a store is made for it. */
static bool can_read(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file != NULL) (void)fclose(file);
  return file != NULL;
}

int command_import(Call *call) {
  const Option options[] = {{NULL, NULL, NULL}};
  hearth_error err;
  Storage s;
  int status;
  if (!call_options(call, options, false, 1, 1, &status)) return status;
  if (!can_read(call->argv[0]))
    return complain(STATUS_NO_STORE, "%s: cannot open it: %s", call->argv[0], strerror(errno));
  status = storage_open(call, 0, &s);
  if (status != STATUS_OK) return status;
  progress_watch("import");
  hearth_status outcome = hearth_import(s.backend, s.store, NULL, NULL, call->argv[0], false, &err);
  progress_watch_end();
  if (outcome != HEARTH_OK)
    status = complain_about(STATUS_FAILED, call->argv[0], &err);
  int closed = storage_close(&s);
  return status != STATUS_OK ? status : closed;
}
