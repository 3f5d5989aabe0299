#include "export.h"

#include <inttypes.h>

#include "error.h"
#include "failure.h"
#include "logfile.h"

#define OPS_AT_ONCE 64

typedef struct Export {
  const hearth_backend *backend;
  hearth_backend_store *store;
  LogOutput out;
  Buffer tables; /* uint64_t each */
  hearth_error failure; /* of what a callback did: the scan that it ends says that all is well */
  hearth_error *err;
} Export;

/* The tables first: a callback must not call the store. */
static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Buffer *tables = ud;
  (void)key;
  (void)key_size;
  (void)value;
  (void)value_size;
  buffer_put(tables, &table, sizeof table);
  return tables->failed;
}

static int write_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  Export *x = ud;
  LogOp op = {.kind = HEARTH_PUT, .table = table, .key = key, .key_size = key_size, .value = value,
              .value_size = value_size};
  return logfile_op(&x->out, &op, &x->failure) != HEARTH_OK;
}

static hearth_status write_entries(Export *x) {
  int result;
  hearth_status status = x->backend->tables(x->store, note_table, &x->tables, &result, x->err);
  if (status == HEARTH_OK && x->tables.failed) status = failure_nomem(x->err, x->out.path);
  for (size_t at = 0; status == HEARTH_OK && at < x->tables.size; at += sizeof(uint64_t)) {
    uint64_t table;
    memcpy(&table, x->tables.data + at, sizeof table);
    status = x->backend->scan(x->store, table, NULL, 0, NULL, 0, false, write_entry, x, &result, x->err);
    if (status == HEARTH_OK && x->failure.code != HEARTH_OK) {
      *x->err = x->failure;
      status = x->failure.code;
    }
  }
  return status;
}

hearth_status hearth_export(const hearth_backend *backend, hearth_backend_store *store, const hearth_environment *env,
                            const hearth_allocator *allocator, const char *path, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  if (env == NULL) env = &hearth_system_environment;
  if (allocator == NULL || allocator->alloc == NULL) allocator = &hearth_libc_allocator;
  Export x = {.backend = backend, .store = store, .err = err};
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .first = 1, .synced = 1};
  hearth_status status = logfile_create(&x.out, env, allocator, path, NULL, &h, err);
  if (status != HEARTH_OK) return status;
  buffer_init(&x.tables, allocator);
  status = write_entries(&x);
  buffer_free(&x.tables);
  if (status != HEARTH_OK) {
    hearth_error why = *err;
    logfile_abandon(&x.out);
    *err = why;
    return status;
  }
  status = logfile_finish(&x.out, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

/* -------------------------------------------------------------- import */

typedef struct Import {
  const hearth_backend *backend;
  hearth_backend_store *store;
  const char *path;
  hearth_error *err;
} Import;

static hearth_status damaged(const Import *m, uint64_t at) {
  return hearth_fail_at(m->err, HEARTH_DAMAGED, at, "%s: damaged at byte %" PRIu64 ", nothing was imported", m->path,
                        at);
}

static hearth_status submit_frame(const Import *m, const LogScan *scan) {
  hearth_op ops[OPS_AT_ONCE];
  size_t count = 0;
  LogOps from;
  LogOp op;
  hearth_status status = HEARTH_OK;
  log_ops(&from, scan->payload, scan->frame.length, scan->frame_at + LOG_FRAME_SIZE);
  while (status == HEARTH_OK && log_decode_op(&from, &op)) {
    ops[count++] = (hearth_op){.kind = op.kind, .table = op.table, .key = op.key, .key_size = op.key_size,
                               .value = op.value, .value_size = op.value_size};
    if (count < OPS_AT_ONCE) continue;
    status = m->backend->submit(m->store, ops, count, HEARTH_BATCH_MORE, HEARTH_DEFAULT_DURABILITY, NULL, m->err);
    count = 0;
  }
  if (status == HEARTH_OK && from.bad) return damaged(m, scan->frame_at);
  if (status == HEARTH_OK && count > 0)
    status = m->backend->submit(m->store, ops, count, HEARTH_BATCH_MORE, HEARTH_DEFAULT_DURABILITY, NULL, m->err);
  return status;
}

/* Walks the log; submits what it holds when `submit`. Everything in it must be whole. */
static hearth_status walk(const Import *m, const LogSource *source, const hearth_allocator *allocator, bool submit) {
  LogScan scan;
  LogHeaderState state;
  log_scan_init(&scan, source, allocator);
  LogStep step = log_scan_header(&scan, &state);
  hearth_status status = step == LOG_STEP_FRAME
                             ? logfile_judge_header(m->path, &scan.header, state, false, m->err)
                             : logfile_step_status(m->path, &scan, step, m->err);
  while (status == HEARTH_OK && step == LOG_STEP_FRAME) {
    step = log_scan_next(&scan);
    if (step == LOG_STEP_FRAME && submit) status = submit_frame(m, &scan);
  }
  if (status == HEARTH_OK) status = logfile_step_status(m->path, &scan, step, m->err);
  if (status == HEARTH_OK &&
      (step == LOG_STEP_BAD || scan.sequence < scan.header.synced || (!scan.marked && scan.end != scan.at)))
    status = damaged(m, scan.at);
  log_scan_free(&scan);
  return status;
}

/* The batch begins by dropping every table that is there. */
static hearth_status drop_all(const Import *m, const hearth_allocator *allocator) {
  Buffer tables;
  buffer_init(&tables, allocator);
  hearth_status status = m->backend->tables(m->store, note_table, &tables, NULL, m->err);
  if (tables.failed) status = hearth_fail(m->err, HEARTH_NOMEM, "%s: out of memory", m->path);
  for (size_t i = 0; i < tables.size && status == HEARTH_OK; i += sizeof(uint64_t)) {
    hearth_op op = {.kind = HEARTH_DROP};
    memcpy(&op.table, tables.data + i, sizeof op.table);
    status = m->backend->submit(m->store, &op, 1, HEARTH_BATCH_MORE, HEARTH_DEFAULT_DURABILITY, NULL, m->err);
  }
  buffer_free(&tables);
  return status;
}

static hearth_status import_from(const Import *m, const LogSource *source, const hearth_allocator *allocator,
                                 bool replace) {
  hearth_status status = walk(m, source, allocator, false);
  if (status == HEARTH_OK && replace) status = drop_all(m, allocator);
  if (status == HEARTH_OK) status = walk(m, source, allocator, true);
  if (status == HEARTH_OK)
    return m->backend->submit(m->store, NULL, 0, 0, HEARTH_DEFAULT_DURABILITY, NULL, m->err);
  hearth_error why = *m->err;
  (void)m->backend->submit(m->store, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_DEFAULT_DURABILITY, NULL, NULL);
  *m->err = why;
  return status;
}

hearth_status hearth_import(const hearth_backend *backend, hearth_backend_store *store, const hearth_environment *env,
                            const hearth_allocator *allocator, const char *path, bool replace, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  if (env == NULL) env = &hearth_system_environment;
  if (allocator == NULL || allocator->alloc == NULL) allocator = &hearth_libc_allocator;
  Import m = {backend, store, path, err};
  hearth_backend_stat stat = {.size = sizeof stat};
  LogInput input;
  LogSource source;
  hearth_status status = backend->stat(store, &stat, err);
  if (status == HEARTH_OK && stat.entries > 0 && !replace)
    status = hearth_fail(err, HEARTH_EXISTS, "%s: can only be imported into an empty store", path);
  if (status == HEARTH_OK) status = logfile_open(&input, env, path, &source, err);
  if (status != HEARTH_OK) return status;
  status = import_from(&m, &source, allocator, replace && stat.entries > 0);
  (void)env->close(env->ud, input.file);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}
