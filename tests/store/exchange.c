/*
** exchange FILE: opens the store in FILE, checks what programs on other machines left there, adds to it and commits.
** tests/store/exchange.sh has it compiled for several machines and lets them take turns at one file.
*/
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>

#include "hearth.h"

static const char turn[] =
    "local big = string.rep('0123456789abcdef', 5000)\n"
    "local bits = function(x) return string.pack('>d', x) end\n"
    "if not _home.turns then\n" /* the first machine */
    "  _home.turns = {}\n"
    "  _home.integers = {0, 1, -1, 127, 128, -128, 65535, 1 << 31, -(1 << 31), 1 << 40, math.maxinteger, "
    "math.mininteger}\n"
    "  _home.floats = {0.0, -0.0, 0.1, -1.5, 2.0^-1074, math.huge, -math.huge, 1e308, 2.0^53, 16777216.0}\n"
    "  _home.strings = {'', 'a', '\\0\\xff', big, string.rep('z', 300)}\n"
    "  _home.shared = {_home.floats, _home.floats, print, string}\n"
    "  _home.cycle = setmetatable({}, {__index = {kind = 'cycle'}})\n"
    "  _home.cycle.self = _home.cycle\n"
    "  _home[1.5], _home[-7], _home[true] = 'float', 'integer', 'boolean'\n"
    "  _home.log = ext.table()\n"
    "end\n"
    "local function same(list, want)\n"
    "  assert(#list == #want)\n"
    "  for i, x in ipairs(want) do\n"
    "    assert(math.type(list[i]) == math.type(x) and type(list[i]) == type(x), i)\n"
    "    assert(list[i] == x and (math.type(x) ~= 'float' or bits(list[i]) == bits(x)), i)\n"
    "  end\n"
    "end\n"
    "same(_home.integers, {0, 1, -1, 127, 128, -128, 65535, 1 << 31, -(1 << 31), 1 << 40, math.maxinteger, "
    "math.mininteger})\n"
    "same(_home.floats, {0.0, -0.0, 0.1, -1.5, 2.0^-1074, math.huge, -math.huge, 1e308, 2.0^53, 16777216.0})\n"
    "same(_home.strings, {'', 'a', '\\0\\xff', big, string.rep('z', 300)})\n"
    "assert(rawequal(_home.shared[1], _home.floats) and rawequal(_home.shared[2], _home.floats))\n"
    "assert(_home.shared[3] == print and _home.shared[4] == string)\n"
    "assert(rawequal(_home.cycle.self, _home.cycle) and _home.cycle.kind == 'cycle')\n"
    "assert(_home[1.5] == 'float' and _home[-7] == 'integer' and _home[true] == 'boolean')\n"
    "local n = #_home.turns\n"
    "for i = 1, n do\n" /* what each turn before left in the external table, under keys of every kind */
    "  local t = _home.turns[i]\n"
    "  for k = 1, 50 do assert(_home.log[i * 1000 + k] == t .. k) end\n"
    "  assert(_home.log[i + 0.5] == i / 3 and _home.log['turn' .. i] == t and _home.log[-i] == big)\n"
    "end\n"
    "local count = 0\n"
    "for _ in ext.scan(_home.log) do count = count + 1 end\n"
    "assert(count == n * 53, count)\n"
    "n = n + 1\n"
    "local me = (string.pack('=I2', 1) == '\\1\\0' and 'little' or 'big') .. #string.pack('T', 0) * 8\n"
    "_home.turns[n] = me\n"
    "for k = 1, 50 do _home.log[n * 1000 + k] = me .. k end\n"
    "_home.log[n + 0.5], _home.log['turn' .. n], _home.log[-n] = n / 3, me, big\n"
    "print(table.concat(_home.turns, ' '))\n";

int main(int argc, char **argv) {
  hearth_store *store = NULL;
  hearth_error err;
  if (argc != 2) return 2;
  lua_State *L = luaL_newstate();
  if (L == NULL) return 2;
  luaL_openlibs(L);
  if (hearth_open(L, &hearth_file_backend, argv[1], NULL, &store, &err) < 0) {
    fprintf(stderr, "exchange: %s\n", err.message);
    return 1;
  }
  hearth_install(L, store);
  int failed = luaL_loadstring(L, turn) != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK;
  if (failed) fprintf(stderr, "exchange: %s\n", lua_tostring(L, -1));
  if (!failed && hearth_commit(L, store, HEARTH_DURABLE, &err) < 0) {
    fprintf(stderr, "exchange: %s\n", err.message);
    failed = 1;
  }
  hearth_close(L, store);
  lua_close(L);
  return failed;
}
