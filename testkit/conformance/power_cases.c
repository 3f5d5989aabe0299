/*
** The power fails at each step of a store's life: whenever something has changed on the disk, the states that a loss
** may leave are made, opened and compared with the history, and some of these recoveries lose the power in turn.
*/
#include "history.h"

#define BATCHES 7
#define COMPACT_AT 4
#define REOPEN_AT 6
#define NESTED 41 /* in one of so many recoveries the power fails again */

typedef struct Power {
  Fixture *f;
  uint64_t least, most; /* the batches that may be the last one */
  uint64_t *seen;       /* states that were tried: a hash set, 0 for an empty place */
  size_t seen_count, seen_room;
  unsigned long opened;
  size_t depth;
} Power;

static bool add_to(uint64_t *set, size_t room, uint64_t number) {
  size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);
  for (; set[i] != 0; i = (i + 1) & (room - 1))
    if (set[i] == number) return false;
  set[i] = number;
  return true;
}

static bool is_new(Power *p, const hearth_disk *after) {
  uint64_t number = (hearth_crash_digest(after) + p->least * 3 + p->most * 1001) | 1;
  if (p->seen_count * 2 >= p->seen_room) {
    size_t room = p->seen_room == 0 ? 1 << 12 : p->seen_room * 2;
    uint64_t *set = calloc(room, sizeof *set);
    if (set == NULL) abort();
    for (size_t i = 0; i < p->seen_room; i++)
      if (p->seen[i] != 0) (void)add_to(set, room, p->seen[i]);
    free(p->seen);
    p->f->scratch[1] = p->seen = set;
    p->seen_room = room;
  }
  if (!add_to(p->seen, p->seen_room, number)) return false;
  p->seen_count++;
  return true;
}

/* Ends for itself: what is wrong is in `r` afterwards. */
static void open_and_compare(const Power *p, Fixture *r) {
  if (setjmp(r->end) != 0) return;
  kit_open_store(r);
  hearth_disk_observe(r->disk, NULL, NULL);
  uint64_t n = kit_history_verify(r);
  MUST(r, n >= p->least && n <= p->most, "batch %llu is the last one there, which should be from %llu to %llu", ULL(n),
       ULL(p->least), ULL(p->most));
  kit_close_store(r);
}

static void on_step(void *ud, const hearth_disk *disk);

static void found(void *ud, hearth_disk *after, const hearth_crash_state *state) {
  Power *p = ud;
  Fixture *f = p->f;
  char told[400];
  if (f->failed || !is_new(p, after)) return;
  Fixture *r = calloc(1, sizeof *r);
  if (r == NULL) abort();
  r->subject = f->subject;
  r->backend = f->backend;
  r->disk = after;
  r->memory.fail_at = -1;
  if (p->depth == 1 && p->opened++ % NESTED == 0) hearth_disk_observe(after, on_step, p);
  open_and_compare(p, r);
  hearth_disk_observe(after, NULL, NULL);
  if (r->failed) {
    hearth_crash_tell(p->depth == 1 ? f->disk : f->after[0], state, told, sizeof told);
    kit_note(f, r->file, r->line, "after a loss of power%s: %s (%s)", p->depth > 1 ? " during recovery" : "",
             r->message, told);
  }
  if (r->store != NULL) (void)r->backend->close(r->store, NULL);
  free(r);
}

static void on_step(void *ud, const hearth_disk *disk) {
  Power *p = ud;
  const hearth_crash_options direct = {.whole = 2, .samples = 2, .sectors = {64, 512}, .seed = 1};
  const hearth_crash_options nested = {.samples = 2, .sectors = {64, 512}, .seed = 2};
  if (p->f->failed || p->depth == 2) return;
  hearth_disk *after = p->f->after[p->depth++];
  if (p->depth == 1) hearth_crash_each(disk, after, &direct, found, p);
  else hearth_crash_some(disk, after, &nested, found, p);
  p->depth--;
}

/* What is on the device by the store's own word must be there from now on. */
static void acknowledge(Power *p) {
  kit_judge(p->f); /* of what happened in the observer */
  uint64_t durable = kit_look(p->f).durable;
  if (durable > p->least) p->least = durable;
}

static void live(Power *p, bool often) {
  Fixture *f = p->f;
  kit_open_store(f);
  for (uint64_t n = 1; n <= BATCHES; n++) {
    p->most = n;
    ANSWERS(f, HEARTH_OK, kit_history_submit(f, n, often || n % 3 == 0 ? HEARTH_DEFAULT_DURABILITY : HEARTH_VISIBLE));
    acknowledge(p);
    if (n == COMPACT_AT) ANSWERS(f, HEARTH_OK, kit_compact(f, 0));
    if (n == REOPEN_AT) {
      kit_close_store(f);
      kit_open_store(f);
    }
    acknowledge(p);
  }
  ANSWERS(f, HEARTH_OK, kit_barrier(f, HEARTH_DEFAULT_DURABILITY));
  acknowledge(p);
  if (f->backend->max_durability == HEARTH_DURABLE) EQUALS(f, BATCHES, p->least);
  kit_close_store(f);
  kit_judge(f);
}

static void lose_power(Fixture *f, bool often) {
  Power *p = f->scratch[0] = calloc(1, sizeof *p);
  if (p == NULL) abort();
  p->f = f;
  f->disk = hearth_disk_new();
  for (size_t i = 0; i < 2; i++) f->after[i] = hearth_disk_new();
  hearth_disk_observe(f->disk, on_step, p);
  live(p, often);
}

static void the_power_fails_at_each_step(Fixture *f) {
  lose_power(f, true);
}

static void the_power_fails_before_a_flush(Fixture *f) {
  lose_power(f, false);
}

const Case kit_power_cases[] = {
    {"the_power_fails_at_each_step",
     "When the power fails, every batch that was durable is there, and what is there is some whole batch's state.",
     the_power_fails_at_each_step, NEEDS_DISK},
    {"the_power_fails_before_a_flush",
     "When the power fails, what stat.durable says is there, though most batches asked for less.",
     the_power_fails_before_a_flush, NEEDS_DISK},
    {NULL, NULL, NULL, 0},
};
