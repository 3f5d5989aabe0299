#include "copy.h"

#include "layout.h"
#include "steps.h"

static const unsigned char metadata_key[1] = {LAYOUT_METADATA};

/* ---------------------------------------------------------------- batches */

hearth_status copy_no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

hearth_durability copy_level(const Copy *c) {
  hearth_durability best = c->to.backend->max_durability;
  return best < HEARTH_COMPLETE ? best : HEARTH_COMPLETE;
}

hearth_status copy_submit(Copy *c, const hearth_op *ops, size_t count, unsigned flags, hearth_durability level,
                          hearth_error *err) {
  hearth_status status = c->to.backend->submit(c->to.store, ops, count, flags, level, NULL, err);
  c->parts_open = status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) != 0;
  c->awaiting = status == HEARTH_PENDING;
  return status == HEARTH_PENDING ? HEARTH_OK : status;
}

hearth_status copy_settle(Copy *c, hearth_error *err) {
  if (!c->awaiting) return HEARTH_OK;
  hearth_status status = c->to.backend->poll(c->to.store, err);
  c->awaiting = status == HEARTH_PENDING;
  return status;
}

hearth_status copy_secure(Copy *c, hearth_error *err) {
  hearth_status status = c->to.backend->barrier(c->to.store, HEARTH_DEFAULT_DURABILITY, err);
  c->awaiting = status == HEARTH_PENDING;
  return status == HEARTH_PENDING ? HEARTH_OK : status;
}

hearth_op copy_last_op(const Copy *c) {
  hearth_op op = {.kind = HEARTH_DEL, .table = LAYOUT_TABLE, .key = metadata_key, .key_size = sizeof metadata_key};
  if (!c->has_metadata) return op;
  op.kind = HEARTH_PUT;
  op.value = c->metadata.data;
  op.value_size = c->metadata.size;
  return op;
}

/* ------------------------------------------------------------------ begin */

static int take_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)table, (void)key, (void)key_size;
  buffer_put(ud, value, value_size);
  return 0;
}

/* The metadata record of a side. */
static hearth_status fetch_metadata(const CopySide *side, Buffer *out, bool *found, hearth_error *err) {
  buffer_clear(out);
  hearth_status status = side->backend->get(side->store, LAYOUT_TABLE, metadata_key, sizeof metadata_key, take_value,
                                            out, err);
  *found = status == HEARTH_OK;
  if (status == HEARTH_NOTFOUND) return HEARTH_OK;
  return status == HEARTH_OK && out->failed ? copy_no_memory(err) : status;
}

static hearth_status sequence_of(const CopySide *side, uint64_t *sequence, hearth_error *err) {
  hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, durable)}; /* the rest may be expensive */
  hearth_status status = side->backend->stat(side->store, &stat, err);
  *sequence = stat.sequence;
  return status;
}

static hearth_status judge_source(Copy *c, hearth_error *err) {
  Metadata m;
  hearth_status status = sequence_of(&c->from, &c->sequence, err);
  if (status == HEARTH_OK) status = fetch_metadata(&c->from, &c->metadata, &c->has_metadata, err);
  if (status != HEARTH_OK || !c->has_metadata) return status;
  Cursor at = cursor_over(c->metadata.data, c->metadata.size);
  metadata_get(&at, &m);
  if (metadata_check_finished(&m, err) != HEARTH_OK) return HEARTH_NOTSTORE;
  if (m.readable_by > STORE_FORMAT_VERSION)
    return hearth_fail(err, HEARTH_VERSION, "format %llu is needed to read it, this library reads up to %d",
                       (unsigned long long)m.readable_by, STORE_FORMAT_VERSION);
  if (at.why != NULL)
    return hearth_fail_at(err, HEARTH_DAMAGED, at.position, "the metadata is damaged at byte %zu: %s", at.position,
                          at.why);
  return HEARTH_OK;
}

static void set_text(char *out, size_t size, const char *text) {
  size_t n = strlen(text) < size - 1 ? strlen(text) : size - 1;
  memcpy(out, text, n);
  out[n] = '\0';
}

hearth_status copy_check_finished(const CopySide *side, hearth_error *err) {
  Metadata m;
  Buffer there;
  bool found;
  buffer_init(&there, &hearth_libc_allocator);
  hearth_status status = fetch_metadata(side, &there, &found, err);
  Cursor at = cursor_over(there.data, there.size);
  metadata_get(&at, &m);
  if (status == HEARTH_OK) status = metadata_check_finished(&m, err);
  buffer_free(&there);
  return status;
}

/* The record that says what the destination is until all is there. */
static hearth_status mark(Copy *c, const Metadata *m, hearth_error *err) {
  Buffer b;
  buffer_init(&b, &c->allocator);
  metadata_put(&b, m);
  hearth_op op = {HEARTH_PUT, LAYOUT_TABLE, metadata_key, sizeof metadata_key, b.data, b.size};
  hearth_status status = b.failed ? copy_no_memory(err) : copy_submit(c, &op, 1, 0, copy_level(c), err);
  buffer_free(&b);
  return status;
}

/* What the destination is; `there` is its metadata record. */
static hearth_status judge_destination(Copy *c, const Buffer *there, const Metadata *wanted, hearth_error *err) {
  Metadata m;
  Cursor at = cursor_over(there->data, there->size);
  metadata_get(&at, &m);
  if (c->tables.size == 0) {
    c->mode = COPY_NEW;
    return mark(c, wanted, err);
  }
  if (at.why == NULL && m.copy_of[0] != '\0') {
    c->mode = COPY_RESUMED;
    bool same = strcmp(m.copy_of, wanted->copy_of) == 0;
    c->moved_on = same && m.copied_batch != c->sequence;
    if (same && !c->moved_on) return HEARTH_OK;
    if (same || c->replace) return mark(c, wanted, err);
    return hearth_fail(err, HEARTH_EXISTS, "holds an unfinished copy of another store, %s", m.copy_of);
  }
  c->mode = COPY_REPLACED;
  return c->replace ? HEARTH_OK : hearth_fail(err, HEARTH_EXISTS, "is not empty");
}

static bool holds_table_0(const Buffer *tables) {
  return tables->size > 0 && walk_table_at(tables, 0) == LAYOUT_TABLE;
}

/* The tables to walk: the source's, and table 0 in any case, as the destination may hold more of it than the mark. */
static hearth_status list_source(Copy *c, hearth_error *err) {
  Buffer tables, all;
  buffer_init(&tables, &c->allocator);
  buffer_init(&all, &c->allocator);
  hearth_status status = walk_tables(&c->from, &tables, err);
  uint64_t first = LAYOUT_TABLE;
  if (!holds_table_0(&tables)) buffer_put(&all, &first, sizeof first);
  buffer_put(&all, tables.data, tables.size);
  if (status == HEARTH_OK && all.failed) status = copy_no_memory(err);
  buffer_free(&tables);
  walk_init(&c->walk, &c->from, &all);
  return status;
}

hearth_status copy_begin(Copy *c, const CopySide *from, const CopyOptions *options, hearth_error *err) {
  memset(c, 0, sizeof *c);
  c->from = *from;
  c->source = options->source;
  c->replace = options->replace;
  c->allocator = options->allocator != NULL ? *options->allocator : hearth_libc_allocator;
  Buffer *buffers[] = {&c->metadata, &c->walk.tables, &c->tables, &c->bytes, &c->entries, &c->ops};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], &c->allocator);
  c->at_source = true;
  hearth_status status = judge_source(c, err);
  return status == HEARTH_OK ? list_source(c, err) : status;
}

hearth_status copy_into(Copy *c, const CopySide *to, hearth_error *err) {
  Metadata wanted = {.written_by = STORE_FORMAT_VERSION, .readable_by = STORE_FORMAT_NEVER, .writer = "hearth copy",
                     .copied_batch = c->sequence};
  Buffer there;
  bool found;
  c->to = *to;
  c->at_source = false;
  set_text(wanted.copy_of, sizeof wanted.copy_of, c->source[0] != '\0' ? c->source : "another store");
  buffer_init(&there, &c->allocator);
  hearth_status status = walk_tables(&c->to, &c->tables, err);
  if (status == HEARTH_OK) status = fetch_metadata(&c->to, &there, &found, err);
  if (status == HEARTH_OK) status = judge_destination(c, &there, &wanted, err);
  buffer_free(&there);
  return status;
}

/* ------------------------------------------------------------------ check */

void copy_reopened(Copy *c, hearth_backend_store *to) {
  c->to.store = to;
}

hearth_status copy_check_source(Copy *c, hearth_error *err) {
  uint64_t sequence;
  c->at_source = true;
  hearth_status status = sequence_of(&c->from, &sequence, err);
  if (status == HEARTH_OK && sequence != c->sequence)
    status = hearth_fail(err, HEARTH_STALE, "%s", hearth_status_text(HEARTH_STALE));
  return status;
}

static hearth_status compare_totals(Copy *c, hearth_error *err) {
  hearth_status status = copy_check_source(c, err);
  if (status != HEARTH_OK) return status;
  c->at_source = false;
  if (totals_equal(&c->from_totals, &c->to_totals)) return HEARTH_OK;
  return hearth_fail(err, HEARTH_DAMAGED, "the copy is not what the source is: %llu tables, %llu entries, %llu bytes "
                     "became %llu, %llu, %llu", (unsigned long long)c->from_totals.tables,
                     (unsigned long long)c->from_totals.entries, (unsigned long long)c->from_totals.bytes,
                     (unsigned long long)c->to_totals.tables, (unsigned long long)c->to_totals.entries,
                     (unsigned long long)c->to_totals.bytes);
}

/* The destination's metadata record comes last: it is counted as what it will be. */
static hearth_status begin_count(Copy *c, hearth_error *err) {
  c->counting = true;
  c->done = 0;
  hearth_status status = totals_begin(&c->count, c->at_source ? &c->from : &c->to, &c->allocator, err);
  if (!c->at_source && c->mode != COPY_REPLACED)
    totals_replace_metadata(&c->count, c->has_metadata ? c->metadata.data : NULL, c->metadata.size);
  return status;
}

hearth_status copy_check(Copy *c, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  c->at_source = c->checked == 0;
  if (!c->counting) status = begin_count(c, err);
  if (status == HEARTH_OK) status = totals_step(&c->count, err);
  c->done = c->count.totals.entries;
  if (status != HEARTH_OK) return status;
  *(c->at_source ? &c->from_totals : &c->to_totals) = c->count.totals;
  totals_end(&c->count);
  c->counting = false;
  return ++c->checked < 2 ? HEARTH_PENDING : compare_totals(c, err);
}

/* ----------------------------------------------------------------- finish */

static hearth_status check_metadata(Copy *c, hearth_error *err) {
  Buffer there;
  bool found;
  buffer_init(&there, &c->allocator);
  hearth_status status = fetch_metadata(&c->to, &there, &found, err);
  if (status == HEARTH_OK &&
      (found != c->has_metadata || there.size != c->metadata.size ||
       (found && memcmp(there.data, c->metadata.data, there.size) != 0)))
    status = hearth_fail(err, HEARTH_DAMAGED, "the metadata is not what was written");
  buffer_free(&there);
  return status;
}

hearth_status copy_finish(Copy *c, hearth_error *err) {
  c->at_source = false;
  hearth_status status = copy_settle(c, err);
  if (status != HEARTH_OK || c->mode == COPY_REPLACED) return status;
  if (!c->finishing) {
    c->finishing = true;
    hearth_op op = copy_last_op(c);
    status = copy_submit(c, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, err);
    if (status == HEARTH_OK && c->awaiting) return HEARTH_PENDING;
  }
  return status == HEARTH_OK ? check_metadata(c, err) : status;
}

void copy_end(Copy *c) {
  if (c->parts_open)
    (void)c->to.backend->submit(c->to.store, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_DEFAULT_DURABILITY, NULL, NULL);
  if (c->counting) totals_end(&c->count);
  walk_free(&c->walk);
  Buffer *buffers[] = {&c->metadata, &c->tables, &c->bytes, &c->entries, &c->ops};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
}
