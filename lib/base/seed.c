#include "hash.h"

#ifdef HEARTH_HAVE_GETENTROPY
#include <sys/random.h>
#include <unistd.h>
#endif

#ifdef __EMSCRIPTEN__

uint64_t hash_seed(void) {
  uint64_t seed = 0;
  (void)getentropy(&seed, sizeof seed); /* the JavaScript around it does not fail */
  return seed;
}

#else

#include <time.h>

/* As Lua seeds its strings: by the time and by where things are. */
static uint64_t seed_by_time(void) {
  struct timespec now = {0};
  (void)timespec_get(&now, TIME_UTC);
  const uint64_t parts[] = {(uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)clock(),
                            (uint64_t)(uintptr_t)&now, (uint64_t)(uintptr_t)hash_seed};
  return hash64(parts, sizeof parts, 0);
}

uint64_t hash_seed(void) {
#ifdef HEARTH_HAVE_GETENTROPY
  uint64_t seed;
  if (getentropy(&seed, sizeof seed) == 0) return seed;
#endif
  return seed_by_time();
}

#endif
