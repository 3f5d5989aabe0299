/* Wrong: older callers; what is done when the disk fails or loses power. */
#include "broken.h"

#include <errno.h>

static hearth_status stat_everything(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  stat->size = sizeof *stat;
  return good->stat(s, stat, err);
}

static void stat_fills_everything(hearth_backend *b) { b->stat = stat_everything; }

static hearth_status open_whole(OPEN_ARGS) {
  hearth_backend_config whole = *config;
  whole.size = sizeof whole;
  if (config->size < sizeof whole) whole.environment = NULL;
  return good->open(&whole, out, err);
}

static void open_reads_a_whole_config(hearth_backend *b) { b->open = open_whole; }

static void another_abi(hearth_backend *b) { b->abi = HEARTH_BACKEND_ABI + 1; }

static void a_name_that_is_no_scheme(hearth_backend *b) { b->name = "My Backend"; }

static void a_function_is_missing(hearth_backend *b) { b->refresh = NULL; }

/* ---------------------------------------------------------------- the disk */

static hearth_status go_on_after_io(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  hearth_status status = good->barrier(s, level, err);
  return status == HEARTH_DEAD ? answer(err, HEARTH_OK) : status;
}

static void a_dead_store_answers(hearth_backend *b) { b->barrier = go_on_after_io; }

static hearth_status io_is_ok(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_IO ? answer(err, HEARTH_OK) : status;
}

static void a_failed_write_is_ok(hearth_backend *b) { b->submit = io_is_ok; }

static hearth_status full_is_io(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_FULL ? answer(err, HEARTH_IO) : status;
}

static void a_full_disk_is_io(hearth_backend *b) { b->submit = full_is_io; }

static hearth_status full_is_ok(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_FULL ? answer(err, HEARTH_OK) : status;
}

static void a_full_disk_is_ok(hearth_backend *b) { b->submit = full_is_ok; }

static hearth_status open_leaking(OPEN_ARGS) {
  hearth_status status = good->open(config, out, err);
  if (status == HEARTH_IO) lose_memory(&config->allocator);
  return status;
}

static void an_open_that_fails_keeps_memory(hearth_backend *b) { b->open = open_leaking; }

static hearth_status scan_or_die(SCAN_ARGS) {
  if (remembered.flag) return answer(err, HEARTH_DEAD);
  hearth_status status = SCAN;
  if (status == HEARTH_IO) remembered.flag = true;
  return status;
}

static hearth_status open_alive(OPEN_ARGS) {
  remembered.flag = false;
  return good->open(config, out, err);
}

static void a_reader_dies(hearth_backend *b) {
  b->scan = scan_or_die;
  b->open = open_alive;
}

/* ------------------------------------------------- using the system wrongly */

/* The environment of the config, with one function replaced; one for each disk. */
static hearth_environment wrong_environments[8];
static const hearth_environment *right; /* of any disk: their functions are the same */
static unsigned next_place;

static hearth_environment *replaced(const hearth_backend_config *config, hearth_backend_config *own) {
  unsigned i = 0;
  while (i < 8 && wrong_environments[i].ud != config->environment->ud) i++;
  hearth_environment *env = &wrong_environments[i < 8 ? i : next_place++ % 8];
  *own = *config;
  right = config->environment;
  *env = *config->environment;
  own->environment = env;
  return env;
}

static int no_sync(void *ud, hearth_file file) {
  (void)ud;
  (void)file;
  return 0;
}

static hearth_status open_unsynced(OPEN_ARGS) {
  hearth_backend_config own;
  replaced(config, &own)->sync = no_sync;
  return good->open(&own, out, err);
}

static void nothing_is_flushed(hearth_backend *b) { b->open = open_unsynced; }

static int no_sync_folder(void *ud, const char *path) {
  (void)ud;
  (void)path;
  return 0;
}

static hearth_status open_unnamed(OPEN_ARGS) {
  hearth_backend_config own;
  replaced(config, &own)->sync_folder = no_sync_folder;
  return good->open(&own, out, err);
}

static void no_folder_is_flushed(hearth_backend *b) { b->open = open_unnamed; }

static int sync_twice(void *ud, hearth_file file) {
  int failure = right->sync(ud, file);
  return failure != 0 ? right->sync(ud, file) : 0;
}

static hearth_status open_trying_again(OPEN_ARGS) {
  hearth_backend_config own;
  replaced(config, &own)->sync = sync_twice;
  return good->open(&own, out, err);
}

static void a_failed_flush_is_tried_again(hearth_backend *b) { b->open = open_trying_again; }

static int sync_anyway(void *ud, hearth_file file) {
  (void)right->sync(ud, file);
  return 0;
}

static hearth_status open_ignoring_syncs(OPEN_ARGS) {
  hearth_backend_config own;
  replaced(config, &own)->sync = sync_anyway;
  return good->open(&own, out, err);
}

static void failed_flushes_are_ignored(hearth_backend *b) { b->open = open_ignoring_syncs; }

static int write_anyway(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  int failure = right->pwrite(ud, file, offset, bytes, size);
  return failure == EIO ? 0 : failure;
}

static hearth_status open_ignoring_writes(OPEN_ARGS) {
  hearth_backend_config own;
  replaced(config, &own)->pwrite = write_anyway;
  return good->open(&own, out, err);
}

static void writes_cut_short_are_ignored(hearth_backend *b) { b->open = open_ignoring_writes; }

static int read_anyway(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  int failure = right->pread(ud, file, offset, bytes, size, got);
  if (failure == EIO) *got = 0;
  return failure == EIO ? 0 : failure;
}

static hearth_status open_ignoring_reads(OPEN_ARGS) {
  hearth_backend_config own;
  replaced(config, &own)->pread = read_anyway;
  return good->open(&own, out, err);
}

static void failed_reads_are_ignored(hearth_backend *b) { b->open = open_ignoring_reads; }

static hearth_status durable_at_once(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = good->stat(s, stat, err);
  if (stat->size > offsetof(hearth_backend_stat, durable)) stat->durable = stat->sequence;
  return status;
}

static void complete_is_called_durable(hearth_backend *b) { b->stat = durable_at_once; }

const Broken broken_disks[] = {
    {"stat fills a smaller struct beyond its end", "a_stat_may_be_smaller", stat_fills_everything, ON_DISK},
    {"open reads a smaller config beyond its end", "a_config_may_be_smaller", open_reads_a_whole_config, IN_FOLDER},
    {"the abi is another one", "the_table_of_functions_is_whole", another_abi, ON_DISK},
    {"the name is no scheme of a URI", "the_table_of_functions_is_whole", a_name_that_is_no_scheme, ON_DISK},
    {"a function is missing", "the_table_of_functions_is_whole", a_function_is_missing, ON_DISK},
    {"a dead store answers", "every_call_may_fail", a_dead_store_answers, ON_DISK},
    {"a write that failed is answered OK", "every_call_may_fail", a_failed_write_is_ok, ON_DISK},
    {"an open that fails keeps memory", "every_call_may_fail_for_good", an_open_that_fails_keeps_memory, ON_DISK},
    {"writes that are cut short are ignored", "every_write_may_be_cut_short", writes_cut_short_are_ignored, ON_DISK},
    {"reads that fail are ignored", "every_read_may_fail", failed_reads_are_ignored, ON_DISK},
    {"flushes that fail are ignored", "every_sync_may_fail", failed_flushes_are_ignored, ON_DISK},
    {"a full disk is answered IO", "the_disk_may_be_full", a_full_disk_is_io, ON_DISK},
    {"a full disk is answered OK", "the_disk_may_be_full", a_full_disk_is_ok, ON_DISK},
    {"a flush that failed is tried again", "a_failed_sync_is_final", a_failed_flush_is_tried_again, ON_DISK},
    {"a reader dies of a failure", "readers_survive_failed_calls", a_reader_dies, ON_DISK},
    {"nothing is flushed", "the_power_fails_at_each_step", nothing_is_flushed, ON_DISK},
    {"the folder is not flushed", "the_power_fails_at_each_step", no_folder_is_flushed, ON_DISK},
    {"what is complete is called durable", "the_power_fails_before_a_flush", complete_is_called_durable, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};
