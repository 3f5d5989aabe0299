/*
** What was in a large table when it was last committed, without its bytes: the identity of each key and value, and in
** which page it is stored. The next commit compares identities, and makes and hashes only the pages where one changed.
**
** A string is known by its address, which says nothing once the collector may have freed it. The store keeps
** an object that nothing refers to but a weak table: while that is there, no cycle of the collector has passed
** its atomic phase since the commit, so that nothing which was alive then has been freed. A memo is good only then.
*/
#ifndef HEARTH_STORE_MEMO_H
#define HEARTH_STORE_MEMO_H

#include "committer.h"

/* Tables of entries smaller than this, on average, are made anew as fast as they are compared. */
#define WORTH_A_MEMO 32

typedef struct Memo {
  size_t count;          /* entries */
  uint64_t array, pairs; /* the counts of the head */
  uint64_t value_bytes;  /* of all values, at least */
  uint32_t page_count;
  uint32_t *weights;     /* bytes of the entries in each page; behind the entries */
  Identity entries[];    /* in the order of lua_next */
} Memo;

void memo_free(const hearth_allocator *a, Memo *m); /* NULL is allowed */

/*
** After a table was divided, with the encoder's entries and identities, and C->pages: remembers it until the commit
** is in. Does nothing where that would cost more than it saves, or memory is short.
*/
void memo_make(Committer *C, uint32_t slot, const Head *head, const Entry *entries, size_t count);

/* EncoderOps.known: C->pages and the batch get what is different now. False: all of the table is to be looked at. */
bool memo_known(Encoder *E, int index, Head *head);

/* The commit is in, or (with `committed` false) failed: what was remembered holds, or is forgotten. */
void memo_settle(Committer *C, bool committed);

/* Is every memo of the last commit good? [-0, +0, -] */
bool memo_is_alive(lua_State *L, const hearth_store *S);

/*
** A commit begins: makes the object that tells whether the collector finds garbage from now on. [-0, +0, m] The
** commit is in: that object is the one that counts. [-0, +0, -]
*/
void memo_begin_watch(lua_State *L, hearth_store *S);
void memo_watch(lua_State *L, hearth_store *S);

#endif
