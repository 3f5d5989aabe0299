/* The text, line by line: an object a line, its fields indented below it, every bit of every value shown. */
#include "tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "hash.h"
#include "telling.h"
#include "view.h"

static void HEARTH_PRINTF(2, 3) say(Buffer *out, const char *format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (n > 0) buffer_put(out, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void say_bytes(Buffer *out, const unsigned char *bytes, size_t size) {
  say(out, "\"");
  for (size_t i = 0; i < size; i++) {
    bool plain = bytes[i] >= ' ' && bytes[i] < 127 && bytes[i] != '"' && bytes[i] != '\\';
    if (plain)
      buffer_byte(out, bytes[i]);
    else
      say(out, "\\x%02x", bytes[i]);
  }
  say(out, "\"");
}

static void say_value(Buffer *out, const Value *v) {
  switch (v->kind) {
    case VALUE_NIL: say(out, "nil"); break;
    case VALUE_FALSE: say(out, "false"); break;
    case VALUE_TRUE: say(out, "true"); break;
    case VALUE_INTEGER: say(out, "%" PRId64, v->as.integer); break;
    case VALUE_FLOAT: say(out, "float %016" PRIx64, v->as.bits); break;
    case VALUE_STRING: say_bytes(out, v->as.bytes, v->size); break;
    case VALUE_LOCAL: say(out, "local #%" PRIu64, v->as.number); break;
    default: say(out, "#%" PRIu64, v->as.number); break;
  }
}

static hearth_status say_blob(Buffer *out, const void *bytes, size_t size, hearth_error *err);

/* ---------------------------------------------------------------- objects */

static hearth_status say_prototype(Buffer *out, const ViewObject *o, hearth_error *err) {
  Prototype p;
  hearth_status status = view_object_prototype(o, &p, err);
  if (status != HEARTH_OK) return status;
  say(out, " for Lua %02x, instructions of %u, integers of %u, floats of %u bytes, %s endian, %u upvalues, %zu bytes, ",
      p.header.version, p.header.instruction_size, p.header.integer_size, p.header.number_size,
      p.header.little_endian ? "little" : "big", p.nupvalues, p.body_size);
  say(out, "check %016" PRIx64 "%s", hash64(p.body, p.body_size, 0), p.seal != NULL ? ", sealed by " : "");
  if (p.seal != NULL) say_bytes(out, p.seal, PROTOTYPE_SEAL_SIZE);
  return HEARTH_OK;
}

static hearth_status say_string(Buffer *out, ViewObject *o, hearth_error *err) {
  Buffer bytes;
  buffer_init(&bytes, &hearth_libc_allocator);
  hearth_status status = view_object_string(o, &bytes, err);
  say(out, " ");
  if (status == HEARTH_OK) say_bytes(out, bytes.data, bytes.size);
  buffer_free(&bytes);
  return status;
}

static hearth_status say_head(Buffer *out, ViewObject *o, hearth_error *err) {
  static const char *const kinds[] = {"?",    "table", "closure",   "cell",   "permanent",  "special",
                                      "late", "shape", "prototype", "string", "paged table"};
  const Head *h = &o->head;
  if (o->place == VIEW_EXTERNAL) {
    say(out, "external table, %" PRIu64 " references to it, %" PRIu64 " in it", o->references, o->referring);
    return HEARTH_OK;
  }
  say(out, "%s", kinds[h->kind]);
  switch (h->kind) {
    case OBJECT_TABLE:
      say(out, "%s of %" PRIu64 " array values, %" PRIu64 " pairs", o->late ? ", late," : "", h->array, h->pairs);
      if (h->flags & HEAD_SHAPE) say(out, ", shape #%" PRIu64, h->shape);
      break;
    case OBJECT_PAGED: say(out, " of %" PRIu64 " and %" PRIu64 " entries", h->array, h->pairs); break;
    case OBJECT_CLOSURE: say(out, " of prototype #%" PRIu64, h->prototype); break;
    case OBJECT_PERMANENT: say(out, " of kind %u, ", h->flags); say_value(out, &h->name); break;
    case OBJECT_SPECIAL:
      if (h->flags & HEAD_TYPED) {
        say(out, " of type ");
        say_value(out, &h->name);
      }
      break;
    case OBJECT_PROTOTYPE: return say_prototype(out, o, err);
    case OBJECT_STRING: return say_string(out, o, err);
    default: break;
  }
  return HEARTH_OK;
}

static hearth_status say_field(Buffer *out, const ViewField *field, hearth_error *err) {
  switch (field->kind) {
    case VIEW_ENTRY: say_value(out, &field->key); break;
    case VIEW_UPVALUE: say(out, "upvalue %" PRIu64, field->number); break;
    case VIEW_CONTENT: say(out, "content"); break;
    case VIEW_METATABLE: say(out, "metatable"); break;
    case VIEW_KEY: say_value(out, &field->key); break;
  }
  if (field->kind != VIEW_KEY) say(out, " = ");
  if (field->blob != NULL) {
    say(out, "{\n");
    hearth_status status = say_blob(out, field->blob, field->blob_size, err);
    say(out, "  }\n");
    return status;
  }
  if (field->kind != VIEW_KEY) say_value(out, &field->value);
  say(out, "\n");
  return HEARTH_OK;
}

static hearth_status say_object(Buffer *out, ViewObject *o, hearth_error *err) {
  ViewFields f;
  ViewField field;
  LayoutKey page = {0};
  if (o->local != VIEW_WHOLE) say(out, "local #%u: ", (unsigned)o->local);
  if (o->local == VIEW_WHOLE) say(out, "#%" PRIu64 ": ", o->number);
  hearth_status status = say_head(out, o, err);
  say(out, "\n");
  if (status != HEARTH_OK) return status;
  view_fields_begin(&f, o, err);
  while (status == HEARTH_OK && view_fields_next(&f, &field)) {
    const LayoutKey *p = &f.page;
    bool new_page = p->section != page.section || p->prefix != page.prefix || p->depth != page.depth;
    if (field.kind == VIEW_ENTRY && p->kind != LAYOUT_NONE && (page.kind == LAYOUT_NONE || new_page)) {
      page = f.page;
      say(out, "  page %u.%016" PRIx64 "/%u\n", page.section, page.prefix, page.depth);
    }
    say(out, "  ");
    status = say_field(out, &field, err);
  }
  if (status == HEARTH_OK) status = f.status;
  view_fields_free(&f);
  return status;
}

/* ------------------------------------------------------------------ blobs */

static hearth_status say_constants(Buffer *out, ViewObject *o, ObjectKind kind, uint64_t count, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  for (uint64_t i = 0; i < count && status == HEARTH_OK; i++) {
    status = view_object_open_constant(o, kind, i, err);
    if (status == HEARTH_OK) status = say_object(out, o, err);
  }
  return status;
}

static hearth_status say_open_blob(Buffer *out, View *v, hearth_error *err) {
  const BlobHeader *h = &v->header;
  ViewObject o;
  Value root;
  say(out, "blob: written by %u, readable by %u%s%s, Lua %02x, sizes %02x\nroot = ", h->written_by, h->readable_by,
      h->flags & BLOB_CANONICAL ? ", canonical" : "", h->flags & BLOB_STRIPPED ? ", stripped" : "", h->lua_version,
      h->sizes);
  view_root(v, &root);
  say_value(out, &root);
  say(out, "\n");
  view_object_init(&o, v);
  hearth_status status = say_constants(out, &o, OBJECT_SHAPE, h->shapes, err);
  if (status == HEARTH_OK) status = say_constants(out, &o, OBJECT_PROTOTYPE, h->prototypes, err);
  for (uint64_t i = 1; i <= h->objects && status == HEARTH_OK; i++) {
    status = view_object_open(&o, i, err);
    if (status == HEARTH_OK) status = say_object(out, &o, err);
  }
  view_object_free(&o);
  return status;
}

/* Recursion ends here: a blob holds no external table. */
static hearth_status say_blob(Buffer *out, const void *bytes, size_t size, hearth_error *err) {
  View v;
  hearth_status status = view_open_blob(&v, bytes, size, &hearth_libc_allocator, err);
  if (status == HEARTH_OK) status = say_open_blob(out, &v, err);
  view_close(&v);
  return status;
}

/* ----------------------------------------------------------------- stores */

static hearth_status say_numbered(Buffer *out, View *v, LayoutKind kind, hearth_error *err) {
  ViewObject o;
  uint64_t number = 0;
  bool found = true;
  hearth_status status = HEARTH_OK;
  view_object_init(&o, v);
  while (status == HEARTH_OK) {
    status = view_next_number(v, kind, number, &found, &number, err);
    if (status != HEARTH_OK || !found) break;
    status = view_object_open(&o, number, err);
    if (status == HEARTH_OK) status = say_object(out, &o, err);
    for (uint32_t i = 0; status == HEARTH_OK && i < view_object_locals(&o); i++) {
      status = view_object_open_local(&o, i, err);
      if (status == HEARTH_OK) status = say_object(out, &o, err);
    }
  }
  view_object_free(&o);
  return status;
}

hearth_status tell_store(const hearth_backend *backend, hearth_backend_store *store, Buffer *out, hearth_error *err) {
  static const LayoutKind kinds[] = {LAYOUT_CONSTANT, LAYOUT_OBJECT, LAYOUT_EXTERNAL};
  View v;
  uint64_t home = 0;
  hearth_status status = view_open_store(&v, backend, store, &hearth_libc_allocator, err);
  const Metadata *m = &v.metadata;
  if (status == HEARTH_OK) status = view_home(&v, &home, err);
  if (status == HEARTH_OK) {
    say(out, "store: written by %" PRIu64 ", readable by %" PRIu64 ", home #%" PRIu64 ", next #%" PRIu64, m->written_by,
        m->readable_by, home, m->next_id);
    say(out, ", saved at %" PRIu64 ", pages of %" PRIu64 " bytes, by ", m->saved_at, m->page_size);
    say_bytes(out, (const unsigned char *)m->writer, strlen(m->writer));
    say(out, "\n");
  }
  for (int i = 0; i < 3 && status == HEARTH_OK; i++) status = say_numbered(out, &v, kinds[i], err);
  view_close(&v);
  return status;
}

/* --------------------------------------------------------------- the text */

char *tell_end(Buffer *out, hearth_status status, const hearth_error *err, int *told) {
  if (status != HEARTH_OK) {
    buffer_clear(out);
    buffer_put(out, err->message, strlen(err->message));
  }
  buffer_byte(out, 0);
  *told = out->failed ? HEARTH_NOMEM : status;
  if (out->failed) buffer_free(out);
  return (char *)out->data; /* of the C library's allocator */
}

char *tell_blob(const void *bytes, size_t size, int *status) {
  hearth_error err;
  Buffer out;
  buffer_init(&out, &hearth_libc_allocator);
  hearth_status answer = say_blob(&out, bytes, size, &err);
  return tell_end(&out, answer, &err, status);
}

char *tell_log(const void *bytes, size_t size, int *status) {
  hearth_error err;
  hearth_backend_store *store = NULL;
  Buffer out;
  buffer_init(&out, &hearth_libc_allocator);
  hearth_status answer = log_open(bytes, size, &store, &err);
  if (answer == HEARTH_OK) answer = tell_store(&log_backend, store, &out, &err);
  log_close(store);
  return tell_end(&out, answer, &err, status);
}
