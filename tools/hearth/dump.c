/* hearth dump: everything, in the order in which it is stored. */
#include "dump.h"

#include <string.h>

#include "look.h"
#include "progress.h"

typedef struct Dump {
  DumpSink sink;
  Progress progress;
  uint64_t done;
} Dump;

static hearth_status dump_blob(Dump *d, View *v, hearth_error *err);

/* Recursion ends here: a blob holds no external table. */
static hearth_status dump_nested(Dump *d, const View *v, const ViewField *field, hearth_error *err) {
  View nested;
  DumpSink *s = &d->sink;
  hearth_status status = view_open_blob(&nested, field->blob, field->blob_size, &v->allocator, err);
  if (status == HEARTH_OK) {
    s->writer->blob_begin(s, field);
    uint64_t fields = s->fields;
    s->outer = s->items;
    s->depth = 1;
    s->items = 0;
    status = dump_blob(d, &nested, err);
    s->items = s->outer;
    s->depth = 0;
    s->fields = fields;
    s->writer->blob_end(s);
  }
  view_close(&nested);
  return status;
}

/* Field by field: there is padding between them. */
static bool same_page(const LayoutKey *a, const LayoutKey *b) {
  return a->number == b->number && a->section == b->section && a->depth == b->depth && a->prefix == b->prefix;
}

static hearth_status dump_object(Dump *d, ViewObject *o, hearth_error *err) {
  DumpSink *s = &d->sink;
  ViewFields f;
  ViewField field;
  LayoutKey page = {0};
  s->fields = 0;
  s->paged = false;
  hearth_status status = s->writer->object(s, o, err);
  if (status != HEARTH_OK) return status;
  view_fields_begin(&f, o, err);
  while (status == HEARTH_OK && view_fields_next(&f, &field)) {
    if (field.kind == VIEW_ENTRY && f.page.kind != LAYOUT_NONE &&
        (page.kind == LAYOUT_NONE || !same_page(&page, &f.page))) {
      page = f.page;
      s->writer->page(s, &f);
      s->paged = true;
      s->fields = 0;
    }
    status = field.blob != NULL ? dump_nested(d, o->view, &field, err) : s->writer->field(s, o, &field, err);
    s->fields++;
  }
  if (status == HEARTH_OK) status = f.status;
  view_fields_free(&f);
  if (status != HEARTH_OK) return status;
  s->writer->object_end(s, o);
  s->items++;
  progress_step(&d->progress, ++d->done);
  if (s->no_memory) return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  return ferror(stdout) ? hearth_fail(err, HEARTH_IO, "standard output cannot be written") : HEARTH_OK;
}

static hearth_status dump_constants(Dump *d, ViewObject *o, ObjectKind kind, uint64_t count, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  for (uint64_t i = 0; i < count && status == HEARTH_OK; i++) {
    status = view_object_open_constant(o, kind, i, err);
    if (status == HEARTH_OK) status = dump_object(d, o, err);
  }
  return status;
}

static hearth_status dump_blob(Dump *d, View *v, hearth_error *err) {
  ViewObject o;
  Value root;
  view_object_init(&o, v);
  view_root(v, &root);
  d->sink.writer->header(&d->sink, &v->header, &root);
  d->sink.items++;
  hearth_status status = dump_constants(d, &o, OBJECT_SHAPE, v->header.shapes, err);
  if (status == HEARTH_OK) status = dump_constants(d, &o, OBJECT_PROTOTYPE, v->header.prototypes, err);
  for (uint64_t i = 1; i <= v->header.objects && status == HEARTH_OK; i++) {
    status = view_object_open(&o, i, err);
    if (status == HEARTH_OK) status = dump_object(d, &o, err);
  }
  view_object_free(&o);
  return status;
}

static hearth_status dump_numbered(Dump *d, View *v, LayoutKind kind, hearth_error *err) {
  ViewObject o;
  uint64_t number = 0;
  bool found = true;
  hearth_status status = HEARTH_OK;
  view_object_init(&o, v);
  while (status == HEARTH_OK) {
    status = view_next_number(v, kind, number, &found, &number, err);
    if (status != HEARTH_OK || !found) break;
    status = view_object_open(&o, number, err);
    if (status == HEARTH_OK) status = dump_object(d, &o, err);
    uint32_t locals = status == HEARTH_OK ? view_object_locals(&o) : 0;
    for (uint32_t i = 0; i < locals && status == HEARTH_OK; i++) {
      status = view_object_open_local(&o, i, err);
      if (status == HEARTH_OK) status = dump_object(d, &o, err);
    }
  }
  view_object_free(&o);
  return status;
}

static hearth_status dump_store(Dump *d, View *v, hearth_error *err) {
  d->sink.writer->metadata(&d->sink, &v->metadata);
  d->sink.items++;
  hearth_status status = dump_numbered(d, v, LAYOUT_CONSTANT, err);
  if (status == HEARTH_OK) status = dump_numbered(d, v, LAYOUT_OBJECT, err);
  if (status == HEARTH_OK) status = dump_numbered(d, v, LAYOUT_EXTERNAL, err);
  return status;
}

static int dump_view(Dump *d, Look *look) {
  hearth_error err;
  progress_begin(&d->progress, "dump", "objects");
  d->sink.writer->begin(&d->sink);
  hearth_status status =
      look->storage.store != NULL ? dump_store(d, &look->view, &err) : dump_blob(d, &look->view, &err);
  if (status == HEARTH_OK) d->sink.writer->end(&d->sink); /* JSON that is cut short must not look whole */
  progress_end(&d->progress);
  if (status != HEARTH_OK) return complain_about(STATUS_FAILED, look->location, &err);
  return finish_output();
}

int command_dump(Call *call) {
  bool json = false, frames = false;
  const char *at = NULL;
  const Option options[] = {{"json", &json, NULL}, {"frames", &frames, NULL}, {"at", NULL, &at}, {NULL, NULL, NULL}};
  Dump d = {.sink.writer = &dump_text};
  Look look;
  int status;
  if (!call_options(call, options, false, 0, 1, &status)) return status;
  if (!option_at("at", at, &call->at)) return STATUS_USAGE;
  if (at != NULL && (frames || call->argc > 0)) return complain(STATUS_USAGE, "dump: --at is for a store's contents");
  if (json && dump_json == NULL)
    return complain(STATUS_FAILED, "dump: this program was built without Jansson, so without --json");
  if (json) d.sink.writer = dump_json;
  if (frames && call->argc > 0) return complain(STATUS_USAGE, "dump: --frames is for a store's file, not for a blob");
  if (frames) {
    if (strncmp(call->uri, "file:", 5) != 0)
      return complain(STATUS_USAGE, "dump: --frames needs a store in a file (file:PATH)");
    return dump_frames(&d.sink, call->uri + 5);
  }
  status = call->argc > 0 ? look_at_blob(call->argv[0], &look) : look_at_store(call, &look);
  if (status != STATUS_OK) return status;
  return look_end(&look, dump_view(&d, &look));
}
