/*
** Commits that the backend accepted and that are not complete: what must be known of each in case that it fails.
**
** Of the home graph nothing: the objects are still in it, and what the backend then holds says which of them are to
** be written again. Of external tables what was written is no more in memory, so it is kept here: the open batch
** that the commit wrote, the tables that it dropped, and the references that went with them.
*/
#ifndef HEARTH_STORE_PENDING_H
#define HEARTH_STORE_PENDING_H

#include "external_table.h"

/* References to a table that were in tables which the commit dropped. */
typedef struct LostReferences {
  uint64_t number, count;
} LostReferences;

typedef struct PendingCommit PendingCommit;

struct PendingCommit {
  PendingCommit *older, *newer;
  uint64_t sequence;      /* the batch's number */
  Map overlay;            /* as Externals has it */
  ExternalTable *dropped; /* as they were */
  LostReferences *lost;
  size_t dropped_count, lost_count;
};

/* Of the commit at work: what externals_flush decided to drop is noted. NULL: memory exhausted. */
PendingCommit *pending_new(hearth_store *S);
void pending_free(hearth_store *S, PendingCommit *p); /* NULL is allowed */

/* The batch was accepted: it is the newest. Gone at once if it is complete already. */
void pending_add(hearth_store *S, PendingCommit *p);

/* For close. */
void pending_free_all(hearth_store *S);

/*
** What the backend's poll answers; after a failure what failed is dirty again. What went before it and was not
** settled yet comes first: pending_settle.
*/
hearth_status pending_poll(hearth_store *S, hearth_error *err);

/*
** OK unless a failure was told and could not be taken back at once: then that is tried again. NOMEM, and what the
** backend's scan answers; nothing is lost, and nothing can be committed before this succeeds.
*/
hearth_status pending_settle(hearth_store *S, hearth_error *err);

/* --------------------------------------------------------------- revert.c */

/*
** The backend forgot all commits that are pending: what was saved is what the backend holds. The Lua graph and the
** numbers of its objects stay. All or nothing; as pending_settle.
*/
hearth_status store_revert(hearth_store *S, hearth_error *err);

/* ------------------------------------------------------ external_revert.c */

/* What the backend holds of an external table. */
typedef struct ExternalRecord {
  uint64_t number, to, from;
} ExternalRecord;

/* False: memory exhausted, nothing changed. Else externals_revert cannot fail. */
bool externals_reserve_revert(hearth_store *S);

/* The same for external tables: takes everything out of the pending commits. */
void externals_revert(hearth_store *S, const ExternalRecord *records, size_t count);

#endif
