#include "batch.h"

#include "error.h"

/* An operation with offsets, since `bytes` moves while it grows. */
typedef struct PendingOp {
  hearth_op_kind kind;
  uint64_t table;
  size_t key, key_size, value, value_size;
} PendingOp;

void batch_init(Batch *b, const hearth_backend *backend, hearth_backend_store *storage, const hearth_allocator *a) {
  memset(b, 0, sizeof *b);
  b->backend = backend;
  b->storage = storage;
  buffer_init(&b->ops, a);
  buffer_init(&b->bytes, a);
}

void batch_free(Batch *b) {
  buffer_free(&b->ops);
  buffer_free(&b->bytes);
}

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

static hearth_status submit(Batch *b, unsigned flags, hearth_durability level, uint64_t *sequence,
                            hearth_error *err) {
  size_t count = b->ops.size / sizeof(PendingOp);
  const hearth_allocator *a = &b->ops.allocator;
  hearth_op *ops = hearth_realloc(a, NULL, 0, (count + 1) * sizeof *ops); /* never 0 bytes */
  if (ops == NULL) return no_memory(err);
  for (size_t i = 0; i < count; i++) {
    PendingOp p;
    memcpy(&p, b->ops.data + i * sizeof p, sizeof p);
    ops[i] = (hearth_op){p.kind,     p.table, b->bytes.data + p.key, p.key_size, b->bytes.data + p.value,
                         p.value_size};
  }
  hearth_status status = b->backend->submit(b->storage, ops, count, flags, level, sequence, err);
  hearth_free(a, ops, (count + 1) * sizeof *ops);
  buffer_clear(&b->ops);
  buffer_clear(&b->bytes);
  return status;
}

static hearth_status add(Batch *b, PendingOp op, const void *key, const void *value, hearth_error *err) {
  if (b->bytes.size >= BATCH_PART) {
    hearth_status status = submit(b, HEARTH_BATCH_MORE, HEARTH_VISIBLE, NULL, err);
    if (status < 0) return status;
    b->partial = true;
  }
  op.key = b->bytes.size;
  if (key != NULL) buffer_put(&b->bytes, key, op.key_size);
  op.value = b->bytes.size;
  if (value != NULL) buffer_put(&b->bytes, value, op.value_size);
  buffer_put(&b->ops, &op, sizeof op);
  if (b->bytes.failed || b->ops.failed) return no_memory(err);
  b->entries++;
  b->size += op.key_size + op.value_size;
  return HEARTH_OK;
}

hearth_status batch_put(Batch *b, uint64_t table, const void *key, size_t key_size, const void *value,
                        size_t value_size, hearth_error *err) {
  return add(b, (PendingOp){HEARTH_PUT, table, 0, key_size, 0, value_size}, key, value, err);
}

hearth_status batch_del(Batch *b, uint64_t table, const void *key, size_t key_size, hearth_error *err) {
  return add(b, (PendingOp){HEARTH_DEL, table, 0, key_size, 0, 0}, key, NULL, err);
}

hearth_status batch_drop(Batch *b, uint64_t table, hearth_error *err) {
  return add(b, (PendingOp){HEARTH_DROP, table, 0, 0, 0, 0}, NULL, NULL, err);
}

hearth_status batch_put_at(Batch *b, const LayoutKey *key, const void *value, size_t value_size, hearth_error *err) {
  unsigned char bytes[LAYOUT_MAX_KEY];
  size_t size = layout_put_key(bytes, key);
  return batch_put(b, LAYOUT_TABLE, bytes, size, value, value_size, err);
}

hearth_status batch_del_at(Batch *b, const LayoutKey *key, hearth_error *err) {
  unsigned char bytes[LAYOUT_MAX_KEY];
  size_t size = layout_put_key(bytes, key);
  return batch_del(b, LAYOUT_TABLE, bytes, size, err);
}

hearth_status batch_submit(Batch *b, hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = submit(b, 0, level, sequence, err);
  if (status >= 0) b->partial = false;
  return status;
}

void batch_abandon(Batch *b) {
  if (b->partial) (void)b->backend->submit(b->storage, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_VISIBLE, NULL, NULL);
  b->partial = false;
}
