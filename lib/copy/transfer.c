/*
** Writing: portions of the source are read, compared with what the destination has between the same keys, and what
** differs joins the batch that is being made.
*/
#include "layout.h"
#include "steps.h"

#ifndef COPY_BATCH_BYTES
#define COPY_BATCH_BYTES ((size_t)1 << 20) /* of keys and values, before the last entry */
#endif
#ifndef COPY_BATCH_ENTRIES
#define COPY_BATCH_ENTRIES ((size_t)8192)
#endif

/* One operation to be; its key and its value lie in Copy.bytes. */
typedef struct Entry {
  hearth_op_kind kind; /* EQUAL: nothing is to be done */
  uint64_t table;
  size_t at, key_size, value_size;
} Entry;

#define EQUAL ((hearth_op_kind)0)

static size_t entry_count(const Copy *c) {
  return c->entries.size / sizeof(Entry);
}

static Entry *entry(const Copy *c, size_t i) {
  return (Entry *)(void *)c->entries.data + i; /* the allocator's memory is aligned for it */
}

static bool is_full(const Copy *c) {
  return c->bytes.size >= COPY_BATCH_BYTES || entry_count(c) >= COPY_BATCH_ENTRIES;
}

static bool failed(const Copy *c) {
  return c->bytes.failed || c->entries.failed || c->ops.failed;
}

static void add(Copy *c, hearth_op_kind kind, uint64_t table, const void *key, size_t key_size, const void *value,
                size_t value_size) {
  Entry e = {kind, table, c->bytes.size, key_size, value_size};
  if (value_size > COPY_BATCH_BYTES) (void)buffer_reserve_exactly(&c->bytes, c->bytes.size + key_size + value_size);
  buffer_put(&c->bytes, key, key_size);
  buffer_put(&c->bytes, value, value_size);
  buffer_put(&c->entries, &e, sizeof e);
}

static bool holds(const Buffer *tables, uint64_t table) {
  size_t low = 0, high = walk_table_count(tables);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (walk_table_at(tables, middle) < table)
      low = middle + 1;
    else
      high = middle;
  }
  return low < walk_table_count(tables) && walk_table_at(tables, low) == table;
}

/* ----------------------------------------------------------------- submit */

/* Submits the entries from `first` on, and forgets them. */
static hearth_status flush(Copy *c, size_t first, hearth_error *err) {
  uint64_t puts = 0;
  buffer_clear(&c->ops);
  /* empty keys have an address too */
  if (c->bytes.data == NULL && buffer_reserve(&c->bytes, 1) == NULL) return copy_no_memory(err);
  for (size_t i = first; i < entry_count(c); i++) {
    const Entry *e = entry(c, i);
    const unsigned char *key = c->bytes.data + e->at;
    hearth_op op = {.kind = e->kind, .table = e->table};
    if (e->kind != HEARTH_DROP) {
      op.key = key;
      op.key_size = e->key_size;
    }
    if (e->kind == HEARTH_PUT) {
      op.value = key + e->key_size;
      op.value_size = e->value_size;
      puts++;
    }
    buffer_put(&c->ops, &op, sizeof op);
  }
  if (failed(c)) return copy_no_memory(err);
  size_t count = c->ops.size / sizeof(hearth_op);
  hearth_status status = HEARTH_OK;
  if (count > 0)
    status = copy_submit(c, (const hearth_op *)(const void *)c->ops.data, count,
                         c->mode == COPY_REPLACED ? HEARTH_BATCH_MORE : 0, copy_level(c), err);
  if (status == HEARTH_OK) c->written += puts;
  c->entries.size = first * sizeof(Entry);
  return status;
}

static hearth_status flush_all(Copy *c, hearth_error *err) {
  hearth_status status = flush(c, 0, err);
  buffer_clear(&c->bytes);
  if (c->bytes.capacity > 4 * COPY_BATCH_BYTES) buffer_free(&c->bytes); /* it held a large value */
  return status;
}

/* ------------------------------------------------------------------- read */

static int take(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Copy *c = ud;
  c->done++;
  if (layout_is_metadata(table, key, key_size)) return 0; /* it comes last */
  add(c, HEARTH_PUT, table, key, key_size, value, value_size);
  return failed(c) ? WALK_FAILED : is_full(c) ? WALK_STOP : 0;
}

static hearth_status read_portion(Copy *c, hearth_error *err) {
  Walk *w = &c->walk;
  c->table = walk_table_at(&w->tables, w->at);
  c->from_low = w->inside;
  c->low_size = w->next_size;
  memcpy(c->low, w->next, w->next_size);
  c->portion_at = c->compared = entry_count(c);
  c->portion_bytes = c->bytes.size;
  c->at_source = true;
  hearth_status status = walk_on(w, take, c, err);
  if (status != HEARTH_OK) return status;
  c->at_source = false;
  if (failed(c)) return copy_no_memory(err);
  c->portion_end = entry_count(c);
  c->portion_bytes_end = c->bytes.size;
  c->comparing = holds(&c->tables, c->table);
  return HEARTH_OK;
}

/* ---------------------------------------------------------------- compare */

static int order(const Copy *c, const Entry *e, const void *key, size_t size) {
  size_t least = e->key_size < size ? e->key_size : size;
  int answer = least > 0 ? memcmp(c->bytes.data + e->at, key, least) : 0;
  return answer != 0 ? answer : (e->key_size > size) - (e->key_size < size);
}

/* An entry of the destination: the source has it too, with the same value or another, or it has to go. */
static int compare_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                         size_t value_size) {
  Copy *c = ud;
  int answer = -1;
  if (layout_is_metadata(table, key, key_size)) return 0;
  while (c->compared < c->portion_end && (answer = order(c, entry(c, c->compared), key, key_size)) < 0) c->compared++;
  if (c->compared < c->portion_end && answer == 0) {
    Entry *e = entry(c, c->compared++);
    if (e->value_size == value_size &&
        (value_size == 0 || memcmp(c->bytes.data + e->at + e->key_size, value, value_size) == 0))
      e->kind = EQUAL;
    return 0;
  }
  add(c, HEARTH_DEL, table, key, key_size, NULL, 0);
  if (failed(c)) return WALK_FAILED;
  if (entry_count(c) - c->portion_end < COPY_BATCH_ENTRIES && c->bytes.size - c->portion_bytes_end < COPY_BATCH_BYTES)
    return 0;
  if (key_size > 0) memcpy(c->low, key, key_size);
  c->low_size = key_size;
  return WALK_STOP;
}

/* What is equal is forgotten; what is to be deleted, behind it, moves up. */
static void forget_equal(Copy *c) {
  size_t kept = c->portion_at;
  for (size_t i = c->portion_at; i < entry_count(c); i++)
    if (entry(c, i)->kind != EQUAL) *entry(c, kept++) = *entry(c, i);
  c->entries.size = kept * sizeof(Entry);
  if (kept == c->portion_at) c->bytes.size = c->portion_bytes;
}

static hearth_status compare_portion(Copy *c, hearth_error *err) {
  const Walk *w = &c->walk;
  unsigned char from[HEARTH_MAX_KEY]; /* c->low changes during the scan */
  size_t from_size = c->low_size;
  int result = 0;
  memcpy(from, c->low, from_size);
  hearth_status status = c->to.backend->scan(c->to.store, c->table, c->from_low ? from : NULL, from_size,
                                             w->inside ? w->next : NULL, w->inside ? w->next_size : 0, false,
                                             compare_entry, c, &result, err);
  if (status != HEARTH_OK) return status;
  if (failed(c)) return copy_no_memory(err);
  c->from_low = c->comparing = result == WALK_STOP && walk_successor(c->low, &c->low_size);
  if (!c->comparing) {
    forget_equal(c);
    return HEARTH_OK;
  }
  status = flush(c, c->portion_end, err); /* so many that they are a batch of their own */
  c->bytes.size = c->portion_bytes_end;
  return status;
}

/* ------------------------------------------------------------------- step */

/* The tables that the source does not have. */
static void drop_tables(Copy *c) {
  for (; c->drop_at < walk_table_count(&c->tables) && !is_full(c); c->drop_at++) {
    uint64_t table = walk_table_at(&c->tables, c->drop_at);
    if (!holds(&c->walk.tables, table)) add(c, HEARTH_DROP, table, NULL, 0, NULL, 0);
  }
}

static hearth_status end_transfer(Copy *c, hearth_error *err) {
  hearth_status status = copy_check_source(c, err);
  if (status != HEARTH_OK) return status;
  c->at_source = false;
  if (c->mode == COPY_REPLACED) {
    hearth_op op = copy_last_op(c);
    status = copy_submit(c, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, err);
  } else {
    status = copy_secure(c, err);
  }
  c->ended = status == HEARTH_OK;
  return status;
}

/* A portion of the work: the next step writes what this one has found. */
static hearth_status go_on(Copy *c, hearth_error *err) {
  if (c->comparing) return compare_portion(c, err);
  if (is_full(c)) return flush_all(c, err);
  if (c->drop_at < walk_table_count(&c->tables)) {
    drop_tables(c);
    return failed(c) ? copy_no_memory(err) : HEARTH_OK;
  }
  if (!walk_ended(&c->walk)) return read_portion(c, err);
  return entry_count(c) > 0 ? flush_all(c, err) : end_transfer(c, err);
}

hearth_status copy_transfer(Copy *c, hearth_error *err) {
  c->at_source = false;
  hearth_status status = copy_settle(c, err);
  if (status == HEARTH_OK && !c->ended) status = go_on(c, err);
  if (status != HEARTH_OK) return status;
  return c->ended && !c->awaiting ? HEARTH_OK : HEARTH_PENDING;
}
