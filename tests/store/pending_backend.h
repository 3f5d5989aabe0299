/*
** An asynchronous backend for tests: what a real one does between calls, the test does by hand. Batches are accepted
** at once and become complete, or fail, when the test says so, in any order; what they changed can be undone.
**
** The location is the address of a PendingDisk as %p prints it; the disk outlives openings.
*/
#ifndef HEARTH_TESTS_PENDING_BACKEND_H
#define HEARTH_TESTS_PENDING_BACKEND_H

#include "hearth_backend.h"
#include "map.h"

typedef struct PendingBatch PendingBatch;

typedef struct PendingDisk {
  Map map;                /* complete, overlaid by pending */
  PendingBatch *first, *last; /* pending, in order */
  uint64_t sequence, durable; /* as in hearth_backend_stat */
  uint64_t accepted;      /* the last batch's number */
  uint64_t wanted;        /* asked to be durable up to this batch */
  PendingBatch *part;     /* the batch that is being submitted */
  hearth_status failure;  /* of a batch, a barrier or a compaction, not told yet; 0: none */
  bool lost;              /* by that failure what is pending is lost */
  bool compacting;        /* compact answered PENDING */
  bool slow_compaction;   /* compact shall */
  bool dead, open;
  size_t batches;         /* accepted since init */
  size_t submits, fail_at; /* calls of submit; the one (from 0) that fails at once with FULL */
} PendingDisk;

void pending_disk_init(PendingDisk *d);
void pending_disk_free(PendingDisk *d);

/* How many batches are pending and no failure is decided for. */
size_t pending_disk_count(const PendingDisk *d);

/* The nth pending batch (from 0) is written; it is complete as soon as those before it are. */
void pending_disk_complete(PendingDisk *d, size_t n);

/* It fails; poll tells that as soon as those before it are complete. */
void pending_disk_fail(PendingDisk *d, size_t n, hearth_status failure);

/* What is complete is durable, if that was asked for / fails to be. */
void pending_disk_flush(PendingDisk *d);
void pending_disk_fail_flush(PendingDisk *d);

/* The compaction that goes on is done: OK or a failure. */
void pending_disk_compacted(PendingDisk *d, hearth_status status);

/* While nobody has it open: what is pending becomes complete / is lost, as after a crash. */
void pending_disk_finish(PendingDisk *d);
void pending_disk_crash(PendingDisk *d);

extern const hearth_backend pending_backend;

#endif
