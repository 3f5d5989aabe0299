/*
** A little room kept beside the store. When the disk is full it is given up, so
** that a batch that deletes, or a compaction, can be written.
*/
#include <string.h>

#include "store.h"

#ifndef BALLAST /* tests make it small */
#define BALLAST ((size_t)64 << 10)
#endif
#define STEP ((size_t)4 << 10)

/* Bytes that a file system cannot squeeze. */
static int fill(const hearth_environment *env, hearth_file file) {
  unsigned char bytes[STEP];
  uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
  for (uint64_t at = 0; at < BALLAST; at += STEP) {
    for (size_t i = 0; i < STEP; i++) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      bytes[i] = (unsigned char)(x & 0xff);
    }
    int failure = env->pwrite(env->ud, file, at, bytes, STEP);
    if (failure != 0) return failure;
  }
  return 0;
}

void ballast_make(hearth_backend_store *store) {
  const hearth_environment *env = store->env;
  hearth_file file;
  hearth_file_info info;
  if (store->ballast_tried) return;
  store->ballast_tried = true;
  if (env->stat(env->ud, store->names.ballast, &info) == 0 && info.length == BALLAST) {
    store->ballast_given = false;
    return;
  }
  (void)env->unlink(env->ud, store->names.ballast); /* one that was cut short */
  int failure = env->open(env->ud, store->names.ballast, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file);
  if (failure == 0) {
    failure = fill(env, file);
    int close_failure = env->close(env->ud, file);
    if (failure == 0) failure = close_failure;
    if (failure != 0) (void)env->unlink(env->ud, store->names.ballast);
  }
  if (failure == 0) store->ballast_given = false;
  else
    file_warn(store, "%s: no room could be kept for a full disk: %s", store->names.path, strerror(failure));
}

bool ballast_release(hearth_backend_store *store) {
  bool released = store->env->unlink(store->env->ud, store->names.ballast) == 0;
  if (released) store->ballast_given = true;
  return released;
}
