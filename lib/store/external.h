/*
** External tables: tables whose entries stay in the backend. The store knows
** them by number, shared with the numbers of objects; a handle, a userdata, stands
** for one in Lua.
**
** An external table lives while the home graph refers to it, another external
** table does (counted), or a handle is alive. Uncommitted entries are kept in an
** overlay, in memory, which reads see.
*/
#ifndef HEARTH_STORE_EXTERNAL_H
#define HEARTH_STORE_EXTERNAL_H

#include "store.h"

typedef struct Externals Externals;

/* NULL: memory exhausted. The store is fully set up otherwise; freed when the store is closed. */
Externals *externals_new(hearth_store *S);
void externals_free(Externals *X);

/* Loading: learns of a table from its record ('x' n). False: the record is damaged or memory exhausted. */
bool externals_load(Externals *X, uint64_t number, const void *record, size_t size);

/* `X` takes the place of `before`: what was read then is old. */
void externals_follow(Externals *X, const Externals *before);

/* Is there an external table with this number (committed or in the open batch)? */
bool externals_has(const Externals *X, uint64_t number);

/* [-0, +1, m] Pushes the handle of a table that is there; one handle a table. */
void externals_push(lua_State *L, hearth_store *S, uint64_t number);

/*
** [-0, +0, -] Is the value at `index` a handle of an external table? Fills *number and *owner (the store
** that the handle belongs to, NULL after that was closed); *stale: its table is gone.
*/
bool external_is_handle(lua_State *L, int index, uint64_t *number, const hearth_store **owner, bool *stale);

/* A walk of the home graph: forgets what it reached / it reached this one. */
void externals_begin_walk(Externals *X);
void externals_reach(Externals *X, uint64_t number);

/*
** [-0, +0, m] Adds the open batch to the commit's: entries, the records of tables, and the drops of
** tables that nothing refers to any more (not reached by the walk, no references, no live handle).
*/
hearth_status externals_flush(lua_State *L, hearth_store *S, Batch *batch, hearth_error *err);

/*
** The commit that was flushed succeeded: what was open goes to `pending` (NULL: nothing was written), and the open
** batch is empty / failed: it is as before.
*/
void externals_committed(lua_State *L, hearth_store *S, struct PendingCommit *pending);
void externals_failed(lua_State *L, hearth_store *S);

/* The backend failed, and may be dead: what was read before is not the answer any more. */
void externals_unread(hearth_store *S);

/*
** [-0, +0, m] For compact, right after a commit's walk marked what home refers to: finds the tables that neither home
** nor a live handle reaches, through other tables either, and puts their drops in the open batch.
*/
hearth_status externals_collect(lua_State *L, hearth_store *S, hearth_error *err);

/* How many there are. */
uint64_t externals_count(const Externals *X);

/* [-0, +1, m] Pushes the table `ext` of this store: { table = function }. */
void externals_push_ext(lua_State *L, hearth_store *S);

#endif
