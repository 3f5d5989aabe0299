/* Wrong: earlier batches. */
#include "broken.h"

#define HISTORY_ARGS hearth_backend_store *s, hearth_batch_found found, void *ud, int *result, hearth_error *err

typedef struct Listing {
  hearth_batch_found found;
  void *ud;
  bool begun;
  int answer;
} Listing;

static int from_the_second(void *ud, const hearth_batch *batch) {
  Listing *l = ud;
  bool first = !l->begun;
  l->begun = true;
  return first ? 0 : l->found(l->ud, batch);
}

static hearth_status list_too_few(HISTORY_ARGS) {
  Listing l = {found, ud, false, 0};
  return good->history(s, from_the_second, &l, result, err);
}

static void history_leaves_out_the_first(hearth_backend *b) { b->history = list_too_few; }

static int go_on(void *ud, const hearth_batch *batch) {
  Listing *l = ud;
  if (l->answer == 0) l->answer = l->found(l->ud, batch);
  return 0;
}

static hearth_status list_unstopped(HISTORY_ARGS) {
  Listing l = {found, ud, false, 0};
  return good->history(s, go_on, &l, result, err);
}

static void history_forgets_the_answer(hearth_backend *b) { b->history = list_unstopped; }

static int without_operations(void *ud, const hearth_batch *batch) {
  Listing *l = ud;
  hearth_batch changed = *batch;
  changed.operations = 0;
  return l->found(l->ud, &changed);
}

static hearth_status list_uncounted(HISTORY_ARGS) {
  Listing l = {found, ud, false, 0};
  return good->history(s, without_operations, &l, result, err);
}

static void operations_are_not_counted(hearth_backend *b) { b->history = list_uncounted; }

static hearth_status open_the_last(OPEN_ARGS) {
  hearth_backend_config now = *config;
  now.at = 0;
  return good->open(&now, out, err);
}

static void at_is_ignored(hearth_backend *b) { b->open = open_the_last; }

static hearth_status open_what_is_there(OPEN_ARGS) {
  hearth_backend_config now = *config;
  now.at = 0;
  hearth_status status = good->open(config, out, err);
  return status == HEARTH_NOTFOUND && config->at != 0 ? good->open(&now, out, err) : status;
}

static void a_missing_batch_is_the_last(hearth_backend *b) { b->open = open_what_is_there; }

static hearth_status open_for_writing(OPEN_ARGS) {
  hearth_backend_config now = *config;
  if ((config->flags & HEARTH_OPEN_READONLY) == 0) now.at = 0;
  return good->open(&now, out, err);
}

static void a_writer_ignores_at(hearth_backend *b) { b->open = open_for_writing; }

static hearth_status stale_at_a_batch(hearth_backend_store *s, hearth_error *err) {
  hearth_backend_stat stat = {.size = sizeof stat};
  hearth_status status = good->poll(s, err);
  (void)good->stat(s, &stat, NULL);
  return status == HEARTH_OK && stat.sequence == 2 ? answer(err, HEARTH_STALE) : status;
}

static void a_reader_at_a_batch_is_stale(hearth_backend *b) { b->poll = stale_at_a_batch; }

static hearth_status keep_one_less(hearth_backend_store *s, unsigned keep, hearth_error *err) {
  return good->compact(s, keep > 0 ? keep - 1 : 0, err);
}

static void compaction_keeps_one_less(hearth_backend *b) { b->compact = keep_one_less; }

const Broken broken_earlier[] = {
    {"history leaves out the first batch", "earlier_batches_can_be_opened", history_leaves_out_the_first, ON_DISK},
    {"history forgets what found answers", "earlier_batches_can_be_opened", history_forgets_the_answer, ON_DISK},
    {"operations are not counted", "earlier_batches_can_be_opened", operations_are_not_counted, ON_DISK},
    {"an earlier batch is the last", "earlier_batches_can_be_opened", at_is_ignored, ON_DISK},
    {"a batch that is not there is the last", "earlier_batches_can_be_opened", a_missing_batch_is_the_last, ON_DISK},
    {"a writer goes on from an earlier batch", "earlier_batches_can_be_opened", a_writer_ignores_at, ON_DISK},
    {"a reader of an earlier batch is told STALE", "earlier_batches_stay_as_they_are", a_reader_at_a_batch_is_stale,
     ON_DISK},
    {"compaction keeps one batch less", "compaction_keeps_so_many_batches", compaction_keeps_one_less, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};
