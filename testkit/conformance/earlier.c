/* Batches that can be opened again, where the backend keeps them. */
#include "history.h"

#define MOST_LISTED 16

typedef struct Listed {
  hearth_batch batches[MOST_LISTED];
  size_t count;
  size_t stop_after; /* > 0: the callback answers 7 after so many */
} Listed;

static int list(void *ud, const hearth_batch *batch) {
  Listed *l = ud;
  if (l->count < MOST_LISTED) l->batches[l->count] = *batch;
  l->count++;
  return l->stop_after > 0 && l->count == l->stop_after ? 7 : 0;
}

/* The list of the store's batches, which must be in order and end with the last. */
static void list_all(Fixture *f, hearth_backend_store *store, Listed *l) {
  int result = 9;
  *l = (Listed){.count = 0};
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->history(store, list, l, &result, kit_fresh(f))));
  EQUALS(f, 0, (uint64_t)result);
  MUST(f, l->count <= MOST_LISTED, "history listed %zu batches", l->count);
  for (size_t i = 1; i < l->count; i++) EQUALS(f, l->batches[i - 1].sequence + 1, l->batches[i].sequence);
  if (l->count > 0) EQUALS(f, kit_look_at(f, store).sequence, l->batches[l->count - 1].sequence);
}

static hearth_status open_at(Fixture *f, uint64_t at, unsigned flags, hearth_backend_store **out) {
  hearth_backend_config config = kit_config(f, flags);
  config.at = at;
  *out = NULL;
  return kit_judged(f, f->backend->open(&config, out, kit_fresh(f)));
}

/* What a reader finds that opened the store after batch n. */
static void verify_batch(Fixture *f, uint64_t n) {
  Text expected, t;
  hearth_op op = put(1, "a", "x");
  ANSWERS(f, HEARTH_OK, open_at(f, n, HEARTH_OPEN_READONLY, &f->others[0]));
  kit_history_text(n, &expected);
  ANSWERS(f, HEARTH_OK, kit_everything_in(f, f->others[0], &t));
  READS(f, expected.text, t.text);
  EQUALS(f, n, kit_look_at(f, f->others[0]).sequence);
  ANSWERS(f, HEARTH_READONLY,
          kit_judged(f, f->backend->submit(f->others[0], &op, 1, 0, HEARTH_VISIBLE, NULL, kit_fresh(f))));
  kit_close_other(f, 0);
}

/* Batches from `first` to `last` are listed, and each is there. */
static void verify_batches(Fixture *f, uint64_t first, uint64_t last) {
  Listed l;
  list_all(f, f->store, &l);
  EQUALS(f, last - first + 1, l.count);
  EQUALS(f, first, l.batches[0].sequence);
  for (uint64_t n = first; n <= last; n++) verify_batch(f, n);
  if (first > 1) ANSWERS(f, HEARTH_NOTFOUND, open_at(f, first - 1, HEARTH_OPEN_READONLY, &f->others[0]));
  ANSWERS(f, HEARTH_NOTFOUND, open_at(f, last + 1, HEARTH_OPEN_READONLY, &f->others[0]));
  ANSWERS(f, HEARTH_NOTFOUND, open_at(f, UINT64_MAX, HEARTH_OPEN_READONLY, &f->others[0]));
}

static void submit_to(Fixture *f, uint64_t first, uint64_t last) {
  for (uint64_t n = first; n <= last; n++)
    ANSWERS(f, HEARTH_OK, kit_history_submit(f, n, HEARTH_DEFAULT_DURABILITY));
}

static void earlier_batches_can_be_opened(Fixture *f) {
  Listed l;
  int result = 0;
  list_all(f, f->store, &l);
  EQUALS(f, 0, l.count);
  submit_to(f, 1, 8);
  for (int i = 0; i < 2; i++) {
    verify_batches(f, 1, 8);
    kit_reopen(f);
  }
  list_all(f, f->store, &l);
  for (size_t i = 0; i < l.count; i++) {
    MUST(f, l.batches[i].bytes > 0, "batch %zu takes no bytes", i + 1);
    MUST(f, i == 0 || l.batches[i].time >= l.batches[i - 1].time, "batch %zu is older than the one before", i + 1);
    EQUALS(f, 2u + (i % 3 == 2 ? 1 : 0) + (i % 4 == 3 ? 1 : 0), l.batches[i].operations);
  }
  l = (Listed){.stop_after = 3};
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->history(f->store, list, &l, &result, kit_fresh(f))));
  EQUALS(f, 7, (uint64_t)result);
  EQUALS(f, 3, l.count);
  ANSWERS(f, HEARTH_INVALID, open_at(f, 3, 0, &f->others[0])); /* nobody goes on from an earlier batch */
}

/* A part is no batch, and what is written after a reader has read is not for it. */
static void earlier_batches_stay_as_they_are(Fixture *f) {
  Listed l;
  Text expected, t;
  submit_to(f, 1, 3);
  ANSWERS(f, HEARTH_OK, open_at(f, 2, HEARTH_OPEN_READONLY, &f->others[0]));
  hearth_op op = put(1, "key0", "other");
  ANSWERS(f, HEARTH_OK, kit_submit(f, &op, 1, HEARTH_BATCH_MORE));
  list_all(f, f->store, &l);
  EQUALS(f, 3, l.count);
  ANSWERS(f, HEARTH_OK, kit_submit(f, NULL, 0, 0));
  kit_history_text(2, &expected);
  for (int i = 0; i < 2; i++) {
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->poll(f->others[0], kit_fresh(f))));
    ANSWERS(f, HEARTH_OK, kit_everything_in(f, f->others[0], &t));
    READS(f, expected.text, t.text);
    EQUALS(f, 2, kit_look_at(f, f->others[0]).sequence);
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->refresh(f->others[0], kit_fresh(f))));
  }
  list_all(f, f->others[0], &l);
  EQUALS(f, 2, l.count);
}

static void compaction_keeps_so_many_batches(Fixture *f) {
  Listed before, after;
  submit_to(f, 1, 6);
  list_all(f, f->store, &before);
  ANSWERS(f, HEARTH_OK, kit_compact(f, 9));
  verify_batches(f, 1, 6);
  ANSWERS(f, HEARTH_OK, kit_compact(f, 3));
  verify_batches(f, 3, 6); /* three, and what they begin with */
  list_all(f, f->store, &after);
  for (size_t i = 0; i < 4; i++) EQUALS(f, before.batches[i + 2].time, after.batches[i].time);
  submit_to(f, 7, 8);
  ANSWERS(f, HEARTH_OK, kit_compact(f, 1));
  verify_batches(f, 7, 8);
  kit_reopen(f);
  ANSWERS(f, HEARTH_OK, open_at(f, 8, HEARTH_OPEN_READONLY, &f->others[1]));
  ANSWERS(f, HEARTH_OK, open_at(f, 7, HEARTH_OPEN_READONLY, &f->others[2]));
  ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
  verify_batches(f, 8, 8);
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->refresh(f->others[1], kit_fresh(f))));
  EQUALS(f, 8, kit_look_at(f, f->others[1]).sequence);
  hearth_status status = kit_judged(f, f->backend->refresh(f->others[2], kit_fresh(f)));
  bool told = status == HEARTH_NOTFOUND || status == HEARTH_OK; /* it may still have what was there */
  MUST(f, told, "a refresh at a batch that is gone: %s", kit_status_name(status));
}

const Case kit_earlier_cases[] = {
    {"earlier_batches_can_be_opened", "history lists the batches that `at` opens; NOTFOUND for others.",
     earlier_batches_can_be_opened, NEEDS_HISTORY | NEEDS_PERSISTENCE},
    {"earlier_batches_stay_as_they_are", "A reader at a batch shows what was there after it, whatever comes later.",
     earlier_batches_stay_as_they_are, NEEDS_HISTORY | NEEDS_PERSISTENCE},
    {"compaction_keeps_so_many_batches", "compact leaves as many last batches as it is told, and what they begin with.",
     compaction_keeps_so_many_batches, NEEDS_HISTORY | NEEDS_PERSISTENCE},
    {NULL, NULL, NULL, 0},
};
