#include "walk.h"

#include "error.h"

static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  Buffer *tables = ud;
  buffer_put(tables, &table, sizeof table);
  return tables->failed;
}

hearth_status walk_tables(const CopySide *side, Buffer *tables, hearth_error *err) {
  int result;
  hearth_status status = side->backend->tables(side->store, note_table, tables, &result, err);
  if (status == HEARTH_OK && tables->failed)
    return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  return status;
}

void walk_init(Walk *w, const CopySide *side, const Buffer *tables) {
  memset(w, 0, sizeof *w);
  w->side = *side;
  w->tables = *tables;
}

void walk_free(Walk *w) {
  buffer_free(&w->tables);
}

bool walk_successor(unsigned char key[HEARTH_MAX_KEY], size_t *size) {
  if (*size < HEARTH_MAX_KEY) {
    key[(*size)++] = 0;
    return true;
  }
  while (*size > 0 && key[*size - 1] == 0xff) --*size;
  if (*size == 0) return false;
  key[*size - 1]++;
  return true;
}

typedef struct Portion {
  Walk *w;
  hearth_found found;
  void *ud;
  size_t wrong_size; /* of a key that no store has: the backend breaks its contract */
} Portion;

static int take(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Portion *p = ud;
  p->wrong_size = key_size > HEARTH_MAX_KEY ? key_size : 0;
  if (p->wrong_size > 0) return WALK_FAILED;
  int answer = p->found(p->ud, table, key, key_size, value, value_size);
  if (answer != WALK_STOP) return answer;
  if (key_size > 0) memcpy(p->w->next, key, key_size);
  p->w->next_size = key_size;
  return answer;
}

hearth_status walk_on(Walk *w, hearth_found found, void *ud, hearth_error *err) {
  Portion portion = {w, found, ud, 0};
  unsigned char from[HEARTH_MAX_KEY]; /* w->next changes during the scan */
  size_t from_size = w->next_size;
  int result = 0;
  memcpy(from, w->next, from_size);
  hearth_status status = w->side.backend->scan(w->side.store, walk_table_at(&w->tables, w->at),
                                               w->inside ? from : NULL, w->inside ? from_size : 0, NULL, 0, false,
                                               take, &portion, &result, err);
  if (portion.wrong_size > 0) return hearth_fail(err, HEARTH_DAMAGED, "a key has %zu bytes", portion.wrong_size);
  if (status != HEARTH_OK || result == WALK_FAILED) return status;
  w->inside = result == WALK_STOP && walk_successor(w->next, &w->next_size);
  if (!w->inside) {
    w->next_size = 0;
    w->at++;
  }
  return HEARTH_OK;
}
