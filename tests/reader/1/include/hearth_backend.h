/*
** The contract between a store and what stores its bytes.
**
** A backend keeps (table number, key) -> value, all bytes to it, and commits
** batches atomically. It knows no Lua. Keys of one table are ordered by
** memcmp, a shorter key before a longer one that it begins.
**
** Ownership: bytes passed in are borrowed until the call returns; bytes
** passed out are valid during the callback. Limits: a key has at most 1,024
** bytes, a table number is at most 2^53, a value at most 2^31 - 1 bytes.
**
** The contract of a batch:
** 1. all or nothing, its checks included. A batch may come in parts; the
**    last part commits it. Parts without their last are ignored.
** 2. Batches are numbered by one. When N is durable, so is every earlier one.
** 3. Three levels: visible (readable), complete (survives the process),
**    durable (flushed to the device).
** 4. After NOMEM, TOOBIG, CONFLICT or BUSY the store is unchanged and usable.
** 5. After FULL nothing was written, and the batch can be retried.
** 6. After IO the store is dead: every later call but close answers DEAD. Whether the batch is there when it is opened
**    again is open; if it is, it is whole, and so is every earlier one. Not dead is a read-only opener, which
**    has nothing to lose: the call may be tried again, and until a refresh succeeds it shows what it showed.
**    Whoever lost the store to another writer, who got around rule 7, is dead too: the call answers DEAD where it is
**    known that the batch is not there, else IO. CONFLICT is for checks alone.
** 7. A second opener gets BUSY; a read-only opener takes no lock.
**
** An asynchronous backend keeps the same contract in two steps: submit accepts a batch, and it becomes complete, or
** fails, later.
** - A batch has its number from the moment that submit accepts it: one more than the batch accepted before it, pending
**   or complete. Batches become complete in the order of their numbers; stat.sequence is the last complete one.
** - get, scan, tables, and the checks of later batches see what is complete, overlaid by every batch that is pending.
** - If a pending batch fails, every batch stacked on it fails with it. The failure is told by poll, once, and not
**   before all batches below the failed one are complete, so that nothing is pending once it was told. Only then does
**   it take effect: the failed batches are forgotten, get, scan and tables see what is complete, stat.sequence is the
**   last complete batch, and the next batch gets the number behind that. Up to then reads see what they saw, and
**   submit, barrier and compact answer BUSY and change nothing.
** - What failed was: FULL, NOMEM, TOOBIG, CONFLICT (the store is usable, the batches can be submitted again), or IO,
**   after which the store is dead, as above; if it was dead for another reason, poll answers DEAD, now and later.
** - Nothing becomes complete or fails during a call; a backend is told by its host between calls. close does not wait:
**   what was submitted is still being written, and what becomes of it is not told any more.
*/
#ifndef HEARTH_BACKEND_H
#define HEARTH_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

#include "hearth_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_BACKEND_ABI 1                 /* hearth_backend.abi of a backend that is compiled with this header */
#define HEARTH_MAX_KEY 1024                  /* bytes of a key, at most */
#define HEARTH_MAX_VALUE 0x7fffffff          /* bytes of a value, at most */
#define HEARTH_MAX_TABLE ((uint64_t)1 << 53) /* the greatest table number */

typedef enum hearth_durability {
  HEARTH_DEFAULT_DURABILITY = 0, /* the best that the backend offers */
  HEARTH_VISIBLE = 1,            /* readable by this process */
  HEARTH_COMPLETE = 2,           /* survives the process, not a power loss */
  HEARTH_DURABLE = 3             /* flushed to the device */
} hearth_durability;

/* Flags for hearth_backend_config.flags. */
#define HEARTH_OPEN_READONLY 0x1u   /* take no lock, write nothing */
#define HEARTH_OPEN_NO_CREATE 0x2u  /* NOTFOUND where nothing is */
#define HEARTH_OPEN_EXCLUSIVE 0x4u  /* EXISTS where something is */

struct hearth_environment; /* input, output, clock and randomness: hearth_environment.h */

typedef struct hearth_backend_config {
  size_t size;                /* sizeof(hearth_backend_config), set by the caller */
  const char *location;       /* a path or a name, as after the URI's colon; may be NULL for memory */
  unsigned flags;             /* HEARTH_OPEN_... */
  hearth_allocator allocator; /* all memory of the store; alloc NULL: the C library's */
  const struct hearth_environment *environment; /* NULL: the operating system's; borrowed until close */
  hearth_warn warn;           /* NULL: silent; e.g. a torn tail that was cut off */
  void *warn_ud;              /* passed first to warn */
  void *ud;                   /* what the host gives a backend of its own; the library's backends do not look at it */
  /* Only for a backend with `history`; who opens another one answers UNSUPPORTED himself. */
  uint64_t at;                /* with READONLY: what was there after this batch; 0: what is there now */
  unsigned keep;              /* what compaction that starts by itself keeps, as for compact */
} hearth_backend_config;

typedef enum hearth_op_kind {
  HEARTH_PUT = 1,          /* table, key, value */
  HEARTH_DEL = 2,          /* table, key; no error when absent */
  HEARTH_DROP = 3,         /* table: every key of it */
  HEARTH_CHECK_EQUAL = 4,  /* table, key, value: CONFLICT unless equal (before this batch) */
  HEARTH_CHECK_ABSENT = 5  /* table, key: CONFLICT if there (before this batch) */
} hearth_op_kind;

/* One step of a batch. The fields that its kind does not name are not looked at. */
typedef struct hearth_op {
  hearth_op_kind kind; /* what is done, and with which of the others */
  uint64_t table;      /* any number is one; none is made before it has an entry */
  const void *key;     /* borrowed until the call returns, as `value` */
  size_t key_size;     /* bytes; 0 is a key like any other */
  const void *value;   /* what the key gets, or is compared with */
  size_t value_size;   /* bytes; may be 0 */
} hearth_op;

/* Flags for submit. A part that fails abandons its whole batch, which then starts again at its first part. */
#define HEARTH_BATCH_MORE 0x1u /* a part: more parts of this batch follow; the last has not this flag */
#define HEARTH_BATCH_ABANDON 0x2u /* forget the parts submitted so far; count must be 0 */

/* Called for a value or an entry that was found. A non-zero result ends a scan and is its result. */
typedef int (*hearth_found)(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                            size_t value_size);

typedef struct hearth_backend_stat {
  size_t size;              /* sizeof(hearth_backend_stat), set by the caller */
  uint64_t sequence;        /* number of the last complete batch; 0: none yet */
  uint64_t durable;         /* number of the last batch known durable */
  uint64_t entries;         /* entries that can be read */
  uint64_t live_bytes;      /* bytes of keys and values that can be read */
  uint64_t total_bytes;     /* bytes that the store occupies where it is */
  uint64_t index_bytes;     /* memory that the backend keeps for itself */
  uint64_t synced;          /* how often the device was asked to flush, since open */
  uint64_t written;         /* bytes written since open */
} hearth_backend_stat;

/* A batch that can still be opened. */
typedef struct hearth_batch {
  size_t size;              /* sizeof(hearth_batch) of who fills it */
  uint64_t sequence;        /* its number, as submit gave it */
  uint64_t time;            /* when it was committed, milliseconds since 1970; 0: not known */
  uint64_t bytes;           /* that it takes where it is */
  uint64_t operations;      /* that it takes: of what compaction made one batch, a PUT for each entry */
} hearth_batch;

/* Valid during the call. A non-zero result ends the list and is its result. */
typedef int (*hearth_batch_found)(void *ud, const hearth_batch *batch);

typedef struct hearth_backend_store hearth_backend_store; /* defined by each backend */

/*
** One backend. Fields are only ever added at the end; `size` tells a caller
** which are there. Every function returns a status and fills `err` (which may
** be NULL) on failure. One store is used by one thread at a time.
*/
typedef struct hearth_backend {
  size_t size;                      /* sizeof(hearth_backend) of who defined it */
  unsigned abi;                     /* HEARTH_BACKEND_ABI */
  const char *name;                 /* the URI's scheme: "file" */
  hearth_durability max_durability; /* the best level it can deliver */

  /* Opens or creates. NOTFOUND, EXISTS, NOTSTORE, BUSY, DAMAGED, VERSION, READONLY, IO, NOMEM. */
  hearth_status (*open)(const hearth_backend_config *config, hearth_backend_store **out, hearth_error *err);

  /* Releases everything; never fails to release, but says if a last write failed. */
  hearth_status (*close)(hearth_backend_store *store, hearth_error *err);

  /* Calls found once if the key is there, else answers NOTFOUND. found's result is ignored. */
  hearth_status (*get)(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                       hearth_found found, void *ud, hearth_error *err);

  /*
  ** Entries of one table with from <= key < to in key order; from NULL: from
  ** the first, to NULL: to the last. With `reverse` from the last down. The
  ** callback must not call the store. *result gets what the callback returned.
  */
  hearth_status (*scan)(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                        const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                        hearth_error *err);

  /*
  ** Submits a batch or a part. *sequence (may be NULL) gets the batch's
  ** number with its last part, also when it is pending. OK: `level` is reached; PENDING: the batch is accepted and
  ** will reach it, or poll tells its failure. A batch is complete only when stat.sequence says so: OK at the level
  ** VISIBLE, which every accepted batch has at once, does not say it. Parts but the last answer OK. A batch that
  ** changes nothing has no number (*sequence is the last one's) and answers as barrier does.
  ** A failure answered here is that of this batch, which is forgotten; batches that are pending stay so, unless it
  ** is IO. BUSY: a failure is there that poll has not told yet.
  */
  hearth_status (*submit)(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                          hearth_durability level, uint64_t *sequence, hearth_error *err);

  /*
  ** Asks that every batch so far reach `level`, also one that asked for less. OK: all have; PENDING: they will, or poll
  ** tells the failure. BUSY as for submit.
  */
  hearth_status (*barrier)(hearth_backend_store *store, hearth_durability level, hearth_error *err);

  /*
  ** What happened since: OK when every batch has reached the level that its submit, or a barrier, asked for, and
  ** no compaction goes on; PENDING when something of that is still to come; or the failure of a pending batch,
  ** barrier or compaction, once (stat.sequence says which batches are complete: a compaction that fails takes no
  ** batch with it). A read-only opener is told STALE when the store has moved on.
  */
  hearth_status (*poll)(hearth_backend_store *store, hearth_error *err);

  /*
  ** Gives back the space of dead entries; keep > 0 keeps that many last batches, and what they begin with. BUSY while
  ** a batch in parts is open, of which there may be no more than checks so far. PENDING: it goes on between calls,
  ** batches may be submitted meanwhile, and poll tells when it is done or why it failed.
  */
  hearth_status (*compact)(hearth_backend_store *store, unsigned keep, hearth_error *err);

  /* A read-only opener reads again what is there now. */
  hearth_status (*refresh)(hearth_backend_store *store, hearth_error *err);

  /* Fills what stat->size, set by the caller, has room for. */
  hearth_status (*stat)(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err);

  /* Calls found with every table number that has entries, ascending (key and value NULL). */
  hearth_status (*tables)(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                          hearth_error *err);

  /*
  ** Calls found with every complete batch that can be opened (config.at), ascending and without gaps; the last is
  ** stat.sequence. A further opener of any of them gets what was there after it, or NOTFOUND when compaction has taken
  ** it since, with the numbers that there are. The callback must not call the store. NULL, or beyond `size`: the
  ** backend keeps no batches; compact with keep > 0 is UNSUPPORTED then, or does what it does with 0.
  */
  hearth_status (*history)(hearth_backend_store *store, hearth_batch_found found, void *ud, int *result,
                           hearth_error *err);
} hearth_backend;

/* Does it keep earlier batches? Then config.at, config.keep and history may be used. */
static inline bool hearth_backend_keeps_batches(const hearth_backend *backend) {
  return backend->size >= offsetof(hearth_backend, history) + sizeof backend->history && backend->history != NULL;
}

/* The backends of this library. */
HEARTH_API extern const hearth_backend hearth_memory_backend;
HEARTH_API extern const hearth_backend hearth_file_backend;
#if defined(__EMSCRIPTEN__) || defined(HEARTH_WITH_INDEXEDDB)
/* browsers alone; natively its tests define the macro */
HEARTH_API extern const hearth_backend hearth_indexeddb_backend;
#endif

#ifdef __cplusplus
}
#endif

#endif
