/*
** The entries of a store (entries.h), opened in Lua: whatever they are, the store opens or says why not. What
** opened can be walked, read, rolled back, committed, and opens again. Code runs only where it is known.
*/
#include "entries.h"
#include "external_entry.h"
#include "known.h"
#include "layout.h"
#include "samples_state.h"

#define INSTRUCTIONS 20000

/* -------------------------------------------------- a backend that is open already */

static hearth_backend_store *current;

static hearth_status open_current(const hearth_backend_config *config, hearth_backend_store **out, hearth_error *e) {
  (void)config;
  *out = current;
  e->code = HEARTH_OK;
  return HEARTH_OK;
}

static hearth_status close_current(hearth_backend_store *store, hearth_error *e) {
  (void)store, (void)e;
  return HEARTH_OK;
}

static const hearth_backend *backend(void) {
  static hearth_backend b;
  b = hearth_memory_backend;
  b.open = open_current;
  b.close = close_current;
  return &b;
}

/* -------------------------------------------------------------------- code */

static int check_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  bool *known = ud;
  Cursor c = cursor_over(value, value_size);
  if (table == LAYOUT_TABLE) {
    Head head;
    if (layout_get_key(key, key_size).kind != LAYOUT_CONSTANT) return 0;
    head_get(&c, &head);
    if (c.why == NULL && head.kind == OBJECT_PROTOTYPE && !known_prototype(c.next, cursor_left(&c))) *known = false;
  } else {
    ExternalValue v;
    external_get_value(&c, &v);
    if (c.why == NULL && v.blob && !known_all(v.bytes, v.size)) *known = false;
  }
  return 0;
}

static int check_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  return hearth_memory_backend.scan(current, table, NULL, 0, NULL, 0, false, check_entry, ud, NULL, NULL) != HEARTH_OK;
}

static bool code_is_known(void) {
  bool known = true;
  FUZZ_CHECK(hearth_memory_backend.tables(current, check_table, &known, NULL, NULL) == HEARTH_OK);
  return known;
}

/* -------------------------------------------------------------------- use */

static const char walk_code[] =
    "local seen, queue = {}, {}\n"
    "local function reach(v)\n"
    "  if (type(v) == 'table' or type(v) == 'userdata') and not seen[v] then seen[v] = true queue[#queue + 1] = v end\n"
    "end\n"
    "reach(...)\n"
    "local at = 1\n"
    "while queue[at] and at < 200 do\n"
    "  local v = queue[at]\n"
    "  if type(v) == 'table' then for k, x in next, v do reach(k) reach(x) end\n"
    "  else for k, x in pairs(v) do reach(x) local again = v[k] end end\n"
    "  at = at + 1\n"
    "end\n";

static void walk(lua_State *L, hearth_store *S) {
  FUZZ_CHECK(luaL_loadbuffer(L, walk_code, sizeof walk_code - 1, "=walk") == LUA_OK);
  hearth_push_home(L, S);
  fuzz_limit_instructions(L, INSTRUCTIONS);
  (void)lua_pcall(L, 1, 0, 0); /* a damaged entry of an external table raises */
  lua_settop(L, 0);
}

static void ignore(void *ud, const char *message) {
  (void)ud, (void)message;
}

/* Opens, reads, rolls back, changes and commits: the status of what did not succeed. */
static hearth_status use(size_t size, bool known) {
  FuzzMemory m = {0};
  hearth_error e;
  hearth_store *S;
  hearth_options o = {.size = sizeof o, .flags = known ? 0 : HEARTH_STORE_NO_FUNCTIONS, .warn = ignore};
  lua_State *L = samples_state(&m);
  m.limit = m.used + ((size_t)32 << 20) + 1024 * size;
  m.largest = fuzz_largest(size);
  m.L = L; /* code asks for what it likes */
  fuzz_limit_instructions(L, INSTRUCTIONS);
  hearth_status status = hearth_open(L, backend(), "", &o, &S, &e);
  FUZZ_CHECK(e.code == status && lua_gettop(L) == 0);
  if (known) m.largest = 0; /* so does what is committed, when code has made it */
  if (status == HEARTH_OK) {
    walk(L, S);
    (void)hearth_rollback(L, S, &e);
    FUZZ_CHECK(lua_gettop(L) == 0);
    hearth_push_home(L, S);
    lua_pushinteger(L, 7);
    lua_setfield(L, 1, "seven");
    lua_settop(L, 0);
    fuzz_limit_instructions(L, INSTRUCTIONS);
    status = hearth_commit(L, S, HEARTH_DEFAULT_DURABILITY, &e);
    (void)hearth_compact(L, S, 0, &e);
    FUZZ_CHECK(hearth_close(L, S) == HEARTH_OK);
  }
  lua_sethook(L, NULL, 0, 0);
  m.limit = m.largest = 0;
  m.L = NULL;
  lua_close(L);
  FUZZ_CHECK(m.used == 0);
  return status;
}

/* ------------------------------------------------------------------- seeds */

static void fill(lua_State *L, hearth_store *S) {
  hearth_push_home(L, S);
  for (size_t i = 0; samples_push(L, i); i++) lua_rawseti(L, 1, (lua_Integer)i + 1);
  FUZZ_CHECK(hearth_push_table(L, S, NULL) == HEARTH_OK);
  lua_pushvalue(L, -1);
  lua_setfield(L, 1, "external");
  lua_setglobal(L, "e");
  lua_pushvalue(L, 1);
  lua_setglobal(L, "home");
  fuzz_run(L,
           "e.a, e[1], e[2.5], e[true], e.t, e.f = 1, 'x', 2.5, false, {1, {2}}, home[5][1]\n"
           "home.long = 'a long string that is larger than a page of this store is, with an entry of its own'\n"
           "home.list, home.map = {}, {} for i = 1, 40 do home.list[i] = i * i home.map['k' .. i] = i end\n"
           "home.self = home",
           "=fill");
  lua_settop(L, 0);
}

static void write_seeds(const char *folder) {
  static const uint32_t page_sizes[] = {64, 4096};
  for (size_t i = 0; i < 2; i++) {
    FuzzMemory m = {0};
    hearth_error e;
    hearth_store *S;
    Buffer out;
    hearth_options o = {.size = sizeof o, .page_size = page_sizes[i]};
    lua_State *L = samples_state(&m);
    current = entries_open((const uint8_t *)"", 0);
    if (hearth_open(L, backend(), "", &o, &S, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
    buffer_init(&out, &hearth_libc_allocator);
    if (hearth_commit(L, S, HEARTH_DEFAULT_DURABILITY, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
    entries_write(&hearth_memory_backend, current, &out);
    samples_write(folder, "empty", i, out.data, out.size);
    buffer_clear(&out);
    fill(L, S);
    if (hearth_commit(L, S, HEARTH_DEFAULT_DURABILITY, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
    entries_write(&hearth_memory_backend, current, &out);
    samples_write(folder, "entries", i, out.data, out.size);
    buffer_free(&out);
    (void)hearth_close(L, S);
    lua_close(L);
    (void)hearth_memory_backend.close(current, NULL);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool learned;
  if (!learned) {
    samples_learn();
    if (samples_folder() != NULL) write_seeds(samples_folder());
  }
  learned = true;
  current = entries_open(data, size);
  bool known = code_is_known();
  if (use(size, known) == HEARTH_OK) {
    hearth_status again = use(size, known);
    /* hooks may change the cells of a function that rebuilds, which then raises */
    if (again != HEARTH_OK && !(known && again == HEARTH_RAISED))
      fuzz_fail("what was committed does not open and commit again: %s", hearth_status_name(again));
  }
  (void)hearth_memory_backend.close(current, NULL);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  size_t mutated = seed % 4 != 0 ? entries_mutate(data, size, max_size, seed) : 0;
  return mutated > 0 ? mutated : LLVMFuzzerMutate(data, size, max_size);
}
