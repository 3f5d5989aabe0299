/* The records that hearth_export_legacy gives, as JSON: the same records give the same bytes. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "legacy.h"

typedef struct Writer {
  lua_State *L;
  FILE *out;
  bool uint8array, no_memory;
} Writer;

typedef struct Key {
  const char *bytes; /* held by the table */
  size_t size;
} Key;

static int compare(const void *left, const void *right) {
  const Key *a = left, *b = right;
  int order = memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);
  return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Pushes a userdata that holds the keys of a table of strings, in order. */
static const Key *push_keys(lua_State *L, int table, size_t *count) {
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) n++;
  Key *keys = lua_newuserdatauv(L, (n > 0 ? n : 1) * sizeof *keys, 0);
  *count = n;
  n = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1), n++) keys[n].bytes = lua_tolstring(L, -2, &keys[n].size);
  qsort(keys, n, sizeof *keys, compare);
  return keys;
}

static void put_text(Writer *w, const char *bytes, size_t size) {
  json_t *json = json_stringn(bytes, size); /* keys and texts of records are UTF-8 */
  if (json == NULL || json_dumpf(json, w->out, JSON_ENCODE_ANY) != 0) w->no_memory = !ferror(w->out);
  json_decref(json);
}

/* Of a stored value, at the top of the stack. */
static void put_bytes(Writer *w) {
  size_t size = 0;
  lua_getfield(w->L, -1, "data");
  const char *bytes = lua_tolstring(w->L, -1, &size);
  (void)fputs(w->uint8array ? "{\"$uint8array\":[" : "{\"_type\":\"binary\",\"data\":[", w->out);
  for (size_t i = 0; i < size; i++) (void)fprintf(w->out, i > 0 ? ",%u" : "%u", (unsigned char)bytes[i]);
  (void)fputs("]}", w->out);
  lua_pop(w->L, 1);
}

/* What the metadata hold: texts, numbers, a truth value, and the list of tables. */
static void put_metadatum(Writer *w) {
  lua_State *L = w->L;
  size_t size;
  const char *text;
  switch (lua_type(L, -1)) {
    case LUA_TSTRING:
      text = lua_tolstring(L, -1, &size);
      put_text(w, text, size);
      break;
    case LUA_TTABLE:
      (void)fputc('[', w->out);
      for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
        if (i > 1) (void)fputc(',', w->out);
        lua_rawgeti(L, -1, i);
        put_metadatum(w);
        lua_pop(L, 1);
      }
      (void)fputc(']', w->out);
      break;
    case LUA_TBOOLEAN: (void)fputs(lua_toboolean(L, -1) ? "true" : "false", w->out); break;
    default:
      (void)fputs(luaL_tolstring(L, -1, NULL), w->out);
      lua_pop(L, 1);
  }
}

/* The record at the top of the stack. */
static void put_record(Writer *w) {
  lua_State *L = w->L;
  size_t count;
  bool metadata = lua_getfield(L, -1, "id") == LUA_TSTRING;
  (void)fputs("{\"id\":", w->out);
  put_metadatum(w);
  (void)fputs(",\"data\":{", w->out);
  lua_getfield(L, -2, "data");
  int data = lua_gettop(L);
  const Key *keys = push_keys(L, data, &count);
  for (size_t i = 0; i < count && !w->no_memory; i++) {
    if (i > 0) (void)fputc(',', w->out);
    put_text(w, keys[i].bytes, keys[i].size);
    (void)fputc(':', w->out);
    lua_pushlstring(L, keys[i].bytes, keys[i].size);
    lua_rawget(L, data);
    if (metadata)
      put_metadatum(w);
    else
      put_bytes(w);
    lua_pop(L, 1);
  }
  (void)fputs("}}", w->out);
  lua_pop(L, 3);
}

bool legacy_write_records(lua_State *L, int index, bool uint8array, FILE *out) {
  Writer w = {L, out, uint8array, false};
  index = lua_absindex(L, index);
  (void)fputs("[", out);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, index); i <= n && !w.no_memory && !ferror(out); i++) {
    (void)fputs(i > 1 ? ",\n" : "\n", out);
    lua_rawgeti(L, index, i);
    put_record(&w);
    lua_pop(L, 1);
  }
  (void)fputs("\n]\n", out);
  return !w.no_memory;
}
