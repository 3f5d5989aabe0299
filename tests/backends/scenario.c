#include "scenario.h"

static void add(ScenarioBatch *b, hearth_op_kind kind, uint64_t table, const char *key, const char *value) {
  char *k = b->text[b->count][0], *v = b->text[b->count][1];
  (void)snprintf(k, 160, "%s", key);
  (void)snprintf(v, 160, "%s", value);
  b->ops[b->count++] = (hearth_op){kind, table, k, strlen(k), v, strlen(v)};
}

void scenario_batch(uint64_t n, ScenarioBatch *batch) {
  char key[32], value[160];
  batch->count = 0;
  (void)snprintf(key, sizeof key, "key%llu", (unsigned long long)(n % 5));
  (void)snprintf(value, sizeof value, "value %llu %0*llu", (unsigned long long)n, (int)(n * 37 % 90),
                 (unsigned long long)n);
  add(batch, HEARTH_PUT, 1, key, value);
  (void)snprintf(key, sizeof key, "key%llu", (unsigned long long)((n + 2) % 5));
  if (n % 3 == 0) add(batch, HEARTH_DEL, 1, key, "");
  if (n % 4 == 0) add(batch, HEARTH_DROP, 2, "", "");
  (void)snprintf(key, sizeof key, "x%llu", (unsigned long long)n);
  add(batch, HEARTH_PUT, 2, key, n % 2 == 0 ? "" : "short");
}

hearth_status scenario_submit(const hearth_backend *backend, hearth_backend_store *store, uint64_t n, bool parts,
                              hearth_durability level, hearth_error *err) {
  ScenarioBatch batch;
  size_t first = 0;
  scenario_batch(n, &batch);
  if (parts) {
    hearth_status status = backend->submit(store, batch.ops, 1, HEARTH_BATCH_MORE, level, NULL, err);
    if (status != HEARTH_OK) return status;
    first = 1;
  }
  return backend->submit(store, batch.ops + first, batch.count - first, 0, level, NULL, err);
}

typedef struct Writing {
  char *text;
  uint64_t tables[16];
  size_t count;
} Writing;

static int note_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Writing *w = ud;
  size_t n = strlen(w->text);
  (void)snprintf(w->text + n, SCENARIO_TEXT - n, "%llu/%.*s=%.*s\n", (unsigned long long)table, (int)key_size,
                 (const char *)key, (int)value_size, value_size > 0 ? (const char *)value : "");
  return 0;
}

static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Writing *w = ud;
  (void)key;
  (void)key_size;
  (void)value;
  (void)value_size;
  w->tables[w->count++] = table;
  return w->count == 16;
}

hearth_status scenario_text(const hearth_backend *backend, hearth_backend_store *store, char out[SCENARIO_TEXT],
                            hearth_error *err) {
  Writing w = {.text = out};
  int result;
  out[0] = '\0';
  hearth_status status = backend->tables(store, note_table, &w, &result, err);
  for (size_t i = 0; i < w.count && status == HEARTH_OK; i++)
    status = backend->scan(store, w.tables[i], NULL, 0, NULL, 0, false, note_entry, &w, &result, err);
  return status;
}

void scenario_expected(uint64_t n, char out[SCENARIO_TEXT]) {
  hearth_backend_config config = {.size = sizeof config};
  hearth_backend_store *store;
  const hearth_backend *memory = &hearth_memory_backend;
  assert_int_equal(memory->open(&config, &store, NULL), HEARTH_OK);
  for (uint64_t i = 1; i <= n; i++)
    assert_int_equal(scenario_submit(memory, store, i, false, HEARTH_VISIBLE, NULL), HEARTH_OK);
  assert_int_equal(scenario_text(memory, store, out, NULL), HEARTH_OK);
  memory->close(store, NULL);
}

uint64_t scenario_verify(const hearth_backend *backend, hearth_backend_store *store) {
  char expected[SCENARIO_TEXT], text[SCENARIO_TEXT];
  hearth_error err;
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(backend->stat(store, &stat, NULL), HEARTH_OK);
  scenario_expected(stat.sequence, expected);
  if (scenario_text(backend, store, text, &err) != HEARTH_OK) fail_msg("read: %s", err.message);
  assert_string_equal(text, expected);
  return stat.sequence;
}
