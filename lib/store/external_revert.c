/*
** External tables after pending commits failed: what those had written is open again, beneath what was written since;
** tables that they made are new again, and tables that they dropped are back, to be dropped by the next commit.
*/
#include "pending.h"

bool externals_reserve_revert(hearth_store *S) {
  size_t count = 0;
  for (const PendingCommit *p = S->oldest; p != NULL; p = p->newer) count += p->dropped_count;
  return externals_reserve(S->externals, count);
}

static void bring_back(Externals *X, const ExternalTable *dropped) {
  if (externals_find(X, dropped->number) != NULL) return;
  externals_add(X, dropped->number);
  ExternalTable *t = externals_find(X, dropped->number);
  t->to = dropped->to;
  t->from = dropped->from;
  t->condemned = true;
}

/* Newer entries win. */
static void reopen(Map *overlay, Map *written) {
  for (MapEntry *e; (e = written->root) != NULL;) {
    map_unlink(written, e);
    if (map_find(overlay, e->table, map_key(e), e->key_size) == NULL)
      map_discard(overlay, map_link(overlay, e));
    else
      map_discard(written, e);
  }
}

/* Undoes what externals_committed did. */
static void undo(Externals *X, PendingCommit *p) {
  for (size_t i = 0; i < p->dropped_count; i++) bring_back(X, &p->dropped[i]);
  for (size_t i = 0; i < p->lost_count; i++) {
    ExternalTable *t = externals_find(X, p->lost[i].number);
    if (t != NULL) t->to += p->lost[i].count;
  }
  reopen(&X->overlay, &p->overlay);
}

void externals_revert(hearth_store *S, const ExternalRecord *records, size_t count) {
  Externals *X = S->externals;
  for (PendingCommit *p = S->newest; p != NULL; p = p->older) undo(X, p);
  for (uint32_t i = 0; i < X->count; i++) {
    ExternalTable *t = &X->tables[i];
    t->fresh = true;
    t->saved_to = t->saved_from = 0;
  }
  for (size_t i = 0; i < count; i++) {
    ExternalTable *t = externals_find(X, records[i].number);
    if (t == NULL) continue; /* none that was dropped: all of those are back */
    t->fresh = false;
    t->saved_to = records[i].to;
    t->saved_from = records[i].from;
  }
  X->generation++;
  external_cache_end(&X->cache);
}
