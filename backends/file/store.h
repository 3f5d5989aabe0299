/* A store in a file, and what the parts of this backend ask of each other. */
#ifndef HEARTH_FILE_STORE_H
#define HEARTH_FILE_STORE_H

#include "cache.h"
#include "error.h"
#include "hearth_environment.h"
#include "index.h"
#include "logfile.h"
#include "names.h"
#include "owner.h"
#include "writer.h"

#define STORE_SYNC_EVERY 5000 /* milliseconds between syncs while nobody asks for durable batches */
#ifndef STORE_LEAST_DEAD /* tests make it small */
#define STORE_LEAST_DEAD ((uint64_t)4 << 20) /* so many dead bytes are not worth a compaction by itself */
#endif

struct hearth_backend_store {
  hearth_allocator allocator;
  const hearth_environment *env;
  hearth_warn warn;
  void *warn_ud;
  Names names;
  Owner owner;
  uint64_t process;       /* who opened it; a forked child is somebody else */
  uint64_t at;            /* the batch after which a reader reads no more; 0: all */
  unsigned keep;          /* batches that compaction by itself keeps */
  bool readonly;
  bool dead;
  char dead_reason[512];

  hearth_file file;
  bool is_open;           /* file is valid */
  bool named;             /* this process made the file and has synced its folder */
  hearth_file_info was;   /* the file as we left it; was.length counts the mark */
  LogHeader header;       /* header.first is 0 for an empty file seen by a reader */

  Index index;
  Cache cache;
  LogWriter writer;       /* its place and chain are those of the next frame */
  bool in_batch;          /* parts were submitted, and the last not yet */
  bool spilled;           /* bytes behind batch_at were written that are not committed yet */
  uint64_t batch_at;      /* where the last whole batch ends */
  uint64_t batch_chain;
  LogKind mark;           /* stands at batch_at; 0: none */

  uint64_t sequence, durable;
  uint64_t time;          /* of the last batch */
  uint64_t last_sync;     /* milliseconds */
  uint64_t compact_above; /* dead bytes below which no compaction starts by itself, raised after a failed one */
  bool ballast_given;     /* the disk is full: the ballast was given up and is not back yet */
  bool ballast_tried;     /* making it again is not tried before the next compaction */
  uint64_t synced, written;
};

/* ------------------------------------------------------------ store.c */

/* Calls the host's warn with one line. */
void file_warn(const hearth_backend_store *store, const char *format, ...) HEARTH_PRINTF(2, 3);

/* From now on every call but close answers DEAD; answers `err`'s code. */
hearth_status store_die(hearth_backend_store *store, hearth_error *err);

/* The status for a failed call on the store's own file, which kills it. */
hearth_status store_io(hearth_backend_store *store, const char *doing, int failure, hearth_error *err);

/* DEAD when it is, or when this is a forked child. */
hearth_status store_alive(hearth_backend_store *store, hearth_error *err);

/* The same, and READONLY for a reader. */
hearth_status store_writable(hearth_backend_store *store, hearth_error *err);

/* Takes over what a scan that ran to the end of the log has found. */
void store_adopt(hearth_backend_store *store, const LogScan *scan);

/* -------------------------------------------------------------- read.c */

/* A stretch of the file. Who walks values that stand one behind the other reads many at once. */
typedef struct Stretch {
  Buffer bytes;
  uint64_t at; /* offset of the first */
} Stretch;

/*
** Reads the value of an entry of the index and checks it: *value points into the stretch. DAMAGED
** with the position, IO, NOMEM. The file must not change while the stretch is used.
*/
hearth_status read_value(const hearth_backend_store *store, MapEntry *e, Stretch *stretch, const unsigned char **value,
                         hearth_error *err);

hearth_status read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                       hearth_found found, void *ud, hearth_error *err);
hearth_status read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                        const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                        hearth_error *err);
hearth_status read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result, hearth_error *err);

/* For a reader: STALE when the name means another file now (or, with `growth`, when the file has changed). */
hearth_status read_current(hearth_backend_store *store, bool growth, hearth_error *err);

/* ----------------------------------------------------------- history.c */

hearth_status history_list(hearth_backend_store *store, hearth_batch_found found, void *ud, int *result,
                           hearth_error *err);

/* ------------------------------------------------------------ append.c */

/* The sink of the store's writer. */
LogSink append_sink(hearth_backend_store *store);
hearth_status append_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                            hearth_durability level, uint64_t *sequence, hearth_error *err);
hearth_status append_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err);

/* Forgets an unfinished batch, and cuts off what it wrote. */
hearth_status append_abandon(hearth_backend_store *store, hearth_error *err);

/* Flushes to the device what is not there yet, and marks it. */
hearth_status append_sync(hearth_backend_store *store, hearth_error *err);

/* Writes a mark behind the last batch. FULL is no failure: marks only save work. */
hearth_status append_mark(hearth_backend_store *store, LogKind kind, hearth_error *err);

/* ----------------------------------------------------------- recover.c */

/* Makes a new empty store at the store's path and opens it. */
hearth_status recover_create(hearth_backend_store *store, bool exists, hearth_error *err);

/* Reads the open file's log into the index; a writer mends the tail and syncs what may not be on the device. */
hearth_status recover_load(hearth_backend_store *store, hearth_error *err);

/* A reader takes in what is there now. */
hearth_status recover_refresh(hearth_backend_store *store, hearth_error *err);

/* ----------------------------------------------------------- compact.c */

hearth_status compact_store(hearth_backend_store *store, unsigned keep, hearth_error *err);

/* Compacts when enough is dead; a full disk only postpones it. */
void compact_when_due(hearth_backend_store *store);

/* ----------------------------------------------------------- ballast.c */

/* Makes the ballast when it is not there; tried once, and again after each compaction. */
void ballast_make(hearth_backend_store *store);

/* Gives it up: true when there was one, so that trying again makes sense. */
bool ballast_release(hearth_backend_store *store);

#endif
