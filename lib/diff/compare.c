/* The fields of two objects of one kind. */
#include "walk.h"

typedef enum Kind { TABLE, FUNCTION, CELL, PERMANENT, SPECIAL, EXTERNAL, OTHER } Kind;

static Kind kind_of(const ViewObject *o) {
  if (o->place == VIEW_EXTERNAL) return EXTERNAL;
  switch (o->head.kind) {
    case OBJECT_TABLE:
    case OBJECT_PAGED: return TABLE;
    case OBJECT_CLOSURE: return FUNCTION;
    case OBJECT_CELL: return CELL;
    case OBJECT_PERMANENT: return PERMANENT;
    case OBJECT_SPECIAL: return SPECIAL;
    default: return OTHER;
  }
}

/* Names of permanents and of types are in the head; a string's bytes stand in the object's. */
static bool same_head(const ViewObject *a, const ViewObject *b) {
  return a->head.flags == b->head.flags && value_equal(&a->head.name, &b->head.name);
}

bool diff_walk_same_kind(DiffWalk *w) {
  const ViewObject *a = &w->a.object, *b = &w->b.object;
  Kind kind = kind_of(a);
  if (kind != kind_of(b)) return false;
  return (kind != PERMANENT && kind != SPECIAL) || same_head(a, b);
}

/* --------------------------------------------------------------- functions */

static hearth_status open_prototype(DiffWalk *w, Side *s, Prototype *p) {
  uint64_t number = s->object.head.prototype;
  hearth_status status = s->view->store == NULL
                             ? view_object_open_constant(&s->scratch, OBJECT_PROTOTYPE, number, w->err)
                             : view_object_open(&s->scratch, number, w->err);
  if (status == HEARTH_OK) status = view_object_prototype(&s->scratch, p, w->err);
  if (status != HEARTH_NOTFOUND) return status;
  return hearth_fail(w->err, HEARTH_DAMAGED, "object %llu has a prototype that is not there",
                     (unsigned long long)s->object.number);
}

static bool same_code(const Prototype *a, const Prototype *b) {
  const size_t head = PROTOTYPE_HEAD_SIZE;
  return a->header.version == b->header.version && a->header.little_endian == b->header.little_endian &&
         a->nupvalues == b->nupvalues && a->body_size == b->body_size && memcmp(a->record, b->record, head) == 0 &&
         (a->body_size == 0 || memcmp(a->body, b->body, a->body_size) == 0);
}

/* What the function does; its upvalues are compared in any case. */
static hearth_status compare_code(DiffWalk *w) {
  Prototype a, b;
  if (w->changes != NULL && w->a.object.head.prototype == w->b.object.head.prototype) return HEARTH_OK;
  hearth_status status = open_prototype(w, &w->a, &a);
  if (status == HEARTH_OK) status = open_prototype(w, &w->b, &b);
  if (status != HEARTH_OK || same_code(&a, &b)) return status;
  const Value self = {.kind = VALUE_REF};
  DiffSide of_a = {&w->a.object, self, NULL, 0}, of_b = {&w->b.object, self, NULL, 0};
  of_a.value.as.number = w->a.object.number;
  of_b.value.as.number = w->b.object.number;
  if (w->a.object.local != VIEW_WHOLE) of_a.value = (Value){.kind = VALUE_LOCAL, .as.number = w->a.object.local};
  if (w->b.object.local != VIEW_WHOLE) of_b.value = (Value){.kind = VALUE_LOCAL, .as.number = w->b.object.local};
  return diff_walk_tell(w, DIFF_CHANGED, NULL, &of_a, &of_b);
}

/* ------------------------------------------------------------------ fields */

static bool is_object_key(const Entry *e) {
  return e->kind == ENTRY_KEY && value_is_reference(&e->key);
}

static hearth_status compare_both(DiffWalk *w, const Entry *a, const Entry *b) {
  hearth_status status = diff_walk_values(w, a, &a->value, &b->value);
  if (status != HEARTH_OK || !is_object_key(a)) return status;
  Entry of_key = *a;
  of_key.kind = ENTRY_OF_KEY;
  return diff_walk_values(w, &of_key, &a->key, &b->key);
}

static hearth_status tell_one(DiffWalk *w, DiffKind kind, const Entry *e) {
  const DiffSide side = {kind == DIFF_REMOVED ? &w->a.object : &w->b.object, e->value, NULL, 0};
  return diff_walk_tell(w, kind, e, kind == DIFF_REMOVED ? &side : NULL, kind == DIFF_REMOVED ? NULL : &side);
}

static hearth_status merge(DiffWalk *w, const Entries *a, const Entries *b) {
  hearth_status status = HEARTH_OK;
  for (size_t i = 0, k = 0; status == HEARTH_OK && !w->ended && (i < a->count || k < b->count);) {
    int n = i == a->count ? 1 : k == b->count ? -1 : entry_order(entries_at(a, i), entries_at(b, k));
    if (n == 0)
      status = compare_both(w, entries_at(a, i), entries_at(b, k));
    else
      status = n < 0 ? tell_one(w, DIFF_REMOVED, entries_at(a, i)) : tell_one(w, DIFF_ADDED, entries_at(b, k));
    i += n <= 0;
    k += n >= 0;
  }
  return status;
}

hearth_status diff_walk_fields(DiffWalk *w) {
  Entries a, b;
  Kind kind = kind_of(&w->a.object);
  if (kind == PERMANENT || kind == OTHER) return HEARTH_OK;
  if (kind == EXTERNAL) return diff_walk_external(w);
  hearth_status status = kind == FUNCTION ? compare_code(w) : HEARTH_OK;
  entries_init(&a, &w->a.view->allocator);
  entries_init(&b, &w->b.view->allocator);
  if (status == HEARTH_OK) status = entries_read(&a, &w->a.object, &w->a.scratch, w->err);
  if (status == HEARTH_OK) status = entries_read(&b, &w->b.object, &w->b.scratch, w->err);
  if (status == HEARTH_OK) status = merge(w, &a, &b);
  entries_free(&a);
  entries_free(&b);
  return status;
}

/* A field of an object that has the same bytes on both sides. */
static hearth_status follow_both(DiffWalk *w, const ViewField *f) {
  static const EntryKind kinds[] = {[VIEW_ENTRY] = ENTRY_KEY, [VIEW_UPVALUE] = ENTRY_UPVALUE,
                                    [VIEW_CONTENT] = ENTRY_CONTENT, [VIEW_METATABLE] = ENTRY_METATABLE};
  Entry e = {.kind = kinds[f->kind], .key = f->key};
  Buffer name;
  buffer_init(&name, &w->a.view->allocator);
  hearth_status status = HEARTH_OK;
  if (f->kind == VIEW_UPVALUE) {
    status = view_upvalue_name(&w->a.object, (unsigned)f->number, &name, w->err);
    e.key = (Value){.kind = name.size > 0 ? VALUE_STRING : VALUE_INTEGER, .size = name.size};
    if (name.size > 0)
      e.key.as.bytes = name.data;
    else
      e.key.as.integer = (int64_t)f->number;
  }
  if (status == HEARTH_OK && value_is_reference(&f->value)) status = diff_walk_values(w, &e, &f->value, &f->value);
  if (status == HEARTH_OK && is_object_key(&e)) {
    e.kind = ENTRY_OF_KEY;
    status = diff_walk_values(w, &e, &f->key, &f->key);
  }
  buffer_free(&name);
  return status;
}

hearth_status diff_walk_references(DiffWalk *w) {
  ViewFields f;
  ViewField field;
  hearth_status status = HEARTH_OK;
  view_fields_begin(&f, &w->a.object, w->err);
  while (status == HEARTH_OK && view_fields_next(&f, &field))
    if (field.blob == NULL) status = follow_both(w, &field);
  if (status == HEARTH_OK) status = f.status;
  view_fields_free(&f);
  return status;
}
