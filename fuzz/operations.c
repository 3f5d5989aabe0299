/*
** The input is a program: it sets and deletes in the home table and in external tables, commits, rolls back, reopens,
** kills the process and cuts the power, on a file in memory. A plain model in Lua does the same; after each step that
** should leave them equal they are compared.
*/
#include "hearth_testkit_disk.h"
#include "fuzz.h"

#define PLACE "/world.hearth"
#define MOST_STEPS 200
#define MOST_LOSSES 8 /* of power: each may leave the bytes of a torn tail in another file */

typedef struct World {
  hearth_disk *disk;
  lua_State *L;
  hearth_store *S;
  FuzzMemory memory;
  uint32_t page_size;
} World;

static void ignore(void *ud, const char *message) {
  (void)ud, (void)message;
}

/* ------------------------------------------------------------------ model */

/*
** home and e (the external table home.e) are the store's; model and outer what they should hold, saved and saved_outer
** what they held at the last commit. Values of the model are scalars and, for tables, tables of it: twin[table] =
** its model.
*/
static const char code[] =
    "local next, type, tostring, pairs, error, math_type = next, type, tostring, pairs, error, math.type\n"
    "local function copy(t, seen)\n"
    "  if type(t) ~= 'table' then return t end\n"
    "  seen = seen or {}\n"
    "  if seen[t] then return seen[t] end\n"
    "  local c = {} seen[t] = c\n"
    "  for k, v in next, t do c[k] = copy(v, seen) end\n"
    "  return c\n"
    "end\n"
    "local function compare(a, b, twin, path)\n"
    "  if type(a) == 'function' and type(b) == 'table' then\n"
    "    local x, y = a() if x ~= b.x or y ~= b.y then error(path .. ': a function answers otherwise') end return\n"
    "  end\n"
    "  if type(a) ~= 'table' then\n"
    "    local same = a == b and math_type(a) == math_type(b)\n"
    "    if not same then error(path .. ': ' .. tostring(a) .. ' for ' .. tostring(b)) end\n"
    "    return\n"
    "  end\n"
    "  if type(b) ~= 'table' then error(path .. ': a table for ' .. tostring(b)) end\n"
    "  if twin[a] then if twin[a] ~= b then error(path .. ': another table') end return end\n"
    "  twin[a] = b\n"
    "  for k, v in next, a do if k ~= 'e' then compare(v, b[k], twin, path .. '.' .. tostring(k)) end end\n"
    "  for k in next, b do if a[k] == nil then error(path .. '.' .. tostring(k) .. ' is missing') end end\n"
    "end\n"
    "function check(what)\n"
    "  compare(home, model, {}, what .. ': home')\n"
    "  local count = 0\n"
    "  for k, v in pairs(e) do\n"
    "    count = count + 1\n"
    "    if outer[k] ~= v or e[k] ~= v then error(what .. ': e.' .. tostring(k) .. ': ' .. tostring(v)) end\n"
    "  end\n"
    "  for k in next, outer do count = count - 1 end\n"
    "  if count ~= 0 then error(what .. ': ' .. count .. ' entries of e too many') end\n"
    "end\n"
    "function committed() saved, saved_outer = copy(model), copy(outer) end\n"
    "function went_back() model, outer = copy(saved), copy(saved_outer) end\n"
    "model, outer = {}, {} committed()\n"
    "local function key(n)\n"
    "  if n % 3 == 0 then return n // 3 + 1 elseif n % 3 == 1 then return 'k' .. n // 3 end\n"
    "  return n + 0.5\n"
    "end\n"
    "local function place(n)\n" /* a table of both, by a walk from home */
    "  local t, m = home, model\n"
    "  for _ = 1, 3 do\n"
    "    local k = 't' .. n % 4 n = n // 4\n"
    "    if type(t[k]) ~= 'table' then break end\n"
    "    t, m = t[k], m[k]\n"
    "  end\n"
    "  return t, m\n"
    "end\n"
    "steps = {\n"
    "  function(a, b, n) local t, m, k = place(a) k = key(b) t[k], m[k] = n, n end,\n"
    "  function(a, b, n) local t, m, k = place(a) k = key(b) n = n / 4 t[k], m[k] = n, n end,\n"
    "  function(a, b, n) local t, m, k = place(a) k = key(b) t[k], m[k] = nil, nil end,\n"
    "  function(a, b, n) local t, m, k = place(a) k = 't' .. b % 4 t[k], m[k] = {}, {} end,\n"
    "  function(a, b, n) local t, m, k = place(a) k = 't' .. b % 4 t[k], m[k] = place(n) end,\n"
    "  function(a, b, n) local t, m, k = place(a) k = 's' .. b % 4\n"
    "    local s = ('%x;'):format(n):rep(a) t[k], m[k] = s, s end,\n"
    "  function(a, b, n) local t, m = place(a) for i = b % 16, b % 16 + n % 40 do t[i], m[i] = i * n, i * n end end,\n"
    "  function(a, b, n) local t, m = place(a) for i = 1, n % 64 do t['f' .. i], m['f' .. i] = nil, nil end end,\n"
    "  function(a, b, n) local t, m = place(a) for i = 1, n % 64 do t['f' .. i], m['f' .. i] = b, b end end,\n"
    "  function(a, b, n) local t, m = place(a) local x, y = b, n\n"
    "    t.f = function(p, q) if p then x, y = p, q end return x, y end m.f = {x = x, y = y} end,\n"
    "  function(a, b, n) local t, m = place(a) if type(t.f) == 'function' then t.f(b, n) m.f.x, m.f.y = b, n end end,\n"
    "  function(a, b, n) local k = key(b) e[k], outer[k] = n, n end,\n"
    "  function(a, b, n) local k = key(b) e[k], outer[k] = nil, nil end,\n"
    "  function(a, b, n) local k = 's' .. b % 8 local s = ('%d,'):format(n):rep(a) e[k], outer[k] = s, s end,\n"
    "  function(a, b, n) for i = b, b + n % 20 do e[i], outer[i] = a, a end end,\n"
    "}\n"
    "function step(what, a, b, n) steps[what % #steps + 1](a, b, n) end\n";

static void call(World *w, const char *name, const char *argument) {
  lua_getglobal(w->L, name);
  lua_pushstring(w->L, argument);
  if (lua_pcall(w->L, 1, 0, 0) != LUA_OK) fuzz_fail("%s", lua_tostring(w->L, -1));
}

/* ------------------------------------------------------------------ store */

static void set_globals(World *w) {
  hearth_push_home(w->L, w->S);
  lua_getfield(w->L, -1, "e");
  lua_setglobal(w->L, "e");
  lua_setglobal(w->L, "home");
}

static void open_store(World *w) {
  hearth_error e;
  hearth_options o = {.size = sizeof o, .page_size = w->page_size, .environment = hearth_disk_environment(w->disk),
                      .warn = ignore};
  if (hearth_open(w->L, &hearth_file_backend, PLACE, &o, &w->S, &e) != HEARTH_OK) fuzz_fail("open: %s", e.message);
  set_globals(w);
}

static void begin(World *w) {
  hearth_error e;
  open_store(w);
  hearth_push_home(w->L, w->S);
  if (hearth_push_table(w->L, w->S, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
  lua_setfield(w->L, -2, "e");
  lua_pop(w->L, 1);
  if (hearth_commit(w->L, w->S, HEARTH_DURABLE, &e) != HEARTH_OK) fuzz_fail("%s", e.message);
  set_globals(w);
}

static void commit(World *w) {
  hearth_error e;
  if (hearth_commit(w->L, w->S, HEARTH_DURABLE, &e) != HEARTH_OK) fuzz_fail("commit: %s", e.message);
  call(w, "committed", "");
}

static void roll_back(World *w) {
  hearth_error e;
  if (hearth_rollback(w->L, w->S, &e) != HEARTH_OK) fuzz_fail("rollback: %s", e.message);
  call(w, "went_back", "");
  set_globals(w);
}

enum { CLOSED, KILLED, POWER_LOST };

/* Opens again; what was not committed is gone. */
static void reopen(World *w, int how, unsigned seed) {
  if (how != CLOSED) /* closing writes nothing then */
    hearth_disk_arm(w->disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, 0, 5 /* EIO */, true, false});
  (void)hearth_close(w->L, w->S);
  hearth_disk_disarm(w->disk);
  if (how == KILLED) hearth_disk_kill_process(w->disk);
  if (how == POWER_LOST) hearth_disk_power_loss(w->disk, seed);
  call(w, "went_back", "");
  open_store(w);
}

static void compact(World *w) {
  hearth_error e;
  if (hearth_compact(w->L, w->S, 0, &e) != HEARTH_OK) fuzz_fail("compact: %s", e.message);
  call(w, "committed", "");
}

static void run(World *w, FuzzInput *in) {
  int losses = 0;
  for (int i = 0; i < MOST_STEPS && fuzz_left(in) > 0; i++) {
    uint8_t what = fuzz_byte(in);
    switch (what % 32) {
      case 0:
      case 1: commit(w); break;
      case 2: roll_back(w); call(w, "check", "rollback"); break;
      case 3: reopen(w, CLOSED, 0); call(w, "check", "reopening"); break;
      case 4: reopen(w, KILLED, 0); call(w, "check", "after the kill"); break;
      case 5:
        if (losses++ < MOST_LOSSES) reopen(w, POWER_LOST, fuzz_byte(in));
        call(w, "check", "after the power loss");
        break;
      case 6: compact(w); call(w, "check", "compaction"); break;
      case 7: (void)lua_gc(w->L, LUA_GCCOLLECT); break;
      default:
        lua_getglobal(w->L, "step");
        lua_pushinteger(w->L, what % 32 - 8);
        lua_pushinteger(w->L, fuzz_byte(in));
        lua_pushinteger(w->L, fuzz_byte(in));
        lua_pushinteger(w->L, (lua_Integer)fuzz_number(in, 2));
        if (lua_pcall(w->L, 4, 0, 0) != LUA_OK) fuzz_fail("a step: %s", lua_tostring(w->L, -1));
    }
    FUZZ_CHECK(lua_gettop(w->L) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint32_t page_sizes[] = {64, 128, 256, 4096};
  FuzzInput in = {data, data + size};
  World w = {.disk = hearth_disk_new(), .page_size = page_sizes[fuzz_byte(&in) % 4]};
  w.L = fuzz_whole_state(&w.memory);
  fuzz_run(w.L, code, "=model");
  w.memory.largest = fuzz_largest(size);
  begin(&w);
  run(&w, &in);
  commit(&w);
  reopen(&w, CLOSED, 0);
  call(&w, "check", "the end");
  (void)hearth_close(w.L, w.S);
  lua_close(w.L);
  FUZZ_CHECK(w.memory.used == 0);
  hearth_disk_free(w.disk);
  return 0;
}
