/*
** dump as JSON: one array, one element a line, written as it is read. Integers and strings
** are JSON's, floats are numbers with a fraction or an exponent; what JSON cannot say
** is an object: {"float": "nan", "bits": "7ff8..."}, {"bytes": "hexadecimal"} for a string that is not UTF-8,
** {"ref": 12} and {"ref": 20, "local": 3} for objects.
*/
#include <inttypes.h>
#include <stdio.h>

#include "dump.h"

#ifdef HEARTH_HAVE_JANSSON

#include "dump_json.h"

#define PLAIN (JSON_COMPACT | JSON_ENCODE_ANY)

/* Writes a value and lets go of it. NULL: memory is exhausted. */
static void put(DumpSink *s, json_t *j, size_t flags) {
  if (j == NULL || json_dumpf(j, stdout, PLAIN | flags) != 0) s->no_memory = !ferror(stdout);
  json_decref(j);
}

static json_t *hex(const unsigned char *bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  Buffer text;
  buffer_init(&text, &hearth_libc_allocator);
  for (size_t i = 0; i < size; i++) {
    buffer_byte(&text, (unsigned char)digits[bytes[i] >> 4]);
    buffer_byte(&text, (unsigned char)digits[bytes[i] & 15]);
  }
  json_t *j = text.failed ? NULL : json_stringn(size > 0 ? (const char *)text.data : "", text.size);
  buffer_free(&text);
  return j;
}

static json_t *string(const unsigned char *bytes, size_t size) {
  json_t *j = json_stringn(size > 0 ? (const char *)bytes : "", size); /* NULL unless it is UTF-8 */
  return j != NULL ? j : json_pack("{s:o}", "bytes", hex(bytes, size));
}

static json_t *number(uint64_t n) {
  return n <= INT64_MAX ? json_integer((json_int_t)n) : json_sprintf("%" PRIu64, n);
}

static json_t *real(uint64_t bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  json_t *j = json_real(d); /* NULL for infinities and NaNs */
  if (j != NULL) return j;
  return json_pack("{s:s,s:o}", "float", d != d ? "nan" : d > 0 ? "inf" : "-inf", "bits",
                   json_sprintf("%016" PRIx64, bits));
}

json_t *dump_json_value(const ViewObject *o, const Value *v) {
  switch (v->kind) {
    case VALUE_NIL: return json_null();
    case VALUE_FALSE: return json_false();
    case VALUE_TRUE: return json_true();
    case VALUE_INTEGER: return json_integer(v->as.integer);
    case VALUE_FLOAT: return real(v->as.bits);
    case VALUE_STRING: return string(v->as.bytes, v->size);
    case VALUE_LOCAL:
      if (o != NULL) return json_pack("{s:o,s:o}", "ref", number(o->number), "local", number(v->as.number));
      return json_pack("{s:o}", "local", number(v->as.number));
    default: return json_pack("{s:o}", "ref", number(v->as.number));
  }
}

/* Begins an element: its own line, open for more. `fields` is an object that is let go of. */
static void element(DumpSink *s, json_t *fields) {
  (void)fputs(s->items > 0 ? ",\n{" : "\n{", stdout);
  put(s, fields, JSON_EMBED);
}

static void whole_element(DumpSink *s, json_t *fields) {
  element(s, fields);
  (void)putchar('}');
}

static void json_begin(DumpSink *s) {
  (void)s;
  (void)putchar('[');
}

static void json_end(DumpSink *s) {
  (void)s;
  (void)fputs("\n]\n", stdout);
}

static void json_metadata(DumpSink *s, const Metadata *m) {
  json_t *j = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "item", "metadata", "format", number(m->written_by),
                        "readableBy", number(m->readable_by), "homeTableId", number(m->home_id), "memoryTableId",
                        number(m->memory_id), "nextTableId", number(m->next_id), "savedAt", number(m->saved_at),
                        "pageSize", number(m->page_size), "writer",
                        string((const unsigned char *)m->writer, strlen(m->writer)));
  whole_element(s, j);
}

static void json_header(DumpSink *s, const BlobHeader *h, const Value *root) {
  json_t *j = json_pack("{s:s,s:i,s:i,s:b,s:b,s:i,s:i,s:i,s:o}", "item", "blob", "format", h->written_by, "readableBy",
                        h->readable_by, "canonical", h->flags & BLOB_CANONICAL, "stripped", h->flags & BLOB_STRIPPED,
                        "luaVersion", h->lua_version, "integerSize", h->sizes >> 4, "floatSize", h->sizes & 15, "root",
                        dump_json_value(NULL, root));
  whole_element(s, j);
}

/* ---------------------------------------------------------------- objects */

static hearth_status add_prototype(json_t *j, const ViewObject *o, hearth_error *err) {
  Prototype p;
  ChunkInfo info;
  hearth_status status = view_object_prototype(o, &p, err);
  if (status != HEARTH_OK) return status;
  (void)json_object_set_new(j, "luaVersion", json_integer(p.header.version));
  (void)json_object_set_new(j, "upvalues", json_integer((json_int_t)p.nupvalues));
  (void)json_object_set_new(j, "size", json_integer((json_int_t)p.body_size));
  (void)json_object_set_new(j, "sealed", json_boolean(p.seal != NULL));
  if (!chunk_supported(&p.header)) return status;
  chunk_info(&p.header, p.body, p.body_size, &info);
  json_t *source =
      info.source == NULL ? json_null() : string((const unsigned char *)info.source, info.source_size);
  (void)json_object_set_new(j, "source", source);
  (void)json_object_set_new(j, "line", json_integer(info.line));
  (void)json_object_set_new(j, "lastLine", json_integer(info.last_line));
  return status;
}

static hearth_status add_string(json_t *j, ViewObject *o, hearth_error *err) {
  Buffer bytes;
  buffer_init(&bytes, &o->view->allocator);
  hearth_status status = view_object_string(o, &bytes, err);
  if (status == HEARTH_OK) (void)json_object_set_new(j, "value", string(bytes.data, bytes.size));
  buffer_free(&bytes);
  return status;
}

static const char *kind_name(const ViewObject *o) {
  static const char *const names[] = {"external", "table",  "closure", "upvalue", "permanent", "special",
                                      "late",     "shape", "prototype", "string", "table"};
  return names[o->place == VIEW_EXTERNAL ? 0 : o->head.kind];
}

static hearth_status add_kind(json_t *j, ViewObject *o, hearth_error *err) {
  static const char *const permanents[] = {"table", "function", "C function", "userdata", "upvalue"};
  switch (o->head.kind) {
    case OBJECT_PROTOTYPE: return add_prototype(j, o, err);
    case OBJECT_STRING: return add_string(j, o, err);
    case OBJECT_CLOSURE: (void)json_object_set_new(j, "prototype", number(o->head.prototype)); break;
    case OBJECT_TABLE:
      if (o->head.flags & HEAD_SHAPE) (void)json_object_set_new(j, "shape", number(o->head.shape));
      if (o->late) (void)json_object_set_new(j, "weak", json_true());
      break;
    case OBJECT_PERMANENT:
      (void)json_object_set_new(j, "name", dump_json_value(o, &o->head.name));
      (void)json_object_set_new(j, "of", json_string(permanents[o->head.flags]));
      break;
    case OBJECT_SPECIAL:
      if (o->head.flags & HEAD_TYPED) (void)json_object_set_new(j, "type", dump_json_value(o, &o->head.name));
      break;
    default: break;
  }
  return HEARTH_OK;
}

static const char *fields_name(const ViewObject *o) {
  if (o->place == VIEW_EXTERNAL) return "entries";
  switch (o->head.kind) {
    case OBJECT_TABLE: return "entries";
    case OBJECT_PAGED: return "pages";
    case OBJECT_CLOSURE: return "cells";
    case OBJECT_SHAPE: return "keys";
    case OBJECT_CELL:
    case OBJECT_SPECIAL: return "content";
    default: return NULL;
  }
}

/* The element is left open inside its list of fields. */
static hearth_status json_object_begin(DumpSink *s, ViewObject *o, hearth_error *err) {
  json_t *j = json_pack("{s:s,s:o}", "item", kind_name(o), "number", number(o->number));
  hearth_status status = HEARTH_OK;
  if (o->local != VIEW_WHOLE) (void)json_object_set_new(j, "local", json_integer((json_int_t)o->local));
  if (o->place == VIEW_EXTERNAL) {
    (void)json_object_set_new(j, "referencesFromTables", number(o->references));
    (void)json_object_set_new(j, "referencesToTables", number(o->referring));
  } else {
    status = add_kind(j, o, err);
  }
  if (status != HEARTH_OK) {
    json_decref(j);
    return status;
  }
  element(s, j);
  if (fields_name(o) != NULL) (void)printf(",\"%s\":[", fields_name(o));
  return status;
}

static void json_page(DumpSink *s, const ViewFields *f) {
  (void)fputs(s->paged ? "]},{" : "{", stdout);
  json_t *page = json_pack("{s:i,s:o,s:i,s:o}", "section", f->page.section, "prefix",
                           json_sprintf("%016" PRIx64, f->page.prefix), "depth", f->page.depth, "size",
                           number(f->page_bytes.size));
  put(s, page, JSON_EMBED);
  (void)fputs(",\"entries\":[", stdout);
}

static void close_list(const DumpSink *s) {
  (void)fputs(s->paged ? "]}]" : "]", stdout);
}

static hearth_status json_field(DumpSink *s, ViewObject *o, const ViewField *field, hearth_error *err) {
  (void)err;
  if (field->kind == VIEW_METATABLE) { /* the last field: the list ends before it */
    close_list(s);
    (void)fputs(",\"metatable\":", stdout);
    put(s, dump_json_value(o, &field->value), 0);
    s->metatable = true;
    return HEARTH_OK;
  }
  if (s->fields > 0) (void)putchar(',');
  if (field->kind == VIEW_ENTRY)
    put(s, json_pack("[oo]", dump_json_value(o, &field->key), dump_json_value(o, &field->value)), 0);
  else
    put(s, dump_json_value(o, field->kind == VIEW_KEY ? &field->key : &field->value), 0);
  return HEARTH_OK;
}

static void json_blob_begin(DumpSink *s, const ViewField *field) {
  if (s->fields > 0) (void)putchar(',');
  (void)putchar('[');
  put(s, dump_json_value(NULL, &field->key), 0);
  (void)fputs(",{\"blob\":[", stdout);
}

static void json_blob_end(DumpSink *s) {
  (void)s;
  (void)fputs("]}]", stdout);
}

static void json_object_close(DumpSink *s, ViewObject *o) {
  if (fields_name(o) != NULL && !s->metatable) close_list(s);
  s->metatable = false;
  (void)putchar('}');
}

/* ----------------------------------------------------------------- frames */

static void json_log(DumpSink *s, const LogHeader *h, LogHeaderState state) {
  whole_element(s, json_pack("{s:s,s:i,s:i,s:o,s:o,s:o,s:o,s:b}", "item", "log", "writeVersion", h->write_version,
                             "readVersion", h->read_version, "salt", json_sprintf("%016" PRIx64, h->salt), "first",
                             number(h->first), "synced", number(h->synced), "time", number(h->time), "damaged",
                             state == LOG_HEADER_DAMAGED));
}

static void json_frame(DumpSink *s, uint64_t at, const LogFrame *f) {
  static const char *const kinds[] = {"?", "batch", "part", "synced", "closed"};
  element(s, json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:o}", "item", "frame", "at", number(at), "kind",
                       kinds[f->kind <= LOG_CLOSED ? f->kind : 0], "sequence", number(f->sequence), "length",
                       number(f->length), "time", number(f->time), "synced", number(f->synced)));
  (void)fputs(",\"operations\":[", stdout);
}

static void json_op(DumpSink *s, const LogOp *op) {
  Buffer key;
  buffer_init(&key, &hearth_libc_allocator);
  dump_put_key(&key, op->table, op->key, op->key_size);
  json_t *j = json_pack("{s:s,s:o}", "op", op->kind == HEARTH_PUT ? "put" : op->kind == HEARTH_DEL ? "del" : "drop",
                        "table", number(op->table));
  if (op->kind != HEARTH_DROP) (void)json_object_set_new(j, "key", string(key.data, key.size));
  if (op->kind == HEARTH_PUT) (void)json_object_set_new(j, "size", number(op->value_size));
  buffer_free(&key);
  if (s->fields > 0) (void)putchar(',');
  put(s, j, 0);
}

static void json_frame_end(DumpSink *s) {
  (void)s;
  (void)fputs("]}", stdout);
}

static void json_gap(DumpSink *s, uint64_t at, uint64_t length, bool last) {
  whole_element(s, json_pack("{s:s,s:o,s:o,s:b}", "item", "gap", "at", number(at), "length", number(length), "last",
                             last));
}

static const DumpWriter writer = {
  json_begin, json_end, json_metadata, json_header, json_object_begin, json_page, json_field, json_blob_begin,
  json_blob_end, json_object_close, json_log, json_frame, json_op, json_frame_end, json_gap,
};

const DumpWriter *const dump_json = &writer;

#else

const DumpWriter *const dump_json = NULL;

#endif
