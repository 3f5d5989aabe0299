/*
** The states that a power loss may leave on a disk.
**
** What was synced is there. Of what was not, any part may be, in any order: each write whole, or some of its sectors,
** and in place of those that did not arrive the old bytes, zeros, garbage or what was there once; truncations likewise.
** A file may be as long as after all its writes before their bytes are there, or as short as before while those inside
** it are. Names that were made, moved or removed since the folder was synced may be as before, a later change without
** an earlier one too, unless both concern one name.
**
** What is assumed of the device, unless CrashOptions say otherwise: a write damages no bytes beside its own (SQLite
** calls it powersafe overwrite), and writing bytes that stand there already leaves them.
*/
#ifndef HEARTH_TESTS_CRASH_H
#define HEARTH_TESTS_CRASH_H

#include "disk.h"

/* What stands where a sector did not arrive: as before; zeros; garbage; what the device had at this place of the file
   at an earlier time, when the file has been cut since and its blocks are given to it once more. */
typedef enum CrashFill { CRASH_OLD, CRASH_ZEROS, CRASH_GARBAGE, CRASH_STALE } CrashFill;

typedef enum CrashLength {
  CRASH_LENGTH_FOLLOWS, /* as long as what arrived makes it */
  CRASH_LENGTH_AHEAD,   /* as after all writes; what did not arrive behind the old end is as `fill` says, or zeros */
  CRASH_LENGTH_BEHIND   /* not longer than it was synced */
} CrashLength;

/* What becomes of the unsynced writes of one file; of more than 64 the older ones have arrived. */
typedef struct CrashFate {
  uint64_t kept;      /* bit n: the nth write arrived */
  size_t torn;        /* this one in part; SIZE_MAX: none */
  uint64_t from, to;  /* its bytes at these offsets of the file did not arrive */
  bool scattered;     /* instead: each sector of each write arrived or did not, as `seed` decides */
  CrashFill fill;     /* scattered: the worst that is met */
  CrashLength length;
  uint64_t sector;    /* bytes; damage comes in whole sectors */
  uint64_t seed;      /* of garbage too */
} CrashFate;

typedef struct CrashState {
  uint64_t names;     /* bit n: the nth change of a name arrived; of more than 64 the older ones have */
  size_t subject;     /* the file, by the disk's own number, that has this fate; SIZE_MAX: none has */
  CrashFate fate;
  CrashFate others;   /* what becomes of the other files */
} CrashState;

typedef struct CrashOptions {
  size_t whole;       /* so many writes of one file: every subset of them; of more, a choice */
  size_t samples;     /* random states on top, of all files at once */
  uint64_t sectors[4]; /* sizes of sectors to tear writes at, 0 behind the last */
  uint64_t seed;
  bool spills;        /* only: each write leaves garbage in the whole sectors that it touches */
  bool rewrites;      /* writing bytes that stand there already may damage them like others */
  /* Is it worth trying everything with that file? NULL: with all. */
  bool (*matters)(const char *path);
} CrashOptions;

/* `after` is the disk when the power is back; whoever is called may do with it what he likes until he returns. */
typedef void (*CrashFound)(void *ud, Disk *after, const CrashState *state);

/* Calls `found` with the states, again and again with the disk `after`. */
void crash_each(const Disk *before, Disk *after, const CrashOptions *options, CrashFound found, void *ud);

/* Calls it with `count` random ones. */
void crash_some(const Disk *before, Disk *after, const CrashOptions *options, CrashFound found, void *ud);

/* What happened, for people. */
void crash_tell(const Disk *before, const CrashState *state, char *out, size_t size);

/* A number for all names and bytes of a disk; equal disks have equal ones. */
uint64_t crash_digest(const Disk *disk);

#endif
