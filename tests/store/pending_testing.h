/*
** A world (store_testing.h) whose store lies on an asynchronous backend, driven from Lua: the program decides when
** what was committed becomes complete, or fails.
*/
#ifndef HEARTH_TESTS_PENDING_TESTING_H
#define HEARTH_TESTS_PENDING_TESTING_H

#include "external_table.h"
#include "pending_backend.h"
#include "store_testing.h"

typedef struct Sea {
  World world; /* first: world_of gives it */
  PendingDisk disk;
} Sea;

static inline Sea *sea_of(lua_State *L) {
  return (Sea *)(void *)world_of(L);
}

static inline hearth_status sea_try_open(Sea *s) {
  World *w = &s->world;
  char place[32];
  (void)snprintf(place, sizeof place, "%p", (void *)&s->disk);
  hearth_status status = hearth_open(w->L, &pending_backend, place, &w->options, &w->S, &w->error);
  if (status != HEARTH_OK) return status;
  hearth_push_home(w->L, w->S);
  lua_setglobal(w->L, "home");
  return status;
}

static inline void sea_open(Sea *s) {
  if (sea_try_open(s) != HEARTH_OK) fail_msg("%s", s->world.error.message);
}

/* true, or true and "pending", or nil, message, code */
static inline int sea_answer(lua_State *L, hearth_status status, const hearth_error *e) {
  if (status != e->code) return luaL_error(L, "the status is %d, the error's code %d", (int)status, (int)e->code);
  if (status < 0) return push_failure(L, e);
  lua_pushboolean(L, 1);
  lua_pushstring(L, status == HEARTH_PENDING ? "pending" : NULL);
  return 2;
}

static inline int sea_lua_commit(lua_State *L) {
  static const char *const levels[] = {"default", "visible", "complete", "durable", NULL};
  hearth_error e;
  int level = luaL_checkoption(L, 1, "default", levels);
  lua_settop(L, 0);
  return sea_answer(L, hearth_commit(L, world_of(L)->S, (hearth_durability)level, &e), &e);
}

static inline int sea_lua_poll(lua_State *L) {
  hearth_error e;
  return sea_answer(L, hearth_poll(L, world_of(L)->S, &e), &e);
}

/* compact() */
static inline int sea_lua_compact(lua_State *L) {
  hearth_error e;
  return sea_answer(L, hearth_compact(L, world_of(L)->S, 0, &e), &e);
}

/* pending() -> how many batches are */
static inline int sea_lua_pending(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)pending_disk_count(&sea_of(L)->disk));
  return 1;
}

/* complete([n]): the nth pending batch, the first by default */
static inline int sea_lua_complete(lua_State *L) {
  pending_disk_complete(&sea_of(L)->disk, (size_t)luaL_optinteger(L, 1, 1) - 1);
  return 0;
}

static inline hearth_status sea_check_code(lua_State *L, int arg) {
  static const char *const names[] = {"full", "conflict", "io", "nomem", NULL};
  static const hearth_status codes[] = {HEARTH_FULL, HEARTH_CONFLICT, HEARTH_IO, HEARTH_NOMEM};
  return codes[luaL_checkoption(L, arg, NULL, names)];
}

/* fail(code [, n]) */
static inline int sea_lua_fail(lua_State *L) {
  pending_disk_fail(&sea_of(L)->disk, (size_t)luaL_optinteger(L, 2, 1) - 1, sea_check_code(L, 1));
  return 0;
}

/* compacted([code]) */
static inline int sea_lua_compacted(lua_State *L) {
  pending_disk_compacted(&sea_of(L)->disk, lua_isnone(L, 1) ? HEARTH_OK : sea_check_code(L, 1));
  return 0;
}

static inline int sea_lua_flush(lua_State *L) {
  pending_disk_flush(&sea_of(L)->disk);
  return 0;
}

static inline int sea_lua_batches(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)sea_of(L)->disk.batches);
  return 1;
}

/* entries([table]) -> how many the backend shows, of the home graph by default */
static inline int sea_lua_entries(lua_State *L) {
  uint64_t table = (uint64_t)luaL_optinteger(L, 1, 0);
  lua_Integer n = 0;
  MapRange range;
  map_range(&sea_of(L)->disk.map, table, NULL, 0, NULL, 0, false, &range);
  while (map_range_next(&range) != NULL) n++;
  lua_pushinteger(L, n);
  return 1;
}

/* reopen(): what is pending becomes complete meanwhile; reopen(true): it is lost */
static inline int sea_lua_reopen(lua_State *L) {
  Sea *s = sea_of(L);
  bool crash = lua_toboolean(L, 1);
  world_close(&s->world);
  if (crash)
    pending_disk_crash(&s->disk);
  else
    pending_disk_finish(&s->disk);
  sea_open(s);
  return 0;
}

/* Do the records of external tables say what refers to what, and does every entry belong to one? */
static inline int sea_lua_check_counts(lua_State *L) {
  const Map *m = &sea_of(L)->disk.map;
  MapRange records, entries;
  map_range(m, 0, NULL, 0, NULL, 0, false, &records);
  for (MapEntry *r; (r = map_range_next(&records)) != NULL;) {
    uint64_t to, from, is_to = 0, is_from = 0;
    LayoutKey key = layout_get_key(map_key(r), r->key_size);
    if (key.kind != LAYOUT_EXTERNAL) continue;
    Cursor c = cursor_over(map_value(r), r->value_size);
    external_get_record(&c, &to, &from);
    map_from(m, 1, NULL, 0, &entries);
    for (MapEntry *e; (e = map_range_next(&entries)) != NULL;) {
      uint64_t number = externals_reference(map_value(e), e->value_size);
      if (number == key.number) is_to++;
      if (number != 0 && e->table == key.number) is_from++;
    }
    if (to != is_to || from != is_from)
      return luaL_error(L, "external table %d counts %d to it and %d in it, not %d and %d", (int)key.number, (int)to,
                        (int)from, (int)is_to, (int)is_from);
  }
  for (MapEntry *e = map_table(m, 1); e != NULL; e = map_table(m, e->table + 1)) {
    unsigned char key[LAYOUT_MAX_KEY];
    LayoutKey k = {.kind = LAYOUT_EXTERNAL, .number = e->table};
    size_t size = layout_put_key(key, &k);
    if (map_find(m, 0, key, size) == NULL) return luaL_error(L, "entries of no external table: %d", (int)e->table);
  }
  return 0;
}

/* What the program sees: the home graph, and the contents of the external tables that it reaches. */
static const char sea_prelude[] =
    "function externals()\n"
    "  local out, list, ids, seen, queue = {}, {}, {}, {}, { home }\n"
    "  local function show(v)\n"
    "    if type(v) == 'userdata' then\n"
    "      if not ids[v] then list[#list + 1] = v ids[v] = #list end\n"
    "      return 'table' .. ids[v]\n"
    "    end\n"
    "    if type(v) == 'string' then return #v .. v:sub(1, 9) end\n"
    "    return type(v) == 'function' and 'function' or tostring(v)\n"
    "  end\n"
    "  local function visit(v)\n"
    "    if ext_is(v) then show(v) elseif type(v) == 'table' and not seen[v] then seen[v] = true "
    "queue[#queue + 1] = v end\n"
    "  end\n"
    "  local function order(a, b)\n"
    "    if type(a) ~= type(b) then return type(a) < type(b) end\n"
    "    return a < b\n"
    "  end\n"
    "  while #queue > 0 do\n"
    "    local t, keys = table.remove(queue), {}\n"
    "    for k in next, t do if type(k) == 'number' or type(k) == 'string' then keys[#keys + 1] = k end end\n"
    "    table.sort(keys, order)\n"
    "    for _, k in ipairs(keys) do visit(rawget(t, k)) end\n"
    "  end\n"
    "  local at = 1\n"
    "  while list[at] do\n"
    "    out[#out + 1] = '\\ntable' .. at .. ':'\n"
    "    for k, v in pairs(list[at]) do out[#out + 1] = show(k) .. '=' .. show(v) end\n"
    "    at = at + 1\n"
    "  end\n"
    "  return table.concat(out, ' ')\n"
    "end\n"
    "function whole() return describe(home) .. externals() end\n"
    "function is_whole(text, what)\n"
    "  local now = whole()\n"
    "  if now == text then return end\n"
    "  local lines = text:gmatch '[^\\n]+'\n"
    "  for line in now:gmatch '[^\\n]+' do\n"
    "    local expected = lines() or 'nothing'\n"
    "    if line ~= expected then error((what or '') .. ': expected ' .. expected .. ', got ' .. line, 2) end\n"
    "  end\n"
    "  error((what or '') .. ': expected more: ' .. tostring(lines()), 2)\n"
    "end\n"
    "function is_pending(ok, message, code)\n"
    "  if ok ~= true or message ~= 'pending' then error(tostring(message) .. ', not pending', 2) end\n"
    "end\n"
    "function is_ok(ok, message)\n"
    "  if ok ~= true or message ~= nil then error(tostring(message) .. ', not ok', 2) end\n"
    "end\n"
    "function complete_all() while pending() > 0 do complete() end end\n"
    /* A commit that succeeds, and what is then there is all there is: a reopened store writes nothing. */
    "function stored(what)\n"
    "  collectgarbage() collectgarbage 'stop'\n"
    "  local text = whole()\n"
    "  local ok, message = commit() if not ok then error((what or '') .. ': ' .. message, 2) end\n"
    "  is_whole(text, what)\n"
    "  local before\n"
    "  repeat\n" /* until nothing is left that garbage keeps: tables by their handles, handles in what was dropped */
    "    before = batches() collectgarbage() assert(commit())\n"
    "  until batches() == before\n"
    "  complete_all() flush() is_ok(poll())\n"
    "  collectgarbage 'restart' text = whole()\n" /* weak tables hold no more than what was stored */
    "  reopen() is_whole(text, what)\n"
    "  collectgarbage()\n"
    "  before = batches()\n"
    "  assert(commit())\n"
    "  if batches() ~= before then error((what or '') .. ': orphans, the reopened store wrote', 2) end\n"
    "  is_whole(text, what) check_counts()\n"
    "end\n";

static inline void sea_begin_state(Sea *s) {
  static const struct {
    const char *name;
    lua_CFunction f;
  } functions[] = {{"commit", sea_lua_commit},       {"poll", sea_lua_poll},
                   {"compact", sea_lua_compact},     {"pending", sea_lua_pending},
                   {"complete", sea_lua_complete},   {"fail", sea_lua_fail},
                   {"compacted", sea_lua_compacted}, {"flush", sea_lua_flush},
                   {"batches", sea_lua_batches},     {"entries", sea_lua_entries},
                   {"reopen", sea_lua_reopen},       {"check_counts", sea_lua_check_counts}};
  world_begin_state(&s->world);
  lua_State *L = s->world.L;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    lua_pushcfunction(L, functions[i].f);
    lua_setglobal(L, functions[i].name);
  }
  run(L, sea_prelude);
}

static inline void sea_init(Sea *s, uint32_t page_size) {
  World *w = &s->world;
  memset(s, 0, sizeof *s);
  pending_disk_init(&s->disk);
  w->options = (hearth_options){.size = sizeof w->options, .page_size = page_size, .warn = world_warn, .warn_ud = w};
  sea_begin_state(s);
  sea_open(s);
  lua_State *L = w->L; /* the same functions for every store that is opened later */
  store_push_value(L, w->S, STORE_EXT);
  lua_getfield(L, -1, "is");
  lua_setglobal(L, "ext_is");
  lua_settop(L, 0);
}

static inline void sea_free(Sea *s) {
  world_end_state(&s->world);
  pending_disk_free(&s->disk);
}

static inline void on_new_sea(uint32_t page_size, const char *code) {
  Sea s;
  sea_init(&s, page_size);
  run(s.world.L, code);
  sea_free(&s);
}

#endif
