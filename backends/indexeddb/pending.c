/*
** What was handed to the host: it completes in order, or fails together with everything
** stacked on it, which takes effect when poll tells it.
*/
#include "store.h"

Pending *idb_pending_make(hearth_backend_store *store, PendingKind kind) {
  Pending *p = hearth_realloc(&store->allocator, NULL, 0, sizeof *p);
  if (p == NULL) return NULL;
  memset(p, 0, sizeof *p);
  p->kind = kind;
  p->before = store->place;
  return p;
}

void idb_pending_free(hearth_backend_store *store, Pending *p) {
  if (p == NULL) return;
  hearth_free(&store->allocator, p->undo.items, p->undo.count * sizeof *p->undo.items);
  hearth_free(&store->allocator, p, sizeof *p);
}

void idb_pending_add(hearth_backend_store *store, Pending *p, int ticket) {
  p->ticket = ticket;
  p->sequence = store->submitted;
  p->next = NULL;
  p->prev = store->latest;
  if (store->latest != NULL) store->latest->next = p;
  else store->first = p;
  store->latest = p;
}

static void take_out(hearth_backend_store *store, Pending *p) {
  if (p->prev != NULL) p->prev->next = p->next;
  else store->first = p->next;
  if (p->next != NULL) p->next->prev = p->prev;
  else store->latest = p->prev;
}

void idb_pending_clear(hearth_backend_store *store) {
  while (store->first != NULL) {
    Pending *p = store->first;
    take_out(store, p);
    idb_mirror_settle(&store->mirror, &p->undo, NULL);
    idb_pending_free(store, p);
  }
}

/* ------------------------------------------------------------- success */

static void complete(hearth_backend_store *store, Pending *p) {
  if (p->kind == PENDING_BATCH) store->sequence = p->sequence;
  if (p->durable) {
    store->durable = p->sequence;
    store->last_sync = idb_store_clock(store);
    store->synced++;
  }
  MapEntry **marked = store->compaction.running ? &store->compaction.deleted : NULL;
  idb_mirror_settle(&store->mirror, &p->undo, marked);
  take_out(store, p);
  if (p->kind == PENDING_REPLACE) idb_compact_replaced(store);
  idb_pending_free(store, p);
}

static void complete_in_order(hearth_backend_store *store) {
  while (store->first != NULL && store->first != store->failed && store->first->settled) complete(store, store->first);
}

/* ------------------------------------------------------------- failure */

void idb_pending_note(hearth_backend_store *store, hearth_status status, const char *reason) {
  if (store->failure.code != HEARTH_OK) return;
  (void)hearth_fail(&store->failure, status, "%s: a pending write failed: %s", store->name, reason);
}

static void undo(hearth_backend_store *store, Pending *p) {
  if (p->kind == PENDING_BATCH) {
    idb_mirror_undo(&store->mirror, &p->undo);
    store->submitted = p->sequence - 1;
  }
  if (p->kind != PENDING_FLUSH) store->place = p->before;
  if (p->kind == PENDING_REPLACE) idb_compact_failed(store, store->failure.code, store->failure.message);
  take_out(store, p);
  idb_pending_free(store, p);
}

/* The failed one and all that is stacked on it, newest first. */
static void undo_failed(hearth_backend_store *store) {
  if (store->failed == NULL) return;
  for (bool more = true; more;) {
    Pending *p = store->latest;
    more = p != store->failed;
    undo(store, p);
  }
  store->failed = NULL;
  if (store->awaited > store->submitted) store->awaited = store->submitted;
  if (store->in_batch) { /* its parts were encoded for a place that is gone */
    idb_append_abandon(store);
    store->in_batch = true;
    store->broken = store->failure.code;
  }
  store->writer.salt = store->place.salt;
  store->writer.at = store->place.at;
  store->writer.chain = store->place.chain;
}

static bool is_awaited(const hearth_backend_store *store) {
  if (store->sequence < store->awaited || (store->compaction.running && store->compaction.asked)) return true;
  for (const Pending *p = store->first; p != NULL; p = p->next)
    if (p->kind == PENDING_FLUSH) return true;
  return false;
}

/* A failure is told when all that is older is complete, and takes effect then. */
hearth_status idb_pending_poll(hearth_backend_store *store, hearth_error *err) {
  if (store->failure.code == HEARTH_OK) return is_awaited(store) ? idb_store_pending(err) : HEARTH_OK;
  if (store->first != store->failed) return idb_store_pending(err);
  undo_failed(store);
  hearth_status status = store->failure.code;
  if (err != NULL) *err = store->failure;
  (void)hearth_ok(&store->failure);
  if (!store->dead) idb_compact_when_due(store);
  return status;
}

static Pending *find(const hearth_backend_store *store, int ticket) {
  Pending *p = store->first;
  while (p != NULL && p->ticket != ticket) p = p->next;
  return p;
}

/* Is `p` the failed one, or stacked on it? */
static bool has_failed(const hearth_backend_store *store, const Pending *p) {
  for (; p != NULL; p = p->prev)
    if (p == store->failed) return true;
  return false;
}

/* What became of anything that was under way is not known. */
static void all_fail(hearth_backend_store *store, hearth_status status, const char *reason) {
  idb_pending_note(store, status, reason);
  (void)idb_store_die(store, status, reason);
  if (store->compaction.running && !store->compaction.replacing) idb_compact_failed(store, status, reason);
  store->failed = store->first;
}

/* A pending one fails with a failure that the store survives. */
static void one_fails(hearth_backend_store *store, Pending *p, hearth_status status, const char *reason) {
  if (status == HEARTH_FULL) store->full = true;
  idb_pending_note(store, status, reason);
  if (p->kind == PENDING_FLUSH) { /* nothing is stacked on a barrier */
    take_out(store, p);
    idb_pending_free(store, p);
    complete_in_order(store);
    return;
  }
  store->failed = p;
  if (store->compaction.running && !store->compaction.replacing) idb_compact_failed(store, status, reason);
}

void idb_settled(hearth_backend_store *store, int32_t ticket, int32_t status) {
  char text[384];
  hearth_status code = (hearth_status)status;
  const char *reason = code < 0 ? idb_store_reason(code, text, sizeof text) : "";
  Compaction *c = &store->compaction;
  bool piece = c->running && !c->replacing && ticket != 0 && ticket == c->ticket;
  Pending *p = ticket != 0 ? find(store, ticket) : NULL;
  if (store->dead || (ticket != 0 && p == NULL && !piece)) return;
  if (p != NULL && store->failed != NULL && has_failed(store, p)) return;
  if (code < 0 && (ticket == 0 || (code != HEARTH_FULL && code != HEARTH_NOMEM))) {
    all_fail(store, code, reason);
  } else if (piece) {
    idb_compact_settled(store, code, reason);
  } else if (code < 0) {
    one_fails(store, p, code, reason);
  } else if (p != NULL) { /* no ticket has no success */
    p->settled = true;
    complete_in_order(store);
  }
  if (!store->dead) idb_compact_when_due(store);
}
