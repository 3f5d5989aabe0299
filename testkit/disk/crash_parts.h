/* One state after a power loss; for the files that choose states. */
#ifndef HEARTH_TESTKIT_CRASH_PARTS_H
#define HEARTH_TESTKIT_CRASH_PARTS_H

#include "hearth_testkit_disk.h"
#include "disk_parts.h"

/* splitmix64 of a number: what `seed` decides */
static inline uint64_t crash_random(uint64_t *seed) {
  uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* The first of the last 64. */
static inline size_t crash_first(size_t count) {
  return count > 64 ? count - 64 : 0;
}

static inline bool crash_has(uint64_t set, size_t n) {
  return (set >> n & 1) != 0;
}

/* The set of the first n. */
static inline uint64_t crash_prefix(size_t n) {
  return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* The bytes of a file after the loss. */
void kit_crash_file(Bytes *out, const File *f, const hearth_crash_fate *fate, const hearth_crash_options *options);

/* The names after the loss. */
void kit_crash_names(NameTable *out, const hearth_disk *before, uint64_t arrived);

/* Makes `after` what `state` says. */
void kit_crash_make(const hearth_disk *before, hearth_disk *after, const hearth_crash_state *state,
                const hearth_crash_options *options);

#endif
