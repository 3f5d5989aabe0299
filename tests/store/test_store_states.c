/*
** Several stores, several Lua states, readers beside a writer, and the ends of all of them.
*/
#include "../backends/folder.h"
#include "store_testing.h"

static hearth_store *open_at(World *w, const hearth_backend *backend, const char *place, unsigned flags) {
  hearth_store *S;
  w->options.flags = flags;
  if (hearth_open(w->L, backend, place, &w->options, &S, &w->error) != HEARTH_OK) fail_msg("%s", w->error.message);
  return S;
}

static void set_home(World *w, hearth_store *S, const char *name) {
  hearth_push_home(w->L, S);
  lua_setglobal(w->L, name);
}

/* -------------------------------------------------------------- the ends */

static void test_lua_close(void **state) {
  (void)state;
  for (int pending = 0; pending < 2; pending++) {
    World w;
    world_init(&w, 64);
    run(w.L, "home.x, home.e = { 1 }, external() home.e.a = 1 env = {} alias(2) assert(install(env)) assert(commit())");
    if (pending) run(w.L, "home.x[2], home.y, home.e.b = 2, function() return home end, 2 keep = home.e");
    world_end_state(&w); /* closes the disk, loses nothing but what was not committed */
    assert_false(w.disk->open);
    world_begin_state(&w);
    world_open(&w);
    run(w.L, "eq(home.x[1], 1) eq(home.x[2], nil) eq(home.y, nil) eq(home.e.a, 1) eq(home.e.b, nil)");
    world_free(&w);
  }
}

/* Finalizers that run while the Lua state is closed find a closed store, in whatever order. */
static void test_finalizers_at_the_end(void **state) {
  (void)state;
  for (int order = 0; order < 2; order++) {
    World w;
    memset(&w, 0, sizeof w);
    world_init(&w, 0);
    if (order == 1) world_close(&w);
    run(w.L, "codes = {} finalized = setmetatable({}, { __gc = function()\n"
             "  codes[#codes + 1] = tostring(select(3, commit())) codes[#codes + 1] = tostring(select(3, rollback()))\n"
             "  close() pcall(function() return home.e.a end) pcall(function() return home.e end)\n"
             "end })");
    if (order == 1) world_open(&w);
    run(w.L, "home.x, home.e = 1, external() home.e.a = 1 assert(commit()) home.x = 2");
    world_end_state(&w);
    assert_false(w.disk->open);
    disk_free(&w.own);
  }
}

static int collect_garbage(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

static hearth_store *closing;

static int close_it(lua_State *L) {
  lua_pushinteger(L, hearth_close(L, closing));
  return 1;
}

/* A finalizer that closes the store in the collection that compact begins with. */
static void test_closed_by_a_finalizer(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  closing = w.S;
  lua_register(w.L, "close_it", close_it);
  run(w.L, "home.x = 1 assert(commit()) setmetatable({}, { __gc = function() close_it() end })");
  assert_int_equal(hearth_compact(w.L, w.S, 0, &w.error), HEARTH_CLOSED);
  assert_false(w.disk->open);
  lua_pushcfunction(w.L, collect_garbage);
  lua_call(w.L, 0, 0);
  world_open(&w);
  run(w.L, "eq(home.x, 1)");
  world_free(&w);
}

static void test_opened_in_a_coroutine(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, "home.x = 1 assert(commit())");
  world_close(&w);
  lua_State *thread = lua_newthread(w.L), *main_thread = w.L;
  w.L = thread;
  world_open(&w);
  w.L = main_thread;
  lua_settop(w.L, 0);
  run(w.L, "churn() churn()"); /* the coroutine is gone */
  run(w.L, "home.y = { 2 } assert(commit()) coroutine.wrap(function() home.z = 3 assert(commit()) "
           "assert(rollback()) end)()\n"
           "eq(coroutine.wrap(function() return transaction(function() home.z = 4 return 'done' end) end)(), 'done') "
           "kept()");
  thread = lua_newthread(w.L);
  assert_int_equal(hearth_close(thread, w.S), HEARTH_OK);
  lua_settop(w.L, 0);
  world_free(&w);
}

static void test_close_twice(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  assert_int_equal(hearth_close(w.L, NULL), HEARTH_OK);
  run(w.L, "home.x = 1");
  world_close(&w);
  run(w.L, "eq(home.x, 1) home.y = 2 churn()");
  world_open(&w);
  run(w.L, "eq(next(home), nil)"); /* closing does not commit */
  world_free(&w);
}

/* ---------------------------------------------------------------- several */

static void test_several_states(void **state) {
  (void)state;
  enum { COUNT = 4 };
  static World w[COUNT];
  for (int i = 0; i < COUNT; i++) world_init(&w[i], i % 2 == 0 ? 64 : 0);
  for (int round = 0; round < 5; round++)
    for (int i = 0; i < COUNT; i++) {
      lua_pushinteger(w[i].L, i * 100 + round);
      lua_setglobal(w[i].L, "n");
      run(w[i].L, "home.n, home['k' .. n] = n, { n, function() return n end } assert(commit()) churn() kept()");
    }
  for (int i = 0; i < COUNT; i++) {
    run(w[i].L, "local c = 0 for k in next, home do c = c + 1 end eq(c, 6) eq(home['k' .. n][1], n)");
    world_free(&w[i]);
  }
}

/* Two stores in one Lua state hold the same objects, each by its own numbers. */
static void test_several_stores(void **state) {
  (void)state;
  World w;
  Disk other;
  char place[32];
  world_init(&w, 0);
  disk_init(&other);
  (void)snprintf(place, sizeof place, "%p", (void *)&other);
  hearth_store *S = open_at(&w, &disk_backend, place, 0);
  set_home(&w, S, "home2");
  run(w.L, "local n = 0 local t = { 1 } shared = t\n"
           "home.t, home2.u, home.f, home2.f = t, t, function() n = n + 1 return n end, nil home2.f = home.f\n"
           "assert(commit())");
  assert_int_equal(hearth_commit(w.L, S, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
  run(w.L, "shared[2] = 2 home.f() assert(rollback()) eq(shared[2], nil) eq(home2.u, shared) eq(home2.f, home.f)");
  size_t batches = other.batches;
  assert_int_equal(hearth_commit(w.L, S, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
  assert_int_equal(other.batches, batches); /* what the other's rollback undid is undone here, too */
  /* one store's home in the other is a table as any */
  run(w.L, "shared[2], home2.mine = 2, { home } assert(commit())");
  assert_int_equal(hearth_commit(w.L, S, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
  run(w.L, "home2.ext = external()"); /* but an external table belongs to one store */
  assert_int_equal(hearth_commit(w.L, S, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_FOREIGN);
  assert_string_equal(w.error.path, "_home.ext");
  run(w.L, "home2.ext = nil churn()");
  assert_int_equal(hearth_close(w.L, S), HEARTH_OK);
  run(w.L, "churn() assert(commit()) kept()");
  world_end_state(&w);
  world_begin_state(&w);
  S = open_at(&w, &disk_backend, place, 0);
  set_home(&w, S, "home2");
  run(w.L, "eq(home2.u[2], 2) eq(home2.mine[1].t, home2.u) eq(home2.f(), 1)");
  assert_int_equal(hearth_close(w.L, S), HEARTH_OK);
  world_end_state(&w);
  disk_free(&other);
  disk_free(&w.own);
}

/* ---------------------------------------------------------------- readers */

static void test_read_only(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  run(w.L, "home.x, home.e = { 1 }, external() home.e.a = 1 assert(commit())");
  world_close(&w);
  w.options.flags = HEARTH_OPEN_READONLY;
  size_t batches = w.disk->batches;
  world_open(&w);
  run(w.L, "eq(home.x[1], 1) unchanged() home.x[2] = 2\n"
           "fails('readonly', nil, commit()) eq(home.x[2], 2)\n"
           "fails('readonly', nil, transaction(function() end))\n"
           "assert(not pcall(external)) assert(not pcall(function() home.e.a = 2 end)) eq(home.e.a, 1)\n"
           "assert(rollback()) eq(home.x[2], nil) assert(commit())\n");
  assert_int_equal(hearth_compact(w.L, w.S, 0, &w.error), HEARTH_READONLY);
  assert_int_equal(w.disk->batches, batches);
  world_free(&w);
}

/* A reader beside a writer, both in this process, over a file. */
static void test_refresh(void **state) {
  (void)state;
  char folder[512], path[600];
  folder_make(folder, sizeof folder);
  (void)snprintf(path, sizeof path, "%s/world.hearth", folder);
  World w, r;
  world_init(&w, 0);
  world_init(&r, 0);
  hearth_store *writer = open_at(&w, &hearth_file_backend, path, 0);
  set_home(&w, writer, "home");
  run(w.L, "local n = 0 local meta = {} home.meta = meta\n"
           "function meta.__persist(o) local x = o.x return function() return setmetatable({ x = x }, meta) end end\n"
           "home.t, home.big, home.f, home.g = { 1, k = {} }, {}, function() n = n + 1 "
           "return n end, function() return n end\n"
           "home.o, home.p = setmetatable({ x = 1 }, meta), point(1, 2)\n"
           "for i = 1, 2000 do home.big[i] = i end");
  assert_int_equal(hearth_commit(w.L, writer, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
  hearth_store *reader = open_at(&r, &hearth_file_backend, path, HEARTH_OPEN_READONLY);
  set_home(&r, reader, "home");
  run(r.L, "first, t, big, f, o, p = home, home.t, home.big, home.f, home.o, home.p eq(home.g(), 0) eq(t[1], 1)");
  for (int round = 1; round <= 5; round++) {
    lua_pushinteger(w.L, round);
    lua_setglobal(w.L, "round");
    run(w.L, "home.t[1], home.t['k' .. round], home.big[round * 300] = round, { round }, 'changed' home.f() "
             "home.o.x = round\n"
             "home.t.k = nil home.h = function() return round, home end home.p = round > 3 and point(3, 4) or home.p\n"
             "if round == 4 then setmetatable(home.o, nil) end if round == 5 then home.t = 'no table any more' end");
    assert_int_equal(hearth_commit(w.L, writer, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
    run(r.L, "home.dirt, home.t[99] = {}, 1"); /* what a reader changes does not last */
    if (hearth_refresh(r.L, reader, &r.error) != HEARTH_OK) fail_msg("%s", r.error.message);
    lua_pushinteger(r.L, round);
    lua_setglobal(r.L, "round");
    run(r.L, "eq(home, first) eq(home.big, big) eq(home.f, f) eq(home.dirt, nil) eq(home.g(), round) "
             "eq(big[round * 300], 'changed')\n"
             "eq(home.o, o) eq(o.x, round) eq(getmetatable(o), round < 4 and home.meta or nil)\n"
             "if round < 5 then eq(home.t, t) eq(t[99], nil) eq(t[1], round) eq(t['k' .. round][1], round) "
             "eq(t.k, nil) else eq(home.t, 'no table any more') end\n"
             "eq(home.h(), round) eq(select(2, home.h()), home) eq(coordinates(home.p), round > 3 and 3.0 or 1.0)");
    if (hearth_refresh(r.L, reader, &r.error) != HEARTH_OK) fail_msg("%s", r.error.message);
  }
  assert_int_equal(hearth_refresh(w.L, writer, &w.error), HEARTH_INVALID);
  char *theirs, *ours;
  run(w.L, "home.p, home.h = nil, nil");
  assert_int_equal(hearth_commit(w.L, writer, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
  assert_int_equal(hearth_refresh(r.L, reader, &r.error), HEARTH_OK);
  theirs = world_describe(&r);
  ours = world_describe(&w);
  assert_string_equal(theirs, ours);
  free(theirs);
  free(ours);
  assert_int_equal(hearth_close(r.L, reader), HEARTH_OK);
  assert_int_equal(hearth_close(w.L, writer), HEARTH_OK);
  world_free(&w);
  world_free(&r);
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lua_close),
      cmocka_unit_test(test_finalizers_at_the_end),
      cmocka_unit_test(test_closed_by_a_finalizer),
      cmocka_unit_test(test_opened_in_a_coroutine),
      cmocka_unit_test(test_close_twice),
      cmocka_unit_test(test_several_states),
      cmocka_unit_test(test_several_stores),
      cmocka_unit_test(test_read_only),
      cmocka_unit_test(test_refresh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
