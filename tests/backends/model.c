#include "model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *copy_bytes(const void *bytes, size_t size) {
  unsigned char *copy = malloc(size + 1);
  if (copy == NULL) abort();
  if (size > 0) memcpy(copy, bytes, size);
  return copy;
}

static int compare_keys(const void *a, size_t a_size, const void *b, size_t b_size) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < a_size && i < b_size; i++)
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  return a_size < b_size ? -1 : a_size > b_size;
}

static int compare(const ModelEntry *e, uint64_t table, const void *key, size_t key_size) {
  if (e->table != table) return e->table < table ? -1 : 1;
  return compare_keys(e->key, e->key_size, key, key_size);
}

static const ModelEntry *find(const ModelState *s, uint64_t table, const void *key, size_t key_size) {
  for (size_t i = 0; i < s->count; i++)
    if (compare(&s->entries[i], table, key, key_size) == 0) return &s->entries[i];
  return NULL;
}

static void free_state(ModelState *s) {
  for (size_t i = 0; i < s->count; i++) {
    free(s->entries[i].key);
    free(s->entries[i].value);
  }
  free(s->entries);
  *s = (ModelState){NULL, 0};
}

static ModelState copy_state(const ModelState *s) {
  ModelState copy = {malloc((s->count + 1) * sizeof(ModelEntry)), s->count};
  if (copy.entries == NULL) abort();
  for (size_t i = 0; i < s->count; i++) {
    copy.entries[i] = s->entries[i];
    copy.entries[i].key = copy_bytes(s->entries[i].key, s->entries[i].key_size);
    copy.entries[i].value = copy_bytes(s->entries[i].value, s->entries[i].value_size);
  }
  return copy;
}

static void remove_at(ModelState *s, size_t i) {
  free(s->entries[i].key);
  free(s->entries[i].value);
  s->count--;
  memmove(s->entries + i, s->entries + i + 1, (s->count - i) * sizeof(ModelEntry));
}

static void del(ModelState *s, uint64_t table, const void *key, size_t key_size) {
  for (size_t i = s->count; i-- > 0;)
    if (compare(&s->entries[i], table, key, key_size) == 0) remove_at(s, i);
}

static void drop(ModelState *s, uint64_t table) {
  for (size_t i = s->count; i-- > 0;)
    if (s->entries[i].table == table) remove_at(s, i);
}

static void put(ModelState *s, const hearth_op *op) {
  size_t i = 0;
  del(s, op->table, op->key, op->key_size);
  while (i < s->count && compare(&s->entries[i], op->table, op->key, op->key_size) < 0) i++;
  s->entries = realloc(s->entries, (s->count + 1) * sizeof(ModelEntry));
  if (s->entries == NULL) abort();
  memmove(s->entries + i + 1, s->entries + i, (s->count - i) * sizeof(ModelEntry));
  s->entries[i] = (ModelEntry){op->table, copy_bytes(op->key, op->key_size), copy_bytes(op->value, op->value_size),
                               op->key_size, op->value_size};
  s->count++;
}

static hearth_status judge(const hearth_op *op) {
  if (op->kind < HEARTH_PUT || op->kind > HEARTH_CHECK_ABSENT || op->table > HEARTH_MAX_TABLE) return HEARTH_INVALID;
  return op->kind != HEARTH_DROP && op->key_size > HEARTH_MAX_KEY ? HEARTH_TOOBIG : HEARTH_OK;
}

/* A check looks at what was there before the batch. */
static bool holds(const ModelState *before, const hearth_op *op) {
  const ModelEntry *e = find(before, op->table, op->key, op->key_size);
  if (op->kind == HEARTH_CHECK_ABSENT) return e == NULL;
  return e != NULL && compare_keys(e->value, e->value_size, op->value, op->value_size) == 0;
}

void model_reopen(Model *m) {
  if (m->in_batch) free_state(&m->batch);
  m->in_batch = false;
  m->changes = 0;
}

static hearth_status apply(Model *m, const hearth_op *op) {
  switch (op->kind) {
    case HEARTH_PUT: put(&m->batch, op); break;
    case HEARTH_DEL: del(&m->batch, op->table, op->key, op->key_size); break;
    case HEARTH_DROP: drop(&m->batch, op->table); break;
    default: return holds(&m->now, op) ? HEARTH_OK : HEARTH_CONFLICT;
  }
  m->changes++;
  return HEARTH_OK;
}

hearth_status model_submit(Model *m, const hearth_op *ops, size_t count, unsigned flags) {
  hearth_status status = HEARTH_OK;
  for (size_t i = 0; i < count && status == HEARTH_OK; i++) status = judge(&ops[i]);
  if (status == HEARTH_OK && !m->in_batch) m->batch = copy_state(&m->now);
  if (status == HEARTH_OK) m->in_batch = true;
  for (size_t i = 0; i < count && status == HEARTH_OK; i++) status = apply(m, &ops[i]);
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) != 0) return HEARTH_OK;
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_ABANDON) == 0 && m->changes > 0) {
    free_state(&m->now);
    m->now = copy_state(&m->batch);
    m->sequence++;
  }
  model_reopen(m);
  return status;
}

hearth_status model_get(const Model *m, uint64_t table, const void *key, size_t key_size, hearth_found found,
                        void *ud) {
  const ModelEntry *e = find(&m->now, table, key, key_size);
  if (e == NULL) return HEARTH_NOTFOUND;
  (void)found(ud, table, e->key, e->key_size, e->value, e->value_size);
  return HEARTH_OK;
}

int model_scan(const Model *m, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,
               bool reverse, hearth_found found, void *ud) {
  int result = 0;
  for (size_t n = 0; n < m->now.count && result == 0; n++) {
    const ModelEntry *e = &m->now.entries[reverse ? m->now.count - 1 - n : n];
    if (e->table != table) continue;
    if (from != NULL && compare_keys(e->key, e->key_size, from, from_size) < 0) continue;
    if (to != NULL && compare_keys(e->key, e->key_size, to, to_size) >= 0) continue;
    result = found(ud, table, e->key, e->key_size, e->value, e->value_size);
  }
  return result;
}

int model_tables(const Model *m, hearth_found found, void *ud) {
  int result = 0;
  for (size_t i = 0; i < m->now.count && result == 0; i++)
    if (i == 0 || m->now.entries[i].table != m->now.entries[i - 1].table)
      result = found(ud, m->now.entries[i].table, NULL, 0, NULL, 0);
  return result;
}

uint64_t model_bytes(const Model *m) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < m->now.count; i++) bytes += m->now.entries[i].key_size + m->now.entries[i].value_size;
  return bytes;
}

void model_free(Model *m) {
  model_reopen(m);
  free_state(&m->now);
}
