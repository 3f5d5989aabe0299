/*
** The file backend: opening, closing, and the table of its functions.
*/
#include <errno.h>
#include <inttypes.h>

#include "failure.h"
#include "store.h"

/* Frees everything that an open store, or one that is being opened, holds. */
static void release(hearth_backend_store *store) {
  hearth_allocator allocator = store->allocator;
  if (store->is_open) (void)store->env->close(store->env->ud, store->file);
  owner_release(&store->owner, store->env, store->names.owner);
  cache_clear(&store->cache);
  index_free(&store->index);
  log_writer_free(&store->writer);
  hearth_free(&allocator, store, sizeof *store);
}

/* Only a store's file, an empty file or nothing may be there: look before leaving an owner file beside it. */
static hearth_status look_first(hearth_backend_store *store, unsigned flags, bool *exists, bool *empty,
                                hearth_error *err) {
  const hearth_environment *env = store->env;
  const char *path = store->names.path;
  hearth_file_info info;
  int failure = env->stat(env->ud, path, &info);
  *exists = failure == 0;
  *empty = failure == ENOENT || (failure == 0 && info.length == 0);
  if (failure == ENOENT) {
    if ((flags & (HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_READONLY)) == 0) return HEARTH_OK;
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no such store", path);
  }
  if (failure != 0) return failure_status(err, path, "look at it", failure);
  if ((flags & HEARTH_OPEN_EXCLUSIVE) != 0)
    return hearth_fail(err, HEARTH_EXISTS, "%s: there is something already", path);
  if (info.folder) return hearth_fail(err, HEARTH_NOTSTORE, "%s: is a folder, not a Hearth store", path);
  if (!info.regular) return hearth_fail(err, HEARTH_NOTSTORE, "%s: is not a plain file", path);
  return HEARTH_OK;
}

/* Does a file that is not empty begin as a log does? */
static hearth_status look_inside(hearth_backend_store *store, hearth_error *err) {
  const hearth_environment *env = store->env;
  unsigned char magic[LOG_MAGIC_SIZE];
  size_t got = 0;
  hearth_file file;
  LogHeader ignored;
  int failure = env->open(env->ud, store->names.path, 0, &file);
  if (failure != 0) return failure_status(err, store->names.path, "open it", failure);
  failure = env->pread(env->ud, file, 0, magic, sizeof magic, &got);
  (void)env->close(env->ud, file);
  if (failure != 0) return failure_status(err, store->names.path, "read", failure);
  if (log_decode_header(magic, got, &ignored) == LOG_HEADER_FOREIGN)
    return hearth_fail(err, HEARTH_NOTSTORE, "%s: is not a Hearth store", store->names.path);
  return HEARTH_OK;
}

/* On a full disk even the owner file needs the ballast's room. */
static hearth_status take_ownership(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = owner_take(&store->owner, store->env, store->names.path, store->names.owner, err);
  if (status == HEARTH_FULL && ballast_release(store))
    status = owner_take(&store->owner, store->env, store->names.path, store->names.owner, err);
  return status;
}

static hearth_status open_file(hearth_backend_store *store, hearth_error *err) {
  const hearth_environment *env = store->env;
  int failure = env->open(env->ud, store->names.path, store->readonly ? 0 : HEARTH_FILE_WRITE, &store->file);
  if (failure != 0) return failure_status(err, store->names.path, "open it", failure);
  store->is_open = true;
  return HEARTH_OK;
}

static hearth_status open_reader(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = open_file(store, err);
  return status == HEARTH_OK ? recover_load(store, err) : status;
}

static hearth_status open_writer(hearth_backend_store *store, unsigned flags, hearth_error *err) {
  bool exists, empty;
  hearth_status status = take_ownership(store, err);
  if (status != HEARTH_OK) return status;
  /* another owner may have made or compacted it since we looked */
  status = look_first(store, flags, &exists, &empty, err);
  if (status != HEARTH_OK) return status;
  int failure = store->env->unlink(store->env->ud, store->names.fresh);
  if (failure != 0 && failure != ENOENT) return failure_status(err, store->names.fresh, "remove it", failure);
  status = empty ? recover_create(store, exists, err) : open_file(store, err);
  return status == HEARTH_OK ? recover_load(store, err) : status;
}

static hearth_status open_store(hearth_backend_store *store, const hearth_backend_config *config, hearth_error *err) {
  bool exists, empty;
  hearth_status status = names_resolve(&store->names, store->env, config->location, err);
  if (status == HEARTH_OK) status = look_first(store, config->flags, &exists, &empty, err);
  if (status == HEARTH_OK && !empty) status = look_inside(store, err);
  if (status != HEARTH_OK) return status;
  return store->readonly ? open_reader(store, err) : open_writer(store, config->flags, err);
}

static hearth_status file_open(const hearth_backend_config *given, hearth_backend_store **out, hearth_error *err) {
  hearth_backend_config config;
  hearth_error local;
  if (err == NULL) err = &local;
  contract_config(&config, given);
  *out = NULL;
  const char *name = config.location != NULL ? config.location : "";
  if ((config.flags & ~(HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_OPEN_EXCLUSIVE)) != 0)
    return hearth_fail(err, HEARTH_INVALID, "%s: unknown flags 0x%x", name, config.flags);
  if (config.at != 0 && (config.flags & HEARTH_OPEN_READONLY) == 0)
    return hearth_fail(err, HEARTH_INVALID, "%s: an earlier batch can be opened read-only", name);
  hearth_backend_store *store = hearth_realloc(&config.allocator, NULL, 0, sizeof *store);
  if (store == NULL) return failure_nomem(err, name);
  memset(store, 0, sizeof *store);
  store->allocator = config.allocator;
  store->env = config.environment != NULL ? config.environment : &hearth_system_environment;
  store->warn = config.warn;
  store->warn_ud = config.warn_ud;
  store->process = store->env->process(store->env->ud);
  store->readonly = (config.flags & HEARTH_OPEN_READONLY) != 0;
  store->at = config.at;
  store->keep = config.keep;
  store->last_sync = store->env->clock(store->env->ud);
  index_init(&store->index, &store->allocator);
  cache_init(&store->cache, &store->allocator);
  LogSink sink = append_sink(store);
  log_writer_init(&store->writer, &sink, &store->allocator);
  hearth_status status = open_store(store, &config, err);
  if (status != HEARTH_OK) {
    release(store);
    return status;
  }
  *out = store;
  return hearth_ok(err);
}

/* Everything complete becomes durable, and the file says that it was closed. */
static hearth_status close_cleanly(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = append_abandon(store, err);
  if (status == HEARTH_OK) status = append_sync(store, err);
  if (status == HEARTH_OK && store->mark != LOG_CLOSED) status = append_mark(store, LOG_CLOSED, err);
  return status;
}

static hearth_status file_close(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  hearth_status status = HEARTH_OK;
  if (err == NULL) err = &local;
  if (store == NULL) return hearth_ok(err);
  bool ours = store->env->process(store->env->ud) == store->process; /* a forked child writes nothing */
  if (!store->readonly && !store->dead && ours) status = close_cleanly(store, err);
  release(store);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status done(hearth_status status, hearth_error *err) {
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

static hearth_status file_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                              hearth_found found, void *ud, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(read_get(store, table, key, key_size, found, ud, err), err);
}

static hearth_status file_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                               const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                               int *result, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(read_scan(store, table, from, from_size, to, to_size, reverse, found, ud, result, err), err);
}

static hearth_status file_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                 hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(append_submit(store, ops, count, flags, level, sequence, err), err);
}

static hearth_status file_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(append_barrier(store, level, err), err);
}

/* Nothing is ever pending here. A reader is told when the store has moved on. */
static hearth_status file_poll(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK) status = read_current(store, store->at == 0, err); /* what follows is none of its own */
  return done(status, err);
}

static hearth_status file_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(compact_store(store, keep, err), err);
}

static hearth_status file_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(recover_refresh(store, err), err);
}

static hearth_status file_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_backend_stat full = {0};
  hearth_error local;
  if (err == NULL) err = &local;
  hearth_status status = store_alive(store, err);
  if (status != HEARTH_OK) return status;
  full.sequence = store->sequence;
  full.durable = store->durable;
  full.entries = store->index.map.count;
  full.live_bytes = store->index.live_bytes;
  full.total_bytes = store->was.length;
  full.index_bytes = store->index.map.bytes + store->cache.bytes + store->writer.frame.capacity + sizeof *store;
  full.synced = store->synced;
  full.written = store->written;
  contract_stat(stat, &full);
  return hearth_ok(err);
}

static hearth_status file_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                 hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(read_tables(store, found, ud, result, err), err);
}

static hearth_status file_history(hearth_backend_store *store, hearth_batch_found found, void *ud, int *result,
                                  hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  return done(history_list(store, found, ud, result, err), err);
}

const hearth_backend hearth_file_backend = {
    .size = sizeof(hearth_backend),
    .abi = HEARTH_BACKEND_ABI,
    .name = "file",
    .max_durability = HEARTH_DURABLE,
    .open = file_open,
    .close = file_close,
    .get = file_get,
    .scan = file_scan,
    .submit = file_submit,
    .barrier = file_barrier,
    .poll = file_poll,
    .compact = file_compact,
    .refresh = file_refresh,
    .stat = file_stat,
    .tables = file_tables,
    .history = file_history,
};
