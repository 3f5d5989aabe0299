/*
** Stores that hold what no commit writes: special objects that need each other. Opening refuses them, and verify,
** which has no Lua, says why.
**
** They are made from tables { 0, value }: in a store such a record, with another head, is that of a special object of
** the type named 2, without local objects, that the value stands for.
*/
#include "store_testing.h"

#include "verify.h"

static void make_special(Disk *d) {
  DiskEntries all = disk_entries(d);
  for (size_t i = 0; i < all.count; i++) {
    DiskEntry *e = &all.entries[i];
    if (e->key[0] != LAYOUT_OBJECT || e->value_size < 3 || memcmp(e->value, "\x11\x02\x00", 3) != 0) continue;
    e->value[0] = OBJECT_SPECIAL | HEAD_TYPED;
    disk_set(d, e->key, e->key_size, e->value, e->value_size);
  }
  disk_free_entries(&all);
}

static void on_problem(void *ud, const char *message) {
  World *w = ud;
  size_t used = strlen(w->warnings);
  (void)snprintf(w->warnings + used, sizeof w->warnings - used, "%s\n", message);
}

static void on_step(void *ud, uint64_t done) {
  (void)ud, (void)done;
}

/* The problems are appended to the world's warnings. */
static hearth_status verify(World *w, const hearth_allocator *allocator) {
  View v;
  hearth_error e;
  ViewVerify run_of = {.problem = on_problem, .step = on_step, .ud = w};
  w->warnings[0] = '\0';
  hearth_status status = view_open_store(&v, &hearth_memory_backend, w->disk->memory, allocator, &e);
  if (status == HEARTH_OK) status = view_verify(&v, &run_of, &e);
  view_close(&v);
  return status;
}

static const char hooked[] = "local class = {} home.class = class\n"
                             "function class.__persist(o)\n"
                             "  local x = o.x return function() return setmetatable({ x = x }, class) end\n"
                             "end\n"
                             "local function hooked(x) return setmetatable({ x = x }, class) end\n";

/* What the code makes is committed; then the tables become special objects. */
static void make_store(World *w, const char *code) {
  char whole[1024];
  (void)snprintf(whole, sizeof whole, "%s%s assert(commit())\n", hooked, code);
  world_init(w, 64);
  run(w->L, whole);
  world_close(w);
  assert_int_equal(verify(w, &hearth_libc_allocator), HEARTH_OK);
  assert_string_equal(w->warnings, "");
  make_special(w->disk);
}

/* Afterwards the world has a new store, so that it can be freed. */
static void drop_store(World *w) {
  disk_free(w->disk);
  disk_init(w->disk);
  world_open(w);
  world_free(w);
}

static const char *const cycles[] = {
    "home.t = { 0 } home.t[2] = home.t",
    "home.t = { 0 } home.t[2] = { 0, home.t }",
    "local t = { 0 } home.t = t t[2] = function() return t end",
    "local t = { 0 } home.t = t t[2] = hooked(t)", /* over the hooked object's own function and cell */
    "local t = { 0 } local function f() return t end home.f, home.h, t[2] = f, hooked(f), { 0, f }",
    "local t = { 0 } home.list = { hooked({}), t } t[2] = hooked(function() return t end)",
};

static const char *const sound[] = {
    "home.t = { 0, {} } home.t[2][1] = home.t",
    "home.t = { 0, { 0, { 0, home } } }",
    "local t = { 0 } t[2] = hooked({ t }) home.t = t",
    "local function f() return f end home.t, home.h = { 0, f }, hooked(f)",
    "local t = setmetatable({}, { __mode = 'k' }) t[home] = { 0, t } home.t = t home.h = hooked(t)",
};

static void test_cycles(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cycles / sizeof *cycles; i++) {
    World w;
    make_store(&w, cycles[i]);
    assert_int_equal(verify(&w, &hearth_libc_allocator), HEARTH_OK);
    if (strstr(w.warnings, "rebuilding functions need each other's results\n") == NULL)
      fail_msg("%s: '%s'", cycles[i], w.warnings);
    assert_int_equal(world_try_open(&w), HEARTH_CYCLE);
    assert_non_null(strstr(w.error.message, "rebuilding functions need each other's results"));
    drop_store(&w);
  }
}

static void test_none(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
    World w;
    make_store(&w, sound[i]);
    assert_int_equal(verify(&w, &hearth_libc_allocator), HEARTH_OK);
    assert_string_equal(w.warnings, "");
    assert_int_equal(world_try_open(&w), HEARTH_UNKNOWN); /* the type named 2 */
    drop_store(&w);
  }
}

typedef struct Meagre {
  size_t left;
} Meagre;

static void *meagre_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Meagre *m = ud;
  if (nsize > 0 && m->left == 0) return NULL;
  if (nsize > 0) m->left--;
  return hearth_libc_allocator.alloc(hearth_libc_allocator.ud, ptr, osize, nsize);
}

static void test_without_memory(void **state) {
  (void)state;
  World w;
  make_store(&w, cycles[3]);
  hearth_status status = HEARTH_NOMEM;
  for (size_t left = 0; status != HEARTH_OK; left++) {
    Meagre m = {left};
    status = verify(&w, &(hearth_allocator){meagre_alloc, &m});
    assert_true(status == HEARTH_OK || status == HEARTH_NOMEM);
  }
  assert_non_null(strstr(w.warnings, "rebuilding functions need each other's results\n"));
  drop_store(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cycles),
      cmocka_unit_test(test_none),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
