/*
** The fields of one object, in the order in which its body has them. A paged
** table's entries come from its pages, then the metatable from its record.
*/
#include "reader.h"

enum { ARRAY, SHAPED, PAIRS, PAGES, METATABLE, UPVALUES, CONTENT, KEYS, EXTERNAL, END };

void view_fields_init(ViewFields *f, const View *v, hearth_error *err) {
  memset(f, 0, sizeof *f);
  f->error = err;
  f->section = END;
  f->r.view = v;
  buffer_init(&f->constant, &v->allocator);
  buffer_init(&f->page_bytes, &v->allocator);
}

void view_fields_free(ViewFields *f) {
  buffer_free(&f->constant);
  buffer_free(&f->page_bytes);
}

static int first_section(const Head *head) {
  switch (head->kind) {
    case OBJECT_TABLE: return ARRAY;
    case OBJECT_PAGED: return PAGES;
    case OBJECT_CLOSURE: return UPVALUES;
    case OBJECT_CELL:
    case OBJECT_SPECIAL: return CONTENT;
    case OBJECT_SHAPE: return KEYS;
    default: return END;
  }
}

hearth_status view_fields_of_body(ViewFields *f, const ViewReader *r, const Head *head, uint64_t number,
                             hearth_error *err) {
  f->r = *r;
  f->head = *head;
  f->number = number;
  f->section = first_section(head);
  if (head->kind == OBJECT_TABLE && (head->flags & HEAD_SHAPE))
    f->status = view_constant_shape(r->view, head->shape, &f->constant, f->keys, &f->key_count, err);
  if (head->kind == OBJECT_CLOSURE) f->status = view_constant_upvalues(r->view, head->prototype, &f->upvalues, err);
  if (f->status == HEARTH_NOTFOUND) { /* in a blob its number is out of range; in a store its record is missing */
    const char *why = head->kind == OBJECT_CLOSURE ? "a prototype that is not there" : "a shape that is not there";
    if (r->view->store == NULL) cursor_fail(&f->r.c, why);
    f->status = hearth_fail(err, HEARTH_DAMAGED, "object %llu has %s", (unsigned long long)number, why);
  }
  if (f->status != HEARTH_OK) f->section = END;
  return f->status;
}

void view_fields_of_external(ViewFields *f, uint64_t number) {
  f->number = number;
  f->section = EXTERNAL;
}

/* A value inside a table: nil would be no entry. */
static void read_field(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  view_reader_plain(r, v);
  if (r->c.why == NULL && v->kind == VALUE_NIL) view_reader_fail_at(r, start, "a nil inside a table");
}

static void read_key(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  read_field(r, v);
  if (r->c.why == NULL && view_is_nan(v)) view_reader_fail_at(r, start, "a NaN as a key");
}

static void read_upvalue(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  view_reader_value(r, v);
  unsigned head = view_reader_head_of(r, v);
  if (r->c.why == NULL && ((v->kind != VALUE_REF && v->kind != VALUE_LOCAL) || (head != 0 && !view_is_cell(head))))
    view_reader_fail_at(r, start, "an upvalue that is no cell");
}

static void read_metatable(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  view_reader_value(r, v);
  unsigned head = view_reader_head_of(r, v);
  if (r->c.why == NULL && ((v->kind != VALUE_REF && v->kind != VALUE_LOCAL) || view_is_cell(head) ||
                           (head & HEAD_KIND) == OBJECT_CLOSURE))
    view_reader_fail_at(r, start, "a metatable that is no table");
}

/* Of what a permanent is only its name is known, and of a special object not what it was rebuilt as. */
static bool may_be_function(const ViewReader *r, const Value *v) {
  if (v->kind != VALUE_REF && v->kind != VALUE_LOCAL) return false;
  unsigned head = view_reader_head_of(r, v), kind = head & HEAD_KIND;
  return head == 0 || kind == OBJECT_CLOSURE || kind == OBJECT_PERMANENT || kind == OBJECT_SPECIAL;
}

static void read_rebuilding(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  view_reader_plain(r, v);
  if (r->c.why == NULL && !may_be_function(r, v))
    view_reader_fail_at(r, start, "a rebuilding function that is no function");
}

static void integer_key(Value *key, uint64_t n) {
  key->kind = VALUE_INTEGER;
  key->as.integer = (int64_t)n;
  key->size = 0;
}

/* Each answers whether its section gave a field. */

static bool next_array(ViewFields *f, ViewField *field) {
  if (f->done == f->head.array) return false;
  field->kind = VIEW_ENTRY;
  integer_key(&field->key, ++f->done);
  read_field(&f->r, &field->value);
  return true;
}

static bool next_shaped(ViewFields *f, ViewField *field) {
  if (f->done == f->key_count) return false;
  field->kind = VIEW_ENTRY;
  field->key = f->keys[f->done++];
  read_field(&f->r, &field->value);
  return true;
}

static bool next_pair(ViewFields *f, ViewField *field) {
  if (f->done == f->head.pairs) return false;
  f->done++;
  field->kind = VIEW_ENTRY;
  read_key(&f->r, &field->key);
  read_field(&f->r, &field->value);
  return true;
}

static bool next_metatable(ViewFields *f, ViewField *field) {
  if (!(f->head.flags & HEAD_METATABLE) || f->done++ > 0) return false;
  field->kind = VIEW_METATABLE;
  read_metatable(&f->r, &field->value);
  return true;
}

static bool next_upvalue(ViewFields *f, ViewField *field) {
  if (f->done == f->upvalues) return false;
  field->kind = VIEW_UPVALUE;
  field->number = ++f->done;
  read_upvalue(&f->r, &field->value);
  return true;
}

static bool next_content(ViewFields *f, ViewField *field) {
  if (f->done++ > 0) return false;
  field->kind = VIEW_CONTENT;
  if (view_calls_content(&f->head))
    read_rebuilding(&f->r, &field->value);
  else
    view_reader_plain(&f->r, &field->value);
  return true;
}

/* A store's shape was checked when it was opened, so its keys are read one by one again. */
static bool next_shape_key(ViewFields *f, ViewField *field) {
  if (f->done == 0) f->key_count = shape_get(&f->r.c, f->keys);
  if (f->done == f->key_count) return false;
  field->kind = VIEW_KEY;
  field->key = f->keys[f->done];
  field->number = ++f->done;
  return true;
}

static bool next_of_section(ViewFields *f, ViewField *field) {
  switch (f->section) {
    case ARRAY: return next_array(f, field);
    case SHAPED: return next_shaped(f, field);
    case PAIRS: return next_pair(f, field);
    case PAGES: return view_pages_next(f, field);
    case METATABLE: return next_metatable(f, field);
    case UPVALUES: return next_upvalue(f, field);
    case CONTENT: return next_content(f, field);
    case KEYS: return next_shape_key(f, field);
    case EXTERNAL: return view_external_next(f, field);
    default: return false;
  }
}

static int section_after(const ViewFields *f) {
  switch (f->section) {
    case ARRAY: return f->head.flags & HEAD_SHAPE ? SHAPED : PAIRS;
    case SHAPED: return PAIRS;
    case PAIRS:
    case PAGES: return METATABLE;
    default: return END;
  }
}

bool view_fields_next(ViewFields *f, ViewField *field) {
  memset(field, 0, sizeof *field);
  while (f->section != END && f->status == HEARTH_OK) {
    bool got = next_of_section(f, field);
    if (f->status == HEARTH_OK && (f->r.c.why != NULL || f->r.no_memory))
      f->status = view_reader_status(&f->r, f->r.view->store != NULL ? "object" : NULL, f->number, f->error);
    if (f->status != HEARTH_OK) break;
    if (got) return true;
    f->section = section_after(f);
    f->done = 0;
  }
  f->section = END;
  if (f->whole && f->status == HEARTH_OK && cursor_left(&f->r.c) > 0) {
    cursor_fail(&f->r.c, "bytes follow after its end");
    f->status = view_reader_status(&f->r, "object", f->number, f->error);
  }
  return false;
}
