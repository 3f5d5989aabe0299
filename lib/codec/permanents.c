#include "permanents.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "permanents_table.h"

#define REGISTRY_KEY "hearth.permanents"
#define MAX_UPVALUE 255

/* ------------------------------------------------------------------ perms */

static PermanentsFilter *filter_of(lua_State *L, int perms) {
  lua_rawgeti(L, perms, PERMS_FILTER);
  PermanentsFilter *filter = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return filter;
}

const PermanentsFilter *permanents_filter(lua_State *L, int perms) {
  return filter_of(L, perms);
}

void permanents_note(lua_State *L, int perms, const void *address) {
  const uint32_t bit = permanents_filter_bit((uint64_t)(uintptr_t)address);
  filter_of(L, perms)->bits[bit / 8] |= (unsigned char)(1u << bit % 8);
}

void permanents_put(lua_State *L, int perms, int field, int key, int value) {
  if (field == PERMS_NAMES) permanents_note(L, perms, lua_topointer(L, key));
  lua_rawgeti(L, perms, field);
  lua_pushvalue(L, key);
  lua_pushvalue(L, value);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* [-0, +1, -] perms.field[key], or nil. */
static int get(lua_State *L, int perms, int field, int key) {
  lua_rawgeti(L, perms, field);
  lua_pushvalue(L, key);
  const int type = lua_rawget(L, -2);
  lua_remove(L, -2);
  return type;
}

static void make_weak(lua_State *L, const char *mode) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

void permanents_push(lua_State *L) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (lua_getfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, PERMS_LAST, 0);
  for (int field = 1; field <= PERMS_LAST; field++) {
    lua_newtable(L);
    if (field == PERMS_NAMES || field == PERMS_STANDARD || field == PERMS_SNAPSHOTS || field == PERMS_TYPE_NAMES)
      make_weak(L, "k");
    lua_rawseti(L, -2, field);
  }
  memset(lua_newuserdatauv(L, sizeof(PermanentsFilter), 0), 0, sizeof(PermanentsFilter));
  lua_rawseti(L, -2, PERMS_FILTER);
  permanents_add_standard(L, lua_gettop(L));
  if (lua_getfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY) == LUA_TTABLE) { /* a finalizer was here meanwhile */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY); /* last: a failure before leaves nothing half done */
}

bool permanents_better(lua_State *L, int name, int than) {
  size_t a_size, b_size;
  const char *a = lua_tolstring(L, name, &a_size), *b = lua_tolstring(L, than, &b_size);
  return a_size != b_size ? a_size < b_size : memcmp(a, b, a_size) < 0;
}

/* ------------------------------------------------------------ cells' names */

static bool all_digits(const char *s) {
  return s[strspn(s, "0123456789")] == '\0';
}

/* Is it the name of the upvalue at `upvalue`, and of no upvalue before it? Then a name finds the cell again. */
static bool names_upvalue(lua_State *L, int function, int upvalue, const char *name) {
  if (strcmp(name, "(no name)") == 0 || all_digits(name)) return false; /* stripped; "" has no non-digit either */
  for (int i = 1; i < upvalue; i++) {
    const char *other = lua_getupvalue(L, function, i);
    lua_pop(L, 1);
    if (strcmp(other, name) == 0) return false;
  }
  return true;
}

/* [-0, +1, m] The name of a function's cell; the function has one itself. */
static void push_cell_name(lua_State *L, int perms, int function, int upvalue) {
  get(L, perms, PERMS_NAMES, function);
  const char *name = lua_getupvalue(L, function, upvalue);
  lua_pop(L, 1);
  lua_pushliteral(L, "^");
  if (names_upvalue(L, function, upvalue, name))
    lua_pushstring(L, name);
  else
    lua_pushfstring(L, "%d", upvalue);
  lua_concat(L, 3);
}

/* [-0, +(0|1), -] The function that is known to hold the cell, and which upvalue it is there; 0: none, or no longer. */
static int get_cell(lua_State *L, int perms, void *id) {
  lua_rawgeti(L, perms, PERMS_UPVALUES);
  lua_rawgetp(L, -1, id);
  const int upvalue = (int)lua_tointeger(L, -1);
  lua_pop(L, 2);
  if (upvalue == 0) return 0;
  lua_rawgeti(L, perms, PERMS_CELLS);
  lua_rawgetp(L, -1, id);
  lua_remove(L, -2);
  if (lua_upvalueid(L, -1, upvalue) == id) return upvalue; /* upvaluejoin may have given it another */
  lua_pop(L, 1);
  return 0;
}

/* Does the function's name still mean it? */
static bool is_current(lua_State *L, int perms, int object) {
  get(L, perms, PERMS_NAMES, object);
  get(L, perms, PERMS_VALUES, lua_gettop(L));
  const bool current = lua_rawequal(L, -1, object);
  lua_pop(L, 2);
  return current;
}

/* Has the cell a better name already? */
static bool has_better_cell(lua_State *L, int perms, int function, int upvalue, void *id) {
  const int known = get_cell(L, perms, id);
  if (known == 0) return false;
  const int owner = lua_gettop(L);
  push_cell_name(L, perms, owner, known);
  push_cell_name(L, perms, function, upvalue);
  const bool better = is_current(L, perms, owner) && !permanents_better(L, -1, -2);
  lua_settop(L, owner - 1);
  return better;
}

static void label_cells(lua_State *L, int perms, int function) {
  for (int i = 1; lua_getupvalue(L, function, i) != NULL; i++) {
    lua_pop(L, 1);
    void *id = lua_upvalueid(L, function, i);
    if (has_better_cell(L, perms, function, i, id)) continue;
    permanents_note(L, perms, id);
    lua_rawgeti(L, perms, PERMS_CELLS);
    lua_pushvalue(L, function);
    lua_rawsetp(L, -2, id);
    lua_rawgeti(L, perms, PERMS_UPVALUES); /* after the function: an index without one would be a lie */
    lua_pushinteger(L, i);
    lua_rawsetp(L, -2, id);
    lua_pop(L, 2);
  }
}

bool permanents_cell_name(lua_State *L, int perms, void *upvalueid) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  perms = lua_absindex(L, perms);
  const int upvalue = get_cell(L, perms, upvalueid);
  if (upvalue == 0) return false;
  push_cell_name(L, perms, lua_gettop(L), upvalue);
  lua_remove(L, -2);
  return true;
}

/* Which upvalue of the function is it? 0: none. */
static int find_upvalue(lua_State *L, int function, const char *name) {
  const bool by_index = all_digits(name);
  const long index = by_index && strlen(name) <= 3 ? strtol(name, NULL, 10) : 0;
  for (int i = 1; i <= MAX_UPVALUE; i++) {
    const char *upvalue = lua_getupvalue(L, function, i);
    if (upvalue == NULL) return 0;
    lua_pop(L, 1);
    if (by_index ? i == index : strcmp(upvalue, name) == 0) return i;
  }
  return 0;
}

int permanents_cell(lua_State *L, int perms, int name) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  perms = lua_absindex(L, perms);
  if (lua_type(L, name) != LUA_TSTRING) return 0;
  size_t size;
  const char *text = lua_tolstring(L, name, &size);
  size_t hat = size;
  while (hat > 0 && text[hat - 1] != '^') hat--;
  if (hat == 0 || strlen(text + hat) != size - hat) return 0;
  lua_pushlstring(L, text, hat - 1);
  get(L, perms, PERMS_VALUES, lua_gettop(L));
  lua_remove(L, -2);
  const int upvalue = permanents_kind(L, -1) == PERMANENT_LUA_FUNCTION ? find_upvalue(L, -1, text + hat) : 0;
  if (upvalue == 0) lua_pop(L, 1);
  return upvalue;
}

/* ------------------------------------------------------------- registering */

void permanents_bind(lua_State *L, int perms, int object, int name) {
  permanents_put(L, perms, PERMS_VALUES, name, object);
}

void permanents_label(lua_State *L, int perms, int object, int name, bool force) {
  const bool standard = get(L, perms, PERMS_STANDARD, object) != LUA_TNIL;
  lua_pop(L, 1);
  if (standard) return;
  const bool named = get(L, perms, PERMS_NAMES, object) == LUA_TSTRING;
  const bool keep = named && !force && is_current(L, perms, object) && !permanents_better(L, name, lua_gettop(L));
  lua_pop(L, 1);
  if (!keep) permanents_put(L, perms, PERMS_NAMES, object, name);
  if (permanents_kind(L, object) == PERMANENT_LUA_FUNCTION) label_cells(L, perms, object);
}

/*
** The copy is weak: it must not keep what the table gave up. An entry that is gone from it was
** changed in the table, too, so that the count of equal entries tells.
*/
void permanents_snapshot(lua_State *L, int perms, int object, bool growing) {
  lua_createtable(L, 3, 0);
  const int record = lua_gettop(L);
  lua_newtable(L);
  make_weak(L, "kv");
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, object); count++) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_rawseti(L, record, 1);
  lua_pushinteger(L, count);
  lua_rawseti(L, record, 2);
  lua_pushboolean(L, growing);
  lua_rawseti(L, record, 3);
  permanents_put(L, perms, PERMS_SNAPSHOTS, object, record);
  lua_settop(L, record - 1);
}

hearth_status permanents_protect(lua_State *L, int nargs, int nresults, hearth_error *err) {
  const int result = lua_pcall(L, nargs, nresults, 0);
  if (result == LUA_OK) return hearth_ok(err);
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error without a message";
  const hearth_status status = result == LUA_ERRMEM ? hearth_fail(err, HEARTH_NOMEM, "out of memory")
                                                    : hearth_fail(err, HEARTH_INVALID, "%s", message);
  lua_pop(L, 1);
  return status;
}

/* (object, name as light userdata) */
static int register_permanent(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 2));
  permanents_push(L);
  const int name = 3, perms = 4;
  permanents_bind(L, perms, 1, name);
  permanents_label(L, perms, 1, name, false);
  if (lua_istable(L, 1)) permanents_snapshot(L, perms, 1, false);
  return 0;
}

hearth_status hearth_register_permanent(lua_State *L, int index, const char *name, hearth_error *err) {
  if (permanents_kind(L, index) == PERMANENT_NONE)
    return hearth_fail(err, HEARTH_INVALID,
                       "the permanent '%s' is a %s: only functions, tables and userdata have names", name,
                       luaL_typename(L, index));
  if (!lua_checkstack(L, 3)) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  index = lua_absindex(L, index);
  lua_pushcfunction(L, register_permanent);
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, (void *)(uintptr_t)name);
  return permanents_protect(L, 2, 0, err);
}

/* --------------------------------------------------------- changed tables */

/* Equal fields, a NaN being equal to itself. */
static bool same_value(lua_State *L, int a, int b) {
  if (lua_rawequal(L, a, b)) return true;
  return lua_type(L, a) == LUA_TNUMBER && lua_type(L, b) == LUA_TNUMBER && !lua_rawequal(L, a, a) &&
         !lua_rawequal(L, b, b);
}

/* Does the table differ from its snapshot record? */
static bool is_changed(lua_State *L, int table, int record) {
  lua_rawgeti(L, record, 1);
  const int copy = lua_gettop(L);
  lua_rawgeti(L, record, 2);
  lua_rawgeti(L, record, 3);
  const lua_Integer count = lua_tointeger(L, -2);
  const bool growing = lua_toboolean(L, -1);
  lua_Integer equal = 0, fields = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1), fields++) {
    lua_pushvalue(L, -2);
    lua_rawget(L, copy);
    if (same_value(L, -1, -2)) equal++;
    lua_pop(L, 1);
  }
  lua_settop(L, copy - 1);
  return equal != count || (!growing && fields != count);
}

static int changed_permanents(lua_State *L) {
  lua_newtable(L);
  permanents_push(L);
  const int list = 1, perms = 2, snapshots = 3;
  lua_rawgeti(L, perms, PERMS_SNAPSHOTS);
  for (lua_pushnil(L); lua_next(L, snapshots); lua_pop(L, 1)) {
    const int record = lua_gettop(L), table = record - 1;
    if (!is_current(L, perms, table) || !is_changed(L, table, record)) continue;
    get(L, perms, PERMS_NAMES, table);
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
  }
  lua_settop(L, list);
  return 1;
}

hearth_status hearth_changed_permanents(lua_State *L, hearth_error *err) {
  if (!lua_checkstack(L, 1)) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  lua_pushcfunction(L, changed_permanents);
  return permanents_protect(L, 0, 1, err);
}

/* ----------------------------------------------------------- placeholders */

/* Upvalues: the name, the kind. Every use of a stand-in comes here. */
static int raise_unknown(lua_State *L) {
  const char *name = luaL_tolstring(L, lua_upvalueindex(1), NULL);
  return luaL_error(L, "the permanent '%s' is not known to this program", name);
}

static const char *const raising_events[] = {"__index", "__newindex", "__call", "__len",  "__concat", "__unm", "__add",
                                             "__sub",   "__mul",      "__div",  "__idiv", "__mod",    "__pow", "__band",
                                             "__bor",   "__bxor",     "__bnot", "__shl",  "__shr",    "__lt",  "__le",
                                             "__pairs", NULL};

/* [-0, +1, m] The function that raises; it is the stand-in for a function. */
static void push_raiser(lua_State *L, int kind, int name) {
  lua_pushvalue(L, name);
  lua_pushinteger(L, kind);
  lua_pushcclosure(L, raise_unknown, 2);
}

/* [-1, +0, m] Fills the table at `table` as a metatable that raises. */
static void set_events(lua_State *L, int table, int name) {
  push_raiser(L, PERMANENT_TABLE, name);
  for (const char *const *event = raising_events; *event != NULL; event++) {
    lua_pushvalue(L, -1);
    lua_setfield(L, table, *event);
  }
  lua_pop(L, 1);
}

void permanents_placeholder(lua_State *L, int perms, PermanentKind kind, int name) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  perms = lua_absindex(L, perms);
  name = lua_absindex(L, name);
  switch (kind) {
    case PERMANENT_TABLE:
      lua_newtable(L);
      set_events(L, lua_gettop(L), name); /* in itself: it may serve as a metatable */
      lua_pushvalue(L, -1);
      lua_setmetatable(L, -2);
      break;
    case PERMANENT_USERDATA:
      lua_newuserdatauv(L, 0, 0);
      lua_newtable(L);
      set_events(L, lua_gettop(L), name);
      lua_setmetatable(L, -2);
      break;
    default:
      push_raiser(L, (int)kind, name);
  }
  permanents_put(L, perms, PERMS_NAMES, lua_gettop(L), name);
}

/* ---------------------------------------------------------------- looking up */

int permanents_kind(lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TTABLE:
      return PERMANENT_TABLE;
    case LUA_TFUNCTION:
      return lua_iscfunction(L, index) ? PERMANENT_C_FUNCTION : PERMANENT_LUA_FUNCTION;
    case LUA_TUSERDATA:
      return PERMANENT_USERDATA;
    default:
      return PERMANENT_NONE;
  }
}

/* A stand-in for a Lua function is a C function, and knows better. */
static int kind_of(lua_State *L, int index) {
  const int kind = permanents_kind(L, index);
  if (kind != PERMANENT_C_FUNCTION || lua_tocfunction(L, index) != raise_unknown) return kind;
  (void)lua_getupvalue(L, index, 2);
  const int known = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return known == PERMANENT_LUA_FUNCTION ? PERMANENT_LUA_FUNCTION : PERMANENT_C_FUNCTION;
}

int permanents_name(lua_State *L, int perms, int overlay, int index) {
  luaL_checkstack(L, 4, NULL);
  const int kind = kind_of(L, index);
  if (kind == PERMANENT_NONE) return PERMANENT_NONE;
  perms = lua_absindex(L, perms);
  index = lua_absindex(L, index);
  if (overlay != 0) {
    overlay = lua_absindex(L, overlay);
    lua_pushvalue(L, index);
    const int type = lua_rawget(L, overlay);
    if (type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN) return kind;
    lua_pop(L, 1);
    if (type != LUA_TNIL) return PERMANENT_BAD_NAME;
  }
  if (get(L, perms, PERMS_NAMES, index) != LUA_TNIL) return kind;
  lua_pop(L, 1);
  return PERMANENT_NONE;
}

bool permanents_value(lua_State *L, int perms, int overlay, int name) {
  luaL_checkstack(L, 4, NULL);
  perms = lua_absindex(L, perms);
  name = lua_absindex(L, name);
  if (overlay != 0) {
    overlay = lua_absindex(L, overlay);
    lua_pushvalue(L, name);
    if (lua_rawget(L, overlay) != LUA_TNIL) return true;
    lua_pop(L, 1);
  }
  if (get(L, perms, PERMS_VALUES, name) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}
