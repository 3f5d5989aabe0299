/*
** The chapter "Records": what an object is before it is filled (its head).
**
** A head says all that is needed to create the object in its right size; the
** body, which fills it, refers to other objects by number. In a blob the heads
** of all objects precede all bodies; in a store an object's first page is its
** head and then its body.
*/
#ifndef HEARTH_FORMAT_RECORD_H
#define HEARTH_FORMAT_RECORD_H

#include "value.h"

typedef enum ObjectKind {
  OBJECT_TABLE = 1,     /* body: array values, shape values, pairs, metatable */
  OBJECT_CLOSURE = 2,   /* body: one reference per upvalue, each to a cell */
  OBJECT_CELL = 3,      /* body: the value */
  OBJECT_PERMANENT = 4, /* no body */
  OBJECT_SPECIAL = 5,   /* body: what the object's hook or type gave for it */
  OBJECT_LATE = 6,      /* blobs only: a weak table; its true head and its body come after all other bodies */
  OBJECT_SHAPE = 7,     /* store only, body: the keys */
  OBJECT_PROTOTYPE = 8, /* store only, body: the prototype's record */
  OBJECT_STRING = 9,    /* store only: a string in pages of its own */
  OBJECT_PAGED = 10     /* store only: a table in pages; the first page's body holds only the metatable */
} ObjectKind;

enum {
  HEAD_KIND = 0x0F,
  HEAD_ARRAY = 0x10,     /* table: varint count of array values follows */
  HEAD_SHAPE = 0x20,     /* table: varint number of the shape follows */
  HEAD_PAIRS = 0x40,     /* table: varint count of pairs follows */
  HEAD_METATABLE = 0x80, /* table: the body ends with a reference to the metatable */
  HEAD_TYPED = 0x10      /* special: a registered type's name follows; else the body is a rebuilding function */
};

/* What a permanent stands for, in the upper four bits of its head. */
typedef enum PermanentKind {
  PERMANENT_TABLE = 0,
  PERMANENT_LUA_FUNCTION = 1,
  PERMANENT_C_FUNCTION = 2,
  PERMANENT_USERDATA = 3,
  PERMANENT_CELL = 4 /* named "function^upvalue" */
} PermanentKind;

typedef struct Head {
  ObjectKind kind;
  unsigned char flags;     /* HEAD_... of the kind; for a permanent its PermanentKind */
  uint64_t array, pairs;   /* table; paged: entries with integer keys, other entries */
  uint64_t shape;          /* table */
  uint64_t prototype;      /* closure */
  uint64_t size;           /* string: bytes */
  uint64_t check;          /* prototype: hash64 of its record (as in a blob), so that damaged bytecode is never run */
  Value name;              /* permanent, typed special: a scalar */
} Head;

void head_put(Buffer *b, const Head *head);
void head_get(Cursor *c, Head *head);

/* A shape: how many keys, then the keys, strings in strictly ascending order of their bytes. */
#define SHAPE_MAX_KEYS 32
#define SHAPE_MAX_KEY_SIZE 40 /* longer strings are not interned by Lua 5.4 (LUAI_MAXSHORTLEN) */

/* Reads one shape's keys; keys[] has room for SHAPE_MAX_KEYS. Returns their count. */
size_t shape_get(Cursor *c, Value keys[]);

#endif
