#include "store.h"

#include <stdio.h>

void idb_store_warn(const hearth_backend_store *store, const char *format, ...) {
  if (store->warn == NULL) return;
  char line[640];
  va_list args;
  int n = snprintf(line, sizeof line, "%s: ", store->name);
  size_t used = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
  va_start(args, format);
  (void)vsnprintf(line + used, sizeof line - used, format, args);
  va_end(args);
  store->warn(store->warn_ud, line);
}

uint64_t idb_store_clock(const hearth_backend_store *store) {
  return store->env != NULL ? store->env->clock(store->env->ud) : (uint64_t)idb_host_clock();
}

hearth_status idb_store_random(const hearth_backend_store *store, void *bytes, size_t size, hearth_error *err) {
  int failure = store->env != NULL ? store->env->random(store->env->ud, bytes, size) : idb_host_random(bytes, size);
  if (failure == 0) return HEARTH_OK;
  return hearth_fail(err, HEARTH_IO, "%s: cannot get random bytes", store->name);
}

hearth_status idb_store_die(hearth_backend_store *store, hearth_status code, const char *reason) {
  if (!store->dead) (void)snprintf(store->dead_reason, sizeof store->dead_reason, "%s", reason);
  store->dead = true;
  return code;
}

hearth_status idb_store_alive(const hearth_backend_store *store, hearth_error *err) {
  if (!store->dead) return HEARTH_OK;
  return hearth_fail(err, HEARTH_DEAD, "%s: must be reopened after an earlier failure: %s", store->name,
                     store->dead_reason);
}

hearth_status idb_store_writable(const hearth_backend_store *store, hearth_error *err) {
  hearth_status status = idb_store_alive(store, err);
  if (status == HEARTH_OK && store->readonly)
    status = hearth_fail(err, HEARTH_READONLY, "%s: the store was opened read-only", store->name);
  if (status == HEARTH_OK && store->failure.code != HEARTH_OK)
    status = hearth_fail(err, HEARTH_BUSY, "%s: a pending write has failed, poll tells why", store->name);
  return status;
}

const char *idb_store_reason(hearth_status code, char *text, size_t size) {
  int n = idb_host_reason(text, size - 1);
  if (n <= 0 || (size_t)n >= size) return hearth_status_text(code);
  text[n] = '\0';
  return text;
}

hearth_status idb_store_refused(hearth_backend_store *store, const char *doing, int answer, hearth_error *err) {
  char text[384];
  const char *reason = idb_store_reason((hearth_status)answer, text, sizeof text);
  hearth_status code = hearth_fail(err, (hearth_status)answer, "%s: cannot %s: %s", store->name, doing, reason);
  if (code == HEARTH_DEAD || (code == HEARTH_IO && !store->readonly)) (void)idb_store_die(store, code, reason);
  return code;
}

hearth_status idb_store_pending(hearth_error *err) {
  (void)hearth_ok(err);
  if (err != NULL) err->code = HEARTH_PENDING;
  return HEARTH_PENDING;
}
