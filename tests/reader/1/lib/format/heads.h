/*
** The heads of a blob, one after the other. Like-built objects have like heads: a *repeat* stands for heads
** that are each equal to the one some places before.
*/
#ifndef HEARTH_FORMAT_HEADS_H
#define HEARTH_FORMAT_HEADS_H

#include "record.h"

#define OBJECT_REPEAT 0x0B    /* for a kind; the period - 1 in the upper bits, then a varint: how many heads */
#define HEADS_MOST_PERIOD 16
#define HEADS_WORTH_REPEAT 4  /* bytes of heads that a repeat must spare to be written */

/* ------------------------------------------------------------------ writing */

typedef struct HeadWriter {
  uint64_t recent[HEADS_MOST_PERIOD]; /* a ring of the last heads' bytes; 0: one that is not repeated */
  uint64_t count;                     /* of heads so far */
  uint64_t repeated;                  /* heads that the repeat at work stands for */
  unsigned period;                    /* its period; 0: none is at work */
  /* By period - 1: of the last heads, those that are each equal to the one a period before, and their bytes. */
  unsigned char run_heads[HEADS_MOST_PERIOD], run_bytes[HEADS_MOST_PERIOD];
} HeadWriter;

/*
** A head was put to the end of `b`, from `begin` on (0 is a writer's beginning): takes it away if a
** repeat stands for it.
*/
void heads_added(HeadWriter *w, Buffer *b, size_t begin);

/* No further heads come. */
void heads_end(HeadWriter *w, Buffer *b);

/* ------------------------------------------------------------------ reading */

typedef struct HeadReader {
  uint64_t left;       /* heads that are still to come: the blob's number of objects in the beginning */
  uint64_t repeats;    /* of them, those that the repeat at work stands for */
  unsigned period;
  uint32_t repeatable; /* bit p - 1: may the head p places before be repeated? */
} HeadReader;

/* Reads the next head: 0, and the head; or how many places before it the one stands that it is equal to: a table's. */
unsigned heads_next(HeadReader *r, Cursor *c, Head *head);

#endif
