#include "hash.h"

#ifdef HEARTH_HAVE_GETENTROPY
#include <sys/random.h>
#include <unistd.h>
#endif

#ifdef __EMSCRIPTEN__

HashKey hash_key(void) {
  HashKey key = {0};
  (void)getentropy(&key, sizeof key); /* the JavaScript around it does not fail */
  return key;
}

#else

#include <time.h>

/* As Lua seeds its strings: by the time and by where things are. */
static HashKey key_by_time(void) {
  struct timespec now = {0};
  (void)timespec_get(&now, TIME_UTC);
  const uint64_t parts[] = {(uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)clock(),
                            (uint64_t)(uintptr_t)&now, (uint64_t)(uintptr_t)hash_key};
  return (HashKey){hash64(parts, sizeof parts, 0), hash64(parts, sizeof parts, 1)};
}

HashKey hash_key(void) {
#ifdef HEARTH_HAVE_GETENTROPY
  HashKey key;
  if (getentropy(&key, sizeof key) == 0) return key;
#endif
  return key_by_time();
}

#endif
