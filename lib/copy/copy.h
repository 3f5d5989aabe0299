/*
** Makes one store what another is, through any two backends.
**
** A copy into a place where nothing is goes in many batches, each of bounded size. The first one puts a metadata record
** that says "an unfinished copy of ..." (lib/format/layout.h), which everything that opens stores refuses; the last
** one, after all else was read again and found equal, puts the source's own record in its place. So there is a store
** when it is whole, and none before. A copy that was stopped goes on by comparing: what is there and equal is not
** written again, what differs is, so the source may have moved on meanwhile.
**
** With `replace` a destination that holds a store is made equal by one batch in parts, which holds only what differs:
** up to its last part the destination is what it was.
**
** Both stores are borrowed until copy_end. The steps answer PENDING while there is more to do, and are called again:
** at once, or, where the destination is asynchronous, after its host had its turn. After a failure copy_end is all that
** is left.
*/
#ifndef HEARTH_COPY_COPY_H
#define HEARTH_COPY_COPY_H

#include "totals.h"

typedef enum CopyMode {
  COPY_NEW = 1, /* the destination was empty */
  COPY_RESUMED, /* it held an unfinished copy */
  COPY_REPLACED /* it held a store */
} CopyMode;

typedef struct CopyOptions {
  const char *source; /* what whoever meets the unfinished copy is told that the source is; borrowed until copy_into */
  bool replace;       /* a destination that holds something else */
  const hearth_allocator *allocator; /* NULL: the C library's */
} CopyOptions;

typedef struct Copy {
  CopyMode mode;
  bool moved_on;    /* the source has, since the unfinished copy was begun */
  bool at_source;   /* what failed last is the source, not the destination */
  uint64_t done;    /* entries of the source looked at by this step so far */
  uint64_t written; /* entries put into the destination */
  Totals from_totals, to_totals; /* once copy_check has answered OK, or DAMAGED */

  /* inside */
  CopySide from, to;
  const char *source;
  bool replace;
  hearth_allocator allocator;
  uint64_t sequence; /* the source's */
  Buffer metadata;   /* the source's record */
  bool has_metadata;
  Walk walk;         /* of the source */
  Buffer tables;     /* of the destination */
  size_t drop_at;    /* index among them of the next one to judge */
  Buffer bytes, entries, ops; /* of the batch that is being made */
  uint64_t table;    /* the portion that was read last: its table, and where it began in the walk */
  unsigned char low[HEARTH_MAX_KEY];
  size_t low_size;
  bool from_low;     /* else at the table's first key */
  size_t portion_at, portion_bytes;         /* its first entry, and its first byte */
  size_t portion_end, portion_bytes_end;    /* behind its last ones */
  size_t compared;   /* index of its next entry to be compared */
  bool comparing;    /* the destination has the table */
  bool parts_open, awaiting, ended, finishing;
  Count count;
  bool counting;
  int checked;       /* sides whose totals are complete */
} Copy;

/*
** Judges the source. NOTSTORE, VERSION, DAMAGED: it is no store that can be read; and what the backend answers.
** copy_end is to be called in any case.
*/
hearth_status copy_begin(Copy *c, const CopySide *from, const CopyOptions *options, hearth_error *err);

/*
** Judges the destination, and marks it as unfinished where nothing is. EXISTS: it is not empty, and not an unfinished
** copy of this source; and what the backend answers.
*/
hearth_status copy_into(Copy *c, const CopySide *to, hearth_error *err);

/*
** Writes. With COPY_REPLACED the last step makes the destination what the source is; else the metadata record is
** still to come. STALE: the source moved on meanwhile. And what the backends answer; all but failures
** of the destination that kill it leave what a later copy goes on with.
*/
hearth_status copy_transfer(Copy *c, hearth_error *err);

/* The destination was closed after the transfer, and is open again. */
void copy_reopened(Copy *c, hearth_backend_store *to);

/* Reads both sides again, all of them. DAMAGED: they are not equal. */
hearth_status copy_check(Copy *c, hearth_error *err);

/* Makes the destination a store. Nothing is left to do for COPY_REPLACED. */
hearth_status copy_finish(Copy *c, hearth_error *err);

/* OK, or NOTSTORE where an unfinished copy is; and what the backend answers. */
hearth_status copy_check_finished(const CopySide *side, hearth_error *err);

/* Frees everything; of a batch that is not complete nothing remains. */
void copy_end(Copy *c);

#endif
