/* Wrong: what is pending. */
#include "broken.h"

static const hearth_backend *const right = &hearth_indexeddb_backend;

static bool is_pending(hearth_backend_store *s) {
  return right->poll(s, NULL) == HEARTH_PENDING;
}

static hearth_status scan_complete(SCAN_ARGS) {
  *result = 0;
  if (is_pending(s)) return answer(err, HEARTH_OK);
  return right->scan(s, table, from, from_size, to, to_size, reverse, found, ud, result, err);
}

static hearth_status tables_complete(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                     hearth_error *err) {
  *result = 0;
  return is_pending(s) ? answer(err, HEARTH_OK) : right->tables(s, found, ud, result, err);
}

static void what_is_pending_is_not_read(hearth_backend *b) {
  b->scan = scan_complete;
  b->tables = tables_complete;
}

static hearth_status count_pending(SUBMIT_ARGS) {
  uint64_t number = 0;
  hearth_status status = right->submit(s, ops, count, flags, level, &number, err);
  if (status >= 0 && number > 0) remembered.numbers[0] = number;
  if (status >= 0 && sequence != NULL) *sequence = number;
  return status;
}

static hearth_status stat_pending(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = right->stat(s, stat, err);
  if (is_pending(s)) stat->sequence = remembered.numbers[0];
  return status;
}

static void what_is_pending_counts_as_complete(hearth_backend *b) {
  b->submit = count_pending;
  b->stat = stat_pending;
}

static hearth_status not_pending(SUBMIT_ARGS) {
  hearth_status status = right->submit(s, ops, count, flags, level, sequence, err);
  return status == HEARTH_PENDING ? answer(err, HEARTH_OK) : status;
}

static void a_pending_batch_is_answered_ok(hearth_backend *b) { b->submit = not_pending; }

static hearth_status poll_ok(hearth_backend_store *s, hearth_error *err) {
  hearth_status status = right->poll(s, err);
  return status == HEARTH_PENDING ? answer(err, HEARTH_OK) : status;
}

static void poll_forgets_what_is_pending(hearth_backend *b) { b->poll = poll_ok; }

static hearth_status barrier_at_once(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  hearth_status status = right->barrier(s, level, err);
  return status == HEARTH_PENDING ? answer(err, HEARTH_OK) : status;
}

static void barriers_do_not_wait(hearth_backend *b) { b->barrier = barrier_at_once; }

/* The batch that comes last before closing is only kept in memory. */
static hearth_status keep_last(SUBMIT_ARGS) {
  hearth_status status = right->submit(s, ops, 0, flags, level, sequence, err);
  (void)count;
  if (status < 0) return status;
  if (sequence != NULL) *sequence = 1;
  return answer(err, HEARTH_PENDING);
}

static void close_forgets_what_is_pending(hearth_backend *b) { b->submit = keep_last; }

const Broken broken_pending[] = {
    {"what is pending is not read", "what_is_pending_is_read", what_is_pending_is_not_read, IN_BROWSER},
    {"what is pending counts as complete", "what_is_pending_is_read", what_is_pending_counts_as_complete, IN_BROWSER},
    {"a pending batch is answered OK", "what_is_pending_is_read", a_pending_batch_is_answered_ok, IN_BROWSER},
    {"poll forgets what is pending", "what_is_pending_is_read", poll_forgets_what_is_pending, IN_BROWSER},
    {"barriers do not wait", "a_batch_at_the_least_level_is_complete_later", barriers_do_not_wait, IN_BROWSER},
    {"close forgets what is pending", "batches_are_written_after_closing", close_forgets_what_is_pending, IN_BROWSER},
    {NULL, NULL, NULL, IN_BROWSER},
};
