#include "power.h"

#include <errno.h>
#include <inttypes.h>

#include "../rounds.h"
#include "decode.h"

#ifndef POWER_THIN /* where programs are slow it is more */
#define POWER_THIN 1
#endif

PowerTotals power_totals;

static const hearth_backend *file = &hearth_file_backend;

static void survives(Power *p, size_t depth, hearth_disk *after, const PowerBounds *bounds);

/* ----------------------------------------------------------------- failing */

static void tell(Power *p, size_t depth) {
  char text[1000];
  print_error("history %" PRIu64 ", step %lu of the disk, batches %" PRIu64 " to %" PRIu64 "\n", p->seed,
              hearth_disk_steps(p->d.disk), p->bounds.least, p->bounds.most);
  for (size_t i = 0; i <= depth; i++) {
    hearth_crash_tell(p->before[i], p->loss[i], text, sizeof text);
    print_error("loss %zu: %s\n", i + 1, text);
  }
}

static void wrong(Power *p, size_t depth, const char *what) {
  tell(p, depth);
  fail_msg("%s", what);
}

static void must(Power *p, size_t depth, hearth_status status, const char *doing) {
  if (status == HEARTH_OK) return;
  tell(p, depth);
  fail_msg("%s: %d, %s", doing, (int)status, p->recovered[depth].err.message);
}

/* ------------------------------------------------------- states seen before */

static bool add_to(uint64_t *set, size_t room, uint64_t number) {
  size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);
  for (; set[i] != 0; i = (i + 1) & (room - 1))
    if (set[i] == number) return false;
  set[i] = number;
  return true;
}

static bool is_new(Power *p, const hearth_disk *after, const PowerBounds *b) {
  uint64_t number = hearth_crash_digest(after) + b->least * 3 + b->most * 1001 + (b->made ? 77 : 0);
  if (number == 0) number = 1;
  if (p->seen_count * 2 >= p->seen_room) {
    size_t room = p->seen_room == 0 ? 1 << 12 : p->seen_room * 2;
    uint64_t *set = calloc(room, sizeof *set);
    assert_non_null(set);
    for (size_t i = 0; i < p->seen_room; i++)
      if (p->seen[i] != 0) (void)add_to(set, room, p->seen[i]);
    free(p->seen);
    p->seen = set;
    p->seen_room = room;
  }
  if (!add_to(p->seen, p->seen_room, number)) return false;
  p->seen_count++;
  return true;
}

/* ------------------------------------------------------------ what is found */

static const HistoryState *state_after(const Power *p, uint64_t n, const PowerBounds *b) {
  if (n == b->most && b->newest != NULL) return b->newest;
  return n + 1 == b->most && b->before != NULL ? b->before : &p->states[n];
}

static void check_contents(Power *p, size_t depth, uint64_t n, const PowerBounds *b) {
  DiskStore *d = &p->recovered[depth];
  uint64_t sum = 0;
  bool lost = n < b->least && !p->worse;
  if (lost) power_totals.lost++;
  if (lost || n > b->most) {
    tell(p, depth);
    fail_msg("batch %" PRIu64 " is the last one there, which should be from %" PRIu64 " to %" PRIu64, n, b->least,
             b->most);
  }
  must(p, depth, history_sum(file, d->store, &sum, &d->err), "read");
  if (sum == state_after(p, n, b)->sum) return;
  power_totals.wrong++;
  wrong(p, depth, "the contents are not those after the last batch there");
}

/* A reader sees what a writer will, and changes nothing. False: there is no store, or it says that it is damaged. */
static bool read_only(Power *p, size_t depth, const PowerBounds *b, uint64_t *sequence) {
  DiskStore *d = &p->recovered[depth];
  unsigned long steps = hearth_disk_steps(d->disk);
  hearth_status status = diskstore_open(d, HEARTH_OPEN_READONLY);
  *sequence = 0;
  if (status == HEARTH_NOTFOUND && !b->made) return true;
  if ((status == HEARTH_DAMAGED || status == HEARTH_NOTSTORE) && p->worse) return false;
  must(p, depth, status, "open read-only");
  *sequence = diskstore_stat(d).sequence;
  check_contents(p, depth, *sequence, b);
  assert_int_equal(diskstore_close(d), HEARTH_OK);
  if (hearth_disk_steps(d->disk) != steps) wrong(p, depth, "a reader has changed something");
  if (d->warnings > 0 && strstr(d->warning, "are a torn tail") == NULL) wrong(p, depth, d->warning);
  d->warnings = 0;
  return true;
}

static size_t tails(const hearth_disk *disk, const char **last) {
  size_t count = 0;
  const char *name;
  for (size_t i = 0; (name = hearth_disk_name(disk, i)) != NULL; i++)
    if (strncmp(name, PLACE ".tail-", sizeof PLACE ".tail-" - 1) == 0) {
      count++;
      *last = name;
    }
  return count;
}

static void note_bytes(Power *p, size_t depth, const hearth_disk *disk) {
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(disk, PLACE, &size);
  if (p->bytes[depth].data == NULL || size > p->bytes[depth].room) {
    p->bytes[depth].room = size * 2 + 1;
    p->bytes[depth].data = realloc(p->bytes[depth].data, p->bytes[depth].room);
    assert_non_null(p->bytes[depth].data);
  }
  if (size > 0) memcpy(p->bytes[depth].data, bytes, size);
  p->bytes[depth].size = size;
}

static bool same_bytes(const hearth_disk *disk, const char *path, const unsigned char *bytes, size_t size) {
  size_t now;
  const unsigned char *p = hearth_disk_bytes(disk, path, &now);
  return p != NULL && now == size && memcmp(p, bytes, size) == 0;
}

/* Are the bytes behind the last batch more than a mark, or whole parts of a batch whose last part never came? */
static bool is_torn(const unsigned char *bytes, size_t size, uint64_t at) {
  LogHeader header;
  LogFrame f = {.kind = LOG_PART};
  if (size < LOG_HEADER_SIZE || at > size || log_decode_header(bytes, size, &header) != LOG_HEADER_GOOD) return false;
  while (at < size && f.kind == LOG_PART) {
    if (size - at < LOG_FRAME_SIZE || !log_decode_frame(bytes + at, header.salt, at, &f)) return true;
    if (f.length > size - at - LOG_FRAME_SIZE || !log_check_payload(&f, bytes + at + LOG_FRAME_SIZE, header.salt, at))
      return true;
    at += LOG_FRAME_SIZE + f.length;
  }
  return at < size;
}

/* What was cut off is in a file named after the batch that was lost, and somebody was told. */
static void check_tail(Power *p, size_t depth, size_t before, uint64_t sequence) {
  const DiskStore *d = &p->recovered[depth];
  const unsigned char *bytes = p->bytes[depth].data;
  const char *name = NULL;
  size_t size = p->bytes[depth].size, tail_size, now_size, now = tails(d->disk, &name);
  bool told = d->warnings > 0 && strstr(d->warning, "torn tail") != NULL;
  if (now != before + (told ? 1 : 0)) wrong(p, depth, "a torn tail without a warning, or a warning without one");
  (void)hearth_disk_bytes(d->disk, PLACE, &now_size);
  bool changed = !same_bytes(d->disk, PLACE, bytes, size);
  if (changed && !told && is_torn(bytes, size, now_size - LOG_FRAME_SIZE)) /* where the mark is that recovery writes */
    wrong(p, depth, "bytes of a torn tail were thrown away");
  if (!told || before != 0) return;
  char expected[64];
  (void)snprintf(expected, sizeof expected, PLACE ".tail-%" PRIu64, sequence + 1);
  assert_string_equal(name, expected);
  const unsigned char *tail = hearth_disk_bytes(d->disk, name, &tail_size);
  if (tail_size > size || memcmp(tail, bytes + size - tail_size, tail_size) != 0)
    wrong(p, depth, "the file of the torn tail has other bytes than what was cut off");
  power_totals.tails++;
}

/* ------------------------------------------------- losses during recovery */

typedef struct Nest {
  Power *p;
  size_t depth; /* of the losses that are made */
  PowerBounds bounds;
} Nest;

/* Once somebody was told where the bytes of the torn tail are, they are there, or where they were. */
static bool has_tail(const Nest *n, const hearth_disk *after) {
  const DiskStore *d = &n->p->recovered[n->depth - 1];
  const unsigned char *tail;
  const char *name = NULL;
  size_t size;
  if (strstr(d->warning, "torn tail") == NULL || d->warnings == 0 || tails(d->disk, &name) != 1) return true;
  tail = hearth_disk_bytes(d->disk, name, &size);
  return same_bytes(after, name, tail, size) ||
         same_bytes(after, PLACE, n->p->bytes[n->depth - 1].data, n->p->bytes[n->depth - 1].size);
}

static void nested_loss(void *ud, hearth_disk *after, const hearth_crash_state *state) {
  Nest *n = ud;
  if (!is_new(n->p, after, &n->bounds)) return;
  n->p->loss[n->depth] = state;
  if (!has_tail(n, after)) wrong(n->p, n->depth, "the bytes of a torn tail are gone");
  power_totals.nested++;
  power_totals.losses++;
  survives(n->p, n->depth, after, &n->bounds);
}

static void nested_boundary(void *ud, const hearth_disk *disk) {
  Nest *n = ud;
  hearth_crash_options options = n->p->options;
  options.samples = n->depth == 1 ? 3 : 1;
  options.seed += hearth_disk_steps(n->p->d.disk);
  n->p->before[n->depth] = disk;
  hearth_crash_some(disk, n->p->after[n->depth], &options, nested_loss, n);
}

/*
** The store takes another batch, closes, and has it. The batch has the number, and the sizes, of one that was lost, so
** that old bytes would fit behind it.
*/
static void goes_on(Power *p, size_t depth, uint64_t n, const PowerBounds *b, Nest *nest) {
  DiskStore *d = &p->recovered[depth];
  HistoryBatch *batch = &p->batches[depth + 1];
  HistoryState *next = &p->next[depth];
  uint64_t sum;
  history_batch(p->seed, n + 1, p->variant + (unsigned)(depth + 1) * HISTORY_TWIN, p->largest, batch);
  history_apply(state_after(p, n, b), batch, next);
  if (nest != NULL) {
    nest->bounds = (PowerBounds){n, n + 1, true, next, state_after(p, n, b)};
    hearth_disk_observe(d->disk, nested_boundary, nest);
  }
  must(p, depth, history_submit(file, d->store, batch, 0, HEARTH_DURABLE, &d->err), "submit");
  if (nest != NULL) {
    nest->bounds.least = n + 1;
    nested_boundary(nest, d->disk);
  }
  hearth_disk_observe(d->disk, NULL, NULL);
  must(p, depth, diskstore_close(d), "close");
  must(p, depth, diskstore_open(d, 0), "open again");
  must(p, depth, history_sum(file, d->store, &sum, &d->err), "read");
  if (diskstore_stat(d).sequence != n + 1 || sum != next->sum) wrong(p, depth, "the next batch is not what it was");
}

/* ------------------------------------------------------------- the oracle */

/* A loss while the owner file is written leaves one that does not say whose it is: it is to be removed by hand. */
static void is_busy(Power *p, size_t depth) {
  static const char whole[] = "hearth 1000 boot-0 unlocked\n";
  DiskStore *d = &p->recovered[depth];
  size_t size;
  const unsigned char *note = hearth_disk_bytes(d->disk, PLACE ".owner", &size);
  power_totals.busy++;
  if (strstr(d->err.message, PLACE ".owner") == NULL || note == NULL ||
      (size == sizeof whole - 1 && memcmp(note, whole, size) == 0))
    wrong(p, depth, "busy, although nobody has it");
  hearth_disk_remove(d->disk, PLACE ".owner");
}

/* On a worse device an acknowledged batch is missing: at least somebody is told, and has its bytes. */
static void tells(Power *p, size_t depth) {
  const char *name;
  power_totals.told++;
  if (tails(p->recovered[depth].disk, &name) == 0) /* check_tail has seen that each new one is told */
    wrong(p, depth, "an acknowledged batch is missing without a word");
}

static void survives(Power *p, size_t depth, hearth_disk *after, const PowerBounds *b) {
  DiskStore *d = &p->recovered[depth];
  Nest nest = {p, depth + 1, *b};
  uint64_t n;
  const char *name;
  d->disk = after;
  d->warnings = 0;
  if (!read_only(p, depth, b, &n)) {
    power_totals.damaged++;
    return;
  }
  bool nested = depth + 1 < POWER_DEPTH && p->nested > 0;
  if (nested) nested = depth == 0 ? p->direct / p->thin % p->nested == 0 : power_totals.nested % 4 == 0 && !p->worse;
  nest.bounds.newest = state_after(p, n, b);
  nest.bounds.most = n; /* recovery neither loses what is there nor finds more */
  if (!p->worse) nest.bounds.least = n;
  size_t tails_before = tails(after, &name);
  note_bytes(p, depth, after);
  if (nested) hearth_disk_observe(after, nested_boundary, &nest);
  hearth_status status = diskstore_open(d, 0);
  if (status == HEARTH_BUSY && p->may_be_busy) {
    is_busy(p, depth);
    status = diskstore_open(d, 0);
  }
  must(p, depth, status, "open");
  if (diskstore_stat(d).sequence != n) wrong(p, depth, "a writer sees another batch than a reader");
  check_contents(p, depth, n, b);
  if (diskstore_stat(d).durable != n) wrong(p, depth, "what was found is not durable");
  nest.bounds.made = true;
  if (nested) nested_boundary(&nest, after);
  hearth_disk_observe(after, NULL, NULL);
  check_tail(p, depth, tails_before, n);
  if (n < b->least) tells(p, depth);
  if (nested || power_totals.losses % 4 == 0) goes_on(p, depth, n, b, nested ? &nest : NULL);
  must(p, depth, diskstore_close(d), "close");
}

static void one_loss(void *ud, hearth_disk *after, const hearth_crash_state *state) {
  Power *p = ud;
  if (!is_new(p, after, &p->bounds) || p->direct++ % p->thin != 0) return;
  p->loss[0] = state;
  power_totals.losses++;
  survives(p, 0, after, &p->bounds);
}

static void boundary(void *ud, const hearth_disk *disk) {
  Power *p = ud;
  if (p->quiet) return;
  p->before[0] = disk;
  power_totals.boundaries++;
  hearth_crash_each(disk, p->after[0], &p->options, one_loss, p);
}

/* --------------------------------------------------------------- the life */

static bool is_read(const char *path) { /* the bytes of the others do not matter to anybody */
  return strcmp(path, PLACE) == 0 || strcmp(path, PLACE ".new") == 0;
}

void power_begin(Power *p, uint64_t seed) {
  memset(p, 0, sizeof *p);
  p->seed = seed;
  p->options = (hearth_crash_options){.whole = 4, .samples = 8, .sectors = {16, 512, 4096}, .seed = seed * 7919,
                              .matters = is_read};
  p->thin = rounds(40) < 40 ? 20 * POWER_THIN : POWER_THIN; /* fewer under valgrind */
  p->nested = 97;
  diskstore_init(&p->d);
  for (size_t i = 0; i < POWER_DEPTH; i++) {
    p->after[i] = hearth_disk_new();
    p->recovered[i].memory.fail_at = -1;
  }
  hearth_disk_observe(p->d.disk, boundary, p);
}

void power_end(Power *p) {
  hearth_disk_observe(p->d.disk, NULL, NULL);
  diskstore_done(&p->d);
  for (size_t i = 0; i < POWER_DEPTH; i++) hearth_disk_free(p->after[i]);
  free(p->seen);
  for (size_t i = 0; i < POWER_DEPTH; i++) free(p->bytes[i].data);
}

/* So much was acknowledged: from now on nothing less may be there. */
static void acknowledged(Power *p, uint64_t durable) {
  p->bounds.least = durable;
  boundary(p, p->d.disk);
}

void power_open(Power *p) {
  if (diskstore_open(&p->d, 0) != HEARTH_OK) fail_msg("history %" PRIu64 ": open: %s", p->seed, p->d.err.message);
  uint64_t n = diskstore_stat(&p->d).sequence, sum;
  assert_in_range(n, p->complete, p->bounds.most); /* a cache forgets nothing that is complete */
  assert_int_equal(history_sum(file, p->d.store, &sum, &p->d.err), HEARTH_OK);
  assert_true(sum == p->states[n].sum);
  p->complete = n;
  p->bounds = (PowerBounds){.least = p->complete, .most = p->complete, .made = true};
  boundary(p, p->d.disk);
}

hearth_status power_batch(Power *p, size_t parts, hearth_durability level) {
  HistoryBatch *batch = &p->batches[0];
  uint64_t n = p->complete + 1;
  assert_true(n <= POWER_BATCHES);
  history_batch(p->seed, n, p->variant, p->largest, batch);
  history_apply(&p->states[n - 1], batch, &p->states[n]);
  p->bounds.most = n;
  hearth_disk_set_clock(p->d.disk, 1700000000000 + n * 700);
  hearth_status status = history_submit(file, p->d.store, batch, parts, level, &p->d.err);
  if (status == HEARTH_FULL) { /* never happened: what comes next under its number is something else */
    p->bounds.most = n - 1;
    p->variant++;
    boundary(p, p->d.disk);
    return status;
  }
  if (status != HEARTH_OK) return status;
  p->complete = n;
  acknowledged(p, level == HEARTH_DURABLE ? n : p->bounds.least);
  return HEARTH_OK;
}

hearth_status power_compact(Power *p, unsigned keep) {
  hearth_status status = file->compact(p->d.store, keep, &p->d.err);
  if (status == HEARTH_OK) acknowledged(p, p->complete);
  else if (status != HEARTH_FULL) fail_msg("compact: %s", p->d.err.message);
  return status;
}

void power_barrier(Power *p) {
  assert_int_equal(file->barrier(p->d.store, HEARTH_DURABLE, &p->d.err), HEARTH_OK);
  acknowledged(p, p->complete);
}

void power_close(Power *p) {
  if (diskstore_close(&p->d) != HEARTH_OK) fail_msg("close: %s", p->d.err.message);
  acknowledged(p, p->complete);
}

void power_kill(Power *p) {
  p->quiet = true;
  diskstore_kill(&p->d);
  p->quiet = false;
}

bool power_killed_life(Power *p, long at) {
  p->quiet = true;
  hearth_disk_arm(p->d.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, at, EIO, true, false});
  hearth_status status = diskstore_open(&p->d, 0);
  p->bounds.made = status == HEARTH_OK;
  for (unsigned i = 0; i < 4 && status == HEARTH_OK; i++) {
    status = power_batch(p, i % 3, i % 2 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE);
    if (status != HEARTH_OK || i != 2) continue;
    status = file->compact(p->d.store, 1, &p->d.err);
    if (status == HEARTH_OK) p->bounds.least = p->complete;
  }
  bool struck = hearth_disk_struck(p->d.disk);
  power_kill(p);
  return struck;
}

static void arm_sync(Power *p, long nth, hearth_disk_keeps keeps) {
  hearth_disk_failed_sync(p->d.disk, keeps);
  hearth_disk_arm(p->d.disk, (hearth_disk_fault){HEARTH_DISK_SYNCS, nth, EIO, false, false});
}

void power_failed_sync(Power *p, long nth, hearth_disk_keeps keeps) {
  arm_sync(p, nth, keeps);
  for (unsigned i = 0; i < 20; i++) {
    hearth_status status = power_batch(p, i % 3, i % 2 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE);
    if (status == HEARTH_IO || status == HEARTH_DEAD) break;
    assert_int_equal(status, HEARTH_OK);
  }
  assert_true(hearth_disk_struck(p->d.disk));
  hearth_disk_disarm(p->d.disk);
  (void)diskstore_close(&p->d);
  power_open(p);
}

static void sync_has_failed(Power *p, hearth_status status) {
  assert_int_equal(status, HEARTH_IO);
  assert_true(hearth_disk_struck(p->d.disk));
  hearth_disk_disarm(p->d.disk);
  if (p->d.store != NULL) (void)diskstore_close(&p->d);
  power_open(p);
}

void power_failed_making(Power *p, long nth, hearth_disk_keeps keeps) {
  arm_sync(p, nth, keeps);
  sync_has_failed(p, diskstore_open(&p->d, 0));
}

void power_failed_compaction(Power *p, unsigned keep, long nth, hearth_disk_keeps keeps) {
  arm_sync(p, nth, keeps);
  sync_has_failed(p, file->compact(p->d.store, keep, &p->d.err));
}
