#include "store.h"

#include <stdio.h>

#include "failure.h"

void file_warn(const hearth_backend_store *store, const char *format, ...) {
  char line[2 * NAMES_SIZE + 512]; /* names twice */
  va_list args;
  if (store->warn == NULL) return;
  va_start(args, format);
  (void)vsnprintf(line, sizeof line, format, args);
  va_end(args);
  store->warn(store->warn_ud, line);
}

hearth_status store_die(hearth_backend_store *store, hearth_error *err) {
  if (!store->dead) {
    store->dead = true;
    (void)snprintf(store->dead_reason, sizeof store->dead_reason, "%s", err->message);
  }
  return err->code;
}

hearth_status store_io(hearth_backend_store *store, const char *doing, int failure, hearth_error *err) {
  failure_io(err, store->names.path, doing, failure);
  return store_die(store, err);
}

hearth_status store_alive(hearth_backend_store *store, hearth_error *err) {
  if (store->dead)
    return hearth_fail(err, HEARTH_DEAD, "dead since an earlier failure, open it again: %s", store->dead_reason);
  if (store->env->process(store->env->ud) != store->process)
    return hearth_fail(err, HEARTH_DEAD, "%s: belongs to the process that opened it, not to its child",
                       store->names.path);
  return HEARTH_OK;
}

hearth_status store_writable(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK && store->readonly)
    status = hearth_fail(err, HEARTH_READONLY, "%s: was opened read-only", store->names.path);
  return status;
}

void store_adopt(hearth_backend_store *store, const LogScan *scan) {
  store->header = scan->header;
  store->sequence = scan->sequence;
  store->durable = scan->synced < scan->sequence ? scan->synced : scan->sequence;
  store->batch_at = scan->end;
  store->batch_chain = scan->end_chain;
  store->mark = !scan->marked ? (LogKind)0 : scan->closed ? LOG_CLOSED : LOG_SYNCED;
  store->writer.salt = scan->header.salt;
  store->writer.at = scan->end;
  store->writer.chain = scan->end_chain;
}
