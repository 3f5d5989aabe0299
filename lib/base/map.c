#include "map.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "hash.h"

enum {
  PREFIX_SIZE = 8,
  LEAST_BUCKETS = 64,
  LONGEST_WALK = 8 /* in a chain; a longer one means that memory was short, or ill luck: then the tree tells */
};

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

/* -------------------------------------------------------------- hashing */

/* The top bits of a product with a secret odd number: two keys share a bucket as seldom as if by chance. */
static MapEntry **bucket_of(const Map *m, const Sought *s) {
  uint64_t key = s->prefix ^ s->table * UINT64_C(0x9e3779b97f4a7c15);
  if (s->size > PREFIX_SIZE) key ^= hash64(s->key + PREFIX_SIZE, s->size - PREFIX_SIZE, m->seed);
  return &m->buckets[key * m->seed >> m->shift];
}

static void enchain(const Map *m, MapEntry *e) {
  Sought s = seek_entry(e);
  MapEntry **bucket = bucket_of(m, &s);
  e->chain = *bucket;
  *bucket = e;
}

static void unchain(const Map *m, const MapEntry *e) {
  if (m->buckets == NULL) return;
  Sought s = seek_entry(e);
  MapEntry **at = bucket_of(m, &s);
  while (*at != e) at = &(*at)->chain;
  *at = e->chain;
}

/* Room for one more entry, two for each bucket; false: memory exhausted, nothing changed. */
static bool reserve(Map *m) {
  size_t needed = (m->count + m->spare) / 2 + 1, count = m->bucket_count == 0 ? LEAST_BUCKETS : m->bucket_count;
  if (needed <= m->bucket_count || needed <= LEAST_BUCKETS / 4) return true;
  while (count < needed) count *= 2;
  MapEntry **buckets = hearth_realloc(&m->allocator, NULL, 0, count * sizeof *buckets);
  if (buckets == NULL) return false;
  hearth_free(&m->allocator, m->buckets, m->bucket_count * sizeof *buckets);
  memset(buckets, 0, count * sizeof *buckets);
  if (m->buckets == NULL) m->seed = hash_key().low | 1;
  m->bytes += (count - m->bucket_count) * sizeof *buckets;
  m->buckets = buckets;
  m->bucket_count = count;
  for (m->shift = 64; count > 1; count /= 2) m->shift--;
  for (MapEntry *e = map_table(m, 0); e != NULL; e = map_next(e)) enchain(m, e);
  return true;
}

/* ------------------------------------------------------------ balancing */

/* Whatever pointed to `old` points to `e` now. */
static void replace_child(Map *m, MapEntry *parent, const MapEntry *old, MapEntry *e) {
  if (parent == NULL) m->root = e;
  else if (parent->left == old) parent->left = e;
  else parent->right = e;
  if (e != NULL) e->parent = parent;
}

static int least(int a, int b) {
  return a < b ? a : b;
}

static int most(int a, int b) {
  return a > b ? a : b;
}

static MapEntry *rotate_left(Map *m, MapEntry *x) {
  MapEntry *y = x->right;
  replace_child(m, x->parent, x, y);
  x->right = y->left;
  if (x->right != NULL) x->right->parent = x;
  y->left = x;
  x->parent = y;
  x->balance = (int8_t)(x->balance - 1 - most(y->balance, 0));
  y->balance = (int8_t)(y->balance - 1 + least(x->balance, 0));
  return y;
}

static MapEntry *rotate_right(Map *m, MapEntry *x) {
  MapEntry *y = x->left;
  replace_child(m, x->parent, x, y);
  x->left = y->right;
  if (x->left != NULL) x->left->parent = x;
  y->right = x;
  x->parent = y;
  x->balance = (int8_t)(x->balance + 1 - least(y->balance, 0));
  y->balance = (int8_t)(y->balance + 1 + most(x->balance, 0));
  return y;
}

/* Mends a node whose sides differ by two: the subtree's new top. */
static MapEntry *rebalance(Map *m, MapEntry *x) {
  if (x->balance > 0) {
    if (x->right->balance < 0) rotate_right(m, x->right);
    return rotate_left(m, x);
  }
  if (x->left->balance > 0) rotate_left(m, x->left);
  return rotate_right(m, x);
}

/* The subtree at `e` has grown by one level. */
static void grown(Map *m, MapEntry *e) {
  for (MapEntry *p = e->parent; p != NULL; e = p, p = p->parent) {
    p->balance = (int8_t)(p->balance + (p->left == e ? -1 : 1));
    if (p->balance == 0) return;
    if (p->balance == 2 || p->balance == -2) {
      rebalance(m, p);
      return;
    }
  }
}

/* One side of `p` has lost a level. */
static void shrunk(Map *m, MapEntry *p, bool left_side) {
  while (p != NULL) {
    p->balance = (int8_t)(p->balance + (left_side ? 1 : -1));
    if (p->balance == 1 || p->balance == -1) return;
    if (p->balance != 0) {
      p = rebalance(m, p);
      if (p->balance != 0) return;
    }
    MapEntry *parent = p->parent;
    left_side = parent != NULL && parent->left == p;
    p = parent;
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
  if (m->buckets == NULL) return find_in_tree(m, &s);
  MapEntry *e = *bucket_of(m, &s);
  for (int steps = 0; steps < LONGEST_WALK; steps++, e = e->chain) {
    if (e == NULL) return NULL;
    if (same(e, &s)) return e;
  }
  return find_in_tree(m, &s);
}

MapEntry *map_lower(const Map *m, uint64_t table, const void *key, size_t key_size) {
  MapEntry *found = NULL;
  Sought s = seek(table, key, key_size);
  for (MapEntry *e = m->root; e != NULL;) {
    if (compare(e, &s) < 0) {
      e = e->right;
    } else {
      found = e;
      e = e->left;
    }
  }
  return found;
}

MapEntry *map_before(const Map *m, uint64_t table, const void *key, size_t key_size) {
  MapEntry *found = NULL;
  Sought s = seek(table, key, key_size);
  for (MapEntry *e = m->root; e != NULL;) {
    if (compare(e, &s) < 0) {
      found = e;
      e = e->right;
    } else {
      e = e->left;
    }
  }
  return found;
}

MapEntry *map_table(const Map *m, uint64_t from) {
  return map_lower(m, from, NULL, 0);
}

MapEntry *map_next(const MapEntry *e) {
  if (e->right != NULL) {
    MapEntry *n = e->right;
    while (n->left != NULL) n = n->left;
    return n;
  }
  while (e->parent != NULL && e->parent->right == e) e = e->parent;
  return e->parent;
}

MapEntry *map_prev(const MapEntry *e) {
  if (e->left != NULL) {
    MapEntry *n = e->left;
    while (n->right != NULL) n = n->right;
    return n;
  }
  while (e->parent != NULL && e->parent->left == e) e = e->parent;
  return e->parent;
}

void map_range(const Map *m, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,
               bool reverse, MapRange *range) {
  MapEntry *low = from != NULL ? map_lower(m, table, from, from_size) : map_table(m, table);
  MapEntry *high = to != NULL ? map_lower(m, table, to, to_size) : map_table(m, table + 1);
  bool empty = low == NULL || low == high;
  if (!empty && high != NULL) { /* `high` before `low`: what a walk from one to the other would miss */
    Sought s = seek_entry(high);
    empty = compare(low, &s) > 0;
  }
  range->reverse = reverse;
  range->next = range->stop = NULL;
  if (empty) return;
  if (!reverse) {
    range->next = low;
    range->stop = high;
  } else {
    range->next = to != NULL ? map_before(m, table, to, to_size) : map_before(m, table + 1, NULL, 0);
    range->stop = map_prev(low);
  }
}

MapEntry *map_range_next(MapRange *range) {
  MapEntry *e = range->next;
  if (e == range->stop) return NULL;
  range->next = range->reverse ? map_prev(e) : map_next(e);
  return e;
}

/* ------------------------------------------------------------- changing */

MapEntry *map_make(Map *m, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  assert(key_size <= MAP_MAX_KEY && value_size <= UINT32_MAX);
  if (value_size > SIZE_MAX - MAP_ENTRY_BYTES - key_size) return NULL;
  if (!reserve(m)) return NULL;
  size_t size = entry_size(key_size, value_size);
  MapEntry *e = hearth_realloc(&m->allocator, NULL, 0, size);
  if (e == NULL) return NULL;
  memset(e->bytes, 0, PREFIX_SIZE);
  m->spare++;
  e->parent = e->left = e->right = e->chain = NULL;
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

/* `e` takes over the place of `old` in the tree. */
static void take_place(Map *m, MapEntry *old, MapEntry *e) {
  e->left = old->left;
  e->right = old->right;
  e->balance = old->balance;
  if (e->left != NULL) e->left->parent = e;
  if (e->right != NULL) e->right->parent = e;
  replace_child(m, old->parent, old, e);
  old->parent = old->left = old->right = NULL;
}

MapEntry *map_link(Map *m, MapEntry *e) {
  MapEntry *parent = NULL;
  int order = 0;
  Sought s = seek_entry(e);
  e->left = e->right = NULL;
  e->balance = 0;
  for (MapEntry *at = m->root; at != NULL; at = order < 0 ? at->right : at->left) {
    order = compare(at, &s);
    parent = at;
    if (order == 0) break;
  }
  count_in(m, e);
  if (m->buckets != NULL) enchain(m, e);
  if (parent != NULL && order == 0) {
    count_out(m, parent);
    unchain(m, parent);
    take_place(m, parent, e);
    return parent;
  }
  e->parent = parent;
  if (parent == NULL) m->root = e;
  else if (order < 0) parent->right = e;
  else parent->left = e;
  grown(m, e);
  return NULL;
}

void map_unlink(Map *m, MapEntry *e) {
  count_out(m, e);
  unchain(m, e);
  if (e->left != NULL && e->right != NULL) {
    /* the successor has no left child: take it out of its place and give it this one */
    MapEntry *successor = map_next(e);
    MapEntry *from = successor->parent;
    bool left_side = from->left == successor;
    replace_child(m, from, successor, successor->right);
    take_place(m, e, successor);
    shrunk(m, from == e ? successor : from, left_side);
  } else {
    MapEntry *parent = e->parent;
    bool left_side = parent != NULL && parent->left == e;
    replace_child(m, parent, e, e->left != NULL ? e->left : e->right);
    shrunk(m, parent, left_side);
  }
  e->parent = e->left = e->right = NULL;
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
  MapEntry *e = map_table(m, table);
  while (e != NULL && e->table == table) {
    MapEntry *next = map_next(e);
    map_unlink(m, e);
    map_discard(m, e);
    dropped++;
    e = next;
  }
  return dropped;
}

void map_init(Map *m, const hearth_allocator *allocator) {
  memset(m, 0, sizeof *m);
  m->allocator = *allocator;
}

void map_free(Map *m) {
  MapEntry *e = m->root;
  while (e != NULL) { /* leaves first, without recursion */
    if (e->left != NULL) {
      e = e->left;
    } else if (e->right != NULL) {
      e = e->right;
    } else {
      MapEntry *parent = e->parent;
      if (parent != NULL && parent->left == e) parent->left = NULL;
      else if (parent != NULL) parent->right = NULL;
      map_discard(m, e);
      e = parent;
    }
  }
  hearth_free(&m->allocator, m->buckets, m->bucket_count * sizeof *m->buckets);
  hearth_allocator allocator = m->allocator;
  map_init(m, &allocator);
}
