/* One state after a power loss: which names, and which bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash_parts.h"

#define SECTOR 512

typedef struct Loss { /* of one file */
  Bytes *out;
  const Bytes *ever;
  const hearth_crash_fate *fate;
  const hearth_crash_options *options;
  uint64_t random;
} Loss;

static void fill(Loss *l, uint64_t from, uint64_t to, hearth_crash_fill with) {
  if (to > l->out->size) kit_bytes_resize(l->out, (size_t)to);
  for (uint64_t at = from; at < to; at++) {
    unsigned char stale = at < l->ever->size ? l->ever->data[at] : 0;
    if (with == HEARTH_CRASH_GARBAGE) l->out->data[at] = (unsigned char)(crash_random(&l->random) >> 56);
    else l->out->data[at] = with == HEARTH_CRASH_STALE ? stale : 0;
  }
}

static bool stands_there(const Loss *l, uint64_t at, const unsigned char *bytes, size_t size) {
  return at + size <= l->out->size && memcmp(l->out->data + at, bytes, size) == 0;
}

/* A stretch of a write that did not arrive. */
static void lose(Loss *l, const Write *w, uint64_t from, uint64_t to, hearth_crash_fill with) {
  uint64_t sector = l->fate->sector;
  if (with == HEARTH_CRASH_OLD) return;
  if (l->options->spills) {
    uint64_t end = (to + sector - 1) / sector * sector;
    fill(l, from / sector * sector, end < l->out->size ? end : l->out->size > to ? l->out->size : to, with);
    return;
  }
  for (uint64_t at = from, next; at < to; at = next) {
    next = (at / sector + 1) * sector;
    if (next > to) next = to;
    if (l->options->rewrites || !stands_there(l, at, w->bytes.data + (at - w->at), (size_t)(next - at)))
      fill(l, at, next, with);
  }
}

static void arrive(Loss *l, const Write *w, uint64_t from, uint64_t to) {
  kit_bytes_write(l->out, from, w->bytes.data + (from - w->at), (size_t)(to - from));
}

/* Each sector has a fate of its own. */
static void scatter(Loss *l, const Write *w) {
  uint64_t end = w->at + w->bytes.size;
  for (uint64_t at = w->at, next; at < end; at = next) {
    uint64_t chance = crash_random(&l->random) % 8;
    next = (at / l->fate->sector + 1) * l->fate->sector;
    if (next > end) next = end;
    if (chance < 5) arrive(l, w, at, next);
    else if (chance < 7) lose(l, w, at, next, l->fate->fill);
  }
}

static void apply(Loss *l, const Write *w, size_t n) {
  const hearth_crash_fate *fate = l->fate;
  uint64_t end = w->at + w->bytes.size;
  if (fate->scattered) {
    if (!w->truncate) scatter(l, w);
    else if (crash_random(&l->random) % 4 != 0) kit_bytes_resize(l->out, (size_t)w->at);
  } else if (n == fate->torn && !w->truncate) {
    arrive(l, w, w->at, fate->from);
    arrive(l, w, fate->to, end);
    lose(l, w, fate->from, fate->to, fate->fill);
  } else if (crash_has(fate->kept, n)) {
    if (w->truncate) kit_bytes_resize(l->out, (size_t)w->at);
    else arrive(l, w, w->at, end);
  }
}

void kit_crash_file(Bytes *out, const File *f, const hearth_crash_fate *fate, const hearth_crash_options *options) {
  Loss l = {out, &f->ever, fate, options, fate->seed};
  size_t first = crash_first(f->write_count);
  static const hearth_crash_fate arrived = {.kept = UINT64_MAX, .torn = SIZE_MAX};
  kit_bytes_copy(out, &f->synced);
  for (size_t i = 0; i < f->write_count; i++) {
    l.fate = i < first ? &arrived : fate;
    apply(&l, &f->writes[i], i < first ? 0 : i - first);
  }
  l.fate = fate;
  if (fate->length == HEARTH_CRASH_LENGTH_AHEAD && out->size < f->now.size)
    fill(&l, out->size, f->now.size, fate->fill);
  if (fate->length == HEARTH_CRASH_LENGTH_BEHIND && out->size > f->synced.size) kit_bytes_resize(out, f->synced.size);
}

void kit_crash_names(NameTable *out, const hearth_disk *before, uint64_t arrived) {
  size_t first = crash_first(before->change_count);
  kit_names_copy(out, &before->synced);
  for (size_t i = 0; i < before->change_count; i++)
    if (i < first || crash_has(arrived, i - first)) kit_names_apply(out, &before->changes[i]);
}

void kit_crash_make(const hearth_disk *before, hearth_disk *after, const hearth_crash_state *state,
                const hearth_crash_options *options) {
  hearth_disk_clear(after);
  after->locks = before->locks;
  after->clock = before->clock;
  after->process = before->process;
  after->boots = before->boots + 1;
  after->random = before->random + 1;
  after->inodes = before->inodes;
  kit_crash_names(&after->now, before, state->names);
  for (size_t i = 0; i < after->now.count; i++) {
    size_t from = after->now.names[i].file, to = kit_disk_new_file(after);
    File *f = &after->files[to];
    f->inode = before->files[from].inode;
    kit_crash_file(&f->synced, &before->files[from], from == state->subject ? &state->fate : &state->others, options);
    kit_bytes_copy(&f->now, &f->synced);
    kit_bytes_copy(&f->ever, &before->files[from].ever);
    kit_bytes_write(&f->ever, 0, f->synced.data, f->synced.size);
    after->now.names[i].file = to;
  }
  kit_names_copy(&after->synced, &after->now);
}

void hearth_disk_power_loss(hearth_disk *d, unsigned seed) {
  static const hearth_crash_options options = {.seed = 0};
  uint64_t random = seed;
  hearth_disk *after = hearth_disk_new();
  hearth_crash_state state = {.subject = SIZE_MAX, .names = UINT64_MAX};
  size_t changes = d->change_count - crash_first(d->change_count), kept = (size_t)crash_random(&random) % (changes + 1);
  state.names = crash_prefix(kept);
  state.others = (hearth_crash_fate){.torn = SIZE_MAX, .scattered = true, .sector = SECTOR,
                                     .seed = crash_random(&random),
                                     .fill = (hearth_crash_fill)(crash_random(&random) % 4)};
  if (crash_random(&random) % 2 == 0) { /* in order */
    state.others.scattered = false;
    size_t most = 0;
    for (size_t i = 0; i < d->file_count; i++)
      if (d->files[i].write_count > most) most = d->files[i].write_count;
    state.others.kept = crash_prefix((size_t)(crash_random(&random) % (most + 1)));
  }
  kit_crash_make(d, after, &state, &options);
  File *files = d->files;
  size_t room = d->file_room;
  hearth_disk_kill_process(d);
  kit_names_copy(&d->now, &after->now);
  kit_names_copy(&d->synced, &after->now);
  d->change_count = 0;
  d->boots++;
  d->files = after->files;
  d->file_count = after->file_count;
  d->file_room = after->file_room;
  after->files = files;
  after->file_room = room;
  hearth_disk_free(after);
}

/* ---------------------------------------------------------------- telling */

static size_t tell_fate(const hearth_crash_fate *f, char *out, size_t size) {
  static const char *const lengths[] = {"follows", "ahead", "behind"};
  static const char *const fills[] = {"old bytes", "zeros", "garbage", "stale bytes"};
  int n = snprintf(out, size, "kept %" PRIx64 "%s, torn %td at %" PRIu64 "-%" PRIu64 ", %s, sector %" PRIu64
                   ", length %s, seed %" PRIx64, f->kept, f->scattered ? " scattered" : "", (ptrdiff_t)f->torn, f->from,
                   f->to, fills[f->fill], f->sector, lengths[f->length], f->seed);
  return n > 0 && (size_t)n < size ? (size_t)n : size - 1;
}

void hearth_crash_tell(const hearth_disk *before, const hearth_crash_state *s, char *out, size_t size) {
  size_t n = (size_t)snprintf(out, size, "changes of names %" PRIx64 " of %zu; ", s->names, before->change_count);
  if (s->subject != SIZE_MAX) {
    const char *path = "a file without a name";
    for (size_t i = 0; i < before->now.count; i++)
      if (before->now.names[i].file == s->subject) path = before->now.names[i].path;
    n += (size_t)snprintf(out + n, size - n, "%s: %zu writes unsynced, ", path, before->files[s->subject].write_count);
    n += tell_fate(&s->fate, out + n, size - n);
  }
  n += (size_t)snprintf(out + n, size - n, "; other files: ");
  (void)tell_fate(&s->others, out + n, size - n);
}

static uint64_t digest(uint64_t seed, const void *bytes, size_t size) {
  const unsigned char *p = bytes;
  uint64_t h = seed ^ size * UINT64_C(0x9e3779b97f4a7c15), word;
  for (; size >= sizeof word; p += sizeof word, size -= sizeof word) {
    memcpy(&word, p, sizeof word);
    h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 32;
  }
  for (; size > 0; size--) h = (h ^ *p++) * UINT64_C(0x100000001b3);
  return crash_random(&h);
}

uint64_t hearth_crash_digest(const hearth_disk *d) {
  uint64_t sum = 0; /* in whatever order the names stand */
  for (size_t i = 0; i < d->now.count; i++) {
    const Name *name = &d->now.names[i];
    const File *f = &d->files[name->file];
    sum += digest(digest(1, name->path, strlen(name->path)), f->now.data, f->now.size);
  }
  return sum;
}
