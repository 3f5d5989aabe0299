/*
** What to do with a file that open refuses as damaged: say what is wrong with it, and
** save what is left into a new one. Neither changes the file or takes its lock.
*/
#ifndef HEARTH_FILE_SALVAGE_H
#define HEARTH_FILE_SALVAGE_H

#include "hearth_environment.h"
#include "inspect.h"

typedef struct SalvageReport {
  LogReport log;        /* what was found in the damaged file */
  uint64_t entries;     /* in the new store */
  uint64_t rescued;     /* values found in the damaged bytes, each whole by its own check */
  uint64_t lost_bytes;  /* damaged bytes that no rescued value accounts for */
  uint64_t tail_bytes;  /* of a torn tail: never acknowledged as durable, not taken over */
  uint64_t broken;      /* batches that are not whole, or not provably: what is left of them was taken, or left out */
} SalvageReport;

/*
** Reads every frame and every value. OK when all is whole (a torn tail is: open cuts it off, and
** `warn`, which may be NULL, is told); else DAMAGED with the first bad position, after telling `warn`
** about each bad place. NOTFOUND, NOTSTORE, VERSION, IO, NOMEM. `env` and `allocator` may be NULL.
*/
hearth_status file_verify(const hearth_environment *env, const hearth_allocator *allocator, const char *path,
                          hearth_warn warn, void *warn_ud, LogReport *report, hearth_error *err);

/*
** Writes what can be read of the store at `from` into a new store at `to`, which must not exist
** (EXISTS). A damaged place loses its deletions, so that deleted entries may be back: `warn` is told of each place.
** With `whole_batches` nothing is taken of a batch that is not whole: half of a transfer is not in it.
** DAMAGED when nothing could be read. NOTFOUND, NOTSTORE, VERSION, FULL, IO, NOMEM; then there is no file `to`.
*/
hearth_status file_salvage(const hearth_environment *env, const hearth_allocator *allocator, const char *from,
                           const char *to, bool whole_batches, hearth_warn warn, void *warn_ud, SalvageReport *report,
                           hearth_error *err);

#endif
