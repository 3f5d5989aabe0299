/*
** What differs between two stores, two blobs or one of each, as they are read by lib/view: by path, from the home table
** or the root on, breadth first.
**
** They are equal when one can be laid over the other: the same values at the same paths, and what is one object on one
** side is one on the other. Each pair of objects is compared once, under the first path to it. A key that is an object
** is known by its number. Metadata other than the home table, and how tables are stored, are not compared.
*/
#ifndef HEARTH_DIFF_H
#define HEARTH_DIFF_H

#include "path.h"

typedef enum DiffKind {
  DIFF_ADDED,   /* `b` alone */
  DIFF_REMOVED, /* `a` alone */
  DIFF_CHANGED, /* both */
  DIFF_SHARED_A, /* one object with what is at `other`, in the first alone */
  DIFF_SHARED_B  /* in the second alone */
} DiffKind;

/* A value as it was read, or a blob inside an external table. */
typedef struct DiffSide {
  ViewObject *from; /* in which it stands: what references mean */
  Value value;
  const unsigned char *blob;
  size_t blob_size;
} DiffSide;

/* Valid during the call. */
typedef struct Difference {
  DiffKind kind;
  const Buffer *path, *other; /* "players[1].hp"; "_home" or "root" for that itself */
  const DiffSide *a, *b;      /* NULL: not on this side */
} Difference;

typedef struct Diff {
  bool (*found)(void *ud, const Difference *difference); /* false ends it */
  void (*step)(void *ud, uint64_t done);                 /* after each pair of objects */
  void *ud;
  uint64_t differences, pairs, skipped; /* so far; pairs whose fields were compared, and not, since none has changed */
} Diff;

/* DAMAGED, LIMIT, IO, NOMEM, and what the backends answer. The counts are to be zero before. */
hearth_status diff_views(View *a, View *b, Diff *diff, hearth_error *err);

#endif
