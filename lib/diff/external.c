/* External tables: both read in the order of their keys, an entry at a time. */
#include "walk.h"

typedef struct Reading {
  ViewFields fields;
  ViewField field;
  bool there; /* field is an entry */
} Reading;

static hearth_status go_on(Reading *r) {
  r->there = view_fields_next(&r->fields, &r->field);
  return r->fields.status;
}

/* As the keys are stored: in the order of their bytes. */
static int order(const Reading *a, const Reading *b) {
  if (!a->there || !b->there) return a->there ? -1 : 1;
  const Buffer *x = &a->fields.constant, *y = &b->fields.constant;
  size_t least = x->size < y->size ? x->size : y->size;
  int n = least > 0 ? memcmp(x->data, y->data, least) : 0;
  if (n != 0) return n;
  return x->size < y->size ? -1 : x->size > y->size;
}

static DiffSide side_of(Side *s, const ViewField *f) {
  return (DiffSide){&s->object, f->value, f->blob, f->blob_size};
}

/* What the blobs hold, under the path of their entry. */
static hearth_status compare_views(DiffWalk *w, View *a, View *b, const Buffer *prefix) {
  DiffWalk inner;
  Value of_a, of_b;
  view_root(a, &of_a);
  view_root(b, &of_b);
  hearth_status status = diff_walk_init(&inner, a, b, w->out, prefix, w->err);
  if (status == HEARTH_OK) status = diff_walk_all(&inner, &of_a, &of_b);
  w->ended |= inner.ended;
  diff_walk_free(&inner);
  return status;
}

static hearth_status compare_blobs(DiffWalk *w, const Entry *step, const ViewField *a, const ViewField *b) {
  View of_a, of_b;
  Buffer path;
  if (a->blob_size == b->blob_size && memcmp(a->blob, b->blob, a->blob_size) == 0) return HEARTH_OK;
  buffer_init(&path, &w->a.view->allocator);
  diff_walk_put_path(w, w->next - 1, step, &path);
  hearth_status status = view_open_blob(&of_a, a->blob, a->blob_size, &w->a.view->allocator, w->err);
  hearth_status opened = status == HEARTH_OK
                             ? view_open_blob(&of_b, b->blob, b->blob_size, &w->b.view->allocator, w->err)
                             : status;
  if (opened == HEARTH_OK && path.failed) opened = diff_walk_no_memory(w);
  if (opened == HEARTH_OK) opened = compare_views(w, &of_a, &of_b, &path);
  view_close(&of_a);
  if (status == HEARTH_OK) view_close(&of_b);
  buffer_free(&path);
  return opened;
}

static hearth_status compare_entries(DiffWalk *w, const ViewField *a, const ViewField *b) {
  const Entry step = {.kind = ENTRY_KEY, .key = b->key};
  if (a->blob != NULL && b->blob != NULL) return compare_blobs(w, &step, a, b);
  if (a->blob == NULL && b->blob == NULL) return diff_walk_values(w, &step, &a->value, &b->value);
  const DiffSide of_a = side_of(&w->a, a), of_b = side_of(&w->b, b);
  return diff_walk_tell(w, DIFF_CHANGED, &step, &of_a, &of_b);
}

static hearth_status tell_one(DiffWalk *w, DiffKind kind, Side *s, const ViewField *f) {
  const Entry step = {.kind = ENTRY_KEY, .key = f->key};
  const DiffSide side = side_of(s, f);
  return diff_walk_tell(w, kind, &step, kind == DIFF_REMOVED ? &side : NULL, kind == DIFF_REMOVED ? NULL : &side);
}

hearth_status diff_walk_external(DiffWalk *w) {
  Reading a, b;
  view_fields_begin(&a.fields, &w->a.object, w->err);
  view_fields_begin(&b.fields, &w->b.object, w->err);
  hearth_status status = go_on(&a);
  b.there = false;
  if (status == HEARTH_OK) status = go_on(&b);
  while (status == HEARTH_OK && !w->ended && (a.there || b.there)) {
    int n = order(&a, &b);
    if (n == 0)
      status = compare_entries(w, &a.field, &b.field);
    else
      status = n < 0 ? tell_one(w, DIFF_REMOVED, &w->a, &a.field) : tell_one(w, DIFF_ADDED, &w->b, &b.field);
    if (status == HEARTH_OK && n <= 0) status = go_on(&a);
    if (status == HEARTH_OK && n >= 0) status = go_on(&b);
  }
  view_fields_free(&a.fields);
  view_fields_free(&b.fields);
  return status;
}
