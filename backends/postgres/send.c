#include "send.h"

#include "entry_check.h"

#define CHUNK_BYTES ((size_t)4 << 20)
#define CHUNK_ROWS 10000

void postgres_send_init(Send *s, Pipeline *p, uint64_t id, const hearth_allocator *allocator) {
  *s = (Send){.pipeline = p, .id = id};
  buffer_init(&s->tables, allocator);
  buffer_init(&s->keys, allocator);
  buffer_init(&s->values, allocator);
  buffer_init(&s->checks, allocator);
}

void postgres_send_free(Send *s) {
  buffer_free(&s->tables);
  buffer_free(&s->keys);
  buffer_free(&s->values);
  buffer_free(&s->checks);
}

static void add(Send *s, const hearth_op *op) {
  postgres_array_number(&s->tables, op->table);
  if (op->kind != HEARTH_DROP) postgres_array_bytes(&s->keys, op->key, op->key_size);
  if (op->kind == HEARTH_PUT || op->kind == HEARTH_CHECK_EQUAL)
    postgres_array_bytes(&s->values, op->value, op->value_size);
  if (op->kind == HEARTH_CHECK_ABSENT) postgres_array_null(&s->values);
  if (op->kind == HEARTH_PUT)
    postgres_array_number(&s->checks, entry_check(op->table, op->key, op->key_size, op->value, op->value_size));
}

/* Fills the arrays with as many operations as one statement should have; how many. */
static size_t fill(Send *s, const hearth_op *const *ops, size_t count) {
  size_t n = 0;
  postgres_array_begin(&s->tables, TYPE_NUMBER);
  postgres_array_begin(&s->keys, TYPE_BYTES);
  postgres_array_begin(&s->values, TYPE_BYTES);
  postgres_array_begin(&s->checks, TYPE_NUMBER);
  while (n < count && n < CHUNK_ROWS) {
    size_t more = ops[n]->kind == HEARTH_PUT || ops[n]->kind == HEARTH_CHECK_EQUAL ? ops[n]->value_size : 0;
    if (n > 0 && s->keys.size + s->values.size + more > CHUNK_BYTES) break;
    add(s, ops[n++]);
  }
  postgres_array_end(&s->tables, n);
  postgres_array_end(&s->keys, n);
  postgres_array_end(&s->values, n);
  postgres_array_end(&s->checks, n);
  s->failed = s->failed || s->tables.failed || s->keys.failed || s->values.failed || s->checks.failed;
  s->written += s->keys.size + s->values.size;
  return n;
}

/* `arrays`: how many of tables, keys, values and checks the statement takes. */
static void run(Send *s, Statement statement, int arrays, Expect expect) {
  Params p = {0};
  if (s->failed) return;
  postgres_params_number(&p, s->id);
  postgres_params_array(&p, &s->tables);
  if (arrays > 1) postgres_params_array(&p, &s->keys);
  if (arrays > 2) postgres_params_array(&p, &s->values);
  if (arrays > 3) postgres_params_array(&p, &s->checks);
  postgres_pipeline_run(s->pipeline, statement, &p, expect);
}

static void run_all(Send *s, Statement statement, int arrays, const hearth_op *const *ops, size_t count) {
  for (size_t at = 0; at < count && !s->failed && s->pipeline->status == HEARTH_OK;) {
    at += fill(s, ops + at, count - at);
    run(s, statement, arrays, EXPECT_NOTHING);
  }
}

void postgres_send_checks(Send *s, const Batch *b, const hearth_op **wrong) {
  const hearth_op *const *checks = b->ops + b->drops + b->dels + b->puts;
  *wrong = NULL;
  for (size_t at = 0; at < b->checks && *wrong == NULL && !s->failed && s->pipeline->status == HEARTH_OK;) {
    size_t n = fill(s, checks + at, b->checks - at);
    run(s, CHECK, 3, EXPECT_NO_ROWS);
    (void)postgres_pipeline_wait(s->pipeline);
    if (s->pipeline->found > 0 && s->pipeline->found <= n) *wrong = checks[at + s->pipeline->found - 1];
    at += n;
  }
}

void postgres_send_changes(Send *s, const Batch *b) {
  run_all(s, DROPS, 1, b->ops, b->drops);
  run_all(s, DELS, 2, b->ops + b->drops, b->dels);
  run_all(s, PUTS, 4, b->ops + b->drops + b->dels, b->puts);
}
