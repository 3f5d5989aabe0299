/*
** SQLite's way to its files, with faults: any call can fail or be the last one of the process, and what was synced is
** kept in a shadow beside each file, so that a power loss can be made of it.
*/
#ifndef HEARTH_TESTS_SQLITE_VFS_H
#define HEARTH_TESTS_SQLITE_VFS_H

#include <stdbool.h>

typedef enum VfsCalls { VFS_ALL_CALLS, VFS_WRITES, VFS_SYNCS, VFS_READS } VfsCalls;

typedef struct VfsFault {
  VfsCalls which;
  long at;       /* number of the call that fails, counted among its kind from the moment of arming; -1: none */
  int failure;   /* SQLite's code, or 0: the process is killed */
  bool for_good; /* and every later one */
} VfsFault;

/* From now on SQLite's files are ours, in this process. */
void vfs_install(void);
void vfs_uninstall(void);

void vfs_arm(VfsFault fault);
/* Whether the armed fault has struck; disarms it. */
bool vfs_struck(void);

/* Keeps, from now on, what a sync brings to the device: FILE.synced beside each FILE. */
void vfs_keep_synced(bool keep);

/* Are there writes to the file at `path` that were not synced? */
bool vfs_has_unsynced(const char *path);

/*
** After a process that kept what it synced is gone: each sector of the database and of its log at `path` is what was
** synced, or what was written since, as `seed` decides (0: nothing that was not synced is there).
*/
void vfs_power_loss(const char *path, unsigned seed);

#endif
