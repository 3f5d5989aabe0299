/*
** Where the bytes of a store are: a tree of its objects, each under the first path to it, nearest to the home table,
** with what it takes in the backend; its largest strings and functions.
*/
#ifndef HEARTH_TOOL_ACCOUNT_H
#define HEARTH_TOOL_ACCOUNT_H

#include "intmap.h"
#include "path.h"

typedef enum AccountKind {
  ACCOUNT_TABLE, ACCOUNT_FUNCTION, ACCOUNT_CELL, ACCOUNT_PERMANENT, ACCOUNT_SPECIAL, ACCOUNT_EXTERNAL, ACCOUNT_STRING,
  ACCOUNT_PROTOTYPE, ACCOUNT_SHAPE, ACCOUNT_METADATA, ACCOUNT_LOST, /* what nothing leads to */
  ACCOUNT_ROOT,
  ACCOUNT_KINDS
} AccountKind;

typedef struct AccountNode {
  uint64_t number;        /* of the object; 0: none */
  uint64_t own, total;    /* bytes of its keys and values, and with all below it */
  size_t step;            /* where its step begins in account->steps */
  uint32_t step_size;
  uint32_t parent, first, count; /* children stand one behind the other */
  AccountKind kind;
} AccountNode;

/* A string or function among the largest. */
typedef struct AccountItem {
  uint64_t size, number; /* number: of a prototype or large string, else 0 */
  uint32_t node;         /* where it was found */
  char *text;            /* UTF-8: how it begins, or where it was written; step behind the node's path */
  char *step;
} AccountItem;

#define ACCOUNT_LARGEST 20

typedef struct AccountList {
  AccountItem items[ACCOUNT_LARGEST]; /* the largest first */
  size_t count;
} AccountList;

typedef struct Account {
  View *view;
  Buffer nodes, steps; /* AccountNode; text */
  uint64_t counts[ACCOUNT_KINDS], bytes[ACCOUNT_KINDS], entries; /* entries: of external tables */
  AccountList strings, prototypes;
  IntMap sizes;        /* number to index in `bytes_of` */
  Buffer bytes_of;     /* uint64_t */
  IntMap met;          /* number to node */
} Account;

/* DAMAGED, IO, NOMEM. To be freed in any case. */
hearth_status account_make(Account *a, View *v, hearth_error *err);
void account_free(Account *a);

static inline AccountNode *account_node(const Account *a, uint32_t index) {
  return (AccountNode *)(void *)a->nodes.data + index; /* the allocator's memory is aligned for it */
}

static inline uint32_t account_count(const Account *a) {
  return (uint32_t)(a->nodes.size / sizeof(AccountNode));
}

/* The path of a node, and a step behind it (NULL: none). */
void account_put_path(const Account *a, uint32_t node, const char *step, Buffer *out);

const char *account_kind_name(AccountKind kind); /* "tables" */
const char *account_one_name(AccountKind kind);  /* "table" */

#endif
