/* A store: its entries, fetched by key through the backend. */
#include "reader.h"

typedef struct Fetch {
  Buffer *out;
} Fetch;

static int take_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)table, (void)key, (void)key_size;
  Fetch *fetch = ud;
  buffer_put(fetch->out, value, value_size);
  return 0;
}

hearth_status view_fetch(const View *v, const LayoutKey *key, Buffer *out, hearth_error *err) {
  unsigned char bytes[LAYOUT_MAX_KEY];
  size_t size = layout_put_key(bytes, key);
  Fetch fetch = {out};
  buffer_clear(out);
  hearth_status status = v->backend->get(v->store, LAYOUT_TABLE, bytes, size, take_value, &fetch, err);
  if (status == HEARTH_OK && out->failed)
    return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  return status;
}

typedef struct Next {
  LayoutKind kind;
  uint64_t number;
} Next;

static int take_number(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)table, (void)value, (void)value_size;
  Next *next = ud;
  LayoutKey k = layout_get_key(key, key_size);
  if (k.kind != next->kind) return 0; /* pages and chunks of the number before */
  next->number = k.number;
  return 1;
}

hearth_status view_next_number(const View *v, LayoutKind kind, uint64_t number, bool *found, uint64_t *next,
                               hearth_error *err) {
  unsigned char from[LAYOUT_MAX_KEY];
  LayoutKey first = {.kind = kind, .number = number + 1};
  size_t from_size = layout_put_key(from, &first);
  unsigned char to[1] = {(unsigned char)(kind + 1)};
  Next taken = {kind, 0};
  int result = 0;
  hearth_status status = v->backend->scan(v->store, LAYOUT_TABLE, from, from_size, to, sizeof to, false, take_number,
                                          &taken, &result, err);
  *found = status == HEARTH_OK && result == 1;
  *next = taken.number;
  return status;
}

hearth_status view_open_store(View *v, const hearth_backend *backend, hearth_backend_store *store,
                              const hearth_allocator *allocator, hearth_error *err) {
  memset(v, 0, sizeof *v);
  v->allocator = *allocator;
  v->backend = backend;
  v->store = store;
  buffer_init(&v->shapes, allocator);
  buffer_init(&v->prototypes, allocator);
  view_heap_init(&v->heap, allocator);
  Buffer bytes;
  buffer_init(&bytes, allocator);
  LayoutKey key = {.kind = LAYOUT_METADATA};
  hearth_status status = view_fetch(v, &key, &bytes, err);
  if (status == HEARTH_NOTFOUND)
    status = hearth_fail(err, HEARTH_NOTSTORE, "it holds no metadata: nothing was ever committed to it");
  if (status == HEARTH_OK) {
    Cursor c = cursor_over(bytes.data, bytes.size);
    metadata_get(&c, &v->metadata);
    if (metadata_check_finished(&v->metadata, err) != HEARTH_OK)
      status = HEARTH_NOTSTORE;
    else if (v->metadata.readable_by > STORE_FORMAT_VERSION)
      status = hearth_fail(err, HEARTH_VERSION, "format %llu is needed to read it, this program reads up to %d",
                           (unsigned long long)v->metadata.readable_by, STORE_FORMAT_VERSION);
    else if (c.why != NULL)
      status = hearth_fail_at(err, HEARTH_DAMAGED, c.position, "the metadata is damaged at byte %zu: %s", c.position,
                              c.why);
    else if (v->metadata.readable_by == 0 || v->metadata.readable_by > v->metadata.written_by)
      status = hearth_fail(err, HEARTH_DAMAGED, "the metadata is damaged: its versions contradict each other");
  }
  buffer_free(&bytes);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

void view_close(View *v) {
  buffer_free(&v->shapes);
  buffer_free(&v->prototypes);
  view_heap_free(&v->heap);
}

hearth_status view_home(const View *v, uint64_t *number, hearth_error *err) {
  *number = v->metadata.home_id != 0 ? v->metadata.home_id : v->metadata.memory_id;
  if (*number != 0) return HEARTH_OK;
  return hearth_fail(err, HEARTH_DAMAGED, "the metadata names no home table");
}
