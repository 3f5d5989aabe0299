/*
** Golden files: blobs of the first format, which every later library must read.
**   test_golden FOLDER          reads what contents.lua lists
**   test_golden FOLDER write    first makes those that are missing; never overwrites one
*/
#include "codec_testing.h"

static const char *folder;
static bool may_write;

static const char driver[] =
    "local folder, may_write = ...\n"
    "local function read(path) local f = io.open(path, 'rb') if not f then return end local s = f:read 'a' f:close() "
    "return s end\n"
    "named = {}\n"
    "local contents = assert(load(assert(read(folder .. '/contents.lua')), '=golden'))()\n"
    "local little = string.pack('=I2', 1) == '\\1\\0'\n"
    "local count = 0\n"
    "for _, g in ipairs(contents) do\n"
    "  local path = folder .. '/' .. g.name .. '.blob'\n"
    "  local flags = (g.plain and 0 or CANONICAL) | (g.strip and STRIP or 0)\n"
    "  local names, values if g.names then names, values = {[named] = 'golden'}, {golden = named} end\n"
    "  local bytes = read(path)\n"
    "  if not bytes and may_write then\n"
    "    bytes = assert(enc(g.value(), flags, names))\n"
    "    local f = assert(io.open(path, 'wb')) f:write(bytes) f:close()\n"
    "  end\n"
    "  if not bytes then error(path .. ' is missing') end\n"
    "  if little or not g.code then\n"
    "    local v, m = dec(bytes, TRUSTED, values)\n"
    "    if m then error(g.name .. ': ' .. m) end\n"
    "    if not g.plain and enc(v, flags, names) ~= bytes then error(g.name .. ' is written in another way') end\n"
    "    g.check(v)\n" /* last: it may change the value */
    "    count = count + 1\n"
    "  end\n"
    "end\n"
    "assert(count > 20)\n";

static void test_golden(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  if (luaL_loadstring(L, driver) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_pushstring(L, folder);
  lua_pushboolean(L, may_write);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  state_close(L, &m);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
  if (argc < 2) return 2;
  folder = argv[1];
  may_write = argc > 2 && strcmp(argv[2], "write") == 0;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
