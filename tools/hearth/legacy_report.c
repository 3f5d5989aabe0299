/* What importing and exporting legacy data has to say. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "legacy.h"
#include "path.h"

#define MOST_KINDS 64
#define LONGEST_DATE 64 /* bytes: the dump may have any text there */

/* One line's part: control characters become '?', as in errors. */
static void put_plain(Buffer *line, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    buffer_byte(line, c < ' ' || c == 0x7F ? '?' : c);
  }
}

/* A field of the entry at the top: a number, a text (in quotes where it may be anything), or - for none. */
static void put_field(lua_State *L, Buffer *line, const char *name, bool quoted) {
  size_t size;
  int type = lua_getfield(L, -1, name);
  const char *text = lua_tolstring(L, -1, &size);
  if (text == NULL)
    buffer_byte(line, '-');
  else if (quoted && type == LUA_TSTRING)
    view_put_quoted(line, (const unsigned char *)text, size, 0);
  else
    put_plain(line, text, size);
  lua_pop(L, 1);
}

bool legacy_print_report(lua_State *L, int report, FILE *out) {
  static const struct {
    const char *name;
    bool quoted;
    char end;
  } fields[] = {{"table", true, '\t'}, {"key", true, '\t'}, {"what", false, '\t'}, {"message", false, '\n'}};
  bool failed = false;
  report = lua_absindex(L, report);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, report); i <= n && !failed; i++) {
    Buffer line;
    buffer_init(&line, &hearth_libc_allocator);
    lua_rawgeti(L, report, i);
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
      put_field(L, &line, fields[f].name, fields[f].quoted);
      buffer_byte(&line, (unsigned char)fields[f].end);
    }
    lua_pop(L, 1);
    failed = line.failed;
    if (!failed) (void)fwrite(line.data, 1, line.size, out);
    buffer_free(&line);
  }
  return !failed;
}

void legacy_print_size(lua_State *L, int report, FILE *out) {
  report = lua_absindex(L, report);
  lua_getfield(L, report, "tables");
  lua_getfield(L, report, "entries");
  long long tables = (long long)lua_tointeger(L, -2), entries = (long long)lua_tointeger(L, -1);
  (void)fprintf(out, "%lld %s, %lld %s", tables, tables == 1 ? "table" : "tables", entries,
                entries == 1 ? "entry" : "entries");
  if (lua_getfield(L, report, "saved_at") == LUA_TSTRING) {
    Buffer text;
    buffer_init(&text, &hearth_libc_allocator);
    put_plain(&text, lua_tostring(L, -1), lua_rawlen(L, -1));
    int shown = (int)(text.size < LONGEST_DATE ? text.size : LONGEST_DATE);
    if (shown > 0) (void)fprintf(out, ", saved at %.*s", shown, (const char *)text.data);
    buffer_free(&text);
  }
  lua_pop(L, 3);
}

static int compare(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

bool legacy_print_counts(lua_State *L, int report, const char *before, FILE *out) {
  const char *kinds[MOST_KINDS]; /* held by the table */
  size_t n = 0;
  lua_getfield(L, report, "counts");
  int counts = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, counts); lua_pop(L, 1))
    if (n < MOST_KINDS) kinds[n++] = lua_tostring(L, -2);
  qsort(kinds, n, sizeof *kinds, compare);
  for (size_t i = 0; i < n; i++) {
    lua_getfield(L, counts, kinds[i]);
    (void)fprintf(out, "%s%s %lld", i > 0 ? ", " : before, kinds[i], (long long)lua_tointeger(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return n > 0;
}
