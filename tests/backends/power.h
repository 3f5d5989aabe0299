/*
** A store's life on a disk whose power fails at every step: whenever something has changed on the disk, every state
** that a loss may leave is made, opened, and compared with the history. The life goes on as if nothing had happened.
*/
#ifndef HEARTH_TESTS_POWER_H
#define HEARTH_TESTS_POWER_H

#include "hearth_testkit_disk.h"
#include "diskstore.h"
#include "history.h"

#define POWER_BATCHES 250
#define POWER_DEPTH 3 /* losses in a row: in the life, in its recovery, in the recovery of that */

typedef struct PowerBounds { /* what may be found after a loss */
  uint64_t least, most; /* number of the last batch */
  bool made;            /* a store must be there */
  const HistoryState *newest, *before; /* after batch `most`, and the one before; NULL: as in the life */
} PowerBounds;

typedef struct Power {
  DiskStore d;
  uint64_t seed;
  HistoryState states[POWER_BATCHES + 2]; /* after each batch; that of the last one tried is what it would be */
  unsigned variant;     /* of the batches that are tried now */
  uint64_t complete;    /* the last batch that was acknowledged */
  PowerBounds bounds;
  hearth_crash_options options;
  size_t largest;       /* bytes of a value */
  unsigned thin;        /* only each nth state is opened; 1: each */
  unsigned nested;      /* the recovery from each nth loss of the life is interrupted as well; 0: none */
  bool quiet;           /* no loss is tried */
  unsigned long direct; /* losses of the life so far, those that were not opened too */
  bool worse;           /* the device does worse than is assumed: what is missing is told at least */
  bool may_be_busy;     /* files cannot be locked, and the owner file is being written: nobody knows whose it is */
  hearth_disk *after[POWER_DEPTH];
  DiskStore recovered[POWER_DEPTH];
  HistoryBatch batches[POWER_DEPTH + 1]; /* being submitted: by the life, and after each recovery */
  HistoryState next[POWER_DEPTH];
  const hearth_disk *before[POWER_DEPTH];
  const hearth_crash_state *loss[POWER_DEPTH];
  uint64_t *seen;       /* states that were tried already */
  size_t seen_count, seen_room;
  struct {
    unsigned char *data;
    size_t size, room;
  } bytes[POWER_DEPTH]; /* of a store's file before it is opened */
} Power;

typedef struct PowerTotals {
  unsigned long boundaries; /* steps of the disk at which the power failed */
  unsigned long losses;     /* different states that were opened */
  unsigned long nested;     /* of them: losses during recovery */
  unsigned long lost;       /* acknowledged batches that were missing */
  unsigned long wrong;      /* contents that are no prefix of the batches */
  unsigned long tails;      /* torn tails kept */
  unsigned long damaged;    /* on a worse device: stores that say that they are damaged */
  unsigned long told;       /* on a worse device: acknowledged batches are missing, told as a torn tail */
  unsigned long busy;       /* with may_be_busy: stores that nobody opens until the owner file is removed */
} PowerTotals;

extern PowerTotals power_totals;

/* A disk with nothing on it. The Power is large: make it static. */
void power_begin(Power *p, uint64_t seed);
void power_end(Power *p);

void power_open(Power *p);
/* The next batch, `parts` operations at a time; 0: all at once. After FULL it has not happened. */
hearth_status power_batch(Power *p, size_t parts, hearth_durability level);
/* OK, or FULL. */
hearth_status power_compact(Power *p, unsigned keep);
void power_barrier(Power *p);
void power_close(Power *p);
/* The process ends, the system does not: what it had written is in the cache. */
void power_kill(Power *p);

/*
** A life of opening, batches and a compaction that ends before call number `at` to the system, without losses of power
** being tried. False: it has fewer calls.
*/
bool power_killed_life(Power *p, long at);

/* From now on syncs fail, and the device keeps so much: a batch, the store's death, and opening it again. */
void power_failed_sync(Power *p, long nth, hearth_disk_keeps keeps);

/*
** Sync number `nth` of making the store, or of a compaction, fails: 0 is the file's, 1 its
** folder's. It is opened again.
*/
void power_failed_making(Power *p, long nth, hearth_disk_keeps keeps);
void power_failed_compaction(Power *p, unsigned keep, long nth, hearth_disk_keeps keeps);

#endif
