/*
** A file of JSON as Jansson's tree. Numbers are doubles, as in the JavaScript that wrote it. Jansson takes no NUL in
** keys, and no half of a surrogate pair, which JSON.stringify writes as an escape: where the text has one it is marked
** before it is parsed, and json_text_push takes the marks out.
*/
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "command.h"
#include "legacy.h"

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)
#define ESCAPE_SIZE 6 /* of \u0000 */
#define DIGITS 4
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD: what an encoder to UTF-8 makes of half a pair */
#define CHUNK 65536

static const char *const byte_order_mark = "\xEF\xBB\xBF";

const char *json_text_name(const char *path) {
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

static int read_all(const char *path, const char *name, Buffer *out) {
  bool standard = path != name;
  int status = STATUS_OK;
  size_t got = 1;
  FILE *file = standard ? stdin : fopen(path, "rb");
  if (file == NULL) return complain(STATUS_NO_STORE, "%s: cannot open it: %s", name, strerror(errno));
  while (got > 0) {
    unsigned char *room = buffer_reserve(out, CHUNK);
    if (room == NULL) break;
    got = fread(room, 1, CHUNK, file);
    out->size += got;
  }
  if (ferror(file))
    status = complain(STATUS_NO_STORE, "%s: cannot read it: %s", name, strerror(errno));
  else if (out->failed)
    status = complain(STATUS_FAILED, "%s: %s", name, hearth_status_text(HEARTH_NOMEM));
  if (!standard) (void)fclose(file);
  return status;
}

/* ------------------------------------------------------------------ marks */

static bool is_escape(const unsigned char *at, const unsigned char *end, const char *escape) {
  return end - at >= ESCAPE_SIZE && memcmp(at, escape, ESCAPE_SIZE) == 0;
}

static bool is_hex(unsigned char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The third digit of an escape from \uD800 to \uDFFF, a lower case letter or a digit; 0: it is another one. */
static unsigned char surrogate_digit(const unsigned char *at, const unsigned char *end) {
  if (end - at < ESCAPE_SIZE || at[0] != '\\' || at[1] != 'u' || (at[2] | 0x20) != 'd') return 0;
  if (!is_hex(at[3]) || !is_hex(at[4]) || !is_hex(at[5])) return 0;
  unsigned char digit = at[3] | 0x20; /* which leaves digits alone */
  return digit >= '8' ? digit : 0;
}

typedef enum Escape { PLAIN, NUL, ONE, LONE_SURROGATE } Escape;

/* What the backslash at `at` escapes, and how much of the text it takes; a pair of surrogates is taken as one. */
static Escape escape_at(const unsigned char *at, const unsigned char *end, size_t *size) {
  unsigned char digit = surrogate_digit(at, end);
  *size = ESCAPE_SIZE;
  if (is_escape(at, end, "\\u0000")) return NUL;
  if (is_escape(at, end, "\\u0001")) return ONE;
  if (digit != 0) {
    bool high = digit == '8' || digit == '9' || digit == 'a' || digit == 'b';
    if (!high || surrogate_digit(at + ESCAPE_SIZE, end) < 'c') return LONE_SURROGATE;
    *size = 2 * ESCAPE_SIZE;
    return PLAIN;
  }
  *size = end - at > 1 ? 2 : 1;
  return PLAIN;
}

static bool needs_marks(const Buffer *text) {
  const unsigned char *end = text->data + text->size;
  size_t size;
  for (const unsigned char *p = text->data; p < end; p += size) {
    p = memchr(p, '\\', (size_t)(end - p));
    if (p == NULL) return false;
    Escape escape = escape_at(p, end, &size);
    if (escape == NUL || escape == LONE_SURROGATE) return true;
  }
  return false;
}

/* Half a pair keeps its digits behind the mark: keys that differ in nothing else are two keys. */
static void put_escape(Buffer *out, Escape escape, const unsigned char *at, size_t size) {
  switch (escape) {
    case NUL: buffer_put(out, "\\u0001\\u0002", 2 * ESCAPE_SIZE); break;
    case ONE: buffer_put(out, "\\u0001\\u0001", 2 * ESCAPE_SIZE); break;
    case LONE_SURROGATE:
      buffer_put(out, "\\u0001\\u0003", 2 * ESCAPE_SIZE);
      buffer_put(out, at + 2, DIGITS);
      break;
    default: buffer_put(out, at, size);
  }
}

/* Copies `text` with all that is marked; answers where byte `wanted` of the copy comes from. */
static size_t mark(const Buffer *text, Buffer *out, size_t wanted) {
  const unsigned char *at = text->data, *end = at + text->size;
  while (at < end && out->size < wanted && !out->failed) {
    const unsigned char *next = memchr(at, '\\', (size_t)(end - at));
    if (next == NULL) next = end;
    if ((size_t)(next - at) >= wanted - out->size) return (size_t)(at - text->data) + (wanted - out->size);
    buffer_put(out, at, (size_t)(next - at));
    if (next == end) break;
    size_t size;
    Escape escape = escape_at(next, end, &size);
    put_escape(out, escape, next, size);
    at = next + size;
  }
  return (size_t)(at - text->data);
}

void json_text_push(lua_State *L, const JsonText *text, const char *bytes, size_t size) {
  const char *end = bytes + size;
  luaL_Buffer b;
  if (!text->marked || memchr(bytes, 1, size) == NULL) {
    lua_pushlstring(L, bytes, size);
    return;
  }
  luaL_buffinit(L, &b);
  while (bytes < end) {
    const char *next = memchr(bytes, 1, (size_t)(end - bytes));
    luaL_addlstring(&b, bytes, (size_t)((next != NULL ? next : end) - bytes));
    if (next == NULL) break;
    bytes = next + 2; /* nobody but mark writes U+0001, and always with something behind it */
    if (next[1] == 3) {
      luaL_addstring(&b, REPLACEMENT);
      bytes += DIGITS;
    } else {
      luaL_addchar(&b, next[1] == 1 ? '\1' : '\0');
    }
  }
  luaL_pushresult(&b);
}

bool json_text_has_replacement(const JsonText *text, const char *bytes) {
  const char *at = text->marked ? strchr(bytes, 1) : NULL;
  while (at != NULL && at[1] != 3) at = strchr(at + 2, 1);
  return at != NULL;
}

/* ---------------------------------------------------------------- parsing */

/* Jansson counts the bytes that it has taken: the last of them is wrong, or what is behind. */
static int complain_at(const char *name, const Buffer *text, const JsonText *parsed, const json_error_t *error) {
  size_t position = error->position > 0 ? (size_t)error->position : 0;
  enum json_error_code code = json_error_code(error);
  if (position > 0 && code != json_error_premature_end_of_input && code != json_error_invalid_utf8) position--;
  if (parsed->marked) {
    Buffer ignored;
    buffer_init(&ignored, &hearth_libc_allocator);
    position = mark(text, &ignored, position);
    buffer_free(&ignored);
  }
  if (position > text->size) position = text->size;
  size_t line = 1, column = 1;
  for (size_t i = 0; i < position; i++) {
    column = text->data[i] == '\n' ? 1 : column + 1;
    line += text->data[i] == '\n';
  }
  return complain(STATUS_NO_STORE, "%s: no JSON near byte %zu (line %zu, column %zu): %s", name, position, line,
                  column, error->text);
}

/* Jansson takes some failures of memory for wrong JSON, and one for a fault of its own. Nothing is open yet. */
static void *allocate_or_exit(size_t size) {
  void *p = malloc(size);
  if (p == NULL) exit(complain(STATUS_FAILED, "%s", hearth_status_text(HEARTH_NOMEM)));
  return p;
}

static int parse(const char *name, const Buffer *text, JsonText *out) {
  json_error_t error;
  const Buffer *source = text;
  Buffer copy;
  size_t skipped = text->size >= 3 && memcmp(text->data, byte_order_mark, 3) == 0 ? 3 : 0;
  buffer_init(&copy, &hearth_libc_allocator);
  out->marked = text->size > 0 && needs_marks(text);
  if (out->marked) {
    (void)mark(text, &copy, SIZE_MAX);
    if (copy.failed) {
      buffer_free(&copy);
      return complain(STATUS_FAILED, "%s: %s", name, hearth_status_text(HEARTH_NOMEM));
    }
    source = &copy;
  }
  json_set_alloc_funcs(allocate_or_exit, free);
  const char *bytes = text->size > 0 ? (const char *)source->data + skipped : "";
  out->root = json_loadb(bytes, source->size - skipped, FLAGS, &error);
  buffer_free(&copy);
  if (out->root != NULL) return STATUS_OK;
  error.position += (int)skipped;
  return complain_at(name, text, out, &error);
}

int json_text_read(const char *path, JsonText *out) {
  const char *name = json_text_name(path);
  Buffer text;
  buffer_init(&text, &hearth_libc_allocator);
  out->root = NULL;
  out->marked = false;
  int status = read_all(path, name, &text);
  if (status == STATUS_OK && text.size > INT_MAX) /* in which Jansson counts its position */
    status = complain(STATUS_FAILED, "%s: more than 2 GiB of JSON", name);
  if (status == STATUS_OK) status = parse(name, &text, out);
  buffer_free(&text);
  return status;
}

void json_text_free(JsonText *text) {
  json_decref(text->root);
  text->root = NULL;
}
