/* Opening a store without a Lua state. */
#include <string.h>

#include "command.h"
#include "copy_uri.h"
#include "hearth.h"
#ifdef HEARTH_HAVE_SQLITE
#include "hearth_sqlite.h"
#endif
#ifdef HEARTH_HAVE_POSTGRES
#include "hearth_postgres.h"
#endif

const hearth_backend *const command_backends[] = {
#ifdef HEARTH_HAVE_SQLITE
    &hearth_sqlite_backend,
#endif
#ifdef HEARTH_HAVE_POSTGRES
    &hearth_postgres_backend,
#endif
    NULL,
};

int storage_open(const Call *call, unsigned flags, Storage *out) {
  hearth_error err;
  const char *location;
  out->backend = hearth_backend_for_uri(call->uri, command_backends, &location, &err);
  if (out->backend == NULL) return complain_about(STATUS_NO_STORE, call->uri, &err);
  (void)snprintf(out->location, sizeof out->location, "%s", *location != '\0' ? location : call->uri);
  hide_passwords(out->location, "");
  if (call->at != 0 && !hearth_backend_keeps_batches(out->backend))
    return complain(STATUS_NO_STORE, "%s: the %s backend keeps no earlier commits", out->location, out->backend->name);
  hearth_backend_config config = {.size = sizeof config, .location = location, .flags = flags, .warn = print_warning,
                                  .at = call->at};
  if (out->backend->open(&config, &out->store, &err) == HEARTH_OK) return STATUS_OK;
  return complain_about(STATUS_NO_STORE, out->location, &err);
}

int storage_close(Storage *s) {
  hearth_error err;
  if (s->backend->close(s->store, &err) == HEARTH_OK) return STATUS_OK;
  return complain_about(STATUS_FAILED, s->location, &err);
}
