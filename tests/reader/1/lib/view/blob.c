/* Opening a blob: everything in it is read once. */
#include "hash.h"
#include "reader.h"

static bool prototype_is_sound(ViewReader *r, const unsigned char *bytes, size_t size) {
  Prototype p;
  ChunkFault fault;
  if (!prototype_parse(bytes, size, &p, &fault)) {
    view_reader_fail_at(r, bytes + fault.position, fault.why);
    return false;
  }
  if (chunk_supported(&p.header) && !chunk_check(&p.header, p.body, p.body_size, p.nupvalues, &fault)) {
    view_reader_fail_at(r, p.body + fault.position, fault.why);
    return false;
  }
  return true;
}

static void index_constants(View *v, ViewReader *r) {
  Value keys[SHAPE_MAX_KEYS];
  for (uint64_t i = 0; i < v->header.shapes && r->c.why == NULL; i++) {
    ViewPlace place = {cursor_position(&r->c), 0};
    (void)shape_get(&r->c, keys);
    place.size = cursor_position(&r->c) - place.position;
    buffer_put(&v->shapes, &place, sizeof place);
  }
  for (uint64_t i = 0; i < v->header.prototypes && r->c.why == NULL; i++) {
    ViewPlace place = {0, count_get(&r->c)};
    uint64_t check = fixed_get(&r->c, BLOB_CHECK_SIZE);
    place.position = cursor_position(&r->c);
    const unsigned char *bytes = cursor_bytes(&r->c, place.size);
    if (bytes != NULL && hash64(bytes, place.size, BLOB_CHECK_SEED) != check)
      view_reader_fail_at(r, bytes, "a function's check does not match its bytes");
    if (bytes == NULL || r->c.why != NULL || !prototype_is_sound(r, bytes, place.size)) break;
    buffer_put(&v->prototypes, &place, sizeof place);
  }
  r->no_memory |= v->shapes.failed || v->prototypes.failed;
}

static hearth_status index_objects(View *v, ViewReader *r, hearth_error *err) {
  if (r->c.why == NULL && (v->header.heads_size > cursor_left(&r->c) || v->header.objects > cursor_left(&r->c)))
    cursor_fail(&r->c, "a count exceeds the bytes that remain");
  hearth_status status = HEARTH_OK;
  if (r->c.why == NULL && !r->no_memory)
    status = view_heap_index(&v->heap, r, v->header.objects, r->c.next + v->header.heads_size, err);
  if (status != HEARTH_OK) return status;
  if (r->c.why == NULL && cursor_left(&r->c) > 0) cursor_fail(&r->c, "bytes follow after its end");
  return view_reader_status(r, NULL, 0, err);
}

hearth_status view_open_blob(View *v, const void *bytes, size_t size, const hearth_allocator *allocator,
                             hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  memset(v, 0, sizeof *v);
  v->allocator = *allocator;
  v->bytes = bytes;
  v->size = size;
  buffer_init(&v->shapes, allocator);
  buffer_init(&v->prototypes, allocator);
  view_heap_init(&v->heap, allocator);
  ViewReader r = {.view = v, .c = cursor_over(bytes, size), .heap = &v->heap};
  bool newer;
  if (!blob_header_get(&r.c, &v->header, &newer)) {
    if (newer)
      return hearth_fail_at(err, HEARTH_VERSION, 5, "format %d is needed to read it, this program reads up to %d",
                            v->header.readable_by, FORMAT_VERSION);
    return view_reader_status(&r, NULL, 0, err);
  }
  index_constants(v, &r);
  hearth_status status = index_objects(v, &r, err);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

void view_root(View *v, Value *root) {
  ViewReader r = {.view = v, .c = cursor_over(v->bytes, v->size), .heap = &v->heap};
  r.c.next += v->heap.root;
  view_reader_value(&r, root);
}
