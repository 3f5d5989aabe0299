/*
** What the store's suites share: a disk (the memory backend behind a wrapper) that outlives
** opening and closing, counts, fails and damages on demand, and a world: a Lua
** state with one store on such a disk, driven from Lua.
*/
#ifndef HEARTH_TESTS_STORE_TESTING_H
#define HEARTH_TESTS_STORE_TESTING_H

#include "../codec/codec_testing.h"

#include "store.h"

/* ----------------------------------------------------------------- disk */

#define NEVER SIZE_MAX

typedef struct Disk {
  hearth_backend_store *memory;
  size_t submits, batches; /* calls, and last parts that were accepted */
  size_t operations;       /* in accepted calls */
  size_t fail_at;          /* the call of submit (from 0) that fails */
  hearth_status failure;   /* with this status */
  bool dead;               /* every call answers DEAD */
  bool dies_in_compaction;
  bool open;               /* one opener writes */
  /* What a scan delivers otherwise than it is. Entries are counted from 0. */
  size_t changed, at;      /* the entry whose byte is changed */
  unsigned char flip;
  size_t cut, left;        /* the entry that ends early */
  size_t missing, twice;
  size_t swapped[2];       /* entries that have each other's values */
} Disk;

static inline Disk *disk_of(hearth_backend_store *store) {
  return (Disk *)(void *)store;
}

static inline void disk_mend(Disk *d) {
  d->fail_at = d->changed = d->cut = d->missing = d->twice = d->swapped[0] = d->swapped[1] = NEVER;
  d->dead = false;
}

static inline void disk_init(Disk *d) {
  hearth_error e;
  hearth_backend_config config = {.size = sizeof config};
  memset(d, 0, sizeof *d);
  disk_mend(d);
  assert_int_equal(hearth_memory_backend.open(&config, &d->memory, &e), HEARTH_OK);
}

static inline void disk_free(Disk *d) {
  assert_false(d->open); /* every opener closed it */
  hearth_memory_backend.close(d->memory, NULL);
}

static inline hearth_status disk_fail(hearth_error *err, hearth_status status) {
  if (err != NULL) {
    memset(err, 0, sizeof *err);
    err->code = status;
    err->position = HEARTH_NO_POSITION;
    (void)snprintf(err->message, sizeof err->message, "disk: %s", hearth_status_name(status));
  }
  return status;
}

static inline hearth_status disk_open(const hearth_backend_config *config, hearth_backend_store **out,
                                      hearth_error *err) {
  void *p = NULL;
  if (sscanf(config->location, "%p", &p) != 1) return disk_fail(err, HEARTH_INVALID);
  Disk *d = p;
  if (d->open) return disk_fail(err, HEARTH_BUSY);
  d->open = true;
  *out = (hearth_backend_store *)p;
  return HEARTH_OK;
}

static inline hearth_status disk_close(hearth_backend_store *store, hearth_error *err) {
  (void)err;
  assert_true(disk_of(store)->open);
  disk_of(store)->open = false;
  return HEARTH_OK;
}

static inline hearth_status disk_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                     hearth_found found, void *ud, hearth_error *err) {
  Disk *d = disk_of(store);
  if (d->dead) return disk_fail(err, HEARTH_DEAD);
  return hearth_memory_backend.get(d->memory, table, key, key_size, found, ud, err);
}

typedef struct DiskEntry {
  unsigned char key[32];
  size_t key_size, value_size;
  unsigned char *value;
} DiskEntry;

typedef struct DiskEntries {
  DiskEntry *entries;
  size_t count;
} DiskEntries;

static inline int disk_copy(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                            size_t value_size) {
  DiskEntries *all = ud;
  (void)table;
  if ((all->count & (all->count - 1)) == 0) /* its room doubles at each power of two */
    all->entries = realloc(all->entries, (all->count == 0 ? 1 : 2 * all->count) * sizeof *all->entries);
  DiskEntry *e = &all->entries[all->count++];
  assert_true(key_size <= sizeof e->key);
  memcpy(e->key, key, key_size);
  e->key_size = key_size;
  e->value_size = value_size;
  e->value = malloc(value_size + 1);
  memcpy(e->value, value, value_size);
  return 0;
}

/* The entries of the home graph, to be freed. */
static inline DiskEntries disk_entries(Disk *d) {
  DiskEntries all = {NULL, 0};
  assert_int_equal(
      hearth_memory_backend.scan(d->memory, 0, NULL, 0, NULL, 0, false, disk_copy, &all, NULL, NULL), HEARTH_OK);
  return all;
}

static inline void disk_free_entries(DiskEntries *all) {
  for (size_t i = 0; i < all->count; i++) free(all->entries[i].value);
  free(all->entries);
}

/* A value in memory of exactly its size, so that a read behind its end is seen. */
static inline int disk_deliver(const DiskEntry *e, const unsigned char *value, size_t size, uint64_t table,
                               hearth_found found, void *ud) {
  unsigned char *copy = malloc(size > 0 ? size : 1);
  memcpy(copy, value, size);
  int result = found(ud, table, e->key, e->key_size, copy, size);
  free(copy);
  return result;
}

static inline int disk_scan_damaged(const Disk *d, const DiskEntries *all, uint64_t table, hearth_found found,
                                    void *ud) {
  int result = 0;
  for (size_t i = 0; i < all->count && result == 0; i++) {
    const DiskEntry *e = &all->entries[i], *v = e;
    size_t size;
    if (i == d->missing) continue;
    if (i == d->swapped[0]) v = &all->entries[d->swapped[1]];
    if (i == d->swapped[1]) v = &all->entries[d->swapped[0]];
    size = i == d->cut ? d->left : v->value_size;
    if (i == d->changed) v->value[d->at] ^= d->flip;
    result = disk_deliver(e, v->value, size, table, found, ud);
    if (i == d->twice && result == 0) result = disk_deliver(e, v->value, size, table, found, ud);
  }
  return result;
}

static inline hearth_status disk_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                      const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                      int *result, hearth_error *err) {
  Disk *d = disk_of(store);
  if (d->dead) return disk_fail(err, HEARTH_DEAD);
  if (table != 0)
    return hearth_memory_backend.scan(d->memory, table, from, from_size, to, to_size, reverse, found, ud, result, err);
  DiskEntries all = disk_entries(d);
  int answer = disk_scan_damaged(d, &all, table, found, ud);
  disk_free_entries(&all);
  if (result != NULL) *result = answer;
  return HEARTH_OK;
}

static inline hearth_status disk_submit(hearth_backend_store *store, const hearth_op *ops, size_t count,
                                        unsigned flags, hearth_durability level, uint64_t *sequence,
                                        hearth_error *err) {
  Disk *d = disk_of(store);
  if (d->dead) return disk_fail(err, HEARTH_DEAD);
  if (!(flags & HEARTH_BATCH_ABANDON) && d->submits++ == d->fail_at) {
    (void)hearth_memory_backend.submit(d->memory, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_VISIBLE, NULL, NULL);
    if (d->failure == HEARTH_IO) d->dead = true;
    return disk_fail(err, d->failure);
  }
  hearth_status status = hearth_memory_backend.submit(d->memory, ops, count, flags, level, sequence, err);
  if (status >= 0 && !(flags & HEARTH_BATCH_ABANDON)) d->operations += count;
  if (status >= 0 && !(flags & (HEARTH_BATCH_MORE | HEARTH_BATCH_ABANDON))) d->batches++;
  return status;
}

static inline hearth_status disk_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  return hearth_memory_backend.barrier(disk_of(store)->memory, level, err);
}

static inline hearth_status disk_poll(hearth_backend_store *store, hearth_error *err) {
  return hearth_memory_backend.poll(disk_of(store)->memory, err);
}

static inline hearth_status disk_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  Disk *d = disk_of(store);
  d->dead = d->dead || d->dies_in_compaction;
  if (d->dead) return disk_fail(err, HEARTH_DEAD);
  return hearth_memory_backend.compact(disk_of(store)->memory, keep, err);
}

static inline hearth_status disk_refresh(hearth_backend_store *store, hearth_error *err) {
  return hearth_memory_backend.refresh(disk_of(store)->memory, err);
}

static inline hearth_status disk_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  if (disk_of(store)->dead) return disk_fail(err, HEARTH_DEAD);
  return hearth_memory_backend.stat(disk_of(store)->memory, stat, err);
}

static inline hearth_status disk_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                        hearth_error *err) {
  return hearth_memory_backend.tables(disk_of(store)->memory, found, ud, result, err);
}

static const hearth_backend disk_backend = {
    sizeof(hearth_backend), HEARTH_BACKEND_ABI, "disk",       HEARTH_VISIBLE, disk_open,    disk_close, disk_get,
    disk_scan,              disk_submit,        disk_barrier, disk_poll,      disk_compact, disk_refresh, disk_stat,
    disk_tables,            NULL,
};

/* Puts or (value NULL) deletes an entry behind the store's back. */
static inline void disk_set(Disk *d, const void *key, size_t key_size, const void *value, size_t value_size) {
  hearth_op op = {value != NULL ? HEARTH_PUT : HEARTH_DEL, 0, key, key_size, value, value_size};
  assert_int_equal(hearth_memory_backend.submit(d->memory, &op, 1, 0, HEARTH_VISIBLE, NULL, NULL), HEARTH_OK);
}

/* Do two disks hold the same entries, but for the metadata? */
static inline void disk_assert_equal(Disk *a, Disk *b) {
  DiskEntries x = disk_entries(a), y = disk_entries(b);
  assert_int_equal(x.count, y.count);
  for (size_t i = 0; i < x.count; i++) {
    assert_int_equal(x.entries[i].key_size, y.entries[i].key_size);
    assert_memory_equal(x.entries[i].key, y.entries[i].key, x.entries[i].key_size);
    if (x.entries[i].key[0] == LAYOUT_METADATA) continue;
    assert_int_equal(x.entries[i].value_size, y.entries[i].value_size);
    assert_memory_equal(x.entries[i].value, y.entries[i].value, x.entries[i].value_size);
  }
  disk_free_entries(&x);
  disk_free_entries(&y);
}

/* ---------------------------------------------------------------- world */

typedef struct World {
  Memory memory;
  size_t requests;             /* for more memory, so far */
  size_t fail_first, fail_last; /* the requests that fail */
  size_t fail_size;            /* a new allocation of so many bytes fails; 0: none */
  bool fail_behind;            /* not it, but the request behind it */
  bool failed;                 /* one did */
  size_t failed_size;          /* bytes that the last of them asked for */
  Disk own, *disk;
  lua_State *L;
  hearth_store *S;
  hearth_options options;
  hearth_error error;
  char warnings[2048]; /* one a line */
} World;

/* A request of Lua's own is made again after an emergency collection: it fails if both do. */
static inline void *world_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  World *w = ud;
  if (nsize > (ptr == NULL ? 0 : osize)) {
    size_t request = w->requests++;
    if (ptr == NULL && nsize == w->fail_size) w->fail_first = w->fail_last = request + w->fail_behind;
    if (request >= w->fail_first && request <= w->fail_last) {
      w->failed = true;
      w->failed_size = nsize;
      return NULL;
    }
  }
  return memory_alloc(&w->memory, ptr, osize, nsize);
}

/* The n-th request from here on, and `more` after it, fail. */
static inline void world_fail(World *w, size_t n, size_t more) {
  w->failed = false;
  w->fail_first = w->requests + n;
  w->fail_last = more == NEVER ? NEVER : w->fail_first + more;
}

static inline void world_mend(World *w) {
  w->fail_first = NEVER;
  w->fail_last = 0;
}

static inline World *world_of(lua_State *L) {
  World *w;
  memcpy(&w, lua_getextraspace(L), sizeof w);
  return w;
}

static inline void world_warn(void *ud, const char *message) {
  World *w = ud;
  size_t used = strlen(w->warnings);
  (void)snprintf(w->warnings + used, sizeof w->warnings - used, "%s\n", message);
}

/* Opens the store and sets the global `home`. */
static inline hearth_status world_try_open(World *w) {
  char place[32];
  (void)snprintf(place, sizeof place, "%p", (void *)w->disk);
  hearth_status status = hearth_open(w->L, &disk_backend, place, &w->options, &w->S, &w->error);
  if (status != HEARTH_OK) return status;
  hearth_push_home(w->L, w->S);
  lua_setglobal(w->L, "home");
  return status;
}

static inline void world_open(World *w) {
  if (world_try_open(w) != HEARTH_OK) fail_msg("%s", w->error.message);
}

static inline void world_close(World *w) {
  assert_int_equal(hearth_close(w->L, w->S), HEARTH_OK);
  w->S = NULL;
}

static inline int world_answer(lua_State *L, hearth_status status, const hearth_error *e) {
  if (status < 0) return push_failure(L, e);
  lua_pushboolean(L, 1);
  return 1;
}

/* commit(), rollback() -> true, or nil, message, code, path */
static inline int world_lua_commit(lua_State *L) {
  World *w = world_of(L);
  hearth_error e;
  return world_answer(L, hearth_commit(L, w->S, HEARTH_DEFAULT_DURABILITY, &e), &e);
}

static inline int world_lua_rollback(lua_State *L) {
  World *w = world_of(L);
  hearth_error e;
  return world_answer(L, hearth_rollback(L, w->S, &e), &e);
}

static inline int world_lua_close(lua_State *L) {
  World *w = world_of(L);
  lua_pushstring(L, hearth_status_name(hearth_close(L, w->S)));
  return 1;
}

/* transaction(f) -> results, or nil, message, code */
static inline int world_lua_transaction(lua_State *L) {
  World *w = world_of(L);
  hearth_error e;
  lua_settop(L, 1);
  hearth_status status = hearth_transaction(L, w->S, 0, LUA_MULTRET, &e);
  if (status < 0) return push_failure(L, &e);
  return lua_gettop(L);
}

static inline int world_lua_reopen(lua_State *L) {
  World *w = world_of(L);
  world_close(w);
  world_open(w);
  return 0;
}

/* install([environment]) */
static inline int world_lua_install(lua_State *L) {
  World *w = world_of(L);
  hearth_error e;
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) lua_pushglobaltable(L);
  hearth_status status = hearth_install_at(L, w->S, -1, &e);
  return world_answer(L, status, &e);
}

static inline int world_lua_alias(lua_State *L) {
  World *w = world_of(L);
  hearth_error e;
  return world_answer(L, hearth_set_alias(L, w->S, (hearth_alias)luaL_checkinteger(L, 1), &e), &e);
}

/* batches() -> how many the disk accepted */
static inline int world_lua_batches(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)world_of(L)->disk->batches);
  return 1;
}

/* entries() -> how many there are in the home graph */
static inline int world_lua_entries(lua_State *L) {
  DiskEntries all = disk_entries(world_of(L)->disk);
  lua_pushinteger(L, (lua_Integer)all.count);
  disk_free_entries(&all);
  return 1;
}

/* number(object [, upvalue]) -> its number or its upvalue's, or nil */
static inline int world_lua_number(lua_State *L) {
  const Heap *heap = &world_of(L)->S->heap;
  const void *p = lua_isnoneornil(L, 2) ? lua_topointer(L, 1) : lua_upvalueid(L, 1, (int)lua_tointeger(L, 2));
  uint32_t slot = p != NULL ? heap_find(heap, (uint64_t)(uintptr_t)p) : HEAP_NONE;
  if (slot == HEAP_NONE) return 0;
  lua_pushinteger(L, (lua_Integer)heap->objects[slot].number);
  return 1;
}

/* next_number() */
static inline int world_lua_next_number(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)world_of(L)->S->heap.next_number);
  return 1;
}

/* external() -> a new external table */
static inline int world_lua_external(lua_State *L) {
  World *w = world_of(L);
  hearth_error e;
  if (hearth_push_table(L, w->S, &e) != HEARTH_OK) return luaL_error(L, "%s", e.message);
  return 1;
}

/*
** describe(root): a graph as text, identities, metatables and upvalues included. Objects are numbered in the order in
** which a walk in the order of keys meets them; object keys are not looked at.
*/
static const char world_prelude[] =
    "local function order(a, b)\n"
    "  if type(a) ~= type(b) then return type(a) < type(b) end\n"
    "  if type(a) == 'boolean' then return b and not a end\n"
    "  return a < b\n"
    "end\n"
    "local scalar = { number = true, string = true, boolean = true }\n"
    "function describe(root)\n"
    "  local ids, queue, cells, out, next_cell = {}, {}, {}, {}, 0\n"
    "  local function show(v)\n"
    "    local t = type(v)\n"
    "    if v == _G then return '_G' end\n"
    "    if t == 'userdata' and getmetatable(v) == debug.getregistry().Point then\n"
    "      local x, y = coordinates(v)\n"
    "      return 'point' .. x .. ',' .. y\n"
    "    end\n"
    "    if t == 'userdata' then return t .. (pairs(v) and tostring(v[1]) or '') end\n"
    "    if t == 'function' and debug.getinfo(v, 'S').what == 'C' then return 'C' end\n"
    "    if t == 'table' or t == 'function' then\n"
    "      if not ids[v] then queue[#queue + 1] = v ids[v] = #queue end\n"
    "      return t .. ids[v]\n"
    "    end\n"
    "    if t == 'string' then return #v > 40 and #v .. v:sub(1, 9) .. v:sub(-9) or string.format('%q', v) end\n"
    "    return math.type(v) == 'float' and string.format('%a', v) or tostring(v)\n"
    "  end\n"
    "  show(root)\n"
    "  local at = 1\n"
    "  while queue[at] do\n"
    "    local v = queue[at]\n"
    "    out[#out + 1] = '\\n' .. show(v) .. ':'\n"
    "    if type(v) == 'table' then\n"
    "      local keys = {}\n"
    "      for k in next, v do if scalar[type(k)] then keys[#keys + 1] = k end end\n"
    "      table.sort(keys, order)\n"
    "      for _, k in ipairs(keys) do out[#out + 1] = show(k) .. '=' .. show(rawget(v, k)) end\n"
    "      local meta = debug.getmetatable(v)\n"
    "      if meta then out[#out + 1] = 'metatable=' .. show(meta) end\n"
    "    else\n"
    "      for i = 1, 255 do\n"
    "        local name, value = debug.getupvalue(v, i)\n"
    "        if not name then break end\n"
    "        if name ~= '_ENV' then\n"
    "          local id = debug.upvalueid(v, i)\n"
    "          if not cells[id] then next_cell = next_cell + 1 cells[id] = 'cell' .. next_cell end\n"
    "          out[#out + 1] = cells[id] .. '=' .. show(value)\n"
    "        end\n"
    "      end\n"
    "    end\n"
    "    at = at + 1\n"
    "  end\n"
    "  return table.concat(out, ' ')\n"
    "end\n"
    "function churn()\n" /* garbage of the sizes that stored objects have, so that addresses are used again */
    "  for i = 1, 200 do\n"
    "    local t, text = { i, i }, 't' .. i\n"
    "    local _ = { function() return t, text end, setmetatable({}, t) }\n"
    "  end\n"
    "  collectgarbage()\n"
    "end\n"
    "function unchanged(what)\n" /* a commit writes nothing */
    "  local before = batches()\n"
    "  assert(commit())\n"
    "  if batches() ~= before then error((what or '') .. ': a commit without changes wrote', 2) end\n"
    "end\n"
    "function same(text, what)\n" /* home is as it was described */
    "  local now = describe(home)\n"
    "  if now == text then return end\n"
    "  local lines = text:gmatch '[^\\n]+'\n"
    "  for line in now:gmatch '[^\\n]+' do\n"
    "    local expected = lines() or 'nothing'\n"
    "    if line ~= expected then error((what or '') .. ': expected ' .. expected .. ', got ' .. line, 2) end\n"
    "  end\n"
    "  error((what or '') .. ': expected more: ' .. lines(), 2)\n"
    "end\n"
    "function kept(what)\n" /* nor does it after reopening, and the graph is the same */
    "  local text = describe(home)\n"
    "  unchanged(what)\n"
    "  reopen()\n"
    "  same(text, what)\n"
    "  unchanged((what or '') .. ', reopened')\n"
    "end\n"
    "function fails(code, text, value, message, actual)\n"
    "  if value ~= nil then error('it succeeded', 2) end\n"
    "  eq(actual, code, message)\n"
    "  if text and not message:find(text, 1, true) then error(message, 2) end\n"
    "end\n";

static inline void world_begin_state(World *w) {
  static const struct {
    const char *name;
    lua_CFunction f;
  } functions[] = {{"commit", world_lua_commit},     {"rollback", world_lua_rollback}, {"close", world_lua_close},
                   {"reopen", world_lua_reopen},     {"install", world_lua_install},   {"alias", world_lua_alias},
                   {"batches", world_lua_batches},   {"entries", world_lua_entries},   {"number", world_lua_number},
                   {"external", world_lua_external}, {"next_number", world_lua_next_number},
                   {"transaction", world_lua_transaction}};
  world_mend(w);
  w->L = state_new(&w->memory);
  lua_setallocf(w->L, world_alloc, w);
  memcpy(lua_getextraspace(w->L), &w, sizeof w);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    lua_pushcfunction(w->L, functions[i].f);
    lua_setglobal(w->L, functions[i].name);
  }
  run(w->L, world_prelude);
}

static inline void world_end_state(World *w) {
  state_close(w->L, &w->memory);
  w->L = NULL;
  w->S = NULL;
}

/* A new disk, a new Lua state, an open store; page_size 0: the usual one. */
static inline void world_init(World *w, uint32_t page_size) {
  memset(w, 0, sizeof *w);
  disk_init(&w->own);
  w->disk = &w->own;
  w->options = (hearth_options){.size = sizeof w->options, .page_size = page_size, .warn = world_warn, .warn_ud = w};
  world_begin_state(w);
  world_open(w);
}

/* Another Lua state, as another process would have. */
static inline void world_restart(World *w) {
  world_end_state(w);
  world_begin_state(w);
  world_open(w);
}

static inline void world_free(World *w) {
  world_end_state(w);
  disk_free(&w->own);
}

/* The whole code in one new world. */
static inline void in_new_world(uint32_t page_size, const char *code) {
  World w;
  world_init(&w, page_size);
  run(w.L, code);
  world_free(&w);
}

/*
** The pages of both disks. (What is in pages refers to no number; the numbers of the tables that
** they belong to may differ.)
*/
static inline void assert_same_division(World *a, World *b) {
  DiskEntries x = disk_entries(a->disk), y = disk_entries(b->disk);
  assert_int_equal(x.count, y.count);
  for (size_t i = 0; i < x.count; i++) {
    if (x.entries[i].key[0] != LAYOUT_OBJECT || x.entries[i].key_size == 8) continue;
    bool found = false;
    for (size_t k = 0; k < y.count && !found; k++)
      found = y.entries[k].key[0] == LAYOUT_OBJECT && y.entries[k].key_size == x.entries[i].key_size &&
              memcmp(x.entries[i].key + 8, y.entries[k].key + 8, x.entries[i].key_size - 8) == 0 &&
              x.entries[i].value_size == y.entries[k].value_size &&
              memcmp(x.entries[i].value, y.entries[k].value, x.entries[i].value_size) == 0;
    assert_true(found);
  }
  disk_free_entries(&x);
  disk_free_entries(&y);
}

/* describe(home) as a string to be freed. */
static inline char *world_describe(World *w) {
  run(w->L, "described = describe(home)");
  lua_getglobal(w->L, "described");
  size_t size;
  const char *text = lua_tolstring(w->L, -1, &size);
  char *copy = malloc(size + 1);
  memcpy(copy, text, size + 1);
  lua_settop(w->L, 0);
  run(w->L, "described = nil");
  return copy;
}

#endif
