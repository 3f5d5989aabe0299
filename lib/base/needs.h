/*
** What needs what before it can be made: closures their cells, cells their values, special objects what stands for
** them. A special object that needs itself, over whatever others, can never be rebuilt.
**
** Each thing is named by a key that is not 0: an address, or a number. What was never begun needs nothing.
*/
#ifndef HEARTH_BASE_NEEDS_H
#define HEARTH_BASE_NEEDS_H

#include "intmap.h"

typedef struct Needs {
  Buffer things;       /* Thing, in needs.c */
  Buffer keys;         /* what they need: those of each together */
  Buffer path, open;   /* of the search: indices of things */
  IntMap by_key;       /* key -> index of the thing; filled by the search */
  uint32_t mark;       /* of what was entered last */
  bool special;        /* one of them is */
} Needs;

void needs_init(Needs *n, const hearth_allocator *allocator);
void needs_free(Needs *n);

/* What is added from now on is needed by the thing of this key, which has not been begun before. */
void needs_begin(Needs *n, uint64_t key, bool special);
void needs_add(Needs *n, uint64_t key);

/*
** Once, when all is added: *key becomes that of a special object that needs itself, or 0. False: memory exhausted, now
** or before.
*/
bool needs_find_cycle(Needs *n, uint64_t *key);

#endif
