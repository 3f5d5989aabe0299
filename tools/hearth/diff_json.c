/* Differences as JSON: values as dump writes them, objects with what they are. */
#include "diff_print.h"

#ifdef HEARTH_HAVE_JANSSON

#include "dump_json.h"

bool diff_json_available(void) {
  return true;
}

static json_t *text(const Buffer *b) {
  return json_stringn(b->size > 0 ? (const char *)b->data : "", b->size); /* quoted for a terminal: UTF-8 */
}

static hearth_status set_side(json_t *j, const char *name, const DiffSide *side, hearth_error *err) {
  Buffer is;
  const Value *v = &side->value;
  bool scalar = side->blob == NULL && v->kind != VALUE_REF && v->kind != VALUE_LOCAL;
  json_t *value = side->blob != NULL ? json_object() : dump_json_value(side->from, v);
  hearth_status status = HEARTH_OK;
  buffer_init(&is, &hearth_libc_allocator);
  if (!scalar) status = describe_side(&is, side, err);
  if (!scalar && value != NULL) (void)json_object_set_new(value, "is", text(&is));
  buffer_free(&is);
  if (value == NULL || json_object_set_new(j, name, value) != 0)
    return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  return status;
}

hearth_status print_difference_json(const DiffPrinter *p, const Difference *d) {
  static const char *const names[] = {"added", "removed", "changed", "shared in the first", "shared in the second"};
  json_t *j = json_pack("{s:s,s:o}", "change", names[d->kind], "path", text(d->path));
  hearth_status status = HEARTH_OK;
  if (d->other != NULL) (void)json_object_set_new(j, "with", text(d->other));
  if (d->a != NULL) status = set_side(j, "old", d->a, p->err);
  if (status == HEARTH_OK && d->b != NULL) status = set_side(j, "new", d->b, p->err);
  (void)fputs(p->printed > 0 ? ",\n" : "\n", stdout);
  if (status == HEARTH_OK && (j == NULL || json_dumpf(j, stdout, JSON_COMPACT) != 0) && !ferror(stdout))
    status = hearth_fail(p->err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  json_decref(j);
  return status;
}

#else

bool diff_json_available(void) {
  return false;
}

hearth_status print_difference_json(const DiffPrinter *p, const Difference *d) {
  (void)d;
  return hearth_fail(p->err, HEARTH_UNSUPPORTED, "%s", hearth_status_text(HEARTH_UNSUPPORTED));
}

#endif
