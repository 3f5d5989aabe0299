/*
** Tables. A record is the sequence 1..n, then either the values of a shape or
** pairs, then the metatable.
**
** Always one lua_next pass from nil: array keys arrive in order, and a start
** elsewhere loses entries whenever the border lies in the hash part.
*/
#include <lauxlib.h>
#include <limits.h>

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
** Will the record with these values, behind what is written already, fit its page? A shape is made only
** then: one that no record uses would be stored all the same.
*/
static bool values_fit(TableState *T, int first, size_t count) {
  Encoder *E = T->E;
  size_t most = E->body.size - T->body, mark = E->body.size;
  uint64_t top = E->top;
  if (E->page_size == 0) return true;
  for (size_t i = 0; i < count; i++) /* a tag and 10 bytes at most; a string's length and bytes */
    most += 11 + (lua_type(E->L, first + (int)i) == LUA_TSTRING ? (size_t)lua_rawlen(E->L, first + (int)i) : 0);
  if (most <= E->page_size) return true;
  for (size_t i = 0; i < count; i++) encode_value(E, first + (int)i);
  bool fit = !outgrown(T);
  E->body.size = mark;
  E->top = top;
  return fit;
}

/* Writes a shape and its values, which are the topmost on the stack, in the order of the keys. False: too much. */
static bool put_shaped(TableState *T, Head *head, const ShapeKey keys[], size_t count) {
  Encoder *E = T->E;
  int base = lua_gettop(E->L) - (int)count;
  const uint8_t *order;
  if (!values_fit(T, base + 1, count)) return false;
  head->shape = encode_shape(E, keys, count, &order);
  head->flags |= HEAD_SHAPE;
  for (size_t i = 0; i < count; i++) encode_value(E, base + 1 + order[i]);
  return true;
}

/*
** With a first key and value on the stack, tries to write what is left as
** values of a shape. The values gather on the stack while the keys are looked at. Leaves
** the stack as it was without key and value.
*/
static bool encode_shaped(TableState *T, Head *head) {
  lua_State *L = T->E->L;
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
  bool put = put_shaped(T, head, keys, count);
  lua_settop(L, base);
  return put;
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

/* ---------------------------------------------------------- sorted entries */

/*
** Keys are sorted by their bytes. In a store the bytes of a key or a value depend on nothing
** else, and are written aside while the entries are gathered. In canonical mode numbers, the dictionary and NEXT
** depend on the order in which things are written: there only the keys are gathered, in
** their plain form and in a list, and everything is written once the order is known.
*/

/* What encode_value writes goes to entry_bytes, until this is called again. */
static void swap_output(Encoder *E) {
  Buffer body = E->body;
  E->body = E->entry_bytes;
  E->entry_bytes = body;
}

/* Writes the value at `index` to entry_bytes; answers where it begins. */
static size_t encode_aside(Encoder *E, int index) {
  size_t begin = E->entry_bytes.size;
  swap_output(E); /* a failure leaves them so: each still belongs to the encoder, once */
  encode_value(E, index);
  swap_output(E);
  return begin;
}

static Entry *entries_of(const Encoder *E) {
  return (Entry *)(void *)E->entries.data; /* the allocator's memory is aligned for it */
}

static bool has_identity(lua_State *L, int index) {
  int type = lua_type(L, index);
  return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD;
}

/* Writes the key at `index` to entry_bytes as it is without a dictionary; an object, which has no such form, not at all. */
static void put_plain_key(Encoder *E, int index) {
  lua_State *L = E->L;
  Buffer *b = &E->entry_bytes;
  size_t size;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: value_put_tag(b, lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE); break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        value_put_integer(b, (int64_t)lua_tointeger(L, index));
      } else {
        lua_Number n = lua_tonumber(L, index);
        uint64_t bits;
        memcpy(&bits, &n, sizeof bits);
        value_put_float(b, bits);
      }
      break;
    case LUA_TSTRING: {
      const char *s = lua_tolstring(L, index, &size);
      value_put_string(b, s, size);
      break;
    }
    default: break;
  }
}

uint64_t encode_identity(const Encoder *E, int index, uint8_t *type) {
  lua_State *L = E->L;
  uint64_t bits;
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: *type = lua_toboolean(L, index) ? IDENTITY_TRUE : IDENTITY_FALSE; return 0;
    case LUA_TNUMBER:
      *type = lua_isinteger(L, index) ? IDENTITY_INTEGER : IDENTITY_FLOAT;
      if (*type == IDENTITY_INTEGER) return (uint64_t)lua_tointeger(L, index);
      lua_Number n = lua_tonumber(L, index);
      memcpy(&bits, &n, sizeof bits);
      return bits;
    case LUA_TSTRING: *type = IDENTITY_STRING; break;
    case LUA_TTABLE:
    case LUA_TFUNCTION: *type = IDENTITY_OBJECT; break;
    default: *type = IDENTITY_NONE; return 0;
  }
  return (uint64_t)(uintptr_t)lua_topointer(L, index);
}

/* Notes what the entry is whose key and value are the topmost. A string that is a constant must be reached anew each time. */
static void put_identity(Encoder *E, uint32_t page) {
  Identity id;
  int top = lua_gettop(E->L);
  memset(&id, 0, sizeof id);
  id.page = page;
  id.key = encode_identity(E, top - 1, &id.key_type);
  id.value = encode_identity(E, top, &id.value_type);
  if (id.key_type == IDENTITY_STRING && lua_rawlen(E->L, top - 1) > E->page_size / 2) id.key_type = IDENTITY_NONE;
  if (id.value_type == IDENTITY_STRING && lua_rawlen(E->L, top) > E->page_size / 2) id.value_type = IDENTITY_NONE;
  buffer_put(&E->identities, &id, sizeof id);
}

/* Gathers the entry whose key is at top - 1 and whose value is at the top; with `keys` only the key, in that list. */
static void gather_entry(Encoder *E, size_t index, int keys) {
  lua_State *L = E->L;
  int top = lua_gettop(L);
  Entry e = {.key = E->entry_bytes.size};
  e.index = (index < ENTRY_MOST_INDEX ? (uint32_t)index : ENTRY_MOST_INDEX) & ENTRY_MOST_INDEX;
  if (keys != 0)
    put_plain_key(E, top - 1);
  else
    (void)encode_aside(E, top - 1);
  size_t key_size = E->entry_bytes.size - e.key;
  if (key_size > UINT32_MAX) encoder_fail(E, HEARTH_LIMIT, 0, "a key is larger than 4 GiB");
  e.key_size = (uint32_t)key_size;
  if (lua_isinteger(L, top - 1)) {
    e.order = (uint64_t)lua_tointeger(L, top - 1) ^ (uint64_t)1 << 63; /* negative ones first */
  } else if (keys != 0 && has_identity(L, top - 1)) {
    e.other = 2; /* after all others */
  } else {
    e.other = 1;
    e.order = E->entry_bytes.failed ? 0 : hash64(E->entry_bytes.data + e.key, e.key_size, 0);
  }
  if (keys != 0) {
    e.value = E->entries.size / sizeof e;
    lua_pushvalue(L, top - 1);
    lua_rawseti(L, keys, (lua_Integer)e.value + 1);
  } else {
    e.value = encode_aside(E, top);
    e.value_size = E->entry_bytes.size - e.value;
  }
  buffer_put(&E->entries, &e, sizeof e);
}

/* Order decides; entries whose order is equal (a hash collision) by their bytes. */
static int compare_entries(const Encoder *E, const Entry *x, const Entry *y) {
  if (x->other != y->other) return x->other < y->other ? -1 : 1;
  if (x->order != y->order) return x->order < y->order ? -1 : 1;
  if (x->key_size == 0) return 0; /* two objects: there may be no bytes at all */
  const unsigned char *bytes = E->entry_bytes.data;
  return value_compare_bytes(bytes + x->key, x->key_size, bytes + y->key, y->key_size);
}

/*
** Merge sort, bottom-up: stable, no recursion, and qsort has no context
** argument. `spare` has room for all.
*/
static void merge_sort(const Encoder *E, Entry *entries, Entry *spare, size_t count) {
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

#define BUCKET_BITS 10
#define BUCKETS (3u << BUCKET_BITS) /* for each value of `other` */
#define WORTH_BUCKETS 4096          /* entries */

static size_t bucket_of(const Entry *e) {
  return (size_t)e->other << BUCKET_BITS | (size_t)(e->order >> (64 - BUCKET_BITS));
}

/* Deals entries out by the highest bits of their order, which for hashes is nearly all of the sorting. */
static void bucket_sort(const Encoder *E, Entry *entries, Entry *spare, size_t count) {
  size_t starts[BUCKETS + 1] = {0};
  for (size_t i = 0; i < count; i++) starts[bucket_of(&entries[i]) + 1]++;
  for (size_t b = 0; b < BUCKETS; b++) starts[b + 1] += starts[b];
  for (size_t i = 0; i < count; i++) spare[starts[bucket_of(&entries[i])]++] = entries[i];
  memcpy(entries, spare, count * sizeof *entries);
  for (size_t b = 0, start = 0; b < BUCKETS; start = starts[b++]) /* now each has the end of its bucket */
    merge_sort(E, entries + start, spare, starts[b] - start);
}

static void sort_entries(const Encoder *E, Entry *entries, Entry *spare, size_t count) {
  size_t i = 1;
  while (i < count && compare_entries(E, &entries[i - 1], &entries[i]) <= 0) i++;
  if (i >= count) return; /* the array part comes in order */
  if (count < WORTH_BUCKETS)
    merge_sort(E, entries, spare, count);
  else
    bucket_sort(E, entries, spare, count);
}

static size_t sort_gathered(Encoder *E) {
  size_t count = E->entries.size / sizeof(Entry);
  if (count > 1) {
    Entry *spare = (Entry *)(void *)buffer_reserve(&E->entries, E->entries.size); /* may move the entries */
    encoder_check(E);
    sort_entries(E, entries_of(E), spare, count);
  }
  encoder_check(E);
  return count;
}

void encode_gather_begin(Encoder *E) {
  buffer_clear(&E->entries);
  buffer_clear(&E->entry_bytes);
  buffer_clear(&E->identities);
}

/* Gathers the entries of the table at `t`, sorted; answers how many. */
static size_t gather(Encoder *E, int t, int weak, int keys) {
  lua_State *L = E->L;
  size_t objects = 0, index = 0;
  bool identify = E->ops->known != NULL && keys == 0 && E->page_size > 0;
  encode_gather_begin(E);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    int top = lua_gettop(L);
    if (weak == 0 || encode_weak_keeps(E, weak, top - 1, top)) {
      if (E->canonical && !E->nested && has_identity(L, top - 1) && ++objects == 2)
        encoder_fail(E, HEARTH_UNSTORABLE, 0, "a table with two or more object keys has no canonical form");
      if (identify) put_identity(E, 0);
      gather_entry(E, index++, keys);
    }
    lua_pop(L, 1);
  }
  return sort_gathered(E);
}

void encode_gather_entry(Encoder *E, size_t index) {
  put_identity(E, (uint32_t)index);
  gather_entry(E, index, 0);
}

size_t encode_gather_end(Encoder *E) {
  return sort_gathered(E);
}

void encode_push_sorted_keys(Encoder *E, int t, int weak) {
  lua_State *L = E->L;
  lua_newtable(L);
  int gathered = lua_gettop(L);
  size_t count = gather(E, t, weak, gathered);
  lua_createtable(L, count < INT_MAX ? (int)count : INT_MAX, 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, gathered, (lua_Integer)entries_of(E)[i].value + 1);
    lua_rawseti(L, gathered + 1, (lua_Integer)i + 1);
  }
  lua_remove(L, gathered);
}

static void put_entry_value(Encoder *E, const Entry *e) {
  buffer_put(&E->body, E->entry_bytes.data + e->value, e->value_size);
}

/* The first and the end of the entries with the keys 1..n. */
static void find_sequence(const Entry *entries, size_t count, size_t *first, size_t *last) {
  size_t i = 0;
  while (i < count && !entries[i].other && entries[i].order <= (uint64_t)1 << 63) i++;
  *first = i;
  while (i < count && !entries[i].other && entries[i].order - ((uint64_t)1 << 63) == i - *first + 1) i++;
  *last = i;
}

/* A record out of sorted entries. */
static void encode_entries(Encoder *E, Head *head, const Entry *entries, size_t count) {
  size_t first, last;
  find_sequence(entries, count, &first, &last);
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

/* The size of that record's body, without the metatable. */
static size_t bytes_of(const Entry *entries, size_t count) {
  size_t n = 0, first, last;
  find_sequence(entries, count, &first, &last);
  for (size_t i = 0; i < count; i++) n += entries[i].value_size + (i < first || i >= last ? entries[i].key_size : 0);
  return n;
}

/* ------------------------------------------- sequence and shape by content */

/* The values whose keys are not 1..T->sequence, as a shape. False: these keys make none. */
static bool encode_rest_shaped(TableState *T, Head *head) {
  Encoder *E = T->E;
  lua_State *L = E->L;
  ShapeKey keys[SHAPE_MAX_KEYS];
  size_t count = 0;
  int base = lua_gettop(L);
  luaL_checkstack(L, SHAPE_MAX_KEYS + LUA_MINSTACK, "shape");
  lua_pushnil(L);
  while (lua_next(L, T->t)) {
    if (lua_isinteger(L, -2) && (uint64_t)lua_tointeger(L, -2) - 1 < T->sequence) {
      lua_pop(L, 1);
      continue;
    }
    if (count == SHAPE_MAX_KEYS || !is_shape_key(L, -2, &keys[count])) {
      lua_settop(L, base);
      return false;
    }
    count++;
    lua_insert(L, -2);
  }
  bool put = put_shaped(T, head, keys, count);
  lua_settop(L, base);
  return put;
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
  undo(T, head);
  size_t first, last, count = gather(E, T->t, T->weak, 0);
  find_sequence(entries_of(E), count, &first, &last);
  if (encode_mixed(T, head, last - first, count - (last - first))) return;
  undo(T, head);
  const Entry *entries = entries_of(E);
  if (E->page_size == 0 || bytes_of(entries, count) <= E->page_size) {
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
    ShapeKey key;
    lua_pop(L, 1);
    if (keys == 0 && lua_isinteger(L, -1) && (uint64_t)lua_tointeger(L, -1) == sequence + 1)
      sequence++;
    else
      plain = is_shape_key(L, -1, &key) && ++keys <= SHAPE_MAX_KEYS;
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

/* A canonical table that is not plain. Nothing is written before its form is known: what is written has consequences. */
static void encode_canonical(TableState *T, Head *head) {
  Encoder *E = T->E;
  encode_push_sorted_keys(E, T->t, T->weak);
  int keys = lua_gettop(E->L);
  size_t count = (size_t)lua_rawlen(E->L, keys), first, last;
  find_sequence(entries_of(E), count, &first, &last);
  bool shaped = T->weak == 0 && count - (last - first) <= SHAPE_MAX_KEYS;
  for (size_t i = 0; i < count && shaped; i++) {
    ShapeKey key;
    if (i >= first && i < last) continue;
    lua_rawgeti(E->L, keys, (lua_Integer)i + 1);
    shaped = is_shape_key(E->L, -1, &key);
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

void encode_table(Encoder *E, int index) {
  TableState T = {E, index, encode_weak_mode(E, index), E->body.size, E->top, 0};
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
  encode_metatable(E, index, &head);
  if (head.kind == OBJECT_PAGED)
    E->ops->pages(E, &head, entries_of(E), E->entries.size / sizeof(Entry));
  else
    head_put(&E->head, &head);
}
