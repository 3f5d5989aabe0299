/*
** What the files of the external tables share: external.c knows which tables there are and
** what refers to them, external_overlay.c what is in them, external_value.c turns Lua's
** keys and values into bytes and back, external_handle.c shows them to Lua.
*/
#ifndef HEARTH_STORE_EXTERNAL_TABLE_H
#define HEARTH_STORE_EXTERNAL_TABLE_H

#include "external.h"
#include "external_cache.h"
#include "map.h"

#include "external_entry.h"

typedef struct ExternalTable {
  uint64_t number;
  uint64_t to, from;             /* references to it from other external tables, in it to others */
  uint64_t saved_to, saved_from; /* the same as last committed */
  uint64_t lost;                 /* references to it that go with the tables that this commit drops */
  uint64_t walk;                 /* the last walk of the home graph that reached it */
  bool fresh;                    /* not part of any commit: nothing of it is in the backend */
  bool held;                     /* a handle is alive; filled when it is needed */
  bool marked;                   /* reached by the collection at work */
  bool condemned;                /* a commit that failed had dropped it: the next one does */
  bool doomed;                   /* dropped by the commit at work */
} ExternalTable;

struct Externals {
  hearth_store *S;
  ExternalTable *tables;
  uint32_t count, capacity;
  uint32_t recent;     /* index of the one that was used last; it may be gone */
  IntMap by_number;    /* number -> index in `tables` */
  Map overlay;         /* the open batch; an entry whose mark is EXTERNAL_DELETED deletes */
  Buffer read;         /* the value that was read last */
  Buffer head;         /* a value that is written, but for a string's bytes: always large enough */
  Buffer work;         /* indices of tables that are to be looked through */
  uint64_t walk;
  uint64_t generation; /* changes with every commit, rollback and load: what was read before is old */
  uint64_t failures;   /* of the backend: nor is what was read before them the answer */
  ExternalCache cache;
};

enum { EXTERNAL_DELETED = 1 };

/* -------------------------------------------------------------- external.c */

/* NULL when it is not there. Valid until tables are added or removed. */
ExternalTable *externals_find(const Externals *X, uint64_t number);

/* Makes room for `more` tables. False: memory exhausted, nothing changed. */
bool externals_reserve(Externals *X, size_t more);

/* Adds a table that no commit knows; room was made. */
void externals_add(Externals *X, uint64_t number);

/* Condemned tables are used again: none is condemned any more. */
void externals_pardon(Externals *X);

/* ------------------------------------------------------ external_overlay.c */

typedef struct ExternalKey {
  size_t size; /* 0: none */
  unsigned char bytes[EXTERNAL_MAX_KEY + 1]; /* a zero byte at its end */
} ExternalKey;

/*
** Reads one entry: *value is NULL if it is absent, else `*size` bytes that are valid until
** the next read or change. What the backend's get answers, NOMEM.
*/
hearth_status externals_get(Externals *X, const ExternalTable *t, const void *key, size_t key_size,
                           const unsigned char **value, size_t *size, hearth_error *err);

/* The number of the external table that an entry's value refers to, or 0. */
uint64_t externals_reference(const void *value, size_t size);

/* The reference that the entry holds, or 0. Reads only where the table has any. As externals_get. */
hearth_status externals_old_reference(Externals *X, const ExternalTable *t, const void *key, size_t key_size,
                                      uint64_t *number, hearth_error *err);

/*
** Puts a made entry (with the overlay's allocator), which becomes the overlay's. `old` is what it referred to before.
*/
void externals_put(Externals *X, ExternalTable *t, MapEntry *e, uint64_t old);

/* Gives an entry of the overlay another value, of the same size and without a reference: a head, then `size` bytes. */
void externals_overwrite(Externals *X, ExternalTable *t, MapEntry *e, const void *head, const void *bytes, size_t size);

/* Deletes an entry, if it is there. On failure nothing changed. As externals_get. */
hearth_status externals_delete(Externals *X, ExternalTable *t, const void *key, size_t key_size, hearth_error *err);

/* Calls found with every reference in the table. It may not change overlay or backend. */
typedef void (*ExternalFound)(Externals *X, uint64_t number);
hearth_status externals_each_reference(Externals *X, const ExternalTable *t, ExternalFound found, hearth_error *err);

/*
** A position in a table that moves in key order over what backend and open batch hold together. It
** reads ahead in the backend; entries may change meanwhile.
*/
typedef struct ExternalCursor {
  uint64_t table;
  uint64_t generation;   /* of what was read ahead, failures included */
  ExternalKey position;  /* the last key delivered; size 0: before the first */
  ExternalKey from, to;  /* from <= key <= to; size 0: open */
  bool reverse;
  bool exhausted;        /* the backend has nothing after what was read ahead */
  size_t next, used;     /* in `ahead`: offsets of the next entry, of the end */
  unsigned char ahead[4096];
} ExternalCursor;

void externals_cursor_init(ExternalCursor *c, uint64_t table, bool reverse);

/*
** Moves on: *value as externals_get does it, NULL at the end, with the key in c->position. The table
** must be there. What the backend's scan and get answer, NOMEM.
*/
hearth_status externals_cursor_next(Externals *X, ExternalCursor *c, const unsigned char **value, size_t *size,
                                   hearth_error *err);

/* -------------------------------------------------------- external_value.c */

typedef enum ExternalKeyFault {
  EXTERNAL_KEY_OK, EXTERNAL_KEY_NIL, EXTERNAL_KEY_NAN, EXTERNAL_KEY_TYPE, EXTERNAL_KEY_TOOBIG
} ExternalKeyFault;

/* [-0, +0, -] The bytes of the key at `index`. */
ExternalKeyFault externals_to_key(lua_State *L, int index, ExternalKey *out);

/* [-0, +0, v] Raises the error that belongs to a fault; does nothing for EXTERNAL_KEY_OK. */
void externals_check_key(lua_State *L, int index, ExternalKeyFault fault);

/* [-0, +1, v] Pushes the key of these bytes. */
void externals_push_key(lua_State *L, const void *bytes, size_t size);

/* [-0, +1, v] Pushes the value of these bytes, as externals_get gave them. */
void externals_push_value(lua_State *L, hearth_store *S, const unsigned char *bytes, size_t size);

/*
** [-0, +0, v] t[key] = value, for the table with this number; `key` and `value` are absolute indices. All or nothing.
*/
void externals_assign(lua_State *L, hearth_store *S, uint64_t number, int key, int value);

/* ------------------------------------------------------- external_handle.c */

/* [-0, +0, v] Raises unless the store is open and, if `writing`, may be written. */
void externals_check_store(lua_State *L, hearth_store *S, bool writing);

/* [-0, +0, v] The table with this number; raises if it is gone. */
ExternalTable *externals_check_table(lua_State *L, const hearth_store *S, uint64_t number);

#endif
