/*
** A batch is one transaction. Its first statement advances the number in the store's row if the row is what this opener
** left: whoever lost the store changes nothing, and from there on the row is locked for everybody else.
*/
#include "store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "failures.h"
#include "send.h"

#define TRIES 8 /* of a batch that the server rolled back for the sake of another */

void postgres_submit_abandon(hearth_backend_store *store) {
  hearth_error local;
  if (postgres_is_connected(&store->main) && PQtransactionStatus(store->main.pq) != PQTRANS_IDLE)
    (void)postgres_command(&store->main, "ROLLBACK", NULL, &local);
  postgres_disconnect(&store->beside, true);
  store->in_batch = false;
  store->changes = 0;
}

/* ------------------------------------------------------------ one part */

static hearth_status no_memory(const hearth_backend_store *store, hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s: out of memory", store->location.label);
}

static void send_advance(hearth_backend_store *store, Pipeline *p) {
  Params params = {0};
  postgres_pipeline_text(p, "BEGIN ISOLATION LEVEL READ COMMITTED", EXPECT_NOTHING);
  postgres_params_number(&params, store->id);
  postgres_params_number(&params, store->sequence + 1);
  postgres_params_number(&params, store->sequence);
  postgres_params_bytes(&params, store->owner, TOKEN_SIZE);
  postgres_pipeline_run(p, ADVANCE, &params, EXPECT_ONE_ROW);
}

/* A check looks at what was there before the batch: that is what others see while its transaction is open. */
static hearth_status check_beside(hearth_backend_store *store, const Batch *b, const hearth_op **wrong,
                                  hearth_error *err) {
  Connection *c;
  Pipeline p;
  Send s;
  hearth_status status = postgres_store_reading(store, &c, err);
  if (status != HEARTH_OK) return status;
  postgres_pipeline_begin(&p, c, err);
  postgres_send_init(&s, &p, store->id, &store->allocator);
  postgres_send_checks(&s, b, wrong);
  status = postgres_pipeline_end(&p);
  if (status == HEARTH_OK && s.failed) status = no_memory(store, err);
  postgres_send_free(&s);
  return status;
}

static hearth_status conflict(hearth_backend_store *store, const hearth_op *ops, const hearth_op *wrong,
                              hearth_error *err) {
  return hearth_fail(err, HEARTH_CONFLICT, "%s: the check of operation %zu failed", store->location.label,
                     (size_t)(wrong - ops) + 1);
}

static hearth_status send_part(hearth_backend_store *store, const Batch *b, const hearth_op *ops, hearth_error *err) {
  Pipeline p;
  Send s;
  const hearth_op *wrong = NULL;
  const bool first = !store->in_batch;
  if (!first && b->checks > 0) {
    hearth_status status = check_beside(store, b, &wrong, err);
    if (status == HEARTH_OK && wrong != NULL) status = conflict(store, ops, wrong, err);
    if (status != HEARTH_OK) return status;
  }
  postgres_pipeline_begin(&p, &store->main, err);
  if (first) send_advance(store, &p);
  postgres_send_init(&s, &p, store->id, &store->allocator);
  if (first) postgres_send_checks(&s, b, &wrong);
  if (wrong == NULL && !p.missed) postgres_send_changes(&s, b);
  hearth_status status = postgres_pipeline_end(&p);
  if (status == HEARTH_OK && p.missed) status = postgres_store_lost(store, err);
  if (status == HEARTH_OK && wrong != NULL) status = conflict(store, ops, wrong, err);
  if (status == HEARTH_OK && s.failed) status = no_memory(store, err);
  store->written += s.written;
  postgres_send_free(&s);
  return status;
}

static uint64_t count_changes(const hearth_op *ops, size_t count) {
  uint64_t n = 0;
  for (size_t i = 0; i < count; i++) n += ops[i].kind <= HEARTH_DROP;
  return n;
}

static hearth_status part(hearth_backend_store *store, const hearth_op *ops, size_t count, hearth_error *err) {
  Batch b;
  if (!postgres_batch_make(&b, ops, count, &store->allocator)) return no_memory(store, err);
  hearth_status status = send_part(store, &b, ops, err);
  postgres_batch_free(&b);
  if (status == HEARTH_OK) {
    store->in_batch = true;
    store->changes += count_changes(ops, count);
  }
  return status;
}

/* ---------------------------------------------------------------- commit */

/* For each transaction: what the session has may change with the server's configuration. */
static const char *setting(const hearth_backend_store *store, hearth_durability level) {
  if (level == HEARTH_VISIBLE) return "SET LOCAL synchronous_commit = off";
  if (level == HEARTH_COMPLETE) return "SET LOCAL synchronous_commit = local";
  return strcmp(store->synchronous, "remote_apply") == 0 ? "SET LOCAL synchronous_commit = remote_apply"
                                                         : "SET LOCAL synchronous_commit = on";
}

hearth_status postgres_submit_commit(hearth_backend_store *store, Connection *c, hearth_durability level,
                                     hearth_error *err) {
  Pipeline p;
  postgres_pipeline_begin(&p, c, err);
  postgres_pipeline_text(&p, setting(store, level), EXPECT_NOTHING);
  postgres_pipeline_text(&p, "COMMIT", EXPECT_COMMITTED);
  hearth_status status = postgres_pipeline_end(&p);
  if (status == HEARTH_OK && p.missed)
    status = hearth_fail(err, HEARTH_IO, "%s: the server rolled the transaction back", store->location.label);
  store->synced += status == HEARTH_OK && level >= HEARTH_COMPLETE;
  return status;
}

static void reached(hearth_backend_store *store, hearth_durability level) {
  if (level >= HEARTH_COMPLETE) store->complete = store->sequence;
  if (level >= HEARTH_DURABLE) store->durable = store->sequence;
}

static hearth_status commit(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  if (store->changes == 0) { /* checks alone: no number */
    postgres_submit_abandon(store);
    return postgres_submit_barrier(store, level, err);
  }
  hearth_status status = postgres_submit_commit(store, &store->main, level, err);
  if (status != HEARTH_OK) return status;
  store->sequence++;
  reached(store, level);
  postgres_submit_abandon(store);
  return HEARTH_OK;
}

/* --------------------------------------------------------------- barrier */

/* The store's row as it is; while a batch in parts has it locked, an entry that is gone before anybody sees it. */
static void send_writes(hearth_backend_store *store, Pipeline *p) {
  Params params = {0};
  postgres_pipeline_text(p, "BEGIN ISOLATION LEVEL READ COMMITTED", EXPECT_NOTHING);
  postgres_params_number(&params, store->id);
  if (store->in_batch) {
    postgres_pipeline_run(p, TOUCH, &params, EXPECT_ONE_ROW);
    postgres_pipeline_run(p, UNTOUCH, &params, EXPECT_ONE_ROW);
    return;
  }
  postgres_params_number(&params, store->sequence);
  postgres_params_bytes(&params, store->owner, TOKEN_SIZE);
  postgres_pipeline_run(p, FLUSH, &params, EXPECT_ONE_ROW);
}

/*
** Transactions become durable in the order of their commits: a transaction that waits for the device has all earlier
** ones flushed with it. It must write something, or nothing is flushed for it.
*/
hearth_status postgres_submit_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  Pipeline p;
  Connection *c;
  uint64_t done = store->sequence;
  if (level == HEARTH_COMPLETE) done = store->complete;
  if (level == HEARTH_DURABLE) done = store->durable;
  if (store->readonly || done >= store->sequence) return HEARTH_OK;
  hearth_status status = postgres_store_reading(store, &c, err);
  if (status != HEARTH_OK) return status;
  postgres_pipeline_begin(&p, c, err);
  send_writes(store, &p);
  status = postgres_pipeline_end(&p);
  if (status == HEARTH_OK && p.missed) status = postgres_store_lost(store, err);
  if (status == HEARTH_OK) status = postgres_submit_commit(store, c, level, err);
  if (status == HEARTH_OK) reached(store, level);
  else if (store->in_batch) postgres_disconnect(c, true); /* it is inside a transaction that failed */
  else postgres_submit_abandon(store);
  return status;
}

/* ---------------------------------------------------------------- submit */

static hearth_status check_sizes(const hearth_op *ops, size_t count, hearth_error *err) {
  for (size_t i = 0; i < count; i++)
    if ((ops[i].kind == HEARTH_PUT || ops[i].kind == HEARTH_CHECK_EQUAL) && ops[i].value_size > STORE_MAX_VALUE)
      return hearth_fail(err, HEARTH_TOOBIG, "operation %zu of the batch has a value of %zu bytes, PostgreSQL's"
                         " limit is %zu", i + 1, ops[i].value_size, STORE_MAX_VALUE);
  return HEARTH_OK;
}

static void wait_before(int attempt) {
  const struct timespec t = {0, 5000000L << (attempt < 6 ? attempt : 6)};
  (void)nanosleep(&t, NULL);
}

static hearth_status try_part(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                              hearth_durability level, hearth_error *err) {
  hearth_status status = part(store, ops, count, err);
  if (status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) == 0) status = commit(store, level, err);
  if (status != HEARTH_OK) postgres_submit_abandon(store);
  return status;
}

/* Earlier parts are gone with the transaction: then the caller begins again. */
static hearth_status submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                            hearth_durability level, hearth_error *err) {
  const bool first = !store->in_batch;
  if (first && count == 0 && (flags & HEARTH_BATCH_MORE) == 0) return postgres_submit_barrier(store, level, err);
  for (int attempt = 0;; attempt++) {
    store->main.state[0] = '\0';
    hearth_status status = try_part(store, ops, count, flags, level, err);
    bool again = status == HEARTH_BUSY && first && postgres_is_transient(store->main.state) && attempt + 1 < TRIES;
    if (!again) return status;
    wait_before(attempt);
  }
}

hearth_status postgres_submit_batch(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                    hearth_durability level, uint64_t *sequence, hearth_error *err) {
  hearth_status status = postgres_store_writable(store, err);
  if (status != HEARTH_OK) return status;
  status = contract_level(&hearth_postgres_backend, &level, err);
  if (status == HEARTH_OK) status = contract_check(ops, count, flags, err);
  if (status == HEARTH_OK) status = check_sizes(ops, count, err);
  if (status != HEARTH_OK || (flags & HEARTH_BATCH_ABANDON) != 0) postgres_submit_abandon(store);
  else status = submit(store, ops, count, flags, level, err);
  if (status == HEARTH_OK && sequence != NULL && (flags & HEARTH_BATCH_MORE) == 0) *sequence = store->sequence;
  return postgres_store_failed(store, status, err);
}
