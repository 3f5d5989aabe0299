/* One object: found, read, and its head parsed. */
#include "external_entry.h"
#include "hash.h"
#include "reader.h"

void view_object_init(ViewObject *o, View *v) {
  memset(o, 0, sizeof *o);
  o->view = v;
  o->local = VIEW_WHOLE;
  buffer_init(&o->record, &v->allocator);
  view_heap_init(&o->locals, &v->allocator);
}

void view_object_free(ViewObject *o) {
  buffer_free(&o->record);
  view_heap_free(&o->locals);
}

static Cursor bytes_of(const ViewObject *o) {
  return o->view->store == NULL ? cursor_over(o->view->bytes, o->view->size)
                                : cursor_over(o->record.data, o->record.size);
}

static ViewReader reader_of(ViewObject *o) {
  ViewReader r = {.view = o->view, .c = bytes_of(o), .top = o->top};
  r.heap = o->view->store == NULL ? &o->view->heap : &o->locals;
  r.c.next += o->body;
  return r;
}

static const char *place_name(ViewPlaceKind place) {
  static const char *const names[] = {"object", "constant", "external table"};
  return names[place];
}

/* Opens the part of a heap at index. */
static void open_part(ViewObject *o, const ViewHeap *h, uint64_t index) {
  const ViewPart *part = view_heap_part(h, index);
  Cursor c = bytes_of(o);
  c.next += part->head;
  head_get(&c, &o->head); /* it was read when the heap was indexed */
  o->body = part->body;
  o->top = part->top;
}

/* ------------------------------------------------------------------ blobs */

static hearth_status open_in_blob(ViewObject *o, uint64_t number, hearth_error *err) {
  const ViewHeap *h = &o->view->heap;
  if (number == 0 || number > view_heap_count(h))
    return hearth_fail(err, HEARTH_NOTFOUND, "there is no object %llu", (unsigned long long)number);
  o->place = VIEW_OBJECT;
  o->number = number;
  open_part(o, h, number - 1);
  o->late = view_heap_part(h, number - 1)->head > h->root; /* its true head stands among the bodies */
  return hearth_ok(err);
}

static const Buffer *constants_of(const View *v, ObjectKind kind) {
  return kind == OBJECT_SHAPE ? &v->shapes : &v->prototypes;
}

static bool constant_place(const View *v, ObjectKind kind, uint64_t number, ViewPlace *place) {
  const Buffer *places = constants_of(v, kind);
  if (number >= places->size / sizeof *place) return false;
  memcpy(place, places->data + number * sizeof *place, sizeof *place);
  return true;
}

hearth_status view_object_open_constant(ViewObject *o, ObjectKind kind, uint64_t number, hearth_error *err) {
  ViewPlace place;
  if (!constant_place(o->view, kind, number, &place))
    return hearth_fail(err, HEARTH_NOTFOUND, "there is no %s %llu", kind == OBJECT_SHAPE ? "shape" : "prototype",
                       (unsigned long long)number);
  o->place = VIEW_CONSTANT;
  o->number = number;
  o->local = VIEW_WHOLE;
  o->late = false;
  memset(&o->head, 0, sizeof o->head);
  o->head.kind = kind;
  o->body = place.position;
  return hearth_ok(err);
}

/* ----------------------------------------------------------------- stores */

static bool kind_belongs(ViewPlaceKind place, ObjectKind kind) {
  bool constant = kind == OBJECT_SHAPE || kind == OBJECT_PROTOTYPE || kind == OBJECT_STRING;
  return kind != OBJECT_LATE && constant == (place == VIEW_CONSTANT);
}

/* A special object's body: count, heads, value, bodies of its local objects. */
static hearth_status index_locals(ViewObject *o, hearth_error *err) {
  ViewReader r = reader_of(o);
  size_t count = count_get(&r.c);
  hearth_status status = r.c.why == NULL ? view_heap_index(&o->locals, &r, count, NULL, err) : HEARTH_OK;
  if (status != HEARTH_OK) return status;
  if (cursor_left(&r.c) > 0) cursor_fail(&r.c, "bytes follow after its end");
  o->body = o->locals.root;
  return view_reader_status(&r, "object", o->number, err);
}

static hearth_status check_constant(const ViewObject *o, hearth_error *err) {
  ViewReader r = {.view = o->view, .c = bytes_of(o)};
  r.c.next += o->body;
  Value keys[SHAPE_MAX_KEYS];
  Prototype p;
  ChunkFault fault;
  size_t size = cursor_left(&r.c);
  const unsigned char *bytes = r.c.next;
  if (o->head.kind == OBJECT_SHAPE) {
    (void)shape_get(&r.c, keys);
  } else if (o->head.kind == OBJECT_PROTOTYPE) {
    r.c.next = r.c.end;
    if (hash64(bytes, size, BLOB_CHECK_SEED) != o->head.check)
      view_reader_fail_at(&r, bytes, "a function's check does not match its bytes");
    else if (!prototype_parse(bytes, size, &p, &fault))
      view_reader_fail_at(&r, bytes + fault.position, fault.why);
    else if (chunk_supported(&p.header) && !chunk_check(&p.header, p.body, p.body_size, p.nupvalues, &fault))
      view_reader_fail_at(&r, p.body + fault.position, fault.why);
  }
  if (cursor_left(&r.c) > 0) cursor_fail(&r.c, "bytes follow after its end");
  return view_reader_status(&r, "constant", o->number, err);
}

static hearth_status parse_record(ViewObject *o, hearth_error *err) {
  ViewReader r = {.view = o->view, .c = bytes_of(o)};
  if (o->place == VIEW_EXTERNAL) {
    memset(&o->head, 0, sizeof o->head);
    external_get_record(&r.c, &o->references, &o->referring);
    return view_reader_status(&r, place_name(o->place), o->number, err);
  }
  head_get(&r.c, &o->head);
  o->body = cursor_position(&r.c);
  if (r.c.why == NULL && !kind_belongs(o->place, o->head.kind))
    view_reader_fail_at(&r, r.c.begin, "an object of a kind that belongs elsewhere");
  hearth_status status = view_reader_status(&r, place_name(o->place), o->number, err);
  if (status == HEARTH_OK && o->head.kind == OBJECT_SPECIAL) status = index_locals(o, err);
  if (status == HEARTH_OK && o->place == VIEW_CONSTANT) status = check_constant(o, err);
  return status;
}

static hearth_status open_in_store(ViewObject *o, uint64_t number, hearth_error *err) {
  static const LayoutKind kinds[] = {LAYOUT_OBJECT, LAYOUT_CONSTANT, LAYOUT_EXTERNAL}; /* as in ViewPlaceKind */
  o->number = number;
  buffer_clear(&o->locals.parts);
  buffer_clear(&o->locals.strings);
  for (int i = 0; i < 3; i++) {
    LayoutKey key = {.kind = kinds[i], .number = number};
    hearth_status status = view_fetch(o->view, &key, &o->record, err);
    if (status == HEARTH_NOTFOUND) continue;
    if (status != HEARTH_OK) return status;
    o->place = (ViewPlaceKind)i;
    status = parse_record(o, err);
    return status == HEARTH_OK ? hearth_ok(err) : status;
  }
  return hearth_fail(err, HEARTH_NOTFOUND, "there is no object %llu", (unsigned long long)number);
}

hearth_status view_object_open(ViewObject *o, uint64_t number, hearth_error *err) {
  o->local = VIEW_WHOLE;
  o->late = false;
  o->top = 0;
  if (o->view->store == NULL) return open_in_blob(o, number, err);
  return open_in_store(o, number, err);
}

uint32_t view_object_locals(const ViewObject *o) {
  return o->view->store == NULL ? 0 : (uint32_t)view_heap_count(&o->locals);
}

hearth_status view_object_open_local(ViewObject *o, uint32_t index, hearth_error *err) {
  if (index >= view_object_locals(o))
    return hearth_fail(err, HEARTH_NOTFOUND, "there is no local object %u in object %llu", (unsigned)index,
                       (unsigned long long)o->number);
  o->local = index;
  open_part(o, &o->locals, index);
  return hearth_ok(err);
}

hearth_status view_object_follow(ViewObject *o, const ViewObject *from, const Value *v, hearth_error *err) {
  if (v->kind != VALUE_LOCAL) return view_object_open(o, v->as.number, err);
  uint32_t index = (uint32_t)v->as.number; /* checked against the locals when it was read */
  if (o != from) {
    hearth_status status = view_object_open(o, from->number, err);
    if (status != HEARTH_OK) return status;
  }
  return view_object_open_local(o, index, err);
}

/* --------------------------------------------------------- what it contains */

void view_fields_begin(ViewFields *f, ViewObject *o, hearth_error *err) {
  view_fields_init(f, o->view, err);
  if (o->place == VIEW_EXTERNAL) {
    view_fields_of_external(f, o->number);
    return;
  }
  ViewReader r = reader_of(o);
  (void)view_fields_of_body(f, &r, &o->head, o->number, err);
  f->whole = o->view->store != NULL && o->place == VIEW_OBJECT && o->head.kind != OBJECT_SPECIAL &&
             o->local == VIEW_WHOLE;
}

hearth_status view_object_prototype(const ViewObject *o, Prototype *out, hearth_error *err) {
  ViewPlace place = {o->body, o->record.size - o->body};
  ChunkFault fault;
  if (o->view->store == NULL && !constant_place(o->view, OBJECT_PROTOTYPE, o->number, &place))
    return hearth_fail(err, HEARTH_NOTFOUND, "there is no prototype %llu", (unsigned long long)o->number);
  if (o->head.kind != OBJECT_PROTOTYPE) /* a store's closure may refer to anything */
    return hearth_fail(err, HEARTH_NOTFOUND, "there is no prototype %llu", (unsigned long long)o->number);
  if (!prototype_parse(bytes_of(o).begin + place.position, place.size, out, &fault)) /* it was checked before */
    return hearth_fail_at(err, HEARTH_DAMAGED, fault.position, "prototype %llu: %s", (unsigned long long)o->number,
                          fault.why);
  return hearth_ok(err);
}

hearth_status view_object_count(ViewObject *o, uint64_t *count, hearth_error *err) {
  *count = o->head.array + o->head.pairs;
  if (o->head.kind != OBJECT_TABLE || !(o->head.flags & HEAD_SHAPE)) return hearth_ok(err);
  Buffer bytes;
  Value keys[SHAPE_MAX_KEYS];
  size_t key_count = 0;
  buffer_init(&bytes, &o->view->allocator);
  hearth_status status = view_constant_shape(o->view, o->head.shape, &bytes, keys, &key_count, err);
  buffer_free(&bytes);
  if (status == HEARTH_NOTFOUND)
    return hearth_fail(err, HEARTH_DAMAGED, "object %llu has a shape that is not there",
                       (unsigned long long)o->number);
  *count += key_count;
  return status;
}

hearth_status view_object_string(ViewObject *o, Buffer *out, hearth_error *err) {
  uint64_t size = o->head.size;
  Buffer chunk;
  hearth_status status = HEARTH_OK;
  buffer_clear(out);
  buffer_init(&chunk, &o->view->allocator);
  for (uint64_t i = 0; out->size < size && status == HEARTH_OK; i++) {
    LayoutKey key = {.kind = LAYOUT_CHUNK, .number = o->number, .chunk = (uint32_t)i};
    uint64_t expected = size - out->size < STRING_CHUNK ? size - out->size : STRING_CHUNK;
    status = view_fetch(o->view, &key, &chunk, err);
    if (status == HEARTH_NOTFOUND || (status == HEARTH_OK && chunk.size != expected))
      status = hearth_fail(err, HEARTH_DAMAGED, "string %llu: its part %llu is %s", (unsigned long long)o->number,
                           (unsigned long long)i, status == HEARTH_NOTFOUND ? "missing" : "of a wrong size");
    if (status == HEARTH_OK) buffer_put(out, chunk.data, chunk.size);
    if (out->failed) status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  }
  buffer_free(&chunk);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

/* -------------------------------------------------------------- constants */

static hearth_status fetch_constant(const View *v, ObjectKind kind, uint64_t number, Buffer *bytes, Cursor *c,
                                    hearth_error *err) {
  LayoutKey key = {.kind = LAYOUT_CONSTANT, .number = number};
  hearth_status status = view_fetch(v, &key, bytes, err);
  if (status != HEARTH_OK) return status;
  Head head;
  *c = cursor_over(bytes->data, bytes->size);
  head_get(c, &head);
  return c->why == NULL && head.kind == kind ? HEARTH_OK : HEARTH_NOTFOUND;
}

hearth_status view_constant_shape(const View *v, uint64_t number, Buffer *bytes, Value keys[], size_t *count,
                             hearth_error *err) {
  ViewReader r = {.view = v};
  ViewPlace place;
  if (v->store != NULL) {
    hearth_status status = fetch_constant(v, OBJECT_SHAPE, number, bytes, &r.c, err);
    if (status != HEARTH_OK) return status;
  } else {
    if (!constant_place(v, OBJECT_SHAPE, number, &place)) return HEARTH_NOTFOUND;
    r.c = cursor_over(v->bytes, v->size);
    r.c.next += place.position;
  }
  *count = shape_get(&r.c, keys);
  return view_reader_status(&r, "constant", number, err);
}

hearth_status view_constant_upvalues(const View *v, uint64_t number, unsigned *count, hearth_error *err) {
  Buffer bytes;
  Cursor c;
  ViewPlace place;
  Prototype p;
  ChunkFault fault;
  hearth_status status = HEARTH_NOTFOUND;
  buffer_init(&bytes, &v->allocator);
  if (v->store != NULL) {
    status = fetch_constant(v, OBJECT_PROTOTYPE, number, &bytes, &c, err);
    if (status == HEARTH_OK) place = (ViewPlace){cursor_position(&c), cursor_left(&c)};
  } else if (constant_place(v, OBJECT_PROTOTYPE, number, &place)) {
    c = cursor_over(v->bytes, v->size);
    status = HEARTH_OK;
  }
  if (status == HEARTH_OK && !prototype_parse(c.begin + place.position, place.size, &p, &fault))
    status = hearth_fail_at(err, HEARTH_DAMAGED, fault.position, "constant %llu is damaged at byte %zu: %s",
                            (unsigned long long)number, fault.position, fault.why);
  if (status == HEARTH_OK) *count = p.nupvalues;
  buffer_free(&bytes);
  return status;
}
