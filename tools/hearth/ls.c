/* hearth ls: what an object holds, one line each. */
#include "look.h"

/* What a value is, in one line. */
static hearth_status put_summary(Buffer *line, const ViewObject *from, const Value *v, hearth_error *err) {
  if (v->kind != VALUE_REF && v->kind != VALUE_LOCAL) {
    view_put_scalar(line, v, 60);
    return HEARTH_OK;
  }
  ViewObject o;
  view_object_init(&o, from->view);
  hearth_status status = view_object_follow(&o, from, v, err);
  if (status == HEARTH_OK) status = view_describe(&o, line, err);
  if (status == HEARTH_NOTFOUND)
    status = hearth_fail(err, HEARTH_DAMAGED, "a reference to object %llu, which is not there",
                         (unsigned long long)v->as.number);
  view_object_free(&o);
  return status;
}

static hearth_status put_name(Buffer *line, ViewObject *o, const ViewField *f, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  Buffer name;
  switch (f->kind) {
    case VIEW_METATABLE: view_print(line, "^metatable"); break;
    case VIEW_UPVALUE:
      buffer_init(&name, &o->view->allocator);
      status = view_upvalue_name(o, (unsigned)f->number, &name, err);
      view_put_upvalue_step(line, name.data, name.size, (unsigned)f->number);
      buffer_free(&name);
      break;
    case VIEW_CONTENT: view_print(line, "content"); break;
    default:
      if (f->key.kind == VALUE_REF || f->key.kind == VALUE_LOCAL) {
        view_print(line, "[");
        status = put_summary(line, o, &f->key, err);
        view_print(line, "]");
      } else {
        view_put_step(line, &f->key, true);
      }
  }
  return status;
}

static hearth_status list(ViewObject *o, hearth_error *err) {
  ViewFields f;
  ViewField field;
  hearth_status status = HEARTH_OK;
  view_fields_begin(&f, o, err);
  while (status == HEARTH_OK && view_fields_next(&f, &field) && !ferror(stdout)) {
    Buffer line;
    buffer_init(&line, &o->view->allocator);
    status = put_name(&line, o, &field, err);
    view_print(&line, "\t");
    if (status == HEARTH_OK && field.blob != NULL)
      view_print(&line, "a value of %zu bytes", field.blob_size);
    else if (status == HEARTH_OK)
      status = put_summary(&line, o, &field.value, err);
    view_print(&line, "\n");
    if (line.failed) status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
    if (status == HEARTH_OK) (void)fwrite(line.data, 1, line.size, stdout);
    buffer_free(&line);
  }
  if (status == HEARTH_OK) status = f.status;
  view_fields_free(&f);
  return status;
}

int command_ls(Call *call) {
  const char *at = NULL;
  const Option options[] = {{"at", NULL, &at}, {NULL, NULL, NULL}};
  hearth_error err;
  Look look;
  ViewTarget t;
  int status;
  if (!call_options(call, options, false, 0, 1, &status)) return status;
  if (!option_at("at", at, &call->at)) return STATUS_USAGE;
  status = look_at_store(call, &look);
  if (status != STATUS_OK) return status;
  const char *path = call->argc > 0 ? call->argv[0] : "";
  view_target_init(&t, &look.view);
  hearth_status result = view_resolve(&t, path, &err);
  if (result == HEARTH_OK && t.value.kind != VALUE_REF && t.value.kind != VALUE_LOCAL)
    result = hearth_fail(&err, HEARTH_INVALID, "%s: this is no table (try: hearth get)", path);
  if (result == HEARTH_OK) result = list(&t.object, &err);
  view_target_free(&t);
  if (result == HEARTH_INVALID)
    status = complain(STATUS_FAILED, "%s", err.message);
  else
    status = result == HEARTH_OK ? finish_output() : complain_about(STATUS_FAILED, look.location, &err);
  return look_end(&look, status);
}
