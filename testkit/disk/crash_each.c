/* Which states after a power loss are tried: every one where they are few, the telling ones where they are not. */
#include <string.h>

#include "crash_parts.h"

typedef struct Search {
  const hearth_disk *before;
  hearth_disk *after;
  const hearth_crash_options *options;
  hearth_crash_found found;
  void *ud;
  hearth_crash_state state;
  uint64_t random;
  size_t changes;  /* of names, that may have arrived or not */
  size_t writes;   /* of the subject */
  const File *file;
} Search;

#define ALL UINT64_MAX

static void visit(Search *s) {
  kit_crash_make(s->before, s->after, &s->state, s->options);
  s->found(s->ud, s->after, &s->state);
}

static hearth_crash_fate scattered(Search *s) {
  size_t sizes = 0;
  while (sizes < 4 && s->options->sectors[sizes] != 0) sizes++;
  hearth_crash_fate fate = {.torn = SIZE_MAX, .scattered = true,
                            .fill = (hearth_crash_fill)(crash_random(&s->random) % 4),
                            .length = (hearth_crash_length)(crash_random(&s->random) % 3),
                            .seed = crash_random(&s->random)};
  fate.sector = s->options->sectors[crash_random(&s->random) % sizes]; /* NOLINT(*DivideZero): there is one at least */
  return fate;
}

static hearth_crash_fate arrived(uint64_t kept) {
  return (hearth_crash_fate){.kept = kept, .torn = SIZE_MAX, .sector = 512};
}

/* The files that are not the subject: all there, nothing there, or anything. */
static void choose_others(Search *s) {
  uint64_t chance = crash_random(&s->random) % 4;
  s->state.others = chance == 0 ? arrived(0) : chance == 1 ? scattered(s) : arrived(ALL);
}

/* ------------------------------------------------------------- the bytes */

static void visit_lengths(Search *s, hearth_crash_fate fate) {
  static const hearth_crash_fill fills[] = {HEARTH_CRASH_ZEROS, HEARTH_CRASH_GARBAGE, HEARTH_CRASH_STALE};
  s->state.fate = fate;
  visit(s);
  for (size_t i = 0; i < 3 && fate.kept != ALL; i++) {
    s->state.fate.length = HEARTH_CRASH_LENGTH_AHEAD;
    s->state.fate.fill = fills[i];
    s->state.fate.seed = crash_random(&s->random);
    visit(s);
  }
  if (s->file->now.size <= s->file->synced.size) return;
  s->state.fate.length = HEARTH_CRASH_LENGTH_BEHIND;
  visit(s);
}

static void visit_subsets(Search *s) {
  size_t n = s->writes;
  if (n <= s->options->whole) {
    for (uint64_t set = 0; set < UINT64_C(1) << n; set++) visit_lengths(s, arrived(set == crash_prefix(n) ? ALL : set));
    return;
  }
  for (size_t i = 0; i <= n; i++) visit_lengths(s, arrived(i == n ? ALL : crash_prefix(i)));
  for (size_t i = n - s->options->whole; i < n; i++) {
    visit_lengths(s, arrived(crash_prefix(n) & ~(UINT64_C(1) << i)));
    visit_lengths(s, arrived(UINT64_C(1) << i));
  }
  for (size_t i = 0; i < s->options->whole; i++) visit_lengths(s, arrived(crash_random(&s->random) & crash_prefix(n)));
}

/* One stretch of one write is missing, in every way. */
static void visit_missing(Search *s, hearth_crash_fate fate, uint64_t from, uint64_t to) {
  fate.from = from;
  fate.to = to;
  for (hearth_crash_fill with = HEARTH_CRASH_OLD; with <= HEARTH_CRASH_STALE; with++) {
    fate.fill = with;
    fate.seed = crash_random(&s->random);
    s->state.fate = fate;
    visit(s);
  }
}

static void visit_tears(Search *s, size_t n, uint64_t kept, uint64_t sector) {
  const Write *w = &s->file->writes[s->file->write_count - s->writes + n];
  uint64_t end = w->at + w->bytes.size;
  hearth_crash_fate fate = {.kept = kept, .torn = n, .sector = sector};
  for (uint64_t at = w->at, next; at < end; at = next) {
    next = (at / sector + 1) * sector;
    if (next > end) next = end;
    visit_missing(s, fate, at, end);
    if (at > w->at && next < end) visit_missing(s, fate, at, next); /* a hole */
    if (next < end) visit_missing(s, fate, w->at, next);
  }
}

/* The newest write at every boundary of sectors; older ones had their turn when they were the newest. */
static void visit_torn(Search *s) {
  for (size_t n = s->writes - (s->writes > s->options->whole ? s->options->whole : s->writes); n < s->writes; n++) {
    if (s->file->writes[s->file->write_count - s->writes + n].truncate) continue;
    bool newest = n + 1 == s->writes;
    for (size_t i = 0; i < 4 && s->options->sectors[i] != 0; i++)
      if (newest || i > 0) visit_tears(s, n, ALL & ~(UINT64_C(1) << n), s->options->sectors[i]);
  }
}

/* The device writes whole sectors, and one that was being written is garbage, with all that stood in it. */
static void visit_spills(Search *s) {
  for (size_t n = 0; n < s->writes; n++) {
    const Write *w = &s->file->writes[s->file->write_count - s->writes + n];
    if (w->truncate) continue;
    hearth_crash_fate fate = {.torn = n, .from = w->at, .to = w->at + w->bytes.size, .fill = HEARTH_CRASH_GARBAGE};
    for (size_t i = 0; i < 4 && s->options->sectors[i] != 0; i++) {
      fate.sector = s->options->sectors[i];
      fate.seed = crash_random(&s->random);
      fate.kept = crash_prefix(n);
      s->state.fate = fate;
      visit(s);
      s->state.fate.kept = ALL;
      visit(s);
    }
  }
}

static bool matters(const Search *s, size_t file) {
  if (s->options->matters == NULL) return true;
  for (size_t i = 0; i < s->before->now.count; i++)
    if (s->before->now.names[i].file == file && s->options->matters(s->before->now.names[i].path)) return true;
  for (size_t i = 0; i < s->before->synced.count; i++)
    if (s->before->synced.names[i].file == file && s->options->matters(s->before->synced.names[i].path)) return true;
  return false;
}

static void each_file(Search *s) {
  for (size_t f = 0; f < s->before->file_count; f++) {
    s->file = &s->before->files[f];
    s->writes = s->file->write_count - crash_first(s->file->write_count);
    if (s->writes == 0 || !matters(s, f)) continue;
    s->state.subject = f;
    choose_others(s);
    if (s->options->spills) {
      visit_spills(s);
      continue;
    }
    visit_subsets(s);
    visit_torn(s);
  }
  s->state.subject = SIZE_MAX;
}

/* ------------------------------------------------------------- the names */

static bool same_name(const NameChange *a, const NameChange *b) {
  return strcmp(a->path, b->path) == 0 || (a->kind == NAME_MOVED && strcmp(a->to, b->path) == 0) ||
         (b->kind == NAME_MOVED && strcmp(a->path, b->to) == 0) ||
         (a->kind == NAME_MOVED && b->kind == NAME_MOVED && strcmp(a->to, b->to) == 0);
}

/* The nth change arrived although what it does not build on did not. */
static uint64_t alone(const Search *s, size_t n) {
  const NameChange *changes = s->before->changes + crash_first(s->before->change_count);
  uint64_t set = UINT64_C(1) << n;
  for (size_t i = n; i-- > 0;)
    for (size_t j = i + 1; j <= n; j++)
      if (crash_has(set, j) && same_name(&changes[i], &changes[j])) set |= UINT64_C(1) << i;
  return set;
}

/* The nth did not arrive, nor what builds on it. */
static uint64_t without(const Search *s, size_t n) {
  const NameChange *changes = s->before->changes + crash_first(s->before->change_count);
  uint64_t missing = UINT64_C(1) << n;
  for (size_t i = n + 1; i < s->changes; i++)
    for (size_t j = n; j < i; j++)
      if (crash_has(missing, j) && same_name(&changes[i], &changes[j])) missing |= UINT64_C(1) << i;
  return ALL & ~missing;
}

static void visit_names(Search *s, uint64_t names) {
  s->state.names = names;
  s->state.others = arrived(ALL);
  visit(s);
  s->state.others = arrived(0);
  visit(s);
  s->state.others = scattered(s);
  visit(s);
}

static uint64_t random_names(Search *s) {
  size_t n = (size_t)crash_random(&s->random) % (s->changes + 1);
  uint64_t chance = crash_random(&s->random) % 4;
  if (chance == 0 && n < s->changes) return alone(s, n);
  if (chance == 1 && n < s->changes) return without(s, n);
  return chance == 2 ? ALL : crash_prefix(n);
}

static void each_name(Search *s) {
  for (size_t n = 0; n <= s->changes; n++) visit_names(s, crash_prefix(n));
  for (size_t n = 0; n < s->changes; n++) {
    visit_names(s, alone(s, n));
    visit_names(s, without(s, n));
  }
}

/* ------------------------------------------------------------- together */

static void begin(Search *s, const hearth_disk *before, hearth_disk *after, const hearth_crash_options *options,
                  hearth_crash_found found, void *ud) {
  *s = (Search){.before = before, .after = after, .options = options, .found = found, .ud = ud,
                .random = options->seed + before->steps * 977};
  s->changes = before->change_count - crash_first(before->change_count);
  s->state.subject = SIZE_MAX;
  s->state.names = ALL;
}

static void some(Search *s) {
  for (size_t i = 0; i < s->options->samples; i++) {
    s->state.names = random_names(s);
    s->state.others = scattered(s);
    visit(s);
  }
}

void hearth_crash_each(const hearth_disk *before, hearth_disk *after, const hearth_crash_options *options,
                       hearth_crash_found found, void *ud) {
  Search s;
  begin(&s, before, after, options, found, ud);
  each_file(&s);
  if (options->spills) return;
  if (s.changes > 0) {
    s.state.names = random_names(&s);
    each_file(&s);
  }
  each_name(&s);
  some(&s);
}

void hearth_crash_some(const hearth_disk *before, hearth_disk *after, const hearth_crash_options *options,
                       hearth_crash_found found, void *ud) {
  Search s;
  begin(&s, before, after, options, found, ud);
  some(&s);
}
