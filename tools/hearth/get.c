/*
** hearth get: a value, readable, its tables nested. No recursion: what is open is a stack
** of fields, and a table is printed in full once.
*/
#include <stdlib.h>

#include "intmap.h"
#include "look.h"

#define DEFAULT_DEPTH 16
#define GREATEST_DEPTH 1000000

/* A table that is being printed. */
typedef struct Level {
  ViewObject *object;
  ViewFields fields;
} Level;

typedef struct Printer {
  hearth_error *error;
  Level **levels;
  size_t height, capacity;
  unsigned long long depth; /* tables nested deeper are named */
  IntMap seen;              /* tables printed so far, by number; local ones by number and index */
} Printer;

static hearth_status no_memory(const Printer *p) {
  return hearth_fail(p->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

static void indent(size_t height) {
  for (size_t i = 0; i < height; i++) (void)fputs("  ", stdout);
}

static void print_line(Buffer *line) {
  (void)fwrite(line->data, 1, line->size, stdout);
  buffer_free(line);
}

static bool is_table(const ViewObject *o) {
  return o->place == VIEW_EXTERNAL ||
         (o->place == VIEW_OBJECT && (o->head.kind == OBJECT_TABLE || o->head.kind == OBJECT_PAGED));
}

/* Marks it; false: it was marked before. */
static bool first_sight(Printer *p, const ViewObject *o, hearth_status *status) {
  uint64_t key = o->number; /* below 2^54; two local objects that share a key would cost one its fields */
  if (o->local != VIEW_WHOLE) key = UINT64_C(1) << 63 | (o->number * UINT64_C(0x9E3779B97F4A7C15) + o->local) >> 1;
  if (intmap_get(&p->seen, key) != INTMAP_NONE) return false;
  if (!intmap_put(&p->seen, key, 1)) *status = no_memory(p);
  return true;
}

static hearth_status push(Printer *p, ViewObject *o) {
  if (p->height == p->capacity) {
    size_t capacity = p->capacity == 0 ? 16 : 2 * p->capacity;
    Level **levels = realloc(p->levels, capacity * sizeof(Level *));
    if (levels == NULL) return no_memory(p);
    p->levels = levels;
    p->capacity = capacity;
  }
  Level *level = malloc(sizeof *level);
  if (level == NULL) return no_memory(p);
  level->object = o;
  view_fields_begin(&level->fields, o, p->error);
  p->levels[p->height++] = level;
  return HEARTH_OK;
}

/* Forgets the level; the object of the lowest is not ours. */
static void pop(Printer *p) {
  Level *level = p->levels[--p->height];
  view_fields_free(&level->fields);
  if (p->height > 0) {
    view_object_free(level->object);
    free(level->object);
  }
  free(level);
}

static hearth_status print_string(const Printer *p, ViewObject *o) {
  Buffer bytes, line;
  buffer_init(&bytes, &o->view->allocator);
  buffer_init(&line, &o->view->allocator);
  hearth_status status = view_object_string(o, &bytes, p->error);
  if (status == HEARTH_OK) view_put_quoted(&line, bytes.data, bytes.size, 0);
  if (line.failed) status = no_memory(p);
  buffer_free(&bytes);
  print_line(&line);
  return status;
}

/* An object that is not printed as a table, in one line. */
static hearth_status print_name(const Printer *p, ViewObject *o) {
  Buffer line;
  if (o->place == VIEW_CONSTANT && o->head.kind == OBJECT_STRING) return print_string(p, o);
  buffer_init(&line, &o->view->allocator);
  view_print(&line, "<");
  hearth_status status = view_describe(o, &line, p->error);
  view_print(&line, ">");
  print_line(&line);
  return status;
}

/* Opens a table's braces, or prints what else it is. *opened: `o` belongs to the new level now. */
static hearth_status print_object(Printer *p, ViewObject *o, bool *opened) {
  hearth_status status = HEARTH_OK;
  *opened = false;
  if (!is_table(o) || p->height > p->depth || !first_sight(p, o, &status)) return print_name(p, o);
  if (status != HEARTH_OK) return status;
  (void)fputs("{ -- ", stdout);
  Buffer line;
  buffer_init(&line, &o->view->allocator);
  status = view_describe(o, &line, p->error);
  print_line(&line);
  (void)putchar('\n');
  if (status == HEARTH_OK) status = push(p, o);
  *opened = status == HEARTH_OK;
  return status;
}

static hearth_status print_value(Printer *p, const ViewObject *from, const Value *v, bool *opened) {
  *opened = false;
  if (v->kind != VALUE_REF && v->kind != VALUE_LOCAL) {
    Buffer line;
    buffer_init(&line, &from->view->allocator);
    view_put_scalar(&line, v, 0);
    hearth_status status = line.failed ? no_memory(p) : HEARTH_OK;
    print_line(&line);
    return status;
  }
  ViewObject *o = malloc(sizeof *o);
  if (o == NULL) return no_memory(p);
  view_object_init(o, from->view);
  hearth_status status = view_object_follow(o, from, v, p->error);
  if (status == HEARTH_NOTFOUND)
    status = hearth_fail(p->error, HEARTH_DAMAGED, "a reference to object %llu, which is not there",
                         (unsigned long long)v->as.number);
  if (status == HEARTH_OK) status = print_object(p, o, opened);
  if (!*opened) {
    view_object_free(o);
    free(o);
  }
  return status;
}

static bool is_scalar(const Value *v) {
  return v->kind != VALUE_REF && v->kind != VALUE_LOCAL;
}

static hearth_status print_key(Printer *p, ViewObject *o, const ViewField *f) {
  Buffer line;
  buffer_init(&line, &o->view->allocator);
  if (f->kind == VIEW_METATABLE) {
    view_print(&line, "^metatable");
  } else if (is_scalar(&f->key)) {
    view_put_step(&line, &f->key, true);
  } else {
    bool opened;
    unsigned long long depth = p->depth;
    p->depth = 0; /* a key is named */
    size_t height = p->height;
    p->height = p->height > 0 ? p->height : 1;
    (void)putchar('[');
    hearth_status status = print_value(p, o, &f->key, &opened);
    (void)putchar(']');
    p->height = height;
    p->depth = depth;
    return status;
  }
  print_line(&line);
  return HEARTH_OK;
}

/* One field of the table on top; closes it after the last. */
static hearth_status print_next(Printer *p) {
  Level *level = p->levels[p->height - 1];
  ViewField field;
  if (!view_fields_next(&level->fields, &field)) {
    hearth_status status = level->fields.status;
    pop(p);
    if (status != HEARTH_OK) return status;
    indent(p->height);
    (void)fputs(p->height > 0 ? "},\n" : "}\n", stdout);
    return HEARTH_OK;
  }
  bool opened = false;
  indent(p->height);
  hearth_status status = print_key(p, level->object, &field);
  if (status != HEARTH_OK) return status;
  (void)fputs(" = ", stdout);
  if (field.blob != NULL)
    (void)printf("<a value of %zu bytes>", field.blob_size);
  else
    status = print_value(p, level->object, &field.value, &opened);
  if (status == HEARTH_OK && !opened) (void)fputs(",\n", stdout);
  return status;
}

static hearth_status print_all(Printer *p, ViewTarget *t) {
  bool opened = false;
  hearth_status status;
  if (is_scalar(&t->value))
    status = print_value(p, &t->object, &t->value, &opened);
  else
    status = print_object(p, &t->object, &opened);
  if (status == HEARTH_OK && !opened) (void)putchar('\n');
  while (status == HEARTH_OK && p->height > 0 && !ferror(stdout)) status = print_next(p);
  while (p->height > 0) pop(p);
  return status;
}

static hearth_status print_raw(ViewTarget *t, hearth_error *err) {
  Buffer bytes;
  hearth_status status = HEARTH_OK;
  if (t->value.kind == VALUE_STRING) {
    (void)fwrite(t->bytes.data, 1, t->bytes.size, stdout);
    return HEARTH_OK;
  }
  if (!is_scalar(&t->value) && (t->object.place != VIEW_CONSTANT || t->object.head.kind != OBJECT_STRING))
    return hearth_fail(err, HEARTH_INVALID, "get: --raw is for strings and scalars, and this is neither");
  buffer_init(&bytes, &t->object.view->allocator);
  if (is_scalar(&t->value))
    view_put_scalar(&bytes, &t->value, 0);
  else
    status = view_object_string(&t->object, &bytes, err);
  print_line(&bytes);
  return status;
}

int command_get(Call *call) {
  bool raw = false;
  const char *depth = NULL, *at = NULL;
  const Option options[] = {{"raw", &raw, NULL}, {"depth", NULL, &depth}, {"at", NULL, &at}, {NULL, NULL, NULL}};
  hearth_error err;
  Printer p = {.error = &err, .depth = DEFAULT_DEPTH};
  Look look;
  ViewTarget t;
  int status;
  if (!call_options(call, options, false, 1, 1, &status)) return status;
  if (depth != NULL && !option_number("depth", depth, GREATEST_DEPTH, &p.depth)) return STATUS_USAGE;
  if (!option_at("at", at, &call->at)) return STATUS_USAGE;
  status = look_at_store(call, &look);
  if (status != STATUS_OK) return status;
  intmap_init(&p.seen, &hearth_libc_allocator);
  view_target_init(&t, &look.view);
  hearth_status result = view_resolve(&t, call->argv[0], &err);
  if (result == HEARTH_OK) result = raw ? print_raw(&t, &err) : print_all(&p, &t);
  view_target_free(&t);
  intmap_free(&p.seen);
  free(p.levels);
  if (result == HEARTH_INVALID)
    status = complain(STATUS_FAILED, "%s", err.message);
  else
    status = result == HEARTH_OK ? finish_output() : complain_about(STATUS_FAILED, look.location, &err);
  return look_end(&look, status);
}
