/*
** A rollback that finds other entries than were committed, each right by itself: records under the number of another
** object, of another kind, or without what they refer to. It gives a value or a clear error, whatever is live stays
** whole, and the next rollback finds everything as it was.
*/
#include "store_testing.h"

#define LARGE (2 * STRING_CHUNK + 9)

/* Every kind of object, of constant and of page. */
static const char fill[] =
    "local n, size = 0, 131081\n" /* LARGE */
    "local class = {} home.class = class\n"
    "function class.__persist(o)\n"
    "  local x, list, z = o.x, { o.x, { true } }, 1\n"
    "  return function() z = x return setmetatable({ x = x, list = nil and list }, class) end\n"
    "end\n"
    "home.up, home.get = function() n = n + 1 return n, print end, function() return n end\n"
    "home.object, home.other = setmetatable({ x = 7 }, class), setmetatable({ x = 8 }, class)\n"
    "home.library, home.print, home.point = string, print, point(1, 2)\n"
    "home.shape, home.again = { a = 1, b = 2 }, { a = 2, c = {} }\n"
    "home.meta = setmetatable({ 1 }, { __index = print })\n"
    "home.big = {} for i = 1, 12 do home.big['k' .. i], home.big[i * 1000] = i, i end\n"
    "home.large, home.other_large = ('x'):rep(size), ('y'):rep(size)\n";

static World w;
static DiskEntries all;
static char *text, *library;

static char *describe_library(void) {
  run(w.L, "local names = {} for k, v in pairs(string) do names[#names + 1] = k .. tostring(v) end\n"
           "table.sort(names) described = table.concat(names, ' ')");
  lua_getglobal(w.L, "described");
  char *copy = strdup(lua_tostring(w.L, -1));
  lua_settop(w.L, 0);
  return copy;
}

static int begin(void **state) {
  (void)state;
  world_init(&w, 64);
  run(w.L, fill);
  run(w.L, "assert(commit())");
  all = disk_entries(w.disk);
  text = world_describe(&w);
  library = describe_library();
  return 0;
}

static int end(void **state) {
  (void)state;
  disk_mend(w.disk);
  disk_free_entries(&all);
  free(text);
  free(library);
  world_free(&w);
  return 0;
}

static void put_back(void) {
  DiskEntries now = disk_entries(w.disk);
  for (size_t i = 0; i < now.count; i++) disk_set(w.disk, now.entries[i].key, now.entries[i].key_size, NULL, 0);
  for (size_t i = 0; i < all.count; i++)
    disk_set(w.disk, all.entries[i].key, all.entries[i].key_size, all.entries[i].value, all.entries[i].value_size);
  disk_free_entries(&now);
}

static void assert_as_committed(void) {
  char *now = world_describe(&w);
  assert_string_equal(now, text);
  free(now);
}

/* Rolls back over what the disk has now, then over what it had. The status of the first. */
static hearth_status look(void) {
  hearth_status status = hearth_rollback(w.L, w.S, &w.error);
  char *now = describe_library();
  assert_string_equal(now, library); /* whatever was read */
  free(now);
  switch (status) {
    case HEARTH_OK: run(w.L, "describe(home)"); break;
    case HEARTH_DAMAGED:
    case HEARTH_UNKNOWN:
    case HEARTH_RAISED:
    case HEARTH_CYCLE: break;
    default: fail_msg("%s: %s", hearth_status_name(status), w.error.message);
  }
  put_back();
  if (hearth_rollback(w.L, w.S, &w.error) != HEARTH_OK) fail_msg("%s", w.error.message);
  run(w.L, "describe(home)");
  assert_int_equal(lua_gettop(w.L), 0);
  return status;
}

/* The same, after which the graph is what it was. */
static hearth_status look_whole(void) {
  hearth_status status = look();
  assert_as_committed();
  return status;
}

static bool is_object(const DiskEntry *e) {
  return e->key[0] == LAYOUT_OBJECT && e->key_size == 8;
}

static void test_records_of_others(void **state) {
  (void)state;
  size_t good = 0, bad = 0;
  for (size_t i = 0; i < all.count; i++)
    for (size_t k = 0; k < all.count; k++) {
      const DiskEntry *to = &all.entries[i], *from = &all.entries[k];
      if (i == k || !is_object(to) || !is_object(from)) continue;
      disk_set(w.disk, to->key, to->key_size, from->value, from->value_size);
      *(look_whole() == HEARTH_OK ? &good : &bad) += 1;
    }
  assert_true(good > 20 && bad > 50);
}

/* The kind is the lower half of a record's first byte. */
static void test_records_of_another_kind(void **state) {
  (void)state;
  size_t refused = 0;
  for (size_t i = 0; i < all.count; i++)
    for (unsigned kind = 0; kind < 16; kind++) {
      const DiskEntry *e = &all.entries[i];
      unsigned char bytes[4096];
      if (!is_object(e) || (e->value[0] & 15) == kind || e->value_size > sizeof bytes) continue;
      memcpy(bytes, e->value, e->value_size);
      bytes[0] = (unsigned char)((bytes[0] & 0xF0) | kind);
      disk_set(w.disk, e->key, e->key_size, bytes, e->value_size);
      hearth_status status = look_whole();
      if (kind == 0 || (kind > OBJECT_SPECIAL && kind != OBJECT_PAGED)) assert_int_equal(status, HEARTH_DAMAGED);
      refused += status != HEARTH_OK;
    }
  assert_true(refused > 50);
}

/* A part of a special object's record that cannot be in it. */
static void test_kinds_of_local_objects(void **state) {
  (void)state;
  bool seen = false;
  for (size_t i = 0; i < all.count; i++) {
    const DiskEntry *e = &all.entries[i];
    if (!is_object(e) || (e->value[0] & 15) != OBJECT_SPECIAL) continue;
    for (size_t at = 1; at < e->value_size; at++)
      for (unsigned char kind = 0; kind < 16; kind++) {
        unsigned char bytes[4096];
        assert_true(e->value_size <= sizeof bytes);
        memcpy(bytes, e->value, e->value_size);
        bytes[at] = kind;
        disk_set(w.disk, e->key, e->key_size, bytes, e->value_size);
        (void)look_whole();
        seen = true;
      }
  }
  assert_true(seen);
}

/* Whatever entry is gone: an error, and what is live stays as it is. */
static void test_missing_entries(void **state) {
  (void)state;
  size_t refused = 0;
  run(w.L, "home.shape.a, home.new = 5, {}");
  char *changed = world_describe(&w);
  for (size_t i = 0; i < all.count; i++) {
    w.disk->missing = i;
    if (hearth_rollback(w.L, w.S, &w.error) == HEARTH_OK) { /* only a hooked object needs it, which is kept as it is */
      assert_int_equal(all.entries[i].key[0], LAYOUT_CONSTANT);
      assert_as_committed();
      run(w.L, "home.shape.a, home.new = 5, {}");
      continue;
    }
    assert_int_equal(w.error.code, HEARTH_DAMAGED);
    char *now = world_describe(&w);
    assert_string_equal(now, changed);
    free(now);
    refused++;
  }
  assert_true(refused + 4 > all.count);
  free(changed);
  disk_mend(w.disk);
  assert_int_equal(look_whole(), HEARTH_OK);
}

/* -------------------------------------------------------------- constants */

static const DiskEntry *find(LayoutKind kind, ObjectKind head, size_t nth) {
  for (size_t i = 0; i < all.count; i++) {
    const DiskEntry *e = &all.entries[i];
    if (layout_get_key(e->key, e->key_size).kind == kind && (head == 0 || (e->value[0] & 15) == head) && nth-- == 0)
      return e;
  }
  fail_msg("no entry %c", kind);
  return NULL;
}

/* The disk has been changed: a rollback says this. */
static void assert_message(const char *message) {
  assert_int_equal(hearth_rollback(w.L, w.S, &w.error), HEARTH_DAMAGED);
  if (strstr(w.error.message, message) == NULL) fail_msg("%s", w.error.message);
  assert_int_equal(look_whole(), HEARTH_DAMAGED);
}

static void test_strings_that_lack_parts(void **state) {
  (void)state;
  const DiskEntry *first = find(LAYOUT_CONSTANT, OBJECT_STRING, 0), *second = find(LAYOUT_CONSTANT, OBJECT_STRING, 1);
  Head head = {.kind = OBJECT_STRING, .size = UINT64_C(1) << 40};
  Buffer b;
  buffer_init(&b, &hearth_libc_allocator);
  head_put(&b, &head);
  disk_set(w.disk, first->key, first->key_size, b.data, b.size);
  assert_message("a string is longer than the store");
  head.size = LARGE + 1; /* a byte more than its last part has */
  buffer_clear(&b);
  head_put(&b, &head);
  disk_set(w.disk, first->key, first->key_size, b.data, b.size);
  assert_message("a part of a large string is missing");
  head.size = LARGE - STRING_CHUNK; /* which its last two parts would fit */
  buffer_clear(&b);
  head_put(&b, &head);
  disk_set(w.disk, first->key, first->key_size, b.data, b.size);
  disk_set(w.disk, find(LAYOUT_CHUNK, (ObjectKind)0, 0)->key, 12, NULL, 0);
  assert_message("a part of a large string is missing");
  buffer_free(&b);
  for (size_t i = 0; i < 3; i++) { /* without one of its three parts */
    const DiskEntry *part = find(LAYOUT_CHUNK, (ObjectKind)0, i);
    disk_set(w.disk, part->key, part->key_size, NULL, 0);
    assert_message("a part of a large string is missing");
  }
  for (size_t i = 0; i < 3; i++) { /* and without any, so that those of the next string follow */
    const DiskEntry *part = find(LAYOUT_CHUNK, (ObjectKind)0, i);
    disk_set(w.disk, part->key, part->key_size, NULL, 0);
  }
  disk_set(w.disk, second->key, second->key_size, NULL, 0);
  assert_message("a part of a large string is missing");
}

/* The same constant under two numbers would be written once, and lost with the other. */
static void test_a_constant_under_two_numbers(void **state) {
  (void)state;
  static const ObjectKind kinds[] = {OBJECT_SHAPE, OBJECT_PROTOTYPE};
  for (size_t i = 0; i < 2; i++) {
    const DiskEntry *e = find(LAYOUT_CONSTANT, kinds[i], 0);
    const unsigned char key[8] = {LAYOUT_CONSTANT, 0, 0, 0, 0, 0, 0, LAYOUT_HOME_ID}; /* no constant has it */
    disk_set(w.disk, key, sizeof key, e->value, e->value_size);
    assert_message("a constant that is there twice");
  }
}

/* ------------------------------------------------------------------ pages */

static void test_pages_that_are_none(void **state) {
  (void)state;
  static const struct {
    int64_t first;
    size_t count;
  } runs[] = {{INT64_MAX, 2}, {INT64_MAX - 1, 3}, {1, 0}};
  const DiskEntry *page = find(LAYOUT_PAGE, (ObjectKind)0, 0);
  LayoutKey key = layout_get_key(page->key, page->key_size);
  unsigned char bytes[LAYOUT_MAX_KEY];
  assert_int_equal(key.section, 0);
  for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) { /* no key is above the largest */
    Buffer b;
    buffer_init(&b, &hearth_libc_allocator);
    value_put_integer(&b, runs[i].first);
    varint_put(&b, runs[i].count);
    for (size_t k = 0; k < runs[i].count; k++) value_put_integer(&b, 1);
    disk_set(w.disk, page->key, page->key_size, b.data, b.size);
    assert_message("a run of integer keys that is none");
    buffer_free(&b);
  }
  key.number--; /* of the object before it, which has no pages */
  size_t size = layout_put_key(bytes, &key);
  disk_set(w.disk, bytes, size, page->value, page->value_size);
  assert_message("it belongs to no paged table");
  run(w.L, "home.gone = {} assert(commit()) gone = number(home.gone) home.gone = nil assert(commit())");
  lua_getglobal(w.L, "gone");
  key.number = (uint64_t)lua_tointeger(w.L, -1); /* and of none at all */
  lua_settop(w.L, 0);
  size = layout_put_key(bytes, &key);
  disk_set(w.disk, bytes, size, page->value, page->value_size);
  assert_int_equal(hearth_rollback(w.L, w.S, &w.error), HEARTH_DAMAGED);
  assert_non_null(strstr(w.error.message, "it belongs to no paged table"));
  disk_set(w.disk, bytes, size, NULL, 0);
  assert_int_equal(hearth_rollback(w.L, w.S, &w.error), HEARTH_OK);
}

/* --------------------------------------------------------------- adoption */

/* What a rebuilding function gives becomes the live table: its contents, its metatable or none, not its finalizer. */
static void test_what_is_rebuilt_becomes_the_live_table(void **state) {
  (void)state;
  in_new_world(64,
               "local plain, final, finalized = {}, {}, 0\n"
               "function plain.__persist(o) local x = o.x return function() return { x = x } end end\n"
               "function final.__persist(o)\n"
               "  local x = o.x\n"
               "  return function() return setmetatable({ x = x }, final) end\n"
               "end\n"
               "function final.__gc(o) finalized = finalized + 1 end\n"
               "home.final = final\n"
               "local a, b = setmetatable({ x = 1 }, plain), setmetatable({ x = 2 }, final)\n"
               "home.a, home.b = a, b assert(commit())\n"
               "a.x, b.x = 'changed', 'changed' assert(rollback())\n"
               "assert(rawequal(home.a, a) and rawequal(home.b, b))\n"
               "eq(a.x, 1) eq(getmetatable(a), nil) eq(b.x, 2) eq(getmetatable(b), final)\n"
               "collectgarbage() collectgarbage() eq(finalized, 0)\n"
               "home.b, b = nil, nil assert(commit()) collectgarbage() collectgarbage() eq(finalized, 1)\n");
}

/* ------------------------------------------------------------------ names */

static hearth_status scan_fails(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                int *result, hearth_error *err) {
  (void)table, (void)from, (void)from_size, (void)to, (void)to_size, (void)reverse, (void)found, (void)ud, (void)result;
  (void)disk_fail(err, HEARTH_IO);
  (void)snprintf(err->message, sizeof err->message, "%p: cannot read", (void *)disk_of(store));
  return HEARTH_IO;
}

/* The store's name stands before a message, once, whoever wrote it there. */
static void test_the_name_stands_there_once(void **state) {
  (void)state;
  char place[32];
  hearth_backend naming = disk_backend;
  naming.scan = scan_fails;
  world_close(&w);
  (void)snprintf(place, sizeof place, "%p", (void *)w.disk);
  for (int own = 0; own < 2; own++) {
    if (!own) disk_set(w.disk, "m", 1, "", 0);
    assert_true(hearth_open(w.L, own ? &naming : &disk_backend, place, &w.options, &w.S, &w.error) < 0);
    assert_ptr_equal(strstr(w.error.message, place), w.error.message);
    assert_null(strstr(w.error.message + 1, place));
  }
  put_back();
  world_open(&w);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(test_records_of_others),
      CHECK(test_records_of_another_kind),
      CHECK(test_kinds_of_local_objects),
      CHECK(test_missing_entries),
      CHECK(test_strings_that_lack_parts),
      CHECK(test_a_constant_under_two_numbers),
      CHECK(test_pages_that_are_none),
      cmocka_unit_test(test_what_is_rebuilt_becomes_the_live_table),
      CHECK(test_the_name_stands_there_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
