#include "needs.h"

#define CLOSED UINT32_MAX /* mark of what is on no cycle with anything that is still open */

typedef struct Thing {
  uint64_t key;
  size_t next, end; /* among the keys: the first that was not yet looked at, and the end of its own */
  uint32_t mark;    /* the order of entering, from 1; 0: not entered */
  uint32_t low;     /* the earliest mark of an open thing that is reachable */
  bool special;
} Thing;

void needs_init(Needs *n, const hearth_allocator *a) {
  memset(n, 0, sizeof *n);
  Buffer *buffers[] = {&n->things, &n->keys, &n->path, &n->open};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], a);
  intmap_init(&n->by_key, a);
}

void needs_free(Needs *n) {
  Buffer *buffers[] = {&n->things, &n->keys, &n->path, &n->open};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
  intmap_free(&n->by_key);
}

static size_t thing_count(const Needs *n) {
  return n->things.size / sizeof(Thing);
}

static Thing *thing_at(Needs *n, uint32_t index) {
  return (Thing *)(void *)n->things.data + index; /* the allocator's memory is aligned for it */
}

void needs_begin(Needs *n, uint64_t key, bool special) {
  Thing thing = {key, n->keys.size, n->keys.size, 0, 0, special};
  buffer_put(&n->things, &thing, sizeof thing);
  n->special = n->special || special;
}

void needs_add(Needs *n, uint64_t key) {
  buffer_put(&n->keys, &key, sizeof key);
  if (!n->things.failed) thing_at(n, (uint32_t)thing_count(n) - 1)->end = n->keys.size;
}

/* ----------------------------------------------------------------- search */

static uint32_t last_of(const Buffer *indices) {
  uint32_t index;
  memcpy(&index, indices->data + indices->size - sizeof index, sizeof index);
  return index;
}

static void enter(Needs *n, uint32_t index) {
  Thing *t = thing_at(n, index);
  t->mark = t->low = ++n->mark;
  buffer_put(&n->path, &index, sizeof index);
  buffer_put(&n->open, &index, sizeof index);
}

/* The thing at the end of the path needs the one of this key. True: that is itself, and special. */
static bool visit(Needs *n, uint64_t key) {
  uint32_t index = intmap_get(&n->by_key, key);
  if (index == INTMAP_NONE) return false;
  Thing *t = thing_at(n, index), *from = thing_at(n, last_of(&n->path));
  if (t->mark == 0)
    enter(n, index);
  else if (t->mark < from->low)
    from->low = t->mark;
  return t == from && t->special;
}

/*
** What was entered from this thing on and is still open needs each other. The index of one of them that is special, if
** they are several, else INTMAP_NONE.
*/
static uint32_t close_from(Needs *n, uint32_t first) {
  uint32_t special = INTMAP_NONE, index;
  bool several = last_of(&n->open) != first;
  do {
    index = last_of(&n->open);
    n->open.size -= sizeof index;
    thing_at(n, index)->mark = CLOSED;
    if (thing_at(n, index)->special) special = index;
  } while (index != first);
  return several ? special : INTMAP_NONE;
}

/* The search leaves the thing at the end of the path. The index of a special one on a cycle, or INTMAP_NONE. */
static uint32_t leave(Needs *n) {
  uint32_t index = last_of(&n->path);
  n->path.size -= sizeof index;
  Thing *t = thing_at(n, index);
  if (t->low == t->mark) return close_from(n, index);
  Thing *from = thing_at(n, last_of(&n->path)); /* there is one: the first thing of a path has the lowest mark */
  if (t->low < from->low) from->low = t->low;
  return INTMAP_NONE;
}

/* Tarjan's search from one thing, without recursion. The index of a special one on a cycle, or INTMAP_NONE. */
static uint32_t search_from(Needs *n, uint32_t index) {
  uint32_t found = INTMAP_NONE;
  enter(n, index);
  while (n->path.size > 0 && found == INTMAP_NONE && !n->path.failed && !n->open.failed) {
    uint32_t last = last_of(&n->path);
    Thing *t = thing_at(n, last);
    if (t->next == t->end) {
      found = leave(n);
      continue;
    }
    uint64_t key;
    memcpy(&key, n->keys.data + t->next, sizeof key);
    t->next += sizeof key;
    if (visit(n, key)) found = last;
  }
  return found;
}

bool needs_find_cycle(Needs *n, uint64_t *key) {
  *key = 0;
  if (n->things.failed || n->keys.failed) return false;
  uint32_t found = INTMAP_NONE, count = n->special ? (uint32_t)thing_count(n) : 0;
  for (uint32_t i = 0; i < count; i++)
    if (!intmap_put(&n->by_key, thing_at(n, i)->key, i)) return false;
  for (uint32_t i = 0; i < count && found == INTMAP_NONE; i++) {
    if (thing_at(n, i)->special && thing_at(n, i)->mark == 0) found = search_from(n, i);
    if (n->path.failed || n->open.failed) return false;
  }
  if (found != INTMAP_NONE) *key = thing_at(n, found)->key;
  return true;
}
