#include "pending_backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "contract.h"
#include "error.h"

/* A change, kept to be applied (while the batch comes in parts) or to be undone. */
typedef struct Change {
  struct Change *next;
  uint64_t table;
  size_t key_size, value_size;
  bool present; /* put the value; else delete */
  bool drop;
  unsigned char bytes[]; /* key, value */
} Change;

struct PendingBatch {
  PendingBatch *next;
  uint64_t sequence;
  hearth_durability level;
  Change *todo, *todo_last; /* in order */
  Change *undo;             /* the last change first */
  bool written;
  hearth_status failure; /* 0: none */
};

static PendingDisk *disk_of(hearth_backend_store *store) {
  return (PendingDisk *)(void *)store;
}

/* --------------------------------------------------------------- changes */

static Change *make_change(uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Change *c = malloc(sizeof *c + key_size + value_size);
  assert(c != NULL);
  memset(c, 0, sizeof *c);
  c->table = table;
  c->key_size = key_size;
  c->value_size = value_size;
  c->present = value != NULL;
  if (key_size > 0) memcpy(c->bytes, key, key_size);
  if (value_size > 0) memcpy(c->bytes + key_size, value, value_size); /* NOLINT(*NonNullParam*): NULL has size 0 */
  return c;
}

static void free_changes(Change *c) {
  while (c != NULL) {
    Change *next = c->next;
    free(c);
    c = next;
  }
}

static void free_batch(PendingBatch *b) {
  if (b == NULL) return;
  free_changes(b->todo);
  free_changes(b->undo);
  free(b);
}

static void apply(PendingDisk *d, const Change *c) {
  if (c->present) {
    bool put = map_put(&d->map, c->table, c->bytes, c->key_size, c->bytes + c->key_size, c->value_size);
    assert(put);
    (void)put;
  } else {
    (void)map_remove(&d->map, c->table, c->bytes, c->key_size);
  }
}

/* What is there under the key, to be put back. */
static void remember(PendingDisk *d, PendingBatch *b, uint64_t table, const void *key, size_t key_size) {
  MapEntry *e = map_find(&d->map, table, key, key_size);
  Change *c = make_change(table, key, key_size, e != NULL ? map_value(e) : NULL, e != NULL ? e->value_size : 0);
  c->next = b->undo;
  b->undo = c;
}

static void drop(PendingDisk *d, PendingBatch *b, uint64_t table) {
  for (MapEntry *e; (e = map_table(&d->map, table)) != NULL && e->table == table;) {
    remember(d, b, table, map_key(e), e->key_size);
    (void)map_remove(&d->map, table, map_key(e), e->key_size);
  }
}

static void apply_batch(PendingDisk *d, PendingBatch *b) {
  for (const Change *c = b->todo; c != NULL; c = c->next) {
    if (c->drop) {
      drop(d, b, c->table);
    } else {
      remember(d, b, c->table, c->bytes, c->key_size);
      apply(d, c);
    }
  }
  free_changes(b->todo);
  b->todo = NULL;
}

/* The newest first. */
static void undo_from(PendingDisk *d, PendingBatch *b) {
  if (b == NULL) return;
  undo_from(d, b->next);
  for (const Change *c = b->undo; c != NULL; c = c->next) apply(d, c);
  free_batch(b);
}

/* ------------------------------------------------------- between the calls */

/* What is decided and in order comes true. */
static void advance(PendingDisk *d) {
  while (d->first != NULL && d->first->written) {
    PendingBatch *b = d->first;
    d->sequence = b->sequence;
    if (b->level == HEARTH_DURABLE || d->wanted >= b->sequence) d->durable = b->sequence;
    d->first = b->next;
    if (d->first == NULL) d->last = NULL;
    free_batch(b);
  }
  if (d->first != NULL && d->first->failure != HEARTH_OK && d->failure == HEARTH_OK) {
    d->failure = d->first->failure;
    d->lost = true;
  }
}

void pending_disk_init(PendingDisk *d) {
  memset(d, 0, sizeof *d);
  map_init(&d->map, &hearth_libc_allocator);
  d->fail_at = SIZE_MAX;
}

static void forget_pending(PendingDisk *d) {
  undo_from(d, d->first);
  d->first = d->last = NULL;
  d->accepted = d->sequence;
}

void pending_disk_free(PendingDisk *d) {
  assert(!d->open);
  forget_pending(d);
  map_free(&d->map);
}

static PendingBatch *batch_at(const PendingDisk *d, size_t n) {
  PendingBatch *b = d->first;
  while (n-- > 0 && b != NULL) b = b->next;
  assert(b != NULL);
  return b;
}

size_t pending_disk_count(const PendingDisk *d) {
  size_t n = 0;
  for (const PendingBatch *b = d->first; b != NULL && b->failure == HEARTH_OK; b = b->next) n++;
  return n;
}

void pending_disk_complete(PendingDisk *d, size_t n) {
  batch_at(d, n)->written = true;
  advance(d);
}

void pending_disk_fail(PendingDisk *d, size_t n, hearth_status failure) {
  batch_at(d, n)->failure = failure;
  advance(d);
}

void pending_disk_flush(PendingDisk *d) {
  d->durable = d->sequence;
}

void pending_disk_fail_flush(PendingDisk *d) {
  d->failure = HEARTH_IO;
}

void pending_disk_compacted(PendingDisk *d, hearth_status status) {
  assert(d->compacting);
  d->compacting = false;
  if (status != HEARTH_OK) d->failure = status;
}

void pending_disk_finish(PendingDisk *d) {
  assert(!d->open);
  while (d->first != NULL && d->first->failure == HEARTH_OK) pending_disk_complete(d, 0);
  pending_disk_crash(d);
}

void pending_disk_crash(PendingDisk *d) {
  assert(!d->open);
  forget_pending(d);
  d->failure = HEARTH_OK;
  d->lost = d->dead = d->compacting = false;
  d->durable = d->wanted = d->sequence; /* who opens it next flushes first */
}

/* ------------------------------------------------------------ the contract */

static hearth_status pending_open(const hearth_backend_config *config, hearth_backend_store **out, hearth_error *err) {
  void *p = NULL;
  if (sscanf(config->location, "%p", &p) != 1) return hearth_fail(err, HEARTH_INVALID, "pending: no address");
  PendingDisk *d = p;
  if (d->open) return hearth_fail(err, HEARTH_BUSY, "pending: open");
  d->open = true;
  *out = (hearth_backend_store *)p;
  return hearth_ok(err);
}

static hearth_status pending_close(hearth_backend_store *store, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  assert(d->open);
  free_batch(d->part);
  d->part = NULL;
  d->open = false;
  return hearth_ok(err);
}

static hearth_status check_alive(const PendingDisk *d, hearth_error *err) {
  return d->dead ? hearth_fail(err, HEARTH_DEAD, "pending: the store is dead") : hearth_ok(err);
}

/* No change before poll has told what failed. */
static hearth_status check_told(const PendingDisk *d, hearth_error *err) {
  hearth_status status = check_alive(d, err);
  if (status == HEARTH_OK && d->failure != HEARTH_OK)
    status = hearth_fail(err, HEARTH_BUSY, "pending: a failure was not told yet");
  return status;
}

static hearth_status pending_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                 hearth_found found, void *ud, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  hearth_status status = check_alive(d, err);
  if (status != HEARTH_OK) return status;
  MapEntry *e = map_find(&d->map, table, key, key_size);
  if (e == NULL) return hearth_fail(err, HEARTH_NOTFOUND, "pending: no such key");
  (void)found(ud, table, map_key(e), e->key_size, map_value(e), e->value_size);
  return hearth_ok(err);
}

static hearth_status pending_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                  const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                  int *result, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  int answer = 0;
  MapRange range;
  hearth_status status = check_alive(d, err);
  if (status != HEARTH_OK) return status;
  map_range(&d->map, table, from, from_size, to, to_size, reverse, &range);
  for (MapEntry *e; answer == 0 && (e = map_range_next(&range)) != NULL;)
    answer = found(ud, table, map_key(e), e->key_size, map_value(e), e->value_size);
  if (result != NULL) *result = answer;
  return hearth_ok(err);
}

static void add_op(PendingDisk *d, const hearth_op *op) {
  bool put = op->kind == HEARTH_PUT, is_drop = op->kind == HEARTH_DROP;
  Change *c = make_change(op->table, op->key, is_drop ? 0 : op->key_size, put ? op->value : NULL,
                          put ? op->value_size : 0);
  c->present = put;
  c->drop = is_drop;
  if (d->part->todo_last != NULL)
    d->part->todo_last->next = c;
  else
    d->part->todo = c;
  d->part->todo_last = c;
}

static hearth_status abandon(PendingDisk *d, hearth_status status) {
  free_batch(d->part);
  d->part = NULL;
  return status;
}

/* The last part is there. */
static void accept(PendingDisk *d, hearth_durability level) {
  PendingBatch *b = d->part;
  d->part = NULL;
  b->sequence = ++d->accepted;
  b->level = level;
  apply_batch(d, b);
  if (d->last != NULL)
    d->last->next = b;
  else
    d->first = b;
  d->last = b;
  d->batches++;
}

static hearth_status pending_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                    hearth_durability level, uint64_t *sequence, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  if ((flags & HEARTH_BATCH_ABANDON) != 0) return abandon(d, hearth_ok(err));
  hearth_status status = check_told(d, err);
  if (status != HEARTH_OK) return abandon(d, status);
  if (d->submits++ == d->fail_at) return abandon(d, hearth_fail(err, HEARTH_FULL, "pending: full at once"));
  if (d->part == NULL) {
    d->part = calloc(1, sizeof *d->part);
    assert(d->part != NULL);
  }
  for (size_t i = 0; i < count; i++) {
    assert(ops[i].kind <= HEARTH_DROP); /* the store makes no checks */
    add_op(d, &ops[i]);
  }
  if ((flags & HEARTH_BATCH_MORE) != 0) return hearth_ok(err);
  accept(d, level);
  if (sequence != NULL) *sequence = d->accepted;
  if (level == HEARTH_VISIBLE) return hearth_ok(err);
  (void)hearth_ok(err);
  return HEARTH_PENDING;
}

static bool has_reached(const PendingDisk *d) {
  for (const PendingBatch *b = d->first; b != NULL; b = b->next)
    if (b->level > HEARTH_VISIBLE || d->wanted >= b->sequence) return false;
  return d->durable >= d->wanted;
}

static hearth_status pending_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  hearth_status status = check_told(d, err);
  if (status != HEARTH_OK || level == HEARTH_VISIBLE) return status;
  for (PendingBatch *b = d->first; b != NULL; b = b->next)
    if (b->level < level) b->level = level;
  if (level == HEARTH_DURABLE) d->wanted = d->accepted;
  return d->first != NULL || d->durable < d->wanted ? HEARTH_PENDING : HEARTH_OK;
}

static hearth_status pending_poll_disk(hearth_backend_store *store, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  hearth_status status = check_alive(d, err);
  if (status != HEARTH_OK) return status;
  if (d->failure == HEARTH_OK) return d->compacting || !has_reached(d) ? HEARTH_PENDING : HEARTH_OK;
  status = hearth_fail(err, d->failure, "pending: a batch failed: %s", hearth_status_name(d->failure));
  if (status == HEARTH_IO) d->dead = true;
  if (d->lost) forget_pending(d);
  if (d->wanted > d->sequence) d->wanted = d->sequence;
  d->failure = HEARTH_OK;
  d->lost = false;
  return status;
}

static hearth_status pending_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  PendingDisk *d = disk_of(store);
  (void)keep;
  hearth_status status = check_told(d, err);
  if (status != HEARTH_OK) return status;
  d->compacting = d->slow_compaction;
  return d->compacting ? HEARTH_PENDING : HEARTH_OK;
}

static hearth_status pending_refresh(hearth_backend_store *store, hearth_error *err) {
  return check_alive(disk_of(store), err);
}

static hearth_status pending_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  const PendingDisk *d = disk_of(store);
  hearth_backend_stat full = {0};
  hearth_status status = check_alive(d, err);
  if (status != HEARTH_OK) return status;
  full.sequence = d->sequence;
  full.durable = d->durable;
  full.entries = d->map.count;
  contract_stat(stat, &full);
  return HEARTH_OK;
}

static hearth_status pending_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                    hearth_error *err) {
  PendingDisk *d = disk_of(store);
  int answer = 0;
  hearth_status status = check_alive(d, err);
  if (status != HEARTH_OK) return status;
  for (MapEntry *e = map_table(&d->map, 0); e != NULL && answer == 0; e = map_table(&d->map, e->table + 1))
    answer = found(ud, e->table, NULL, 0, NULL, 0);
  if (result != NULL) *result = answer;
  return HEARTH_OK;
}

const hearth_backend pending_backend = {
    .size = sizeof(hearth_backend),
    .abi = HEARTH_BACKEND_ABI,
    .name = "pending",
    .max_durability = HEARTH_DURABLE,
    .open = pending_open,
    .close = pending_close,
    .get = pending_get,
    .scan = pending_scan,
    .submit = pending_submit,
    .barrier = pending_barrier,
    .poll = pending_poll_disk,
    .compact = pending_compact,
    .refresh = pending_refresh,
    .stat = pending_stat,
    .tables = pending_tables,
};
