/*
** A process that commits graphs is killed at random moments. Whatever it was told to be durable is there
** afterwards, whole: each commit changes a table, a closure's upvalue and a large table's page at once.
*/
#include <stdio.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "../codec/codec_testing.h"
#include "../killed.h"
#include "hearth.h"

#define KILLS 200

static const char step[] =
    "local home, n = _home, (_home.n or 0) + 1\n"
    "home.n = n\n"
    "home.count = home.count or (function() local c = 0 return function(set) c = set or c return c end end)()\n"
    "home.count(n)\n"
    "if n % 50 == 1 then home.large = {} end\n"
    "for i = 1, 40 do home.large[#home.large + 1] = n end\n"
    "home['fresh' .. n % 7] = { n = n, home = home }\n"
    "return n";

static const char check[] =
    "local n = _home.n or 0\n"
    "if n == 0 then assert(next(_home) == nil) return 0 end\n"
    "assert(_home.count() == n, 'the upvalue is another commit\\'s')\n"
    "local large = _home.large\n"
    "assert(#large == 40 * ((n - 1) % 50 + 1) and large[#large] == n, 'the large table is another commit\\'s')\n"
    "local t = _home['fresh' .. n % 7] assert(t.n == n and t.home == _home)\n"
    "return n";

static lua_State *open_world(const char *path, hearth_store **store) {
  hearth_error err;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (hearth_open(L, &hearth_file_backend, path, NULL, store, &err) != HEARTH_OK ||
      hearth_install(L, *store) != HEARTH_OK) {
    (void)fprintf(stderr, "open: %s\n", err.message);
    _exit(3);
  }
  return L;
}

static lua_Integer number_from(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) {
    (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
    _exit(4);
  }
  lua_Integer n = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return n;
}

/* Opens, commits, compacts, closes, and again, until it is killed; acknowledges each durable commit. */
static void live(const Life *life) {
  for (;;) {
    hearth_store *store;
    hearth_error err;
    atomic_store(life->phase, OPENING);
    lua_State *L = open_world(life->path, &store);
    for (int i = 0; i < 5; i++) {
      atomic_store(life->phase, COMMITTING);
      lua_Integer n = number_from(L, step);
      if (hearth_commit(L, store, HEARTH_DURABLE, &err) != HEARTH_OK) _exit(5);
      life_acknowledge(life, (uint64_t)n);
      if (i != 3) continue;
      atomic_store(life->phase, COMPACTING);
      if (hearth_compact(L, store, (unsigned)(n % 4), &err) != HEARTH_OK) _exit(7);
    }
    atomic_store(life->phase, CLOSING);
    if (hearth_close(L, store) != HEARTH_OK) _exit(8);
    lua_close(L);
  }
}

static void every_acknowledged_commit_is_there(void **state) {
  char folder[] = "/tmp/hearth-kill-XXXXXX", path[64];
  Killer k;
  size_t lost = 0, kills = rounds(KILLS);
  (void)state;
  assert_non_null(mkdtemp(folder));
  (void)snprintf(path, sizeof path, "%s/k.hearth", folder);
  killer_init(&k, path, live);
  srand(1);
  for (size_t i = 0; i < kills; i++) {
    hearth_store *store;
    killer_kill(&k, i);
    if (rand() % 2 == 0 && i + 1 < kills) continue; /* the next child finds what this one left */
    lua_State *L = open_world(path, &store);
    uint64_t found = (uint64_t)number_from(L, check);
    if (found < k.acknowledged) lost += (size_t)(k.acknowledged - found);
    k.acknowledged = found; /* or committed, but killed before it could say so */
    assert_int_equal(hearth_close(L, store), HEARTH_OK);
    lua_close(L);
  }
  assert_true(k.acknowledgements > kills / 4);
  killer_report(&k, "store", KILLS, lost);
  killer_free(&k);
  char command[96];
  (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_acknowledged_commit_is_there)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
