#include "map.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "hash.h"

#define PREFIX_SIZE 8

static size_t entry_size(size_t key_size, size_t value_size) {
  size_t size = key_size + value_size;
  size_t whole = MAP_ENTRY_BYTES + (size < PREFIX_SIZE ? PREFIX_SIZE : size);
  return whole < sizeof(MapEntry) ? sizeof(MapEntry) : whole;
}

/* ------------------------------------------------------------ comparing */

/* A key that is looked for. Its prefix: its first eight bytes, with zeros behind a shorter one. */
typedef struct Sought {
  uint64_t table, prefix, mask; /* the prefix's bits that are the key's */
  const unsigned char *key;
  size_t size;
} Sought;

/* Written out, compilers make one instruction of each, and none of a loop. */
static uint64_t load4(const unsigned char *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t load8(const unsigned char *b) {
  return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 | (uint64_t)b[3] << 32 |
         (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 | (uint64_t)b[6] << 8 | b[7];
}

static uint64_t mask_of(size_t key_size) {
  if (key_size >= PREFIX_SIZE) return UINT64_MAX;
  return key_size == 0 ? 0 : UINT64_MAX << (8 * (PREFIX_SIZE - (unsigned)key_size));
}

/* Reads no byte behind the key: from four on, its ends, which may overlap. */
static uint64_t prefix_of(const unsigned char *key, size_t size) {
  if (size >= PREFIX_SIZE) return load8(key);
  unsigned unused = 8 * (PREFIX_SIZE - (unsigned)size);
  if (size >= 4) return load4(key) << 32 | load4(key + size - 4) << unused;
  uint64_t prefix = 0;
  for (size_t i = 0; i < size; i++) prefix = prefix << 8 | key[i];
  return size == 0 ? 0 : prefix << unused;
}

static Sought seek(uint64_t table, const void *key, size_t size) {
  return (Sought){table, prefix_of(key, size), mask_of(size), key, size};
}

/* An entry has eight bytes at least. */
static uint64_t entry_prefix(const MapEntry *e) {
  return load8(e->bytes) & mask_of(e->key_size);
}

static Sought seek_entry(const MapEntry *e) {
  return (Sought){e->table, entry_prefix(e), mask_of(e->key_size), e->bytes, e->key_size};
}

static bool same(const MapEntry *e, const Sought *s) {
  if (e->table != s->table || e->key_size != s->size) return false;
  if (((load8(e->bytes) ^ s->prefix) & s->mask) != 0) return false;
  return s->size <= PREFIX_SIZE || memcmp(e->bytes + PREFIX_SIZE, s->key + PREFIX_SIZE, s->size - PREFIX_SIZE) == 0;
}

static int compare(const MapEntry *e, const Sought *s) {
  if (e->table != s->table) return e->table < s->table ? -1 : 1;
  uint64_t prefix = entry_prefix(e);
  if (prefix != s->prefix) return prefix < s->prefix ? -1 : 1;
  size_t common = e->key_size < s->size ? e->key_size : s->size;
  int order = common > PREFIX_SIZE ? memcmp(e->bytes + PREFIX_SIZE, s->key + PREFIX_SIZE, common - PREFIX_SIZE) : 0;
  if (order != 0) return order;
  return (e->key_size > s->size) - (e->key_size < s->size);
}

/* ---------------------------------------------------------------- hints */

/*
** The hash table's sets of seven entries; in a large table, and where an address has 64 bits, each is a line of the
** cache. An entry that finds its own set full goes on to others, and every set that it passed counts it: where none
** passed, what is not there is not in the map.
*/
enum {
  SLOTS = 7,
  PASSED = SLOTS,    /* in `state`: how many entries went on; ALWAYS: that many once, and nobody knows how many now */
  ALWAYS = UINT8_MAX,
  LEAST_HINTED = 32, /* entries; the tree alone finds fewer as fast */
  CACHE_LINE = 64
};

/*
** How many sets an entry tries; if all are full it is in the tree alone. And how full two sets are on average when the
** table is made anew. The tree of a small table is quick, so moving its hints less often is worth more.
*/
enum {
  SMALL_TABLE = 128, /* sets */
  SEARCHED_IN_SMALL = 4,
  SEARCHED = 48,
  FULL_IN_SMALL = 15,
  FULL = 13
};

struct MapSet {
  unsigned char state[SLOTS + 1]; /* of each slot 8 bits of its entry's hash, never 0: it is empty; and PASSED */
  MapEntry *entries[SLOTS];
};

/* Where the search for a key begins. */
typedef struct Spot {
  size_t set, step;
  unsigned tag;
} Spot;

/* The top bits of products with secret odd numbers: two keys share a set as seldom as if by chance. */
static Spot spot_of(const Map *m, const Sought *s) {
  uint64_t rest = s->table;
  if (s->size > PREFIX_SIZE) rest ^= hash64(s->key + PREFIX_SIZE, s->size - PREFIX_SIZE, m->seed.high);
  uint64_t key = s->prefix * m->seed.low + rest * m->seed.high;
  uint64_t place = (key >> 32) * m->set_count;
  unsigned tag = place >> 24 & 0xff;
  return (Spot){(size_t)(place >> 32), tag, tag + (tag == 0)};
}

static MapSet *set_at(const Map *m, const Spot *spot) {
  return &m->sets[spot->set];
}

/* To a set nearby, each time further away: to another one than entries that met here came from. */
static void go_on(const Map *m, Spot *spot) {
  spot->set += ++spot->step;
  if (spot->set >= m->set_count) spot->set %= m->set_count;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* The slots whose tag this is: of each the top bit of its byte, the first slot's lowest. */
static uint64_t slots_with(const MapSet *set, unsigned tag) {
  const unsigned char *b = set->state;
  uint64_t state = (uint64_t)b[7] << 56 | (uint64_t)b[6] << 48 | (uint64_t)b[5] << 40 | (uint64_t)b[4] << 32 |
                   (uint64_t)b[3] << 24 | (uint64_t)b[2] << 16 | (uint64_t)b[1] << 8 | b[0];
  uint64_t differs = state ^ tag * EACH_BYTE;
  return ~(((differs & 0x7f * EACH_BYTE) + 0x7f * EACH_BYTE) | differs) & 0x80 * EACH_BYTE >> 8;
}

/* The number of the lowest: one bit, shifted by so many bytes, brings the byte with its number to the top. */
static unsigned first_slot(uint64_t slots) {
  return (unsigned)(((slots & (0 - slots)) >> 7) * UINT64_C(0x0001020304050607) >> 56);
}

/* The entry comes into the hash table, or goes out of it and leaves every set as if it had never come. */
static void hint(Map *m, MapEntry *e, bool comes) {
  if (m->sets == NULL) return;
  Sought s = seek_entry(e);
  Spot spot = spot_of(m, &s);
  for (unsigned i = 0; i < m->searched; i++, go_on(m, &spot)) {
    MapSet *set = set_at(m, &spot);
    for (uint64_t slots = slots_with(set, comes ? 0 : spot.tag); slots != 0; slots &= slots - 1) {
      unsigned slot = first_slot(slots);
      if (!comes && set->entries[slot] != e) continue;
      set->state[slot] = comes ? (unsigned char)spot.tag : 0;
      set->entries[slot] = e;
      return;
    }
    if (set->state[PASSED] != ALWAYS) set->state[PASSED] = (unsigned char)(set->state[PASSED] + (comes ? 1 : -1));
  }
  m->unhinted += comes ? 1 : (size_t)-1;
}

/* A set fills a line where an address has 64 bits. The caches hold a small table anyway. */
static bool is_aligned(size_t set_count) {
  return sizeof(MapSet) % CACHE_LINE == 0 && set_count >= SMALL_TABLE;
}

static size_t table_size(size_t set_count) {
  return set_count * sizeof(MapSet) + (is_aligned(set_count) ? CACHE_LINE - 1 : 0);
}

static void free_table(Map *m) {
  hearth_free(&m->allocator, m->allocated, table_size(m->set_count));
  m->bytes -= table_size(m->set_count);
  m->allocated = m->sets = NULL;
  m->set_count = m->unhinted = 0;
}

/* Without memory nothing changes. */
static void make_table(Map *m, size_t set_count) {
  void *allocated = hearth_realloc(&m->allocator, NULL, 0, table_size(set_count));
  if (allocated == NULL) return;
  Map old = *m;
  m->allocated = allocated;
  memset(m->allocated, 0, table_size(set_count));
  unsigned char *first = m->allocated;
  if (is_aligned(set_count)) first += (0 - (uintptr_t)first) % CACHE_LINE;
  m->sets = (MapSet *)(void *)first;
  m->set_count = set_count;
  m->searched = set_count < SMALL_TABLE ? SEARCHED_IN_SMALL : SEARCHED;
  m->unhinted = 0;
  m->bytes += table_size(set_count);
  m->bytes -= table_size(old.set_count); /* not in one: a size_t of 32 bits would carry what it borrows */
  if (m->seed.low == 0) {
    m->seed = hash_key();
    m->seed.low |= 1;
    m->seed.high |= 1;
  }
  if (old.sets != NULL && old.unhinted == 0) { /* it knows them all, and tells faster than the tree */
    for (size_t i = 0; i < old.set_count; i++)
      for (unsigned k = 0; k < SLOTS; k++)
        if (old.sets[i].state[k] != 0) hint(m, old.sets[i].entries[k], true);
  } else {
    MapRange all;
    map_from(m, 0, NULL, 0, &all);
    for (MapEntry *e; (e = map_range_next(&all)) != NULL;) hint(m, e, true);
  }
  hearth_free(&m->allocator, old.allocated, table_size(old.set_count));
}

/* Three sets for 16 entries: MAP_HINT_BYTES for each, where an address has 64 bits. Alignment may take one set. */
static size_t sets_for(size_t entries) {
  size_t sets = (size_t)((uint64_t)entries * 3 / 16);
  return entries < LEAST_HINTED ? 0 : sets - is_aligned(sets - 1);
}

/* The hash table becomes as large as it should be for one more entry. Without memory it stays as it is for a while. */
static void make_room(Map *m) {
  size_t entries = m->count + m->spare + 1;
  if (entries <= m->most && entries >= m->least) return;
  size_t sets = sets_for(entries);
  if (sets == 0) free_table(m);
  else if (sets != m->set_count) make_table(m, sets);
  m->most = m->set_count * (m->set_count < SMALL_TABLE ? FULL_IN_SMALL : FULL) / 2;
  if (m->most < entries) m->most = entries + entries / 8 + 4;
  m->least = entries / 8;
}

/* ------------------------------------------------------------ balancing */

/*
** The way from the root down to a place in the tree: what points to each entry of it, last what points, or is to point,
** to the place.
*/
typedef struct Path {
  unsigned depth; /* the number of the last */
  MapEntry **links[MAP_MAX_LEVELS + 1];
} Path;

static MapEntry **begin_path(Path *p, Map *m) {
  p->depth = 0;
  return p->links[0] = &m->root;
}

static void go_down(Path *p, MapEntry **link) {
  assert(p->depth < MAP_MAX_LEVELS);
  p->links[++p->depth] = link;
}

static MapEntry **child(MapEntry *e, bool right) {
  return right ? &e->right : &e->left;
}

/* Of the two entries, the one that was below the other is above it then. What is written is what a left turn needs. */
static void rotate(MapEntry **link, bool right) {
  int sign = right ? -1 : 1;
  MapEntry *x = *link, *y = *child(x, !right);
  *child(x, !right) = *child(y, right);
  *child(y, right) = x;
  *link = y;
  int bx = sign * x->balance, by = sign * y->balance;
  bx -= 1 + (by > 0 ? by : 0);
  by -= 1 - (bx < 0 ? bx : 0);
  x->balance = (int8_t)(sign * bx);
  y->balance = (int8_t)(sign * by);
}

/* Mends a node whose sides differ by two. */
static void rebalance(MapEntry **link) {
  bool right = (*link)->balance < 0;
  MapEntry **lower = child(*link, !right);
  if (right ? (*lower)->balance > 0 : (*lower)->balance < 0) rotate(lower, !right);
  rotate(link, right);
}

/* The subtree at the path's end has grown by one level, or has lost one. */
static void balance(const Path *p, bool grown) {
  for (unsigned i = p->depth; i-- > 0;) {
    MapEntry *e = *p->links[i];
    e->balance = (int8_t)(e->balance + ((p->links[i + 1] == &e->left) == grown ? -1 : 1));
    if (e->balance == 2 || e->balance == -2) rebalance(p->links[i]);
    if (((*p->links[i])->balance == 0) == grown) return; /* it is as high as before */
  }
}

/* ------------------------------------------------------------ searching */

static MapEntry *find_in_tree(const Map *m, const Sought *s) {
  MapEntry *e = m->root;
  while (e != NULL) {
    int order = compare(e, s);
    if (order == 0) break;
    e = order < 0 ? e->right : e->left;
  }
  return e;
}

MapEntry *map_find(const Map *m, uint64_t table, const void *key, size_t key_size) {
  if (m->root == NULL) return NULL;
  Sought s = seek(table, key, key_size);
  if (m->sets == NULL) return find_in_tree(m, &s);
  Spot spot = spot_of(m, &s);
  for (unsigned i = 0; i < m->searched; i++, go_on(m, &spot)) {
    const MapSet *set = set_at(m, &spot);
    for (uint64_t slots = slots_with(set, spot.tag); slots != 0; slots &= slots - 1) {
      MapEntry *e = set->entries[first_slot(slots)];
      if (same(e, &s)) return e;
    }
    if (set->state[PASSED] == 0) return NULL;
  }
  return find_in_tree(m, &s);
}

/* The entries part where compare() reaches `limit`: the last before that, or the first behind. */
static MapEntry *next_to(const Map *m, const Sought *s, int limit, bool before) {
  MapEntry *found = NULL;
  for (MapEntry *e = m->root; e != NULL;) {
    bool below = compare(e, s) < limit;
    if (below == before) found = e;
    e = below ? e->right : e->left;
  }
  return found;
}

MapEntry *map_lower(const Map *m, uint64_t table, const void *key, size_t key_size) {
  Sought s = seek(table, key, key_size);
  return next_to(m, &s, 0, false);
}

MapEntry *map_before(const Map *m, uint64_t table, const void *key, size_t key_size) {
  Sought s = seek(table, key, key_size);
  return next_to(m, &s, 0, true);
}

MapEntry *map_after(const Map *m, uint64_t table, const void *key, size_t key_size) {
  Sought s = seek(table, key, key_size);
  return next_to(m, &s, 1, false);
}

MapEntry *map_table(const Map *m, uint64_t from) {
  return map_lower(m, from, NULL, 0);
}

/* The walk begins at the bound: at the first entry that is not below it, or in reverse at the last that is. */
static void begin(const Map *m, const Sought *bound, bool reverse, MapRange *range) {
  range->reverse = reverse;
  range->waiting = 0;
  for (MapEntry *e = m->root; e != NULL;) {
    bool below = compare(e, bound) < 0;
    if (below == reverse) range->path[range->waiting++] = e;
    e = below ? e->right : e->left;
  }
}

void map_range(const Map *m, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,
               bool reverse, MapRange *range) {
  Sought low = seek(table, from, from != NULL ? from_size : 0);
  Sought high = seek(to != NULL ? table : table + 1, to, to != NULL ? to_size : 0);
  begin(m, reverse ? &high : &low, reverse, range);
  range->stop = next_to(m, reverse ? &low : &high, 0, reverse);
  if (range->waiting == 0) return;
  bool below = compare(range->path[range->waiting - 1], reverse ? &low : &high) < 0;
  if (below == reverse) range->waiting = 0; /* beyond the other end already */
}

void map_from(const Map *m, uint64_t table, const void *key, size_t key_size, MapRange *range) {
  Sought s = seek(table, key, key_size);
  begin(m, &s, false, range);
  range->stop = NULL;
}

MapEntry *map_range_next(MapRange *range) {
  if (range->waiting == 0) return NULL;
  MapEntry *e = range->path[--range->waiting];
  if (e == range->stop) {
    range->waiting = 0;
    return NULL;
  }
  for (MapEntry *at = range->reverse ? e->left : e->right; at != NULL; at = range->reverse ? at->right : at->left)
    range->path[range->waiting++] = at;
  return e;
}

/* ------------------------------------------------------------- changing */

MapEntry *map_make(Map *m, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  assert(key_size <= MAP_MAX_KEY && value_size <= UINT32_MAX);
  if (value_size > SIZE_MAX - MAP_ENTRY_BYTES - key_size) return NULL;
  make_room(m);
  size_t size = entry_size(key_size, value_size);
  MapEntry *e = hearth_realloc(&m->allocator, NULL, 0, size);
  if (e == NULL) return NULL;
  memset(e->bytes, 0, PREFIX_SIZE);
  m->spare++;
  e->left = e->right = NULL;
  e->table = table;
  e->value_size = (uint32_t)value_size;
  e->key_size = (uint16_t)key_size;
  e->balance = 0;
  e->mark = 0;
  if (key_size > 0) memcpy(e->bytes, key, key_size);
  if (value != NULL && value_size > 0) memcpy(e->bytes + key_size, value, value_size);
  return e;
}

/* Entries may have been made by another map, with the same allocator. */
static void spare_no_more(Map *m) {
  if (m->spare > 0) m->spare--;
}

void map_discard(Map *m, MapEntry *e) {
  if (e == NULL) return;
  spare_no_more(m);
  hearth_free(&m->allocator, e, entry_size(e->key_size, e->value_size));
}

static void count_in(Map *m, const MapEntry *e) {
  spare_no_more(m);
  m->count++;
  m->bytes += entry_size(e->key_size, e->value_size);
}

static void count_out(Map *m, const MapEntry *e) {
  m->spare++;
  m->count--;
  m->bytes -= entry_size(e->key_size, e->value_size);
}

MapEntry *map_link(Map *m, MapEntry *e) {
  Path path;
  MapEntry **link = begin_path(&path, m), *old;
  Sought s = seek_entry(e);
  e->left = e->right = NULL;
  e->balance = 0;
  while ((old = *link) != NULL) {
    int order = compare(old, &s);
    if (order == 0) break;
    go_down(&path, link = order < 0 ? &old->right : &old->left);
  }
  count_in(m, e);
  *link = e;
  if (old != NULL) { /* `e` takes its place */
    count_out(m, old);
    e->left = old->left;
    e->right = old->right;
    e->balance = old->balance;
    hint(m, old, false);
    old->left = old->right = NULL;
  } else {
    balance(&path, true);
  }
  hint(m, e, true);
  return old;
}

void map_unlink(Map *m, MapEntry *e) {
  Path path;
  MapEntry **link = begin_path(&path, m);
  Sought s = seek_entry(e);
  while (*link != e) go_down(&path, link = compare(*link, &s) < 0 ? &(*link)->right : &(*link)->left);
  count_out(m, e);
  hint(m, e, false);
  if (e->left != NULL && e->right != NULL) {
    /* the successor has no left child: take it out of its place and give it this one */
    unsigned level = path.depth;
    for (MapEntry **at = &e->right; *at != NULL; at = &(*at)->left) go_down(&path, at);
    MapEntry **from = path.links[path.depth], *successor = *from;
    *from = successor->right;
    successor->left = e->left;
    successor->right = e->right;
    successor->balance = e->balance;
    *link = successor;
    path.links[level + 1] = &successor->right;
  } else {
    *link = e->left != NULL ? e->left : e->right;
  }
  balance(&path, false);
  e->left = e->right = NULL;
}

bool map_put(Map *m, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  MapEntry *e = map_make(m, table, key, key_size, value, value_size);
  if (e == NULL) return false;
  map_discard(m, map_link(m, e));
  return true;
}

bool map_remove(Map *m, uint64_t table, const void *key, size_t key_size) {
  MapEntry *e = map_find(m, table, key, key_size);
  if (e == NULL) return false;
  map_unlink(m, e);
  map_discard(m, e);
  return true;
}

size_t map_drop(Map *m, uint64_t table) {
  size_t dropped = 0;
  for (MapEntry *e; (e = map_table(m, table)) != NULL && e->table == table; dropped++) {
    map_unlink(m, e);
    map_discard(m, e);
  }
  return dropped;
}

void map_init(Map *m, const hearth_allocator *allocator) {
  memset(m, 0, sizeof *m);
  m->allocator = *allocator;
}

void map_free(Map *m) {
  MapEntry *waiting[MAP_MAX_LEVELS + 1];
  unsigned count = 0;
  if (m->root != NULL) waiting[count++] = m->root;
  while (count > 0) {
    MapEntry *e = waiting[--count];
    if (e->right != NULL) waiting[count++] = e->right;
    if (e->left != NULL) waiting[count++] = e->left;
    map_discard(m, e);
  }
  free_table(m);
  hearth_allocator allocator = m->allocator;
  map_init(m, &allocator);
}
