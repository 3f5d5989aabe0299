/* The fields of an object, held in an order that does not depend on how it is stored. */
#ifndef HEARTH_DIFF_ENTRIES_H
#define HEARTH_DIFF_ENTRIES_H

#include "path.h"

typedef enum EntryKind { ENTRY_KEY, ENTRY_UPVALUE, ENTRY_METATABLE, ENTRY_CONTENT, ENTRY_OF_KEY } EntryKind;

typedef struct Entry {
  EntryKind kind;
  Value key;   /* of an upvalue its name, or its number where it has none */
  Value value;
} Entry;

typedef struct Entries {
  Buffer list;  /* Entry */
  Buffer bytes; /* of strings in them */
  size_t count;
} Entries;

void entries_init(Entries *e, const hearth_allocator *allocator);
void entries_free(Entries *e);

/* Reads all fields of an open object. `scratch` is another object of the same view. */
hearth_status entries_read(Entries *e, ViewObject *o, ViewObject *scratch, hearth_error *err);

static inline const Entry *entries_at(const Entries *e, size_t i) {
  return (const Entry *)(const void *)e->list.data + i; /* the allocator's memory is aligned for it */
}

/* Less than 0, 0 or more, as the field of `a` stands before that of `b`, is the same, or behind it. */
int entry_order(const Entry *a, const Entry *b);

static inline bool value_is_reference(const Value *v) {
  return v->kind == VALUE_REF || v->kind == VALUE_LOCAL;
}

/* Scalars and strings: the same to every bit? */
bool value_equal(const Value *a, const Value *b);

#endif
