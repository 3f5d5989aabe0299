/*
** Keys are sorted by their bytes. In a store the bytes of a key or a value depend on nothing else, and are written
** aside while the entries are gathered. In canonical mode numbers, the dictionary and NEXT depend on the order in which
** things are written: there only the keys are gathered, in their plain form and in a list, and everything is written
** once the order is known.
*/
#include <limits.h>

#include "encode_sorted.h"

/*
** What encode_value writes goes to entry_bytes, until this is called again. A failure leaves them so: each still
** belongs to the encoder, once.
*/
static void swap_output(Encoder *E) {
  Buffer body = E->body;
  E->body = E->entry_bytes;
  E->entry_bytes = body;
}

Entry *encode_sorted_entries(const Encoder *E) {
  return (Entry *)(void *)E->entries.data; /* the allocator's memory is aligned for it */
}

static bool has_identity(lua_State *L, int index) {
  int type = lua_type(L, index);
  return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD;
}

/* Writes the key at `index` to entry_bytes as it is without a dictionary; an object, which has no such form, not. */
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

/* Fills in what follows from the key at `index`, whose bytes are in `bytes` from e->key on. */
static void fill_key(Encoder *E, Entry *e, int index, const Buffer *bytes) {
  size_t size = bytes->size - e->key;
  if (size > UINT32_MAX) encoder_fail(E, HEARTH_LIMIT, 0, "a key is larger than 4 GiB");
  e->key_size = (uint32_t)size;
  if (lua_type(E->L, index) == LUA_TNUMBER && lua_isinteger(E->L, index)) {
    e->order = (uint64_t)lua_tointeger(E->L, index) ^ (uint64_t)1 << 63; /* negative ones first */
  } else {
    e->other = 1;
    e->order = bytes->failed || size == 0 ? 0 : hash64(bytes->data + e->key, size, 0);
  }
}

/* Gathers the entry whose key is at top - 1 and whose value is at `top`. The output is swapped. */
static void gather_entry(Encoder *E, int top, size_t index) {
  Entry e = {.key = E->body.size};
  e.index = (index < ENTRY_MOST_INDEX ? (uint32_t)index : ENTRY_MOST_INDEX) & ENTRY_MOST_INDEX;
  encode_value(E, top - 1);
  fill_key(E, &e, top - 1, &E->body);
  e.value = E->body.size;
  encode_value(E, top);
  e.value_size = E->body.size - e.value;
  buffer_put(&E->entries, &e, sizeof e);
}

/* A string that is a constant, and so was written as a reference, must be reached anew each time. */
static uint8_t unless_constant(const Encoder *E, uint8_t type, size_t at) {
  return type == IDENTITY_STRING && !E->body.failed && E->body.data[at] == TAG_REF ? IDENTITY_NONE : type;
}

/* Notes what the entry is that was gathered last. */
static void put_identity(Encoder *E, int top, uint32_t page) {
  Identity id;
  if (E->entries.failed) return; /* it is not there */
  const Entry *e = encode_sorted_entries(E) + E->entries.size / sizeof *e - 1;
  memset(&id, 0, sizeof id);
  id.page = page;
  id.key = encode_identity(E, top - 1, &id.key_type);
  id.value = encode_identity(E, top, &id.value_type);
  id.key_type = unless_constant(E, id.key_type, e->key);
  id.value_type = unless_constant(E, id.value_type, e->value);
  buffer_put(&E->identities, &id, sizeof id);
}

/* Gathers only the key at `index`, in the list at `keys`. */
static void gather_key(Encoder *E, int index, int keys) {
  lua_State *L = E->L;
  Entry e = {.key = E->entry_bytes.size, .value = E->entries.size / sizeof e};
  put_plain_key(E, index);
  fill_key(E, &e, index, &E->entry_bytes);
  if (has_identity(L, index)) {
    e.other = 2; /* after all others */
    e.order = 0;
  }
  lua_pushvalue(L, index);
  lua_rawseti(L, keys, (lua_Integer)e.value + 1);
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

#define RUN 8 /* entries that are sorted by insertion: fewer are moved than by three rounds of merging */

static void insertion_sort(const Encoder *E, Entry *entries, size_t count) {
  for (size_t i = 1; i < count; i++) {
    Entry e = entries[i];
    size_t j = i;
    for (; j > 0 && compare_entries(E, &e, &entries[j - 1]) < 0; j--) entries[j] = entries[j - 1];
    entries[j] = e;
  }
}

/*
** Merge sort, bottom-up: stable, no recursion, and qsort has no context
** argument. `spare` has room for all.
*/
static void merge_sort(const Encoder *E, Entry *entries, Entry *spare, size_t count) {
  for (size_t i = 0; i < count; i += RUN) insertion_sort(E, entries + i, count - i < RUN ? count - i : RUN);
  for (size_t width = RUN; width < count; width *= 2) {
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
    sort_entries(E, encode_sorted_entries(E), spare, count);
  }
  encoder_check(E);
  return count;
}

void encode_gather_begin(Encoder *E) {
  buffer_clear(&E->entries);
  buffer_clear(&E->entry_bytes);
  buffer_clear(&E->identities);
}

size_t encode_gather(Encoder *E, int t, int weak, int keys) {
  lua_State *L = E->L;
  size_t objects = 0, index = 0;
  bool identify = E->ops->known != NULL && keys == 0 && E->page_size > 0;
  int top = lua_gettop(L) + 2;
  encode_gather_begin(E);
  if (keys == 0) swap_output(E);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    if (weak == 0 || encode_weak_keeps(E, weak, top - 1, top)) {
      if (E->canonical && !E->nested && has_identity(L, top - 1) && ++objects == 2)
        encoder_fail(E, HEARTH_UNSTORABLE, 0, "a table with two or more object keys has no canonical form");
      if (keys == 0)
        gather_entry(E, top, index++);
      else
        gather_key(E, top - 1, keys);
      if (identify) put_identity(E, top, 0);
    }
    lua_settop(L, top - 1);
  }
  if (keys == 0) swap_output(E);
  return sort_gathered(E);
}

void encode_gather_entry(Encoder *E, size_t index) {
  int top = lua_gettop(E->L);
  swap_output(E);
  gather_entry(E, top, index);
  put_identity(E, top, (uint32_t)index);
  swap_output(E);
}

size_t encode_gather_end(Encoder *E) {
  return sort_gathered(E);
}

void encode_push_sorted_keys(Encoder *E, int t, int weak) {
  lua_State *L = E->L;
  lua_newtable(L);
  int gathered = lua_gettop(L);
  size_t count = encode_gather(E, t, weak, gathered);
  lua_createtable(L, count < INT_MAX ? (int)count : INT_MAX, 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, gathered, (lua_Integer)encode_sorted_entries(E)[i].value + 1);
    lua_rawseti(L, gathered + 1, (lua_Integer)i + 1);
  }
  lua_remove(L, gathered);
}

static void put_entry_value(Encoder *E, const Entry *e) {
  buffer_put(&E->body, E->entry_bytes.data + e->value, e->value_size);
}

void encode_find_sequence(const Entry *entries, size_t count, size_t *first, size_t *last) {
  size_t i = 0;
  while (i < count && !entries[i].other && entries[i].order <= (uint64_t)1 << 63) i++;
  *first = i;
  while (i < count && !entries[i].other && entries[i].order - ((uint64_t)1 << 63) == i - *first + 1) i++;
  *last = i;
}

void encode_entries(Encoder *E, Head *head, const Entry *entries, size_t count) {
  size_t first, last;
  encode_find_sequence(entries, count, &first, &last);
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

size_t encode_entries_size(const Entry *entries, size_t count) {
  size_t n = 0, first, last;
  encode_find_sequence(entries, count, &first, &last);
  for (size_t i = 0; i < count; i++) n += entries[i].value_size + (i < first || i >= last ? entries[i].key_size : 0);
  return n;
}
