#include "verify.h"

#include <stdio.h>

#include "intmap.h"
#include "map.h"
#include "needs.h"
#include "path.h"

#define EXTERNAL_HEAD 0xFE /* in Check.heads, for an external table: no head is so */
#define LOCAL_KEY (UINT64_C(1) << 63) /* in Check.needs: local objects; numbers are counted up from 1 */

typedef struct Check {
  View *v;
  ViewVerify *out;
  IntMap heads;      /* number -> first byte of its record */
  LayoutKind last;   /* kind and number of the record that pages or chunks may follow */
  uint64_t number;
  uint64_t highest;
  bool no_memory;
  bool specials;     /* there are special objects */
  Needs needs;       /* then: what they, closures and cells need directly, by number */
  uint64_t locals;   /* how many local objects there were before the object at work */
  Map contents;      /* of constants: (kind, hash of the content) -> number */
  HashKey key;       /* of those hashes */
} Check;

static void problem(Check *c, const char *format, ...) HEARTH_PRINTF(2, 3);

static void problem(Check *c, const char *format, ...) {
  hearth_error line; /* keeps control characters out */
  va_list args;
  va_start(args, format);
  hearth_vfail(&line, HEARTH_DAMAGED, HEARTH_NO_POSITION, format, args);
  va_end(args);
  c->out->problems++;
  c->out->problem(c->out->ud, line.message);
}

/* Damage is a problem; what else goes wrong ends the check. */
static hearth_status judge(Check *c, hearth_status status, const hearth_error *err) {
  if (status != HEARTH_DAMAGED) return status;
  problem(c, "%s", err->message);
  return HEARTH_OK;
}

/* ------------------------------------------------------------------- keys */

static const char *kind_name(LayoutKind kind) {
  return kind == LAYOUT_CONSTANT ? "constant" : kind == LAYOUT_OBJECT ? "object" : "external table";
}

static void check_part(Check *c, const LayoutKey *k) {
  LayoutKind owner = k->kind == LAYOUT_PAGE ? LAYOUT_OBJECT : LAYOUT_CONSTANT;
  ObjectKind needed = k->kind == LAYOUT_PAGE ? OBJECT_PAGED : OBJECT_STRING;
  uint32_t head = c->last == owner && c->number == k->number ? intmap_get(&c->heads, k->number) : INTMAP_NONE;
  if (head == INTMAP_NONE || (head & HEAD_KIND) != needed)
    problem(c, "a %s of %s %llu, which has none", k->kind == LAYOUT_PAGE ? "page" : "part", kind_name(owner),
            (unsigned long long)k->number);
}

static int note_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)table;
  Check *c = ud;
  LayoutKey k = layout_get_key(key, key_size);
  if (k.kind == LAYOUT_METADATA) return 0;
  if (k.kind == LAYOUT_NONE) {
    problem(c, "an entry whose key has no known form");
    return 0;
  }
  if (k.kind == LAYOUT_PAGE || k.kind == LAYOUT_CHUNK) {
    check_part(c, &k);
    return 0;
  }
  uint32_t head = k.kind == LAYOUT_EXTERNAL ? EXTERNAL_HEAD : value_size > 0 ? *(const unsigned char *)value : 0;
  c->last = k.kind;
  c->number = k.number;
  if (k.kind == LAYOUT_OBJECT && (head & HEAD_KIND) == OBJECT_SPECIAL) c->specials = true;
  if (k.number > c->highest) c->highest = k.number;
  if (k.number == 0)
    problem(c, "%s 0: no number is zero", kind_name(k.kind));
  else if (intmap_get(&c->heads, k.number) != INTMAP_NONE)
    problem(c, "%s %llu: its number belongs to something else too", kind_name(k.kind), (unsigned long long)k.number);
  else if (!intmap_put(&c->heads, k.number, head))
    c->no_memory = true;
  return c->no_memory;
}

static hearth_status note_entries(Check *c, hearth_error *err) {
  int result = 0;
  hearth_status status =
      c->v->backend->scan(c->v->store, LAYOUT_TABLE, NULL, 0, NULL, 0, false, note_entry, c, &result, err);
  if (status != HEARTH_OK) return judge(c, status, err);
  return c->no_memory ? hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM)) : HEARTH_OK;
}

/* ------------------------------------------------------------- references */

typedef enum Wanted {
  WANT_VALUE,
  WANT_CELL,
  WANT_TABLE,
  WANT_SHAPE,
  WANT_PROTOTYPE,
  WANT_EXTERNAL,
  WANT_FUNCTION
} Wanted;

static bool suits(uint32_t head, Wanted wanted) {
  unsigned kind = head & HEAD_KIND;
  bool cell = kind == OBJECT_CELL || (kind == OBJECT_PERMANENT && head >> 4 == PERMANENT_CELL);
  if (head == EXTERNAL_HEAD) return wanted == WANT_VALUE || wanted == WANT_EXTERNAL;
  switch (wanted) {
    case WANT_CELL: return cell;
    case WANT_SHAPE: return kind == OBJECT_SHAPE;
    case WANT_PROTOTYPE: return kind == OBJECT_PROTOTYPE;
    case WANT_TABLE:
      return kind == OBJECT_TABLE || kind == OBJECT_PAGED || kind == OBJECT_SPECIAL ||
             (kind == OBJECT_PERMANENT && !cell);
    case WANT_EXTERNAL: return false;
    case WANT_FUNCTION: /* what a permanent is, and what a special object was rebuilt as, only Lua knows */
      return kind == OBJECT_CLOSURE || kind == OBJECT_SPECIAL || (kind == OBJECT_PERMANENT && !cell);
    default: return !cell && kind != OBJECT_SHAPE && kind != OBJECT_PROTOTYPE; /* VALUE */
  }
}

static void check_number(Check *c, const ViewObject *o, uint64_t number, Wanted wanted) {
  static const char *const names[] = {"a value",     "an upvalue",        "a metatable",            "a shape",
                                      "a prototype", "an external table", "a rebuilding function"};
  uint32_t head = intmap_get(&c->heads, number);
  if (head == INTMAP_NONE)
    problem(c, "object %llu refers to %llu, which is not there", (unsigned long long)o->number,
            (unsigned long long)number);
  else if (!suits(head, wanted))
    problem(c, "object %llu refers to %llu as %s, which it is not", (unsigned long long)o->number,
            (unsigned long long)number, names[wanted]);
}

static void check_reference(Check *c, const ViewObject *o, const Value *v, Wanted wanted) {
  if (v->kind == VALUE_REF) check_number(c, o, v->as.number, wanted);
}

static Wanted wanted_of(const ViewObject *o, ViewFieldKind field) {
  if (o->place == VIEW_EXTERNAL) return WANT_EXTERNAL;
  if (field == VIEW_UPVALUE) return WANT_CELL;
  if (field == VIEW_METATABLE) return WANT_TABLE;
  return field == VIEW_CONTENT && view_calls_content(&o->head) ? WANT_FUNCTION : WANT_VALUE;
}

/* ------------------------------------------------------------------ needs */

static void begin_needs(Check *c, const ViewObject *o) {
  unsigned kind = o->head.kind;
  if (!c->specials || o->place != VIEW_OBJECT ||
      (kind != OBJECT_CLOSURE && kind != OBJECT_CELL && kind != OBJECT_SPECIAL))
    return;
  uint64_t key = o->local == VIEW_WHOLE ? o->number : LOCAL_KEY | (c->locals + o->local);
  needs_begin(&c->needs, key, kind == OBJECT_SPECIAL);
}

static void note_need(Check *c, const ViewField *field) {
  if (!c->specials || (field->kind != VIEW_UPVALUE && field->kind != VIEW_CONTENT)) return;
  if (field->value.kind == VALUE_REF) needs_add(&c->needs, field->value.as.number);
  if (field->value.kind == VALUE_LOCAL) needs_add(&c->needs, LOCAL_KEY | (c->locals + field->value.as.number));
}

static hearth_status check_needs(Check *c, hearth_error *err) {
  uint64_t number;
  if (!needs_find_cycle(&c->needs, &number))
    return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  if (number != 0)
    problem(c, "object %llu: rebuilding functions need each other's results", (unsigned long long)number);
  return HEARTH_OK;
}

/* A value of an external table that is a blob: opening it checks it. */
static hearth_status check_blob(Check *c, const ViewObject *o, const ViewField *field) {
  View blob;
  hearth_error err;
  hearth_status status = view_open_blob(&blob, field->blob, field->blob_size, &c->v->allocator, &err);
  view_close(&blob);
  if (status == HEARTH_OK || status == HEARTH_NOMEM) return status;
  problem(c, "external table %llu: a value that is a blob is %s", (unsigned long long)o->number, err.message);
  return HEARTH_OK;
}

static hearth_status check_fields(Check *c, ViewObject *o, hearth_error *err) {
  ViewFields f;
  ViewField field;
  if (o->head.kind == OBJECT_TABLE && (o->head.flags & HEAD_SHAPE)) check_number(c, o, o->head.shape, WANT_SHAPE);
  if (o->head.kind == OBJECT_CLOSURE) check_number(c, o, o->head.prototype, WANT_PROTOTYPE);
  hearth_status status = HEARTH_OK;
  begin_needs(c, o);
  view_fields_begin(&f, o, err);
  while (status == HEARTH_OK && view_fields_next(&f, &field)) {
    c->out->fields++;
    if (field.blob != NULL) {
      status = check_blob(c, o, &field);
      continue;
    }
    note_need(c, &field);
    if (field.kind == VIEW_ENTRY) check_reference(c, o, &field.key, WANT_VALUE);
    check_reference(c, o, &field.value, wanted_of(o, field.kind));
  }
  if (status == HEARTH_OK) status = judge(c, f.status, err);
  view_fields_free(&f);
  return status;
}

/* ---------------------------------------------------------------- objects */

/* One content under two numbers would be written once, and lost with the other. */
static hearth_status check_content(Check *c, const ViewObject *o, const void *bytes, size_t size, hearth_error *err) {
  Hash128 hash = hash128(bytes, size, c->key);
  uint64_t number = o->number;
  MapEntry *same = map_find(&c->contents, o->head.kind, &hash, sizeof hash);
  if (same != NULL) {
    memcpy(&number, map_value(same), sizeof number);
    problem(c, "constant %llu: a constant that is there twice: %llu is the same", (unsigned long long)o->number,
            (unsigned long long)number);
  } else if (!map_put(&c->contents, o->head.kind, &hash, sizeof hash, &number, sizeof number)) {
    return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  }
  return HEARTH_OK;
}

static hearth_status check_constant(Check *c, ViewObject *o, Buffer *text, hearth_error *err) {
  if (o->head.kind != OBJECT_STRING) {
    hearth_status status = check_content(c, o, o->record.data + o->body, o->record.size - o->body, err);
    return status == HEARTH_OK ? check_fields(c, o, err) : status;
  }
  hearth_status status = view_object_string(o, text, err);
  if (status != HEARTH_OK) return judge(c, status, err);
  return check_content(c, o, text->size > 0 ? text->data : (const void *)"", text->size, err); /* data may be NULL */
}

static hearth_status check_object(Check *c, ViewObject *o, uint64_t number, Buffer *text, hearth_error *err) {
  hearth_status status = view_object_open(o, number, err);
  if (status != HEARTH_OK) return judge(c, status, err);
  if (o->place == VIEW_CONSTANT) return check_constant(c, o, text, err);
  status = check_fields(c, o, err);
  uint32_t locals = view_object_locals(o);
  for (uint32_t i = 0; i < locals && status == HEARTH_OK; i++) {
    (void)view_object_open_local(o, i, err); /* it is there */
    status = check_fields(c, o, err);
  }
  c->locals += locals;
  return status;
}

static hearth_status check_all(Check *c, LayoutKind kind, uint64_t *count, hearth_error *err) {
  ViewObject o;
  Buffer text;
  bool found = true;
  uint64_t number = 0;
  view_object_init(&o, c->v);
  buffer_init(&text, &c->v->allocator);
  hearth_status status = HEARTH_OK;
  while (status == HEARTH_OK) {
    status = view_next_number(c->v, kind, number, &found, &number, err);
    if (!found) break;
    ++*count;
    status = check_object(c, &o, number, &text, err);
    c->out->step(c->out->ud, c->out->objects + c->out->constants + c->out->externals);
  }
  buffer_free(&text);
  view_object_free(&o);
  return status;
}

static void check_metadata(Check *c) {
  const Metadata *m = &c->v->metadata;
  uint64_t home;
  hearth_error err;
  if (view_home(c->v, &home, &err) != HEARTH_OK) {
    problem(c, "%s", err.message);
    return;
  }
  uint32_t head = intmap_get(&c->heads, home);
  unsigned kind = head == INTMAP_NONE ? 0 : head & HEAD_KIND;
  if (kind != OBJECT_TABLE && kind != OBJECT_PAGED)
    problem(c, "the home table is number %llu, which is no table", (unsigned long long)home);
  if (m->memory_id != 0 && m->memory_id != home)
    problem(c, "homeTableId is %llu, and memoryTableId %llu", (unsigned long long)home,
            (unsigned long long)m->memory_id);
  if (m->next_id <= c->highest)
    problem(c, "nextTableId is %llu, and %llu is in use", (unsigned long long)m->next_id,
            (unsigned long long)c->highest);
}

static int check_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  Check *c = ud;
  if (table != LAYOUT_TABLE && intmap_get(&c->heads, table) != EXTERNAL_HEAD)
    problem(c, "entries of table %llu, which is no external table", (unsigned long long)table);
  return 0;
}

static hearth_status check_tables(Check *c, hearth_error *err) {
  int result = 0;
  return judge(c, c->v->backend->tables(c->v->store, check_table, c, &result, err), err);
}

hearth_status view_verify(View *v, ViewVerify *verify, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  Check c = {.v = v, .out = verify, .key = hash_key()};
  intmap_init(&c.heads, &v->allocator);
  map_init(&c.contents, &v->allocator);
  needs_init(&c.needs, &v->allocator);
  hearth_status status = note_entries(&c, err);
  if (status == HEARTH_OK) check_metadata(&c);
  if (status == HEARTH_OK) status = check_tables(&c, err);
  if (status == HEARTH_OK) status = check_all(&c, LAYOUT_CONSTANT, &verify->constants, err);
  if (status == HEARTH_OK) status = check_all(&c, LAYOUT_OBJECT, &verify->objects, err);
  if (status == HEARTH_OK) status = check_all(&c, LAYOUT_EXTERNAL, &verify->externals, err);
  if (status == HEARTH_OK) status = check_needs(&c, err);
  intmap_free(&c.heads);
  map_free(&c.contents);
  needs_free(&c.needs);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}
