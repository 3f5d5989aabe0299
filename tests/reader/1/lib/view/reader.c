/*
** Values: what value.c reads, with the dictionary and NEXT resolved and
** references checked. And the heaps that lie in one byte string.
*/
#include "heads.h"
#include "reader.h"

void view_heap_init(ViewHeap *h, const hearth_allocator *a) {
  buffer_init(&h->parts, a);
  buffer_init(&h->strings, a);
  h->root = 0;
}

void view_heap_free(ViewHeap *h) {
  buffer_free(&h->parts);
  buffer_free(&h->strings);
}

void view_reader_fail_at(ViewReader *r, const unsigned char *start, const char *why) {
  if (r->c.why != NULL) return;
  r->c.next = start;
  cursor_fail(&r->c, why);
}

hearth_status view_reader_status(const ViewReader *r, const char *what, uint64_t number, hearth_error *err) {
  if (r->no_memory) return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  if (r->c.why == NULL) return HEARTH_OK;
  if (what == NULL)
    return hearth_fail_at(err, HEARTH_DAMAGED, r->c.position, "damaged at byte %zu: %s", r->c.position, r->c.why);
  return hearth_fail_at(err, HEARTH_DAMAGED, r->c.position, "%s %llu is damaged at byte %zu of its record: %s", what,
                        (unsigned long long)number, r->c.position, r->c.why);
}

/* ----------------------------------------------------------------- values */

static void define(ViewReader *r, Value *v) {
  v->kind = VALUE_STRING;
  if (r->indexing == NULL) return;
  ViewString s = {v->as.bytes, v->size};
  buffer_put(&r->indexing->strings, &s, sizeof s);
  r->no_memory |= r->indexing->strings.failed;
}

static void look_up(ViewReader *r, const unsigned char *start, Value *v) {
  const Buffer *strings = &r->heap->strings;
  if (v->as.number >= strings->size / sizeof(ViewString)) {
    view_reader_fail_at(r, start, "a string that is not in the dictionary");
    return;
  }
  ViewString s;
  memcpy(&s, strings->data + v->as.number * sizeof s, sizeof s);
  v->kind = VALUE_STRING;
  v->as.bytes = s.bytes;
  v->size = s.size;
}

static void resolve_blob(ViewReader *r, const unsigned char *start, Value *v) {
  switch (v->kind) {
    case VALUE_DEFINE: define(r, v); break;
    case VALUE_KNOWN: look_up(r, start, v); break;
    case VALUE_NEXT:
      v->kind = VALUE_REF;
      v->as.number = r->top + 1;
      break;
    case VALUE_LOCAL: view_reader_fail_at(r, start, "a tag that belongs in stores only"); break;
    default: break;
  }
  if (v->kind != VALUE_REF) return;
  if (v->as.number == 0 || v->as.number > view_heap_count(r->heap))
    view_reader_fail_at(r, start, "a reference to an object that is not there");
  else if (v->as.number > r->top)
    r->top = v->as.number;
}

static void resolve_store(ViewReader *r, const unsigned char *start, const Value *v) {
  if (v->kind == VALUE_DEFINE || v->kind == VALUE_KNOWN || v->kind == VALUE_NEXT)
    view_reader_fail_at(r, start, "a tag that belongs in blobs only");
  else if (v->kind == VALUE_REF && (v->as.number == 0 || v->as.number > HEARTH_MAX_TABLE))
    view_reader_fail_at(r, start, "a reference to an object that is not there");
  else if (v->kind == VALUE_LOCAL && (r->heap == NULL || v->as.number >= view_heap_count(r->heap)))
    view_reader_fail_at(r, start, "a reference to a local object that is not there");
}

void view_reader_value(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  value_get(&r->c, v);
  if (r->c.why == NULL && r->view->store != NULL) resolve_store(r, start, v);
  if (r->c.why == NULL && r->view->store == NULL) resolve_blob(r, start, v);
  if (r->c.why != NULL) *v = (Value){0};
}

unsigned view_reader_head_of(const ViewReader *r, const Value *v) {
  uint64_t index;
  if (r->view->store == NULL && v->kind == VALUE_REF)
    index = v->as.number - 1;
  else if (v->kind == VALUE_LOCAL)
    index = v->as.number;
  else
    return 0;
  return r->c.begin[view_heap_part(r->heap, index)->head];
}

void view_reader_plain(ViewReader *r, Value *v) {
  const unsigned char *start = r->c.next;
  view_reader_value(r, v);
  if (r->c.why == NULL && view_is_cell(view_reader_head_of(r, v)))
    view_reader_fail_at(r, start, "a cell where a value belongs");
}

/* ------------------------------------------------------------------ heaps */

/* A permanent or a special object of a store has a number of its own: none is local. */
static bool head_allowed(const ViewReader *r, const Head *h) {
  switch (h->kind) {
    case OBJECT_TABLE:
    case OBJECT_CLOSURE:
    case OBJECT_CELL: return true;
    case OBJECT_PERMANENT:
    case OBJECT_SPECIAL:
    case OBJECT_LATE: return r->view->store == NULL;
    default: return false;
  }
}

/* Only a blob's heads, whose end is known, may be repeated. */
static void index_heads(ViewHeap *h, ViewReader *r, uint64_t count, const unsigned char *heads_end) {
  HeadReader heads = {.left = count};
  for (uint64_t i = 0; i < count && r->c.why == NULL && !r->no_memory; i++) {
    ViewPart part = {cursor_position(&r->c), 0, 0};
    const unsigned char *start = r->c.next;
    Head head;
    unsigned before = 0;
    if (heads_end != NULL)
      before = heads_next(&heads, &r->c, &head);
    else
      head_get(&r->c, &head);
    if (before > 0 && r->c.why == NULL)
      part.head = view_heap_part(h, i - before)->head;
    else if (!head_allowed(r, &head))
      view_reader_fail_at(r, start, "an object of a kind that belongs elsewhere");
    if (heads_end != NULL && r->c.next > heads_end)
      view_reader_fail_at(r, start, "the heads do not end where they should");
    buffer_put(&h->parts, &part, sizeof part);
    r->no_memory |= h->parts.failed;
  }
  if (heads_end != NULL && r->c.next != heads_end) cursor_fail(&r->c, "the heads do not end where they should");
}

/* Goes over one body. */
static hearth_status index_body(ViewHeap *h, ViewReader *r, uint64_t i, bool late, hearth_error *err) {
  ViewPart *part = view_heap_part(h, i);
  Cursor at = r->c;
  at.next = r->c.begin + part->head;
  Head head;
  head_get(&at, &head); /* it was read before: no failure */
  if ((head.kind == OBJECT_LATE) != late) return HEARTH_OK;
  if (late) {
    part->head = cursor_position(&r->c);
    const unsigned char *start = r->c.next;
    head_get(&r->c, &head);
    if (r->c.why == NULL && (head.kind != OBJECT_TABLE || (head.flags & HEAD_SHAPE)))
      view_reader_fail_at(r, start, "a late object that is no weak table");
  }
  part->body = cursor_position(&r->c);
  part->top = r->top;
  if (r->c.why != NULL) return HEARTH_OK;
  ViewFields f;
  ViewField field;
  view_fields_init(&f, r->view, err);
  if (view_fields_of_body(&f, r, &head, i + 1, err) == HEARTH_OK)
    while (view_fields_next(&f, &field)) continue;
  *r = f.r;
  hearth_status status = r->c.why != NULL || r->no_memory ? HEARTH_OK : f.status;
  view_fields_free(&f);
  return status;
}

hearth_status view_heap_index(ViewHeap *h, ViewReader *r, uint64_t count, const unsigned char *heads_end,
                              hearth_error *err) {
  r->heap = h;
  r->indexing = h;
  index_heads(h, r, count, heads_end);
  h->root = cursor_position(&r->c);
  Value root;
  view_reader_plain(r, &root);
  bool has_late = false;
  hearth_status status = HEARTH_OK;
  for (uint64_t i = 0; i < count && status == HEARTH_OK && r->c.why == NULL && !r->no_memory; i++) {
    has_late |= (r->c.begin[view_heap_part(h, i)->head] & HEAD_KIND) == OBJECT_LATE;
    status = index_body(h, r, i, false, err);
  }
  for (uint64_t i = 0; i < count && has_late && status == HEARTH_OK && r->c.why == NULL && !r->no_memory; i++)
    status = index_body(h, r, i, true, err);
  r->indexing = NULL;
  return status;
}
