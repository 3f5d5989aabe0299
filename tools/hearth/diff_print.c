#include "diff_print.h"

#include <stdio.h>

#define LONGEST 60 /* bytes of a string that are shown */

/* A cell is told by what is in it. */
static hearth_status describe_cell(Buffer *line, ViewObject *cell, hearth_error *err) {
  ViewFields f;
  ViewField field;
  view_fields_begin(&f, cell, err);
  bool found = view_fields_next(&f, &field);
  hearth_status status = f.status;
  view_print(line, "upvalue: ");
  if (found && field.value.kind != VALUE_REF && field.value.kind != VALUE_LOCAL) {
    view_put_scalar(line, &field.value, LONGEST);
  } else if (found) {
    ViewObject o;
    view_object_init(&o, cell->view);
    status = view_object_follow(&o, cell, &field.value, err);
    if (status == HEARTH_OK) status = view_describe(&o, line, err);
    view_object_free(&o);
  }
  view_fields_free(&f);
  return status;
}

hearth_status describe_side(Buffer *line, const DiffSide *side, hearth_error *err) {
  const Value *v = &side->value;
  if (side->blob != NULL) {
    view_print(line, "a value of %zu bytes", side->blob_size);
    return HEARTH_OK;
  }
  if (v->kind != VALUE_REF && v->kind != VALUE_LOCAL) {
    view_put_scalar(line, v, LONGEST);
    return HEARTH_OK;
  }
  ViewObject o;
  view_object_init(&o, side->from->view);
  hearth_status status = view_object_follow(&o, side->from, v, err);
  bool cell = status == HEARTH_OK && o.place == VIEW_OBJECT && o.head.kind == OBJECT_CELL;
  if (status == HEARTH_OK) status = cell ? describe_cell(line, &o, err) : view_describe(&o, line, err);
  if (status == HEARTH_NOTFOUND)
    status = hearth_fail(err, HEARTH_DAMAGED, "a reference to object %llu, which is not there",
                         (unsigned long long)v->as.number);
  view_object_free(&o);
  return status;
}

static void put(Buffer *line, const Buffer *text) {
  buffer_put(line, text->data, text->size);
}

static hearth_status put_line(Buffer *line, const Difference *d, hearth_error *err) {
  static const char marks[] = {[DIFF_ADDED] = '+', [DIFF_REMOVED] = '-', [DIFF_CHANGED] = '~', [DIFF_SHARED_A] = '&',
                               [DIFF_SHARED_B] = '&'};
  hearth_status status = HEARTH_OK;
  view_print(line, "%c ", marks[d->kind]);
  put(line, d->path);
  if (d->other != NULL) {
    view_print(line, " is the same object as ");
    put(line, d->other);
    view_print(line, d->kind == DIFF_SHARED_A ? " in the first only" : " in the second only");
  } else {
    view_print(line, d->kind == DIFF_CHANGED ? ": " : " = ");
  }
  if (d->a != NULL) status = describe_side(line, d->a, err);
  if (d->a != NULL && d->b != NULL) view_print(line, " -> ");
  if (status == HEARTH_OK && d->b != NULL) status = describe_side(line, d->b, err);
  view_print(line, "\n");
  return status;
}

static hearth_status print_text(const Difference *d, hearth_error *err) {
  Buffer line;
  buffer_init(&line, &hearth_libc_allocator);
  hearth_status status = put_line(&line, d, err);
  if (status == HEARTH_OK && line.failed)
    status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  if (status == HEARTH_OK) (void)fwrite(line.data, 1, line.size, stdout);
  buffer_free(&line);
  return status;
}

bool print_difference(void *ud, const Difference *d) {
  DiffPrinter *p = ud;
  p->status = p->json ? print_difference_json(p, d) : print_text(d, p->err);
  p->printed++;
  return p->status == HEARTH_OK && !ferror(stdout);
}
