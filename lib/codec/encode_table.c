/*
** Tables. A record is the sequence 1..n, then either the values of a shape or
** pairs, then the metatable.
**
** Always one lua_next pass from nil: array keys arrive in order, and a start
** elsewhere loses entries whenever the border lies in the hash part.
*/
#include <lauxlib.h>
#include <stdlib.h>

#include "encoder.h"

typedef struct TableState {
  Encoder *E;
  int t;            /* stack index of the table */
  int weak;         /* mode, 0: not weak */
  size_t body;      /* where the record's body begins */
  uint64_t top;     /* E->top there */
  uint64_t sequence; /* values written as the sequence so far */
} TableState;

static bool is_shape_key(lua_State *L, int index, ShapeKey *key) {
  if (lua_type(L, index) != LUA_TSTRING) return false;
  key->bytes = lua_tolstring(L, index, &key->size);
  return key->size <= SHAPE_MAX_KEY_SIZE;
}

static void undo(TableState *T) {
  T->E->body.size = T->body;
  T->E->top = T->top;
  T->sequence = 0;
}

/* Would the record outgrow a page? Then there is no use in going on. */
static bool outgrown(const TableState *T) {
  return T->E->page_size > 0 && T->E->body.size - T->body > T->E->page_size;
}

/* Writes the sequence; leaves the next key and value on the stack and answers true, or false: no entry is left. */
static bool encode_sequence(TableState *T) {
  lua_State *L = T->E->L;
  lua_pushnil(L);
  while (lua_next(L, T->t)) {
    if (!lua_isinteger(L, -2) || (uint64_t)lua_tointeger(L, -2) != T->sequence + 1 || outgrown(T)) return true;
    encode_value(T->E, lua_gettop(L));
    lua_pop(L, 1);
    T->sequence++;
  }
  return false;
}

/*
** With a first key and value on the stack, tries to write what is left as
** values of a shape. The values gather on the stack while the keys are looked at. Leaves
** the stack as it was without key and value.
*/
static bool encode_shaped(TableState *T, Head *head) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  ShapeKey keys[SHAPE_MAX_KEYS];
  size_t count = 0;
  int base = lua_gettop(L) - 2;
  luaL_checkstack(L, SHAPE_MAX_KEYS + LUA_MINSTACK, "shape");
  do {
    if (count == SHAPE_MAX_KEYS || !is_shape_key(L, -2, &keys[count])) {
      lua_settop(L, base);
      return false;
    }
    count++;
    lua_insert(L, -2); /* value below key: it stays */
  } while (lua_next(L, T->t));
  const uint8_t *order;
  head->shape = encode_shape(E, keys, count, &order);
  head->flags |= HEAD_SHAPE;
  for (size_t i = 0; i < count; i++) encode_value(E, base + 1 + order[i]);
  lua_settop(L, base);
  return true;
}

/* What is left after the sequence, in the order of lua_next. */
static void encode_pairs(TableState *T, Head *head) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  if (T->sequence == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)T->sequence); /* the last one that the pass delivered */
  while (lua_next(L, T->t)) {
    int top = lua_gettop(L);
    encode_value(E, top - 1);
    encode_value(E, top);
    lua_pop(L, 1);
    head->pairs++;
  }
  head->flags |= HEAD_PAIRS;
}

/* ---------------------------------------------------------- sorted entries */

/* Writes the value at `index` to entry_bytes; answers where it begins. */
static size_t encode_aside(Encoder *E, int index) {
  size_t begin = E->entry_bytes.size, mark = E->body.size;
  encode_value(E, index);
  if (!E->body.failed) buffer_put(&E->entry_bytes, E->body.data + mark, E->body.size - mark);
  E->body.size = mark;
  return begin;
}

static Entry *entries_of(const Encoder *E) {
  return (Entry *)(void *)E->entries.data; /* the allocator's memory is aligned for it */
}

/* Adds the entry whose key is at top - 1 and whose value is at the top. */
static void collect_entry(TableState *T) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  int top = lua_gettop(L);
  Entry e = {0};
  e.key = encode_aside(E, top - 1);
  e.key_size = (uint32_t)(E->entry_bytes.size - e.key);
  if (lua_isinteger(L, top - 1)) {
    e.order = (uint64_t)lua_tointeger(L, top - 1) ^ (uint64_t)1 << 63; /* negative ones first */
  } else {
    e.other = 1;
    e.order = E->entry_bytes.failed ? 0 : hash64(E->entry_bytes.data + e.key, e.key_size, 0);
  }
  if (E->canonical) { /* the value is written after sorting, so that numbers follow the sorted order */
    e.value = E->entries.size / sizeof e;
    lua_pushvalue(L, top - 1);
    lua_rawseti(L, -4, (lua_Integer)e.value + 1); /* the table of keys lies below key, value */
  } else {
    e.value = encode_aside(E, top);
    e.value_size = E->entry_bytes.size - e.value;
  }
  buffer_put(&E->entries, &e, sizeof e);
}

static bool has_identity(lua_State *L, int index) {
  int type = lua_type(L, index);
  return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD;
}

/* Order decides; entries whose order is equal (a hash collision) by their bytes. */
static int compare_entries(const Encoder *E, const Entry *x, const Entry *y) {
  if (x->other != y->other) return x->other < y->other ? -1 : 1;
  if (x->order != y->order) return x->order < y->order ? -1 : 1;
  const unsigned char *bytes = E->entry_bytes.data;
  return value_compare_bytes(bytes + x->key, x->key_size, bytes + y->key, y->key_size);
}

/*
** Merge sort, bottom-up: stable, no recursion, and qsort has no context
** argument. `spare` has room for all.
*/
static void sort_entries(const Encoder *E, Entry *entries, Entry *spare, size_t count) {
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t low = 0; low < count; low += 2 * width) {
      size_t middle = low + width < count ? low + width : count;
      size_t high = low + 2 * width < count ? low + 2 * width : count;
      size_t i = low, j = middle;
      for (size_t k = low; k < high; k++)
        spare[k] = i < middle && (j >= high || compare_entries(E, &entries[i], &entries[j]) <= 0) ? entries[i++]
                                                                                               : entries[j++];
    }
    memcpy(entries, spare, count * sizeof *entries);
  }
}

/* Gathers the table's entries, sorted; answers how many. */
static size_t collect(TableState *T) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  size_t objects = 0;
  buffer_clear(&E->entries);
  buffer_clear(&E->entry_bytes);
  if (E->canonical) lua_newtable(L); /* keys in order of collection */
  lua_pushnil(L);
  while (lua_next(L, T->t)) {
    int top = lua_gettop(L);
    if (T->weak == 0 || encode_weak_keeps(E, T->weak, top - 1, top)) {
      if (E->canonical && !E->nested && has_identity(L, top - 1) && ++objects == 2)
        encoder_fail(E, HEARTH_UNSTORABLE, 0, "a table with two or more object keys has no canonical form");
      collect_entry(T);
    }
    lua_pop(L, 1);
  }
  size_t count = E->entries.size / sizeof(Entry);
  Entry *spare = (Entry *)(void *)buffer_reserve(&E->entries, E->entries.size); /* may move the entries */
  encoder_check(E);
  if (count > 1) sort_entries(E, entries_of(E), spare, count);
  for (size_t i = 0; E->canonical && i < count; i++) {
    Entry *e = &entries_of(E)[i];
    lua_rawgeti(L, -1, (lua_Integer)e->value + 1);
    lua_rawget(L, T->t);
    e->value = encode_aside(E, lua_gettop(L));
    e->value_size = E->entry_bytes.size - e->value;
    lua_pop(L, 1);
  }
  if (E->canonical) lua_pop(L, 1);
  encoder_check(E);
  return count;
}

static void put_entry_value(Encoder *E, const Entry *e) {
  buffer_put(&E->body, E->entry_bytes.data + e->value, e->value_size);
}

/* A record out of sorted entries: those with the keys 1..n are the sequence. */
static void encode_entries(Encoder *E, Head *head, const Entry *entries, size_t count) {
  size_t first = 0;
  while (first < count && !entries[first].other && entries[first].order <= (uint64_t)1 << 63) first++;
  size_t last = first;
  while (last < count && !entries[last].other && entries[last].order - ((uint64_t)1 << 63) == last - first + 1) last++;
  for (size_t i = first; i < last; i++) put_entry_value(E, &entries[i]);
  head->array = last - first;
  if (head->array > 0) head->flags |= HEAD_ARRAY;
  for (size_t i = 0; i < count; i++) {
    if (i == first) i = last;
    if (i == count) break;
    buffer_put(&E->body, E->entry_bytes.data + entries[i].key, entries[i].key_size);
    put_entry_value(E, &entries[i]);
    head->pairs++;
  }
  if (head->pairs > 0) head->flags |= HEAD_PAIRS;
}

static size_t bytes_of(const Entry *entries, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += entries[i].key_size + entries[i].value_size;
  return n;
}

/* ------------------------------------------------------------------ tables */

/* Writes the metatable, if any; the body ends with it. */
static void encode_metatable(Encoder *E, int t, Head *head) {
  if (!lua_getmetatable(E->L, t)) return;
  encode_value(E, lua_gettop(E->L));
  lua_pop(E->L, 1);
  head->flags |= HEAD_METATABLE;
}

static void encode_sorted(TableState *T, Head *head) {
  Encoder *E = T->E;
  undo(T);
  head->flags = 0;
  size_t count = collect(T);
  const Entry *entries = entries_of(E);
  if (E->page_size > 0 && bytes_of(entries, count) > E->page_size) {
    head->kind = OBJECT_PAGED;
    for (size_t i = 0; i < count; i++) {
      if (entries[i].other)
        head->pairs++;
      else
        head->array++;
    }
    encode_metatable(E, T->t, head);
    E->ops->pages(E, head, entries, count);
    return;
  }
  encode_entries(E, head, entries, count);
  encode_metatable(E, T->t, head);
  head_put(&E->head, head);
}

void encode_table(Encoder *E, int index) {
  TableState T = {E, index, 0, E->body.size, E->top, 0};
  Head head = {.kind = OBJECT_TABLE};
  T.weak = encode_weak_mode(E, index);
  if (T.weak != 0) {
    encode_sorted(&T, &head); /* entries are left out one by one */
    return;
  }
  bool more = encode_sequence(&T), done = !more;
  if (more && outgrown(&T))
    lua_pop(E->L, 2);
  else if (more)
    done = encode_shaped(&T, &head);
  if ((!done && E->sorted) || outgrown(&T)) {
    encode_sorted(&T, &head);
    return;
  }
  if (T.sequence > 0) {
    head.array = T.sequence;
    head.flags |= HEAD_ARRAY;
  }
  if (!done) encode_pairs(&T, &head);
  encode_metatable(E, index, &head);
  head_put(&E->head, &head);
}
