/*
** Following commits that are not complete yet.
*/
#include "pending.h"

/* -------------------------------------------------------------- one commit */

/* An array of `count` elements in *out; false: memory exhausted. */
static bool make_array(hearth_store *S, size_t count, size_t size, void **out) {
  if (count > 0) *out = hearth_realloc(&S->allocator, NULL, 0, count * size);
  return count == 0 || *out != NULL;
}

static bool note_dropped(hearth_store *S, PendingCommit *p) {
  const Externals *X = S->externals;
  size_t dropped = 0, lost = 0;
  void *tables = NULL, *references = NULL;
  for (uint32_t i = 0; i < X->count; i++) {
    p->dropped_count += X->tables[i].doomed;
    p->lost_count += !X->tables[i].doomed && X->tables[i].lost > 0;
  }
  bool made = make_array(S, p->dropped_count, sizeof *p->dropped, &tables) &&
              make_array(S, p->lost_count, sizeof *p->lost, &references);
  p->dropped = tables;
  p->lost = references;
  for (uint32_t i = 0; i < X->count && made; i++) {
    const ExternalTable *t = &X->tables[i];
    if (t->doomed)
      p->dropped[dropped++] = *t; /* NOLINT(*NullDereference): as many as were counted */
    else if (t->lost > 0)
      p->lost[lost++] = (LostReferences){t->number, t->lost}; /* NOLINT(*NullDereference): likewise */
  }
  return made;
}

PendingCommit *pending_new(hearth_store *S) {
  PendingCommit *p = hearth_realloc(&S->allocator, NULL, 0, sizeof *p);
  if (p == NULL) return NULL;
  memset(p, 0, sizeof *p);
  map_init(&p->overlay, &S->allocator);
  if (note_dropped(S, p)) return p;
  pending_free(S, p);
  return NULL;
}

void pending_free(hearth_store *S, PendingCommit *p) {
  if (p == NULL) return;
  map_free(&p->overlay);
  hearth_free(&S->allocator, p->dropped, p->dropped_count * sizeof *p->dropped);
  hearth_free(&S->allocator, p->lost, p->lost_count * sizeof *p->lost);
  hearth_free(&S->allocator, p, sizeof *p);
}

/* ---------------------------------------------------------------- all of them */

static void free_oldest(hearth_store *S) {
  PendingCommit *p = S->oldest;
  S->oldest = p->newer;
  if (S->oldest != NULL)
    S->oldest->older = NULL;
  else
    S->newest = NULL;
  pending_free(S, p);
}

void pending_free_all(hearth_store *S) {
  while (S->oldest != NULL) free_oldest(S);
}

/* Forgets those that are complete. */
static hearth_status forget_complete(hearth_store *S, hearth_error *err) {
  hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)}; /* which some count one by one */
  if (S->oldest == NULL) return HEARTH_OK;
  hearth_status status = S->backend->stat(S->storage, &stat, err);
  while (status == HEARTH_OK && S->oldest != NULL && S->oldest->sequence <= stat.sequence) free_oldest(S);
  return status;
}

void pending_add(hearth_store *S, PendingCommit *p) {
  hearth_error ignored; /* it is asked again at the next poll */
  p->older = S->newest;
  if (S->newest != NULL)
    S->newest->newer = p;
  else
    S->oldest = p;
  S->newest = p;
  (void)forget_complete(S, &ignored);
}

/* ---------------------------------------------------------------------- poll */

hearth_status pending_settle(hearth_store *S, hearth_error *err) {
  if (!S->unsettled) return HEARTH_OK;
  hearth_status status = forget_complete(S, err);
  if (status == HEARTH_OK && S->oldest != NULL) status = store_revert(S, err);
  if (status == HEARTH_NOMEM)
    return hearth_fail(err, status, "no memory to take back a commit that failed; the next commit tries it again");
  if (status != HEARTH_OK) return status;
  pending_free_all(S);
  S->unsettled = false;
  return HEARTH_OK;
}

hearth_status pending_poll(hearth_store *S, hearth_error *err) {
  hearth_error ignored;
  hearth_status status = pending_settle(S, err);
  if (status != HEARTH_OK) {
    externals_unread(S);
    return status;
  }
  status = S->backend->poll(S->storage, err);
  if (status >= 0) {
    (void)forget_complete(S, &ignored);
    err->code = status;
    return status;
  }
  externals_unread(S);
  S->unsettled = S->oldest != NULL; /* else no commit of ours is concerned */
  (void)pending_settle(S, &ignored);
  return status;
}
