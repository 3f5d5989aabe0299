/*
** A disk in memory that behaves as badly as a real one may: any call can be made to
** fail, it can be full, and a power loss keeps what was synced and any part of the rest.
** Which states a power loss may leave, one by one: crash.h.
*/
#ifndef HEARTH_TESTS_DISK_H
#define HEARTH_TESTS_DISK_H

#include "hearth_environment.h"

typedef struct Disk Disk;

/* Which calls a fault strikes. */
typedef enum DiskCalls { DISK_ALL_CALLS, DISK_WRITES, DISK_SYNCS, DISK_READS } DiskCalls;

typedef struct DiskFault {
  DiskCalls which;
  long at;       /* number of the call that fails, counted among its kind from the moment of arming; -1: none */
  int failure;   /* errno value */
  bool for_good; /* and every later one */
  bool half;     /* a write that fails has written its first half */
} DiskFault;

/* Which of the unsynced writes the device has got when a sync fails. The system shows all of them all the same, and
   a second sync answers that all is well. */
typedef enum DiskKeeps { DISK_KEEPS_NONE, DISK_KEEPS_FIRST_HALF, DISK_KEEPS_LAST_HALF, DISK_KEEPS_ALL } DiskKeeps;

/* Called after each call that changed what is there, or what a power loss may leave. Must not change the disk. */
typedef void (*DiskObserver)(void *ud, const Disk *disk);

Disk *disk_new(void);
void disk_free(Disk *disk);
/* As disk_new makes it, its memory kept for reuse. */
void disk_clear(Disk *disk);
const hearth_environment *disk_environment(Disk *disk);

/* Arms a fault; its counting starts anew. */
void disk_arm(Disk *disk, DiskFault fault);
/* Whether the armed fault has struck. */
bool disk_struck(const Disk *disk);
void disk_disarm(Disk *disk);

/* Of writes that a sync fails to bring to the device; at first none. */
void disk_failed_sync(Disk *disk, DiskKeeps keeps);

/* NULL: nobody is called any more. */
void disk_observe(Disk *disk, DiskObserver observer, void *ud);
/* How often it has changed, as an observer would have been told. */
unsigned long disk_steps(const Disk *disk);

/* All files together may have this many bytes; 0: no limit. */
void disk_capacity(Disk *disk, uint64_t bytes);
uint64_t disk_used(const Disk *disk);
void disk_set_clock(Disk *disk, uint64_t milliseconds);
/* Later calls come from this process; only it is alive. */
void disk_set_process(Disk *disk, uint64_t process);
void disk_locks(Disk *disk, bool work);
/* Open files are closed and locks dropped, as when the process is killed. */
void disk_kill_process(Disk *disk);
/* The machine stops: what was not synced is there in part, as `seed` decides. */
void disk_power_loss(Disk *disk, unsigned seed);

/* A file's bytes, the disk's until the next call; NULL: no such file. */
const unsigned char *disk_bytes(const Disk *disk, const char *path, size_t *size);
/* Makes or replaces a file, under the same inode when it is there. */
void disk_put(Disk *disk, const char *path, const void *bytes, size_t size);
void disk_remove(Disk *disk, const char *path);
/* The name of the nth file, NULL when there are fewer. */
const char *disk_name(const Disk *disk, size_t n);

#endif
