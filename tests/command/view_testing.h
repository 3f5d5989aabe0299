/*
** What the suites of the reader without Lua share: a value of all kinds, reading everything, paths, and failing memory.
*/
#ifndef HEARTH_TESTS_VIEW_TESTING_H
#define HEARTH_TESTS_VIEW_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "hearth.h"
#include "path.h"
#include "verify.h"

static const char all_kinds[] =
    "local Vec = {}\n"
    "Vec.__index = Vec\n"
    "Vec.__persist = function(v) local x, y = v.x, v.y return function() "
    "return setmetatable({x = x, y = y}, Vec) end end\n"
    "local shared, other = 0, {}\n"
    "local t = {\n"
    "  1, 2, 300, -5, 2.5, 1e300, -0.0, 1/0, 'short', ('long'):rep(20), true, false,\n"
    "  name = 'Ann', nested = {name = 'Bob', nested = {name = 'Cyn', nested = false}},\n"
    "  up = function() shared = shared + 1 return shared end, down = function() shared = shared - 1 return other end,\n"
    "  print = print, lib = string, weak = setmetatable({other, x = {}}, {__mode = 'v'}), other = other,\n"
    "  meta = setmetatable({}, {__index = {1, 2}}), vec = setmetatable({x = 1, y = {2}}, Vec),\n"
    "  ['a b'] = {['c d'] = 'found'}, [-1] = 'minus', [2.5] = 'float', [false] = 'no',\n"
    "}\n"
    "t.self, t[t] = t, t.nested\n";

static inline lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  return L;
}

/* Bytes in hex digits; answers how many. */
static inline size_t read_hex(const char *hex, unsigned char *out, size_t room) {
  size_t size = 0;
  for (; *hex != '\0'; hex++) {
    unsigned byte;
    if (*hex == ' ') continue;
    assert_true(size < room);
    assert_int_equal(sscanf(hex, "%2x", &byte), 1);
    out[size++] = (unsigned char)byte;
    hex++;
  }
  return size;
}

/* A copy of the blob, to be freed. */
static inline unsigned char *encode(lua_State *L, unsigned flags, size_t *size) {
  hearth_error err;
  hearth_codec_options options = {.size = sizeof options, .flags = flags};
  lua_pushfstring(L, "%sreturn t", all_kinds);
  if (luaL_dostring(L, lua_tostring(L, -1))) fail_msg("%s", lua_tostring(L, -1));
  if (hearth_encode(L, -1, &options, &err) != HEARTH_OK) fail_msg("%s", err.message);
  const char *bytes = lua_tolstring(L, -1, size);
  unsigned char *copy = malloc(*size);
  assert_non_null(copy);
  memcpy(copy, bytes, *size);
  lua_settop(L, 0);
  return copy;
}

/* ------------------------------------------------------- reading everything */

typedef struct Seen {
  uint64_t fields, kinds[OBJECT_PAGED + 1], failures;
} Seen;

static inline void read_fields(ViewObject *o, Seen *seen) {
  hearth_error err;
  ViewFields f;
  ViewField field;
  Buffer text;
  Prototype p;
  uint64_t count = 0, entries = 0;
  buffer_init(&text, &hearth_libc_allocator);
  seen->failures += view_describe(o, &text, &err) != HEARTH_OK;
  if (o->place == VIEW_CONSTANT && o->head.kind == OBJECT_PROTOTYPE)
    seen->failures += view_object_prototype(o, &p, &err) != HEARTH_OK;
  if (o->place == VIEW_CONSTANT && o->head.kind == OBJECT_STRING)
    seen->failures += view_object_string(o, &text, &err) != HEARTH_OK;
  if (o->place == VIEW_OBJECT) {
    seen->kinds[o->head.kind]++;
    seen->failures += view_object_count(o, &count, &err) != HEARTH_OK;
  }
  view_fields_begin(&f, o, &err);
  while (view_fields_next(&f, &field)) {
    seen->fields++;
    if (field.kind == VIEW_ENTRY) {
      entries++;
      view_put_step(&text, &field.key, false);
    }
    view_put_scalar(&text, &field.value, 10);
    if (field.kind == VIEW_UPVALUE)
      seen->failures += view_upvalue_name(o, (unsigned)field.number, &text, &err) != HEARTH_OK;
  }
  seen->failures += f.status != HEARTH_OK;
  if (f.status == HEARTH_OK && o->place == VIEW_OBJECT) assert_int_equal(entries, count);
  view_fields_free(&f);
  buffer_free(&text);
}

static inline void read_blob(View *v, Seen *seen) {
  hearth_error err;
  ViewObject o;
  Value root;
  view_object_init(&o, v);
  view_root(v, &root);
  for (uint64_t i = 0; i < v->header.shapes; i++) {
    assert_int_equal(view_object_open_constant(&o, OBJECT_SHAPE, i, &err), HEARTH_OK);
    read_fields(&o, seen);
  }
  for (uint64_t i = 0; i < v->header.prototypes; i++) {
    assert_int_equal(view_object_open_constant(&o, OBJECT_PROTOTYPE, i, &err), HEARTH_OK);
    read_fields(&o, seen);
  }
  for (uint64_t i = 1; i <= v->header.objects; i++) {
    assert_int_equal(view_object_open(&o, i, &err), HEARTH_OK);
    read_fields(&o, seen);
  }
  assert_int_equal(view_object_open(&o, v->header.objects + 1, &err), HEARTH_NOTFOUND);
  view_object_free(&o);
}

/* Opens a copy of exactly these bytes, so that a sanitizer sees a step beyond; reads all when it opens. */
static inline hearth_status try_blob(const unsigned char *bytes, size_t size, Seen *seen, hearth_error *err) {
  View v;
  unsigned char *copy = malloc(size > 0 ? size : 1);
  assert_non_null(copy);
  memcpy(copy, bytes, size);
  hearth_status status = view_open_blob(&v, copy, size, &hearth_libc_allocator, err);
  if (status == HEARTH_OK) read_blob(&v, seen);
  view_close(&v);
  free(copy);
  return status;
}

/* ------------------------------------------------------------------- paths */

static inline void check_path(View *v, const char *path, const char *expected) {
  hearth_error err;
  ViewTarget t;
  Buffer text;
  view_target_init(&t, v);
  buffer_init(&text, &v->allocator);
  hearth_status status = view_resolve(&t, path, &err);
  if (status != HEARTH_OK)
    view_print(&text, "%s", err.message);
  else if (t.value.kind == VALUE_REF || t.value.kind == VALUE_LOCAL)
    assert_int_equal(view_describe(&t.object, &text, &err), HEARTH_OK);
  else
    view_put_scalar(&text, &t.value, 0);
  buffer_byte(&text, 0);
  if (strncmp((char *)text.data, expected, strlen(expected)) != 0)
    fail_msg("%s: '%s', not '%s'", path, (char *)text.data, expected);
  buffer_free(&text);
  view_target_free(&t);
}

static const struct PathCase {
  const char *path, *expected;
} path_cases[] = {
  {"", "table of 28 "},
  {"name", "\"Ann\""},
  {"self.self.nested.nested.name", "\"Cyn\""},
  {"[1]", "1"},
  {"[3]", "300"},
  {"[3.0]", "300"},
  {"[5]", "2.5"},
  {"[7]", "-0.0"},
  {"[8]", "inf"},
  {"[-1]", "\"minus\""},
  {"[2.5]", "\"float\""},
  {"[false]", "\"no\""},
  {"[\"a b\"][\"c d\"]", "\"found\""},
  {"['a\\x20b'][\"c\\032d\"]", "\"found\""},
  {"meta^metatable.__index[2]", "2"},
  {"up^shared", "0"},
  {"up^1", "0"},
  {"down^other", "table of 0 "},
  {"print", "permanent C function \"print\""},
  {"vec", "special object "},
  {"vec^y[1]", "2"},
  {"nothing", ""},
};

/* ------------------------------------------------------------------ memory */

typedef struct Failing {
  long left; /* allocations until one fails */
  bool failed;
} Failing;

static inline void *failing_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Failing *f = ud;
  (void)osize;
  if (nsize == 0) {
    free(ptr);
    return NULL;
  }
  if (f->left-- == 0) {
    f->failed = true;
    return NULL;
  }
  return realloc(ptr, nsize);
}

#endif
