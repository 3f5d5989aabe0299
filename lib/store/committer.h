/*
** The state of one walk over the home graph: what commit.c and special.c share.
*/
#ifndef HEARTH_STORE_COMMITTER_H
#define HEARTH_STORE_COMMITTER_H

#include "pending.h"
#include "store.h"

/*
** What a rollback has found out about special objects. Each is probed by itself; what two of them have, one of them
** has only since the last commit.
*/
typedef struct Probes {
  IntMap claimed;        /* pointer -> slot of the special object that it is part of, by its probe */
  IntMap unchanged;      /* slot + 1 -> 1, where it is as it was committed */
} Probes;

typedef struct Committer {
  Encoder E;
  hearth_store *S;
  Batch batch;
  Buffer changes;        /* Change, applied when the batch is in */
  Buffer pages;          /* Page, of the object at work */
  Buffer specials;       /* slots, put aside */
  size_t specials_done;  /* bytes of `specials` whose hooks were called */
  IntMap owners;         /* pointer -> slot of the only special object that reaches it */
  IntMap locals;         /* pointer -> index, in the record at work */
  Buffer record;         /* a special object's record */
  Buffer local_cells;    /* per local object: upvalue index of a cell, 0 for others */
  uint32_t local_count;
  uint32_t owner;        /* slot of the special object whose record is at work */
  Buffer weak_owners;    /* for each table in `weak` the slot of the special object that it was part of */
  PendingCommit *pending; /* what is to be known of the commit at work until it is complete */
  Buffer memos, memo_changes; /* what becomes of memos when the commit is in: memo.c */
  Buffer weights;        /* of the pages of the table at work, a number each: memo.c */
  Buffer page_bytes, page_entries; /* of a committed page: memo.c */
  Buffer items, held;    /* entries that wait for their page, pages that wait for the end of their table: stream.c */
  bool memos_alive;      /* the memos of the last commit were good when this one began */
  bool dry;              /* only one object is looked at; nothing is submitted */
  Probes *probes;        /* dry: of the others */
  /* Stack indices, absolute. */
  int values;            /* table: slot + 1 -> what the hook gave; -(slot + 1) -> the type's name or nil */
  int work;              /* table: objects to look through; the local objects of the record at work */
  int weak;              /* list: weak tables that were part of a special object when they were met */
} Committer;

/* Sets the encoder up for this store, with its stack frame; raises. Stack: [1] is the store as light userdata. */
Committer *committer_push(lua_State *L, hearth_store *S, hearth_error *err);

/*
** Compares the record in `record` (and C->pages) with the committed one and adds what differs to
** the batch. True: it differs.
*/
bool committer_record(Committer *C, uint32_t slot, const Buffer *record);

/* Raises what the error record holds. */
_Noreturn void committer_raise(Committer *C);

static inline void committer_check(Committer *C, hearth_status status) {
  if (status < 0) committer_raise(C);
}

/* --------------------------------------------------------- commit_pages.c */

/*
** Makes the page of these entries: where its hash is another than in *page, sets that and puts the page into the batch.
*/
void committer_page(Committer *C, Page *page, const Entry *entries, size_t count);

/* Puts a page of the object at work into the batch. */
void committer_put_page(Committer *C, const Page *page, const void *bytes, size_t size);

/* Sets page->hash to that of the committed page of its place, if there is one; `saved` has room for the object. */
void committer_know_page(const Committer *C, Page *page);

/* Divides sorted entries of the object at work into pages, which C->pages and the batch get. */
void committer_pages(Committer *C, const Entry *entries, size_t count);

/* EncoderOps.pages. */
void committer_paged(Encoder *E, const Head *head, const Entry *entries, size_t count);

/* Deletes the committed pages that are not among these; NULL: none. Both are in the order of the keys. */
void committer_delete_pages(Committer *C, uint32_t slot, const Buffer *kept);

/* Are these the committed pages? */
bool committer_same_pages(const Saved *saved, const Buffer *pages);

/* --------------------------------------------------------------- commit.c */

/* Not left to the collector: it does not know how large this is, and loses a finalizer that memory runs out in. */
void committer_free(Committer *C);

/* After a walk that is not committed: forgets the objects and constants that it met first. */
void committer_forget_fresh(lua_State *L, hearth_store *S);

/* Calls the hook of the special object in slot and finds out what belongs to it alone. */
void special_explore(Committer *C, uint32_t slot);

/*
** The same for weak tables that belong to a special object alone, by the entries that stay as far as is known: to be
** asked until nothing is new. True: something was.
*/
bool special_weak_round(Committer *C);

/* EncoderOps.held. When one object is probed, everything lives: it is as it was only if all of it is. */
bool special_holds(Encoder *E, int index);

/* Writes the record of the special object, explored before, and hands it to committer_record. True: it differs. */
bool special_write(Committer *C, uint32_t slot);

/*
** [-0, +0] Is the special object in `slot` still what was committed? With a hook that raises, no. What it gave is kept
** in the table at the top, under slot + 1, so that addresses stay those of its objects, and the metatable that the
** object had under -(slot + 1). False: memory exhausted.
*/
bool special_probe(lua_State *L, hearth_store *S, uint32_t slot, Probes *probes);

#endif
