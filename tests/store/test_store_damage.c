/*
** Entries that are not what was written: every byte changed, every prefix, entries that are missing, twice or
** exchanged. Opening gives a value or a clear error.
*/
#include "store_testing.h"

static const char fill[] =
    "local n, shared = 0, { 1 }\n"
    "local class = {} home.class = class\n"
    "function class.__persist(o)\n"
    "  local x, list, z = o.x, { o.x, { true } }, 1\n"
    "  return function() z = x return setmetatable({ x = x, list = nil and list }, class) end\n"
    "end\n"
    "home.up, home.get = function() n = n + 1 return n, print end, function() return n, shared end\n"
    "home.object = setmetatable({ x = 7 }, class)\n"
    "home.point, home.out, home.meta = point(1, 2), io.stdout, "
    "setmetatable({ 1.5, -1, 'two', false }, { __index = shared })\n"
    "home.shape, home.again = { a = 1, b = 'two' }, { a = 2, b = shared }\n"
    "home.big = {} for i = 1, 12 do home.big['k' .. i], home.big[i * 1000] = i, shared end\n"
    "home.text, home.self = ('0123'):rep(30), home\n"
    "home.weak = setmetatable({ [shared] = 1 }, { __mode = 'k' })\n"
    "home.ext = external() home.ext.a = 1\n";

static size_t opened, refused;

/* Opens what the disk delivers; what is there can be walked, rolled back and committed. */
static void look(World *w) {
  hearth_status status = world_try_open(w);
  if (status != HEARTH_OK) {
    refused++;
    assert_null(w->S);
    assert_true(strlen(w->error.message) > 5 && w->error.code == status);
    switch (status) {
      case HEARTH_DAMAGED:
      case HEARTH_VERSION:
      case HEARTH_UNKNOWN:
      case HEARTH_RAISED:
      case HEARTH_REFUSED:
      case HEARTH_CYCLE: break;
      default: fail_msg("%s: %s", hearth_status_name(status), w->error.message);
    }
  } else {
    opened++;
    run(w->L, "pcall(describe, home) rollback() home.z = 1 commit()");
    lua_pushnil(w->L);
    lua_setglobal(w->L, "home");
    world_close(w);
  }
  assert_false(w->disk->open);
  assert_int_equal(lua_gettop(w->L), 0);
}

static void put_back(World *w, const DiskEntries *all) {
  DiskEntries now = disk_entries(w->disk);
  for (size_t i = 0; i < now.count; i++) disk_set(w->disk, now.entries[i].key, now.entries[i].key_size, NULL, 0);
  for (size_t i = 0; i < all->count; i++)
    disk_set(w->disk, all->entries[i].key, all->entries[i].key_size, all->entries[i].value, all->entries[i].value_size);
  disk_free_entries(&now);
}

/* What a damaged store writes is forgotten. */
static void look_once(World *w, const DiskEntries *all) {
  size_t batches = w->disk->batches;
  look(w);
  if (w->disk->batches == batches) return;
  put_back(w, all);
}

static void renew_state(World *w) {
  world_end_state(w);
  world_begin_state(w);
}

static DiskEntries begin(World *w) {
  world_init(w, 64);
  run(w->L, fill);
  run(w->L, "assert(commit()) kept()");
  renew_state(w);
  opened = refused = 0;
  return disk_entries(w->disk);
}

static const unsigned ways[] = {0, HEARTH_STORE_NO_FUNCTIONS, HEARTH_STORE_PLACEHOLDERS};

#define WAYS (sizeof ways / sizeof *ways)

/* Functions that were changed may not run, whatever the change: a rebuilding function is run by opening. */
static void test_every_byte(void **state) {
  (void)state;
  static const unsigned char flips[] = {0x01, 0x80, 0xff, 0x10, 0x40};
  World w;
  DiskEntries all = begin(&w);
  size_t steps = rounds(40) / 40;
  for (size_t way = 0; way < WAYS; way++) {
    w.options.flags = ways[way];
    for (size_t f = 0; f < sizeof flips; f++)
      for (size_t i = 0; i < all.count; i++) {
        for (size_t k = way + f == 0 || steps > 0 ? 0 : i % 7; k < all.entries[i].value_size; k += steps > 0 ? 1 : 7) {
          disk_mend(w.disk);
          w.disk->changed = i;
          w.disk->at = k;
          w.disk->flip = flips[f];
          look_once(&w, &all);
        }
        if (i % 8 == 0) renew_state(&w);
      }
  }
  assert_true(opened > 50 && refused > 500);
  disk_mend(w.disk);
  disk_free_entries(&all);
  world_free(&w);
}

static void test_every_prefix(void **state) {
  (void)state;
  World w;
  DiskEntries all = begin(&w);
  for (size_t way = 0; way < WAYS; way++) {
    w.options.flags = ways[way];
    for (size_t i = 0; i < all.count; i++) {
      for (size_t k = 0; k < all.entries[i].value_size; k++) {
        disk_mend(w.disk);
        w.disk->cut = i;
        w.disk->left = k;
        look_once(&w, &all);
      }
      renew_state(&w);
    }
  }
  assert_int_equal(opened, 0); /* what is cut is seen, always */
  disk_mend(w.disk);
  disk_free_entries(&all);
  world_free(&w);
}

static void test_missing_and_twice(void **state) {
  (void)state;
  World w;
  DiskEntries all = begin(&w);
  for (size_t i = 0; i < all.count; i++) {
    disk_mend(w.disk);
    w.disk->missing = i;
    size_t before = refused;
    look_once(&w, &all);
    if (refused == before) /* every entry is needed */
      fail_msg("entry %zu of kind %c is missing, of %zu bytes", i, all.entries[i].key[0], all.entries[i].key_size);
    disk_mend(w.disk);
    w.disk->twice = i;
    look_once(&w, &all);
    if (refused == before + 1)
      fail_msg("entry %zu of kind %c is there twice, of %zu bytes", i, all.entries[i].key[0], all.entries[i].key_size);
    renew_state(&w);
  }
  disk_mend(w.disk);
  disk_free_entries(&all);
  world_free(&w);
}

static void test_exchanged(void **state) {
  (void)state;
  World w;
  DiskEntries all = begin(&w);
  for (size_t i = 0; i < all.count; i++) {
    for (size_t k = 0; k < i; k++) {
      disk_mend(w.disk);
      w.disk->swapped[0] = i;
      w.disk->swapped[1] = k;
      look_once(&w, &all);
    }
    renew_state(&w);
  }
  assert_true(refused > opened);
  disk_mend(w.disk);
  disk_free_entries(&all);
  world_free(&w);
}

/* Keys that nobody writes, and entries of other objects' numbers. */
static void test_strange_keys(void **state) {
  (void)state;
  static const struct {
    const char *key;
    size_t size;
  } keys[] = {{"", 0},   {"a", 1},   {"m\0", 2},          {"mm", 2},           {"o", 1},
              {"c", 1},  {"x", 1},   {"o\0\0\0\0\0\1", 7}, {"c\0\0\0\0\0\0\0\0", 9}, {"o\0\0\0\0\0\0\0\0", 9},
              {"o\0\0\0\0\0\0\0", 8}, {"c\0\0\0\0\0\0\0", 8}, {"x\0\0\0\0\0\0\0", 8},
              {"o\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\0\0", 18}, {"o\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\101", 18},
              {"o\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0", 18}, {"c\1\1\1\1\1\1\1\0\0\0\0", 12},
              {"o\377\377\377\377\377\377\377", 8}, {"x\377\377\377\377\377\377\377", 8}};
  static const char *const values[] = {"", "\1", "\7\0", "\10", "\1\1\1", "\11\377\377\377\377\17", "\12\1\1\1"};
  World w;
  DiskEntries all = begin(&w);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
      disk_set(w.disk, keys[i].key, keys[i].size, values[k], strlen(values[k]));
      look(&w);
      put_back(&w, &all);
    }
  assert_true(refused > opened);
  disk_free_entries(&all);
  world_free(&w);
}

/* A rollback that reads damage changes nothing: the program goes on and can save elsewhere. */
static void test_in_a_rollback(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  run(w.L, fill);
  run(w.L, "home.object = nil assert(commit()) text = describe(home) home.x, home.shape.a = { 'new' }, nil home.up()");
  char *changed = world_describe(&w);
  DiskEntries all = disk_entries(w.disk);
  for (size_t i = 0; i < all.count; i++)
    for (size_t k = 0; k < all.entries[i].value_size; k++) {
      disk_mend(w.disk);
      w.disk->cut = i;
      w.disk->left = k;
      hearth_status status = hearth_rollback(w.L, w.S, &w.error);
      if (status != HEARTH_DAMAGED) fail_msg("entry %zu cut to %zu: %s", i, k, w.error.message);
      char *now = world_describe(&w);
      assert_string_equal(now, changed);
      free(now);
    }
  disk_mend(w.disk);
  run(w.L, "assert(rollback()) same(text) unchanged() home.x = 1 assert(commit()) kept()");
  free(changed);
  disk_free_entries(&all);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_byte),      cmocka_unit_test(test_every_prefix),
      cmocka_unit_test(test_missing_and_twice), cmocka_unit_test(test_exchanged),
      cmocka_unit_test(test_strange_keys),    cmocka_unit_test(test_in_a_rollback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
