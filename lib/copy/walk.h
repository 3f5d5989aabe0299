/*
** All entries of a store in order, in portions: the scan of a table is stopped and goes on behind the last key.
*/
#ifndef HEARTH_COPY_WALK_H
#define HEARTH_COPY_WALK_H

#include "buffer.h"
#include "hearth_backend.h"

typedef struct CopySide {
  const hearth_backend *backend;
  hearth_backend_store *store;
} CopySide;

typedef struct Walk {
  CopySide side;
  Buffer tables; /* uint64_t each, ascending */
  size_t at;     /* index of the table in which it stands */
  bool inside;   /* it goes on at `next`, else at the table's first key */
  unsigned char next[HEARTH_MAX_KEY];
  size_t next_size;
} Walk;

/* What a hearth_found of walk_on answers, besides 0. */
#define WALK_STOP 1   /* the entry was taken; go on behind it next time */
#define WALK_FAILED 2 /* the caller knows why */

/* The numbers of the tables, ascending. NOMEM, and what the backend's tables answers. */
hearth_status walk_tables(const CopySide *side, Buffer *tables, hearth_error *err);

/* Stands before the first entry. `tables` changes hands. */
void walk_init(Walk *w, const CopySide *side, const Buffer *tables);
void walk_free(Walk *w);

static inline size_t walk_table_count(const Buffer *tables) {
  return tables->size / sizeof(uint64_t);
}

static inline uint64_t walk_table_at(const Buffer *tables, size_t i) {
  uint64_t table;
  memcpy(&table, tables->data + i * sizeof table, sizeof table);
  return table;
}

static inline bool walk_ended(const Walk *w) {
  return w->at == walk_table_count(&w->tables);
}

/* Gives entries of one table to `found` until that stops it or the table ends. */
hearth_status walk_on(Walk *w, hearth_found found, void *ud, hearth_error *err);

/* The least key above this one, in its place; false: there is none. */
bool walk_successor(unsigned char key[HEARTH_MAX_KEY], size_t *size);

#endif
