/*
** The testkit's disk: files in memory that behave as badly as real ones may.
**
** A backend that does all its input and output through hearth_environment runs on it unchanged. Any call can be made to
** fail, the disk can be full, and when the power fails it keeps what was synced and any part of the rest:
** hearth_crash_each makes the states that a loss may leave, one by one.
**
** Names are whole paths: there are no folders that must be made first, "/" exists, and sync_folder brings the names of
** every folder to the device. At most 1,000 names, of at most 127 bytes (ENAMETOOLONG), and 64 open files (EMFILE).
** Unless its owner says otherwise the clock stands at 1,700,000,000,000 ms, the process is number 1000, and randomness
** is a fixed sequence, so that bytes are repeatable. A file that is used after it was closed ends the program (abort),
** and so does want of memory. A disk is used by one thread at a time.
*/
#ifndef HEARTH_TESTKIT_DISK_H
#define HEARTH_TESTKIT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hearth_environment.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hearth_disk hearth_disk;

/* An empty disk, to be freed with hearth_disk_free. */
HEARTH_API hearth_disk *hearth_disk_new(void);
HEARTH_API void hearth_disk_free(hearth_disk *disk);

/* As hearth_disk_new makes it, its memory kept for reuse. No observer, no fault, no limit. */
HEARTH_API void hearth_disk_clear(hearth_disk *disk);

/* What hearth_backend_config.environment takes; the disk's, until it is freed. */
HEARTH_API const hearth_environment *hearth_disk_environment(hearth_disk *disk);

/* ---------------------------------------------------------------- faults */

/* Which calls a fault strikes. */
typedef enum hearth_disk_calls {
  HEARTH_DISK_ALL_CALLS, /* each that can fail */
  HEARTH_DISK_WRITES,    /* pwrite, truncate */
  HEARTH_DISK_SYNCS,     /* sync, sync_folder */
  HEARTH_DISK_READS      /* pread */
} hearth_disk_calls;

typedef struct hearth_disk_fault {
  hearth_disk_calls which; /* those that are counted and may fail */
  long at;       /* number of the call that fails, counted among its kind from the moment of arming; -1: none */
  int failure;   /* errno value */
  bool for_good; /* and every later one */
  bool half;     /* a write that fails has written its first half */
} hearth_disk_fault;

/* Arms a fault; its counting starts anew. */
HEARTH_API void hearth_disk_arm(hearth_disk *disk, hearth_disk_fault fault);
/* Whether the armed fault has struck. */
HEARTH_API bool hearth_disk_struck(const hearth_disk *disk);
HEARTH_API void hearth_disk_disarm(hearth_disk *disk);

/* Which of the unsynced writes the device has got when a sync of a file fails. The system shows all of them all the
   same, and a second sync answers that all is well. A sync of a folder that failed may be repeated: names are kept by a
   journal, and after a write to that has failed ext4, XFS and their like accept no changes any more and fail each
   further sync, so that none says that all is well although names are missing. */
typedef enum hearth_disk_keeps {
  HEARTH_DISK_KEEPS_NONE, /* at first */
  HEARTH_DISK_KEEPS_FIRST_HALF,
  HEARTH_DISK_KEEPS_LAST_HALF,
  HEARTH_DISK_KEEPS_ALL
} hearth_disk_keeps;

/* Says it for the syncs that fail from now on. */
HEARTH_API void hearth_disk_failed_sync(hearth_disk *disk, hearth_disk_keeps keeps);

/* All files together may have this many bytes; 0: no limit. What does not fit is ENOSPC, and what fits is written. */
HEARTH_API void hearth_disk_capacity(hearth_disk *disk, uint64_t bytes);
/* Bytes of all files; unlinked ones count while they are open. */
HEARTH_API uint64_t hearth_disk_used(const hearth_disk *disk);

/* What the environment's clock says from now on: milliseconds since 1970. It stands still. */
HEARTH_API void hearth_disk_set_clock(hearth_disk *disk, uint64_t milliseconds);
/* Later calls come from this process; only it is alive. */
HEARTH_API void hearth_disk_set_process(hearth_disk *disk, uint64_t process);
/* Whether files can be locked; if not, lock answers ENOTSUP. At first they can. */
HEARTH_API void hearth_disk_locks(hearth_disk *disk, bool work);
/* Open files are closed and locks dropped, as when the process is killed. What was written stays. */
HEARTH_API void hearth_disk_kill_process(hearth_disk *disk);
/* The machine stops: open files are closed, and what was not synced is there in part, as `seed` decides. */
HEARTH_API void hearth_disk_power_loss(hearth_disk *disk, unsigned seed);

/* --------------------------------------------------------------- looking */

/* A file's bytes, the disk's until the next call; NULL: no such file. */
HEARTH_API const unsigned char *hearth_disk_bytes(const hearth_disk *disk, const char *path, size_t *size);
/* Makes or replaces a file, under the same inode when it is there; it is on the device at once. */
HEARTH_API void hearth_disk_put(hearth_disk *disk, const char *path, const void *bytes, size_t size);
HEARTH_API void hearth_disk_remove(hearth_disk *disk, const char *path);
/* The name of the nth file (from 0), in no order; NULL when there are fewer. */
HEARTH_API const char *hearth_disk_name(const hearth_disk *disk, size_t n);

/* Called after each call that changed what is there, or what a power loss may leave. Must not change the disk. */
typedef void (*hearth_disk_observer)(void *ud, const hearth_disk *disk);

/* NULL: nobody is called any more. */
HEARTH_API void hearth_disk_observe(hearth_disk *disk, hearth_disk_observer observer, void *ud);
/* How often it has changed, as an observer would have been told. */
HEARTH_API unsigned long hearth_disk_steps(const hearth_disk *disk);

/* ------------------------------------------------------------ power losses */

/*
** The states that a power loss may leave on a disk.
**
** What was synced is there. Of what was not, any part may be, in any order: each write whole, or some of its sectors,
** and in place of those that did not arrive the old bytes, zeros, garbage or what was there once; truncations likewise.
** A file may be as long as after all its writes before their bytes are there, or as short as before while those inside
** it are. Names that were made, moved or removed since the folder was synced may be as before, a later change without
** an earlier one too, unless both concern one name.
**
** What is assumed of the device, unless hearth_crash_options say otherwise: a write damages no bytes beside its own
** (SQLite calls it powersafe overwrite), and writing bytes that stand there already leaves them.
*/

/* What stands where a sector did not arrive. */
typedef enum hearth_crash_fill {
  HEARTH_CRASH_OLD,     /* as before */
  HEARTH_CRASH_ZEROS,
  HEARTH_CRASH_GARBAGE,
  HEARTH_CRASH_STALE    /* what the device had at this place of the file at an earlier time, when the file has been cut
                           since and its blocks are given to it once more */
} hearth_crash_fill;

typedef enum hearth_crash_length {
  HEARTH_CRASH_LENGTH_FOLLOWS, /* as long as what arrived makes it */
  HEARTH_CRASH_LENGTH_AHEAD,   /* as after all writes; what did not arrive behind the old end is as `fill` says, or
                                  zeros */
  HEARTH_CRASH_LENGTH_BEHIND   /* not longer than it was synced */
} hearth_crash_length;

/* What becomes of the unsynced writes of one file; of more than 64 the older ones have arrived. */
typedef struct hearth_crash_fate {
  uint64_t kept;      /* bit n: the nth write arrived */
  size_t torn;        /* this one in part; SIZE_MAX: none */
  uint64_t from, to;  /* its bytes at these offsets of the file did not arrive */
  bool scattered;     /* instead: each sector of each write arrived or did not, as `seed` decides */
  hearth_crash_fill fill; /* scattered: the worst that is met */
  hearth_crash_length length; /* how long the file is afterwards */
  uint64_t sector;    /* bytes; damage comes in whole sectors */
  uint64_t seed;      /* of garbage too */
} hearth_crash_fate;

typedef struct hearth_crash_state {
  uint64_t names;     /* bit n: the nth change of a name arrived; of more than 64 the older ones have */
  size_t subject;     /* the file, by the disk's own number, that has this fate; SIZE_MAX: none has */
  hearth_crash_fate fate;   /* what becomes of that file */
  hearth_crash_fate others; /* what becomes of the other files */
} hearth_crash_state;

typedef struct hearth_crash_options {
  size_t whole;       /* so many writes of one file, at most 16: every subset of them; of more, a choice */
  size_t samples;     /* random states on top, of all files at once */
  uint64_t sectors[4]; /* sizes of sectors to tear writes at, in bytes; at least one, 0 behind the last */
  uint64_t seed;      /* of all that is chosen: the same one gives the same states */
  bool spills;        /* only: each write leaves garbage in the whole sectors that it touches */
  bool rewrites;      /* writing bytes that stand there already may damage them like others */
  /* Is it worth trying everything with that file? NULL: with all. */
  bool (*matters)(const char *path);
} hearth_crash_options;

/* `after` is the disk when the power is back, and another boot; the callback may do with it what it likes. */
typedef void (*hearth_crash_found)(void *ud, hearth_disk *after, const hearth_crash_state *state);

/*
** Calls `found` with the states that a loss at this moment may leave, each time with the disk `after`, which is the
** caller's and is overwritten. It may be called from an observer of `before`, which goes on unharmed.
*/
HEARTH_API void hearth_crash_each(const hearth_disk *before, hearth_disk *after, const hearth_crash_options *options,
                                  hearth_crash_found found, void *ud);

/* Calls it with options->samples random ones. */
HEARTH_API void hearth_crash_some(const hearth_disk *before, hearth_disk *after, const hearth_crash_options *options,
                                  hearth_crash_found found, void *ud);

/* What happened, for people: one line into `out`, of at most `size` bytes with its end. */
HEARTH_API void hearth_crash_tell(const hearth_disk *before, const hearth_crash_state *state, char *out, size_t size);

/* A number for all names and bytes of a disk; equal disks have equal ones. */
HEARTH_API uint64_t hearth_crash_digest(const hearth_disk *disk);

#ifdef __cplusplus
}
#endif

#endif
