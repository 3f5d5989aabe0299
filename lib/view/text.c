/* Values and objects in one line of text. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "path.h"

void view_print(Buffer *out, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n > 0) buffer_put(out, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---------------------------------------------------------------- strings */

/* Bytes of the UTF-8 character at p that a terminal can show; 0: none is there. */
static size_t printable(const unsigned char *p, size_t left) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (p[0] < 0x80) return isprint(p[0]) ? 1 : 0;
  size_t size = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
  if (p[0] < 0xC2 || p[0] > 0xF4 || size > left) return 0;
  uint32_t c = p[0] & (0x7Fu >> size);
  for (size_t i = 1; i < size; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3Fu);
  }
  if (c < least[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
  if (c < 0xA0 || c == 0x2028 || c == 0x2029 || c == 0xFEFF) return 0;   /* controls, line ends, marks */
  if ((c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)) return 0;
  return size;
}

void view_put_quoted(Buffer *out, const unsigned char *bytes, size_t size, size_t limit) {
  size_t shown = limit != 0 && size > limit ? limit : size;
  buffer_byte(out, '"');
  for (size_t i = 0; i < shown;) {
    size_t n = printable(bytes + i, shown - i);
    if (bytes[i] == '"' || bytes[i] == '\\') {
      buffer_byte(out, '\\');
      buffer_byte(out, bytes[i++]);
    } else if (n > 0) {
      buffer_put(out, bytes + i, n);
      i += n;
    } else {
      if (bytes[i] == '\n')
        buffer_put(out, "\\n", 2);
      else
        view_print(out, "\\x%02x", bytes[i]);
      i++;
    }
  }
  buffer_byte(out, '"');
  if (shown < size) view_print(out, "... (%zu bytes)", size);
}

/* ---------------------------------------------------------------- numbers */

void view_put_float(Buffer *out, uint64_t bits) {
  double d, again;
  char text[40];
  memcpy(&d, &bits, sizeof d);
  if (d != d) {
    view_print(out, "nan");
    return;
  }
  for (int digits = 14; digits <= 17; digits++) {
    (void)snprintf(text, sizeof text, "%.*g", digits, d);
    again = strtod(text, NULL);
    if (memcmp(&again, &d, sizeof d) == 0) break;
  }
  bool looks_integer = text[strspn(text, "-0123456789")] == '\0'; /* not so for inf */
  view_print(out, "%s%s", text, looks_integer ? ".0" : "");
}

void view_put_scalar(Buffer *out, const Value *v, size_t limit) {
  switch (v->kind) {
    case VALUE_NIL: view_print(out, "nil"); break;
    case VALUE_FALSE: view_print(out, "false"); break;
    case VALUE_TRUE: view_print(out, "true"); break;
    case VALUE_INTEGER: view_print(out, "%lld", (long long)v->as.integer); break;
    case VALUE_FLOAT: view_put_float(out, v->as.bits); break;
    case VALUE_STRING: view_put_quoted(out, v->as.bytes, v->size, limit); break;
    case VALUE_LOCAL: view_print(out, "<local %llu>", (unsigned long long)v->as.number); break;
    default: view_print(out, "<object %llu>", (unsigned long long)v->as.number);
  }
}

static bool is_name(const unsigned char *s, size_t size) {
  if (size == 0 || isdigit(s[0])) return false;
  for (size_t i = 0; i < size; i++)
    if (!isalnum(s[i]) && s[i] != '_') return false;
  return true;
}

void view_put_step(Buffer *out, const Value *key, bool first) {
  if (key->kind == VALUE_STRING && is_name(key->as.bytes, key->size)) {
    if (!first) buffer_byte(out, '.');
    buffer_put(out, key->as.bytes, key->size);
    return;
  }
  buffer_byte(out, '[');
  view_put_scalar(out, key, 0);
  buffer_byte(out, ']');
}

void view_put_upvalue_step(Buffer *out, const unsigned char *name, size_t size, unsigned number) {
  buffer_byte(out, '^');
  if (size == 0)
    view_print(out, "%u", number);
  else if (is_name(name, size))
    buffer_put(out, name, size);
  else
    view_put_quoted(out, name, size, 0); /* nobody's Lua wrote it: it may be anything */
}

/* ---------------------------------------------------------------- objects */

static const char *permanent_kind(unsigned kind) {
  static const char *const names[] = {"table", "function", "C function", "userdata", "upvalue"};
  return kind < sizeof names / sizeof *names ? names[kind] : "value";
}

/* Opens the prototype of a closure. */
static hearth_status open_prototype(const ViewObject *closure, ViewObject *prototype, Prototype *p,
                                    hearth_error *err) {
  uint64_t number = closure->head.prototype;
  hearth_status status = closure->view->store == NULL
                             ? view_object_open_constant(prototype, OBJECT_PROTOTYPE, number, err)
                             : view_object_open(prototype, number, err);
  if (status == HEARTH_OK) status = view_object_prototype(prototype, p, err);
  if (status != HEARTH_NOTFOUND) return status;
  return hearth_fail(err, HEARTH_DAMAGED, "object %llu has a prototype that is not there",
                     (unsigned long long)closure->number);
}

static hearth_status describe_closure(ViewObject *o, Buffer *out, hearth_error *err) {
  ViewObject prototype;
  Prototype p;
  view_print(out, "function ");
  view_object_init(&prototype, o->view);
  hearth_status status = open_prototype(o, &prototype, &p, err);
  if (status == HEARTH_OK && chunk_supported(&p.header)) {
    ChunkInfo info;
    chunk_info(&p.header, p.body, p.body_size, &info);
    if (info.source != NULL && info.source_size > 0) {
      Buffer source; /* bytes of the store's: may hold anything */
      buffer_init(&source, &o->view->allocator);
      view_put_quoted(&source, (const unsigned char *)info.source + 1, info.source_size - 1, 200);
      if (source.size >= 2 && !source.failed) buffer_put(out, source.data + 1, source.size - 2);
      buffer_free(&source);
      view_print(out, ":%d ", info.line);
    }
  } else if (status == HEARTH_OK) {
    view_print(out, "of another Lua ");
  }
  view_object_free(&prototype);
  return status;
}

static hearth_status describe_object(ViewObject *o, Buffer *out, hearth_error *err) {
  uint64_t count;
  hearth_status status = HEARTH_OK;
  switch (o->head.kind) {
    case OBJECT_TABLE:
    case OBJECT_PAGED:
      status = view_object_count(o, &count, err);
      view_print(out, "%stable of %llu ", o->late ? "weak " : "", (unsigned long long)count);
      break;
    case OBJECT_CLOSURE: status = describe_closure(o, out, err); break;
    case OBJECT_CELL: view_print(out, "upvalue "); break;
    case OBJECT_PERMANENT:
      view_print(out, "permanent %s ", permanent_kind(o->head.flags));
      view_put_scalar(out, &o->head.name, 200);
      buffer_byte(out, ' ');
      break;
    case OBJECT_SPECIAL:
      view_print(out, "special object ");
      if (o->head.flags & HEAD_TYPED) {
        view_print(out, "of type ");
        view_put_scalar(out, &o->head.name, 200);
        buffer_byte(out, ' ');
      }
      break;
    case OBJECT_SHAPE: view_print(out, "shape "); break;
    case OBJECT_PROTOTYPE: view_print(out, "prototype "); break;
    case OBJECT_STRING: view_print(out, "string of %llu bytes ", (unsigned long long)o->head.size); break;
    case OBJECT_LATE: break; /* its true head is opened */
  }
  return status;
}

hearth_status view_describe(ViewObject *o, Buffer *out, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  if (o->place == VIEW_EXTERNAL)
    view_print(out, "external table ");
  else
    status = describe_object(o, out, err);
  view_print(out, "#%llu", (unsigned long long)o->number);
  if (o->local != VIEW_WHOLE) view_print(out, ".%lu", (unsigned long)o->local);
  return status;
}

hearth_status view_upvalue_name(ViewObject *closure, unsigned number, Buffer *out, hearth_error *err) {
  ViewObject prototype;
  Prototype p;
  buffer_clear(out);
  view_object_init(&prototype, closure->view);
  hearth_status status = open_prototype(closure, &prototype, &p, err);
  if (status == HEARTH_OK && chunk_supported(&p.header)) {
    size_t size;
    const char *name = chunk_upvalue_name(&p.header, p.body, p.body_size, p.nupvalues, number, &size);
    if (name != NULL) buffer_put(out, name, size);
  }
  view_object_free(&prototype);
  return status;
}
