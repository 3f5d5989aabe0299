#include "shelf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <hearth_environment.h>

#include "entries.h"

struct hearth_backend_store {
  hearth_allocator allocator;
  const hearth_environment *env;
  char path[512], lock_path[520], new_path[520], folder[512];
  hearth_file lock;
  bool locked, readonly, dead, in_batch;
  uint64_t written, synced;
  Bytes now;  /* what is in the file */
  Bytes next; /* what will be there after the batch that is open */
};

/* ---------------------------------------------------------------- errors */

static hearth_status ok(hearth_error *err) {
  if (err != NULL) err->code = HEARTH_OK;
  return HEARTH_OK;
}

static hearth_status fail(const hearth_backend_store *s, hearth_error *err, hearth_status status, const char *format,
                          ...) {
  if (err == NULL) return status;
  va_list args;
  memset(err, 0, sizeof *err);
  err->code = status;
  err->position = HEARTH_NO_POSITION;
  int n = snprintf(err->message, sizeof err->message, "%.300s: ", s->path);
  va_start(args, format);
  (void)vsnprintf(err->message + n, sizeof err->message - (size_t)n, format, args);
  va_end(args);
  return status;
}

/* A full disk is no harm. After any other failure nobody knows what the device has: a writer is dead. */
static hearth_status fail_io(hearth_backend_store *s, hearth_error *err, const char *doing, int failure) {
  bool full = failure == ENOSPC || failure == EDQUOT || failure == EFBIG;
  if (!full && !s->readonly) s->dead = true;
  return fail(s, err, full ? HEARTH_FULL : HEARTH_IO, "cannot %s: %s", doing, strerror(failure));
}

static hearth_status alive(const hearth_backend_store *s, hearth_error *err) {
  return s->dead ? fail(s, err, HEARTH_DEAD, "failed earlier and must be reopened") : ok(err);
}

static hearth_status writable(const hearth_backend_store *s, hearth_error *err) {
  return s->readonly ? fail(s, err, HEARTH_READONLY, "was opened read-only") : alive(s, err);
}

/* -------------------------------------------------------------- the file */

static uint64_t sequence_of(const Bytes *b) {
  return read_number(b->data + 16);
}

static uint64_t checksum(const Bytes *b) { /* FNV-1a */
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 16; i < b->size; i++) sum = (sum ^ b->data[i]) * UINT64_C(0x100000001b3);
  return sum;
}

/* A file of its own, flushed, takes the name of the old one; or the old one stays. */
static int replace(hearth_backend_store *s, const Bytes *b) {
  const hearth_environment *env = s->env;
  hearth_file file;
  int failure = env->unlink(env->ud, s->new_path); /* what a process that is gone has left */
  if (failure == 0 || failure == ENOENT)
    failure = env->open(env->ud, s->new_path, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file);
  if (failure != 0) return failure;
  failure = env->pwrite(env->ud, file, 0, b->data, b->size);
  if (failure == 0) failure = env->sync(env->ud, file);
  int closed = env->close(env->ud, file);
  if (failure == 0) failure = closed;
  if (failure == 0) failure = env->rename(env->ud, s->new_path, s->path);
  if (failure != 0) (void)env->unlink(env->ud, s->new_path);
  return failure;
}

/* Writes `next` and makes it `now`. */
static hearth_status save(hearth_backend_store *s, uint64_t sequence, hearth_error *err) {
  memcpy(s->next.data, MAGIC, 8);
  (void)write_number(s->next.data + 16, sequence);
  (void)write_number(s->next.data + 8, checksum(&s->next));
  int failure = replace(s, &s->next);
  if (failure != 0) return fail_io(s, err, "write", failure);
  failure = s->env->sync_folder(s->env->ud, s->folder); /* until then a loss of power brings the old file back */
  if (failure != 0) return s->dead = true, fail(s, err, HEARTH_IO, "cannot flush: %s", strerror(failure));
  clear(&s->allocator, &s->now);
  s->now = s->next;
  s->next = (Bytes){0};
  s->written += s->now.size;
  s->synced += 2;
  return ok(err);
}

static hearth_status read_into(hearth_backend_store *s, Bytes *b, hearth_file file, hearth_error *err) {
  hearth_file_info info;
  int failure = s->env->file_stat(s->env->ud, file, &info);
  if (failure == 0 && !reserve(&s->allocator, b, (size_t)info.length + 1))
    return fail(s, err, HEARTH_NOMEM, "out of memory");
  if (failure == 0) failure = s->env->pread(s->env->ud, file, 0, b->data, (size_t)info.length, &b->size);
  if (failure != 0) return fail_io(s, err, "read", failure);
  if (b->size < 8 || memcmp(b->data, MAGIC, 8) != 0) return fail(s, err, HEARTH_NOTSTORE, "is not a shelf");
  if (b->size < HEAD || read_number(b->data + 8) != checksum(b)) return fail(s, err, HEARTH_DAMAGED, "is damaged");
  return ok(err);
}

/* What is in the file becomes `now`, or nothing changes. */
static hearth_status load(hearth_backend_store *s, hearth_error *err) {
  Bytes b = {0};
  hearth_file file;
  int failure = s->env->open(s->env->ud, s->path, 0, &file);
  if (failure == ENOENT) return fail(s, err, HEARTH_NOTFOUND, "there is no such store");
  if (failure != 0) return fail_io(s, err, "open", failure);
  hearth_status status = read_into(s, &b, file, err);
  (void)s->env->close(s->env->ud, file);
  Bytes old = s->now;
  if (status == HEARTH_OK) s->now = b;
  clear(&s->allocator, status == HEARTH_OK ? &old : &b);
  return status;
}

/* ------------------------------------------------------ opening, closing */

static hearth_status lock(hearth_backend_store *s, hearth_error *err) {
  const hearth_environment *env = s->env;
  int failure = env->open(env->ud, s->lock_path, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &s->lock);
  if (failure == EEXIST) failure = env->open(env->ud, s->lock_path, HEARTH_FILE_WRITE, &s->lock);
  if (failure != 0) return fail_io(s, err, "open the lock", failure);
  failure = env->lock(env->ud, s->lock);
  s->locked = failure == 0;
  if (!s->locked) (void)env->close(env->ud, s->lock);
  if (failure == EAGAIN) return fail(s, err, HEARTH_BUSY, "another opener has it");
  return failure != 0 ? fail_io(s, err, "lock", failure) : ok(err);
}

static hearth_status open_files(hearth_backend_store *s, unsigned flags, hearth_error *err) {
  hearth_status status = s->readonly ? HEARTH_OK : lock(s, err);
  if (status == HEARTH_OK) status = load(s, err);
  if (status == HEARTH_NOTFOUND && (flags & (HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE)) == 0) {
    if (!reserve(&s->allocator, &s->next, HEAD)) return fail(s, err, HEARTH_NOMEM, "out of memory");
    s->next.size = HEAD;
    return save(s, 0, err);
  }
  if (status != HEARTH_OK || s->readonly) return status;
  if ((flags & HEARTH_OPEN_EXCLUSIVE) != 0) return fail(s, err, HEARTH_EXISTS, "is there already");
  /* whoever renamed it may not have lived to flush the folder */
  int failure = s->env->sync_folder(s->env->ud, s->folder);
  return failure != 0 ? fail_io(s, err, "flush", failure) : ok(err);
}

static hearth_status shelf_close(hearth_backend_store *s, hearth_error *err) {
  hearth_allocator allocator = s->allocator;
  if (s->locked) (void)s->env->close(s->env->ud, s->lock); /* which unlocks it */
  clear(&allocator, &s->next);
  clear(&allocator, &s->now);
  (void)allocate(&allocator, s, sizeof *s, 0);
  return ok(err);
}

static void set_paths(hearth_backend_store *s, const char *path) {
  const char *slash = strrchr(path, '/');
  (void)snprintf(s->path, sizeof s->path, "%s", path);
  (void)snprintf(s->lock_path, sizeof s->lock_path, "%s.lock", s->path);
  (void)snprintf(s->new_path, sizeof s->new_path, "%s.new", s->path);
  (void)snprintf(s->folder, sizeof s->folder, "%s", slash == NULL ? "." : s->path);
  if (slash != NULL) s->folder[slash == path ? 1 : slash - path] = '\0';
}

static hearth_status shelf_open(const hearth_backend_config *given, hearth_backend_store **out, hearth_error *err) {
  hearth_backend_config config = {0};
  hearth_backend_store fresh = {0};
  *out = NULL;
  memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config); /* the caller may be older */
  if (config.location == NULL || config.location[0] == '\0' || strlen(config.location) >= sizeof fresh.path)
    return fail(&fresh, err, HEARTH_INVALID, "a shelf needs a path of at most %zu bytes", sizeof fresh.path - 1);
  set_paths(&fresh, config.location);
  fresh.allocator = config.allocator;
  fresh.env = config.environment != NULL ? config.environment : &hearth_system_environment;
  fresh.readonly = (config.flags & HEARTH_OPEN_READONLY) != 0;
  hearth_backend_store *s = allocate(&config.allocator, NULL, 0, sizeof *s);
  if (s == NULL) return fail(&fresh, err, HEARTH_NOMEM, "out of memory");
  *s = fresh;
  hearth_status status = open_files(s, config.flags, err);
  if (status == HEARTH_OK) *out = s;
  else (void)shelf_close(s, NULL);
  return status;
}

/* --------------------------------------------------------------- reading */

static hearth_status shelf_get(hearth_backend_store *s, uint64_t table, const void *key, size_t key_size,
                               hearth_found found, void *ud, hearth_error *err) {
  hearth_status status = alive(s, err);
  if (status != HEARTH_OK) return status;
  size_t at = position(&s->now, table, key, key_size);
  if (size_there(&s->now, at, table, key, key_size) == 0) return fail(s, err, HEARTH_NOTFOUND, "no such key");
  Entry e = entry_at(&s->now, at);
  (void)found(ud, table, e.key, e.key_size, e.value, e.value_size);
  return ok(err);
}

static hearth_status shelf_scan(hearth_backend_store *s, uint64_t table, const void *from, size_t from_size,
                                const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                                hearth_error *err) {
  hearth_status status = alive(s, err);
  if (status != HEARTH_OK) return status;
  size_t first = position(&s->now, table, from, from != NULL ? from_size : 0);
  size_t end = to != NULL ? position(&s->now, table, to, to_size) : position(&s->now, table + 1, NULL, 0);
  int answer = 0;
  while (answer == 0 && first < end) {
    if (reverse) end -= (size_t)read_number(s->now.data + end - 8);
    Entry e = entry_at(&s->now, reverse ? end : first);
    if (!reverse) first += e.size;
    answer = found(ud, table, e.key, e.key_size, e.value, e.value_size);
  }
  if (result != NULL) *result = answer;
  return ok(err);
}

static hearth_status shelf_tables(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                  hearth_error *err) {
  hearth_status status = alive(s, err);
  if (status != HEARTH_OK) return status;
  int answer = 0;
  for (size_t at = HEAD; at < s->now.size && answer == 0;) {
    Entry e = entry_at(&s->now, at);
    answer = found(ud, e.table, NULL, 0, NULL, 0);
    at = position(&s->now, e.table + 1, NULL, 0);
  }
  if (result != NULL) *result = answer;
  return ok(err);
}

static hearth_status shelf_stat(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = alive(s, err);
  if (status != HEARTH_OK) return status;
  hearth_backend_stat full = {.sequence = sequence_of(&s->now), .durable = sequence_of(&s->now),
                              .total_bytes = s->now.size, .index_bytes = s->now.room + s->next.room,
                              .synced = s->synced, .written = s->written};
  for (size_t at = HEAD; at < s->now.size; full.entries++) {
    Entry e = entry_at(&s->now, at);
    full.live_bytes += e.key_size + e.value_size;
    at += e.size;
  }
  full.size = stat->size < sizeof full ? stat->size : sizeof full; /* the caller may be older */
  memcpy(stat, &full, full.size);
  return ok(err);
}

/* --------------------------------------------------------------- writing */

static hearth_status check_level(const hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  return level > HEARTH_DURABLE ? fail(s, err, HEARTH_INVALID, "unknown durability %d", (int)level) : ok(err);
}

static hearth_status check_op(const hearth_backend_store *s, const hearth_op *op, hearth_error *err) {
  bool has_value = op->kind == HEARTH_PUT || op->kind == HEARTH_CHECK_EQUAL;
  if (op->kind < HEARTH_PUT || op->kind > HEARTH_CHECK_ABSENT || op->table > HEARTH_MAX_TABLE)
    return fail(s, err, HEARTH_INVALID, "an operation of an unknown kind, or on a table beyond 2^53");
  if ((op->kind != HEARTH_DROP && op->key_size > HEARTH_MAX_KEY) || (has_value && op->value_size > HEARTH_MAX_VALUE))
    return fail(s, err, HEARTH_TOOBIG, "a key or a value that is too big");
  return HEARTH_OK;
}

/* The operations join the batch; its checks are judged on what was there before it. */
static hearth_status add_part(hearth_backend_store *s, const hearth_op *ops, size_t count, hearth_error *err) {
  for (size_t i = 0; i < count; i++) {
    hearth_status status = check_op(s, &ops[i], err);
    if (status != HEARTH_OK) return status;
    if (ops[i].kind == HEARTH_CHECK_EQUAL || ops[i].kind == HEARTH_CHECK_ABSENT) {
      if (!holds(&s->now, &ops[i])) return fail(s, err, HEARTH_CONFLICT, "the check of operation %zu failed", i + 1);
      continue;
    }
    if (s->next.data == NULL) { /* the batch's first change */
      if (!reserve(&s->allocator, &s->next, s->now.size)) return fail(s, err, HEARTH_NOMEM, "out of memory");
      memcpy(s->next.data, s->now.data, s->now.size);
      s->next.size = s->now.size;
    }
    if (!apply(&s->allocator, &s->next, &ops[i])) return fail(s, err, HEARTH_NOMEM, "out of memory");
  }
  return HEARTH_OK;
}

static hearth_status shelf_submit(hearth_backend_store *s, const hearth_op *ops, size_t count, unsigned flags,
                                  hearth_durability level, uint64_t *sequence, hearth_error *err) {
  bool abandon = (flags & HEARTH_BATCH_ABANDON) != 0, more = (flags & HEARTH_BATCH_MORE) != 0;
  hearth_status status = writable(s, err);
  if (status == HEARTH_OK) status = check_level(s, level, err);
  if (status == HEARTH_OK && (flags > (HEARTH_BATCH_ABANDON | HEARTH_BATCH_MORE) || (abandon && (more || count > 0))))
    status = fail(s, err, HEARTH_INVALID, "unknown flags, or operations of a batch that is abandoned");
  if (status == HEARTH_OK) status = add_part(s, ops, count, err);
  s->in_batch = status == HEARTH_OK && more;
  if (s->in_batch) return ok(err);
  if (status == HEARTH_OK && !abandon && s->next.data != NULL) status = save(s, sequence_of(&s->now) + 1, err);
  clear(&s->allocator, &s->next);
  if (status == HEARTH_OK && sequence != NULL) *sequence = sequence_of(&s->now);
  return status == HEARTH_OK ? ok(err) : status;
}

/* Every batch is durable when submit returns. */
static hearth_status shelf_barrier(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  hearth_status status = alive(s, err);
  return status == HEARTH_OK ? check_level(s, level, err) : status;
}

/* Nothing dead is in the file, and no earlier batch. */
static hearth_status shelf_compact(hearth_backend_store *s, unsigned keep, hearth_error *err) {
  (void)keep;
  hearth_status status = writable(s, err);
  return status == HEARTH_OK && s->in_batch ? fail(s, err, HEARTH_BUSY, "a batch in parts is open") : status;
}

/* --------------------------------------------------------------- readers */

static hearth_status shelf_refresh(hearth_backend_store *s, hearth_error *err) {
  return s->readonly ? load(s, err) : alive(s, err);
}

/* A writer has nothing pending; a reader compares the number in the file with its own. */
static hearth_status shelf_poll(hearth_backend_store *s, hearth_error *err) {
  if (!s->readonly) return alive(s, err);
  unsigned char head[HEAD];
  size_t got = 0;
  hearth_file file;
  int failure = s->env->open(s->env->ud, s->path, 0, &file);
  if (failure != 0) return fail_io(s, err, "open", failure);
  failure = s->env->pread(s->env->ud, file, 0, head, sizeof head, &got);
  (void)s->env->close(s->env->ud, file);
  if (failure != 0) return fail_io(s, err, "read", failure);
  bool same = got == sizeof head && memcmp(head, s->now.data, sizeof head) == 0;
  return same ? ok(err) : fail(s, err, HEARTH_STALE, "has changed");
}

const hearth_backend shelf_backend = {
    .size = sizeof(hearth_backend), .abi = HEARTH_BACKEND_ABI, .name = "shelf", .max_durability = HEARTH_DURABLE,
    .open = shelf_open, .close = shelf_close, .get = shelf_get, .scan = shelf_scan, .submit = shelf_submit,
    .barrier = shelf_barrier, .poll = shelf_poll, .compact = shelf_compact, .refresh = shelf_refresh,
    .stat = shelf_stat, .tables = shelf_tables,
};
