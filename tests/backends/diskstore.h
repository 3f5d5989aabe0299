/* A file store on a simulated disk, with what its warn said. */
#ifndef HEARTH_TESTS_DISKSTORE_H
#define HEARTH_TESTS_DISKSTORE_H

#include "hearth_testkit_disk.h"
#include "hearth_backend.h"
#include "testing.h"

#define PLACE "/world.hearth"

typedef struct DiskStore {
  hearth_disk *disk;
  hearth_backend_store *store;
  Counting memory;
  hearth_error err;
  char warning[1024]; /* the last one */
  int warnings;
} DiskStore;

static inline void diskstore_warn(void *ud, const char *message) {
  DiskStore *d = ud;
  (void)snprintf(d->warning, sizeof d->warning, "%s", message);
  d->warnings++;
}

static inline void diskstore_init(DiskStore *d) {
  memset(d, 0, sizeof *d);
  d->disk = hearth_disk_new();
  d->memory.fail_at = -1;
}

static inline hearth_status diskstore_open(DiskStore *d, unsigned flags) {
  hearth_backend_config config = {.size = sizeof config, .location = PLACE, .flags = flags,
                                  .allocator = counting_allocator(&d->memory),
                                  .environment = hearth_disk_environment(d->disk), .warn = diskstore_warn,
                                  .warn_ud = d};
  hearth_status status = hearth_file_backend.open(&config, &d->store, &d->err);
  assert_int_equal(status, d->err.code);
  assert_int_equal(status == HEARTH_OK, d->store != NULL);
  if (status != HEARTH_OK) assert_int_equal(d->memory.bytes, 0);
  return status;
}

static inline hearth_status diskstore_close(DiskStore *d) {
  hearth_status status = hearth_file_backend.close(d->store, &d->err);
  d->store = NULL;
  assert_int_equal(d->memory.bytes, 0);
  return status;
}

static inline hearth_backend_stat diskstore_stat(DiskStore *d) {
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_file_backend.stat(d->store, &stat, &d->err), HEARTH_OK);
  return stat;
}

/* The process ends without closing anything: what it held in memory is freed, the disk sees nothing of it. */
static inline void diskstore_kill(DiskStore *d) {
  hearth_disk_arm(d->disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, 0, 5 /* EIO */, true, false});
  if (d->store != NULL) (void)diskstore_close(d);
  hearth_disk_disarm(d->disk);
  hearth_disk_kill_process(d->disk);
}

static inline void diskstore_done(DiskStore *d) {
  if (d->store != NULL) (void)diskstore_close(d);
  hearth_disk_free(d->disk);
}

#endif
