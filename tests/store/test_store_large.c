/* Strings in pages of their own, which a commit knows by their addresses: none may be taken for another. */
#include "store_testing.h"

static const char large_code[] =
    "function text(n) return ('%8d '):format(n):rep(10) end\n"
    "function check(what)\n" /* all of every string, by another reader of what is on the disk */
    "  local model = {} for k, v in next, home do model[k] = v end\n"
    "  unchanged(what) reopen()\n"
    "  for k, v in next, model do if home[k] ~= v then error(what .. ': differs at ' .. tostring(k)) end end\n"
    "  for k in next, home do if model[k] == nil then error(what .. ': more at ' .. tostring(k)) end end\n"
    "  unchanged(what .. ', reopened')\n"
    "end\n"
    "function address(s) return ('%p'):format(s) end\n";

static void begin(World *w) {
  world_init(w, 128); /* a string of more than 64 bytes is large, and one of less than 104 gets a freed one's address */
  w->memory.reuse = true;
  run(w->L, large_code);
}

/* A string that the home table lets go, and one that gets its address if it can. */
static void test_addresses_used_again(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L,
      "for i = 1, 20 do home[i] = text(i) end assert(commit())\n"
      "local again = 0\n"
      "for round = 1, 60 do\n"
      "  local at, tries = round % 20 + 1, {}\n"
      "  local before = address(home[at])\n"
      "  home[at] = false\n"
      "  if round % 3 == 0 then assert(commit()) end\n" /* nothing keeps it now */
      "  collectgarbage() collectgarbage()\n"
      "  for n = 1, 50 do\n"
      "    tries[n] = text(round * 1000 + n)\n"
      "    if address(tries[n]) == before then again = again + 1 home[at] = tries[n] end\n"
      "  end\n"
      "  home[at] = home[at] or tries[1]\n"
      "  tries = nil\n"
      "  assert(commit())\n"
      "  if round % 5 == 0 then check('round ' .. round) end\n"
      "end\n"
      "check('end')\n"
      "assert(again > 0, 'no address was used again: the test tests nothing')\n");
  world_free(&w);
}

/* Equal strings are one constant, whichever of them was looked at last. */
static void test_equal_strings(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L,
      "home.a, home.b = text(1), text(1)\n"
      "if address(home.a) == address(home.b) then error 'they are one string' end\n"
      "assert(commit()) local n = entries() unchanged 'both' check 'both'\n"
      "home.a = nil assert(commit()) collectgarbage() eq(entries(), n) check 'b'\n"
      "home.a = text(1) assert(commit()) home.b = nil assert(commit()) collectgarbage() eq(entries(), n) check 'a'\n"
      "home.a = nil assert(commit()) assert(entries() < n) check 'none'\n"
      "home.a = text(1) assert(commit()) eq(entries(), n) check 'again'\n");
  world_free(&w);
}

/* An equal string takes over, and the former one's address is another string's. */
static void test_former_addresses(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L,
      "home.a = text(1) assert(commit())\n"
      "local again = 0\n"
      "for round = 1, 20 do\n"
      "  local before, tries = address(home.a), {}\n"
      "  home.a = text(1) home.b = nil assert(commit())\n"
      "  collectgarbage() collectgarbage()\n"
      "  for n = 1, 50 do\n"
      "    tries[n] = text(round * 1000 + n)\n"
      "    if address(tries[n]) == before then again = again + 1 home.b = tries[n] end\n"
      "  end\n"
      "  tries = nil\n"
      "  assert(commit()) check('round ' .. round)\n"
      "end\n"
      "assert(again > 0, 'no address was used again: the test tests nothing')\n");
  world_free(&w);
}

/* What a failed commit met first is no part of the store, and is written by the next one. */
static void test_failed_commits(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "home.a = text(1) assert(commit()) home.a = text(2) home.b = text(3) home.c = text(1)");
  w.disk->fail_at = w.disk->submits;
  w.disk->failure = HEARTH_FULL;
  run(w.L, "assert(not commit()) collectgarbage()");
  disk_mend(w.disk);
  run(w.L, "assert(commit()) check 'after a failed commit'");
  run(w.L, "home.a, home.d = text(4), text(1) assert(rollback()) eq(home.d, nil) eq(home.a, text(2))\n"
           "collectgarbage() unchanged 'after a rollback' check 'after a rollback'\n");
  world_free(&w);
}

/* Every request for memory fails once. */
static void test_failing_memory(void **state) {
  (void)state;
  size_t n = 0;
  for (bool failed = true; failed; n++) {
    World w;
    begin(&w);
    run(w.L, "for i = 1, 9 do home[i] = text(i) end assert(commit())\n"
             "home[1], home[2], home[3], home[10] = text(11), text(3), home[4], text(12)\n");
    world_fail(&w, n, 1);
    hearth_status status = hearth_commit(w.L, w.S, HEARTH_DEFAULT_DURABILITY, &w.error);
    world_mend(&w);
    failed = w.failed;
    if (status != HEARTH_OK) assert_int_equal(status, HEARTH_NOMEM);
    run(w.L, "collectgarbage() assert(commit()) check 'in the end'");
    world_free(&w);
  }
  assert_true(n > 20);
}

/* What the store has let go, it does not keep: neither replaced strings nor those of a failed commit. */
static void test_memory(void **state) {
  (void)state;
  World w;
  begin(&w);
  w.memory.reuse = false;
  run(w.L, "function fill() for i = 1, 100 do home[i] = text(i):rep(20) end end\n"
           "function clear() for i = 1, 100 do home[i] = nil end end\n"
           "function collect() collectgarbage() collectgarbage() end\n"
           "fill() assert(commit()) clear() assert(commit()) collect()\n"); /* now all arrays have their sizes */
  size_t before = w.memory.used;
  run(w.L, "fill() assert(commit()) collect()");
  assert_true(w.memory.used > before + 180000);
  size_t filled = w.memory.used;
  run(w.L, "home.a = 'other' assert(rollback()) collect()"); /* the live strings stay, and equal ones are not kept */
  if (w.memory.used > filled + 10000) fail_msg("%zu bytes after a rollback, %zu before", w.memory.used, filled);
  run(w.L, "clear() assert(commit()) collect()");
  if (w.memory.used > before + 10000) fail_msg("%zu bytes, %zu before", w.memory.used, before);
  run(w.L, "fill()");
  w.disk->fail_at = w.disk->submits;
  w.disk->failure = HEARTH_FULL;
  run(w.L, "assert(not commit()) clear() collect()");
  disk_mend(w.disk);
  if (w.memory.used > before + 10000) fail_msg("%zu bytes after a failed commit, %zu before", w.memory.used, before);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses_used_again),
      cmocka_unit_test(test_equal_strings),
      cmocka_unit_test(test_former_addresses),
      cmocka_unit_test(test_failed_commits),
      cmocka_unit_test(test_failing_memory),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
