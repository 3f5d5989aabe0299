/*
** Memory running out at every request: the call answers NOMEM and nothing changed, in Lua and on the disk;
** afterwards everything works and nothing is lost.
*/
#include "store_testing.h"

static const char fill[] =
    "local n, shared = 0, { 1 }\n"
    "local Account, Vector = home.Account or {}, home.Vector or {}\n"
    "home.Account, home.Vector = Account, Vector\n"
    "Account.__index = Account\n"
    "function Vector.__persist(v)\n"
    "  local x, local_table = v.x, { v.x, {} }\n"
    "  local cell = function() return x end\n"
    "  return function() return setmetatable({ x = local_table[1], f = cell and nil }, Vector) end\n"
    "end\n"
    "home.up, home.get = function() n = n + 1 return n end, function() return n, shared end\n"
    "home.account = setmetatable({ balance = 10, owner = shared }, Account)\n"
    "home.vectors = { setmetatable({ x = 1 }, Vector), setmetatable({ x = 2 }, Vector) }\n"
    "home.point, home.out = point(1, 2), io.stdout\n"
    "home.spawn, home.class = game.spawn, setmetatable({ n = 'name' }, game.Class)\n"
    "home.big = {}\n"
    "for i = 1, 40 do home.big['key' .. i] = 'value' .. i end\n"
    "for i = -20, 20 do home.big[i * i * i] = i end\n"
    "home.row = {} for i = 1, 150 do home.row[i] = i * i end\n"
    "home.text = ('0123456789'):rep(300)\n"
    "home.weak = setmetatable({ [shared] = 'kept', { 1 } }, { __mode = 'k' })\n"
    "home.ext = external() home.ext[1], home.ext.k = 'one', 2\n"
    /* tables without room: what was taken out of them and replaced needs memory to come back */
    "home.full = {} for i = 1, 8 do home.full[i] = { a = i, b = i, c = i, d = i } end\n"
    "home.stable = home.stable or point(9, 9) stable = stable or home.stable\n"
    "home.self = home\n";

static const char change[] =
    "local Account, Vector = home.Account, home.Vector\n"
    "home.up() home.up()\n"
    "home.account.balance, home.account.new = 11, { { 'new' } }\n"
    "setmetatable(home.account, nil) setmetatable(home.weak, Account)\n"
    "home.vectors[1].x, home.vectors[3] = 5, setmetatable({ x = 3 }, Vector)\n"
    "home.point = point(3, 4)\n"
    "for i = 1, 40, 3 do home.big['key' .. i] = nil end\n"
    "for i = 1, 30 do home.big['other' .. i] = { i } end\n"
    "for i = 60, 90 do home.row[i] = -i end\n"
    "home.text, home.list = ('abcdefghij'):rep(500), { 1, 2, 3 }\n"
    "local m = 0 home.f, home.g = function() m = m + 1 return m end, function() return m end\n"
    "debug.upvaluejoin(home.get, 1, home.f, 1)\n"
    "home.class, home.self = nil, nil\n"
    "for i = 1, 8 do local t = home.full[i] t.a, t.b, t.c, t.d = nil t.e, t.f, t.g, t.h = 1, 2, 3, 4 end\n"
    "home.ext[2] = 'two'\n";

typedef hearth_status (*Call)(World *w);

static hearth_status call_commit(World *w) {
  return hearth_commit(w->L, w->S, HEARTH_DEFAULT_DURABILITY, &w->error);
}

static hearth_status call_rollback(World *w) {
  return hearth_rollback(w->L, w->S, &w->error);
}

static hearth_status call_transaction(World *w) {
  lua_pushcfunction(w->L, world_lua_batches); /* a function that changes nothing */
  hearth_status status = hearth_transaction(w->L, w->S, 0, 0, &w->error);
  if (status == HEARTH_RAISED) lua_pop(w->L, 1);
  return status;
}

/* Calls with the n-th request failing, and more after it. */
static hearth_status call_failing(World *w, Call call, size_t n, size_t more) {
  int top = lua_gettop(w->L);
  world_fail(w, n, more);
  hearth_status status = call(w);
  world_mend(w);
  assert_int_equal(lua_gettop(w->L), top);
  return status;
}

static void assert_same_text(World *w, const char *expected, size_t n) {
  char *now = world_describe(w);
  size_t line = 0, i = 0;
  for (; now[i] != '\0' && now[i] == expected[i]; i++)
    if (now[i] == '\n') line = i + 1;
  if (now[i] != expected[i])
    fail_msg("request %zu: %.*s instead of %.*s", n, (int)strcspn(now + line, "\n"), now + line,
             (int)strcspn(expected + line, "\n"), expected + line);
  free(now);
}

/*
** Every failure must leave everything as it was. Lua does without some requests; then the call succeeds, and
** what it did is done `again`, to go on with the next.
*/
static void fail_everywhere(World *w, Call call, size_t more, const char *again) {
  char *before = world_describe(w);
  size_t batches = w->disk->batches, operations = w->disk->operations, failed = 0;
  for (size_t n = 0;; n++) {
    uint64_t next = w->S->heap.next_number;
    hearth_status status = call_failing(w, call, n, more);
    assert_int_equal(lua_gc(w->L, LUA_GCISRUNNING), 1);
    assert_true(w->S->heap.next_number >= next);
    if (status == HEARTH_OK && !w->failed) break; /* none was left to fail */
    if (status == HEARTH_OK) {
      run(w->L, again);
      free(before);
      before = world_describe(w);
      batches = w->disk->batches;
      operations = w->disk->operations;
      continue;
    }
    failed++;
    if (status != HEARTH_NOMEM) fail_msg("request %zu: %s", n, w->error.message);
    assert_int_equal(w->disk->batches, batches);
    assert_int_equal(w->disk->operations, operations);
    assert_same_text(w, before, n);
  }
  assert_true(failed > 10);
  free(before);
}

/* What another process finds is what is here. */
static void assert_stored(World *w) {
  char *text = world_describe(w);
  run(w->L, "unchanged()");
  world_restart(w);
  assert_same_text(w, text, 0);
  run(w->L, "unchanged('reopened')");
  free(text);
}

static void check_commit(size_t more) {
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  fail_everywhere(&w, call_commit, more, fill); /* the first */
  assert_stored(&w);
  run(w.L, fill);
  assert_int_equal(call_commit(&w), HEARTH_OK);
  run(w.L, change);
  fail_everywhere(&w, call_commit, more, "home.again = { function() return again end }");
  assert_stored(&w);
  fail_everywhere(&w, call_commit, more, ""); /* one that writes nothing */
  run(w.L, "for k in next, home do home[k] = nil end");
  fail_everywhere(&w, call_commit, more, "home.again = {} assert(commit()) home.again = nil");
  assert_stored(&w);
  world_free(&w);
}

static void test_commit(void **state) {
  (void)state;
  check_commit(1);
  check_commit(NEVER);
}

/* What hooks rebuild is made anew, by Lua code: see test_rollback_with_hooks. */
static const char unhook[] = "home.vectors, home.point = { { x = 1 }, { x = 2 } }, nil";
static const char unhook_changed[] = "home.vectors, home.point = { { x = 5 }, 3 }, 7";

static void check_rollback(size_t more) {
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  run(w.L, unhook);
  assert_int_equal(call_commit(&w), HEARTH_OK);
  for (int round = 0; round < 2; round++) {
    run(w.L, "home.ext[2] = nil assert(commit())");
    char *committed = world_describe(&w);
    run(w.L, change);
    run(w.L, unhook_changed);
    char again[sizeof change + sizeof unhook_changed];
    (void)snprintf(again, sizeof again, "%s%s", change, unhook_changed);
    fail_everywhere(&w, call_rollback, more, again);
    assert_same_text(&w, committed, 0);
    run(w.L, "unchanged('after the rollback') eq(home.ext[2], nil)");
    fail_everywhere(&w, call_rollback, more, ""); /* of nothing */
    free(committed);
    if (round == 0) world_restart(&w);
  }
  assert_stored(&w);
  world_free(&w);
}

static void test_rollback(void **state) {
  (void)state;
  check_rollback(1);
  check_rollback(NEVER);
}

/*
** Where rebuilding functions ran, the graph may be between the two; then it is not stored before a rollback succeeded.
*/
static void test_rollback_with_hooks(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  assert_int_equal(call_commit(&w), HEARTH_OK);
  char *committed = world_describe(&w), *changed;
  run(w.L, change);
  changed = world_describe(&w);
  size_t batches = w.disk->batches, n = 0;
  for (;; n++) {
    hearth_status status = call_failing(&w, call_rollback, n, 1);
    if (status == HEARTH_OK && !w.failed) break;
    run(w.L, "eq(home.stable, stable)"); /* a userdata that did not change is not made anew for want of memory */
    if (status == HEARTH_OK) {
      assert_same_text(&w, committed, n);
      run(w.L, change);
      free(changed);
      changed = world_describe(&w);
      continue;
    }
    if (status != HEARTH_NOMEM && status != HEARTH_RAISED) fail_msg("request %zu: %s", n, w.error.message);
    char *now = world_describe(&w);
    if (strcmp(now, changed) != 0) {
      status = call_commit(&w);
      if (strcmp(now, committed) != 0 || status == HEARTH_OK) assert_int_equal(status, HEARTH_STALE);
      assert_int_equal(w.disk->batches, batches);
      assert_int_equal(call_rollback(&w), HEARTH_OK);
      assert_same_text(&w, committed, n);
      run(w.L, "unchanged()");
      run(w.L, change);
      free(changed);
      changed = world_describe(&w);
    }
    free(now);
  }
  assert_same_text(&w, committed, n);
  assert_stored(&w);
  free(committed);
  free(changed);
  world_free(&w);
}

static void test_rollback_before_any_commit(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, "empty = describe(home) home.x, home.y = 1, { 2 }");
  fail_everywhere(&w, call_rollback, 1, "home.x, home.y = 1, { 2 }");
  run(w.L, "same(empty) home.x = 1 assert(commit()) kept()");
  world_free(&w);
}

static void test_transaction(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  assert_int_equal(call_commit(&w), HEARTH_OK);
  char *before = world_describe(&w);
  for (size_t n = 0;; n++) {
    hearth_status status = call_failing(&w, call_transaction, n, 1);
    if (status == HEARTH_OK && !w.failed) break;
    if (status == HEARTH_OK) continue;
    if (status != HEARTH_NOMEM && status != HEARTH_RAISED) fail_msg("request %zu: %s", n, w.error.message);
    assert_same_text(&w, before, n);
  }
  run(w.L, change);
  hearth_status status = call_failing(&w, call_transaction, 3, NEVER);
  assert_int_equal(status, HEARTH_NOMEM);
  assert_int_equal(call_transaction(&w), HEARTH_OK);
  assert_stored(&w);
  free(before);
  world_free(&w);
}

/* ------------------------------------------------------- opening, closing */

static void collect(World *w) {
  for (int i = 0; i < 3; i++) lua_gc(w->L, LUA_GCCOLLECT);
}

static void check_open(size_t more) {
  World w;
  world_init(&w, 256);
  run(w.L, fill);
  assert_int_equal(call_commit(&w), HEARTH_OK);
  char *text = world_describe(&w);
  run(w.L, "home = nil");
  world_close(&w);
  world_open(&w); /* so that everything is there that stays */
  run(w.L, "home = nil");
  world_close(&w);
  collect(&w);
  size_t used = w.memory.used, n = 0;
  for (;; n++) {
    char place[32];
    (void)snprintf(place, sizeof place, "%p", (void *)w.disk);
    world_fail(&w, n, more);
    hearth_status status = hearth_open(w.L, &disk_backend, place, &w.options, &w.S, &w.error);
    world_mend(&w);
    assert_int_equal(lua_gettop(w.L), 0);
    assert_int_equal(lua_gc(w.L, LUA_GCISRUNNING), 1);
    if (status == HEARTH_OK && !w.failed) break;
    if (status == HEARTH_OK) {
      world_close(&w);
      collect(&w);
      continue;
    }
    if (status != HEARTH_NOMEM) fail_msg("request %zu: %s", n, w.error.message);
    assert_null(w.S);
    assert_false(w.disk->open);
    collect(&w);
    if (w.memory.used > used) fail_msg("request %zu: %zu bytes instead of %zu", n, w.memory.used, used);
  }
  assert_true(n > 100);
  hearth_push_home(w.L, w.S);
  lua_setglobal(w.L, "home");
  assert_same_text(&w, text, n);
  run(w.L, "unchanged()");
  free(text);
  world_free(&w);
}

static void test_open(void **state) {
  (void)state;
  check_open(1);
  check_open(NEVER);
}

/*
** Where there is no external table, room is made at once for all entries, and then for what is known of each: the first
** request is known by its size. The loops above may step over them, and `fill` has an external table.
*/
static void check_open_without_room(bool entries) {
  World w;
  world_init(&w, 256);
  run(w.L, "for i = 1, 500 do home[i] = {i} end");
  assert_int_equal(call_commit(&w), HEARTH_OK);
  world_close(&w);
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_memory_backend.stat(w.disk->memory, &stat, NULL), HEARTH_OK);
  w.failed = false;
  w.fail_size = (size_t)stat.live_bytes;
  w.fail_behind = entries;
  assert_int_equal(world_try_open(&w), HEARTH_NOMEM);
  assert_true(w.failed);
  if (entries) assert_int_equal(w.failed_size % (size_t)stat.entries, 0); /* all at once, not as they come */
  if (entries) assert_true(w.failed_size / (size_t)stat.entries >= sizeof(LayoutKey));
  w.fail_size = 0;
  world_mend(&w);
  world_open(&w);
  run(w.L, "for i = 1, 500 do assert(home[i][1] == i) end");
  world_free(&w);
}

static void test_open_without_room(void **state) {
  (void)state;
  check_open_without_room(false);
  check_open_without_room(true);
}

static hearth_status call_install(World *w) {
  lua_getglobal(w->L, "environment");
  hearth_status status = hearth_install_at(w->L, w->S, -1, &w->error);
  lua_pop(w->L, 1);
  return status;
}

/* A failed install leaves nothing behind: neither names nor the promise that _home is there. */
static void test_install(void **state) {
  (void)state;
  for (hearth_alias alias = HEARTH_ALIAS_OFF; alias <= HEARTH_ALIAS_TRACK; alias++) {
    World w;
    world_init(&w, 256);
    w.options.alias = alias;
    run(w.L, "home.f = function() return marker end home.x = 1 assert(commit()) reopen()");
    run(w.L, "environment = { marker = 'there' } marker = 'here' before = describe(home)");
    size_t n = 0;
    for (;; n++) {
      hearth_status status = call_failing(&w, call_install, n, 1);
      if (status == HEARTH_OK) break;
      if (status != HEARTH_NOMEM) fail_msg("request %zu: %s", n, w.error.message);
      run(w.L, "unchanged() same(before) eq(home.f(), 'here') assert(rollback()) eq(home.f(), 'here')");
    }
    assert_true(n > 5);
    run(w.L, "eq(environment._home, home) eq(home.f(), 'there') unchanged() same(before)");
    if (alias != HEARTH_ALIAS_OFF) run(w.L, "eq(environment.Memory, home)");
    world_free(&w);
  }
}

static hearth_alias wanted;

static hearth_status call_alias(World *w) {
  return hearth_set_alias(w->L, w->S, wanted, &w->error);
}

static void test_alias(void **state) {
  (void)state;
  static const hearth_alias policies[] = {HEARTH_ALIAS_ON,  HEARTH_ALIAS_TRACK, HEARTH_ALIAS_ON, HEARTH_ALIAS_TRACK,
                                          HEARTH_ALIAS_OFF, HEARTH_ALIAS_TRACK, HEARTH_ALIAS_OFF};
  for (int meta = 0; meta < 2; meta++) {
    World w;
    world_init(&w, 0);
    run(w.L, meta ? "environment = setmetatable({}, { __index = { other = 5 } })" : "environment = {}");
    run(w.L, "assert(install(environment))");
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
      hearth_alias before = w.S->alias;
      wanted = policies[i];
      for (size_t n = 0;; n++) {
        hearth_status status = call_failing(&w, call_alias, n, 1);
        if (status == HEARTH_OK && !w.failed) break;
        if (status == HEARTH_OK) {
          assert_int_equal(hearth_set_alias(w.L, w.S, before, &w.error), HEARTH_OK);
          continue;
        }
        assert_int_equal(status, HEARTH_NOMEM);
        run(w.L, "assert(commit())"); /* not REPLACED */
        assert_int_equal(w.S->alias, before);
        run(w.L, before == HEARTH_ALIAS_OFF ? "eq(environment.Memory, nil)" : "eq(environment.Memory, home)");
      }
      assert_int_equal(w.S->alias, wanted);
      run(w.L, wanted == HEARTH_ALIAS_OFF ? "eq(environment.Memory, nil)" : "eq(environment.Memory, home)");
      run(w.L, wanted == HEARTH_ALIAS_ON ? "eq(rawget(environment, 'Memory'), home)"
                                         : "eq(rawget(environment, 'Memory'), nil)");
      if (meta) run(w.L, "eq(environment.other, 5)");
      run(w.L, "assert(commit())");
    }
    if (!meta) run(w.L, "local m = getmetatable(environment) assert(not m or not m.__index and not m.__newindex)");
    world_free(&w);
  }
}

static void test_close(void **state) {
  (void)state;
  for (hearth_alias alias = HEARTH_ALIAS_OFF; alias <= HEARTH_ALIAS_TRACK; alias++) {
    for (size_t n = 0; n < 40; n++) {
      World w;
      world_init(&w, 0);
      run(w.L, fill);
      run(w.L, "environment = {} assert(install(environment))");
      assert_int_equal(hearth_set_alias(w.L, w.S, alias, &w.error), HEARTH_OK);
      run(w.L, fill);
      lua_gc(w.L, LUA_GCCOLLECT);
      world_fail(&w, n, NEVER);
      hearth_status status = hearth_close(w.L, w.S);
      world_mend(&w);
      assert_int_equal(status, HEARTH_OK);
      assert_false(w.disk->open);
      run(w.L, "eq(environment._home, home)");
      world_free(&w);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_commit),
      cmocka_unit_test(test_rollback),
      cmocka_unit_test(test_rollback_with_hooks),
      cmocka_unit_test(test_rollback_before_any_commit),
      cmocka_unit_test(test_transaction),
      cmocka_unit_test(test_open),
      cmocka_unit_test(test_open_without_room),
      cmocka_unit_test(test_install),
      cmocka_unit_test(test_alias),
      cmocka_unit_test(test_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
