/* JSON into the records that hearth_import_legacy takes. What is damaged becomes something that is reported there. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "legacy.h"

#define METADATA "__metadata__"
#define OBJECT_STORE "externalTables"

static json_t *list_or_null(json_t *json) {
  return json_is_array(json) ? json : NULL;
}

static json_t *records_of_stores(const json_t *stores) {
  size_t i;
  json_t *store;
  json_array_foreach(stores, i, store) {
    const char *name = json_string_value(json_object_get(store, "name"));
    if (name != NULL && strcmp(name, OBJECT_STORE) == 0) return list_or_null(json_object_get(store, "records"));
  }
  return NULL;
}

json_t *legacy_find_records(const json_t *root) {
  if (json_is_array(root)) return (json_t *)root;
  json_t *records = list_or_null(json_object_get(root, "records"));
  if (records == NULL) records = records_of_stores(json_object_get(json_object_get(root, "database"), "objectStores"));
  if (records == NULL) records = records_of_stores(json_object_get(root, "objectStores"));
  return records;
}

/* ------------------------------------------------------------------ bytes */

/* The next byte of a list, in `byte`; false: it is none. */
static bool to_byte(const json_t *json, char *byte) {
  double n = json_is_real(json) ? json_real_value(json) : -1;
  if (!(n >= 0 && n <= 255) || n != (double)(int)n) return false;
  *byte = (char)(unsigned char)(int)n;
  return true;
}

static const json_t *item_of(const json_t *json, size_t i) {
  char key[24];
  if (json_is_array(json)) return json_array_get(json, i);
  (void)snprintf(key, sizeof key, "%zu", i);
  return json_object_get(json, key);
}

/* Pushes the bytes of a list, or of an object with the keys "0", "1", ...; else what is reported as none. */
static void push_bytes(lua_State *L, const json_t *json) {
  size_t n = json_is_array(json) ? json_array_size(json) : json_object_size(json);
  luaL_Buffer b;
  if (!json_is_array(json) && !json_is_object(json)) {
    lua_pushboolean(L, 0);
    return;
  }
  char *bytes = luaL_buffinitsize(L, &b, n);
  for (size_t i = 0; i < n; i++) {
    if (to_byte(item_of(json, i), &bytes[i])) continue;
    luaL_pushresultsize(&b, 0);
    lua_createtable(L, 1, 0); /* {false} is a list that is not one of bytes */
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, 1);
    lua_remove(L, -2);
    return;
  }
  luaL_pushresultsize(&b, n);
}

/* ----------------------------------------------------------------- values */

static void push_number(lua_State *L, double n) {
  lua_Integer integer;
  if (lua_numbertointeger(n, &integer) && (double)integer == n)
    lua_pushinteger(L, integer);
  else
    lua_pushnumber(L, n);
}

/* A list or an object where neither belongs becomes a text that says so; null becomes nil. */
static void push_scalar(lua_State *L, const JsonText *text, const json_t *json) {
  switch (json_typeof(json)) {
    case JSON_STRING: json_text_push(L, text, json_string_value(json), json_string_length(json)); break;
    case JSON_REAL: push_number(L, json_real_value(json)); break;
    case JSON_TRUE:
    case JSON_FALSE: lua_pushboolean(L, json_is_true(json)); break;
    case JSON_OBJECT: lua_pushliteral(L, "(an object)"); break;
    case JSON_ARRAY: lua_pushliteral(L, "(a list)"); break;
    default: lua_pushnil(L);
  }
}

/* Never nil, which would be no entry. */
static void push_value(lua_State *L, const JsonText *text, const json_t *json) {
  if (!json_is_object(json) && !json_is_array(json)) {
    push_scalar(L, text, json);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
    return;
  }
  const char *type = json_string_value(json_object_get(json, "_type"));
  const json_t *uint8array = json_object_get(json, "$uint8array");
  lua_newtable(L);
  if (uint8array != NULL) {
    push_bytes(L, uint8array);
    lua_setfield(L, -2, "$uint8array");
  } else if (type != NULL && strcmp(type, "binary") == 0) {
    lua_pushstring(L, type);
    lua_setfield(L, -2, "_type");
    push_bytes(L, json_object_get(json, "data"));
    lua_setfield(L, -2, "data");
  } else if (json_object_get(json, "0") != NULL) { /* JSON.stringify's form of a Uint8Array */
    push_bytes(L, json);
    lua_setfield(L, -2, "$uint8array");
  }
}

/* ---------------------------------------------------------------- records */

typedef void PushValue(lua_State *L, const JsonText *text, const json_t *json);

/* Keys that differ only in what U+FFFD stands for: behind the second one stands another U+FFFD, and so on. */
static void push_free_key(lua_State *L, const JsonText *text, const char *key) {
  json_text_push(L, text, key, strlen(key));
  for (lua_pushvalue(L, -1); lua_rawget(L, -3) != LUA_TNIL; lua_pushvalue(L, -1)) {
    lua_pop(L, 1);
    lua_pushliteral(L, "\xEF\xBF\xBD");
    lua_concat(L, 2);
  }
  lua_pop(L, 1);
}

/* The keys that lose nothing come first, and keep their texts. */
static void push_object(lua_State *L, const JsonText *text, json_t *data, bool replaced, PushValue *push) {
  const char *key;
  json_t *value;
  json_object_foreach(data, key, value) {
    if (json_text_has_replacement(text, key) != replaced) continue;
    push_free_key(L, text, key);
    push(L, text, value);
    lua_rawset(L, -3);
  }
}

/* A list has the entries "0", "1", ..., as in JavaScript. */
static void push_entries(lua_State *L, const JsonText *text, json_t *data, PushValue *push) {
  char index[24];
  json_t *value;
  size_t i;
  lua_newtable(L);
  push_object(L, text, data, false, push);
  if (text->marked) push_object(L, text, data, true, push);
  json_array_foreach(data, i, value) {
    (void)snprintf(index, sizeof index, "%zu", i);
    push(L, text, value);
    lua_setfield(L, -2, index);
  }
}

static void push_record(lua_State *L, const JsonText *text, const json_t *record) {
  json_t *id = json_object_get(record, "id"), *data = json_object_get(record, "data");
  const char *name = json_string_value(id);
  bool metadata = name != NULL && strcmp(name, METADATA) == 0;
  if (!json_is_object(record)) {
    lua_pushboolean(L, 0);
    return;
  }
  lua_createtable(L, 0, 2);
  if (id != NULL) {
    push_scalar(L, text, id);
    lua_setfield(L, -2, "id");
  }
  if (json_is_object(data) || json_is_array(data))
    push_entries(L, text, data, metadata ? push_scalar : push_value);
  else if (data != NULL)
    push_scalar(L, text, data);
  else
    lua_pushnil(L);
  lua_setfield(L, -2, "data");
}

void legacy_push_records(lua_State *L, const JsonText *text, const json_t *records) {
  size_t i;
  json_t *record;
  lua_newtable(L);
  json_array_foreach(records, i, record) {
    push_record(L, text, record);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}
