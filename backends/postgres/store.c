#include "store.h"

#include <stdio.h>
#include <unistd.h>

void postgres_store_warn(const hearth_backend_store *store, const char *format, ...) {
  char line[1024];
  va_list args;
  if (store->warn == NULL) return;
  va_start(args, format);
  (void)vsnprintf(line, sizeof line, format, args);
  va_end(args);
  store->warn(store->warn_ud, line);
}

hearth_status postgres_store_die(hearth_backend_store *store, hearth_error *err) {
  if (!store->dead) {
    store->dead = true;
    (void)snprintf(store->dead_reason, sizeof store->dead_reason, "%s", err->message);
  }
  return err->code;
}

hearth_status postgres_store_failed(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  return status == HEARTH_IO && !store->readonly ? postgres_store_die(store, err) : status;
}

hearth_status postgres_store_lost(hearth_backend_store *store, hearth_error *err) {
  if (store->readonly)
    return hearth_fail(err, HEARTH_STALE, "%s: has changed since it was read, refresh it", store->location.label);
  hearth_fail(err, HEARTH_DEAD, "%s: another opener has taken the store over", store->location.label);
  return postgres_store_die(store, err);
}

hearth_status postgres_store_alive(hearth_backend_store *store, hearth_error *err) {
  if (store->dead)
    return hearth_fail(err, HEARTH_DEAD, "dead since an earlier failure, open it again: %s", store->dead_reason);
  if (store->process != getpid())
    return hearth_fail(err, HEARTH_DEAD, "%s: belongs to the process that opened it, not to its child",
                       store->location.label);
  if (store->scanning)
    return hearth_fail(err, HEARTH_BUSY, "%s: a scan's callback must not call the store", store->location.label);
  return HEARTH_OK;
}

hearth_status postgres_store_writable(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = postgres_store_alive(store, err);
  if (status == HEARTH_OK && store->readonly)
    status = hearth_fail(err, HEARTH_READONLY, "%s: was opened read-only", store->location.label);
  return status;
}

hearth_status postgres_store_connect(hearth_backend_store *store, Connection *c, hearth_error *err) {
  if (postgres_is_connected(c)) return HEARTH_OK;
  postgres_disconnect(c, store->process == getpid());
  hearth_status status = postgres_connect(c, err);
  return status == HEARTH_OK ? postgres_schema_pin(c, err) : status;
}

hearth_status postgres_store_reading(hearth_backend_store *store, Connection **out, hearth_error *err) {
  *out = store->in_batch ? &store->beside : &store->main;
  if (store->readonly) return postgres_reader_ready(store, err);
  return store->in_batch ? postgres_store_connect(store, *out, err) : HEARTH_OK;
}

void postgres_store_held(const hearth_backend_store *store, Params *p) {
  p->count = 0;
  postgres_params_number(p, store->id);
  postgres_params_number(p, store->sequence);
  postgres_params_bytes(p, store->readonly ? NULL : store->owner, TOKEN_SIZE);
}

hearth_status postgres_store_holds(hearth_backend_store *store, Connection *c, hearth_error *err) {
  Params p;
  PGresult *r;
  postgres_store_held(store, &p);
  hearth_status status = postgres_run(c, HOLDS, &p, &r, err);
  if (status != HEARTH_OK) return status;
  bool holds = PQntuples(r) == 1;
  PQclear(r);
  return holds ? HEARTH_OK : postgres_store_lost(store, err);
}
