#include "changes.h"

#include "stream.h"

typedef struct Merge {
  Changes *changes;
  Stream a, b;
  bool has_a, has_b;
} Merge;

void changes_init(Changes *c, const View *v) {
  memset(c, 0, sizeof *c);
  intmap_init(&c->numbers, &v->allocator);
}

void changes_free(Changes *c) {
  intmap_free(&c->numbers);
}

static bool mark(Changes *c, uint64_t number, uint32_t how) {
  if (intmap_get(&c->numbers, number) != INTMAP_NONE) return true;
  if (how == CHANGE_BOTH) c->left++;
  return intmap_put(&c->numbers, number, how);
}

/* An entry of table 0 that is on one side only, or differs. */
static bool note(Changes *c, const void *key, size_t size, uint32_t how) {
  LayoutKey k = layout_get_key(key, size);
  switch (k.kind) {
    case LAYOUT_CONSTANT:
    case LAYOUT_CHUNK:
      c->constants |= how == CHANGE_BOTH;
      return true;
    case LAYOUT_OBJECT: return mark(c, k.number, how);
    case LAYOUT_PAGE: return mark(c, k.number, CHANGE_BOTH); /* that its object is new was noted before */
    case LAYOUT_EXTERNAL: return how == CHANGE_BOTH || mark(c, k.number, how); /* what is counted there is no content */
    default: return true;
  }
}

static hearth_status merge_begin(Merge *m, Changes *c, const View *a, const View *b, uint64_t table,
                                 hearth_error *err) {
  m->changes = c;
  stream_init(&m->a, a, table);
  stream_init(&m->b, b, table);
  hearth_status status = stream_next(&m->a, &m->has_a, err);
  return status == HEARTH_OK ? stream_next(&m->b, &m->has_b, err) : status;
}

static void merge_end(Merge *m) {
  stream_free(&m->a);
  stream_free(&m->b);
}

static int order(const Merge *m) {
  if (!m->has_a || !m->has_b) return m->has_a ? -1 : 1;
  size_t least = m->a.key_size < m->b.key_size ? m->a.key_size : m->b.key_size;
  int n = least > 0 ? memcmp(m->a.key, m->b.key, least) : 0;
  if (n != 0) return n;
  return m->a.key_size < m->b.key_size ? -1 : m->a.key_size > m->b.key_size;
}

static bool same_value(const Merge *m) {
  return m->a.value_size == m->b.value_size &&
         (m->a.value_size == 0 || memcmp(m->a.value, m->b.value, m->a.value_size) == 0);
}

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

static hearth_status merge_store(Merge *m, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  while (status == HEARTH_OK && (m->has_a || m->has_b)) {
    int n = order(m);
    const Stream *s = n <= 0 ? &m->a : &m->b;
    bool differs = n != 0 || !same_value(m);
    if (differs && !note(m->changes, s->key, s->key_size, n == 0 ? CHANGE_BOTH : n < 0 ? CHANGE_ONLY_A : CHANGE_ONLY_B))
      return no_memory(err);
    if (n <= 0) status = stream_next(&m->a, &m->has_a, err);
    if (n >= 0 && status == HEARTH_OK) status = stream_next(&m->b, &m->has_b, err);
  }
  return status;
}

/* Up to the first entry that differs. */
static hearth_status merge_external(Merge *m, uint64_t table, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  while (status == HEARTH_OK && (m->has_a || m->has_b)) {
    if (order(m) != 0 || !same_value(m)) return mark(m->changes, table, CHANGE_BOTH) ? HEARTH_OK : no_memory(err);
    status = stream_next(&m->a, &m->has_a, err);
    if (status == HEARTH_OK) status = stream_next(&m->b, &m->has_b, err);
  }
  return status;
}

static int take_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  IntMap *tables = ud;
  return table != LAYOUT_TABLE && !intmap_put(tables, table, 0);
}

static hearth_status list_tables(const View *v, IntMap *tables, hearth_error *err) {
  int failed = 0;
  hearth_status status = v->backend->tables(v->store, take_table, tables, &failed, err);
  return status == HEARTH_OK && failed != 0 ? no_memory(err) : status;
}

static hearth_status find_externals(Changes *c, const View *a, const View *b, hearth_error *err) {
  IntMap tables;
  intmap_init(&tables, &a->allocator);
  hearth_status status = list_tables(a, &tables, err);
  if (status == HEARTH_OK) status = list_tables(b, &tables, err);
  for (size_t i = 0; i < tables.capacity && status == HEARTH_OK; i++) {
    uint64_t table = tables.entries[i].key;
    if (table == 0 || intmap_get(&c->numbers, table) != INTMAP_NONE) continue;
    Merge m;
    status = merge_begin(&m, c, a, b, table, err);
    if (status == HEARTH_OK) status = merge_external(&m, table, err);
    merge_end(&m);
  }
  intmap_free(&tables);
  return status;
}

hearth_status changes_find(Changes *c, const View *a, const View *b, hearth_error *err) {
  Merge m;
  hearth_status status = merge_begin(&m, c, a, b, LAYOUT_TABLE, err);
  if (status == HEARTH_OK) status = merge_store(&m, err);
  merge_end(&m);
  return status == HEARTH_OK ? find_externals(c, a, b, err) : status;
}
