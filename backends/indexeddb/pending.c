/*
** What was handed to the host: it completes in order, or fails together with everything
** stacked on it, newest first.
*/
#include <stdio.h>

#include "store.h"

Pending *pending_make(hearth_backend_store *store, PendingKind kind) {
  Pending *p = hearth_realloc(&store->allocator, NULL, 0, sizeof *p);
  if (p == NULL) return NULL;
  memset(p, 0, sizeof *p);
  p->kind = kind;
  p->before = store->place;
  return p;
}

void pending_free(hearth_backend_store *store, Pending *p) {
  if (p == NULL) return;
  hearth_free(&store->allocator, p->undo.items, p->undo.count * sizeof *p->undo.items);
  hearth_free(&store->allocator, p, sizeof *p);
}

void pending_add(hearth_backend_store *store, Pending *p, int ticket) {
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

bool pending_awaited(const hearth_backend_store *store) {
  if (store->compaction.running && store->compaction.asked) return true;
  for (const Pending *p = store->first; p != NULL; p = p->next)
    if (p->kind != PENDING_REPLACE) return true;
  return false;
}

void pending_clear(hearth_backend_store *store) {
  while (store->first != NULL) {
    Pending *p = store->first;
    take_out(store, p);
    mirror_settle(&store->mirror, &p->undo, NULL);
    pending_free(store, p);
  }
}

/* ------------------------------------------------------------- success */

static void complete(hearth_backend_store *store, Pending *p) {
  if (p->kind == PENDING_BATCH) store->sequence = p->sequence;
  if (p->durable) {
    store->durable = p->sequence;
    store->last_sync = store_clock(store);
    store->synced++;
  }
  MapEntry **marked = store->compaction.running ? &store->compaction.deleted : NULL;
  mirror_settle(&store->mirror, &p->undo, marked);
  take_out(store, p);
  if (p->kind == PENDING_REPLACE) compact_replaced(store);
  pending_free(store, p);
}

static void complete_in_order(hearth_backend_store *store) {
  while (store->first != NULL && store->first->settled) complete(store, store->first);
}

/* ------------------------------------------------------------- failure */

/* The first failure that poll has not told yet is the one to tell: the others follow from it. */
static void note_failure(hearth_backend_store *store, hearth_status status, const char *reason) {
  if (store->failure.code != HEARTH_OK) return;
  (void)hearth_fail(&store->failure, status, "%s: a pending write failed: %s", store->name, reason);
}

static void undo(hearth_backend_store *store, Pending *p) {
  if (p->kind == PENDING_BATCH) {
    mirror_undo(&store->mirror, &p->undo);
    store->submitted = p->sequence - 1;
  }
  if (p->kind != PENDING_FLUSH) store->place = p->before;
  take_out(store, p);
  pending_free(store, p);
}

/* `from` and all that is stacked on it. */
static void undo_from(hearth_backend_store *store, Pending *from, hearth_status status, const char *reason) {
  bool more = from != NULL;
  while (more) {
    Pending *p = store->latest;
    more = p != from;
    if (p->kind != PENDING_REPLACE) note_failure(store, status, reason);
    undo(store, p);
  }
  if (store->in_batch) { /* its parts were encoded for a place that is gone */
    append_abandon(store);
    store->in_batch = true;
    store->broken = status;
  }
  store->writer.salt = store->place.salt;
  store->writer.at = store->place.at;
  store->writer.chain = store->place.chain;
  if (store->compaction.running) compact_failed(store, status, reason);
}

static Pending *find(const hearth_backend_store *store, int ticket) {
  Pending *p = store->first;
  while (p != NULL && p->ticket != ticket) p = p->next;
  return p;
}

static void all_fail(hearth_backend_store *store, hearth_status status, const char *reason) {
  note_failure(store, status, reason);
  (void)store_die(store, status, reason);
  undo_from(store, store->first, status, reason);
}

/* A pending one fails with a failure that the store survives. */
static void one_fails(hearth_backend_store *store, Pending *p, hearth_status status, const char *reason) {
  if (status == HEARTH_FULL) store->full = true;
  if (p->kind != PENDING_FLUSH) {
    undo_from(store, p, status, reason);
  } else { /* nothing is stacked on a barrier */
    note_failure(store, status, reason);
    take_out(store, p);
    pending_free(store, p);
    complete_in_order(store);
  }
}

void idb_settled(hearth_backend_store *store, int32_t ticket, int32_t status, const char *message) {
  hearth_status code = (hearth_status)status;
  const char *reason = message != NULL && message[0] != '\0' ? message : hearth_status_text(code);
  Compaction *c = &store->compaction;
  bool piece = c->running && !c->replacing && ticket != 0 && ticket == c->ticket;
  Pending *p = ticket != 0 ? find(store, ticket) : NULL;
  if (store->dead || (ticket != 0 && p == NULL && !piece)) return;
  if (code < 0 && (ticket == 0 || (code != HEARTH_FULL && code != HEARTH_NOMEM))) {
    all_fail(store, code, reason); /* what became of anything that was under way is not known */
  } else if (piece) {
    compact_settled(store, code, reason);
  } else if (p != NULL && code < 0) {
    one_fails(store, p, code, reason);
  } else if (p != NULL) {
    p->settled = true;
    complete_in_order(store);
  }
  if (!store->dead) compact_when_due(store);
}
