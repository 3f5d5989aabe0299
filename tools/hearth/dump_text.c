/* dump as text: one line an item, its fields indented below it. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dump.h"

#define LONGEST_STRING 1000 /* bytes of one that are shown */

static void flush(DumpSink *s, Buffer *line) {
  (void)fwrite(line->data, 1, line->size, stdout);
  s->no_memory |= line->failed;
  buffer_free(line);
}

static Buffer new_line(const DumpSink *s, bool field) {
  Buffer line;
  buffer_init(&line, &hearth_libc_allocator);
  view_print(&line, "%s%s", s->depth > 0 ? "    " : "", field ? "  " : "");
  return line;
}

/* A reference as `#12`, or `#20.3` inside the special object 20. */
static void put_value(Buffer *line, const ViewObject *o, const Value *v) {
  if (v->kind == VALUE_REF)
    view_print(line, "#%" PRIu64, v->as.number);
  else if (v->kind == VALUE_LOCAL && o != NULL)
    view_print(line, "#%" PRIu64 ".%" PRIu64, o->number, v->as.number);
  else
    view_put_scalar(line, v, LONGEST_STRING);
}

static void put_time(Buffer *line, uint64_t milliseconds) {
  char text[40] = "never";
  time_t seconds = (time_t)(milliseconds / 1000);
  struct tm parts;
  if (milliseconds != 0 && gmtime_r(&seconds, &parts) != NULL)
    (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  view_print(line, "%s", text);
}

static void text_nothing(DumpSink *s) {
  (void)s;
}

static void text_metadata(DumpSink *s, const Metadata *m) {
  Buffer line = new_line(s, false);
  view_print(&line, "store: format %" PRIu64 ", readable by %" PRIu64 ", homeTableId %" PRIu64, m->written_by,
             m->readable_by, m->home_id);
  view_print(&line, ", memoryTableId %" PRIu64 ", nextTableId %" PRIu64 ", page size %" PRIu64 ", saved ", m->memory_id,
             m->next_id, m->page_size);
  put_time(&line, m->saved_at);
  view_print(&line, ", by ");
  view_put_quoted(&line, (const unsigned char *)m->writer, strlen(m->writer), 0);
  view_print(&line, "\n");
  flush(s, &line);
}

static void text_header(DumpSink *s, const BlobHeader *h, const Value *root) {
  Buffer line = new_line(s, false);
  view_print(&line, "blob: format %u, readable by %u, Lua %u.%u, integers of %u bytes, floats of %u bytes%s%s\n",
             h->written_by, h->readable_by, h->lua_version >> 4, h->lua_version & 15u, h->sizes >> 4, h->sizes & 15u,
             h->flags & BLOB_CANONICAL ? ", canonical" : "", h->flags & BLOB_STRIPPED ? ", stripped" : "");
  view_print(&line, "%sroot = ", s->depth > 0 ? "    " : "");
  put_value(&line, NULL, root);
  view_print(&line, "\n");
  flush(s, &line);
}

static hearth_status put_string(Buffer *line, ViewObject *o, hearth_error *err) {
  Buffer bytes;
  buffer_init(&bytes, &o->view->allocator);
  hearth_status status = view_object_string(o, &bytes, err);
  view_print(line, ": ");
  if (status == HEARTH_OK) view_put_quoted(line, bytes.data, bytes.size, LONGEST_STRING);
  buffer_free(&bytes);
  return status;
}

static hearth_status put_prototype(Buffer *line, const ViewObject *o, hearth_error *err) {
  Prototype p;
  ChunkInfo info = {0};
  hearth_status status = view_object_prototype(o, &p, err);
  if (status != HEARTH_OK) return status;
  view_print(line, ": Lua %u.%u, %u upvalues, %zu bytes%s", p.header.version >> 4, p.header.version & 15u, p.nupvalues,
             p.body_size, p.seal != NULL ? ", sealed" : "");
  if (!chunk_supported(&p.header)) return status;
  chunk_info(&p.header, p.body, p.body_size, &info);
  view_print(line, ", lines %d to %d of ", info.line, info.last_line);
  if (info.source != NULL)
    view_put_quoted(line, (const unsigned char *)info.source, info.source_size, LONGEST_STRING);
  else
    view_print(line, "a source that was stripped");
  return status;
}

static hearth_status text_object(DumpSink *s, ViewObject *o, hearth_error *err) {
  Buffer line = new_line(s, false);
  hearth_status status = view_describe(o, &line, err);
  if (status == HEARTH_OK && o->place == VIEW_EXTERNAL)
    view_print(&line, ", %" PRIu64 " references from external tables, %" PRIu64 " to external tables", o->references,
               o->referring);
  else if (status == HEARTH_OK && o->head.kind == OBJECT_STRING)
    status = put_string(&line, o, err);
  else if (status == HEARTH_OK && o->head.kind == OBJECT_PROTOTYPE)
    status = put_prototype(&line, o, err);
  else if (status == HEARTH_OK && o->head.kind == OBJECT_CLOSURE)
    view_print(&line, ", prototype #%" PRIu64, o->head.prototype);
  else if (status == HEARTH_OK && o->head.kind == OBJECT_TABLE && (o->head.flags & HEAD_SHAPE))
    view_print(&line, ", shape #%" PRIu64, o->head.shape);
  view_print(&line, "\n");
  if (status == HEARTH_OK)
    flush(s, &line);
  else
    buffer_free(&line);
  return status;
}

static void text_page(DumpSink *s, const ViewFields *f) {
  Buffer line = new_line(s, true);
  view_print(&line, "page %u.%016" PRIx64 "/%u of %zu bytes\n", f->page.section, f->page.prefix, f->page.depth,
             f->page_bytes.size);
  flush(s, &line);
}

static void put_key(Buffer *line, const ViewObject *o, const Value *key) {
  if (key->kind != VALUE_REF && key->kind != VALUE_LOCAL) {
    view_put_step(line, key, true);
    return;
  }
  view_print(line, "[");
  put_value(line, o, key);
  view_print(line, "]");
}

static hearth_status put_field_name(Buffer *line, ViewObject *o, const ViewField *field, hearth_error *err) {
  Buffer name;
  hearth_status status = HEARTH_OK;
  switch (field->kind) {
    case VIEW_ENTRY: put_key(line, o, &field->key); break;
    case VIEW_METATABLE: view_print(line, "^metatable"); break;
    case VIEW_UPVALUE:
      buffer_init(&name, &o->view->allocator);
      status = view_upvalue_name(o, (unsigned)field->number, &name, err);
      view_print(line, "^%" PRIu64, field->number);
      if (name.size > 0) {
        view_print(line, " ");
        view_put_quoted(line, name.data, name.size, LONGEST_STRING);
      }
      buffer_free(&name);
      break;
    case VIEW_KEY: view_put_scalar(line, &field->key, 0); break;
    case VIEW_CONTENT: break;
  }
  return status;
}

static hearth_status text_field(DumpSink *s, ViewObject *o, const ViewField *field, hearth_error *err) {
  Buffer line = new_line(s, true);
  hearth_status status = put_field_name(&line, o, field, err);
  if (field->kind != VIEW_KEY) {
    view_print(&line, field->kind == VIEW_CONTENT ? "= " : " = ");
    put_value(&line, o, &field->value);
  }
  view_print(&line, "\n");
  flush(s, &line);
  return status;
}

static void text_blob_begin(DumpSink *s, const ViewField *field) {
  Buffer line = new_line(s, true);
  put_key(&line, NULL, &field->key);
  view_print(&line, " = a blob of %zu bytes:\n", field->blob_size);
  flush(s, &line);
}

static void text_object_end(DumpSink *s, ViewObject *o) {
  (void)s, (void)o;
}

/* ----------------------------------------------------------------- frames */

static void text_log(DumpSink *s, const LogHeader *h, LogHeaderState state) {
  Buffer line = new_line(s, false);
  view_print(&line, "log: write version %u, read version %u, salt %016" PRIx64 ", first batch %" PRIu64
                    ", synced %" PRIu64 ", made ",
             h->write_version, h->read_version, h->salt, h->first, h->synced);
  put_time(&line, h->time);
  view_print(&line, "%s\n", state == LOG_HEADER_DAMAGED ? ", DAMAGED" : "");
  flush(s, &line);
}

static void text_frame(DumpSink *s, uint64_t at, const LogFrame *f) {
  static const char *const kinds[] = {"?", "batch", "part of batch", "mark: synced up to batch",
                                      "mark: closed after batch"};
  Buffer line = new_line(s, false);
  view_print(&line, "byte %" PRIu64 ": %s %" PRIu64 ", %" PRIu64 " bytes, synced %" PRIu64 ", ",
             at, kinds[f->kind <= LOG_CLOSED ? f->kind : 0], f->sequence, f->length, f->synced);
  put_time(&line, f->time);
  view_print(&line, "\n");
  flush(s, &line);
}

static void text_op(DumpSink *s, const LogOp *op) {
  Buffer line = new_line(s, true);
  view_print(&line, "%s ", op->kind == HEARTH_PUT ? "put" : op->kind == HEARTH_DEL ? "del" : "drop");
  if (op->table != LAYOUT_TABLE || op->kind == HEARTH_DROP) view_print(&line, "table %" PRIu64 " ", op->table);
  if (op->kind != HEARTH_DROP) dump_put_key(&line, op->table, op->key, op->key_size);
  if (op->kind == HEARTH_PUT) view_print(&line, ": %zu bytes", op->value_size);
  view_print(&line, "\n");
  flush(s, &line);
}

static void text_gap(DumpSink *s, uint64_t at, uint64_t length, bool last) {
  Buffer line = new_line(s, false);
  view_print(&line, "byte %" PRIu64 ": %" PRIu64 " bytes that belong to no whole frame%s\n", at, length,
             last ? ", up to the end" : "");
  flush(s, &line);
}

const DumpWriter dump_text = {
  text_nothing, text_nothing, text_metadata, text_header, text_object, text_page, text_field, text_blob_begin,
  text_nothing, text_object_end, text_log, text_frame, text_op, text_nothing, text_gap,
};
