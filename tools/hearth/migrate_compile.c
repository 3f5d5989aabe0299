/* Variants of a source, and what Lua's compiler makes of them. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "migrate.h"

_Noreturn void out_of_memory(void) {
  exit(complain(STATUS_FAILED, "%s", hearth_status_text(HEARTH_NOMEM)));
}

void *grown(void *array, size_t count, size_t *capacity, size_t item) {
  if (count < *capacity) return array;
  size_t more = *capacity < 16 ? 16 : *capacity * 2;
  void *larger = more <= (size_t)-1 / item ? realloc(array, more * item) : NULL;
  if (larger == NULL) out_of_memory();
  *capacity = more;
  return larger;
}

void edit(EditList *edits, size_t start, size_t end, const char *format, ...) {
  va_list args;
  edits->items = grown(edits->items, edits->count, &edits->capacity, sizeof *edits->items);
  Edit *e = &edits->items[edits->count++];
  e->start = start;
  e->end = end;
  va_start(args, format);
  (void)vsnprintf(e->text, sizeof e->text, format, args);
  va_end(args);
}

/* Delivers the source piece by piece: a stretch of it, the text of an edit, and so on. */
typedef struct Reader {
  const Source *source;
  const EditList *edits;
  size_t at, next; /* in the source; the edit to come */
} Reader;

static const char *read_variant(lua_State *L, void *ud, size_t *size) {
  Reader *R = ud;
  (void)L;
  for (;;) {
    bool more = R->next < R->edits->count;
    const Edit *e = more ? &R->edits->items[R->next] : NULL;
    size_t stop = more ? e->start : R->source->size;
    if (R->at < stop) {
      const char *piece = R->source->text + R->at;
      *size = stop - R->at;
      R->at = stop;
      return piece;
    }
    if (!more) return NULL;
    R->at = e->end;
    R->next++;
    *size = strlen(e->text);
    if (*size > 0) return e->text; /* an empty piece would end the source */
  }
}

static int write_dump(lua_State *L, const void *bytes, size_t size, void *ud) {
  (void)L;
  buffer_put(ud, bytes, size);
  return 0;
}

bool compile(lua_State *L, const Source *source, const EditList *edits, Buffer *dump) {
  Reader R = {.source = source, .edits = edits, .at = source->body};
  int status = lua_load(L, read_variant, &R, "=", "t");
  if (status == LUA_ERRMEM) out_of_memory();
  if (status != LUA_OK) return false;
  buffer_clear(dump);
  (void)lua_dump(L, write_dump, dump, 1);
  lua_pop(L, 1);
  if (dump->failed) out_of_memory();
  return true;
}
