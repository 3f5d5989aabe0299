/*
** Records of the legacy runtime, made of the input's bytes, imported; what came out is exported and imported again,
** and is then the same graph. Nothing that was imported is called.
**
** The input: options (1 byte), then records. A record is an id (1 byte: a number, a text, or the metadata), and entries
** up to a zero: a form (1 byte), a key, and bytes. Texts and bytes stand behind their size (1 byte).
*/
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hearth_legacy.h"

/* --------------------------------------------------------- records of bytes */

static void push_bytes(lua_State *L, FuzzInput *in) {
  size_t got;
  const uint8_t *p = fuzz_bytes(in, fuzz_byte(in), &got);
  lua_pushlstring(L, (const char *)p, got);
}

/* As a list of numbers, some of them none of a byte. */
static void push_list(lua_State *L, FuzzInput *in) {
  size_t got;
  const uint8_t *p = fuzz_bytes(in, fuzz_byte(in), &got);
  lua_createtable(L, (int)got, 0);
  for (size_t i = 0; i < got; i++) {
    lua_pushinteger(L, p[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* A number of 8 bytes, as integer or float; small ones for ids mostly. */
static void push_number(lua_State *L, FuzzInput *in) {
  uint64_t n = fuzz_number(in, 8);
  double d;
  memcpy(&d, &n, sizeof d);
  if (n % 2 == 0) lua_pushinteger(L, (lua_Integer)n);
  else lua_pushnumber(L, d);
}

enum { END, BINARY, BINARY_LIST, UINT8, UINT8_LIST, TEXT, NUMBER, SMALL, BARE, FORMS };

static void push_value(lua_State *L, FuzzInput *in, unsigned form) {
  switch (form) {
    case BINARY:
    case BINARY_LIST:
      lua_createtable(L, 0, 2);
      lua_pushliteral(L, "binary");
      lua_setfield(L, -2, "_type");
      form == BINARY ? push_bytes(L, in) : push_list(L, in);
      lua_setfield(L, -2, "data");
      break;
    case UINT8:
    case UINT8_LIST:
      lua_createtable(L, 0, 1);
      form == UINT8 ? push_bytes(L, in) : push_list(L, in);
      lua_setfield(L, -2, "$uint8array");
      break;
    case TEXT: push_bytes(L, in); break;
    case NUMBER: push_number(L, in); break;
    case SMALL: lua_pushinteger(L, fuzz_byte(in)); break;
    default: push_list(L, in); break;
  }
}

static void push_id(lua_State *L, FuzzInput *in) {
  uint8_t id = fuzz_byte(in);
  if (id == 255) lua_pushliteral(L, "__metadata__");
  else if (id == 254) push_bytes(L, in);
  else if (id == 253) push_number(L, in);
  else lua_pushinteger(L, id);
}

static void push_record(lua_State *L, FuzzInput *in) {
  lua_createtable(L, 0, 2);
  push_id(L, in);
  lua_setfield(L, -2, "id");
  lua_newtable(L);
  for (unsigned form; (form = fuzz_byte(in) % FORMS) != END;) {
    push_bytes(L, in);
    push_value(L, in, form);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "data");
}

static int push_records(lua_State *L) {
  FuzzInput *in = lua_touserdata(L, 1);
  lua_newtable(L);
  for (lua_Integer i = 1; fuzz_left(in) > 0; i++) {
    push_record(L, in);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* ------------------------------------------------------------- comparison */

/* same(a, b): are two graphs of tables, functions and scalars one, identities of tables included? */
static const char compare[] =
    "local dump, type, next, getmetatable = string.dump, type, next, getmetatable\n"
    "function same(a, b)\n"
    "  local twin, queue, at = {[a] = b}, {a}, 1\n"
    "  local function equal(x, y, k)\n"
    "    if type(x) ~= type(y) then return false end\n"
    "    if type(x) == 'table' then\n"
    "      if twin[x] then return twin[x] == y end\n"
    "      twin[x] = y queue[#queue + 1] = x return true\n"
    "    end\n"
    "    if type(x) == 'function' then\n"
    "      return dump(x, true) == dump(y, true)\n"
    "    end\n"
    "    return x == y and math.type(x) == math.type(y) or x ~= x and y ~= y\n"
    "  end\n"
    "  while queue[at] do\n"
    "    local x = queue[at] local y = twin[x]\n"
    "    for k, v in next, x do if not equal(v, y[k]) then return false, k, v, y[k] end end\n"
    "    for k in next, y do if x[k] == nil then return false, k end end\n"
    "    at = at + 1\n"
    "  end\n"
    "  return true\n"
    "end\n";

/* ----------------------------------------------------------------- import */

static void ignore(void *ud, const char *message) {
  (void)ud, (void)message;
}

/* [-nargs, +2] legacy.NAME(...); false: it answered nil, a message and a code; nothing is pushed. */
static bool call_legacy(lua_State *L, const char *name, int nargs) {
  lua_getglobal(L, "legacy");
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  lua_insert(L, -nargs - 1);
  if (lua_pcall(L, nargs, 3, 0) != LUA_OK) fuzz_fail("%s raised: %s", name, lua_tostring(L, -1));
  if (!lua_isnil(L, -3)) {
    lua_pop(L, 1);
    return true;
  }
  const char *code = lua_tostring(L, -1);
  if (strcmp(code, "damaged") != 0 && strcmp(code, "invalid") != 0) fuzz_fail("%s: %s", name, lua_tostring(L, -2));
  lua_pop(L, 3);
  return false;
}

static void push_options(lua_State *L, unsigned choice) {
  static const char *const keys[] = {"integer", "number", "text", "integer"};
  lua_newtable(L);
  lua_pushstring(L, keys[choice % 4]);
  lua_setfield(L, -2, "keys");
  if (choice & 4) {
    lua_pushinteger(L, choice >> 4);
    lua_setfield(L, -2, "home");
  }
  if (choice & 8) {
    lua_pushliteral(L, "rest");
    lua_setfield(L, -2, "unreachable");
  }
}

/* Does the report say that all keys will come back as they were? */
static bool is_exact(lua_State *L, int report) {
  bool exact = true;
  lua_getfield(L, report, "counts");
  static const char *const lossy[] = {"key", "collision"};
  for (size_t i = 0; i < sizeof lossy / sizeof *lossy; i++) {
    exact &= lua_getfield(L, -1, lossy[i]) == LUA_TNIL;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return exact;
}

/* [-0, +1] The home table at 2 was imported: what comes back of an export. True: it must be the same. */
static bool round_trip(lua_State *L) {
  lua_pushvalue(L, 2);
  if (!call_legacy(L, "export", 1)) fuzz_fail("what was imported cannot be exported");
  bool exact = is_exact(L, lua_gettop(L));
  lua_pop(L, 1);
  push_options(L, 1);
  if (!call_legacy(L, "import", 2)) fuzz_fail("what was exported cannot be imported");
  lua_getfield(L, -1, "counts");
  if (lua_getfield(L, -1, "damaged") != LUA_TNIL) fuzz_fail("what was exported is damaged");
  lua_pop(L, 3);
  return exact;
}

/* Into a store, as C programs do it: slower, since it compiles the importer. */
static void import_into_store(lua_State *L, unsigned choice, bool imported) {
  hearth_error e;
  hearth_store *S;
  hearth_options o = {.size = sizeof o, .warn = ignore};
  if (hearth_open(L, &hearth_memory_backend, "", &o, &S, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
  push_options(L, choice);
  int top = lua_gettop(L);
  hearth_status status = hearth_import_legacy(L, S, 1, top, &e);
  FUZZ_CHECK(e.code == status && (status == HEARTH_OK) == imported);
  FUZZ_CHECK(lua_gettop(L) == top + (status == HEARTH_OK));
  if (status == HEARTH_OK && hearth_commit(L, S, HEARTH_DEFAULT_DURABILITY, &e) != HEARTH_OK)
    fuzz_fail("what was imported: %s", e.message);
  (void)hearth_close(L, S);
}

static lua_State *begin(FuzzMemory *m) {
  lua_State *L = fuzz_whole_state(m);
  fuzz_run(L, compare, "=compare");
  FUZZ_CHECK(hearth_push_legacy(L, NULL) == HEARTH_OK);
  lua_setglobal(L, "legacy");
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static FuzzMemory m;
  static lua_State *L; /* one for all inputs: nothing that is imported stays */
  FuzzInput in = {data, data + size};
  if (L == NULL) L = begin(&m);
  m.largest = fuzz_largest(size);
  unsigned choice = fuzz_byte(&in);
  lua_pushcfunction(L, push_records);
  lua_pushlightuserdata(L, &in);
  FUZZ_CHECK(lua_pcall(L, 1, 1, 0) == LUA_OK);
  lua_pushvalue(L, 1);
  push_options(L, choice);
  bool imported = call_legacy(L, "import", 2);
  if (imported) {
    bool exact = round_trip(L);
    if (exact && choice % 4 == 1) { /* keys = "number", as when it is read again */
      lua_getglobal(L, "same");
      lua_pushvalue(L, 2);
      lua_pushvalue(L, -3);
      if (lua_pcall(L, 2, 2, 0) != LUA_OK) fuzz_fail("%s", lua_tostring(L, -1));
      if (!lua_toboolean(L, -2)) fuzz_fail("another graph came back: %s", luaL_tolstring(L, -1, NULL));
    }
  }
  if (size % 32 == 0) import_into_store(L, choice, imported);
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}
