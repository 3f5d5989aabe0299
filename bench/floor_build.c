#include "floor.h"

#include <lauxlib.h>
#include <stdbool.h>

/* What to push, and then where to put it. */
enum { PUSH_FALSE, PUSH_TRUE, PUSH_INTEGER, PUSH_FLOAT, PUSH_STRING, PUSH_FIRST, PUSH_KNOWN, PUSH_TABLE, PUSH_OBJECT,
       OPEN_OBJECT, CLOSE };
enum { THEN_NOTHING, THEN_SET_INDEX, THEN_SET, THEN_DROP };

typedef struct Step {
  uint8_t push, then;
  uint32_t size;  /* a string's length; a table's sequence */
  union {
    lua_Integer integer;
    lua_Number number;
    const char *bytes; /* of a string of the value that the plan was made from */
    struct {
      uint32_t pairs;  /* of a table */
      uint32_t number; /* of an object in the list of those that are referred to more than once */
    } table;
  } as;
  uint32_t slot;  /* of a string that occurs again */
  lua_Integer index;
} Step;

struct Plan {
  Step *steps;
  size_t count, room;
  uint32_t objects, strings;
};

#define MOST_KNOWN 100000 /* strings on Lua's stack; what occurs again beyond that is made again */

typedef struct Planner {
  lua_State *L;
  Plan *plan;
  Seen tables, strings;  /* count: how often each is referred to */
  uint32_t *object_of;   /* by a table's number: its place among the objects + 1 */
  uint32_t *slot_of;     /* by a string's number: its slot + 1 */
} Planner;

/* ----------------------------------------------------------------- planning */

static void count_string(Planner *P, int index) {
  if (lua_type(P->L, index) == LUA_TSTRING) seen_meet(&P->strings, lua_tostring(P->L, index))->count++;
}

/* References to each table, and uses of each string. False: there is a value that no plan has. */
static bool count_all(Planner *P, int index) {
  lua_State *L = P->L;
  size_t depth = 1;
  lua_pushvalue(L, index);
  seen_meet(&P->tables, lua_topointer(L, -1))->count++;
  lua_pushnil(L);
  while (depth > 0) {
    if (!lua_next(L, -2)) {
      lua_pop(L, 1);
      depth--;
      continue;
    }
    count_string(P, -2);
    count_string(P, -1);
    int type = lua_type(L, -1);
    if (type == LUA_TTABLE && seen_meet(&P->tables, lua_topointer(L, -1))->count++ == 0) {
      if (lua_getmetatable(L, -1) || !lua_checkstack(L, LUA_MINSTACK)) return false;
      lua_pushnil(L);
      depth++;
      continue;
    }
    if (type != LUA_TTABLE && type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN) return false;
    lua_pop(L, 1);
  }
  return true;
}

static Step *add(Plan *plan, int push, int then) {
  if (plan->count == plan->room) {
    plan->room = plan->room == 0 ? 1024 : 2 * plan->room;
    plan->steps = realloc(plan->steps, plan->room * sizeof *plan->steps);
    if (plan->steps == NULL) abort();
  }
  Step *step = &plan->steps[plan->count++];
  memset(step, 0, sizeof *step);
  step->push = (uint8_t)push;
  step->then = (uint8_t)then;
  return step;
}

static Step *add_string(Planner *P, int index, int then) {
  size_t size;
  const char *bytes = lua_tolstring(P->L, index, &size);
  SeenSlot *seen = seen_meet(&P->strings, bytes);
  Step *step = add(P->plan, PUSH_STRING, then);
  step->size = (uint32_t)size;
  step->as.bytes = bytes;
  if (seen->count < 2) return step;
  if (P->slot_of[seen->number] != 0) {
    step->push = PUSH_KNOWN;
  } else if (P->plan->strings < MOST_KNOWN) {
    step->push = PUSH_FIRST;
    P->slot_of[seen->number] = ++P->plan->strings;
  }
  step->slot = P->slot_of[seen->number];
  return step;
}

static Step *add_scalar(Planner *P, int index, int then) {
  lua_State *L = P->L;
  Step *step;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: return add(P->plan, lua_toboolean(L, index) ? PUSH_TRUE : PUSH_FALSE, then);
    case LUA_TNUMBER:
      step = add(P->plan, lua_isinteger(L, index) ? PUSH_INTEGER : PUSH_FLOAT, then);
      if (step->push == PUSH_INTEGER)
        step->as.integer = lua_tointeger(L, index);
      else
        step->as.number = lua_tonumber(L, index);
      return step;
    default: return add_string(P, index, then);
  }
}

static void add_entries(Planner *P, int t, uint32_t *sequence, uint32_t *pairs);

/* A table that nothing else refers to is made where it belongs; others were made before. */
static void add_table(Planner *P, int index, int then, lua_Integer at) {
  SeenSlot *seen = seen_meet(&P->tables, lua_topointer(P->L, index));
  uint32_t sequence, pairs;
  if (P->object_of[seen->number] != 0) {
    Step *step = add(P->plan, PUSH_OBJECT, then);
    step->as.table.number = P->object_of[seen->number];
    step->index = at;
    return;
  }
  add(P->plan, PUSH_TABLE, THEN_NOTHING);
  size_t place = P->plan->count - 1;
  luaL_checkstack(P->L, LUA_MINSTACK, "plan");
  add_entries(P, index, &sequence, &pairs);
  P->plan->steps[place].size = sequence;
  P->plan->steps[place].as.table.pairs = pairs;
  add(P->plan, CLOSE, then)->index = at;
}

static void add_entries(Planner *P, int t, uint32_t *sequence, uint32_t *pairs) {
  lua_State *L = P->L;
  *sequence = *pairs = 0;
  lua_pushnil(L);
  while (lua_next(L, t)) {
    int value = lua_gettop(L), then = THEN_SET;
    if (lua_isinteger(L, value - 1) && lua_tointeger(L, value - 1) == (lua_Integer)*sequence + 1) {
      ++*sequence;
      then = THEN_SET_INDEX;
    } else {
      ++*pairs;
      add_scalar(P, value - 1, THEN_NOTHING);
    }
    if (lua_type(L, value) == LUA_TTABLE)
      add_table(P, value, then, (lua_Integer)*sequence);
    else
      add_scalar(P, value, then)->index = (lua_Integer)*sequence;
    lua_pop(L, 1);
  }
}

/* The tables that are referred to more than once: first they are made, at the end they are filled. */
static void add_objects(Planner *P, int index) {
  lua_State *L = P->L;
  lua_pushvalue(L, index);
  lua_newtable(L); /* table -> true, while the objects are looked for; a list of them */
  int list = lua_gettop(L);
  lua_Integer found = 0;
  lua_pushvalue(L, index);
  lua_pushnil(L);
  for (size_t depth = 1; depth > 0;) {
    if (!lua_next(L, -2)) {
      lua_pop(L, 1);
      depth--;
      continue;
    }
    SeenSlot *seen = lua_istable(L, -1) ? seen_meet(&P->tables, lua_topointer(L, -1)) : NULL;
    if (seen == NULL || P->object_of[seen->number] != 0) {
      lua_pop(L, 1);
      continue;
    }
    if (seen->count > 1) {
      P->object_of[seen->number] = ++P->plan->objects;
      lua_pushvalue(L, -1);
      lua_rawseti(L, list, ++found);
    }
    luaL_checkstack(L, LUA_MINSTACK, "plan");
    lua_pushnil(L);
    depth++;
  }
  size_t first = P->plan->count;
  for (lua_Integer i = 1; i <= found; i++) add(P->plan, PUSH_TABLE, THEN_DROP)->index = i;
  for (lua_Integer i = 1; i <= found; i++) {
    uint32_t sequence, pairs;
    add(P->plan, OPEN_OBJECT, THEN_NOTHING)->as.table.number = (uint32_t)i;
    lua_rawgeti(L, list, i);
    add_entries(P, lua_gettop(L), &sequence, &pairs);
    lua_pop(L, 1);
    P->plan->steps[first + (size_t)i - 1].size = sequence;
    P->plan->steps[first + (size_t)i - 1].as.table.pairs = pairs;
    add(P->plan, CLOSE, THEN_NOTHING)->index = -1;
  }
  lua_settop(L, list - 2);
}

Plan *plan_make(lua_State *L, int index, size_t tables, size_t values) {
  Planner P = {.L = L, .plan = calloc(1, sizeof *P.plan)};
  int top = lua_gettop(L);
  seen_init(&P.tables, tables);
  seen_init(&P.strings, values);
  P.object_of = calloc(tables + 1, sizeof *P.object_of);
  P.slot_of = calloc(values + 1, sizeof *P.slot_of);
  bool fit = P.plan != NULL && P.tables.slots != NULL && P.strings.slots != NULL && P.object_of != NULL &&
             P.slot_of != NULL && count_all(&P, index);
  if (fit) {
    add_objects(&P, index);
    add_table(&P, index, THEN_NOTHING, 0);
  }
  lua_settop(L, top);
  seen_free(&P.tables);
  seen_free(&P.strings);
  free(P.object_of);
  free(P.slot_of);
  if (fit) return P.plan;
  plan_free(P.plan);
  return NULL;
}

void plan_free(Plan *plan) {
  if (plan != NULL) free(plan->steps);
  free(plan);
}

/* ----------------------------------------------------------------- building */

static inline void push(lua_State *L, const Step *s, int objects) {
  switch (s->push) {
    case PUSH_FALSE: lua_pushboolean(L, 0); break;
    case PUSH_TRUE: lua_pushboolean(L, 1); break;
    case PUSH_INTEGER: lua_pushinteger(L, s->as.integer); break;
    case PUSH_FLOAT: lua_pushnumber(L, s->as.number); break;
    case PUSH_STRING: lua_pushlstring(L, s->as.bytes, s->size); break;
    case PUSH_FIRST:
      lua_pushlstring(L, s->as.bytes, s->size);
      lua_copy(L, -1, objects + (int)s->slot);
      break;
    case PUSH_KNOWN: lua_pushvalue(L, objects + (int)s->slot); break;
    case PUSH_TABLE: lua_createtable(L, (int)s->size, (int)s->as.table.pairs); break;
    case PUSH_OBJECT:
    case OPEN_OBJECT: lua_rawgeti(L, objects, (lua_Integer)s->as.table.number); break;
    default: break; /* CLOSE */
  }
}

/* The place of the table that is filled is always just below what is put into it: nesting is on Lua's stack. */
void plan_build(const Plan *plan, lua_State *L) {
  int base = lua_gettop(L);
  luaL_checkstack(L, (int)plan->strings + 1000, "strings");
  lua_createtable(L, (int)plan->objects, 0);
  lua_settop(L, base + 1 + (int)plan->strings);
  int objects = base + 1; /* and behind them the strings that occur again */
  for (const Step *s = plan->steps, *end = s + plan->count; s < end; s++) {
    push(L, s, objects);
    switch (s->then) {
      case THEN_SET_INDEX: lua_rawseti(L, -2, s->index); break;
      case THEN_SET: lua_rawset(L, -3); break;
      case THEN_DROP: lua_rawseti(L, objects, s->index); break;
      default:
        if (s->push == CLOSE && s->index < 0) lua_pop(L, 1);
    }
  }
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
}
