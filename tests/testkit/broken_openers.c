/* Wrong: levels, compaction, openers, readers. */
#include "broken.h"

static hearth_status durable_anyway(SUBMIT_ARGS) {
  return SUBMIT(ops, count);
}

static void levels_beyond_the_best_are_ok(hearth_backend *b) {
  b->max_durability = HEARTH_COMPLETE;
  b->submit = durable_anyway;
}

static hearth_status any_level(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  return good->barrier(s, level > HEARTH_DURABLE ? HEARTH_DURABLE : level, err);
}

static void barriers_of_unknown_levels_are_ok(hearth_backend *b) { b->barrier = any_level; }

static hearth_status never_durable(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = good->stat(s, stat, err);
  if (stat->size > offsetof(hearth_backend_stat, durable)) stat->durable = 0;
  return status;
}

static void what_is_durable_is_not_told(hearth_backend *b) { b->stat = never_durable; }

static hearth_status no_barrier(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  (void)s;
  return answer(err, level > HEARTH_DURABLE ? HEARTH_INVALID : HEARTH_OK);
}

static void barriers_do_nothing(hearth_backend *b) { b->barrier = no_barrier; }

static hearth_status lossy(hearth_backend_store *s, unsigned keep, hearth_error *err) {
  hearth_op op = {HEARTH_DEL, 2, "c", 1, NULL, 0};
  hearth_status status = good->compact(s, keep, err);
  if (status == HEARTH_OK) (void)good->submit(s, &op, 1, 0, HEARTH_DURABLE, NULL, NULL);
  return status;
}

static void compaction_loses_an_entry(hearth_backend *b) { b->compact = lossy; }

static hearth_status count_from_here(hearth_backend_store *s, unsigned keep, hearth_error *err) {
  hearth_backend_stat stat = {.size = sizeof stat};
  (void)good->stat(s, &stat, NULL);
  remembered.numbers[0] = stat.sequence;
  return good->compact(s, keep, err);
}

static hearth_status number_from_there(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (sequence != NULL) *sequence -= remembered.numbers[0];
  return status;
}

static void numbers_begin_anew(hearth_backend *b) {
  b->compact = count_from_here;
  b->submit = number_from_there;
}

const Broken broken_levels[] = {
    {"a level beyond the best is answered OK", "levels_beyond_the_backend_are_unsupported",
     levels_beyond_the_best_are_ok, ON_DISK},
    {"a barrier of an unknown level is answered OK", "levels_beyond_the_backend_are_unsupported",
     barriers_of_unknown_levels_are_ok, ON_DISK},
    {"what is durable is not told", "what_is_durable_is_told", what_is_durable_is_not_told, ON_DISK},
    {"barriers do nothing", "what_is_durable_is_told", barriers_do_nothing, ON_DISK},
    {"compaction loses an entry", "compaction_keeps_everything", compaction_loses_an_entry, ON_DISK},
    {"numbers begin anew after compaction", "numbers_go_on_after_compaction", numbers_begin_anew, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};

/* --------------------------------------------------------------- openers */

static hearth_status let_in(OPEN_ARGS) {
  hearth_backend_config reader = *config;
  hearth_status status = good->open(config, out, err);
  reader.flags |= HEARTH_OPEN_READONLY;
  return status == HEARTH_BUSY ? good->open(&reader, out, err) : status;
}

static void a_second_opener_is_let_in(hearth_backend *b) { b->open = let_in; }

static hearth_status busy_and_leaking(OPEN_ARGS) {
  hearth_status status = good->open(config, out, err);
  if (status == HEARTH_BUSY) lose_memory(&config->allocator);
  return status;
}

static void a_failed_open_leaks(hearth_backend *b) { b->open = busy_and_leaking; }

static hearth_status something_in_out(OPEN_ARGS) {
  hearth_status status = good->open(config, out, err);
  if (status != HEARTH_OK) *out = (hearth_backend_store *)(void *)&remembered;
  return status;
}

static void a_failed_open_gives_a_store(hearth_backend *b) { b->open = something_in_out; }

static hearth_status reader_may_write(OPEN_ARGS) {
  hearth_backend_config writer = *config;
  writer.flags &= ~HEARTH_OPEN_READONLY;
  return good->open(&writer, out, err);
}

static void readers_write(hearth_backend *b) { b->open = reader_may_write; }

static hearth_status readonly_is_invalid(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_READONLY ? answer(err, HEARTH_OK) : status;
}

static void writes_of_readers_vanish(hearth_backend *b) { b->submit = readonly_is_invalid; }

static hearth_status never_stale(hearth_backend_store *s, hearth_error *err) {
  hearth_status status = good->poll(s, err);
  return status == HEARTH_STALE ? answer(err, HEARTH_OK) : status;
}

static void readers_are_not_told(hearth_backend *b) { b->poll = never_stale; }

static hearth_status no_refresh(hearth_backend_store *s, hearth_error *err) {
  (void)s;
  return answer(err, HEARTH_OK);
}

static void refresh_does_nothing(hearth_backend *b) { b->refresh = no_refresh; }

/* While it reads, it sees what has been committed meanwhile. */
static hearth_status scan_anew(SCAN_ARGS) {
  (void)good->refresh(s, NULL);
  return SCAN;
}

static void readers_mix_commits(hearth_backend *b) { b->scan = scan_anew; }

static hearth_status io_for_stale(SCAN_ARGS) {
  hearth_status status = SCAN;
  return status == HEARTH_STALE ? answer(err, HEARTH_IO) : status;
}

static hearth_status tables_io_for_stale(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                         hearth_error *err) {
  hearth_status status = good->tables(s, found, ud, result, err);
  return status == HEARTH_STALE ? answer(err, HEARTH_IO) : status;
}

static void readers_of_what_was_compacted_fail(hearth_backend *b) {
  b->scan = io_for_stale;
  b->tables = tables_io_for_stale;
}

static hearth_status open_without(OPEN_ARGS, unsigned flag) {
  hearth_backend_config other = *config;
  other.flags &= ~flag;
  return good->open(&other, out, err);
}

static hearth_status open_not_exclusive(OPEN_ARGS) { return open_without(config, out, err, HEARTH_OPEN_EXCLUSIVE); }

static void exclusive_is_ignored(hearth_backend *b) { b->open = open_not_exclusive; }

static hearth_status open_and_create(OPEN_ARGS) { return open_without(config, out, err, HEARTH_OPEN_NO_CREATE); }

static void no_create_creates(hearth_backend *b) { b->open = open_and_create; }

static hearth_status reader_creates(OPEN_ARGS) {
  hearth_status status = good->open(config, out, err);
  if (status != HEARTH_NOTFOUND || (config->flags & HEARTH_OPEN_READONLY) == 0) return status;
  status = reader_may_write(config, out, err);
  if (status == HEARTH_OK) (void)good->close(*out, NULL);
  return good->open(config, out, err);
}

static void readers_create(hearth_backend *b) { b->open = reader_creates; }

const Broken broken_openers[] = {
    {"a second opener is let in", "a_second_opener_is_busy", a_second_opener_is_let_in, ON_DISK},
    {"an open that fails keeps memory", "a_second_opener_is_busy", a_failed_open_leaks, ON_DISK},
    {"an open that fails gives a store", "a_second_opener_is_busy", a_failed_open_gives_a_store, ON_DISK},
    {"a read-only opener may write", "readers_do_not_write", readers_write, ON_DISK},
    {"what a reader writes vanishes", "readers_do_not_write", writes_of_readers_vanish, ON_DISK},
    {"a read-only opener takes the lock", "readers_stand_beside_a_writer", readers_write, ON_DISK},
    {"readers are not told that they are stale", "readers_stand_beside_a_writer", readers_are_not_told, ON_DISK},
    {"refresh does nothing", "readers_stand_beside_a_writer", refresh_does_nothing, ON_DISK},
    {"a reader mixes two commits", "readers_stand_beside_a_writer", readers_mix_commits, ON_DISK},
    {"a reader fails after a compaction", "readers_outlive_a_compaction", readers_of_what_was_compacted_fail, ON_DISK},
    {"EXCLUSIVE is ignored", "flags_say_what_may_be_there", exclusive_is_ignored, ON_DISK},
    {"NO_CREATE creates", "nothing_is_found_where_nothing_is", no_create_creates, ON_DISK},
    {"a read-only opener creates", "nothing_is_found_where_nothing_is", readers_create, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};
