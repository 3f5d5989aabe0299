#include "history.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES 3
#define KEYS 8

static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static uint64_t sum_bytes(uint64_t h, const unsigned char *p, size_t size) {
  for (; size >= 8; p += 8, size -= 8) { /* as little-endian numbers, so that a sum is the same everywhere */
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--) word = word << 8 | p[i];
    h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
    h ^= h >> 29;
  }
  for (; size > 0; size--) h = (h ^ *p++) * UINT64_C(0x100000001b3);
  return mix(h);
}

static uint64_t sum_entry(uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  uint64_t h = sum_bytes(mix(table + 1), key, key_size);
  return value_size == 0 ? mix(h) : sum_bytes(h ^ value_size, value, value_size);
}

/* ---------------------------------------------------------------- batches */

static hearth_op *add(HistoryBatch *b, hearth_op_kind kind, uint64_t table, uint64_t key) {
  hearth_op *op = &b->ops[b->count];
  int n = snprintf(b->keys[b->count], sizeof b->keys[0], "key%u", (unsigned)(key % KEYS));
  *op = (hearth_op){.kind = kind, .table = table};
  if (kind != HEARTH_DROP) {
    op->key = b->keys[b->count];
    op->key_size = (size_t)n;
  }
  b->count++;
  return op;
}

static void add_put(HistoryBatch *b, uint64_t random, unsigned twin, size_t largest) {
  static const size_t sizes[] = {0, 5, 17, 40, 90, 130, 200, 333};
  unsigned char *value = b->values[b->count];
  size_t size = sizes[random % 8];
  if (random >> 8 & 1 && largest > 0) size = (size_t)(random >> 16) % largest;
  for (size_t i = 0; i < size; i++) value[i] = (unsigned char)(mix(random + twin * 31 + i / 8) >> i % 8 * 8);
  hearth_op *op = add(b, HEARTH_PUT, 1 + random / 7 % TABLES, random >> 32);
  op->value = value;
  op->value_size = size;
}

void history_batch(uint64_t seed, uint64_t n, unsigned variant, size_t largest, HistoryBatch *b) {
  uint64_t random = mix(mix(seed + 1) ^ n * 1000 ^ variant % HISTORY_TWIN);
  unsigned twin = variant / HISTORY_TWIN;
  b->count = 0;
  for (uint64_t i = 0; i <= random % 3; i++) add_put(b, mix(random + i), twin, largest);
  if (random >> 8 & 1) (void)add(b, HEARTH_DEL, 1 + (random >> 10) % TABLES, random >> 16);
  if ((random >> 24) % 6 == 0) (void)add(b, HEARTH_DROP, TABLES, 0);
  if (random >> 32 & 1) add_put(b, mix(random + 9), twin, 0);
}

/* ------------------------------------------------------------------ states */

static void forget(HistoryState *s, size_t i) {
  s->sum -= s->entries[i].sum;
  s->entries[i] = s->entries[--s->count];
}

static void apply_op(HistoryState *s, const hearth_op *op) {
  for (size_t i = s->count; i-- > 0;) {
    const HistoryEntry *e = &s->entries[i];
    if (e->table != op->table) continue;
    if (op->kind == HEARTH_DROP || (strlen(e->key) == op->key_size && memcmp(e->key, op->key, op->key_size) == 0))
      forget(s, i);
  }
  if (op->kind != HEARTH_PUT) return;
  if (s->count == HISTORY_ENTRIES) abort();
  HistoryEntry *e = &s->entries[s->count++];
  e->table = op->table;
  memcpy(e->key, op->key, op->key_size);
  e->key[op->key_size] = '\0';
  e->sum = sum_entry(op->table, op->key, op->key_size, op->value, op->value_size);
  s->sum += e->sum;
}

void history_apply(const HistoryState *from, const HistoryBatch *batch, HistoryState *to) {
  if (to != from) *to = *from;
  for (size_t i = 0; i < batch->count; i++) apply_op(to, &batch->ops[i]);
}

/* ------------------------------------------------------------------ stores */

hearth_status history_submit(const hearth_backend *backend, hearth_backend_store *store, const HistoryBatch *batch,
                             size_t parts, hearth_durability level, hearth_error *err) {
  size_t at = 0;
  while (parts > 0 && batch->count - at > parts) {
    hearth_status status = backend->submit(store, batch->ops + at, parts, HEARTH_BATCH_MORE, level, NULL, err);
    if (status != HEARTH_OK) return status;
    at += parts;
  }
  return backend->submit(store, batch->ops + at, batch->count - at, 0, level, NULL, err);
}

typedef struct Summing {
  uint64_t sum;
  uint64_t tables[TABLES + 1];
  size_t count;
} Summing;

static int sum_found(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                     size_t value_size) {
  Summing *s = ud;
  s->sum += sum_entry(table, key, key_size, value, value_size);
  return 0;
}

static int table_found(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  Summing *s = ud;
  (void)key, (void)key_size, (void)value, (void)value_size;
  s->tables[s->count++] = table;
  return s->count > TABLES; /* one that nobody made */
}

hearth_status history_sum(const hearth_backend *backend, hearth_backend_store *store, uint64_t *sum,
                          hearth_error *err) {
  Summing s = {.sum = 0};
  int result = 0;
  hearth_status status = backend->tables(store, table_found, &s, &result, err);
  for (size_t i = 0; i < s.count && status == HEARTH_OK; i++)
    status = backend->scan(store, s.tables[i], NULL, 0, NULL, 0, false, sum_found, &s, &result, err);
  *sum = s.sum;
  return status;
}
