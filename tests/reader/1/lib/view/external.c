/* External tables: their entries in the order of their keys, one scan each, so that nothing is held. */
#include "external_entry.h"
#include "reader.h"

typedef struct Entry {
  Buffer *key, *value;
} Entry;

static int take_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)table;
  Entry *e = ud;
  buffer_clear(e->key);
  buffer_put(e->key, key, key_size);
  buffer_put(e->value, value, value_size);
  return 1;
}

static bool fail(ViewFields *f, const char *what, const Cursor *c) {
  f->status = hearth_fail_at(f->error, HEARTH_DAMAGED, c->position,
                             "external table %llu: %s is damaged at its byte %zu: %s", (unsigned long long)f->number,
                             what, c->position, c->why);
  return false;
}

static bool read_entry(ViewFields *f, ViewField *field) {
  Cursor c = cursor_over(f->constant.data, f->constant.size);
  external_get_key(&c, &field->key);
  if (c.why != NULL) return fail(f, "a key", &c);
  ExternalValue v;
  c = cursor_over(f->page_bytes.data, f->page_bytes.size);
  external_get_value(&c, &v);
  if (c.why != NULL) return fail(f, "a value", &c);
  field->kind = VIEW_ENTRY;
  field->value = v.value;
  field->blob = v.blob ? v.bytes : NULL;
  field->blob_size = v.size;
  return true;
}

bool view_external_next(ViewFields *f, ViewField *field) {
  const View *v = f->r.view;
  Entry e = {&f->constant, &f->page_bytes};
  int result = 0;
  if (f->done++ > 0) buffer_byte(&f->constant, 0); /* the least key greater than the last one */
  buffer_clear(&f->page_bytes);
  bool first = f->done == 1;
  if (!f->constant.failed)
    f->status = v->backend->scan(v->store, f->number, first ? NULL : f->constant.data, f->constant.size, NULL, 0, false,
                                 take_entry, &e, &result, f->error);
  if (f->status == HEARTH_OK && (f->constant.failed || f->page_bytes.failed))
    f->status = hearth_fail(f->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  return f->status == HEARTH_OK && result == 1 && read_entry(f, field);
}

hearth_status view_external_find(const View *v, uint64_t number, const Value *key, Buffer *value, hearth_error *err) {
  unsigned char bytes[EXTERNAL_MAX_KEY];
  size_t size = external_put_key(bytes, key);
  Buffer found_key;
  if (size == 0) return hearth_fail(err, HEARTH_NOTFOUND, "a key of this length is in no external table");
  buffer_init(&found_key, &v->allocator);
  buffer_clear(value);
  Entry e = {&found_key, value};
  hearth_status status = v->backend->get(v->store, number, bytes, size, take_entry, &e, err);
  if (status == HEARTH_OK && (value->failed || found_key.failed))
    status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  buffer_free(&found_key);
  return status;
}
