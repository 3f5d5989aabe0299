/* Copies made step by step, all contents of a store as bytes. The helpers fail the test where something is not so. */
#ifndef HEARTH_TESTS_COPYING_H
#define HEARTH_TESTS_COPYING_H

#include "buffer.h"
#include "copy.h"
#include "layout.h"
#include "testing.h"

#define SOURCE_NAME "file:the source"

typedef struct Copying {
  CopySide from, to;
  const char *name; /* NULL: SOURCE_NAME */
  bool replace;
  const hearth_allocator *allocator;
  long steps;                              /* that many and no more; -1: to the end */
  hearth_status (*reopen)(struct Copying *c); /* between transfer and check; NULL: it stays open */
  void (*between)(struct Copying *c);      /* after each step; NULL: nothing */
  Copy copy;
  hearth_error err;
} Copying;

static inline hearth_status copying_steps(Copying *c, hearth_status (*step)(Copy *copy, hearth_error *err)) {
  hearth_status status = HEARTH_PENDING;
  while (status == HEARTH_PENDING) {
    if (c->steps == 0) return HEARTH_PENDING;
    if (c->steps > 0) c->steps--;
    status = step(&c->copy, &c->err);
    if (c->between != NULL) c->between(c);
  }
  return status;
}

/* Runs it; PENDING when it was left after c->steps steps. */
static inline hearth_status copying_run(Copying *c) {
  const CopyOptions options = {c->name != NULL ? c->name : SOURCE_NAME, c->replace, c->allocator};
  memset(&c->err, 0, sizeof c->err);
  hearth_status status = copy_begin(&c->copy, &c->from, &options, &c->err);
  if (status == HEARTH_OK) status = copy_into(&c->copy, &c->to, &c->err);
  if (status == HEARTH_OK) status = copying_steps(c, copy_transfer);
  if (status == HEARTH_OK && c->reopen != NULL) {
    status = c->reopen(c);
    copy_reopened(&c->copy, c->to.store);
  }
  if (status == HEARTH_OK) status = copying_steps(c, copy_check);
  if (status == HEARTH_OK) status = copying_steps(c, copy_finish);
  copy_end(&c->copy);
  if (status < 0) assert_int_equal(c->err.code, status);
  return status;
}

static inline void copying_succeeds(Copying *c) {
  if (copying_run(c) != HEARTH_OK) fail_msg("%s", c->err.message);
}

/* --------------------------------------------------------------- contents */

static inline int copying_note(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                               size_t value_size) {
  const uint64_t numbers[] = {table, key_size, value_size};
  buffer_put(ud, numbers, sizeof numbers);
  buffer_put(ud, key, key_size);
  buffer_put(ud, value, value_size);
  return 0;
}

/* Tables, keys and values, in order. */
static inline void copying_contents(const CopySide *side, Buffer *out) {
  Buffer tables;
  int result;
  buffer_init(&tables, &hearth_libc_allocator);
  buffer_init(out, &hearth_libc_allocator);
  assert_int_equal(walk_tables(side, &tables, NULL), HEARTH_OK);
  for (size_t i = 0; i < walk_table_count(&tables); i++)
    assert_int_equal(side->backend->scan(side->store, walk_table_at(&tables, i), NULL, 0, NULL, 0, false, copying_note,
                                         out, &result, NULL), HEARTH_OK);
  assert_false(out->failed);
  buffer_free(&tables);
}

static inline bool copying_same(const CopySide *a, const CopySide *b) {
  Buffer one, other;
  copying_contents(a, &one);
  copying_contents(b, &other);
  bool same = one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
  buffer_free(&one);
  buffer_free(&other);
  return same;
}

static inline bool copying_is_unfinished(const CopySide *side) {
  hearth_error err = {0};
  hearth_status status = copy_check_finished(side, &err);
  if (status == HEARTH_OK) return false;
  assert_int_equal(status, HEARTH_NOTSTORE);
  assert_non_null(strstr(err.message, "an unfinished copy of " SOURCE_NAME));
  return true;
}

/* ----------------------------------------------------------------- stores */

static inline CopySide copying_memory(const hearth_allocator *allocator) {
  hearth_backend_config config = {.size = sizeof config};
  CopySide side = {.backend = &hearth_memory_backend};
  if (allocator != NULL) config.allocator = *allocator;
  assert_int_equal(side.backend->open(&config, &side.store, NULL), HEARTH_OK);
  return side;
}

static inline void copying_close(CopySide *side) {
  assert_int_equal(side->backend->close(side->store, NULL), HEARTH_OK);
  side->store = NULL;
}

static inline void copying_op(const CopySide *side, const hearth_op *op) {
  assert_int_equal(side->backend->submit(side->store, op, 1, 0, HEARTH_VISIBLE, NULL, NULL), HEARTH_OK);
}

static inline void copying_put(const CopySide *side, uint64_t table, const char *key, const char *value) {
  copying_op(side, &(hearth_op){HEARTH_PUT, table, key, strlen(key), value, strlen(value)});
}

/* The record that makes it a store; `readable_by` of what reads it. */
static inline void copying_put_metadata(const CopySide *side, uint64_t readable_by) {
  const Metadata m = {.written_by = readable_by, .readable_by = readable_by, .home_id = 1, .memory_id = 1,
                      .next_id = 1000, .page_size = 64, .writer = "test"};
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  metadata_put(&b, &m);
  copying_op(side, &(hearth_op){HEARTH_PUT, LAYOUT_TABLE, "m", 1, b.data, b.size});
  buffer_free(&b);
}

/* ----------------------------------------------------------------- random */

static inline unsigned copying_random(uint64_t *state, unsigned below) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(*state >> 33) % below;
}

/* A number of random operations on a few tables and few keys, some as long as keys may be. Metadata stays. */
static inline void copying_change(const CopySide *side, uint64_t *seed, unsigned count) {
  static const uint64_t tables[] = {0, 1, 2, 7, HEARTH_MAX_TABLE};
  static const char letters[] = {'a', 'b', '\0', '\xff'};
  unsigned char key[HEARTH_MAX_KEY], value[700];
  while (count-- > 0) {
    hearth_op op = {.kind = HEARTH_PUT, .table = tables[copying_random(seed, 5)], .key = key, .value = value};
    op.key_size = copying_random(seed, 20) == 0 ? HEARTH_MAX_KEY : copying_random(seed, 5);
    memset(key, letters[copying_random(seed, 4)], sizeof key);
    for (size_t i = 0; i < 4; i++) key[i] = (unsigned char)letters[copying_random(seed, 4)];
    if (copying_random(seed, 4) == 0) key[HEARTH_MAX_KEY - 1] = (unsigned char)copying_random(seed, 256);
    op.value_size = copying_random(seed, 30) == 0 ? sizeof value : copying_random(seed, 20);
    memset(value, (int)copying_random(seed, 3), sizeof value);
    unsigned kind = copying_random(seed, 12);
    if (kind < 4) op.kind = HEARTH_DEL;
    if (kind == 0 && op.table != LAYOUT_TABLE) op = (hearth_op){.kind = HEARTH_DROP, .table = op.table};
    if (op.kind == HEARTH_DEL) op.value_size = 0;
    if (op.value_size == 0) op.value = NULL;
    copying_op(side, &op);
  }
}

#endif
