#include "path.h"

#include <ctype.h>
#include <stdlib.h>

#include "external_entry.h"
#include "reader.h"

typedef enum StepKind { STEP_KEY, STEP_METATABLE, STEP_UPVALUE, STEP_NAMED_UPVALUE, STEP_END, STEP_BAD } StepKind;

typedef struct Step {
  StepKind kind;
  Value key;        /* a string's bytes stand in the target's buffer */
  uint64_t number;
} Step;

typedef struct Parser {
  const char *text, *next;
  const char *why; /* of STEP_BAD */
  Buffer *bytes;
} Parser;

void view_target_init(ViewTarget *t, View *v) {
  memset(t, 0, sizeof *t);
  view_object_init(&t->object, v);
  buffer_init(&t->bytes, &v->allocator);
  buffer_init(&t->blob, &v->allocator);
}

void view_target_free(ViewTarget *t) {
  view_object_free(&t->object);
  if (t->has_nested) view_close(&t->nested);
  buffer_free(&t->bytes);
  buffer_free(&t->blob);
}

/* ---------------------------------------------------------------- parsing */

static bool is_name_byte(char c) {
  return isalnum((unsigned char)c) || c == '_';
}

static Step bad(Parser *p, const char *why) {
  p->why = why;
  return (Step){.kind = STEP_BAD};
}

static Step string_key(const Parser *p) {
  Step s = {.kind = STEP_KEY};
  s.key.kind = VALUE_STRING;
  s.key.as.bytes = p->bytes->data;
  s.key.size = p->bytes->size;
  return s;
}

static Step parse_name(Parser *p) {
  const char *start = p->next;
  while (is_name_byte(*p->next)) p->next++;
  if (p->next == start) return bad(p, "a name is expected");
  buffer_clear(p->bytes);
  buffer_put(p->bytes, start, (size_t)(p->next - start));
  return string_key(p);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After a backslash: the byte, or -1. */
static int parse_escape(Parser *p) {
  static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
  char c = *p->next;
  if (c == '\0') return -1;
  const char *letter = strchr(letters, c);
  if (letter != NULL) {
    p->next++;
    return (unsigned char)meanings[letter - letters];
  }
  if (c == 'x') {
    int high = hex_digit(p->next[1]), low = high < 0 ? -1 : hex_digit(p->next[2]);
    if (low < 0) return -1;
    p->next += 3;
    return high * 16 + low;
  }
  int n = -1;
  for (int i = 0; i < 3 && isdigit((unsigned char)*p->next); i++) n = (n < 0 ? 0 : n) * 10 + (*p->next++ - '0');
  return n <= 255 ? n : -1;
}

static Step parse_quoted(Parser *p) {
  char quote = *p->next++;
  buffer_clear(p->bytes);
  while (*p->next != quote) {
    int byte = (unsigned char)*p->next;
    if (byte == '\0') return bad(p, "a string does not end");
    p->next++;
    if (byte == '\\' && (byte = parse_escape(p)) < 0) return bad(p, "an unknown escape in a string");
    buffer_byte(p->bytes, (unsigned char)byte);
  }
  p->next++;
  return string_key(p);
}

static bool word(Parser *p, const char *text) {
  size_t n = strlen(text);
  if (strncmp(p->next, text, n) != 0 || is_name_byte(p->next[n])) return false;
  p->next += n;
  return true;
}

/* A number as Lua reads it; a float that is an integer is that integer, as in keys. */
static Step parse_number(Parser *p) {
  Step s = {.kind = STEP_KEY};
  char *end;
  bool negative = *p->next == '-';
  const char *digits = p->next + negative;
  if (!isdigit((unsigned char)*digits) && *digits != '.') return bad(p, "a key is expected");
  size_t span = strspn(digits, "0123456789");
  if (digits[span] == ']' && span < 20) {
    uint64_t n = strtoull(digits, &end, 10);
    if (n <= (uint64_t)INT64_MAX + negative) {
      p->next = end;
      s.key.kind = VALUE_INTEGER;
      s.key.as.integer = (int64_t)(negative ? -n : n);
      return s;
    }
  }
  double d = strtod(p->next, &end);
  if (end == p->next || d != d) return bad(p, "a key is expected");
  p->next = end;
  if (d >= -0x1p63 && d < 0x1p63 && d == (double)(int64_t)d) {
    s.key.kind = VALUE_INTEGER;
    s.key.as.integer = (int64_t)d;
  } else {
    s.key.kind = VALUE_FLOAT;
    memcpy(&s.key.as.bits, &d, sizeof d);
  }
  return s;
}

static Step parse_bracket(Parser *p) {
  Step s = {.kind = STEP_KEY};
  p->next++;
  if (*p->next == '"' || *p->next == '\'')
    s = parse_quoted(p);
  else if (word(p, "true"))
    s.key.kind = VALUE_TRUE;
  else if (word(p, "false"))
    s.key.kind = VALUE_FALSE;
  else
    s = parse_number(p);
  if (s.kind == STEP_BAD) return s;
  if (*p->next != ']') return bad(p, "']' is expected");
  p->next++;
  return s;
}

static Step parse_caret(Parser *p) {
  Step s = {.kind = STEP_METATABLE};
  p->next++;
  if (word(p, "metatable")) return s;
  if (isdigit((unsigned char)*p->next)) {
    char *end;
    s.kind = STEP_UPVALUE;
    s.number = strtoull(p->next, &end, 10);
    p->next = end;
    return s;
  }
  s = parse_name(p);
  if (s.kind == STEP_KEY) s.kind = STEP_NAMED_UPVALUE;
  return s;
}

static Step parse_step(Parser *p) {
  switch (*p->next) {
    case '\0': return (Step){.kind = STEP_END};
    case '[': return parse_bracket(p);
    case '^': return parse_caret(p);
    case '.':
      p->next++;
      return parse_name(p);
    default:
      if (p->next == p->text) return parse_name(p);
      return bad(p, "'.', '[' or '^' is expected");
  }
}

/* --------------------------------------------------------------- following */

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

static bool scalar_equal(const Value *a, const Value *b) {
  if (a->kind != b->kind) return false;
  switch (a->kind) {
    case VALUE_INTEGER: return a->as.integer == b->as.integer;
    case VALUE_FLOAT: return a->as.bits == b->as.bits; /* no NaN is a key, and zero is an integer there */
    case VALUE_STRING: return a->size == b->size && (a->size == 0 || memcmp(a->as.bytes, b->as.bytes, a->size) == 0);
    default: return true;
  }
}

/* A key that is a large string stands elsewhere in a store. */
static hearth_status large_key_equal(View *v, const Value *key, const Value *wanted, bool *equal, hearth_error *err) {
  ViewObject o;
  Buffer bytes;
  view_object_init(&o, v);
  buffer_init(&bytes, &v->allocator);
  hearth_status status = view_object_open(&o, key->as.number, err);
  *equal = false;
  if (status == HEARTH_OK && o.place == VIEW_CONSTANT && o.head.kind == OBJECT_STRING && o.head.size == wanted->size) {
    status = view_object_string(&o, &bytes, err);
    *equal = status == HEARTH_OK && memcmp(bytes.data, wanted->as.bytes, wanted->size) == 0;
  }
  buffer_free(&bytes);
  view_object_free(&o);
  return status;
}

static hearth_status matches(ViewTarget *t, const Step *s, const ViewField *f, bool *match, hearth_error *err) {
  *match = false;
  switch (s->kind) {
    case STEP_METATABLE: *match = f->kind == VIEW_METATABLE; break;
    case STEP_UPVALUE: *match = f->kind == VIEW_UPVALUE && f->number == s->number; break;
    default:
      if (f->kind != VIEW_ENTRY) break;
      if (f->key.kind == VALUE_REF && s->key.kind == VALUE_STRING && t->object.view->store != NULL)
        return large_key_equal(t->object.view, &f->key, &s->key, match, err);
      *match = scalar_equal(&f->key, &s->key);
  }
  return HEARTH_OK;
}

/* The number of the upvalue that is named; 0: none. */
static hearth_status find_upvalue(ViewTarget *t, Step *s, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  Buffer name;
  if (t->object.head.kind != OBJECT_CLOSURE) return HEARTH_OK;
  buffer_init(&name, &t->object.view->allocator);
  s->number = 0;
  for (unsigned i = 1; i <= CHUNK_MAX_UPVALUES && s->number == 0 && status == HEARTH_OK; i++) {
    status = view_upvalue_name(&t->object, i, &name, err);
    if (status == HEARTH_OK && name.failed) status = no_memory(err);
    if (status == HEARTH_OK && name.size == s->key.size && memcmp(name.data, s->key.as.bytes, name.size) == 0)
      s->number = i;
  }
  buffer_free(&name);
  s->kind = STEP_UPVALUE;
  return status;
}

/* Keeps a value beyond the field that it was read from. */
static void keep(ViewTarget *t, const Value *v) {
  t->value = *v;
  if (v->kind != VALUE_STRING) return;
  buffer_clear(&t->bytes);
  buffer_put(&t->bytes, v->as.bytes, v->size);
  t->value.as.bytes = t->bytes.data;
}

/* Opens what the value refers to. */
static hearth_status enter(ViewTarget *t, hearth_error *err) {
  if (t->bytes.failed) return no_memory(err); /* of a string that was to be kept */
  if (t->value.kind != VALUE_REF && t->value.kind != VALUE_LOCAL) return HEARTH_OK;
  hearth_status status = view_object_follow(&t->object, &t->object, &t->value, err);
  if (status == HEARTH_NOTFOUND)
    return hearth_fail(err, HEARTH_DAMAGED, "a reference to object %llu, which is not there",
                       (unsigned long long)t->value.as.number);
  return status;
}

/* An entry of an external table. Blobs hold no external tables, so there is one nested view at most. */
static hearth_status follow_external(ViewTarget *t, const Step *s, bool *found, hearth_error *err) {
  View *v = t->object.view;
  ExternalValue value;
  if (s->kind != STEP_KEY) return HEARTH_OK;
  hearth_status status = view_external_find(v, t->object.number, &s->key, &t->blob, err);
  if (status == HEARTH_NOTFOUND) return HEARTH_OK;
  if (status != HEARTH_OK) return status;
  Cursor c = cursor_over(t->blob.data, t->blob.size);
  external_get_value(&c, &value);
  if (c.why != NULL)
    return hearth_fail_at(err, HEARTH_DAMAGED, c.position,
                          "external table %llu: a value is damaged at its byte %zu: %s",
                          (unsigned long long)t->object.number, c.position, c.why);
  *found = true;
  if (!value.blob) {
    keep(t, &value.value);
    return HEARTH_OK;
  }
  t->has_nested = true;
  status = view_open_blob(&t->nested, value.bytes, value.size, &v->allocator, err);
  if (status != HEARTH_OK) return status;
  view_object_free(&t->object);
  view_object_init(&t->object, &t->nested);
  Value root;
  view_root(&t->nested, &root);
  keep(t, &root);
  return HEARTH_OK;
}

/* The first field that the step matches becomes the target's value. */
static hearth_status follow(ViewTarget *t, const Step *s, bool *found, hearth_error *err) {
  ViewFields f;
  ViewField field;
  hearth_status status = HEARTH_OK;
  *found = false;
  if (t->object.place == VIEW_EXTERNAL) return follow_external(t, s, found, err);
  view_fields_begin(&f, &t->object, err);
  while (!*found && status == HEARTH_OK && view_fields_next(&f, &field)) {
    status = matches(t, s, &field, found, err);
    if (*found) keep(t, &field.value);
  }
  if (status == HEARTH_OK && !*found) status = f.status;
  view_fields_free(&f);
  return status;
}

/* A cell, and what stands for a special object, are not named by a path. */
static hearth_status pass_through(ViewTarget *t, bool specials, hearth_error *err) {
  for (int steps = 0; t->value.kind == VALUE_REF || t->value.kind == VALUE_LOCAL; steps++) {
    ViewFields f;
    ViewField field;
    ObjectKind kind = t->object.head.kind;
    if (t->object.place != VIEW_OBJECT || (kind != OBJECT_CELL && !(specials && kind == OBJECT_SPECIAL))) break;
    if (steps == 1000) return hearth_fail(err, HEARTH_DAMAGED, "special objects that stand for each other");
    view_fields_begin(&f, &t->object, err);
    if (view_fields_next(&f, &field)) keep(t, &field.value);
    hearth_status status = f.status;
    view_fields_free(&f);
    if (status == HEARTH_OK) status = enter(t, err);
    if (status != HEARTH_OK) return status;
  }
  return HEARTH_OK;
}

static hearth_status take_step(ViewTarget *t, Step *s, bool *found, hearth_error *err) {
  *found = false;
  hearth_status status = pass_through(t, true, err);
  if (status != HEARTH_OK) return status;
  if (t->value.kind != VALUE_REF && t->value.kind != VALUE_LOCAL) return HEARTH_OK;
  if (s->kind == STEP_NAMED_UPVALUE) status = find_upvalue(t, s, err);
  if (status == HEARTH_OK) status = follow(t, s, found, err);
  if (status == HEARTH_OK && *found) status = enter(t, err);
  if (status == HEARTH_OK && *found) status = pass_through(t, false, err);
  return status;
}

static hearth_status begin(ViewTarget *t, hearth_error *err) {
  View *v = t->object.view;
  memset(&t->value, 0, sizeof t->value);
  if (v->store == NULL) {
    Value root;
    view_root(v, &root);
    keep(t, &root);
  } else {
    t->value.kind = VALUE_REF;
    hearth_status status = view_home(v, &t->value.as.number, err);
    if (status != HEARTH_OK) return status;
  }
  return enter(t, err);
}

/* The path up to where it fails, with what stands first there. */
static hearth_status not_found(bool store, const Parser *p, const char *path, hearth_error *err) {
  const char *first = store ? "_home" : "root";
  const char *dot = path[0] == '[' || path[0] == '^' || path[0] == '\0' || path[0] == '.' ? "" : ".";
  if (strncmp(path, first, strlen(first)) == 0 && !is_name_byte(path[strlen(first)])) first = dot = "";
  return hearth_fail(err, HEARTH_NOTFOUND, "%s%s%.*s: there is nothing at this path", first, dot,
                     (int)(p->next - path), path);
}

hearth_status view_resolve(ViewTarget *t, const char *path, hearth_error *err) {
  if (path == NULL) path = "";
  Parser p = {path, path, NULL, &t->bytes};
  bool store = t->object.view->store != NULL;
  Buffer key;
  hearth_status status = begin(t, err);
  if (status != HEARTH_OK) return status;
  (void)word(&p, store ? "_home" : "root");
  buffer_init(&key, &t->object.view->allocator); /* apart from the value's bytes */
  p.bytes = &key;
  for (;;) {
    Step s = parse_step(&p);
    bool found = false;
    if (s.kind == STEP_END) break;
    if (key.failed)
      status = no_memory(err);
    else if (s.kind == STEP_BAD)
      status = hearth_fail(err, HEARTH_INVALID, "%s: %s at column %d", path, p.why, (int)(p.next - path) + 1);
    else
      status = take_step(t, &s, &found, err);
    if (status == HEARTH_OK && !found) status = not_found(store, &p, path, err);
    if (status != HEARTH_OK) break;
  }
  buffer_free(&key);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}
