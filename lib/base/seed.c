#include <time.h>

#ifdef HEARTH_HAVE_GETENTROPY
#include <sys/random.h>
#include <unistd.h>
#endif

#include "hash.h"

uint64_t hash_seed(void) {
#ifdef HEARTH_HAVE_GETENTROPY
  uint64_t seed;
  if (getentropy(&seed, sizeof seed) == 0) return seed;
#endif
  /* As Lua seeds its strings: by the time and by where things are. */
  struct timespec now = {0}, since = {0};
  (void)timespec_get(&now, TIME_UTC);
#ifdef CLOCK_MONOTONIC
  (void)clock_gettime(CLOCK_MONOTONIC, &since);
#endif
  const uint64_t parts[] = {(uint64_t)now.tv_sec,   (uint64_t)now.tv_nsec,    (uint64_t)since.tv_sec,
                            (uint64_t)since.tv_nsec, (uint64_t)(uintptr_t)&now, (uint64_t)(uintptr_t)hash_seed};
  return hash64(parts, sizeof parts, 0);
}
