/*
** What a backend needs of the outside world: files, a clock, randomness and
** processes. Tests put their own table here to inject faults and to make
** bytes repeatable; a host may do so to keep its files elsewhere.
**
** Functions that can fail answer 0 or a positive errno value (ENOENT, EEXIST,
** ENOSPC, EIO, ...). Texts and bytes passed in are borrowed until the call
** returns. A table is used by one thread at a time per store.
*/
#ifndef HEARTH_ENVIRONMENT_H
#define HEARTH_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hearth_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_FILE_WRITE 0x1u     /* for reading and writing; else for reading alone */
#define HEARTH_FILE_EXCLUSIVE 0x2u /* make it; EEXIST when something has that name already */
#define HEARTH_FILE_PRIVATE 0x4u   /* with EXCLUSIVE: nobody else may open it. Only where the table has `like` */

#define HEARTH_BOOT_SIZE 64 /* bytes for a boot id, its final '\0' included */

typedef intptr_t hearth_file; /* an open file, as the environment numbers it */

typedef struct hearth_file_info {
  uint64_t device, inode; /* together they say which file it is, whatever its name */
  uint64_t length;        /* bytes */
  bool regular;           /* a plain file, neither a folder nor a device */
  bool folder;            /* a folder */
} hearth_file_info;

/* Fields are only ever added at the end; `size` tells which are there. None but `like` is NULL. */
typedef struct hearth_environment {
  size_t size; /* sizeof(struct hearth_environment) of who defined it */
  void *ud;    /* passed first to every function */

  /* Opens a file, as HEARTH_FILE_... say; *out is the caller's to close, and set only by success. */
  int (*open)(void *ud, const char *path, unsigned flags, hearth_file *out);

  /* Gives the file back, also where it fails: nothing may be done with it afterwards. */
  int (*close)(void *ud, hearth_file file);

  /* Reads until `size` bytes or the end of the file; *got says how many came. */
  int (*pread)(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got);

  /* Writes all, or fails; then part of the bytes may be in the file. */
  int (*pwrite)(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size);

  /* Returns when the file's bytes and length are on the device. */
  int (*sync)(void *ud, hearth_file file);

  /* Returns when the names in a folder are on the device. */
  int (*sync_folder)(void *ud, const char *path);

  /* Makes a file that long; what is new of it is zeros. */
  int (*truncate)(void *ud, hearth_file file, uint64_t length);

  /* What has that name, a link being followed; ENOENT: nothing has. */
  int (*stat)(void *ud, const char *path, hearth_file_info *info);
  int (*file_stat)(void *ud, hearth_file file, hearth_file_info *info); /* what is open, whatever its name is now */

  int (*rename)(void *ud, const char *from, const char *to); /* replaces `to` atomically */
  int (*unlink)(void *ud, const char *path);                 /* takes the name away; what is open stays so */

  /*
  ** The one true name of what exists at `path`, with its '\0', at most `size` bytes; ENAMETOOLONG when it needs more.
  */
  int (*realpath)(void *ud, const char *path, char *out, size_t size);

  /*
  ** Locks an open file for this opener alone, without waiting: EAGAIN when
  ** another opener (of this process or another) holds it, ENOTSUP where files
  ** cannot be locked. Closing the file, or the end of the process, unlocks it.
  */
  int (*lock)(void *ud, hearth_file file);
  int (*unlock)(void *ud, hearth_file file); /* ends that, with the file still open */

  uint64_t (*clock)(void *ud);                       /* milliseconds since 1970 */
  int (*random)(void *ud, void *bytes, size_t size); /* fills it with bytes that nobody can guess */

  uint64_t (*process)(void *ud);                      /* this process's number */
  int (*boot)(void *ud, char out[HEARTH_BOOT_SIZE]);  /* names the running system: another one after a restart */
  bool (*alive)(void *ud, uint64_t process);          /* does that process run now? true when in doubt */

  /*
  ** Gives a file the permissions of another, and its owner and group as far as the system lets this process. Whoever
  ** may not open `model` may not open `file` afterwards. NULL, or not there: files have no permissions.
  */
  int (*like)(void *ud, hearth_file file, hearth_file model);
} hearth_environment;

/* The operating system's. Static. */
HEARTH_API extern const hearth_environment hearth_system_environment;

#ifdef __cplusplus
}
#endif

#endif
