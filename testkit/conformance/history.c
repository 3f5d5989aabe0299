#include "history.h"

typedef struct Batch {
  hearth_op ops[HISTORY_OPS];
  char text[HISTORY_OPS][2][120];
  size_t count;
} Batch;

static void add(Batch *b, hearth_op_kind kind, uint64_t table, const char *key, uint64_t number, const char *value) {
  char *k = b->text[b->count][0], *v = b->text[b->count][1];
  (void)snprintf(k, sizeof b->text[0][0], "%s%llu", key, ULL(number));
  (void)snprintf(v, sizeof b->text[0][0], "%s", value);
  b->ops[b->count++] = (hearth_op){kind, table, k, strlen(k), v, strlen(v)};
}

static void make_batch(uint64_t n, Batch *b) {
  char value[120];
  b->count = 0;
  (void)snprintf(value, sizeof value, "value%llu-%0*llu", ULL(n), (int)(n * 37 % 90), ULL(n));
  add(b, HEARTH_PUT, 1, "key", n % 5, value);
  if (n % 3 == 0) add(b, HEARTH_DEL, 1, "key", (n + 2) % 5, "");
  if (n % 4 == 0) add(b, HEARTH_DROP, 2, "", 0, "");
  add(b, HEARTH_PUT, 2, "x", n, n % 2 == 0 ? "" : "short");
}

hearth_status kit_history_submit(Fixture *f, uint64_t n, hearth_durability level) {
  Batch b;
  size_t first = n % 2 == 0 ? 1 : 0;
  make_batch(n, &b);
  if (first > 0) {
    hearth_status status = kit_submit_at(f, b.ops, first, HEARTH_BATCH_MORE, level, NULL);
    if (status != HEARTH_OK) return status;
  }
  return kit_submit_at(f, b.ops + first, b.count - first, 0, level, NULL);
}

/* ------------------------------------------------------------- the model */

#define MOST_ENTRIES 16

typedef struct Entry {
  uint64_t table;
  char key[32], value[120];
} Entry;

typedef struct Model {
  Entry entries[MOST_ENTRIES];
  size_t count;
} Model;

static void model_remove(Model *m, uint64_t table, const char *key) {
  for (size_t i = m->count; i-- > 0;)
    if (m->entries[i].table == table && (key == NULL || strcmp(m->entries[i].key, key) == 0))
      m->entries[i] = m->entries[--m->count];
}

static void model_apply(Model *m, const hearth_op *op) {
  model_remove(m, op->table, op->kind == HEARTH_DROP ? NULL : op->key);
  if (op->kind != HEARTH_PUT) return;
  if (m->count == MOST_ENTRIES) abort();
  Entry *e = &m->entries[m->count++];
  e->table = op->table;
  (void)snprintf(e->key, sizeof e->key, "%s", (const char *)op->key);
  (void)snprintf(e->value, sizeof e->value, "%s", (const char *)op->value);
}

static int compare(const void *a, const void *b) {
  const Entry *x = a, *y = b;
  if (x->table != y->table) return x->table < y->table ? -1 : 1;
  return strcmp(x->key, y->key);
}

void kit_history_text(uint64_t n, Text *t) {
  Model m = {.count = 0};
  Batch b;
  for (uint64_t i = 1; i <= n; i++) {
    make_batch(i, &b);
    for (size_t k = 0; k < b.count; k++) model_apply(&m, &b.ops[k]);
  }
  if (m.count > 0) qsort(m.entries, m.count, sizeof *m.entries, compare);
  memset(t, 0, sizeof *t);
  for (size_t i = 0; i < m.count; i++) {
    const Entry *e = &m.entries[i];
    (void)kit_write_down(t, e->table, e->key, strlen(e->key), e->value, strlen(e->value));
  }
}

uint64_t kit_history_verify(Fixture *f) {
  Text expected, t;
  uint64_t n = kit_look(f).sequence;
  kit_history_text(n, &expected);
  READS(f, expected.text, kit_everything(f, &t));
  return n;
}
