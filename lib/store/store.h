/*
** A store in memory: what its files share.
**
** The store lives in a userdata. Its Lua side hangs on the userdata's user
** values, so that the collector sees it; the C side is below. The chapters:
** open.c opens and closes, load.c reads the home graph (on open, rollback and refresh), restore.c
** puts it into the objects that are there, commit.c writes it, pages.c divides large tables, memo.c remembers them,
** special.c writes hooked objects, batch.c gathers operations, pending.c and revert.c follow commits that are not
** complete yet, external*.c are the external tables.
*/
#ifndef HEARTH_STORE_STORE_H
#define HEARTH_STORE_STORE_H

#include <lua.h>

#include "batch.h"
#include "encoder.h"
#include "error.h"
#include "hearth.h"
#include "heap.h"
#include "layout.h"

/* User values of the store's userdata. */
enum {
  STORE_OBJECTS = 1,  /* table: slot + 1 -> object; a cell by a private closure that captured it */
  STORE_LARGE,        /* table: constant + 1 -> large string, which is known by its address so long */
  STORE_HOME,         /* the home table */
  STORE_ENVIRONMENT,  /* the table it was installed in, or nil */
  STORE_NAMES,        /* table: value -> name, permanents of this store: ext, the environment */
  STORE_VALUES,       /* table: name -> value, their mirror */
  STORE_CELL_MAKER,   /* makes private closures for cells */
  STORE_HANDLES,      /* weak table: number -> handle of an external table */
  STORE_CACHE,        /* number -> table: what was read from an external table: external_cache.h */
  STORE_EXT,          /* the table `ext` */
  STORE_ALIAS,        /* what the alias keeps: alias.c */
  STORE_WATCHED,      /* weak table: an object that the collector's next cycle takes */
  STORE_USER_VALUES = STORE_WATCHED
};

/* One page of a paged table, as last committed. */
typedef struct Page {
  uint64_t prefix;
  Hash128 hash;
  uint8_t section, depth;
} Page;

/* What was last committed of the object in a slot. */
typedef struct Saved {
  Hash128 hash;   /* of head and body */
  Page *pages;    /* in order of section and prefix */
  struct Memo *memo; /* of a paged table, or NULL: memo.h */
  uint32_t page_count;
  uint32_t written; /* 0: not in the backend yet */
} Saved;

struct hearth_store {
  lua_State *L;  /* the main thread */
  const hearth_backend *backend;
  hearth_backend_store *storage;
  hearth_allocator allocator;
  hearth_warn warn;
  void *warn_ud;
  const hearth_seal *seal;
  unsigned flags;
  hearth_durability durability;
  hearth_alias alias;
  const struct hearth_environment *environment; /* NULL: the operating system's */
  char *location;       /* for messages */
  uint32_t home;        /* slot */
  Metadata metadata;    /* of the last commit; written_by 0: no commit yet */
  Heap heap;
  Saved *saved;         /* one a slot */
  uint32_t saved_capacity;
  struct Externals *externals;
  struct PendingCommit *oldest, *newest; /* commits that are not complete: pending.h */
  uint64_t committed_entries, committed_bytes;
  uint64_t alias_uses;
  int64_t credit;       /* bytes that Lua might allocate after the last commit before its
                           collector goes on: collector.c */
  int64_t allocated;    /* bytes that Lua had then */
  bool busy;            /* in commit, rollback, open or compact */
  bool in_transaction;
  bool closed;
  bool readonly;
  bool newer;           /* written by a newer format, which says that reading is safe */
  bool torn;            /* a rollback failed half-way: the graph is not to be committed */
  bool unsettled;       /* a pending commit failed, and there was no memory yet to take it back */
};

/* Pushes the store's userdata. [-0, +1, -] */
void store_push(lua_State *L, const hearth_store *S);

/* Pushes one of its user values. [-0, +1, -] */
void store_push_value(lua_State *L, const hearth_store *S, int which);
/* Sets one to the value on the top. [-1, +0, -] */
void store_set_value(lua_State *L, const hearth_store *S, int which);

/* OK, or CLOSED or BUSY with the error filled: every public call on a store begins with it. */
hearth_status store_enter(hearth_store *S, hearth_error *err);

/* STALE when a rollback failed half-way: what the graph holds is then nothing that was ever meant. */
hearth_status store_check_whole(const hearth_store *S, hearth_error *err);

/* READONLY, with what makes it so. */
hearth_status store_fail_readonly(const hearth_store *S, hearth_error *err);

/* Makes room in `saved` for the heap's slots. False: memory exhausted. */
bool store_reserve_saved(hearth_store *S);

/* Frees what is remembered of a slot. */
void store_forget(hearth_store *S, uint32_t slot);

/* Frees an array of what was committed, and what hangs on it; NULL is allowed. */
void store_free_saved(const hearth_store *S, Saved *saved, size_t capacity);

/* Pushes the table STORE_ALIAS of a new store. [-0, +1, m] */
void alias_push(lua_State *L);

/* Sets or removes the global Memory by the policy, in the table it was installed in: all or nothing. [-0, +0, m] */
void alias_apply(lua_State *L, hearth_store *S, hearth_alias policy);

/* Uses are no longer tracked. [-0, +0, -] */
void alias_end(lua_State *L, hearth_store *S);

/* One line to the store's warn function, or Lua's. Never raises. */
void store_warn_line(lua_State *L, hearth_store *S, const char *text);

/* The same, of at most 511 bytes. */
void store_warn(lua_State *L, hearth_store *S, const char *format, ...) HEARTH_PRINTF(3, 4);

/* ------------------------------------------------------------- collector.c */

/*
** After a commit or a load, when the collector runs again: lets it wait as long as it would have without us.
** `passed`: since the time before, one of its cycles has found out what is garbage. [-0, +0, -]
*/
void collector_resume(lua_State *L, hearth_store *S, bool passed);

/* ------------------------------------------------------------------ load.c */

/*
** Reads the home graph from the backend. Objects whose numbers are known keep their identity and
** are assigned only what differs; others are made. For lua_pcall: the store as light userdata, the error at index 2.
*/
hearth_status store_load(lua_State *L, hearth_store *S, hearth_error *err);

/* ---------------------------------------------------------------- commit.c */

hearth_status store_commit(lua_State *L, hearth_store *S, hearth_durability durability, hearth_error *err);

/* The same without asking before it what became of earlier commits: at the end of a transaction. */
hearth_status store_commit_unasked(lua_State *L, hearth_store *S, hearth_durability durability, hearth_error *err);

/* The same for compact: external tables in cycles are dropped with it. */
hearth_status store_commit_collecting(lua_State *L, hearth_store *S, hearth_error *err);

/* ----------------------------------------------------------------- pages.c */

/* Called for each page in order; entries are those of the page. */
typedef void (*PageFound)(void *ud, uint8_t section, uint64_t prefix, uint8_t depth, const Entry *entries,
                          size_t count);

/* Divides sorted entries into pages. */
void pages_divide(const Entry *entries, size_t count, size_t page_size, PageFound found, void *ud);

/*
** Reads the body of a page, the mirror of page_put: adds its bytes to `bytes` and its entries to `entries`, without the
** order of those in section 1. False: it is damaged, or memory is short (then a buffer says so).
*/
bool page_get(Buffer *entries, Buffer *bytes, uint8_t section, const unsigned char *page, size_t size);

/* Writes the body of a page; `bytes` is what the entries' offsets mean. */
void page_put(Buffer *b, uint8_t section, const Entry *entries, size_t count, const unsigned char *bytes);

#endif
