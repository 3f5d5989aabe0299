/*
** The seal by libsodium: keyed BLAKE2b.
*/
#include "hearth.h"

#ifdef HEARTH_HAVE_SODIUM

#include <sodium.h>

static int keyed_blake2b(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  return crypto_generichash(out, HEARTH_SEAL_SIZE, bytes, size, ud, 32);
}

hearth_status hearth_sodium_seal(const unsigned char key[32], hearth_seal *out) {
  if (sodium_init() < 0) return HEARTH_UNSUPPORTED;
  out->hash = keyed_blake2b;
  out->ud = (void *)(uintptr_t)key; /* hash only reads it */
  return HEARTH_OK;
}

#else

hearth_status hearth_sodium_seal(const unsigned char key[32], hearth_seal *out) {
  (void)key;
  (void)out;
  return HEARTH_UNSUPPORTED;
}

#endif
