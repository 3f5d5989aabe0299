#include "batch.h"

#include <stdlib.h>
#include <string.h>

static bool is_check(const hearth_op *op) {
  return op->kind == HEARTH_CHECK_EQUAL || op->kind == HEARTH_CHECK_ABSENT;
}

static int compare_keys(const hearth_op *a, const hearth_op *b) {
  if (a->table != b->table) return a->table < b->table ? -1 : 1;
  if ((a->kind == HEARTH_DROP) != (b->kind == HEARTH_DROP)) return a->kind == HEARTH_DROP ? -1 : 1;
  if (a->kind == HEARTH_DROP) return 0;
  size_t size = a->key_size < b->key_size ? a->key_size : b->key_size;
  int order = size > 0 ? memcmp(a->key, b->key, size) : 0;
  if (order == 0 && a->key_size != b->key_size) order = a->key_size < b->key_size ? -1 : 1;
  return order;
}

/* By table, its drops first, then by key; of the same the earlier one first. */
static int compare(const void *one, const void *other) {
  const hearth_op *a = *(const hearth_op *const *)one, *b = *(const hearth_op *const *)other;
  int order = compare_keys(a, b);
  if (order == 0 && a != b) order = a < b ? -1 : 1;
  return order;
}

/* Keeps the last drop of each table, and of each key the last operation, if no drop came after it. The new count. */
static size_t keep_what_counts(const hearth_op **ops, size_t count) {
  size_t kept = 0;
  const hearth_op *drop = NULL;
  for (size_t i = 0; i < count; i++) {
    if (ops[i]->kind == HEARTH_DROP) drop = ops[i];
    if (i + 1 < count && compare_keys(ops[i], ops[i + 1]) == 0) continue;
    bool dropped = drop != NULL && drop->table == ops[i]->table && ops[i] < drop;
    if (!dropped) ops[kept++] = ops[i];
  }
  return kept;
}

/* Appends those of a kind to what is at `to`. */
static size_t select_kind(const hearth_op *const *from, size_t count, hearth_op_kind kind, const hearth_op **to) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    if (from[i]->kind == kind) to[n++] = from[i];
  return n;
}

static bool is_sorted(const hearth_op **ops, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (compare(&ops[i - 1], &ops[i]) > 0) return false;
  return true;
}

bool postgres_batch_make(Batch *b, const hearth_op *ops, size_t count, const hearth_allocator *allocator) {
  *b = (Batch){.allocator = *allocator, .capacity = count + 1};
  size_t size = b->capacity * sizeof *b->ops, changes = 0;
  const hearth_op **all = hearth_realloc(allocator, NULL, 0, size);
  b->ops = all != NULL ? hearth_realloc(allocator, NULL, 0, size) : NULL;
  if (b->ops == NULL) {
    hearth_free(allocator, all, size);
    return false;
  }
  for (size_t i = 0; i < count; i++)
    if (!is_check(&ops[i])) all[changes++] = &ops[i];
  if (!is_sorted(all, changes)) qsort(all, changes, sizeof *all, compare);
  changes = keep_what_counts(all, changes);
  b->drops = select_kind(all, changes, HEARTH_DROP, b->ops);
  b->dels = select_kind(all, changes, HEARTH_DEL, b->ops + b->drops);
  b->puts = select_kind(all, changes, HEARTH_PUT, b->ops + b->drops + b->dels);
  for (size_t i = 0; i < count; i++)
    if (is_check(&ops[i])) b->ops[b->drops + b->dels + b->puts + b->checks++] = &ops[i];
  hearth_free(allocator, all, size);
  return true;
}

void postgres_batch_free(Batch *b) {
  hearth_free(&b->allocator, b->ops, b->capacity * sizeof *b->ops);
  b->ops = NULL;
}
