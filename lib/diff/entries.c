#include "entries.h"

#include <stdlib.h>

void entries_init(Entries *e, const hearth_allocator *allocator) {
  buffer_init(&e->list, allocator);
  buffer_init(&e->bytes, allocator);
  e->count = 0;
}

void entries_free(Entries *e) {
  buffer_free(&e->list);
  buffer_free(&e->bytes);
}

/* ------------------------------------------------------------------ order */

static int compare_strings(const Value *a, const Value *b) {
  size_t least = a->size < b->size ? a->size : b->size;
  int n = least > 0 ? memcmp(a->as.bytes, b->as.bytes, least) : 0;
  if (n != 0) return n;
  return a->size < b->size ? -1 : a->size > b->size;
}

static int compare_floats(uint64_t a, uint64_t b) {
  double x, y;
  memcpy(&x, &a, sizeof x);
  memcpy(&y, &b, sizeof y);
  if (x < y || x > y) return x < y ? -1 : 1;
  return a < b ? -1 : a > b; /* values only: no two keys are equal and differ in a bit */
}

static int compare_keys(const Value *a, const Value *b) {
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  switch (a->kind) {
    case VALUE_INTEGER: return a->as.integer < b->as.integer ? -1 : a->as.integer > b->as.integer;
    case VALUE_FLOAT: return compare_floats(a->as.bits, b->as.bits);
    case VALUE_STRING: return compare_strings(a, b);
    case VALUE_REF:
    case VALUE_LOCAL: return a->as.number < b->as.number ? -1 : a->as.number > b->as.number;
    default: return 0;
  }
}

int entry_order(const Entry *a, const Entry *b) {
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  return compare_keys(&a->key, &b->key);
}

bool value_equal(const Value *a, const Value *b) {
  return a->kind == b->kind && (a->kind == VALUE_FLOAT ? a->as.bits == b->as.bits : compare_keys(a, b) == 0);
}

static int by_order(const void *a, const void *b) {
  return entry_order(a, b);
}

/* ---------------------------------------------------------------- reading */

/* Until all are read a string is known by where it stands in the bytes, which may move. */
static void keep_string(Entries *e, Value *v, const unsigned char *bytes, size_t size) {
  v->kind = VALUE_STRING;
  v->size = size;
  v->as.number = e->bytes.size;
  buffer_put(&e->bytes, bytes, size);
}

static void find_string(const Entries *e, Value *v) {
  if (v->kind == VALUE_STRING) v->as.bytes = e->bytes.data + (size_t)v->as.number;
}

/* A large string is one, wherever it is stored. */
static hearth_status keep_key(Entries *e, Value *v, const ViewObject *o, ViewObject *scratch, hearth_error *err) {
  if (v->kind == VALUE_STRING) keep_string(e, v, v->as.bytes, v->size);
  if (v->kind != VALUE_REF || o->view->store == NULL) return HEARTH_OK;
  Buffer text;
  buffer_init(&text, &o->view->allocator);
  hearth_status status = view_object_open(scratch, v->as.number, err);
  if (status == HEARTH_OK && scratch->place == VIEW_CONSTANT && scratch->head.kind == OBJECT_STRING) {
    status = view_object_string(scratch, &text, err);
    if (status == HEARTH_OK) keep_string(e, v, text.data, text.size);
  }
  buffer_free(&text);
  return status;
}

static hearth_status keep_field(Entries *e, ViewObject *o, ViewObject *scratch, const ViewField *f, hearth_error *err) {
  static const EntryKind kinds[] = {[VIEW_ENTRY] = ENTRY_KEY, [VIEW_UPVALUE] = ENTRY_UPVALUE,
                                    [VIEW_CONTENT] = ENTRY_CONTENT, [VIEW_METATABLE] = ENTRY_METATABLE};
  Entry entry = {.kind = kinds[f->kind], .value = f->value};
  hearth_status status = HEARTH_OK;
  if (f->kind == VIEW_ENTRY) {
    entry.key = f->key;
    status = keep_key(e, &entry.key, o, scratch, err);
  } else if (f->kind == VIEW_UPVALUE) {
    Buffer name;
    buffer_init(&name, &o->view->allocator);
    status = view_upvalue_name(o, (unsigned)f->number, &name, err);
    if (status == HEARTH_OK && name.size > 0) {
      keep_string(e, &entry.key, name.data, name.size);
    } else {
      entry.key.kind = VALUE_INTEGER;
      entry.key.as.integer = (int64_t)f->number;
    }
    buffer_free(&name);
  }
  if (f->value.kind == VALUE_STRING) keep_string(e, &entry.value, f->value.as.bytes, f->value.size);
  buffer_put(&e->list, &entry, sizeof entry);
  e->count++;
  return status;
}

hearth_status entries_read(Entries *e, ViewObject *o, ViewObject *scratch, hearth_error *err) {
  ViewFields f;
  ViewField field;
  hearth_status status = HEARTH_OK;
  view_fields_begin(&f, o, err);
  while (status == HEARTH_OK && view_fields_next(&f, &field)) status = keep_field(e, o, scratch, &field, err);
  if (status == HEARTH_OK) status = f.status;
  view_fields_free(&f);
  if (status == HEARTH_OK && (e->list.failed || e->bytes.failed))
    status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  if (status != HEARTH_OK || e->count == 0) return status;
  Entry *list = (Entry *)(void *)e->list.data;
  for (size_t i = 0; i < e->count; i++) {
    find_string(e, &list[i].key);
    find_string(e, &list[i].value);
  }
  qsort(list, e->count, sizeof *list, by_order);
  return HEARTH_OK;
}
