/*
** Every bit of the file of a store that was closed, plain and compacted: it is refused, or opens with a graph that is
** what was committed.
*/
#include <lauxlib.h>
#include <lualib.h>

#include "hearth_testkit_disk.h"
#include "../codec/codec_testing.h"
#include "hearth.h"

#define PLACE "/world.hearth"
#define MARK 64 /* bytes of the closing mark, the last of the file */

static const char fill[] =
    "local n, shared = 0, { 1, 2.5, -0.0, 'text' }\n"
    "_home.up, _home.get = function() n = n + 1 return n end, function() return n, shared end\n"
    "_home.list, _home.same, _home.up2 = shared, shared, _home.up()\n"
    "_home.object = setmetatable({ x = 1 }, { __index = shared })\n"
    "_home.large = {} for i = 1, 60 do _home.large[i] = i * 7 end\n"
    "_home.log = ext.table() _home.log.a, _home.log[1] = 'entry', true\n"
    "_home.print, _home.self = print, _home\n";

/* Everything in it as text, identities included; calling a function would change what is there. */
static const char describe[] =
    "local seen, out, count = {}, {}, 0\n"
    "local function show(v)\n"
    "  if type(v) == 'number' then return math.type(v) .. string.pack('<n', v) end\n"
    "  if type(v) == 'string' then return 's' .. #v .. v end\n"
    "  if type(v) == 'userdata' then\n"
    "    local entries = {} for k, x in pairs(v) do entries[#entries + 1] = show(k) .. show(x) end\n"
    "    return 'external' .. table.concat(entries)\n"
    "  end\n"
    "  if v == print then return 'print' end\n"
    "  if type(v) ~= 'table' and type(v) ~= 'function' then return tostring(v) end\n"
    "  if seen[v] then return seen[v] end\n"
    "  count = count + 1 seen[v] = '#' .. count\n"
    "  local keys, parts = {}, {}\n"
    "  if type(v) == 'table' then\n"
    "    for k in next, v do keys[#keys + 1] = k end\n"
    "    table.sort(keys, function(a, b) return type(a) .. tostring(a) < type(b) .. tostring(b) end)\n"
    "    for _, k in ipairs(keys) do parts[#parts + 1] = show(k) .. '=' .. show(v[k]) end\n"
    "    parts[#parts + 1] = show(getmetatable(v))\n"
    "  else\n"
    "    parts[1] = string.dump(v)\n"
    "    for i = 1, 9 do local name, x = debug.getupvalue(v, i) if not name then break end\n"
    "      local id = debug.upvalueid(v, i)\n"
    "      if not seen[id] then count = count + 1 seen[id] = '#' .. count end\n"
    "      parts[#parts + 1] = seen[id] .. (x == _G and '_G' or show(x)) end\n"
    "  end\n"
    "  return seen[v] .. '{' .. table.concat(parts, ',') .. '}'\n"
    "end\n"
    "return show(_home)";

typedef struct Closed {
  hearth_disk *disk;
  unsigned char *bytes;
  size_t size;
  char *text;
  size_t text_size;
} Closed;

static size_t refused, unharmed;

static hearth_status open_world(lua_State *L, hearth_disk *disk, unsigned flags, hearth_store **store,
                                hearth_error *err) {
  hearth_options options = {.size = sizeof options, .flags = flags, .page_size = 128,
                            .environment = hearth_disk_environment(disk), .warn = NULL};
  hearth_status status = hearth_open(L, &hearth_file_backend, PLACE, &options, store, err);
  return status == HEARTH_OK ? hearth_install(L, *store) : status;
}

static char *text_of(lua_State *L, size_t *size) {
  if (luaL_dostring(L, describe) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  const char *s = lua_tolstring(L, -1, size);
  char *copy = malloc(*size + 1);
  memcpy(copy, s, *size);
  lua_pop(L, 1);
  return copy;
}

static void make_closed(Closed *c, bool compacted) {
  hearth_error err;
  hearth_store *store;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  c->disk = hearth_disk_new();
  if (open_world(L, c->disk, 0, &store, &err) != HEARTH_OK) fail_msg("%s", err.message);
  if (luaL_dostring(L, fill) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  assert_int_equal(hearth_commit(L, store, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(luaL_dostring(L, "_home.large[30] = 'changed' _home.log.a = nil"), LUA_OK);
  assert_int_equal(hearth_commit(L, store, HEARTH_COMPLETE, &err), HEARTH_OK);
  if (compacted) assert_int_equal(hearth_compact(L, store, 0, &err), HEARTH_OK);
  assert_int_equal(hearth_close(L, store), HEARTH_OK);
  lua_close(L);
  const unsigned char *bytes = hearth_disk_bytes(c->disk, PLACE, &c->size);
  c->bytes = malloc(c->size);
  memcpy(c->bytes, bytes, c->size);
}

/* With the file as it is on the disk now. */
static hearth_status look(Closed *c, unsigned flags) {
  hearth_error err;
  hearth_store *store;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  hearth_status status = open_world(L, c->disk, flags, &store, &err);
  if (status == HEARTH_OK) {
    size_t size;
    char *text = text_of(L, &size);
    if (c->text == NULL) {
      c->text = text;
      c->text_size = size;
    } else {
      assert_int_equal(size, c->text_size);
      assert_memory_equal(text, c->text, size);
      free(text);
    }
    assert_int_equal(hearth_close(L, store), HEARTH_OK);
  }
  lua_close(L);
  return status;
}

static void every_bit(bool compacted, size_t stride) {
  Closed c = {0};
  make_closed(&c, compacted);
  assert_int_equal(look(&c, HEARTH_OPEN_READONLY), HEARTH_OK);
  for (size_t bit = 0; bit < c.size * 8; bit += bit / 8 < c.size - MARK ? stride : 1) {
    c.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    hearth_disk_free(c.disk); /* with what was kept of the mark */
    c.disk = hearth_disk_new();
    hearth_disk_put(c.disk, PLACE, c.bytes, c.size);
    hearth_status status = look(&c, bit % 2 == 0 ? HEARTH_OPEN_READONLY : 0);
    c.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    if (status != HEARTH_OK)
      assert_true(status == HEARTH_DAMAGED || (status == HEARTH_NOTSTORE && bit / 8 < 8));
    else if (bit / 8 < c.size - MARK)
      fail_msg("bit %zu of byte %zu: nobody noticed", bit % 8, bit / 8);
    unharmed += status == HEARTH_OK;
    refused += status != HEARTH_OK;
  }
  free(c.bytes);
  free(c.text);
  hearth_disk_free(c.disk);
}

static void test_every_bit_of_a_closed_store(void **state) {
  (void)state;
  const size_t stride = rounds(40) < 40 ? 41 : 1; /* under valgrind */
  every_bit(false, stride);
  every_bit(true, stride);
  assert_true(unharmed > 0 && refused > 0);
  printf("figure: %zu flipped bits in closed stores: %zu refused, %zu opened with the graph that was committed\n",
         refused + unharmed, refused, unharmed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_bit_of_a_closed_store)};
  return cmocka_run_group_tests_name("store bits", tests, NULL, NULL);
}
