#include "walk.h"

#include <string.h>

/* Is `from` the least key behind the one that the walk went to? */
static bool follows(const WalkedTo *to, const unsigned char *from, size_t from_size) {
  return from_size == to->size + 1 && from[to->size] == 0 && (to->size == 0 || memcmp(from, to->key, to->size) == 0);
}

/* Whoever stopped at an entry may go on behind it, or with it once more. */
void walk_begin(Walk *w, const Walk *before, uint64_t table, uint64_t sequence, const void *from, size_t from_size) {
  const bool first = from_size == 0, same = before->whole && before->table == table && before->sequence == sequence;
  w->table = table;
  w->sequence = sequence;
  w->whole = false;
  w->last = 0;
  for (int i = 0; i < 2; i++) {
    w->to[i].total = (Total){0};
    w->to[i].size = 0;
  }
  if (!first && !same) return;
  w->whole = first;
  for (unsigned i = 0; !w->whole && i < 2; i++) {
    const WalkedTo *to = &before->to[(before->last + i) % 2];
    if (to->total.entries == 0 || !follows(to, from, from_size)) continue;
    w->to[0] = *to;
    w->whole = true;
  }
}

void walk_add(Walk *w, const void *key, size_t key_size, size_t value_size, uint64_t check) {
  if (!w->whole) return;
  const Total so_far = w->to[w->last].total;
  w->last = 1 - w->last;
  WalkedTo *to = &w->to[w->last];
  to->total = (Total){so_far.entries + 1, so_far.bytes + key_size + value_size, so_far.digest + check};
  to->size = key_size;
  if (key_size > 0) memcpy(to->key, key, key_size);
}
