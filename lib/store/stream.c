/*
** The division of pages.c, from below: entries come in order, and a page is known as soon as an entry is there that
** does not fit beside it. What waits always lies in one range of the trie, whose parent is known to be divided.
*/
#include "stream.h"

#include <assert.h>

#include "encode_sorted.h"
#include "memo.h"

/* An entry that waits: its order, and what all up to it weigh and where its value ends. */
typedef struct Item {
  uint64_t order;
  uint64_t weight;
  size_t end;
} Item;

/* A page that differs from the committed one; its bytes follow. */
typedef struct Held {
  size_t page; /* among C->pages */
  size_t size;
} Held;

typedef struct Stream {
  Committer *C;
  size_t values;         /* where those that wait begin in E->body */
  size_t count;          /* entries that wait */
  uint64_t prefix, mask; /* the range that they are in */
  uint8_t depth;
  uint64_t bytes;        /* of all values before those that wait */
  uint64_t last;         /* order of the last key */
  size_t key_size;       /* its bytes; 0: there is none yet */
  bool zero;             /* key 0 was taken before its turn */
} Stream;

/* Integer keys are ordered by value. */
static uint64_t order_of(lua_Integer key) {
  return (uint64_t)key ^ (uint64_t)1 << 63;
}

static lua_Integer key_of(uint64_t order) {
  return (lua_Integer)(order ^ (uint64_t)1 << 63);
}

#define ZERO ((uint64_t)1 << 63) /* order_of(0) */

static Item *items_of(const Stream *s) {
  return (Item *)(void *)s->C->items.data;
}

static const Item *last_of(const Stream *s) {
  return items_of(s) + s->count - 1;
}

/* ------------------------------------------------------------------- pages */

/* Writes the first `count` entries that wait as page_put would. */
static void put_runs(const Stream *s, Buffer *b, size_t count) {
  const Item *items = items_of(s);
  const unsigned char *values = s->C->E.body.data + s->values;
  for (size_t i = 0, begin = 0, end; i < count; begin = items[end - 1].end, i = end) {
    for (end = i + 1; end < count && items[end].order == items[end - 1].order + 1;) end++;
    value_put_integer(b, key_of(items[i].order));
    varint_put(b, end - i);
    buffer_put(b, values + begin, items[end - 1].end - begin);
  }
}

/* Lets go of the first `count` entries that wait. */
static void forget(Stream *s, size_t count) {
  Item *items = items_of(s), gone = items[count - 1];
  Buffer *body = &s->C->E.body;
  unsigned char *values = body->data + s->values;
  s->count -= count;
  for (size_t i = 0; i < s->count; i++)
    items[i] = (Item){items[count + i].order, items[count + i].weight - gone.weight, items[count + i].end - gone.end};
  memmove(values, values + gone.end, body->size - s->values - gone.end);
  body->size -= gone.end;
  s->bytes += gone.end;
}

/* The first `count` entries that wait are a page. */
static void end_page(Stream *s, size_t count) {
  Committer *C = s->C;
  Buffer *b = &C->held;
  size_t begin = b->size;
  Held held = {C->pages.size / sizeof(Page), 0};
  Page page;
  memset(&page, 0, sizeof page);
  page.prefix = s->prefix;
  page.depth = s->depth;
  committer_know_page(C, &page);
  buffer_put(b, &held, sizeof held);
  put_runs(s, b, count);
  if (b->failed || C->E.body.failed) encoder_fail_memory(&C->E);
  held.size = b->size - begin - sizeof held;
  Hash128 hash = heap_hash(C->E.heap, b->data + begin + sizeof held, held.size);
  if (hash128_equal(page.hash, hash))
    b->size = begin;
  else
    memcpy(b->data + begin, &held, sizeof held);
  page.hash = hash;
  buffer_put(&C->pages, &page, sizeof page);
  if (C->pages.failed) encoder_fail_memory(&C->E);
  forget(s, count);
}

/* ---------------------------------------------------------------- division */

/* What waits from here on is in that half of the least range with both orders which `within` is in. */
static void enter(Stream *s, uint64_t beyond, uint64_t within) {
  s->depth = 1;
  while (beyond >> (64 - s->depth) == within >> (64 - s->depth)) s->depth++;
  s->mask = ~UINT64_C(0) << (64 - s->depth);
  s->prefix = within & s->mask;
}

/* What waits outweighs a page: its lower half is one. */
static void split(Stream *s) {
  const Item *items = items_of(s);
  uint64_t first = items[0].order, last = last_of(s)->order;
  enter(s, last, first);
  size_t low = 1, high = s->count - 1; /* the first entry of the upper half is one of these */
  while (low < high) {
    size_t i = low + (high - low) / 2;
    if ((items[i].order & s->mask) == s->prefix)
      low = i + 1;
    else
      high = i;
  }
  end_page(s, low);
  enter(s, first, last);
}

/* The entry whose value was written last. */
static void add(Stream *s, uint64_t order) {
  Encoder *E = &s->C->E;
  const Item *last = s->count > 0 ? last_of(s) : NULL;
  size_t end = E->body.size - s->values;
  uint64_t weight = (last != NULL ? last->weight : 0) + s->key_size + end - (last != NULL ? last->end : 0);
  assert(s->C->items.data != NULL); /* there is room for as many as may wait */
  Item *item = (Item *)(void *)(s->C->items.data + s->count * sizeof *item);
  s->count++;
  *item = (Item){order, weight, end};
  while (s->count > 1 && last_of(s)->weight > E->page_size) split(s);
}

/* An entry comes that is not in the range: what waits is a page. */
static void leave(Stream *s, uint64_t order) {
  uint64_t last = last_of(s)->order;
  end_page(s, s->count);
  enter(s, last, order);
}

/* -------------------------------------------------------------------- walk */

/* The size of a key. It is that of its neighbours: 128 keys, from a multiple on, have one. */
static void measure_key(Stream *s, uint64_t order) {
  Buffer *b = &s->C->E.scratch;
  buffer_clear(b);
  value_put_integer(b, key_of(order));
  if (b->failed) encoder_fail_memory(&s->C->E);
  s->key_size = b->size;
}

/* The entry with the key of this order, and its value at `value`. False: the key does not follow the last one. */
static bool take(Stream *s, uint64_t order, int value) {
  if (s->key_size > 0 && order <= s->last) return false;
  if (s->key_size == 0 || order >> 7 != s->last >> 7) measure_key(s, order);
  s->last = order;
  if ((order & s->mask) != s->prefix) leave(s, order);
  encode_value(&s->C->E, value);
  add(s, order);
  return true;
}

/* Key 0 is never in Lua's array part and comes late: an array that begins with it is in order all the same. */
static void take_zero(Stream *s, int t) {
  lua_State *L = s->C->E.L;
  if (lua_rawgeti(L, t, 0) != LUA_TNIL) s->zero = take(s, ZERO, lua_gettop(L));
  lua_pop(L, 1);
}

/* Walks the table. False: a key came out of order, or another before all integers. */
static bool walk(Stream *s, int t, Head *head) {
  Encoder *E = &s->C->E;
  lua_State *L = E->L;
  int value = lua_gettop(L) + 2;
  take_zero(s, t);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    if (lua_isinteger(L, value - 1)) {
      uint64_t order = order_of(lua_tointeger(L, value - 1));
      if (!take(s, order, value) && !(order == ZERO && s->zero)) break;
      head->array++;
    } else {
      if (s->key_size == 0) break;
      encode_gather_entry(E, (size_t)head->pairs++);
    }
    lua_settop(L, value - 1);
  }
  bool all = lua_gettop(L) < value - 1;
  lua_settop(L, value - 2);
  return all;
}

static void put_held(Committer *C) {
  Held held;
  for (size_t at = 0; at < C->held.size && !C->dry; at += sizeof held + held.size) {
    memcpy(&held, C->held.data + at, sizeof held);
    Page page;
    memcpy(&page, C->pages.data + held.page * sizeof page, sizeof page);
    committer_put_page(C, &page, C->held.data + at + sizeof held, held.size);
  }
}

/* Never too few: each has a byte of key and a byte of value at least, and the last one is too many. */
static void make_room(Committer *C) {
  buffer_clear(&C->items);
  if (buffer_reserve(&C->items, (C->E.page_size / 2 + 2) * sizeof(Item)) == NULL) encoder_fail_memory(&C->E);
}

/*
** With many bytes an entry a memo is worth more than this. And what was no paged table before, nor has outgrown a
** page by its sequence, is probably none.
*/
static bool is_worth(const Committer *C, const Begun *begun) {
  const Saved *saved = &C->S->saved[C->E.current];
  if (saved->memo != NULL || (begun->entries > 0 && begun->bytes / begun->entries >= WORTH_A_MEMO)) return false;
  return saved->page_count > 0 || begun->bytes > C->E.page_size;
}

bool stream_table(Encoder *E, int t, const Begun *begun, Head *head) {
  Committer *C = E->owner;
  Stream s = {.C = C, .values = E->body.size};
  if (!store_reserve_saved(C->S)) encoder_fail_memory(E);
  if (!is_worth(C, begun)) return false;
  make_room(C);
  buffer_clear(&C->held);
  encode_gather_begin(E);
  *head = (Head){.kind = OBJECT_PAGED};
  bool ascending = walk(&s, t, head);
  if (ascending && s.count > 0) end_page(&s, s.count);
  E->body.size = s.values;
  if (ascending && s.bytes > E->page_size) { /* else it may be a record */
    size_t others = encode_gather_end(E);
    put_held(C);
    committer_pages(C, encode_sorted_entries(E), others);
    return true;
  }
  buffer_clear(&C->pages);
  *head = (Head){.kind = OBJECT_TABLE};
  return false;
}
