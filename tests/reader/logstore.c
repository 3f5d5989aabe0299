/*
** A log in memory as a backend that only reads: its batches are gone through once, and what they leave is a sorted list
** of entries, which point into the log's bytes.
*/
#include <stdlib.h>

#include "error.h"
#include "scan.h"
#include "telling.h"

typedef struct Entry {
  LogOp op;
  size_t at; /* in the order of the log */
} Entry;

struct hearth_backend_store {
  const unsigned char *bytes;
  size_t size;
  Buffer ops, entries; /* Entry: everything in the log; what is left, sorted */
};

static Entry *entry_at(const Buffer *b, size_t i) {
  return (Entry *)(void *)b->data + i; /* the allocator's memory is aligned for it */
}

static size_t count_of(const Buffer *b) {
  return b->size / sizeof(Entry);
}

static int compare_keys(const void *a, size_t a_size, const void *b, size_t b_size) {
  size_t least = a_size < b_size ? a_size : b_size;
  int order = least > 0 ? memcmp(a, b, least) : 0;
  return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* By table, drops first, then by key; of one place the latest first. */
static int compare_entries(const void *first, const void *second) {
  const Entry *a = first, *b = second;
  if (a->op.table != b->op.table) return a->op.table > b->op.table ? 1 : -1;
  bool a_drops = a->op.kind == HEARTH_DROP, b_drops = b->op.kind == HEARTH_DROP;
  if (a_drops != b_drops) return a_drops ? -1 : 1;
  int order = a_drops ? 0 : compare_keys(a->op.key, a->op.key_size, b->op.key, b->op.key_size);
  return order != 0 ? order : (a->at < b->at) - (a->at > b->at);
}

/* The later operation wins: of each key its last one, if it puts and comes after the last drop of its table. */
static void settle(hearth_backend_store *s) {
  const Entry *before = NULL, *drop = NULL;
  size_t count = count_of(&s->ops);
  if (count > 0) qsort(s->ops.data, count, sizeof(Entry), compare_entries);
  for (size_t i = 0; i < count; i++) {
    const Entry *e = entry_at(&s->ops, i);
    bool same = before != NULL && before->op.table == e->op.table;
    if (!same) drop = NULL;
    if (e->op.kind == HEARTH_DROP) {
      if (drop == NULL) drop = e;
    } else if (!same || before->op.kind == HEARTH_DROP ||
               compare_keys(before->op.key, before->op.key_size, e->op.key, e->op.key_size) != 0) {
      if (e->op.kind == HEARTH_PUT && (drop == NULL || drop->at < e->at)) buffer_put(&s->entries, e, sizeof *e);
    }
    before = e;
  }
}

/* ---------------------------------------------------------------- reading */

static int read_bytes(void *ud, uint64_t offset, void *bytes, size_t size, size_t *got) {
  const hearth_backend_store *s = ud;
  size_t left = offset < s->size ? s->size - (size_t)offset : 0;
  *got = size < left ? size : left;
  if (*got > 0) memcpy(bytes, s->bytes + offset, *got);
  return 0;
}

static hearth_status damaged(hearth_error *err, uint64_t at, const char *why) {
  return hearth_fail_at(err, HEARTH_DAMAGED, at, "the log is damaged at byte %llu: %s", (unsigned long long)at, why);
}

static hearth_status judge(LogHeaderState state, const LogHeader *h, hearth_error *err) {
  switch (state) {
    case LOG_HEADER_FOREIGN: return hearth_fail(err, HEARTH_NOTSTORE, "it does not begin as a log does");
    case LOG_HEADER_DAMAGED: return damaged(err, 0, "its header");
    case LOG_HEADER_NEWER:
      return hearth_fail(err, HEARTH_VERSION, "log format %u is needed to read it, this program reads up to %d",
                         (unsigned)h->read_version, LOG_READ_VERSION);
    case LOG_HEADER_GOOD: break;
  }
  return h->first == 0 ? damaged(err, 32, "its batches count from 0") : HEARTH_OK;
}

/* The operations of a frame, whose bytes in the log stay while the scan's window moves on. */
static hearth_status take_ops(hearth_backend_store *s, const LogScan *scan, hearth_error *err) {
  LogOps ops;
  Entry e;
  uint64_t payload = scan->frame_at + LOG_FRAME_SIZE;
  log_ops(&ops, s->bytes + payload, scan->frame.length, payload);
  while (log_decode_op(&ops, &e.op)) {
    e.at = count_of(&s->ops);
    if (e.op.kind == HEARTH_PUT && !log_check_op(&e.op, scan->header.salt))
      return damaged(err, e.op.value_at, "a value");
    buffer_put(&s->ops, &e, sizeof e);
  }
  return ops.bad ? damaged(err, scan->frame_at, "what is no operation") : HEARTH_OK;
}

/* Up to the end of the last whole batch. What stands behind it may be torn, unless it was on the device once. */
static hearth_status read_batches(hearth_backend_store *s, LogScan *scan, hearth_error *err) {
  LogStep step;
  size_t whole = 0;
  while ((step = log_scan_next(scan)) == LOG_STEP_FRAME) {
    hearth_status status = take_ops(s, scan, err);
    if (status != HEARTH_OK) return status;
    if (scan->frame.kind == LOG_BATCH) whole = s->ops.size;
  }
  if (step == LOG_STEP_BAD) {
    bool proven;
    step = log_scan_proof(scan, &proven);
    if (step == LOG_STEP_FRAME && proven) return damaged(err, scan->at, "a batch that was on the device");
  }
  if (step == LOG_STEP_NOMEM || s->ops.failed) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  if (s->ops.size > whole) s->ops.size = whole; /* a batch without its last part */
  return HEARTH_OK;
}

hearth_status log_open(const void *bytes, size_t size, hearth_backend_store **out, hearth_error *err) {
  hearth_backend_store *s = malloc(sizeof *s);
  LogHeaderState state = LOG_HEADER_FOREIGN;
  *out = s;
  if (s == NULL) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  s->bytes = bytes;
  s->size = size;
  buffer_init(&s->ops, &hearth_libc_allocator);
  buffer_init(&s->entries, &hearth_libc_allocator);
  const LogSource source = {s, read_bytes, size};
  LogScan scan;
  log_scan_init(&scan, &source, &hearth_libc_allocator);
  hearth_status status = HEARTH_OK;
  if (log_scan_header(&scan, &state) != LOG_STEP_FRAME) status = hearth_fail(err, HEARTH_NOMEM, "out of memory");
  if (status == HEARTH_OK) status = judge(state, &scan.header, err);
  if (status == HEARTH_OK) status = read_batches(s, &scan, err);
  log_scan_free(&scan);
  if (status != HEARTH_OK) return status;
  settle(s);
  return s->entries.failed ? hearth_fail(err, HEARTH_NOMEM, "out of memory") : hearth_ok(err);
}

void log_close(hearth_backend_store *store) {
  if (store == NULL) return;
  buffer_free(&store->ops);
  buffer_free(&store->entries);
  free(store);
}

/* ------------------------------------------------------------ the backend */

/* The first entry at or after a key; the number of entries when there is none. */
static size_t lower(const hearth_backend_store *s, uint64_t table, const void *key, size_t key_size) {
  size_t low = 0, high = count_of(&s->entries);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const LogOp *op = &entry_at(&s->entries, middle)->op;
    bool before = op->table != table ? op->table < table : compare_keys(op->key, op->key_size, key, key_size) < 0;
    if (before)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int deliver(const Entry *e, hearth_found found, void *ud) {
  return found(ud, e->op.table, e->op.key, e->op.key_size, e->op.value, e->op.value_size);
}

static hearth_status log_get(hearth_backend_store *s, uint64_t table, const void *key, size_t key_size,
                             hearth_found found, void *ud, hearth_error *err) {
  size_t i = lower(s, table, key, key_size);
  const Entry *e = i < count_of(&s->entries) ? entry_at(&s->entries, i) : NULL;
  if (e == NULL || e->op.table != table || compare_keys(e->op.key, e->op.key_size, key, key_size) != 0)
    return hearth_fail(err, HEARTH_NOTFOUND, "no such key in table %llu", (unsigned long long)table);
  (void)deliver(e, found, ud);
  return hearth_ok(err);
}

/* Upwards only: nothing here asks for the other order. */
static hearth_status log_scan(hearth_backend_store *s, uint64_t table, const void *from, size_t from_size,
                              const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                              hearth_error *err) {
  int answer = 0;
  if (reverse) return hearth_fail(err, HEARTH_UNSUPPORTED, "a log is read upwards");
  for (size_t i = lower(s, table, from, from_size); i < count_of(&s->entries) && answer == 0; i++) {
    const Entry *e = entry_at(&s->entries, i);
    if (e->op.table != table || (to != NULL && compare_keys(e->op.key, e->op.key_size, to, to_size) >= 0)) break;
    answer = deliver(e, found, ud);
  }
  if (result != NULL) *result = answer;
  return hearth_ok(err);
}

const hearth_backend log_backend = {
    .size = sizeof(hearth_backend), .abi = HEARTH_BACKEND_ABI, .name = "log", .get = log_get, .scan = log_scan};
