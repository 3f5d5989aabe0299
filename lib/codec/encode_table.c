/*
** Tables. A record is the sequence 1..n, then either the values of a shape or
** pairs, then the metatable.
**
** Always one lua_next pass from nil: array keys arrive in order, and a start
** elsewhere loses entries whenever the border lies in the hash part.
*/
#include <lauxlib.h>

#include "encode_sorted.h"

typedef struct TableState {
  Encoder *E;
  int t;            /* stack index of the table */
  int weak;         /* mode, 0: not weak */
  size_t body;      /* where the record's body begins */
  uint64_t top;     /* E->top there */
  uint64_t sequence; /* values written as the sequence so far */
  bool streamed;     /* its pages are made */
} TableState;

static bool is_shape_key(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) <= SHAPE_MAX_KEY_SIZE;
}

/* Would the record outgrow a page? Then there is no use in going on. */
static bool outgrown(const TableState *T) {
  return T->E->page_size > 0 && T->E->body.size - T->body > T->E->page_size;
}

/* Writes the sequence; leaves the next key and value on the stack and answers true, or false: no entry is left. */
static bool encode_sequence(TableState *T) {
  lua_State *L = T->E->L;
  int top = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, T->t)) {
    if (!lua_isinteger(L, top + 1) || (uint64_t)lua_tointeger(L, top + 1) != T->sequence + 1 || outgrown(T))
      return true;
    encode_value(T->E, top + 2);
    lua_settop(L, top + 1);
    T->sequence++;
  }
  return false;
}

/* Keys and values that gather on the stack, from base on, while lua_next goes through the table. */
typedef struct Gathered {
  int base;
  size_t count;
  const void *keys[SHAPE_MAX_KEYS];
  const struct CachedShape *guess; /* its keys need not be looked at */
} Gathered;

static void gather_begin(TableState *T, Gathered *g, int base) {
  luaL_checkstack(T->E->L, 2 * SHAPE_MAX_KEYS + LUA_MINSTACK, "shape");
  g->base = base;
  g->count = 0;
}

/* Adds the key and the value at the top, and leaves the key there for lua_next. False: no shape has it. */
static bool gather_field(TableState *T, Gathered *g) {
  lua_State *L = T->E->L;
  if (g->count == SHAPE_MAX_KEYS) return false;
  if (lua_type(L, -2) != LUA_TSTRING) return false; /* a light userdata may have a string's address */
  const void *key = lua_topointer(L, -2);
  if (g->count == 0) g->guess = shapes_guess(T->E->shapes, key);
  if ((g->guess == NULL || !shapes_has_key(g->guess, g->count, key)) && !is_shape_key(L, -2)) return false;
  g->keys[g->count++] = key;
  lua_pushvalue(L, -2);
  return true;
}

static int gathered_value(const Gathered *g, size_t i) {
  return g->base + 2 * (int)i + 2;
}

/*
** Will the record with these values, behind what is written already, fit its page? A shape is made only
** then: one that no record uses would be stored all the same.
*/
static bool values_fit(TableState *T, const Gathered *g) {
  Encoder *E = T->E;
  size_t most = E->body.size - T->body, mark = E->body.size;
  uint64_t top = E->top;
  if (E->page_size == 0) return true;
  for (size_t i = 0; i < g->count; i++) { /* a tag and 10 bytes at most; a string's length and bytes */
    int value = gathered_value(g, i);
    most += 11 + (lua_type(E->L, value) == LUA_TSTRING ? (size_t)lua_rawlen(E->L, value) : 0);
  }
  if (most <= E->page_size) return true;
  for (size_t i = 0; i < g->count; i++) encode_value(E, gathered_value(g, i));
  bool fit = !outgrown(T);
  E->body.size = mark;
  E->top = top;
  return fit;
}

/* Writes a shape and its values in the order of the keys. False: too much. */
static bool put_shaped(TableState *T, Head *head, const Gathered *g) {
  Encoder *E = T->E;
  const uint8_t *order;
  if (!values_fit(T, g)) return false;
  head->shape = encode_shape(E, g->base, g->keys, g->count, &order);
  head->flags |= HEAD_SHAPE;
  for (size_t i = 0; i < g->count; i++) encode_value(E, gathered_value(g, order[i]));
  return true;
}

/*
** With a first key and value on the stack, tries to write what is left as
** values of a shape. Leaves the stack as it was without key and value.
*/
static bool encode_shaped(TableState *T, Head *head) {
  lua_State *L = T->E->L;
  Gathered g;
  gather_begin(T, &g, lua_gettop(L) - 2);
  bool shaped = gather_field(T, &g);
  while (shaped && lua_next(L, T->t)) shaped = gather_field(T, &g);
  shaped = shaped && put_shaped(T, head, &g);
  lua_settop(L, g.base);
  return shaped;
}

/* What is left after the sequence, in the order of lua_next; of a weak table, what stays. */
static void encode_pairs(TableState *T, Head *head) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  if (T->sequence == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)T->sequence); /* the last one that the pass delivered */
  while (lua_next(L, T->t)) {
    int top = lua_gettop(L);
    if (T->weak == 0 || encode_weak_keeps(E, T->weak, top - 1, top)) {
      encode_value(E, top - 1);
      encode_value(E, top);
      head->pairs++;
    }
    lua_pop(L, 1);
  }
  if (head->pairs > 0) head->flags |= HEAD_PAIRS;
}

/* ------------------------------------------- sequence and shape by content */

/* The values whose keys are not 1..T->sequence, as a shape. False: these keys make none. */
static bool encode_rest_shaped(TableState *T, Head *head) {
  lua_State *L = T->E->L;
  Gathered g;
  gather_begin(T, &g, lua_gettop(L));
  bool shaped = true;
  lua_pushnil(L);
  while (shaped && lua_next(L, T->t)) {
    if (lua_isinteger(L, -2) && (uint64_t)lua_tointeger(L, -2) - 1 < T->sequence)
      lua_pop(L, 1);
    else
      shaped = gather_field(T, &g);
  }
  shaped = shaped && put_shaped(T, head, &g);
  lua_settop(L, g.base);
  return shaped;
}

/*
** The same record as by encode_sequence and encode_shaped, for a table whose keys `next` delivers mixed:
** `sequence` values, and `rest` others. False: it has another form, or outgrows its page.
*/
static bool encode_mixed(TableState *T, Head *head, size_t sequence, size_t rest) {
  Encoder *E = T->E;
  if (T->weak != 0 || rest > SHAPE_MAX_KEYS) return false;
  for (T->sequence = 0; T->sequence < sequence; T->sequence++) {
    lua_rawgeti(E->L, T->t, (lua_Integer)T->sequence + 1);
    encode_value(E, lua_gettop(E->L));
    lua_pop(E->L, 1);
    if (outgrown(T)) return false;
  }
  head->array = sequence;
  if (sequence > 0) head->flags |= HEAD_ARRAY;
  return (rest == 0 || encode_rest_shaped(T, head)) && !outgrown(T);
}

/* ------------------------------------------------------------------ tables */

/* Writes the metatable, if any; the body ends with it. */
static void encode_metatable(Encoder *E, int t, Head *head) {
  if (!lua_getmetatable(E->L, t)) return;
  encode_value(E, lua_gettop(E->L));
  lua_pop(E->L, 1);
  head->flags |= HEAD_METATABLE;
}

/* Back to an empty record: nothing but its bytes depends on what was written. */
static void undo(TableState *T, Head *head) {
  T->E->body.size = T->body;
  T->E->top = T->top;
  T->sequence = 0;
  *head = (Head){.kind = OBJECT_TABLE};
}

/* A store's table: a record that depends on its content alone, or pages. */
static void encode_sorted(TableState *T, Head *head) {
  Encoder *E = T->E;
  Begun begun = {T->sequence, E->body.size - T->body};
  undo(T, head);
  T->streamed = T->weak == 0 && E->page_size > 0 && E->ops->stream != NULL && E->ops->stream(E, T->t, &begun, head);
  if (T->streamed) return;
  size_t first, last, count = encode_gather(E, T->t, T->weak, 0);
  encode_find_sequence(encode_sorted_entries(E), count, &first, &last);
  if (encode_mixed(T, head, last - first, count - (last - first))) return;
  undo(T, head);
  const Entry *entries = encode_sorted_entries(E);
  if (E->page_size == 0 || encode_entries_size(entries, count) <= E->page_size) {
    encode_entries(E, head, entries, count);
    return;
  }
  head->kind = OBJECT_PAGED;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].other)
      head->pairs++;
    else
      head->array++;
  }
}

/* Does `next` deliver it as a sequence and then keys of a shape? */
static bool is_plain(const TableState *T) {
  lua_State *L = T->E->L;
  uint64_t sequence = 0;
  size_t keys = 0;
  bool plain = T->weak == 0;
  lua_pushnil(L);
  while (plain && lua_next(L, T->t)) {
    lua_pop(L, 1);
    if (keys == 0 && lua_isinteger(L, -1) && (uint64_t)lua_tointeger(L, -1) == sequence + 1)
      sequence++;
    else
      plain = is_shape_key(L, -1) && ++keys <= SHAPE_MAX_KEYS;
    if (!plain) lua_pop(L, 1);
  }
  if (T->weak != 0) lua_pop(L, 1);
  return plain;
}

/* Writes the entries of the list of sorted keys at `keys`: from `first` on `sequence` values, then pairs. */
static void encode_listed(TableState *T, Head *head, int keys, size_t count, size_t first, size_t sequence) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  for (size_t i = 1; i <= sequence; i++) {
    lua_rawgeti(L, T->t, (lua_Integer)i);
    encode_value(E, lua_gettop(L));
    lua_pop(L, 1);
  }
  for (size_t i = 0; i < count; i++) {
    if (i >= first && i - first < sequence) continue;
    lua_rawgeti(L, keys, (lua_Integer)i + 1);
    encode_value(E, lua_gettop(L));
    lua_rawget(L, T->t);
    encode_value(E, lua_gettop(L));
    lua_pop(L, 1);
  }
  head->array = sequence;
  head->pairs = count - sequence;
  if (head->array > 0) head->flags |= HEAD_ARRAY;
  if (head->pairs > 0) head->flags |= HEAD_PAIRS;
}

/*
** A canonical table that is not plain. Nothing is written before its form is known: what is written has consequences.
*/
static void encode_canonical(TableState *T, Head *head) {
  Encoder *E = T->E;
  encode_push_sorted_keys(E, T->t, T->weak);
  int keys = lua_gettop(E->L);
  size_t count = (size_t)lua_rawlen(E->L, keys), first, last;
  encode_find_sequence(encode_sorted_entries(E), count, &first, &last);
  bool shaped = T->weak == 0 && count - (last - first) <= SHAPE_MAX_KEYS;
  for (size_t i = 0; i < count && shaped; i++) {
    if (i >= first && i < last) continue;
    lua_rawgeti(E->L, keys, (lua_Integer)i + 1);
    shaped = is_shape_key(E->L, -1);
    lua_pop(E->L, 1);
  }
  if (!shaped || !encode_mixed(T, head, last - first, count - (last - first)))
    encode_listed(T, head, keys, count, first, last - first);
  lua_settop(E->L, keys - 1);
}

/* The usual table; a record that must depend on content alone is begun again in another way if it does not. */
static void encode_as_delivered(TableState *T, Head *head) {
  bool more = encode_sequence(T), done = !more;
  if (more && outgrown(T))
    lua_pop(T->E->L, 2);
  else if (more)
    done = encode_shaped(T, head);
  if ((!done && T->E->sorted) || outgrown(T)) {
    encode_sorted(T, head);
    return;
  }
  head->array = T->sequence;
  if (T->sequence > 0) head->flags |= HEAD_ARRAY;
  if (!done) encode_pairs(T, head);
}

void encode_table(Encoder *E, int index, bool has_metatable) {
  TableState T = {E, index, has_metatable ? encode_weak_mode(E, index) : 0, E->body.size, E->top, 0, false};
  Head head = {.kind = OBJECT_TABLE};
  if (T.weak == 0 && E->page_size > 0 && E->ops->known != NULL && E->ops->known(E, index, &head)) {
    encode_metatable(E, index, &head);
    head_put(&E->head, &head);
    return;
  }
  if (E->canonical && !is_plain(&T))
    encode_canonical(&T, &head);
  else if (T.weak == 0)
    encode_as_delivered(&T, &head);
  else if (E->sorted)
    encode_sorted(&T, &head);
  else
    encode_pairs(&T, &head);
  if (has_metatable) encode_metatable(E, index, &head);
  if (head.kind == OBJECT_PAGED && !T.streamed)
    E->ops->pages(E, &head, encode_sorted_entries(E), E->entries.size / sizeof(Entry));
  else
    head_put(&E->head, &head);
}
