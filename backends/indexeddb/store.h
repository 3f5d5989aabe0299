/* A store in the browser's database, and what the parts of this backend ask of each other. */
#ifndef HEARTH_INDEXEDDB_STORE_H
#define HEARTH_INDEXEDDB_STORE_H

#include "error.h"
#include "hearth_environment.h"
#include "host.h"
#include "indexeddb.h"
#include "mirror.h"
#include "writer.h"

#define STORE_SYNC_EVERY 5000 /* milliseconds until a batch is made durable though nobody asked for it */
#ifndef STORE_LEAST_DEAD /* tests make it small */
#define STORE_LEAST_DEAD ((uint64_t)4 << 20) /* so many dead bytes are not worth a compaction by itself */
#endif

/* Where the log goes on. */
typedef struct Place {
  uint64_t salt;
  uint64_t at;    /* 0: not even a header is there */
  uint64_t chain; /* check of the frame before */
} Place;

typedef enum PendingKind {
  PENDING_BATCH,
  PENDING_FLUSH,  /* a barrier */
  PENDING_REPLACE /* the end of a compaction: the log goes on in another generation */
} PendingKind;

/* What was handed to the host and has not settled, oldest first. */
typedef struct Pending {
  struct Pending *next, *prev;
  PendingKind kind;
  int ticket;
  bool settled;           /* complete, but something older is not yet */
  bool durable;           /* it will be on the device */
  uint64_t sequence;      /* the last batch when it was handed over, itself included */
  UndoList undo;          /* of a batch */
  Place before;           /* where the log went on before it */
} Pending;

typedef struct Compaction {
  bool running;
  bool asked;             /* by a call of compact, which poll answers */
  bool replacing;         /* its last record is under way: a Pending */
  bool waiting;           /* for the batch in parts that is open: its parts are for the place that the log has now */
  int ticket;             /* of the piece under way */
  uint64_t base;          /* number of the batch that holds everything */
  LogWriter writer;
  Buffer record;          /* bytes for the host's next call */
  bool walking;           /* entries up to table and key were looked at */
  uint64_t table;
  size_t key_size;
  MapEntry *deleted;      /* written to the new generation, and deleted for good since; linked through `right` */
  unsigned char key[HEARTH_MAX_KEY];
} Compaction;

struct hearth_backend_store {
  hearth_allocator allocator;
  const hearth_environment *env; /* clock and randomness; NULL: the host's */
  hearth_warn warn;
  void *warn_ud;
  char *name;
  size_t name_size;       /* bytes, its '\0' included */
  int handle;             /* 0: not attached */
  bool readonly;
  bool dead;
  char dead_reason[512];

  Mirror mirror;
  LogWriter writer;       /* its place is that of the next frame */
  Place place;            /* where the last whole batch ends, pending ones included */
  bool in_batch;          /* parts were submitted, and the last not yet */
  bool handed;            /* records of the batch are with the host */
  int last;               /* IDB_...: does the frame that is being handed over end the batch? */
  int level;              /* and is to reach this */
  int answer;             /* what the host answered */
  hearth_status broken;   /* the open batch in parts was stacked on one that failed; 0: it was not */

  Pending *first, *latest;
  hearth_error failure;   /* poll has not told it yet; its code is OK when there is none */
  Pending *failed;        /* this and all after it failed, and poll will undo them; NULL: none */
  uint64_t awaited;       /* somebody asked that the batches up to this one be complete */
  Compaction compaction;

  uint64_t submitted;     /* number of the last batch handed over */
  uint64_t sequence;      /* number of the last one that is complete */
  uint64_t durable;
  uint64_t last_sync;     /* milliseconds */
  uint64_t compact_above; /* dead bytes below which no compaction starts by itself, raised after a failed one */
  bool full;              /* the database has been full since the last compaction: each byte counts */
  uint64_t synced, written;
};

/* ------------------------------------------------------------- store.c */

void idb_store_warn(const hearth_backend_store *store, const char *format, ...) HEARTH_PRINTF(2, 3);
uint64_t idb_store_clock(const hearth_backend_store *store);
hearth_status idb_store_random(const hearth_backend_store *store, void *bytes, size_t size, hearth_error *err);

/* From now on every call but close answers DEAD. Answers `code`. */
hearth_status idb_store_die(hearth_backend_store *store, hearth_status code, const char *reason);

/* DEAD when it is. */
hearth_status idb_store_alive(const hearth_backend_store *store, hearth_error *err);

/* The same, READONLY for a reader, and BUSY while there is a failure that poll has not told. */
hearth_status idb_store_writable(const hearth_backend_store *store, hearth_error *err);

/* The host's reason, or what the code means. */
const char *idb_store_reason(hearth_status code, char *text, size_t size);

/* "NAME: cannot DOING: the host's reason", for a negative answer of the host, which may kill the store. */
hearth_status idb_store_refused(hearth_backend_store *store, const char *doing, int answer, hearth_error *err);

/* Marks PENDING in the error record and answers it. */
hearth_status idb_store_pending(hearth_error *err);

/* ------------------------------------------------------------ recover.c */

/* Reads the log, `length` bytes of it, into the mirror. DAMAGED with the position, VERSION, NOMEM, IO. */
hearth_status idb_recover_load(hearth_backend_store *store, double length, hearth_error *err);

/* A reader takes in what the host has read again. */
hearth_status idb_recover_refresh(hearth_backend_store *store, hearth_error *err);

/* ------------------------------------------------------------- append.c */

LogSink idb_append_sink(hearth_backend_store *store);
hearth_status idb_append_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                hearth_durability level, uint64_t *sequence, hearth_error *err);
hearth_status idb_append_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err);

/* Forgets an unfinished batch. */
void idb_append_abandon(hearth_backend_store *store);

/* ------------------------------------------------------------ pending.c */

/* A new one, not in the list yet, or NULL: no memory. */
Pending *idb_pending_make(hearth_backend_store *store, PendingKind kind);
void idb_pending_free(hearth_backend_store *store, Pending *p);

/* It was handed over and has this ticket. */
void idb_pending_add(hearth_backend_store *store, Pending *p, int ticket);

/* What poll answers. */
hearth_status idb_pending_poll(hearth_backend_store *store, hearth_error *err);

/* Notes a failure for poll, unless one waits there: the others follow from the first. */
void idb_pending_note(hearth_backend_store *store, hearth_status status, const char *reason);

/* Forgets all; nothing is undone, since the mirror goes as well. */
void idb_pending_clear(hearth_backend_store *store);

/* ------------------------------------------------------------ compact.c */

void idb_compact_init(hearth_backend_store *store);
hearth_status idb_compact_store(hearth_backend_store *store, unsigned keep, hearth_error *err);

/* Begins one when enough is dead. */
void idb_compact_when_due(hearth_backend_store *store);

/* The piece under way has settled. */
void idb_compact_settled(hearth_backend_store *store, hearth_status status, const char *reason);

/* No batch in parts is open any more: a compaction that waited for that goes on. */
void idb_compact_go_on(hearth_backend_store *store);

/* The new generation is the store now. */
void idb_compact_replaced(hearth_backend_store *store);

/* The compaction, of which nothing is pending, ends without success; whoever asked for it learns it from poll. */
void idb_compact_failed(hearth_backend_store *store, hearth_status status, const char *reason);

/* Frees what a compaction holds. */
void idb_compact_free(hearth_backend_store *store);

#endif
