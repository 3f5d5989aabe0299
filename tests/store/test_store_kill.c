/*
** A process that commits graphs is killed at random moments. Whatever it was told to be durable is there
** afterwards, whole: each commit changes a table, a closure's upvalue and a large table's page at once.
*/
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "../codec/codec_testing.h"
#include "hearth.h"

#define KILLS 200
#define LONGEST_LIFE 20000 /* microseconds */

static const char step[] =
    "local home, n = _home, (_home.n or 0) + 1\n"
    "home.n = n\n"
    "home.count = home.count or (function() local c = 0 return function(set) c = set or c return c end end)()\n"
    "home.count(n)\n"
    "home.large = home.large or {}\n"
    "for i = 1, 40 do home.large[#home.large + 1] = n end\n"
    "home['fresh' .. n % 7] = { n = n, home = home }\n"
    "return n";

static const char check[] =
    "local n = _home.n or 0\n"
    "if n == 0 then assert(next(_home) == nil) return 0 end\n"
    "assert(_home.count() == n, 'the upvalue is another commit\\'s')\n"
    "assert(#_home.large == 40 * n and _home.large[#_home.large] == n, 'the large table is another commit\\'s')\n"
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

/* Commits until it is killed; acknowledges through the pipe after each durable commit. */
_Noreturn static void live(const char *path, int acknowledge) {
  hearth_store *store;
  hearth_error err;
  lua_State *L = open_world(path, &store);
  for (;;) {
    lua_Integer n = number_from(L, step);
    if (hearth_commit(L, store, HEARTH_DURABLE, &err) != HEARTH_OK) _exit(5);
    if (write(acknowledge, &n, sizeof n) != (ssize_t)sizeof n) _exit(6);
  }
}

/* Kills a process `life` microseconds after it began, or after its first acknowledgement. Answers the last one. */
static lua_Integer kill_one(const char *path, unsigned life, bool after_first) {
  int ends[2], status;
  lua_Integer n, last = 0;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)close(ends[0]);
    live(path, ends[1]);
  }
  (void)close(ends[1]);
  if (after_first) assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
  struct timespec t = {0, (long)life * 1000};
  (void)nanosleep(&t, NULL);
  assert_int_equal(kill(child, SIGKILL), 0);
  while (read(ends[0], &n, sizeof n) == (ssize_t)sizeof n) last = n;
  (void)close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFSIGNALED(status)) fail_msg("the child ended by itself: %d", WEXITSTATUS(status));
  return last;
}

static void every_acknowledged_commit_is_there(void **state) {
  char folder[] = "/tmp/hearth-kill-XXXXXX", path[64];
  lua_Integer acknowledged = 0;
  (void)state;
  assert_non_null(mkdtemp(folder));
  (void)snprintf(path, sizeof path, "%s/k.hearth", folder);
  size_t kills = rounds(KILLS);
  for (size_t i = 0; i < kills; i++) {
    hearth_store *store;
    lua_Integer last = kill_one(path, (unsigned)random() % LONGEST_LIFE, i % 2 == 0);
    if (last > acknowledged) acknowledged = last;
    lua_State *L = open_world(path, &store);
    lua_Integer found = number_from(L, check);
    if (found < acknowledged)
      fail_msg("kill %zu: commit %lld was acknowledged, %lld is there", i, (long long)acknowledged, (long long)found);
    if (found > acknowledged) acknowledged = found; /* committed, but killed before it could say so */
    assert_int_equal(hearth_close(L, store), HEARTH_OK);
    lua_close(L);
  }
  assert_true(acknowledged > 0);
  char command[96];
  (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_acknowledged_commit_is_there)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
