/* Inside the diff: pairs of objects that wait to be compared, and what is known of those that were. */
#ifndef HEARTH_DIFF_WALK_H
#define HEARTH_DIFF_WALK_H

#include "changes.h"
#include "diff.h"
#include "entries.h"

#define NO_NODE UINT32_MAX

/* An object: its number, and which local one of it. */
typedef struct Ref {
  uint64_t number;
  uint32_t local;
} Ref;

/* A pair of objects that stands at one path. */
typedef struct Node {
  Ref a, b;
  uint32_t parent; /* NO_NODE for the first */
  uint32_t step_size;
  size_t step; /* in walk->steps */
} Node;

/* One of the two sides. */
typedef struct Side {
  View *view;
  ViewObject object;  /* of the pair at hand */
  ViewObject scratch;
  IntMap nodes;       /* each object that was met, by its key: the pair that it was met in */
  IntMap bases;       /* number of a special object: where the keys of its local ones begin */
  uint64_t locals;    /* so many of those keys are taken */
} Side;

typedef struct DiffWalk {
  Diff *out;
  hearth_error *err;
  Side a, b;
  Changes *changes;   /* NULL: nothing is known to be equal */
  uint64_t different; /* pairs in the queue whose numbers differ */
  bool moved;         /* one of those was an object that both have, and stands elsewhere too, perhaps */
  bool ended;         /* nobody wants to know more */
  Buffer nodes, steps;
  uint32_t next;      /* the node at hand is the one before */
  Buffer prefix;      /* the path of the blob that is walked; empty: a store, or a blob by itself */
} DiffWalk;

hearth_status diff_walk_init(DiffWalk *w, View *a, View *b, Diff *out, const Buffer *prefix, hearth_error *err);
void diff_walk_free(DiffWalk *w);

/* Compares the values at the beginning and everything behind them. */
hearth_status diff_walk_all(DiffWalk *w, const Value *a, const Value *b);

hearth_status diff_walk_no_memory(DiffWalk *w);

/* --------------------------------------------------------------- diff.c */

/*
** Values at a step of the node at hand; `a` and `b` stand in the objects at hand. What refers to objects is put in the
** queue.
*/
hearth_status diff_walk_values(DiffWalk *w, const Entry *step, const Value *a, const Value *b);

/* Tells a difference at a step of the node at hand; step NULL: of the node itself. */
hearth_status diff_walk_tell(DiffWalk *w, DiffKind kind, const Entry *step, const DiffSide *a, const DiffSide *b);

/* ------------------------------------------------------------ compare.c */

/* What the objects at hand are; different ones are no further compared. */
bool diff_walk_same_kind(DiffWalk *w);

/* Compares the fields of the objects at hand. */
hearth_status diff_walk_fields(DiffWalk *w);

/* The objects at hand have the same bytes: only what they refer to is put in the queue. */
hearth_status diff_walk_references(DiffWalk *w);

/* ----------------------------------------------------------- external.c */

hearth_status diff_walk_external(DiffWalk *w);

/* --------------------------------------------------------------- path.c */

/* The path of a step of a node into `out`. */
void diff_walk_put_path(const DiffWalk *w, uint32_t node, const Entry *step, Buffer *out);
void diff_walk_put_step(const Entry *step, Buffer *out);

static inline Node *diff_walk_node(const DiffWalk *w, uint32_t index) {
  return (Node *)(void *)w->nodes.data + index; /* the allocator's memory is aligned for it */
}

#endif
