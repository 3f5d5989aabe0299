/* Wrong: memory, and callers with older headers. */
#include "broken.h"

static hearth_allocator given; /* by the last open */

static hearth_status open_noting(OPEN_ARGS) {
  given = config->allocator;
  return good->open(config, out, err);
}

static hearth_status submit_leaking(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_CONFLICT) lose_memory(&given);
  return status;
}

static void a_failed_batch_keeps_memory(hearth_backend *b) {
  b->open = open_noting;
  b->submit = submit_leaking;
}

static hearth_status submit_noting_parts(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  remembered.flag = status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) != 0;
  return status;
}

static hearth_status close_leaking(hearth_backend_store *s, hearth_error *err) {
  if (remembered.flag) lose_memory(&given);
  remembered.flag = false;
  return good->close(s, err);
}

static void close_keeps_an_open_batch(hearth_backend *b) {
  b->open = open_noting;
  b->submit = submit_noting_parts;
  b->close = close_leaking;
}

static hearth_status nomem_is_io(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_NOMEM ? answer(err, HEARTH_IO) : status;
}

static void want_of_memory_is_io(hearth_backend *b) { b->submit = nomem_is_io; }

static hearth_status nomem_is_ok(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_NOMEM ? answer(err, HEARTH_OK) : status;
}

static void want_of_memory_is_ok(hearth_backend *b) { b->submit = nomem_is_ok; }

/* What stands before the operation that had no memory is done, when there is memory again. */
static hearth_status half_without_memory(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_NOMEM) remembered.flag = true;
  if (status == HEARTH_NOMEM && count > 0) (void)good->submit(s, ops, 1, 0, level, NULL, NULL);
  return status;
}

static void want_of_memory_leaves_a_half(hearth_backend *b) { b->submit = half_without_memory; }

/* Any later batch fails, too. */
static hearth_status dead_after_nomem(SUBMIT_ARGS) {
  if (remembered.calls > 0) return answer(err, HEARTH_DEAD);
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_NOMEM) remembered.calls++;
  return status;
}

static void want_of_memory_is_the_end(hearth_backend *b) { b->submit = dead_after_nomem; }

static hearth_status scan_skipping(SCAN_ARGS) {
  *result = 0;
  hearth_status status = SCAN;
  return status == HEARTH_NOMEM ? answer(err, HEARTH_OK) : status;
}

static void entries_without_memory_are_skipped(hearth_backend *b) { b->scan = scan_skipping; }

static hearth_status open_leaking(OPEN_ARGS) {
  given = config->allocator;
  hearth_status status = good->open(config, out, err);
  if (status == HEARTH_NOMEM) lose_memory(&given);
  return status;
}

static void an_open_without_memory_keeps_some(hearth_backend *b) { b->open = open_leaking; }

static hearth_status open_with_malloc(OPEN_ARGS) {
  hearth_backend_config own = *config;
  own.allocator = (hearth_allocator){NULL, NULL};
  return good->open(&own, out, err);
}

static void memory_comes_from_malloc(hearth_backend *b) { b->open = open_with_malloc; }

const Broken broken_memory[] = {
    {"want of memory is answered IO", "failed_allocations_change_nothing", want_of_memory_is_io, ON_DISK},
    {"want of memory is answered OK", "failed_allocations_change_nothing", want_of_memory_is_ok, ON_DISK},
    {"want of memory leaves a batch half applied", "failed_allocations_change_nothing", want_of_memory_leaves_a_half,
     ON_DISK},
    {"want of memory is the end", "memory_that_stays_exhausted_changes_nothing", want_of_memory_is_the_end, ON_DISK},
    {"a scan skips what it has no memory for", "reads_survive_failed_allocations", entries_without_memory_are_skipped,
     ON_DISK},
    {"an open without memory keeps some", "open_without_memory", an_open_without_memory_keeps_some, ON_DISK},
    {"memory comes from malloc", "open_without_memory", memory_comes_from_malloc, ON_DISK},
    {"a batch that fails keeps memory", "close_gives_everything_back", a_failed_batch_keeps_memory, ON_DISK},
    {"close keeps the memory of an open batch", "close_gives_everything_back", close_keeps_an_open_batch, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};
