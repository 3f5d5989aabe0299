/*
** The reader without Lua: over a blob and a store of all kinds, over every truncated
** prefix and every flipped byte of both.
*/
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

static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  return L;
}

/* A copy of the blob, to be freed. */
static unsigned char *encode(lua_State *L, unsigned flags, size_t *size) {
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

static void read_fields(ViewObject *o, Seen *seen) {
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

static void read_blob(View *v, Seen *seen) {
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
static hearth_status try_blob(const unsigned char *bytes, size_t size, Seen *seen, hearth_error *err) {
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

/* ------------------------------------------------------------------- blobs */

static void blob_of_all_kinds(void **state) {
  (void)state;
  static const unsigned flags[] = {0, HEARTH_STRIP};
  for (size_t i = 0; i < 2; i++) {
    hearth_error err;
    Seen seen = {0};
    size_t size;
    lua_State *L = new_state();
    unsigned char *bytes = encode(L, flags[i], &size);
    if (try_blob(bytes, size, &seen, &err) != HEARTH_OK) fail_msg("%s", err.message);
    assert_int_equal(seen.failures, 0);
    assert_true(seen.kinds[OBJECT_TABLE] >= 10);
    assert_int_equal(seen.kinds[OBJECT_CLOSURE], 4); /* up, down, __persist and what it returned */
    assert_true(seen.kinds[OBJECT_CELL] >= 4);
    assert_true(seen.kinds[OBJECT_PERMANENT] >= 2);
    assert_int_equal(seen.kinds[OBJECT_SPECIAL], 1);
    free(bytes);
    lua_close(L);
  }
}

static void check_path(View *v, const char *path, const char *expected) {
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

static void check_paths(View *v, const char *root) {
  for (size_t i = 0; i + 1 < sizeof path_cases / sizeof *path_cases; i++)
    check_path(v, path_cases[i].path, path_cases[i].expected);
  static const struct PathCase failures[] = {
    {"nothing", ".nothing: there is nothing at this path"},
    {"name.x", ".name.x: there is nothing at this path"},
    {"nested.nothing.x", ".nested.nothing: there is nothing at this path"},
    {"[4711]", "[4711]: there is nothing at this path"},
    {"up^nothing", ".up^nothing: there is nothing at this path"},
  };
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    char expected[200];
    (void)snprintf(expected, sizeof expected, "%s%s", root, failures[i].expected);
    check_path(v, failures[i].path, expected);
  }
  static const char *const bad[] = {".",     "a..b",  "a[",   "a[]",    "a[1",    "a b", "[\"x]", "['\\q']",
                                    "[nil]", "a]",    "^",    "a^",     "[1e]",   "[-]", "[--1]", "['\\999']",
                                    "[\"",   "['\\x", "a[ 1]", "a[1 ]", "a['b'x]"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    hearth_error err;
    ViewTarget t;
    view_target_init(&t, v);
    hearth_status status = view_resolve(&t, bad[i], &err);
    if (status == HEARTH_OK || strchr(err.message, '\n') != NULL) fail_msg("%s was taken", bad[i]);
    view_target_free(&t);
  }
}

static void paths_in_a_blob(void **state) {
  (void)state;
  hearth_error err;
  size_t size;
  View v;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  assert_int_equal(view_open_blob(&v, bytes, size, &hearth_libc_allocator, &err), HEARTH_OK);
  check_paths(&v, "root");
  check_path(&v, "root.name", "\"Ann\"");
  check_path(&v, "root[1]", "1");
  view_close(&v);
  free(bytes);
  lua_close(L);
}

static void every_prefix_of_a_blob(void **state) {
  (void)state;
  hearth_error err;
  Seen seen = {0};
  size_t size;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  for (size_t n = 0; n < size; n++) {
    assert_int_equal(try_blob(bytes, n, &seen, &err), HEARTH_DAMAGED);
    assert_true(err.position <= n);
    assert_non_null(strstr(err.message, "at byte"));
  }
  free(bytes);
  lua_close(L);
}

/* What the decoder takes, the reader takes: they know the same format. */
static void every_flipped_bit_of_a_blob(void **state) {
  (void)state;
  hearth_error err;
  hearth_codec_options trusted = {.size = sizeof trusted, .flags = HEARTH_TRUSTED | HEARTH_PLACEHOLDERS};
  size_t size, taken = 0;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  for (size_t i = 0; i < size; i++) {
    for (unsigned bit = 0; bit < 9; bit++) {
      Seen seen = {0};
      unsigned char mask = bit < 8 ? (unsigned char)(1u << bit) : 0xFF;
      bytes[i] ^= mask;
      hearth_status status = try_blob(bytes, size, &seen, &err);
      assert_true(status == HEARTH_OK || status == HEARTH_DAMAGED || status == HEARTH_VERSION);
      if (status == HEARTH_OK) {
        taken++;
        assert_int_equal(seen.failures, 0);
      } else if (hearth_decode(L, bytes, size, &trusted, NULL) == HEARTH_OK) {
        fail_msg("byte %zu, mask %02x: decoded, but the reader says: %s", i, mask, err.message);
      }
      lua_settop(L, 0);
      bytes[i] ^= mask;
    }
  }
  assert_true(taken > 0); /* flips inside strings and numbers */
  free(bytes);
  lua_close(L);
}

/* ------------------------------------------------------------------ stores */

#define MOST_ENTRIES 4096

typedef struct Entry {
  uint64_t table;
  unsigned char *key, *value;
  size_t key_size, value_size;
} Entry;

typedef struct Entries {
  Entry items[MOST_ENTRIES];
  size_t count;
} Entries;

static unsigned char *copy_of(const void *bytes, size_t size) {
  unsigned char *copy = malloc(size + 1);
  assert_non_null(copy);
  if (size > 0) memcpy(copy, bytes, size);
  return copy;
}

static int keep_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Entries *all = ud;
  assert_true(all->count < MOST_ENTRIES);
  all->items[all->count++] =
      (Entry){table, copy_of(key, key_size), copy_of(value, value_size), key_size, value_size};
  return 0;
}

static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  uint64_t *last = ud;
  *last = table;
  return 0;
}

static const char store_code[] =
    "for k, v in pairs(t) do _home[k] = v end\n"
    "_home.self, _home[t] = _home, nil\n"
    "_home[_home] = _home.nested\n"
    "_home.big = {}\n"
    "for i = 1, 60 do _home.big[i], _home.big['k' .. i], _home.big[-i * 1000] = i, {i}, 'v' .. i end\n"
    "_home.text = ('large '):rep(200)\n"
    "_home.big[('K'):rep(100)] = 'long key'\n"
    "_home.e = ext.table()\n"
    "_home.e.a, _home.e[1], _home.e[2.5], _home.e[true], _home.e.s = 1, 2.5, 'x', false, ('s'):rep(100)\n"
    "_home.e.f = function() return 1 end\n"
    "_home.e.t = {inner = {deep = 'down'}}\n";

/* What a store of all kinds holds. Made in a file, and read out of it through the backend. */
static Entries *make_entries(void) {
  hearth_error err;
  char path[] = "/tmp/hearth-view-XXXXXX";
  char folder_store[64];
  hearth_store *store;
  hearth_options options = {.size = sizeof options, .page_size = 128};
  Entries *all = calloc(1, sizeof *all);
  assert_non_null(all);
  assert_non_null(mkdtemp(path));
  (void)snprintf(folder_store, sizeof folder_store, "%s/s", path);
  lua_State *L = new_state();
  if (hearth_open(L, &hearth_file_backend, folder_store, &options, &store, &err) != HEARTH_OK)
    fail_msg("%s", err.message);
  assert_int_equal(hearth_install(L, store), HEARTH_OK);
  lua_pushfstring(L, "%s%s", all_kinds, store_code);
  if (luaL_dostring(L, lua_tostring(L, -1))) fail_msg("%s", lua_tostring(L, -1));
  if (hearth_commit(L, store, HEARTH_COMPLETE, &err) != HEARTH_OK) fail_msg("%s", err.message);
  assert_int_equal(hearth_close(L, store), HEARTH_OK);
  lua_close(L);
  hearth_backend_store *b;
  hearth_backend_config config = {.size = sizeof config, .location = folder_store, .flags = HEARTH_OPEN_READONLY};
  assert_int_equal(hearth_file_backend.open(&config, &b, &err), HEARTH_OK);
  uint64_t last = 0;
  int result;
  assert_int_equal(hearth_file_backend.tables(b, note_table, &last, &result, &err), HEARTH_OK);
  assert_true(last > 0); /* an external table */
  for (uint64_t table = 0; table <= last; table++)
    assert_int_equal(hearth_file_backend.scan(b, table, NULL, 0, NULL, 0, false, keep_entry, all, &result, &err),
                     HEARTH_OK);
  assert_int_equal(hearth_file_backend.close(b, &err), HEARTH_OK);
  (void)unlink(folder_store);
  (void)snprintf(folder_store, sizeof folder_store, "%s/s.ballast", path);
  (void)unlink(folder_store);
  (void)rmdir(path);
  return all;
}

static void free_entries(Entries *all) {
  for (size_t i = 0; i < all->count; i++) {
    free(all->items[i].key);
    free(all->items[i].value);
  }
  free(all);
}

static hearth_backend_store *open_memory(void) {
  hearth_error err;
  hearth_backend_store *b;
  hearth_backend_config config = {.size = sizeof config};
  assert_int_equal(hearth_memory_backend.open(&config, &b, &err), HEARTH_OK);
  return b;
}

/* value NULL deletes. */
static void put_entry(hearth_backend_store *b, const Entry *e, const void *value, size_t size) {
  hearth_error err;
  hearth_op op = {value != NULL ? HEARTH_PUT : HEARTH_DEL, e->table, e->key, e->key_size, value, size};
  assert_int_equal(hearth_memory_backend.submit(b, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, NULL, &err), HEARTH_OK);
}

static hearth_backend_store *open_entries(const Entries *all) {
  hearth_backend_store *b = open_memory();
  for (size_t i = 0; i < all->count; i++) put_entry(b, &all->items[i], all->items[i].value, all->items[i].value_size);
  return b;
}

typedef struct Problems {
  uint64_t count;
  char first[512];
} Problems;

static void on_problem(void *ud, const char *message) {
  Problems *p = ud;
  assert_null(strchr(message, '\n'));
  if (p->count++ == 0) (void)snprintf(p->first, sizeof p->first, "%s", message);
}

static void on_step(void *ud, uint64_t done) {
  (void)ud;
  assert_true(done > 0);
}

/* Opens, verifies, and follows paths: false when anything at all was wrong. */
static bool read_store(hearth_backend_store *b, Problems *problems, bool paths) {
  hearth_error err;
  View v;
  ViewVerify verify = {.problem = on_problem, .step = on_step, .ud = problems};
  hearth_status status = view_open_store(&v, &hearth_memory_backend, b, &hearth_libc_allocator, &err);
  if (status == HEARTH_OK) {
    status = view_verify(&v, &verify, &err);
    assert_int_equal(problems->count, verify.problems);
    for (size_t i = 0; paths && i < sizeof path_cases / sizeof *path_cases; i++) {
      ViewTarget t;
      view_target_init(&t, &v);
      (void)view_resolve(&t, path_cases[i].path, &err);
      view_target_free(&t);
    }
  }
  view_close(&v);
  return status == HEARTH_OK && problems->count == 0;
}

static void store_of_all_kinds(void **state) {
  (void)state;
  hearth_error err;
  View v;
  Problems problems = {0};
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  if (!read_store(b, &problems, true)) fail_msg("%s", problems.first);
  assert_int_equal(view_open_store(&v, &hearth_memory_backend, b, &hearth_libc_allocator, &err), HEARTH_OK);
  check_path(&v, "_home.name", "\"Ann\"");
  check_path(&v, "big[7]", "7");
  check_path(&v, "big.k60[1]", "60");
  check_path(&v, "big[-60000]", "\"v60\"");
  check_path(&v, "big", "table of 181 ");
  char long_key[128] = "big.";
  memset(long_key + 4, 'K', 100);
  check_path(&v, long_key, "\"long key\"");
  check_path(&v, "text", "string of 1200 bytes ");
  check_path(&v, "e", "external table ");
  check_path(&v, "e.a", "1");
  check_path(&v, "e[1]", "2.5");
  check_path(&v, "e[2.5]", "\"x\"");
  check_path(&v, "e[true]", "false");
  check_path(&v, "e.t.inner.deep", "\"down\"");
  check_path(&v, "e.f", "function ");
  check_path(&v, "e.nothing", "_home.e.nothing: there is nothing at this path");
  check_path(&v, "self.self.nested.nested.name", "\"Cyn\"");
  check_path(&v, "up^shared", "0");
  check_path(&v, "vec^y[1]", "2");
  view_close(&v);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

/* Records say where they end, so that a shorter one is never taken. */
static void every_prefix_of_an_entry(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  for (size_t i = 0; i < all->count; i++) {
    const Entry *e = &all->items[i];
    for (size_t n = 0; n < e->value_size; n++) {
      Problems problems = {0};
      put_entry(b, e, e->value, n);
      if (read_store(b, &problems, n % 8 == 0)) fail_msg("entry %zu cut to %zu bytes was taken", i, n);
    }
    put_entry(b, e, e->value, e->value_size);
  }
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void every_flipped_byte_of_an_entry(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  size_t taken = 0;
  for (size_t i = 0; i < all->count; i++) {
    const Entry *e = &all->items[i];
    for (size_t n = 0; n < e->value_size; n++) {
      static const unsigned char masks[] = {0x01, 0x10, 0x80, 0xFF};
      for (size_t m = 0; m < sizeof masks; m++) {
        Problems problems = {0};
        e->value[n] ^= masks[m];
        put_entry(b, e, e->value, e->value_size);
        taken += read_store(b, &problems, n % 8 == 0);
        e->value[n] ^= masks[m];
      }
    }
    put_entry(b, e, e->value, e->value_size);
  }
  assert_true(taken > 0);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void every_missing_entry(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  for (size_t i = 0; i < all->count && all->items[i].table == 0; i++) {
    Problems problems = {0};
    put_entry(b, &all->items[i], NULL, 0);
    if (read_store(b, &problems, true)) fail_msg("entry %zu is missing, and nothing was said", i);
    put_entry(b, &all->items[i], all->items[i].value, all->items[i].value_size);
  }
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void strange_entries(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  static const struct Strange {
    uint64_t table;
    const char *key;
    size_t size;
  } strange[] = {
    {0, "z", 1}, {0, "m2", 2}, {0, "o\0\0\0\0\0\xFF\xFF", 8}, {0, "c\0\0\0\0\0\0\1\0\0\0\0", 12},
    {0, "o\0\0\0\0\0\0\2\1\0\0\0\0\0\0\0\0\0", 18}, {9999, "\4x", 2},
  };
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    Problems problems = {0};
    Entry e = {strange[i].table, copy_of(strange[i].key, strange[i].size), NULL, strange[i].size, 0};
    put_entry(b, &e, "\0\1", 2);
    if (read_store(b, &problems, true)) fail_msg("strange entry %zu, and nothing was said", i);
    put_entry(b, &e, NULL, 0);
    free(e.key);
  }
  Problems problems = {0};
  if (!read_store(b, &problems, true)) fail_msg("%s", problems.first);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

/* ------------------------------------------------------------------ memory */

typedef struct Failing {
  long left; /* allocations until one fails */
  bool failed;
} Failing;

static void *failing_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
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

static void no_memory_for_a_blob(void **state) {
  (void)state;
  size_t size;
  lua_State *L = new_state();
  unsigned char *bytes = encode(L, 0, &size);
  bool failed = true;
  for (long n = 0; failed; n++) {
    hearth_error err;
    Failing f = {n, false};
    hearth_allocator a = {failing_alloc, &f};
    View v;
    ViewTarget t;
    hearth_status status = view_open_blob(&v, bytes, size, &a, &err);
    if (status == HEARTH_OK) {
      view_target_init(&t, &v);
      status = view_resolve(&t, "up^shared", &err);
      view_target_free(&t);
    }
    view_close(&v);
    failed = f.failed;
    if (status != (failed ? HEARTH_NOMEM : HEARTH_OK)) fail_msg("allocation %ld: %d, %s", n, status, err.message);
  }
  free(bytes);
  lua_close(L);
}

static void no_memory_for_a_store(void **state) {
  (void)state;
  hearth_error err;
  Entries *all = make_entries();
  hearth_backend_store *b = open_entries(all);
  bool failed = true;
  for (long n = 0; failed; n++) {
    Failing f = {n, false};
    hearth_allocator a = {failing_alloc, &f};
    View v;
    ViewTarget t;
    Problems problems = {0};
    ViewVerify verify = {.problem = on_problem, .step = on_step, .ud = &problems};
    hearth_status status = view_open_store(&v, &hearth_memory_backend, b, &a, &err);
    if (status == HEARTH_OK) {
      view_target_init(&t, &v);
      status = view_resolve(&t, "e.f", &err);
      view_target_free(&t);
    }
    if (status == HEARTH_OK) status = view_verify(&v, &verify, &err);
    view_close(&v);
    failed = f.failed;
    if (status != (failed ? HEARTH_NOMEM : HEARTH_OK)) fail_msg("allocation %ld: %d, %s", n, status, err.message);
    assert_int_equal(problems.count, 0);
  }
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  free_entries(all);
}

static void empty_store(void **state) {
  (void)state;
  hearth_error err;
  View v;
  hearth_backend_store *b = open_memory();
  assert_int_equal(view_open_store(&v, &hearth_memory_backend, b, &hearth_libc_allocator, &err), HEARTH_NOTSTORE);
  view_close(&v);
  assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(blob_of_all_kinds),       cmocka_unit_test(paths_in_a_blob),
    cmocka_unit_test(every_prefix_of_a_blob),  cmocka_unit_test(every_flipped_bit_of_a_blob),
    cmocka_unit_test(store_of_all_kinds),      cmocka_unit_test(every_prefix_of_an_entry),
    cmocka_unit_test(every_flipped_byte_of_an_entry), cmocka_unit_test(every_missing_entry),
    cmocka_unit_test(strange_entries),         cmocka_unit_test(empty_store),
    cmocka_unit_test(no_memory_for_a_blob),    cmocka_unit_test(no_memory_for_a_store),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
