/*
** Something that happens in the middle of an operation: a simulated disk's calls go through hooks, which may change
** the disk right then, or answer in its place.
*/
#ifndef HEARTH_TESTS_MEDDLER_H
#define HEARTH_TESTS_MEDDLER_H

#include "hearth_testkit_disk.h"

/* A hook is called before its call and answers 0, or the errno value that the call answers; NULL: none. */
typedef struct Meddler {
  hearth_environment base; /* the disk's own calls */
  long calls;              /* of hooks so far, for them to count */
  int (*open)(const char *path, unsigned flags);
  int (*pread)(uint64_t offset, size_t size);
  int (*lock)(void);
  void (*unlocked)(void);                   /* after the call */
  int (*boot)(void);
  int (*unlink)(const char *path);
  int (*sync_folder)(const char *path);
  int (*stat)(hearth_file_info *info);      /* after the call: it may change what is said */
  int (*file_stat)(hearth_file_info *info); /* the same */
} Meddler;

static Meddler meddler;

static int meddled_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  int failure = meddler.open != NULL ? meddler.open(path, flags) : 0;
  return failure != 0 ? failure : meddler.base.open(ud, path, flags, out);
}

static int meddled_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  int failure = meddler.pread != NULL ? meddler.pread(offset, size) : 0;
  *got = 0;
  return failure != 0 ? failure : meddler.base.pread(ud, file, offset, bytes, size, got);
}

static int meddled_lock(void *ud, hearth_file file) {
  int failure = meddler.lock != NULL ? meddler.lock() : 0;
  return failure != 0 ? failure : meddler.base.lock(ud, file);
}

static int meddled_unlock(void *ud, hearth_file file) {
  int failure = meddler.base.unlock(ud, file);
  if (meddler.unlocked != NULL) meddler.unlocked();
  return failure;
}

static int meddled_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  int failure = meddler.boot != NULL ? meddler.boot() : 0;
  return failure != 0 ? failure : meddler.base.boot(ud, out);
}

static int meddled_unlink(void *ud, const char *path) {
  int failure = meddler.unlink != NULL ? meddler.unlink(path) : 0;
  return failure != 0 ? failure : meddler.base.unlink(ud, path);
}

static int meddled_sync_folder(void *ud, const char *path) {
  int failure = meddler.sync_folder != NULL ? meddler.sync_folder(path) : 0;
  return failure != 0 ? failure : meddler.base.sync_folder(ud, path);
}

static int meddled_stat(void *ud, const char *path, hearth_file_info *info) {
  int failure = meddler.base.stat(ud, path, info);
  return failure == 0 && meddler.stat != NULL ? meddler.stat(info) : failure;
}

static int meddled_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  int failure = meddler.base.file_stat(ud, file, info);
  return failure == 0 && meddler.file_stat != NULL ? meddler.file_stat(info) : failure;
}

/* From now on the disk's calls go through the hooks, of which there are none yet. */
static inline void meddle(hearth_disk *disk) {
  hearth_environment *env = (hearth_environment *)(uintptr_t)hearth_disk_environment(disk);
  meddler = (Meddler){.base = *env};
  env->open = meddled_open;
  env->pread = meddled_pread;
  env->lock = meddled_lock;
  env->unlock = meddled_unlock;
  env->boot = meddled_boot;
  env->unlink = meddled_unlink;
  env->sync_folder = meddled_sync_folder;
  env->stat = meddled_stat;
  env->file_stat = meddled_file_stat;
}

/* No hooks any more. */
static inline void meddle_no_more(void) {
  meddler = (Meddler){.base = meddler.base};
}

#endif
